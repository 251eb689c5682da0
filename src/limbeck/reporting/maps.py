"""Maps: rows on a plane, coloured by label and by error; and where each class lies on it.

In: a `Plane`, true and predicted labels of all rows. Out: a `Picture`. It does not know how the plane was made.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from limbeck.display.wrapping import visible_text, wrap
from limbeck.errors import DataError
from limbeck.reporting.picture import Caption, Look, Picture, paint
from limbeck.reporting.plane import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKED_CLASSES = 12
"""Classes with a mark of their own, those with the most rows."""
_Shape = Literal["o", "s", "x"]
_GRID = 22


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapped:
    """The rows of a plane with their labels.

    Attributes:
        plane: where they lie.
        labels_N: true labels of the drawn rows.
        said_N: what they were given.
        label_names: the C classes.
        of: rows of which these are all, or a sample.
    """

    plane: Plane
    labels_N: np.ndarray
    said_N: np.ndarray
    label_names: tuple[str, ...]
    of: int

    def __post_init__(self) -> None:
        """Refuse labels that are not one a row."""
        rows = len(self.plane.points_N2)
        if len(self.labels_N) != rows or len(self.said_N) != rows:
            raise DataError(f"{len(self.labels_N):,} labels and {len(self.said_N):,} answers for {rows:,} rows")

    @cached_property
    def by_rows(self) -> np.ndarray:
        """The classes that have rows, the most first; of equals, the first class first."""
        counts_C = np.bincount(self.labels_N, minlength=len(self.label_names))
        order = np.argsort(-counts_C, kind="stable")
        return order[counts_C[order] > 0]

    @cached_property
    def centres(self) -> np.ndarray:
        """Mean place of each class, (C, 2); NaN where it has no row."""
        found = np.full((len(self.label_names), 2), np.nan)
        for label in self.by_rows:
            found[label] = self.plane.points_N2[self.labels_N == label].mean(axis=0)
        return found

    @cached_property
    def spreads(self) -> np.ndarray:
        """Root mean squared distance of a class's rows from its centre, (C,); NaN where it has no row."""
        found, centres = np.full(len(self.label_names), np.nan), self.centres
        for label in self.by_rows:
            away = self.plane.points_N2[self.labels_N == label] - centres[label]
            found[label] = np.sqrt((away**2).sum(axis=1).mean())
        return found

    def nearest(self, label: int) -> int | None:
        """Return the class whose centre is nearest to that of `label`; None where there is no other."""
        away = np.linalg.norm(self.centres - self.centres[label], axis=1)
        away[label] = np.nan
        return None if np.isnan(away).all() else int(np.nanargmin(away))


def feature_map(mapped: Mapped, *, look: Look | None = None) -> Picture:
    """Draw the rows twice: coloured by their true label, and by whether the answer is right.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words, theme = look.words, look.theme
    shown = mapped.by_rows[:MARKED_CLASSES]
    others = len(mapped.by_rows) - len(shown)
    names = [wrap(mapped.label_names[label], columns=22, lines=1) for label in shown]
    rest = words.other_classes.format(count=others)
    right_N = mapped.labels_N == mapped.said_N
    title = words.feature_map.format(kind=mapped.plane.kind)
    key = _key(mapped, look)
    right, wrong = (
        words.right_rows.format(count=f"{right_N.sum():,}"),
        words.wrong_rows.format(count=f"{(~right_N).sum():,}"),
    )

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(9.4, 5.4)
        by_label, by_error = figure.subplots(1, 2)
        points = mapped.plane.points_N2
        is_other = ~np.isin(mapped.labels_N, shown)
        if is_other.any():
            _mark(by_label, points[is_other], _Mark(name=rest, colour=theme.line, size_pt=2.6, alpha=1.0))
        for place, (label, name) in enumerate(zip(shown, names, strict=True)):
            shape: _Shape = "o" if place < len(theme.series) else "s"
            colour = theme.series[place % len(theme.series)]
            own = points[mapped.labels_N == label]
            _mark(by_label, own, _Mark(name=name, colour=colour, size_pt=3.2, alpha=0.75, shape=shape))
        _mark(by_error, points[right_N], _Mark(name=right, colour=theme.series[0], size_pt=2.8, alpha=0.45))
        _mark(by_error, points[~right_N], _Mark(name=wrong, colour=theme.series[1], size_pt=0.9, alpha=0.9, shape="x"))
        for panel, name, columns in ((by_label, words.by_label, 3), (by_error, words.by_error, 2)):
            panel.set_title(name, fontsize=10, loc="left")
            _frame(panel, points)
            panel.legend(
                loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=columns, frameon=False, fontsize=8.5,
                handletextpad=0.3, columnspacing=1.0,
            )  # fmt: skip
        figure.suptitle(title, fontsize=13, x=0.01, ha="left")
        figure.supxlabel(key, fontsize=8.5, color=theme.muted, x=0.01, ha="left")

    told = ", ".join(
        f"{visible_text(mapped.label_names[label])} {(mapped.labels_N == label).sum():,}" for label in shown
    )
    caption = Caption(
        title=title,
        description=f"{title}. {told}. {right}; {wrong}. {key}",
        texts=(*names, rest, title, key, right, wrong, words.by_label, words.by_error),
        notices=(rest,) if others else (),
    )
    return paint(caption, draw, look=look)


def class_density(mapped: Mapped, *, look: Look | None = None) -> Picture:
    """Draw for each class how many of its rows lie where, in six-sided cells, all panels on the same plane.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.

    Source: Tunstall, von Werra & Wolf, Natural Language Processing with Transformers (2022), chapter 2.
    """
    look = look or Look()
    words, theme = look.words, look.theme
    shown = mapped.by_rows[:MARKED_CLASSES]
    others = len(mapped.by_rows) - len(shown)
    names = [
        f"{wrap(mapped.label_names[label], columns=20, lines=1)} ({(mapped.labels_N == label).sum():,})"
        for label in shown
    ]
    title = words.class_density.format(kind=mapped.plane.kind)
    rest = (words.classes_not_drawn.format(count=others),) if others else ()
    key = " ".join((words.density_key, *rest))
    columns = 2 if len(shown) == 4 else min(3, len(shown))
    lines = -(-len(shown) // columns)

    def draw(figure: "Figure") -> None:
        from matplotlib.colors import LinearSegmentedColormap

        figure.set_size_inches(max(2.6 * columns, 6.4), 2.4 * lines + 1.0)
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        points = mapped.plane.points_N2
        low, high = _reach(points)
        colours = LinearSegmentedColormap.from_list("limbeck", theme.right_ramp[1:])
        for panel, label, name in zip(panels, shown, names, strict=False):
            own = points[mapped.labels_N == label]
            panel.hexbin(
                *own.T,
                gridsize=_GRID,
                extent=(low[0], high[0], low[1], high[1]),
                cmap=colours,
                mincnt=1,
                linewidths=0.0,
            )
            panel.set_title(name, fontsize=9.5, loc="left")
            _frame(panel, points)
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        figure.suptitle(title, fontsize=13, x=0.01, ha="left")
        figure.supxlabel(key, fontsize=8.5, color=theme.muted, x=0.01, ha="left")

    caption = Caption(
        title=title, description=f"{title}. {', '.join(names)}. {key}", texts=(*names, title, key), notices=rest
    )
    return paint(caption, draw, look=look)


def _key(mapped: Mapped, look: Look) -> str:
    words, plane = look.words, mapped.plane
    drawn = words.rows_drawn.format(drawn=f"{len(plane.points_N2):,}", count=f"{mapped.of:,}")
    if not plane.shares:
        return f"{words.umap_key} {drawn}"
    shares = " + ".join(f"{100 * share:.1f} %" for share in plane.shares)
    return f"{words.pca_key.format(shares=shares)} {drawn}"


def _reach(points_N2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest place of a panel, with room at the edge."""
    low, high = points_N2.min(axis=0), points_N2.max(axis=0)
    room = 0.05 * (high - low) + 1e-9
    return low - room, high + room


def _frame(panel: "Axes", points_N2: np.ndarray) -> None:
    low, high = _reach(points_N2)
    panel.set_xlim(low[0], high[0])
    panel.set_ylim(low[1], high[1])
    panel.set_xticks([])
    panel.set_yticks([])


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """How some rows are marked: dots, squares or crosses; `size_pt` is the width of the pen."""

    name: str
    colour: str
    size_pt: float
    alpha: float
    shape: _Shape = "o"


def _mark(panel: "Axes", points_N2: np.ndarray, mark: _Mark) -> None:
    """Mark places with one path in all: thousands of elements of their own would make a page slow.

    A dot is a stroke of no length with round ends, a square one with square ends.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    low, high = _reach(points_N2) if len(points_N2) else (np.zeros(2), np.ones(2))
    arm = 0.009 * np.where(
        high > low, high - low, 1.0
    )  # of a single row the reach is nothing, and its dot is something
    strokes = [(-arm, arm), (arm * [-1, 1], arm * [1, -1])] if mark.shape == "x" else [(0 * arm, 1e-3 * arm)]
    ends = np.stack([points_N2 + offset for stroke in strokes for offset in stroke], axis=1).reshape(-1, 2)
    path = Path(ends, np.tile([Path.MOVETO, Path.LINETO], len(ends) // 2))
    path.should_simplify = False
    cap = {"o": "round", "s": "projecting", "x": "butt"}[mark.shape]
    pen = {"edgecolor": mark.colour, "linewidth": mark.size_pt, "alpha": mark.alpha}
    panel.add_patch(PathPatch(path, fill=False, capstyle=cap, **pen))
    # matplotlib leaves out of a legend what begins with an underscore, as names of classes may.
    name = f" {mark.name}" if mark.name.startswith("_") else mark.name
    panel.plot([], [], linestyle="", marker=mark.shape, color=mark.colour, alpha=mark.alpha, markersize=5, label=name)
