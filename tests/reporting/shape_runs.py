"""Runs of every shape left in a folder as a training leaves them, for tests of the report."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.evaluation.shaped import shaped
from tests.reporting.report_runs import PAYLOAD, TEXTS, without_png

from limbeck import storage
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.multi_evaluation import evaluate_multi
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.ordinal_evaluation import evaluate_ordinal
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.value_evaluation import evaluate_values
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.reporting.report import Report
from limbeck.reporting.report_words import words_in
from limbeck.reporting.run_facts import read_shape_run
from limbeck.reporting.shape_report import ShapeEvidence, make_shape_report
from limbeck.review.tag_issues import review_tags

HOSTILE = (PAYLOAD, "둥글다", "</style></script>", "{{ 7 * 7 }}")


def hostile(kind: str, rows: int, seed: int) -> AnyPredictions:
    """Answers of a shape whose labels and texts are hostile."""
    found = shaped(kind, rows, seed=seed)
    texts = tuple(TEXTS[row % len(TEXTS)] if row % 5 == 0 else f"row {row} says it " * 20 for row in range(rows))
    if isinstance(found, ValuePredictions):
        return replace(found, texts=texts)
    return replace(found, texts=texts, label_names=HOSTILE)


def evaluated(found: AnyPredictions) -> AnyEvaluation:
    """What answers are worth."""
    if isinstance(found, MultiPredictions):
        return evaluate_multi(found, resamples=20)
    if isinstance(found, ValuePredictions):
        return evaluate_values(found, resamples=20)
    return evaluate_ordinal(found.probabilities, found.known_labels, found.label_names, resamples=20)


def write_shape_run(
    folder: Path,
    kind: str,
    rows: int = 120,
    *,
    method: str = "probe",
    answers: AnyPredictions | None = None,
    model: dict[str, Any] | None = None,
) -> Path:
    """Write a finished run of a shape; one that is no probe has epochs and seeds, and no answers out of fold."""
    found = {"validation": answers or hostile(kind, rows, 0)}
    if method == "probe":
        found["out_of_fold"] = answers or hostile(kind, rows, 1)
    metrics: dict[str, Any] = {"method": method, "seconds": {"fit": 1.5}}
    for name, one in found.items():
        metrics[name] = evaluated(one).to_dict()
        write_predictions(folder / "predictions" / f"{name}.parquet", one)
    figures = {"multi": "f1_micro", "ordinal": "quadratic_kappa", "regression": "pearson"}
    if method == "probe":
        tried = {"penalty": 0.01} if kind == "regression" else {"penalties": {"a": 0.01, "b": 0.3}}
        metrics["probe"] = {"candidate": "mean", **tried}
    else:
        line = {"train_loss": 0.5, "validation_loss": 0.6, "seconds": 1.0, figures[kind]: 0.7, "mae": 0.4}
        metrics |= {
            "epochs": [{"epoch": 1, **line}, {"epoch": 2, **line}], "best_epoch": 2, "kept_seed": 1,
            "seeds": [{"seed": seed, figures[kind]: 0.7} for seed in (0, 1)],
            "spread": {figures[kind]: dict.fromkeys(("mean", "std", "min", "max"), 0.7)},
        }  # fmt: skip
    if kind == "multi":
        half = {name: {"f1_micro": 0.2, "f1_macro": 0.1} for name in found}
        metrics["thresholds"] = {"chosen_on": list(found)[-1], "rows": rows, "precision": None, "at_half": half}
    facts = {
        "blocks": [{"layer": 6, "pooling": "mean"}], "max_tokens": 64, "folded_temperature": 1.0, "task": kind,
        "provenance": {},
        **({"label_thresholds": [0.4, 0.5, 0.6, 2.0]} if kind == "multi" else {}),
        **({"value_width": {"level": 0.9, "half_width": 1.5, "rows": rows, "found_on": "out_of_fold"}}
           if kind == "regression" else {}),
        **(model or {}),
    }  # fmt: skip
    record = {
        "settings": {"features": {"encoder": PAYLOAD, "layer": None}, "read": {"label_column": "it", "task": kind}},
        "data": {"source": f"{PAYLOAD}.csv", "fingerprint": "f" * 64, "rows": {"train": rows, "validation": rows}},
        "encoder": {"name": PAYLOAD},
        "versions": {"limbeck": "0"},
    }
    storage.write_json(folder / "run.json", record)
    storage.write_json(folder / "bundle" / "limbeck.json", facts)
    storage.write_json(folder / "metrics.json", metrics)
    return folder


def shape_report_of(folder: Path, language: str = "en") -> Report:
    """The report of a run folder of a shape."""
    run = read_shape_run(folder)
    assert run is not None
    tags = None
    if run.task.name == "multi" and run.out_of_fold is not None:
        answers = hostile("multi", 120, 1)
        assert isinstance(answers, MultiPredictions)
        tags = review_tags(answers)
    with without_png():
        return make_shape_report(run, ShapeEvidence(tags=tags), words_in(language))


def one_row(kind: str) -> AnyPredictions:
    """Answers to a single row, of which nearly nothing is known."""
    found = shaped(kind, 2)
    if not isinstance(found, Predictions):
        return found.first(1)
    cut = {name: getattr(found, name)[:1] for name in ("row_ids", "probabilities", "tokens", "truncated", "texts")}
    return replace(found, **cut, true_labels=found.true_labels[:1])
