"""Charts of trust: whether probabilities can be taken at their word, and what abstaining gains.

In: calibration bins, a risk-coverage curve. Out: a `Picture` each. It does not know models or thresholds' reasons.
"""

from typing import TYPE_CHECKING

import numpy as np

from limbeck.evaluation.abstaining import RiskCoverage
from limbeck.evaluation.calibration import Calibration
from limbeck.reporting.charts import percent_tick
from limbeck.reporting.picture import Caption, Look, Picture, legend_above, paint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_POINTS = 400
"""Of a curve that is drawn."""
_SKIPPED = 0.01
"""Of the coverage, at the curve's start: the share of so few rows jumps about."""


def reliability_diagram(calibration: Calibration, *, look: Look | None = None) -> Picture:
    """Draw the share of right answers over the probability, with 95 % intervals, and the rows of each bin below.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.

    Source: Guo, Pleiss, Sun & Weinberger (2017), figure 1; Bröcker & Smith (2007) for intervals in it.
    """
    look = look or Look()
    words, theme = look.words, look.theme
    bins = calibration.bins
    has_N = bins.counts > 0
    key = words.reliability_key.format(ece=f"{calibration.ece.value:.4f}", chance=f"{calibration.chance_high:.4f}")

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(6.4, 5.6)
        shares, counts = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        shares.plot([0, 1], [0, 1], color=theme.muted, linestyle=(0, (4, 4)), linewidth=1, label=words.perfect)
        accuracy = bins.accuracy[has_N]
        shares.errorbar(
            bins.confidence[has_N],
            accuracy,
            yerr=np.maximum(0, [accuracy - bins.accuracy_low[has_N], bins.accuracy_high[has_N] - accuracy]),
            color=theme.series[0],
            marker="o",
            markersize=5,
            linewidth=1.6,
            elinewidth=1,
            capsize=2.5,
            label=words.right_share_interval,
        )
        shares.set_ylabel(words.right_share)
        shares.set_ylim(-0.03, 1.03)
        legend_above(shares, columns=2)
        counts.bar((bins.low + bins.high) / 2, bins.counts, width=0.92 * (bins.high - bins.low), color=theme.series[0])
        counts.set_ylabel(words.row_count)
        counts.set_xlabel(words.highest_probability)
        counts.set_xlim(0, 1)
        for panel in (shares, counts):
            panel.spines[["top", "right"]].set_visible(False)
        figure.suptitle(words.reliability, fontsize=13, x=0.01, ha="left")
        figure.supxlabel(key, fontsize=8.5, color=theme.muted, x=0.01, ha="left")

    told = "; ".join(
        f"{words.highest_probability} {said:.2f}: {words.right_share} {right:.2f} ({words.rows.format(count=rows)})"
        for said, right, rows in zip(bins.confidence[has_N], bins.accuracy[has_N], bins.counts[has_N], strict=True)
    )
    texts = (
        key, words.reliability, words.perfect, words.right_share, words.right_share_interval, words.row_count,
        words.highest_probability,
    )  # fmt: skip
    caption = Caption(title=words.reliability, description=f"{words.reliability}. {told}. {key}", texts=texts)
    return paint(caption, draw, look=look)


def risk_coverage_curve(curve: RiskCoverage, *, kept: float | None = None, look: Look | None = None) -> Picture:
    """Draw the share of wrong answers over the share of rows that are answered, the surest first.

    Args:
        curve: of rows whose labels are known.
        kept: coverage that the model's thresholds come to; None where it has none.
        look: theme and language.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    look = look or Look()
    words, theme = look.words, look.theme
    points = np.unique(np.linspace(0, len(curve.risk) - 1, _MOST_POINTS).astype(int))
    points = points[curve.coverage[points] >= min(_SKIPPED, float(curve.coverage[-1]))]
    key = words.risk_key.format(area=f"{curve.area:.4f}", best=f"{curve.best_area:.4f}")
    marked = None if kept is None else words.thresholds_at.format(share=f"{100 * kept:.1f} %")

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(6.4, 4.1)
        panel = figure.subplots()
        panel.plot(curve.coverage[points], curve.risk[points], color=theme.series[0], linewidth=2)
        panel.axhline(float(curve.risk[-1]), color=theme.muted, linestyle=":", linewidth=1)
        if kept is not None:
            panel.axvline(kept, color=theme.series[1], linestyle=(0, (4, 3)), linewidth=1.4, label=marked)
            legend_above(panel)
        panel.set_xlim(0, 1)
        panel.set_ylim(0, max(0.05, 1.15 * float(curve.risk[points].max())))
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(percent_tick)
        panel.set_xlabel(words.answered_share)
        panel.set_ylabel(words.wrong_share)
        panel.spines[["top", "right"]].set_visible(False)
        figure.suptitle(words.risk_coverage, fontsize=13, x=0.01, ha="left")
        figure.supxlabel(key, fontsize=8.5, color=theme.muted, x=0.01, ha="left")

    told = "; ".join(
        f"{words.answered_share} {100 * curve.coverage[place]:.0f} %: {words.wrong_share} "
        f"{100 * curve.risk[place]:.1f} %"
        for place in places_of(curve)
    )
    texts = (words.risk_coverage, words.answered_share, words.wrong_share, key, *((marked,) if marked else ()))
    caption = Caption(title=words.risk_coverage, description=f"{words.risk_coverage}. {told}. {key}", texts=texts)
    return paint(caption, draw, look=look)


def places_of(curve: RiskCoverage) -> list[int]:
    """Return the points of the curve at which 10, 20, … 100 % of the rows are answered, each once."""
    found = (int(np.searchsorted(curve.coverage, share - 1e-9)) for share in np.arange(1, 11) / 10)
    return list(dict.fromkeys(min(place, len(curve.risk) - 1) for place in found))
