"""Finished runs side by side, on the rows that all of them answered.

In: run folders, folders of seeds or files of predictions. Out: a `RunComparison`: what each reached, and what the
others change beside the first. It does not know how the result is shown, and computes no prediction.

Runs are compared only on the same rows: the same row ids with the same labels and texts. Where a file keeps no texts,
the fingerprints of the data must be equal instead. Runs that were trained on other rows, and judged on the same, may
be compared: that is how a corrected training set is judged; it is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from limbeck import storage
from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation import metrics
from limbeck.evaluation.calibration import ece_of
from limbeck.evaluation.comparison import LEAST_P, Comparison, compare_answers, holm
from limbeck.evaluation.measured import Measured, signed
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.same_rows import Sides, on_the_rows_of
from limbeck.evaluation.spread import Spread, compare_seeds, spread_of
from limbeck.runs.run_folder import RunFolder

Verdict = Literal["better", "worse", "no difference shown"]
_NO_DIFFERENCE: Verdict = "no difference shown"


@dataclass(frozen=True, kw_only=True, eq=False)
class RunAnswers:
    """What one run, or several of one training with different seeds, said of the same rows.

    Attributes:
        name: the path as it was given.
        answers: one `Predictions` a seed.
        fingerprint: of the data that it was trained on and judged by; None where it is not stated.
    """

    name: str
    answers: tuple[Predictions, ...]
    fingerprint: str | None


@dataclass(frozen=True, kw_only=True)
class RunScores:
    """What a run reached; mean and spread where it has several seeds."""

    name: str
    accuracy: Spread
    f1_macro: Spread
    log_loss: Spread
    ece: Spread

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"run": self.name, **{name: getattr(self, name).to_dict() for name in COMPARED_SCORES}}


COMPARED_SCORES = ("accuracy", "f1_macro", "log_loss", "ece")


@dataclass(frozen=True, kw_only=True, eq=False)
class RunPair:
    """A run beside the first one.

    Attributes:
        first, second: names.
        accuracy: the second's minus the first's, with a paired interval; over the seeds too where there are several.
        p_value: of the accuracies, corrected for the number of pairs (Holm): by McNemar's test, or where a run has
            several seeds by the bootstrap over rows and seeds.
        verdict: whether the second is shown to be better or worse in accuracy.
        f1_macro_verdict, log_loss_verdict: the same, corrected alike; None where a run has several seeds.
        details: everything else; None where a run has several seeds.
        notes: what must be known when reading this, in words.
    """

    first: str
    second: str
    accuracy: Measured
    p_value: float
    verdict: Verdict
    f1_macro_verdict: Verdict | None
    log_loss_verdict: Verdict | None
    details: Comparison | None
    notes: tuple[str, ...]

    def to_dict(self, row_ids: Sequence[str]) -> dict[str, Any]:
        """Return plain values for JSON; rows by their ids."""
        details: dict[str, Any] | None = None
        if self.details is not None:
            details = self.details.to_dict()
            details |= {name: [row_ids[row] for row in details[name]] for name in ("mended", "broken", "moved")}
        return {
            "first": self.first,
            "second": self.second,
            "accuracy": {"value": self.accuracy.value, **self.accuracy.ends},
            "p_value": self.p_value,
            "verdict": self.verdict,
            "f1_macro_verdict": self.f1_macro_verdict,
            "log_loss_verdict": self.log_loss_verdict,
            "notes": list(self.notes),
            "details": details,
        }


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RunComparison(View):
    """Runs side by side.

    Attributes:
        split: whose rows.
        runs: what they said, aligned: the same rows in the same order, the same order of classes.
        scores: what each reached.
        pairs: each later run beside the first.
    """

    split: str
    runs: tuple[RunAnswers, ...]
    scores: tuple[RunScores, ...]
    pairs: tuple[RunPair, ...]

    @property
    def rows(self) -> Predictions:
        """The first run's answers: row ids, texts and true labels stand there for all."""
        return self.runs[0].answers[0]

    def _lines(self) -> tuple[str, str]:
        said = [f"{one.second} beside {one.first}: {one.verdict} ({signed(one.accuracy)})" for one in self.pairs]
        rows = len(self.rows.labelled_rows)
        return (
            f"{len(self.runs)} runs on the same {rows:,} rows of the {self.split} split",
            f"accuracy, {'; '.join(said)}",
        )

    def _tables(self) -> Iterator[Table]:
        yield Table(
            title=f"Runs on the {self.split} split",
            header=("run", "seeds", "accuracy", "macro F1", "log loss (nats)", "calibration error"),
            rows=tuple(
                (one.name, str(len(one.accuracy.values)), *(str(getattr(one, score)) for score in COMPARED_SCORES))
                for one in self.scores
            ),
        )
        yield Table(
            title=f"Beside {self.runs[0].name}",
            header=("run", "accuracy (95 %)", "p", "accuracy is", "macro F1 is", "log loss is", "mended", "broken"),
            rows=tuple(
                (
                    one.second,
                    signed(one.accuracy),
                    f"{one.p_value:.2g}",
                    *(verdict or "–" for verdict in (one.verdict, one.f1_macro_verdict, one.log_loss_verdict)),
                    *(
                        ("–", "–")
                        if one.details is None
                        else (f"{len(one.details.mended):,}", f"{len(one.details.broken):,}")
                    ),
                )
                for one in self.pairs
            ),
            prose=("accuracy is", "macro F1 is", "log loss is"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: `split`, `rows`, `labels`, `runs`, `pairs`."""
        return {
            "split": self.split,
            "rows": len(self.rows),
            "labels": list(self.rows.label_names),
            "runs": [one.to_dict() for one in self.scores],
            "pairs": [one.to_dict(self.rows.row_ids) for one in self.pairs],
        }


def compare_runs(paths: Sequence[Path], *, split: str = "validation", seed: int = 0) -> RunComparison:
    """Compare finished runs on one split.

    Args:
        paths: at least two: run folders, run folders with several seeds, or files of predictions.
        split: name of the predictions in a run folder.
        seed: of the bootstrap.

    Raises:
        SettingsError: fewer than two paths, or one without such predictions.
        DataError: the rows differ; says how.
    """
    if len(paths) < 2:
        raise SettingsError("give at least two runs to compare")
    given = [read_answers(path, split) for path in paths]
    if not len(given[0].answers[0].labelled_rows):
        raise DataError(f"{given[0].name}: no row of the {split} split has a label: there is nothing to compare by")
    aligned = tuple(_aligned(given[0], one) for one in given)
    pairs = [_pair(aligned[0], other, seed) for other in aligned[1:]]
    return RunComparison(
        split=split, runs=aligned, scores=tuple(_scores(one) for one in aligned), pairs=_corrected(pairs)
    )


def read_answers(path: Path, split: str) -> RunAnswers:
    """Read what a run said of a split; a run folder with several seeds stands for all of them.

    Raises:
        SettingsError: there are no such predictions; names those there are.
        StorageError: a file is unreadable.
        DataError: a file does not hold predictions.
    """
    files, fingerprint = files_of_answers(path, split)
    return RunAnswers(name=str(path), answers=tuple(map(read_predictions, files)), fingerprint=fingerprint)


def files_of_answers(path: Path, split: str) -> tuple[list[Path], str | None]:
    """Return the files that hold what a run said of a split, one a seed, and the fingerprint of its data.

    Raises:
        SettingsError: there are no such predictions; names those there are.
        StorageError: the run's record is unreadable.
    """
    if path.is_file():
        return [path], None
    run = RunFolder(path)
    seeds = sorted((item for item in run.seeds.glob("*") if RunFolder(item).metrics.is_file()), key=_number)
    folders = [RunFolder(item) for item in seeds] if len(seeds) > 1 else [run]
    for folder in folders:
        if not folder.predictions(split).is_file():
            there = sorted(file.stem for file in (folder.path / "predictions").glob("*.parquet"))
            raise SettingsError(
                f"{folder.path} has no predictions of the {split} split (it has {', '.join(there) or 'none'}): give "
                "the folder of a finished `limbeck train --out`, or a file of `limbeck evaluate … --out`"
            )
    return [folder.predictions(split) for folder in folders], _fingerprint(folders[0])


def _number(path: Path) -> tuple[int, str]:
    return (int(path.name) if path.name.isdigit() else 0, path.name)


def _fingerprint(run: RunFolder) -> str | None:
    if not run.record.is_file():
        return None
    record = storage.read_json(run.record)
    found = record.get("data", {}).get("fingerprint") if isinstance(record, dict) else None
    return found if isinstance(found, str) else None


def _aligned(first: RunAnswers, other: RunAnswers) -> RunAnswers:
    sides = Sides(first=first.name, second=other.name, first_data=first.fingerprint, second_data=other.fingerprint)
    return replace(other, answers=tuple(on_the_rows_of(first.answers[0], one, sides) for one in other.answers))


def _labelled(found: Predictions) -> np.ndarray:
    """Return the probabilities of the rows whose label is known."""
    probabilities: np.ndarray = found.probabilities[found.labelled_rows]
    return probabilities


def _scores(run: RunAnswers) -> RunScores:
    found = [metrics.scores(_labelled(one), one.known_labels) for one in run.answers]
    return RunScores(
        name=run.name,
        accuracy=spread_of([one.accuracy for one in found]),
        f1_macro=spread_of([one.f1_macro for one in found]),
        log_loss=spread_of([one.log_loss for one in found]),
        ece=spread_of([ece_of(_labelled(one), one.known_labels) for one in run.answers]),
    )


def _pair(first: RunAnswers, second: RunAnswers, seed: int) -> RunPair:
    notes = []
    if None not in (first.fingerprint, second.fingerprint) and first.fingerprint != second.fingerprint:
        notes.append("they were trained on different data; the rows that they are judged by are the same")
    details = None
    if len(first.answers) == len(second.answers) == 1:
        one, other = first.answers[0], second.answers[0]
        details = compare_answers(_labelled(one), _labelled(other), one.known_labels, one.label_names, seed=seed)
        accuracy, p_value = details.accuracy, details.mcnemar.p_value
    else:
        seeds = compare_seeds(_right(first), _right(second), seed=seed)
        accuracy, p_value = seeds.accuracy, seeds.p_value
        if min(len(first.answers), len(second.answers)) == 1:
            notes.append("one of them has a single seed, whose luck the interval does not hold")
    return RunPair(
        first=first.name,
        second=second.name,
        accuracy=accuracy,
        p_value=p_value,
        verdict=_NO_DIFFERENCE,
        f1_macro_verdict=None,
        log_loss_verdict=None,
        details=details,
        notes=tuple(notes),
    )


def _right(run: RunAnswers) -> np.ndarray:
    """Return whether each run was right of each row, (S, N)."""
    return np.stack([one.predicted[one.labelled_rows] == one.known_labels for one in run.answers])


def _corrected(pairs: Sequence[RunPair]) -> tuple[RunPair, ...]:
    """Say of each pair whether a difference is shown, each score by its p-values corrected for all pairs (Holm)."""
    found = [
        replace(pair, p_value=p_value, verdict=verdict_of(p_value, is_better=pair.accuracy.value > 0))
        for pair, p_value in zip(pairs, holm([pair.p_value for pair in pairs]), strict=True)
    ]
    detailed = [(place, pair.details) for place, pair in enumerate(found) if pair.details is not None]
    f1_ps = holm([details.f1_macro_p for _, details in detailed])
    loss_ps = holm([details.log_loss_p for _, details in detailed])
    for (place, details), f1_p, loss_p in zip(detailed, f1_ps, loss_ps, strict=True):
        found[place] = replace(
            found[place],
            f1_macro_verdict=verdict_of(f1_p, is_better=details.f1_macro.value > 0),
            log_loss_verdict=verdict_of(loss_p, is_better=details.log_loss.value < 0),
        )
    return tuple(found)


def verdict_of(p_value: float, *, is_better: bool) -> Verdict:
    """Say whether the second is shown to be better or worse, by a corrected p-value."""
    if p_value >= LEAST_P:
        return _NO_DIFFERENCE
    return "better" if is_better else "worse"
