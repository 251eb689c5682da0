"""Charts of classes: how frequent they are, and which are taken for which.

In: counts and label names. Out: a `Picture`. It does not know datasets, models or files.

Each chart sizes itself by the number of classes, so that nothing overlaps and every number can be read. What does not
fit is said in the picture and among its notices, never just left out.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from limbeck.display.wrapping import ELLIPSIS, visible_text, width, wrap
from limbeck.errors import DataError
from limbeck.evaluation.counted import percent
from limbeck.evaluation.metrics import confusion_shares
from limbeck.reporting.picture import Caption, Look, Picture, paint
from limbeck.reporting.themes import ink_on, ramp_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 60
"""Classes with a bar of their own; the rest, the rarest, are counted together."""
MOST_CELLS = 40
"""Classes of a confusion matrix that are shown: those with the most errors."""
COLUMN_IN = 0.078
"""Width of one column of text at 10 points, in inches, roughly."""


def class_frequency(
    counts_by_split: Mapping[str, Sequence[int]], label_names: Sequence[str], *, look: Look | None = None
) -> Picture:
    """Draw the rows of each class as horizontal bars, most frequent first, one panel a split.

    Args:
        counts_by_split: rows of each class (C,), by split; panels stand in this order.
        label_names: the C class names.
        look: theme and language.

    Raises:
        DataError: there is no split or no class, or counts and names differ in length.
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words = look.words
    counts_SC = np.array([list(counts) for counts in counts_by_split.values()], dtype=np.int64)
    if counts_SC.ndim != 2 or not counts_SC.size or counts_SC.shape[1] != len(label_names):
        raise DataError(f"counts of shape {counts_SC.shape} for {len(label_names)} label names: one a class and split")
    order = np.argsort(-counts_SC.sum(axis=0), kind="stable")
    shown = order[:MOST_BARS]
    names = [wrap(label_names[label], columns=30, lines=2) for label in shown]
    bars_SB = counts_SC[:, shown]
    if rest := len(order) - len(shown):
        names.append(words.other_classes.format(count=rest))
        bars_SB = np.column_stack([bars_SB, counts_SC[:, order[MOST_BARS:]].sum(axis=1)])
    totals_S = counts_SC.sum(axis=1)
    titles = [
        f"{wrap(split, columns=26, lines=1)}\n{words.rows.format(count=f'{total:,}')}"
        for split, total in zip(counts_by_split, totals_S, strict=True)
    ]

    def draw(figure: "Figure") -> None:
        lines = sum(max(1.0, 0.75 * (name.count("\n") + 1)) for name in names)
        name_in = max(width(line) for name in names for line in name.split("\n")) * COLUMN_IN
        figure.set_size_inches(name_in + 2.7 * len(titles) + 0.5, 0.3 * lines + 1.5)
        panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
        shares_SB = bars_SB / np.maximum(totals_S, 1)[:, None]
        shares_SB[:, len(shown) :] = 0  # the rest is told in numbers: its bar would dwarf those of the classes
        reach = max(float(shares_SB.max()), 1e-9)
        for place, panel in enumerate(panels):
            panel.barh(range(len(names)), shares_SB[place], color=look.theme.series[0], height=0.72)
            panel.set_title(titles[place], fontsize=10, loc="left", linespacing=1.4)
            panel.set_xlim(0, reach * 1.75)  # room for the numbers at the bars
            for bar, (count, reached) in enumerate(zip(bars_SB[place], shares_SB[place], strict=True)):
                share = count / max(totals_S[place], 1)
                text = panel.text(reached + reach * 0.03, bar, f"{count:,} ({percent(share)})", va="center", fontsize=9)
                text.set_in_layout(False)
            panel.set_yticks(range(len(names)), names, linespacing=1.3)
            panel.tick_params(left=False, bottom=False, labelbottom=False)
            panel.spines[["top", "right", "bottom"]].set_visible(False)
        panels[0].set_ylim(len(names) - 0.4, -0.6)
        figure.suptitle(words.class_frequency, fontsize=13, x=0.01, ha="left")

    described = "; ".join(
        f"{split}: "
        + ", ".join(f"{visible_text(label_names[label])} {counts[label]:,}" for label in shown)
        + (f", {words.other_classes.format(count=rest)} {counts[order[MOST_BARS:]].sum():,}" if rest else "")
        for split, counts in zip(counts_by_split, counts_SC, strict=True)
    )
    notices = _shortened([(label_names[label], name) for label, name in zip(shown, names, strict=False)])
    if rest:
        notices = (*notices, f"the {rest:,} rarest of {len(order):,} classes are counted together")
    caption = Caption(
        title=words.class_frequency,
        description=f"{words.class_frequency}. {described}.",
        texts=(*names, *titles),
        notices=notices,
    )
    return paint(caption, draw, look=look)


def confusion_matrix(counts_CC: np.ndarray, label_names: Sequence[str], *, look: Look | None = None) -> Picture:
    """Draw a confusion matrix normalised by true label, the share in each cell.

    Blue stands for right, orange for wrong, and the further from the paper's colour the more; the colour follows the
    square root of the share, so that small confusions are seen. "0" is none at all, "0.00" is some.

    Args:
        counts_CC: rows by true label (row) and predicted label (column).
        label_names: the C class names.
        look: theme and language.

    Raises:
        DataError: the matrix is not (C, C).
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words = look.words
    classes = len(label_names)
    if counts_CC.shape != (classes, classes) or not classes:
        raise DataError(f"a confusion matrix of shape {counts_CC.shape} for {classes} label names: expected one a side")
    shares_CC, support_C = confusion_shares(counts_CC), counts_CC.sum(axis=1)
    shown = most_confused(counts_CC)
    size = len(shown)
    cell_in = float(np.interp(size, [2, 6, 12, 20, 30, 40], [1.1, 0.85, 0.62, 0.5, 0.44, 0.42]))
    digits_pt = float(np.interp(size, [6, 12, 20, 40], [11, 9, 7.5, 6.5]))
    columns = [wrap(label_names[label], columns=24, lines=2) for label in shown]
    rows = [
        f"{wrap(label_names[label], columns=28, lines=2 if cell_in > 0.45 else 1)} ({support_C[label]:,})"
        for label in shown
    ]
    part = words.confusion_part.format(shown=size, count=classes)
    key = [words.confusion_key, words.confusion_whole if size == classes else part]
    key += [] if support_C[shown].all() else [words.no_rows]

    def draw(figure: "Figure") -> None:
        upright = max(width(line) for name in columns for line in name.split("\n")) * COLUMN_IN > cell_in * 0.95
        row_in = max(width(line) for name in rows for line in name.split("\n")) * COLUMN_IN
        under_in = max(width(line) for name in columns for line in name.split("\n")) * COLUMN_IN if upright else 0.35
        key_in = max(width(line) for line in (*key, words.confusion)) * COLUMN_IN
        figure.set_size_inches(
            max(row_in + 0.8 + cell_in * size, key_in), cell_in * size + under_in + 1.0 + 0.2 * len(key)
        )
        axes = figure.subplots()
        _draw_cells(axes, shares_CC[np.ix_(shown, shown)], support_C[shown], digits_pt=digits_pt, look=look)
        axes.set_xticks(range(size), columns, rotation=90 if upright else 0, linespacing=1.3)
        if not upright:
            # On one line, whether a name has tall letters or not.
            axes.tick_params(axis="x", pad=14)
            for name in axes.get_xticklabels():
                name.set_verticalalignment("baseline")
        axes.set_yticks(range(size), rows, linespacing=1.3)
        axes.set_xlabel(words.predicted_label)
        axes.set_ylabel(words.true_label)
        figure.suptitle(words.confusion, fontsize=13, x=0.01, ha="left")
        figure.supxlabel("\n".join(key), fontsize=9, color=look.theme.muted, x=0.01, ha="left", linespacing=1.4)

    recalls = ", ".join(f"{visible_text(label_names[label])} {shares_CC[label, label]:.2f}" for label in shown)
    worst = sorted(
        ((shares_CC[true, said], true, said) for true in shown for said in shown if true != said), reverse=True
    )[:5]
    named = "; ".join(
        f"{visible_text(label_names[true])} → {visible_text(label_names[said])} {share:.2f}"
        for share, true, said in worst
        if share
    )
    notices = _shortened(
        [
            (label_names[label], f"{one}\n{columns[place]}")
            for place, (label, one) in enumerate(zip(shown, rows, strict=True))
        ]
    )
    caption = Caption(
        title=words.confusion,
        description=f"{words.confusion}. {recalls}. {named}.",
        texts=(*columns, *rows, *key, words.predicted_label, words.true_label),
        notices=notices if size == classes else (*notices, part),
    )
    return paint(caption, draw, look=look)


def percent_tick(share: float, _place: float = 0) -> str:
    """Return a tick of an axis in words: "12.5 %" where it stands there, never a rounded place.

    Example:
        >>> percent_tick(0.125), percent_tick(0.3)
        ('12.5 %', '30 %')
    """
    return f"{100 * share:.3g} %"


def _draw_cells(axes: "Axes", shares: np.ndarray, support: np.ndarray, *, digits_pt: float, look: Look) -> None:
    """Fill the cells and write the share into each."""
    image = np.empty((*shares.shape, 3))
    for true, said in np.ndindex(shares.shape):
        share = float(shares[true, said])
        ramp = look.theme.right_ramp if true == said else look.theme.wrong_ramp
        colour = ramp_colour(ramp, share**0.5)
        image[true, said] = colour
        digits = ("0" if not share else f"{share:.2f}") if support[true] else "–"
        text = axes.text(said, true, digits, ha="center", va="center", fontsize=digits_pt, color=ink_on(colour))
        text.set_in_layout(False)  # a cell holds its number by design; asking the layout about each takes seconds
    axes.imshow(image, interpolation="nearest", aspect="equal")
    edges = np.arange(len(shares) + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color=look.theme.line, linewidth=0.6)
    axes.tick_params(which="both", length=0)


def most_confused(counts_CC: np.ndarray) -> np.ndarray:
    """Return the classes to show, in their own order: all, or those with the most errors, made or suffered."""
    right_C = np.diagonal(counts_CC)
    errors_C = counts_CC.sum(axis=0) + counts_CC.sum(axis=1) - 2 * right_C
    return np.sort(np.argsort(-errors_C, kind="stable")[:MOST_CELLS])


def _shortened(names: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return a notice that gives the label names which had to be shortened, in full."""
    cut = [visible_text(name) for name, shown in names if ELLIPSIS in shown and ELLIPSIS not in name]
    return (f"label names shortened in the picture: {'; '.join(cut)}",) if cut else ()
