"""Charts of answers that are not one label per row: labels that stand together, predicted beside true numbers, errors.

In: figures of rows. Out: a `Picture` each. It does not know models or files.
"""

from typing import TYPE_CHECKING

import numpy as np

from limbeck.display.wrapping import visible_text, width, wrap
from limbeck.evaluation.labels_together import LabelsTogether
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.reporting.charts import COLUMN_IN
from limbeck.reporting.picture import Caption, Look, Picture, paint
from limbeck.reporting.plane import sample_rows
from limbeck.reporting.themes import ink_on, ramp_colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_DOTS = 1500
"""Rows of a scatter that are drawn; more would hide each other, and make a page slow."""
_CELL_IN = 0.36
_NAMED_PAIRS = 5


def pair_matrix(found: LabelsTogether, *, look: Look | None = None) -> Picture:
    """Draw which labels stand together: of the rows with the label of a line, the share that have that of the column.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words = look.words
    size = len(found.names)
    columns = [wrap(name, columns=24, lines=1) for name in found.names]
    lines = [
        f"{wrap(name, columns=28, lines=1)} ({rows:,})" for name, rows in zip(found.names, found.rows_K, strict=True)
    ]
    part = words.label_pairs_part.format(shown=size, count=found.of)
    key = [words.label_pairs_key, *([] if size == found.of else [part])]

    def draw(figure: "Figure") -> None:
        side_in, under_in = (max(map(width, names)) * COLUMN_IN for names in (lines, columns))
        key_in = max(map(width, key)) * COLUMN_IN
        figure.set_size_inches(max(side_in + 0.8 + _CELL_IN * size, key_in), _CELL_IN * size + under_in + 1.6)
        axes = figure.subplots()
        image = np.empty((size, size, 3))
        for one, other in np.ndindex(size, size):
            share = 0.0 if one == other else float(found.shares_KK[one, other])
            colour = ramp_colour(look.theme.right_ramp, share**0.5)
            image[one, other] = colour
            digits = "" if one == other else _digits(share)
            text = axes.text(other, one, digits, ha="center", va="center", fontsize=6.5, color=ink_on(colour))
            text.set_in_layout(False)
        axes.imshow(image, interpolation="nearest", aspect="equal")
        edges = np.arange(size) - 0.5
        axes.set_xticks(edges, minor=True)
        axes.set_yticks(edges, minor=True)
        axes.grid(which="minor", color=look.theme.line, linewidth=0.6)
        axes.tick_params(which="both", length=0)
        axes.set_xticks(range(size), columns, rotation=90, fontsize=8)
        axes.set_yticks(range(size), lines, fontsize=8)
        axes.set_xlabel(words.also_has)
        figure.suptitle(words.label_pairs, fontsize=13, x=0.01, ha="left")
        figure.supxlabel("\n".join(key), fontsize=9, color=look.theme.muted, x=0.01, ha="left", linespacing=1.4)

    named = "; ".join(
        f"{visible_text(one.one)} + {visible_text(one.other)}: {words.rows.format(count=f'{one.rows:,}')} "
        f"({one.share:.2f})"
        for one in found.pairs[:_NAMED_PAIRS]
    )
    caption = Caption(
        title=words.label_pairs,
        description=f"{words.label_pairs}. {words.label_pairs_key} {named}.",
        texts=(*columns, *lines, *key, words.also_has),
        notices=() if size == found.of else (part,),
    )
    return paint(caption, draw, look=look)


def value_scatter(found: ValuePredictions, *, look: Look | None = None) -> Picture:
    """Draw each row's predicted number over its true one, and how far the intervals reach.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words, theme = look.words, look.theme
    true_M, said_M = found.known_values, found.values[found.labelled_rows].astype(np.float64)
    drawn = sample_rows(len(true_M), most=MOST_DOTS)
    low, high = (float(end(np.concatenate([true_M, said_M]))) for end in (np.min, np.max))
    margin = 0.04 * (high - low) or 1.0
    ends = np.array([low - margin, high + margin])
    key = [words.value_scatter_key]
    if found.width is not None:
        said = words.value_scatter_ends.format(level=f"{found.width.level:.0%}", width=f"{found.width.half_width:.3g}")
        key.append(said)
    if len(drawn) < len(true_M):
        key.append(words.rows_drawn.format(drawn=f"{len(drawn):,}", count=f"{len(true_M):,}"))

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(6.4, 5.9)
        panel = figure.subplots()
        panel.plot(
            true_M[drawn], said_M[drawn], "o", color=theme.series[0], markersize=3, alpha=0.45, markeredgewidth=0
        )
        panel.plot(ends, ends, color=theme.muted, linewidth=1.2)
        if found.width is not None:
            for side in (-1, 1):
                panel.plot(
                    ends, ends + side * found.width.half_width, color=theme.series[1], linestyle="--", linewidth=1.2
                )
        panel.set_xlim(*ends)
        panel.set_ylim(*ends)
        panel.set_aspect("equal")
        panel.set_xlabel(words.true_value)
        panel.set_ylabel(words.predicted_value)
        panel.spines[["top", "right"]].set_visible(False)
        figure.suptitle(words.value_scatter, fontsize=13, x=0.01, ha="left")
        figure.supxlabel("\n".join(key), fontsize=9, color=theme.muted, x=0.01, ha="left", linespacing=1.4)

    told = "; ".join(
        f"{words.true_value} {start:.3g}…{stop:.3g}: {words.predicted_value} {mean:.3g}"
        for start, stop, mean in value_bands(true_M, said_M)
    )
    caption = Caption(
        title=words.value_scatter,
        description=f"{words.value_scatter}. {told}. {' '.join(key)}",
        texts=(words.true_value, words.predicted_value, *key),
    )
    return paint(caption, draw, look=look)


def residual_histogram(found: ValuePredictions, *, look: Look | None = None) -> Picture:
    """Draw how many rows have which error.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words, theme = look.words, look.theme
    errors_M = found.known_errors
    counts, edges = residual_bins(errors_M)
    key = [words.residuals_key.format(mean=f"{errors_M.mean():+.3g}", deviation=f"{errors_M.std():.3g}")]
    if found.width is not None:
        key.append(words.residuals_ends.format(width=f"{found.width.half_width:.3g}"))

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(6.4, 3.7)
        panel = figure.subplots()
        panel.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=theme.series[0], edgecolor=theme.paper)
        panel.axvline(0, color=theme.muted, linewidth=1)
        if found.width is not None:
            for side in (-1, 1):
                panel.axvline(side * found.width.half_width, color=theme.series[1], linestyle="--", linewidth=1.4)
        panel.set_xlabel(words.residual)
        panel.set_ylabel(words.row_count)
        panel.spines[["top", "right"]].set_visible(False)
        figure.suptitle(words.residuals, fontsize=13, x=0.01, ha="left")
        figure.supxlabel("\n".join(key), fontsize=9, color=theme.muted, x=0.01, ha="left", linespacing=1.4)

    told = "; ".join(
        f"{edges[place]:.3g}…{edges[place + 1]:.3g}: {count:,}" for place, count in enumerate(counts) if count
    )
    caption = Caption(
        title=words.residuals,
        description=f"{words.residuals}. {told}. {' '.join(key)}",
        texts=(words.residual, words.row_count, *key),
    )
    return paint(caption, draw, look=look)


def residual_bins(errors_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows by error, at most 25 equal bins, and the bins' edges.

    Source: Freedman & Diaconis, On the Histogram as a Density Estimator (1981), for the width of a bin.
    """
    low, high = float(errors_M.min()), float(errors_M.max())
    if high - low <= 0:
        return np.array([len(errors_M)]), np.array([low - 0.5, low + 0.5])
    quarter, three = np.quantile(errors_M, [0.25, 0.75])
    width_of_bin = 2 * (three - quarter) / len(errors_M) ** (1 / 3)
    bins = 25 if width_of_bin <= 0 else int(np.clip(np.ceil((high - low) / width_of_bin), 1, 25))
    counts, edges = np.histogram(errors_M, bins=bins)
    return counts, edges


def value_bands(true_M: np.ndarray, said_M: np.ndarray, *, bands: int = 5) -> list[tuple[float, float, float]]:
    """Return bands of true numbers with about as many rows each: lowest and highest true one, mean predicted one."""
    order = np.argsort(true_M, kind="stable")
    return [
        (float(true_M[part[0]]), float(true_M[part[-1]]), float(said_M[part].mean()))
        for part in np.array_split(order, min(bands, len(order)))
    ]


def _digits(share: float) -> str:
    return f"{share:.2f}".removeprefix("0") if share else "0"
