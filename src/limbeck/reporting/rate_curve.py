"""The curve of the learning-rate finder: the loss at each rate that was tried.

In: rates and losses. Out: a `Picture`. It does not know how they were found.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limbeck.errors import DataError
from limbeck.reporting.picture import Caption, Look, Picture, legend_above, paint

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rate_curve(found: Mapping[str, Any], *, look: Look | None = None) -> Picture:
    """Draw the loss of each update and the smoothed loss over the learning rate, which is logarithmic.

    Args:
        found: `rates`, `losses`, `smoothed` and `learning_rate`, as lr_finder.json has them.
        look: theme and language.

    Raises:
        DataError: there is no rate.
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words = look.words
    if not found["rates"]:
        raise DataError("there is no learning rate to draw: the finder tried none")
    key_line = words.chosen_rate.format(rate=f"{found['learning_rate']:.2g}")

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(6.4, 3.9)
        panel = figure.subplots()
        panel.plot(
            found["rates"], found["losses"], label=words.each_update, color=look.theme.muted, linestyle=":", linewidth=1
        )
        panel.plot(found["rates"], found["smoothed"], label=words.smoothed, color=look.theme.series[0])
        panel.axvline(found["learning_rate"], color=look.theme.muted, linestyle=(0, (4, 4)), linewidth=1)
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter("{x:.0e}")
        panel.set_xlabel(words.learning_rate)
        panel.set_ylabel(words.train_loss)
        panel.spines[["top", "right"]].set_visible(False)
        legend_above(panel, columns=2)
        figure.suptitle(words.rate_curve, fontsize=13, x=0.01, ha="left")
        figure.supxlabel(key_line, fontsize=9, color=look.theme.muted, x=0.01, ha="left")

    lowest = min(range(len(found["rates"])), key=found["smoothed"].__getitem__)
    caption = Caption(
        title=words.rate_curve,
        description=f"{words.rate_curve}. {words.smoothed}: {found['smoothed'][0]:.4f} ({found['rates'][0]:.1e}), "
        f"{found['smoothed'][lowest]:.4f} ({found['rates'][lowest]:.1e}), {found['smoothed'][-1]:.4f} "
        f"({found['rates'][-1]:.1e}). {key_line}",
        texts=(words.learning_rate, words.train_loss, words.each_update, words.smoothed, key_line),
    )
    return paint(caption, draw, look=look)
