"""The learning curve by data: how good a probe is that learned from a part of the training rows.

In: by training rows, the figures on the validation rows. Out: a `Picture`. It does not know how they were fitted.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from limbeck.errors import DataError
from limbeck.evaluation.evaluation import Evaluation
from limbeck.reporting.picture import Caption, Look, Picture, legend_above, paint

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def share_curve(found: Mapping[int, Evaluation], *, look: Look | None = None) -> Picture:
    """Draw accuracy and macro F1 with their intervals over the training rows, which are logarithmic.

    Args:
        found: by training rows, ascending.
        look: theme and language.

    Raises:
        DataError: there is no point.
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words, theme = look.words, look.theme
    if not found:
        raise DataError("there is no share of the rows to draw")
    series = {
        words.accuracy: [one.accuracy for one in found.values()],
        words.f1_macro: [one.f1_macro for one in found.values()],
    }
    rows = list(found)

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(6.4, 4.1)
        panel = figure.subplots()
        for place, (name, scores) in enumerate(series.items()):
            panel.errorbar(
                rows,
                [score.value for score in scores],
                yerr=[
                    [max(0.0, score.value - score.low) for score in scores],
                    [max(0.0, score.high - score.value) for score in scores],
                ],
                color=theme.series[place],
                marker="os"[place],
                linestyle=("-", "--")[place],
                markersize=5,
                capsize=2.5,
                elinewidth=1,
                label=name,
            )
        panel.set_xscale("log")
        panel.set_xticks(rows, [f"{count:,}" for count in rows])
        panel.minorticks_off()
        panel.set_xlabel(words.training_rows)
        panel.grid(axis="y", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
        legend_above(panel, columns=3)
        figure.suptitle(words.share_curve, fontsize=13, x=0.01, ha="left")
        figure.supxlabel(words.share_key, fontsize=8.5, color=theme.muted, x=0.01, ha="left")

    told = "; ".join(
        f"{words.rows.format(count=f'{count:,}')}: {words.accuracy} {one.accuracy.value:.3f}, "
        f"{words.f1_macro} {one.f1_macro.value:.3f}"
        for count, one in found.items()
    )
    texts = (words.share_curve, words.share_key, words.training_rows, *series)
    caption = Caption(title=words.share_curve, description=f"{words.share_curve}. {told}.", texts=texts)
    return paint(caption, draw, look=look)
