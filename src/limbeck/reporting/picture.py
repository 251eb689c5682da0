"""Picture: a chart as SVG text, and as PNG bytes for whoever asks for them, the same every time it is drawn.

In: a function that draws on an empty matplotlib figure. Out: a `Picture`. It does not know what is drawn.

matplotlib is used through `Figure` alone: no pyplot, no window, no backend chosen for the process. Its settings are set
to its defaults and ours while a picture is drawn, under a lock, and put back afterwards.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from limbeck import storage
from limbeck.reporting.fonts import choose_fonts, need_matplotlib
from limbeck.reporting.themes import LIGHT, Theme
from limbeck.reporting.words import ENGLISH, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 144
"""Dots an inch of the PNG."""
NO_GLYPH = "?"
"""Stands for a character that no font here has; a notice says which."""
_LOCK = Lock()


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a picture looks and speaks."""

    theme: Theme = LIGHT
    words: Words = ENGLISH


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A chart.

    Attributes:
        title: what it shows.
        description: what it says in words, for those who cannot see it.
        svg: a whole SVG document, text as outlines, so that it shows the same where the fonts are missing.
        save_png: makes the PNG.
        notices: what could not be shown as it is (label names shortened, characters without a font).
    """

    title: str
    description: str
    svg: str = field(repr=False)
    save_png: Callable[[], bytes] = field(repr=False, compare=False)
    notices: tuple[str, ...] = ()

    @cached_property
    def png(self) -> bytes:
        """PNG bytes, `DPI` dots an inch: made when first asked for, as that takes as long as all else."""
        return self.save_png()

    def _repr_svg_(self) -> str:
        """Return the picture for a notebook."""
        return self.svg

    def write(self, folder: Path, name: str, *, png: bool = True) -> None:
        """Write `name`.svg, and `name`.png unless it is not wanted, into a folder.

        Raises:
            StorageError: the folder cannot be written.
        """
        if png:
            storage.write_bytes(folder / f"{name}.png", self.png)
        storage.write_text(folder / f"{name}.svg", self.svg)


@dataclass(frozen=True, kw_only=True)
class Caption:
    """The words that go with a picture.

    Attributes:
        title: what it shows.
        description: what it says in words.
        texts: every text that will be drawn, for the choice of fonts.
        notices: what could not be shown as it is.
    """

    title: str
    description: str
    texts: tuple[str, ...]
    notices: tuple[str, ...] = ()


def legend_above(panel: "Axes", *, columns: int = 1) -> None:
    """Set a legend above a panel, where it lies over no line."""
    panel.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=columns)


def paint(caption: Caption, draw: Callable[["Figure"], None], *, look: Look) -> Picture:
    """Draw on an empty figure and return the picture; the same input gives the same bytes.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    need_matplotlib()
    fonts = choose_fonts((*caption.texts, caption.title))
    notices = caption.notices
    if fonts.uncovered:
        shown = " ".join(f"{sign} (U+{ord(sign):04X})" for sign in fonts.uncovered[:10])
        notices = (*notices, f"no font here can draw {shown}: such characters are shown as {NO_GLYPH}")
    from matplotlib.figure import Figure

    own = _settings(fonts.families, look.theme)
    with _drawing(own):
        figure = Figure(layout="constrained", facecolor=look.theme.paper)
        draw(figure)
        _replace_uncovered(figure, fonts.uncovered)
        _lay_out(figure)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Title": caption.title})

    def save_png() -> bytes:
        """Save the same figure as PNG."""
        png = io.BytesIO()
        with _drawing(own):
            figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
        return png.getvalue()

    return Picture(
        title=caption.title, description=caption.description, svg=svg.getvalue(), save_png=save_png, notices=notices
    )


@contextmanager
def _drawing(own: Mapping[str, Any]) -> Iterator[None]:
    """Set matplotlib's settings to its defaults and these, and put them back."""
    import matplotlib as mpl

    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(own)
        yield


def _lay_out(figure: "Figure") -> None:
    """Make the layout once, for the PNG's dots: so PNG and SVG look the same.

    Whoever saves a figure that has a layout engine draws it twice, the first time for the layout alone.
    """
    own_dpi = figure.dpi
    figure.dpi = DPI
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)
    figure.dpi = own_dpi


def _settings(families: Iterable[str], theme: Theme) -> dict[str, Any]:
    """Return matplotlib's settings for one picture."""
    return {
        "font.family": list(families),
        "font.size": 10,
        "svg.fonttype": "path",
        "svg.hashsalt": "limbeck",
        "text.parse_math": False,  # a label may have dollar signs
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.line,
        "axes.facecolor": theme.paper,
        "xtick.color": theme.line,
        "ytick.color": theme.line,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "grid.color": theme.line,
        "axes.unicode_minus": True,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
    }


def _replace_uncovered(figure: "Figure", uncovered: tuple[str, ...]) -> None:
    """Put `NO_GLYPH` where no font has a glyph, tick labels included: those are made anew at each drawing."""
    if not uncovered:
        return
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter

    table = str.maketrans(dict.fromkeys(uncovered, NO_GLYPH))
    for text in figure.findobj(Text):
        text.set_text(text.get_text().translate(table))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(_translated(axis.get_major_formatter(), table)))


def _translated(label_of: Callable[[float, int], str], table: dict[int, str]) -> Callable[[float, int], str]:
    """Return a tick formatter that translates what another one says."""
    return lambda value, place: label_of(value, place).translate(table)
