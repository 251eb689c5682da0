"""Curves: losses and scores by epoch, figures by training rows, the loss at each learning rate that was tried.

In: the figures. Out: a `Picture`. It does not know how anything was trained or fitted.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from limbeck.errors import DataError
from limbeck.evaluation.evaluation import Evaluation
from limbeck.reporting.picture import Caption, Look, Picture, legend_above, paint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOSSES = ("train_loss", "validation_loss")
CURVE_SCORES = ("accuracy", "f1_micro", "f1_weighted", "f1_macro", "quadratic_kappa", "pearson")
"""Of these, an epoch has those that its task has."""
_MARKS = ("o", "s", "^")
_DASHES = ("-", "--", ":")


def learning_curves(epochs: Sequence[Mapping[str, float]], *, best_epoch: int, look: Look | None = None) -> Picture:
    """Draw both losses in one panel and the three scores in another; lines differ by mark and dashes too.

    Args:
        epochs: for each epoch `epoch`, from 1, and the figures of `LOSSES` and those of `CURVE_SCORES` that there are.
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
    scores = tuple(key for key in CURVE_SCORES if key in epochs[0])
    named = {key: str(getattr(words, key)) for key in (*LOSSES, *scores)}
    key_line = words.kept_epoch.format(epoch=best_epoch)

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(8.6, 3.9)
        for panel, keys in zip(figure.subplots(1, 2), (LOSSES, scores), strict=True):
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
