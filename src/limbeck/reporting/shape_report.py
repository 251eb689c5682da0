"""The report of a run whose answers are not one label per row: any number of labels, ordered classes, numbers.

In: a run's facts, and the evidence that others gathered about it. Out: a `Report`. It loads no model, reads no data and
never imports torch.
"""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np

from limbeck.auditing.audit import Audit
from limbeck.data.text_pairs import example_text
from limbeck.evaluation.any_evaluation import ShapeEvaluation
from limbeck.evaluation.counted import counted
from limbeck.evaluation.hard_rows import find_hard_rows
from limbeck.evaluation.label_thresholds import NEVER_GIVEN, LabelGoal, choose_label_thresholds
from limbeck.evaluation.labels_together import LabelsTogether, find_labels_together
from limbeck.evaluation.metrics import confusion_shares
from limbeck.evaluation.multi_evaluation import MultiEvaluation
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.ordinal_evaluation import OrdinalEvaluation
from limbeck.evaluation.value_evaluation import ValueEvaluation
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.progress import SILENT, Progress
from limbeck.reporting.charts import confusion_matrix
from limbeck.reporting.curves import learning_curves, rate_curve
from limbeck.reporting.page import render
from limbeck.reporting.report import PRECISIONS, URGENT, Report, grave_limits, page_script, rate_points, setting_lines
from limbeck.reporting.report_cells import make_filters
from limbeck.reporting.report_charts import Draw, Drawn, draw_all
from limbeck.reporting.report_words import ReportWords
from limbeck.reporting.run_facts import ShapeFacts
from limbeck.reporting.shape_charts import pair_matrix, residual_bins, residual_histogram, value_bands, value_scatter
from limbeck.reporting.words import Words
from limbeck.review.tag_issues import TagIssues
from limbeck.settings import TaskKind

FURTHEST = 100
"""Rows in the table of those that the model is furthest from."""
LABEL_LINES = 300
"""Labels with a line of their own in a table, those with the most rows; metrics.json has all."""
NAMED_LABELS = 60
"""Labels that are named where the model is described, and classes of a confusion table."""
WORST_TAGS = 25
"""Labels in each of the tables of those that are missing and too many."""
_PARTS: dict[TaskKind, tuple[str, ...]] = {
    "multi": ("short", "what", "figures", "training", "labels_each", "together", "furthest", "tags", "data", "limits"),
    "ordinal": ("short", "what", "figures", "training", "steps", "furthest", "data", "limits"),
    "regression": ("short", "what", "figures", "training", "numbers", "furthest", "data", "limits"),
}
_AS_OF_ONE_LABEL = ("what", "data", "limits")
"""Sections that are those of one label per row."""
_TALLY: dict[TaskKind, tuple[str, ...]] = {
    "multi": ("f1_micro", "f1_macro", "subset_accuracy"),
    "ordinal": ("quadratic_kappa", "mae", "within_one"),
    "regression": ("pearson", "mae", "r2"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class ShapeEvidence:
    """What others found about a run.

    Attributes:
        tags: labels of the training rows that are missing or too many; None where there are no answers out of fold.
        audit: of the data; None where they could not be read.
    """

    tags: TagIssues | None = None
    audit: Audit | None = None


def make_shape_report(
    run: ShapeFacts,
    evidence: ShapeEvidence,
    words: ReportWords,
    *,
    made_on: date | None = None,
    progress: Progress = SILENT,
) -> Report:
    """Write the report of a run whose answers are not one label per row.

    Args:
        run: what it says of itself.
        evidence: what others found.
        words: the language.
        made_on: the day that stands on the page; none when not given.
        progress: follows the drawing.

    Raises:
        MissingExtraError: jinja2, matplotlib, or a font for Hangul, is absent.
    """
    kind, found, tags = run.task.name, run.validation, evidence.tags
    names = () if isinstance(found, ValueEvaluation) else found.label_names
    together = find_labels_together(run.answers) if isinstance(run.answers, MultiPredictions) else None
    charts = _draw(run, together, words.charts, progress)
    limits = run.limits(grave_limits(evidence.audit))
    shown = _shown(found)
    missing, superfluous = (0, 0) if tags is None else (tags.order.count("missing"), tags.order.count("superfluous"))
    parts, epochs = _PARTS[kind], run.metrics.get("epochs", ())

    def figure_name(key: str) -> str:
        key = "mae_steps" if kind == "ordinal" and key == "mae" else key
        return words["figure_names"].get(key, key)

    values = {
        "language": words.language,
        "script": page_script(),
        "parts": parts,
        "headings": words["shape_headings"],
        "templates": {part: f"{'report' if part in _AS_OF_ONE_LABEL else 'shape'}/{part}.html.j2" for part in parts},
        "kind": kind,
        "w": words,
        "figure_name": figure_name,
        "said": _said,
        "run": run,
        "evidence": evidence,
        "found": found,
        "names": names,
        "charts": charts,
        "settings": setting_lines(run.record.get("settings", {})),
        "tally": [(figure_name(name), _said(getattr(found, name).value, 3)) for name in _TALLY[kind]],
        "figure_tables": _figure_tables(run, words, figure_name),
        "epochs": epochs,
        "epoch_keys": [key for key in epochs[0] if key not in ("epoch", "seconds")] if epochs else [],
        "rates": rate_points(run.rate_curve),
        "shown": shown,
        "left_out": len(names) - len(shown),
        "furthest": find_hard_rows(run.answers, FURTHEST),
        "reviewed": missing + superfluous > 0,
        "missing": missing,
        "superfluous": superfluous,
        "missing_tags": () if tags is None else tags.worst("missing", min(WORST_TAGS, missing)),
        "superfluous_tags": () if tags is None else tags.worst("superfluous", min(WORST_TAGS, superfluous)),
        "urgent": [one for one in limits if one.kind in URGENT],
        "limits": limits,
        "commands": _commands_of(run, tags),
        "made_on": made_on,
        "version": version("limbeck"),
        **_of_shape(run, together),
    }
    html = render("shape/page.html.j2", values, make_filters(words))
    return Report(html=html, charts=charts, limits=limits)


def _of_shape(run: ShapeFacts, together: LabelsTogether | None) -> dict[str, Any]:
    """Return the values that the pages of one shape alone have."""
    found, answers = run.validation, run.answers
    if isinstance(found, MultiEvaluation):
        labels = sorted(found.per_label, key=lambda one: -one.counted.support)
        half = run.metrics.get("thresholds", {}).get("at_half", {}).get("validation", {}).get("f1_macro")
        return {
            "together": together,
            "labels": labels[:LABEL_LINES],
            "unlisted": max(0, len(labels) - LABEL_LINES),
            "half": half,
            "decided": thresholds_of(run),
        }
    if isinstance(found, OrdinalEvaluation):
        return {"shares_CC": confusion_shares(found.confusion_counts)}
    if isinstance(answers, ValuePredictions):
        said_M = answers.values[answers.labelled_rows].astype(np.float64)
        counts, edges = residual_bins(answers.known_errors)
        return {
            "bands": value_bands(answers.known_values, said_M),
            "error_bins": list(zip(edges[:-1], edges[1:], counts.tolist(), strict=True)),
        }
    return {}


def thresholds_of(run: ShapeFacts) -> dict[str, Any] | None:
    """Say from where on labels are given, and what that was chosen for; None where nothing was chosen."""
    values = run.model.get("label_thresholds")
    if values is None:
        return None
    given = [value for value in values if value < NEVER_GIVEN]
    since = run.model["provenance"].get("label_thresholds")
    chosen = since or run.metrics.get("thresholds")
    return {
        "low": min(given, default=math.nan),
        "high": max(given, default=math.nan),
        "never": len(values) - len(given),
        "chosen": None
        if chosen is None
        else {
            "precision": chosen.get("precision"),
            "confidence": chosen.get("confidence"),
            "rows": chosen.get("rows") or _chosen_on(run, chosen),
            "since": since is not None,
        },
    }


def _chosen_on(run: ShapeFacts, chosen: Mapping[str, Any]) -> int:
    """Return how many rows a training chose thresholds on."""
    return (
        run.validation.rows if chosen["chosen_on"] == "validation" or run.out_of_fold is None else run.out_of_fold.rows
    )


def _figure_tables(run: ShapeFacts, words: ReportWords, figure_name: Any) -> list[dict[str, Any]]:
    tables = {words["figures"]["caption"].format(rows=counted(run.validation.rows)): run.validation}
    if run.out_of_fold is not None:
        tables[words["figures"]["folds_caption"].format(rows=counted(run.out_of_fold.rows))] = run.out_of_fold
    return [
        {
            "caption": caption,
            "base": _base_name(one),
            "lines": [
                {
                    "name": figure_name(name),
                    "value": _said(score.value, 4),
                    "ends": _ends(score.low, score.high) if score.is_known else "–",
                    "base": _said(_base(one, name), 4),
                }
                for name, score in one.figures.items()
            ],
        }
        for caption, one in tables.items()
    ]


def _base_name(found: ShapeEvaluation) -> str:
    if isinstance(found, ValueEvaluation):
        return f"{found.baseline_value:.4g}"
    return str(found.baseline) if isinstance(found, MultiEvaluation) else found.baseline.label


def _base(found: ShapeEvaluation, name: str) -> float:
    """Return what the baseline comes to; NaN where it comes to nothing."""
    if isinstance(found, MultiEvaluation):
        return found.baseline.figures[name]
    if isinstance(found, OrdinalEvaluation):
        return float(getattr(found.baseline, name))
    return {"mae": found.baseline_mae, "rmse": found.baseline_rmse}.get(name, math.nan)


def _said(value: float, digits: int = 3) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def _ends(low: float, high: float) -> str:
    return f"{low:.4f} … {high:.4f}".replace("-", "−")


def _shown(found: ShapeEvaluation) -> list[int]:
    """Return the labels that are named, in their order: all, or those with the most rows."""
    if isinstance(found, ValueEvaluation):
        return []
    scores = [one.counted for one in found.per_label] if isinstance(found, MultiEvaluation) else found.per_class
    order = sorted(range(len(scores)), key=lambda label: -scores[label].support)
    return sorted(order[:NAMED_LABELS])


def _draw(run: ShapeFacts, together: LabelsTogether | None, words: Words, progress: Progress) -> Mapping[str, Drawn]:
    found, answers, metrics = run.validation, run.answers, run.metrics
    plain: dict[str, Draw] = {}
    stepped: dict[str, Draw] = {}
    if together is not None and together.pairs:
        stepped["label_pairs"] = lambda look: pair_matrix(together, look=look)
    if isinstance(found, OrdinalEvaluation):
        counts_CC, names = found.confusion_counts, found.label_names
        stepped["confusion"] = lambda look: confusion_matrix(counts_CC, names, look=look)
    if isinstance(answers, ValuePredictions):
        plain["value_scatter"] = lambda look: value_scatter(answers, look=look)
        plain["residuals"] = lambda look: residual_histogram(answers, look=look)
    if len(metrics.get("epochs", ())) > 1:
        plain["learning_curves"] = lambda look: learning_curves(
            metrics["epochs"], best_epoch=metrics["best_epoch"], look=look
        )
    if run.rate_curve is not None:
        rates = run.rate_curve
        plain["learning_rate"] = lambda look: rate_curve(rates, look=look)
    return draw_all(plain, stepped, words, progress)


def _promised(run: ShapeFacts, tags: TagIssues | None) -> float | None:
    """Return the highest of `PRECISIONS` that `limbeck threshold` could promise of some label; None if none can be."""
    answers = run.answers if tags is None else tags.predictions
    if not isinstance(answers, MultiPredictions):
        return None
    shares_NC = answers.probabilities[answers.labelled_rows]
    for precision in PRECISIONS:
        goal = LabelGoal(precision=precision)
        chosen = choose_label_thresholds(shares_NC, answers.known_targets, answers.label_names, goal)
        if len(chosen.never_given) < len(answers.label_names):
            return precision
    return None


def _commands_of(run: ShapeFacts, tags: TagIssues | None) -> dict[str, str]:
    """Return what to type next; a command that would fail is left out."""
    commands = {
        "predict": ["limbeck", "predict", run.name, example_text(run.model.get("pair"))],
        "audit": ["limbeck", "audit", run.source, "--out", "audit", *run.reading],
        "report": ["limbeck", "report", run.name, "DATA"],
        "labels": ["limbeck", "labels", run.name, "--out", "review.csv"],
    }
    if "test" in run.splits:
        commands["evaluate"] = ["limbeck", "evaluate", run.name, run.source, "--split", "test", *run.reading]
    else:
        commands["split"] = ["limbeck", "split", run.source, "--out", "splits", *run.reading]
    if (precision := _promised(run, tags)) is not None:
        commands["label_threshold"] = ["limbeck", "threshold", run.name, "--precision", f"{precision:g}"]
    return {key: shlex.join(words) for key, words in commands.items()}
