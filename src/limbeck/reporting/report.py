"""The report: everything that is known about a run as one page that a person reads.

In: a run's facts, and the evidence that others gathered about it (label issues, slices, an audit, features). Out: HTML
text and the charts in it. It loads no model, reads no data and never imports torch.
"""

import hashlib
import shlex
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np

from limbeck.auditing.audit import Audit
from limbeck.data.text_pairs import example_text
from limbeck.evaluation.abstaining import AnsweredScores, find_unsure, score_answered, trace_risk
from limbeck.evaluation.calibration import ReliabilityBins
from limbeck.evaluation.counted import counted, percent
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.hard_cases import find_hard_cases, name_confusions
from limbeck.evaluation.limits import Limit
from limbeck.evaluation.measured import measured
from limbeck.evaluation.slices import Slices
from limbeck.evaluation.thresholds import Goal, choose_thresholds
from limbeck.progress import SILENT, Progress
from limbeck.reporting.charts import most_confused
from limbeck.reporting.maps import Mapped
from limbeck.reporting.page import render
from limbeck.reporting.plane import FEWEST_POINTS, neighbour_plane, principal_plane
from limbeck.reporting.report_cells import make_filters, say_reason, worst_slice
from limbeck.reporting.report_charts import Charted, Drawn, class_counts, draw_charts
from limbeck.reporting.report_words import ReportWords
from limbeck.reporting.run_facts import RunFacts
from limbeck.reporting.trust_charts import places_of
from limbeck.review.issues import LabelIssues

HIGHEST, LOWEST, BY_CLASS, WORST_ISSUES, MIXUPS = 100, 50, 3, 50, 8
"""Rows in each of the tables."""
PARTS = (
    "short", "what", "figures", "training", "classes", "confusions", "hard", "labels", "calibration", "abstaining",
    "slices", "maps", "data", "limits",
)  # fmt: skip
"""The sections, each a template of its name."""
REPORT_CLASSES = 60
"""With a line of their own in a table, those with the most rows; metrics.json has all."""
URGENT = ("data_share", "data_count", "warning", "loss_falling", "few_updates", "vocabulary", "never_said")
"""Kinds of limits that the summary says too."""
PRECISIONS = (0.95, 0.9, 0.8, 0.7)
"""Goals of a threshold, the first of which that can be promised is proposed."""
_RATES = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportEvidence:
    """What others found about a run.

    Attributes:
        issues: of the training rows; None where there are no answers out of fold.
        second_fit: whether the training rows were answered a second time.
        slices: of the validation rows.
        audit: of the data; None where they could not be read.
        features_NF: of some validation rows; None where there are none.
        rows_N: which validation rows these are.
    """

    slices: Slices
    issues: LabelIssues | None = None
    second_fit: bool = False
    audit: Audit | None = None
    features_NF: np.ndarray | None = None
    rows_N: np.ndarray = field(default_factory=lambda: np.arange(0))

    @property
    def grave(self) -> tuple[Limit, ...]:
        """What the audit calls high, as limits: it makes every figure of the page doubtful."""
        return grave_limits(self.audit)


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """A report.

    Attributes:
        html: the page.
        charts: those in it.
        limits: that it names.
    """

    html: str
    charts: Mapping[str, Drawn]
    limits: tuple[Limit, ...]


def make_report(
    run: RunFacts,
    evidence: ReportEvidence,
    words: ReportWords,
    *,
    umap: bool = False,
    made_on: date | None = None,
    progress: Progress = SILENT,
) -> Report:
    """Write the report of a run.

    Args:
        run: what it says of itself.
        evidence: what others found.
        words: the language.
        umap: also map the rows by UMAP, which takes longer than all else.
        made_on: the day that stands on the page; none when not given.
        progress: follows the drawing.

    Raises:
        MissingExtraError: jinja2, matplotlib, a font for Hangul, or umap-learn where it is asked for, is absent.
    """
    answers, known = run.answers, run.answers.labelled_rows
    risk = trace_risk(answers.probabilities[known], answers.known_labels)
    answered = _answered(run)
    planes = _planes(run, evidence, umap=umap, progress=progress)
    charted = Charted(
        counts=class_counts(run),
        risk=risk,
        coverage=None if answered is None else answered.coverage.value,
        planes=planes,
    )
    charts = draw_charts(run, charted, words.charts, progress)
    cases = find_hard_cases(answers)
    issues = evidence.issues
    different = [one for one in evidence.slices.different if one[0].kind != "label"]  # classes have their own section
    limits = run.limits(slices=evidence.slices, issues=issues, data=evidence.grave)
    shown = most_frequent(run.validation)
    values = {
        "language": words.language,
        "script": page_script(),
        "parts": PARTS,
        "headings": words["headings"],
        "templates": {part: f"report/{part}.html.j2" for part in PARTS},
        "kind": "single",
        "names": run.validation.label_names,
        "reviewed": issues is not None and issues.probably_wrong > 0,
        "w": words,
        "run": run,
        "evidence": evidence,
        "found": run.validation,
        "shares_CC": run.validation.confusion_shares,
        "charts": charts,
        "counts": charted.counts,
        "settings": setting_lines(run.record.get("settings", {})),
        "confusions": name_confusions(run.validation, cases),
        "highest": cases.highest(HIGHEST),
        "lowest": cases.lowest(LOWEST),
        "cases_by_class": cases.by_class(BY_CLASS)[:REPORT_CLASSES],
        "issues": issues,
        "worst_issues": [] if issues is None or not issues.probably_wrong else _worst_issues(issues, words),
        "mixups": []
        if issues is None or not issues.probably_wrong
        else issues.learning.mixups(issues.predictions.label_names)[:MIXUPS],
        "bins": _bins(run.validation.calibration.bins),
        "risk": risk,
        "risk_places": places_of(risk),
        "half_risk": float(risk.risk[min(int(np.searchsorted(risk.coverage, 0.5)), len(risk.risk) - 1)]),
        "urgent": [one for one in limits if one.kind in URGENT],
        "made_on": made_on,
        "version": version("limbeck"),
        "shown": shown,
        "left_out": len(run.validation.label_names) - len(shown),
        "cells": most_confused(run.validation.confusion_counts),
        "answered": answered,
        "different": different,
        "worst_slice": worst_slice(different),
        "planes": planes,
        "places": {key: _places(mapped)[:REPORT_CLASSES] for key, mapped in planes.items()},
        "rates": rate_points(run.rate_curve),
        "limits": limits,
        "commands": _commands(run),
    }
    html = render("report/report.html.j2", values, make_filters(words))
    return Report(html=html, charts=charts, limits=limits)


@dataclass(frozen=True, kw_only=True)
class Script:
    """The page's one script, and the hash by which the page allows it."""

    body: Any
    hash: str


def grave_limits(found: Audit | None) -> tuple[Limit, ...]:
    """Return what an audit calls high, as limits; none where nobody looked."""
    high = () if found is None else [one for one in found.findings if one.severity == "high"]
    return tuple(
        Limit(
            kind="data_share" if one.share else "data_count",
            values={
                "kind": one.kind,
                "finding": one.title,
                "count": counted(one.count),
                "share": percent(one.share),
            },
        )
        for one in high
    )


def page_script() -> Script:
    """Return the script of `tables.js`."""
    from markupsafe import Markup

    body = files("limbeck.reporting").joinpath("templates", "report", "tables.js").read_text("utf-8")
    digest = b64encode(hashlib.sha256(body.encode()).digest()).decode()
    return Script(body=Markup(body), hash=f"sha256-{digest}")  # noqa: S704  # a file of this package


def _answered(run: RunFacts) -> AnsweredScores | None:
    if run.thresholds is None:
        return None
    answers, known = run.answers, run.answers.labelled_rows
    unsure_N = find_unsure(answers.probabilities[known], run.thresholds)
    return score_answered(unsure_N, answers.predicted[known], answers.known_labels, answers.label_names)


def _planes(run: RunFacts, evidence: ReportEvidence, *, umap: bool, progress: Progress) -> dict[str, Mapped]:
    features_NF = evidence.features_NF
    if features_NF is None or len(features_NF) < FEWEST_POINTS or not np.ptp(features_NF, axis=0).any():
        return {}
    labels_N = run.answers.true_labels.to_numpy(zero_copy_only=False)[evidence.rows_N].astype(np.int64)
    said_N = run.answers.predicted[evidence.rows_N]
    makers = {"pca": principal_plane} | ({"umap": neighbour_plane} if umap else {})
    planes = {}
    with progress.track("lay the rows flat", total=len(makers), unit="maps") as advance:
        for key, lay in makers.items():
            planes[key] = Mapped(
                plane=lay(features_NF),
                labels_N=labels_N,
                said_N=said_N,
                label_names=run.answers.label_names,
                of=len(run.answers.labelled_rows),
            )
            advance(1)
    return planes


def _places(mapped: Mapped) -> list[dict[str, Any]]:
    """Return the table twin of a map: a line a class, the most rows first."""
    names, centres, spreads = mapped.label_names, mapped.centres, mapped.spreads
    lines = []
    for label in mapped.by_rows:
        own, nearest = mapped.labels_N == label, mapped.nearest(int(label))
        lines.append(
            {
                "label": names[label],
                "rows": int(own.sum()),
                "right": float((mapped.said_N[own] == label).mean()),
                "centre": centres[label].tolist(),
                "spread": float(spreads[label]),
                "nearest": None if nearest is None else names[nearest],
            }
        )
    return lines


def _worst_issues(issues: LabelIssues, words: ReportWords) -> list[dict[str, Any]]:
    rows = [int(row) for row in issues.order_N[:WORST_ISSUES]]
    return [{"issue": issues.issue(row), "reason": say_reason(issues, row, words)} for row in rows]


def _bins(bins: ReliabilityBins) -> list[dict[str, Any]]:
    return [
        {
            "low": bins.low[place],
            "high": bins.high[place],
            "rows": int(bins.counts[place]),
            "confidence": bins.confidence[place],
            "right": measured(bins.accuracy[place], bins.accuracy_low[place], bins.accuracy_high[place]),
        }
        for place in np.flatnonzero(bins.counts)
    ]


def rate_points(found: Mapping[str, Any] | None) -> list[tuple[float, float]]:
    """Return some points of the smoothed losses by learning rate."""
    if found is None:
        return []
    places = np.unique(np.linspace(0, len(found["rates"]) - 1, _RATES).astype(int))
    return [(found["rates"][place], found["smoothed"][place]) for place in places]


def setting_lines(stages: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every setting by its dotted name, as TOML would have it."""
    return [
        (f"{stage}.{key}", "–" if value is None else str(value))
        for stage, table in stages.items()
        for key, value in table.items()
    ]


def _commands(run: RunFacts) -> dict[str, str]:
    """Return what to type next; a command that would fail is left out."""
    # A student's training is not done again fold by fold; its teacher's is, on the same rows.
    searched = run.name if run.teacher is None else str(run.metrics["teacher"]["folders"][0])
    sheet = ["limbeck", "labels", searched, "--out", "review.csv"]
    commands = {
        "labels": sheet,
        "cross_fit": [*sheet, "--cross-fit", "5"],
        "learning_curve": ["limbeck", "report", run.name, "--learning-curve"],
        "predict": ["limbeck", "predict", run.name, example_text(run.model.get("pair"))],
        "audit": ["limbeck", "audit", run.source, "--out", "audit", *run.reading],
        "report": ["limbeck", "report", run.name, "DATA"],
    }
    if "test" in run.splits:
        commands["evaluate"] = ["limbeck", "evaluate", run.name, run.source, "--split", "test", *run.reading]
    else:
        commands["split"] = ["limbeck", "split", run.source, "--out", "splits", *run.reading]
    if (precision := _promised(run)) is not None:
        commands["threshold"] = ["limbeck", "threshold", run.name, "--precision", f"{precision:g}"]
    return {key: shlex.join(words) for key, words in commands.items()}


def _promised(run: RunFacts) -> float | None:
    """Return the highest of `PRECISIONS` that a threshold could promise on the validation rows; None if none can."""
    answers, known = run.answers, run.answers.labelled_rows
    for precision in PRECISIONS:
        goal = Goal(precision=precision)
        if choose_thresholds(answers.probabilities[known], answers.known_labels, answers.label_names, goal).is_reached:
            return precision
    return None


def most_frequent(found: Evaluation) -> list[int]:
    """Return the classes that have a line of their own in tables, in their order: all, or those with the most rows."""
    order = sorted(range(len(found.per_class)), key=lambda label: -found.per_class[label].support)
    return sorted(order[:REPORT_CLASSES])
