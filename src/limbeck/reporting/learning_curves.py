"""Learning curves: losses and scores by epoch, side by side.

In: the table of epochs. Out: a `Picture`. It does not know how they were trained.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from limbeck.errors import DataError
from limbeck.reporting.picture import Caption, Look, Picture, legend_above, paint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOSSES = ("train_loss", "validation_loss")
SCORES = ("accuracy", "f1_weighted", "f1_macro")
_MARKS = ("o", "s", "^")
_DASHES = ("-", "--", ":")


def learning_curves(epochs: Sequence[Mapping[str, float]], *, best_epoch: int, look: Look | None = None) -> Picture:
    """Draw both losses in one panel and the three scores in another; lines differ by mark and dashes too.

    Args:
        epochs: for each epoch `epoch`, from 1, and the figures of `LOSSES` and `SCORES`.
        best_epoch: the epoch that was kept, from 1.
        look: theme and language.

    Raises:
        DataError: there is no epoch.
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words = look.words
    if not epochs:
        raise DataError("there is no epoch to draw: train for one at least")
    numbers = [int(line["epoch"]) for line in epochs]
    named = {key: str(getattr(words, key)) for key in (*LOSSES, *SCORES)}
    key_line = words.kept_epoch.format(epoch=best_epoch)

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(8.6, 3.9)
        for panel, keys in zip(figure.subplots(1, 2), (LOSSES, SCORES), strict=True):
            for place, key in enumerate(keys):
                panel.plot(
                    numbers,
                    [line[key] for line in epochs],
                    label=named[key],
                    color=look.theme.series[place],
                    marker=_MARKS[place],
                    linestyle=_DASHES[place],
                    markersize=5,
                )
            panel.axvline(best_epoch, color=look.theme.muted, linestyle=(0, (4, 4)), linewidth=1)
            panel.set_xlabel(words.epoch)
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.spines[["top", "right"]].set_visible(False)
            legend_above(panel, columns=len(keys))
        figure.suptitle(words.learning_curves, fontsize=13, x=0.01, ha="left")
        figure.supxlabel(key_line, fontsize=9, color=look.theme.muted, x=0.01, ha="left")

    told = "; ".join(
        f"{words.epoch} {number}: " + ", ".join(f"{named[key]} {line[key]:.4f}" for key in named)
        for number, line in zip(numbers, epochs, strict=True)
    )
    caption = Caption(
        title=words.learning_curves,
        description=f"{words.learning_curves}. {told}. {key_line}",
        texts=(*named.values(), words.epoch, key_line),
    )
    return paint(caption, draw, look=look)
