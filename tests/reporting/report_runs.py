"""Runs of any size, built in memory and left in a folder as a training leaves them, for tests of the report."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from limbeck import storage
from limbeck.auditing.row_slices import answer_groupings
from limbeck.evaluation.evaluation import evaluate
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.slices import slice_rows
from limbeck.reporting.report import Report, ReportEvidence, make_report
from limbeck.reporting.report_words import words_in
from limbeck.reporting.run_facts import RunFacts, read_run
from limbeck.review.issues import find_label_issues

PAYLOAD = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
NAMES = (
    "분노",
    "기쁨과 슬픔이 함께 있는 아주 긴 라벨 이름",
    PAYLOAD,
    "joy {0} {{ 7 * 7 }}",
    "</style></script>",
    "a\u202eb",
)
TEXTS = (
    PAYLOAD, "오늘은 정말 기분이 좋은 하루였다", "unbreakable" * 40, "", "</script><script>document.title='owned'",
    "i did not like it, " * 40, "bell \x07 rings \u202e backwards", "{{ 7 * 7 }}{% raw %}",
)  # fmt: skip


def answers_of(rows: int, *, seed: int = 0, names: tuple[str, ...] = NAMES, split: str = "validation") -> Predictions:
    """Answers that are right about seven times of ten; hostile texts among plain ones."""
    generator = np.random.default_rng(seed)
    labels_N = generator.integers(len(names), size=rows)
    logits_NC = generator.normal(size=(rows, len(names))) * 1.2
    logits_NC[np.arange(rows), labels_N] += 2.0
    shares_NC = np.exp(logits_NC) / np.exp(logits_NC).sum(axis=1, keepdims=True)
    texts = [TEXTS[row % len(TEXTS)] if row % 7 == 0 else f"row {row} says something " * 8 for row in range(rows)]
    return Predictions(
        row_ids=tuple(f"{split}:{row}" for row in range(rows)),
        label_names=names,
        probabilities=shares_NC,
        true_labels=pa.array(labels_N, pa.int32()),
        tokens=generator.integers(4, 60, size=rows),
        truncated=generator.random(rows) < 0.02,
        texts=tuple(texts),
    )


def write_run(
    folder: Path,
    rows: int = 400,
    *,
    method: str = "probe",
    resamples: int = 50,
    answers: Predictions | None = None,
    more: dict[str, Any] | None = None,
) -> Path:
    """Write a finished run of synthetic answers, or of given ones; `more` goes into its metrics."""
    found = {name: answers_of(rows, seed=place, split=name) for place, name in enumerate(("validation", "out_of_fold"))}
    if answers is not None:
        found, rows = {"validation": answers, "out_of_fold": answers}, len(answers)
    scored = {
        name: evaluate(one.probabilities, one.known_labels, one.label_names, majority_label=0, resamples=resamples)
        for name, one in found.items()
    }
    metrics = {
        "method": method,
        **{name: one.to_dict() for name, one in scored.items()},
        "temperature": {
            "temperature": 1.1, "fitted_on": "out_of_fold", "rows": rows, "why_not": None,
            "before": {"log_loss": 0.9, "ece": 0.02}, "after": {"log_loss": 0.8, "ece": 0.01},
        },
        "seconds": {"fit": 1.5},
    }  # fmt: skip
    if method == "probe":
        tried = {"candidate": "mean", "penalty": 0.01, "log_loss": 0.8, "accuracy": 0.7}
        metrics["probe"] = {"candidate": "mean", "penalty": 0.01, "scores": [tried]}
    else:
        line = {"train_loss": 0.5, "validation_loss": 0.6, "accuracy": 0.7, "f1_weighted": 0.7, "f1_macro": 0.6}
        seeds = [{"seed": seed, "accuracy": 0.7, "f1_weighted": 0.7, "f1_macro": 0.6, "log_loss": 1} for seed in (0, 1)]
        spread = dict.fromkeys(("mean", "std", "min", "max"), 0.7)
        names = ("accuracy", "f1_weighted", "f1_macro", "log_loss")
        metrics |= {"epochs": [{"epoch": 1, **line}, {"epoch": 2, **line}], "best_epoch": 2, "seeds": seeds,
                    "kept_seed": 1, "spread": dict.fromkeys(names, spread)}  # fmt: skip
    if method == "distil":
        sizes = {"layers": 3, "width": 384, "vocabulary": 9_000, "parameters": 11_300_000}
        metrics |= {
            "teacher": {**sizes, "layers": 6, "parameters": 22_600_000, "folders": [PAYLOAD],
                        "made_of_other_rows": [PAYLOAD], "validation": scored["out_of_fold"].to_dict()},
            "student": sizes, "accuracy_kept": 0.985,
            "accuracy_kept_interval": {"low": 0.961, "high": 1.004, "rows": 200}, "speedup": 2.25,
            "speed": {"texts": 1200, "rounds": 5, "lowest": 1.5, "highest": 2.5, "slow_texts_per_s": 400.4,
                      "fast_texts_per_s": 900.9, "slow_engines": [PAYLOAD, PAYLOAD], "fast_engine": PAYLOAD},
        }  # fmt: skip
        arm = {
            "name": "whole",
            "accuracies": [0.9, 0.8],
            "mean": 0.85,
            "kept": 0.97,
            "gain": None,
            "p": None,
            "verdict": "",
            "kind": "whole",
            "verdict_kind": "",
        }
        left = {
            "name": "without the teacher",
            "kind": "no_teacher",
            "gain": 0.0125,
            "p": 0.031,
            "verdict": "the part helps",
            "verdict_kind": "helps",
        }
        storage.write_json(folder / "ablation.json", {"seeds": [0, 1], "arms": [arm, {**arm, **left}]})
    metrics |= more or {}
    record = {
        "settings": {"features": {"encoder": PAYLOAD, "layer": None}},
        "data": {"source": f"{PAYLOAD}.csv", "fingerprint": "f" * 64, "rows": {"train": rows, "validation": rows}},
        "encoder": {"name": PAYLOAD},
        "versions": {"limbeck": "0"},
    }
    model = {
        "blocks": [{"layer": 6, "pooling": "mean"}], "max_tokens": 64, "folded_temperature": 1.1,
        "thresholds": [0.5] * len(NAMES) if answers is None else None,
    }  # fmt: skip
    for name, one in found.items():
        write_predictions(folder / "predictions" / f"{name}.parquet", one)
    storage.write_json(folder / "run.json", record)
    storage.write_json(folder / "bundle" / "limbeck.json", model)
    storage.write_json(folder / "metrics.json", metrics)
    return folder


def _out_of_fold(answers: Predictions) -> Predictions:
    """Other answers of the same kind to a run of hostile names; of other runs, the very same."""
    return answers_of(len(answers), seed=1, split="out_of_fold") if answers.label_names == NAMES else answers


def evidence_of(run: RunFacts, *, features: bool = True, issues: bool = True) -> ReportEvidence:
    """Everything that can be known of a run without its model and its data."""
    answers = run.answers
    rows_N = np.arange(min(len(answers), 3000))
    generator = np.random.default_rng(0)
    features_NF = np.log(answers.probabilities[rows_N] + 1e-6) @ generator.normal(size=(len(answers.label_names), 32))
    return ReportEvidence(
        slices=slice_rows(answers.predicted == answers.known_labels, answers.losses, answer_groupings(answers)),
        issues=find_label_issues(_out_of_fold(answers)) if issues else None,
        features_NF=features_NF if features else None,
        rows_N=rows_N,
    )


@contextmanager
def without_png() -> Iterator[None]:
    """Let pictures have no PNG, which no page shows and which takes half of the time."""
    own = Figure.savefig

    def save(figure: Figure, file: Any, *, format: str, **options: Any) -> None:  # noqa: A002  # matplotlib's own name
        if format == "svg":
            own(figure, file, format=format, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Figure, "savefig", save)
        yield


def report_of(folder: Path, language: str = "en") -> Report:
    """The report of a run folder."""
    run = read_run(folder)
    with without_png():
        return make_report(run, evidence_of(run), words_in(language))
