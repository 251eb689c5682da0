"""The charts of a report, each by its name.

In: a run's facts and the evidence about it. Out: `Drawn` charts. It does not know the page that they stand on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from limbeck.evaluation.abstaining import RiskCoverage
from limbeck.progress import SILENT, Progress
from limbeck.reporting.charts import class_frequency, confusion_matrix
from limbeck.reporting.curves import learning_curves, rate_curve, share_curve
from limbeck.reporting.maps import Mapped, class_density, feature_map
from limbeck.reporting.picture import Look, Picture
from limbeck.reporting.run_facts import RunFacts
from limbeck.reporting.themes import DARK, LIGHT
from limbeck.reporting.trust_charts import reliability_diagram, risk_coverage_curve
from limbeck.reporting.words import Words

Draw = Callable[[Look], Picture]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One chart.

    Attributes:
        light: in the light theme; the page gives it its own colours, unless there is a dark one.
        dark: in the dark theme, of a chart whose colours are steps; None of others.
    """

    light: Picture
    dark: Picture | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Charted:
    """What is drawn beside what the run says of itself.

    Attributes:
        counts: rows of each class by split.
        risk: the risk-coverage curve.
        coverage: that the model's thresholds come to; None without thresholds.
        planes: rows laid flat, by a short name.
    """

    counts: Mapping[str, list[int]]
    risk: RiskCoverage
    coverage: float | None
    planes: Mapping[str, Mapped]


def draw_charts(run: RunFacts, charted: Charted, words: Words, progress: Progress = SILENT) -> dict[str, Drawn]:
    """Draw every chart that there are figures for.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
    """
    found, metrics, names = run.validation, run.metrics, run.validation.label_names
    plain: dict[str, Draw] = {
        "class_frequency": lambda look: class_frequency(charted.counts, names, look=look),
        "reliability": lambda look: reliability_diagram(found.calibration, look=look),
        "risk_coverage": lambda look: risk_coverage_curve(charted.risk, kept=charted.coverage, look=look),
    }
    stepped: dict[str, Draw] = {"confusion": lambda look: confusion_matrix(found.confusion_counts, names, look=look)}
    if len(metrics.get("epochs", ())) > 1:  # one epoch makes no curve; the table tells it
        plain["learning_curves"] = lambda look: learning_curves(
            metrics["epochs"], best_epoch=metrics["best_epoch"], look=look
        )
    if run.rate_curve is not None:
        rates = run.rate_curve
        plain["learning_rate"] = lambda look: rate_curve(rates, look=look)
    if run.shares:
        plain["share_curve"] = lambda look: share_curve(run.shares, look=look)
    for key, mapped in charted.planes.items():
        plain[f"map_{key}"] = lambda look, mapped=mapped: feature_map(mapped, look=look)  # type: ignore[misc]
        stepped[f"density_{key}"] = lambda look, mapped=mapped: class_density(mapped, look=look)  # type: ignore[misc]
    return draw_all(plain, stepped, words, progress)


def draw_all(
    plain: Mapping[str, Draw], stepped: Mapping[str, Draw], words: Words, progress: Progress
) -> dict[str, Drawn]:
    """Draw charts, each by its name: once, or where colours are steps in both themes."""
    light, dark = Look(theme=LIGHT, words=words), Look(theme=DARK, words=words)
    charts = {}
    with progress.track("draw the report", total=len(plain) + 2 * len(stepped), unit="charts") as advance:
        for name, draw in plain.items():
            charts[name] = Drawn(light=draw(light))
            advance(1)
        for name, draw in stepped.items():
            charts[name] = Drawn(light=draw(light), dark=draw(dark))
            advance(2)
    return charts


def write_charts(charts: Mapping[str, Drawn], folder: Path, *, png: bool) -> None:
    """Write every chart as SVG, a dark one beside it where there is one; as PNG where that is wanted.

    A PNG that is there already, as a training leaves some, is written anew: it must not show another chart.

    Raises:
        StorageError: the folder cannot be written.
    """
    for name, drawn in charts.items():
        drawn.light.write(folder, name, png=png or (folder / f"{name}.png").exists())
        if drawn.dark is not None:
            drawn.dark.write(folder, f"{name}_dark", png=png)


def class_counts(run: RunFacts) -> dict[str, list[int]]:
    """Return the rows of each class by split, of the splits that the run has answers to."""
    counts = {} if run.out_of_fold is None else {"train": [one.support for one in run.out_of_fold.per_class]}
    return {**counts, "validation": [one.support for one in run.validation.per_class]}
