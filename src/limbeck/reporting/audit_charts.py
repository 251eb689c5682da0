"""Charts of an audit: how long texts are, and what length limits cut and cost.

In: an `Audit`. Out: a `Picture` each, by name.
It does not know pages, texts or files.
"""

from typing import TYPE_CHECKING

from limbeck.auditing.audit import Audit, Tokens
from limbeck.auditing.token_limits import Box
from limbeck.display.wrapping import wrap
from limbeck.evaluation.counted import percent
from limbeck.reporting.charts import class_frequency, percent_tick
from limbeck.reporting.picture import Caption, Look, Picture, paint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BOXES = 40
"""Classes with a box of their own, those with the most rows; the others are said to be left out."""
_COLUMN_IN = 0.078
_NEAR_LIMIT = 1.7
"""A limit line is drawn when it is at most this many times as far as the longest whisker."""


def audit_charts(audit: Audit, *, look: Look | None = None) -> dict[str, Picture]:
    """Draw every chart that the audit has figures for, by the name of its file.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    charts: dict[str, Picture] = {}
    if audit.shape.classes:
        splits = {name: count for name, count in audit.shape.splits.items() if count.labelled}
        counts = {split: [count.by_split[split] for count in audit.shape.classes.values()] for split in splits}
        charts["class_frequency"] = class_frequency(counts, tuple(audit.shape.classes), look=look)
    charts["words"] = length_boxes(audit.words.by_class or {"all": audit.words.overall}, unit="words", look=look)
    if audit.tokens:
        boxes = audit.tokens.lengths.by_class or {"all": audit.tokens.lengths.overall}
        limits = tuple(limit.limit for limit in audit.tokens.limits)
        charts["tokens"] = length_boxes(boxes, unit="tokens", limits=limits, look=look)
        if audit.tokens.recommended.needed:
            charts["limits"] = limit_lines(audit.tokens, look=look)
    return charts


def length_boxes(
    boxes: dict[str, Box], *, unit: str, limits: tuple[int, ...] = (), look: Look | None = None
) -> Picture:
    """Draw lengths of texts as box plots without outliers, one box a class.

    Args:
        boxes: by class.
        unit: what is counted, in the plural.
        limits: length limits, drawn as lines where they are near the boxes.
        look: theme and language.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    shown = sorted(boxes, key=lambda name: -boxes[name].rows)[:MOST_BOXES]
    shown = [name for name in boxes if name in shown]
    names = [f"{wrap(name, columns=28, lines=1)} ({boxes[name].rows:,})" for name in shown]
    title = f"{unit.capitalize()} a text"
    key = "Box: half of the texts; line: the median; whiskers: within 1.5 box lengths; outliers are not drawn."
    longest = max(boxes[name].high for name in shown)
    near = [limit for limit in limits if limit <= _NEAR_LIMIT * longest]
    left_out = len(boxes) - len(shown)

    def draw(figure: "Figure") -> None:
        name_in = max(len(name) for name in names) * _COLUMN_IN
        figure.set_size_inches(name_in + 6.0, 0.42 * len(names) + 1.5)
        axes = figure.subplots()
        colour, ink = look.theme.series[0], look.theme.ink
        drawn = axes.bxp(
            [_whiskers(boxes[name], label) for name, label in zip(shown, names, strict=True)],
            orientation="horizontal",
            showfliers=False,
            patch_artist=True,
            widths=0.62,
            boxprops={"facecolor": colour, "edgecolor": colour},
            medianprops={"color": look.theme.paper, "linewidth": 2.2},
            whiskerprops={"color": ink},
            capprops={"color": ink},
        )
        for name, median in zip(shown, drawn["medians"], strict=True):
            if boxes[name].q1 == boxes[name].q3:  # a line of the paper's colour on a box of no width would not be seen
                median.set_color(colour)
        axes.set_ylim(len(names) + 0.6, 0.4)
        axes.set_xlim(0, 1.06 * max(longest, *near, 1))
        for limit in near:
            _mark_limit(axes, limit, look)
        axes.locator_params(axis="x", integer=True)
        axes.tick_params(left=False)
        axes.spines[["top", "right", "left"]].set_visible(False)
        figure.suptitle(title, fontsize=13, x=0.01, ha="left")
        figure.supxlabel(key, fontsize=8.5, color=look.theme.muted, x=0.01, ha="left")

    described = "; ".join(
        f"{name}: median {boxes[name].median:g}, middle half {boxes[name].q1:g} to {boxes[name].q3:g}, "
        f"longest {boxes[name].most:,}"
        for name in shown
    )
    notices = (f"the {left_out:,} classes with the fewest rows are not drawn; the table has them",) if left_out else ()
    caption = Caption(title=title, description=f"{title}. {described}.", texts=(*names, key), notices=notices)
    return paint(caption, draw, look=look)


def limit_lines(tokens: Tokens, *, look: Look | None = None) -> Picture:
    """Draw what each length limit cuts and costs: texts cut, tokens lost, compute relative to 512.

    Raises:
        MissingExtraError: matplotlib is absent.
    """
    look = look or Look()
    limits = [row.limit for row in tokens.limits]
    lines = {
        "compute, of 512's": [row.compute for row in tokens.limits],
        "texts cut": [row.texts_cut for row in tokens.limits],
        "tokens lost": [row.tokens_lost for row in tokens.limits],
    }
    title = "What a length limit cuts and costs"

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(7.2, 3.9)
        axes = figure.subplots()
        places = range(len(limits))
        styles = (("o", "-"), ("s", "--"), ("^", ":"))
        for (name, values), colour, (marker, dash) in zip(lines.items(), look.theme.series, styles, strict=False):
            axes.plot(places, values, color=colour, marker=marker, linestyle=dash, linewidth=2, label=name)
        chosen = limits.index(tokens.recommended.limit)
        axes.axvline(chosen, color=look.theme.muted, linewidth=1, linestyle=(0, (2, 3)), zorder=0)
        axes.set_xticks(
            places, [f"{limit}\n(recommended)" if limit == limits[chosen] else str(limit) for limit in limits]
        )
        axes.set_xlabel("Most tokens of a text, [CLS] and [SEP] included")
        axes.set_ylim(-0.04, 1.08)
        axes.yaxis.set_major_formatter(percent_tick)
        axes.grid(axis="y", linewidth=0.6)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0)
        figure.suptitle(title, fontsize=13, x=0.01, ha="left")
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)

    described = "; ".join(
        f"{row.limit} tokens: {percent(row.texts_cut)} of the texts cut, {percent(row.tokens_lost)} of the tokens "
        f"lost, {percent(row.compute)} of the compute of 512"
        for row in tokens.limits
    )
    caption = Caption(title=title, description=f"{title}. {described}.", texts=(title, *lines))
    return paint(caption, draw, look=look)


def _whiskers(box: Box, label: str) -> dict[str, object]:
    """Return a box as matplotlib takes it."""
    return {"whislo": box.low, "q1": box.q1, "med": box.median, "q3": box.q3, "whishi": box.high, "label": label}


def _mark_limit(axes: "Axes", limit: int, look: Look) -> None:
    axes.axvline(limit, color=look.theme.series[1], linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    note = axes.annotate(
        str(limit),
        (limit, 1),
        xycoords=("data", "axes fraction"),
        xytext=(2, 1),
        textcoords="offset points",
        fontsize=8.5,
        color=look.theme.series[1],
    )
    note.set_in_layout(False)
