"""Run facts: what a finished run folder says of itself, read back.

In: a run folder. Out: `RunFacts`, or `ShapeFacts` where the answers are not one label per row: its record, figures,
model's facts and answers. It loads no model.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.any_evaluation import ShapeEvaluation, read_evaluation
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.limits import (
    Circumstances,
    Limit,
    find_label_limits,
    find_limits,
    find_ordered_limits,
    told_of,
)
from limbeck.evaluation.multi_evaluation import MultiEvaluation
from limbeck.evaluation.prediction_files import read_any_predictions, read_predictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.slices import Slices
from limbeck.evaluation.value_evaluation import ValueEvaluation
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.review.issues import LabelIssues
from limbeck.runs.run_folder import RunFolder, require_finished
from limbeck.settings import ReadSettings
from limbeck.task import Task, task_named

MODEL_FACTS = "limbeck.json"
_READING = (
    "text_column", "label_column", "label_columns", "label_separator", "label_names", "label_order", "min_label_rows",
    "task", "encoding", "on_bad_row",
)  # fmt: skip
"""Settings of reading that a command is typed with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunFiles:
    """What every run says of itself.

    Attributes:
        name: the folder as it was given.
        record: what run.json holds: settings, data, encoder, versions.
        metrics: what metrics.json holds.
        model: what the bundle's limbeck.json holds.
        rate_curve: what the learning-rate finder saw; None without it.
    """

    name: str
    record: dict[str, Any]
    metrics: dict[str, Any]
    model: dict[str, Any]
    rate_curve: dict[str, Any] | None

    @property
    def method(self) -> str:
        """How it was trained: probe, head, finetune or distil."""
        return str(self.metrics["method"])

    @property
    def source(self) -> str:
        """Where its data came from, as it was given."""
        return str(self.record["data"]["source"])

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """Of the model, one a class; None where it answers every row."""
        found = self.model.get("thresholds")
        return None if found is None else tuple(found)

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits of its data that have rows."""
        return tuple(name for name, rows in self.record["data"]["rows"].items() if rows)

    @property
    def reading(self) -> tuple[str, ...]:
        """The options that its data were read with, as they are typed after a command."""
        table, usual = self.record["settings"].get("read", {}), ReadSettings()
        words: list[str] = []
        for name in _READING:
            value = table.get(name)
            if value and value != getattr(usual, name):
                typed = ",".join(value) if isinstance(value, list | tuple) else str(value)
                words += [f"--{name.replace('_', '-')}", typed]
        return tuple(words)

    @property
    def told(self) -> tuple[Limit, ...]:
        """What training itself warned of."""
        return told_of(self.metrics.get("warnings", ()))

    def _known(self, answers: AnyPredictions, told: tuple[Limit, ...]) -> Circumstances:
        return Circumstances(
            method=self.method,
            max_tokens=int(self.model["max_tokens"]),
            texts_cut=int(answers.truncated.sum()),
            window=self.model.get("window") or "head",
            told=told,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RunFacts(RunFiles):
    """What a run of one label per row says of itself.

    Attributes:
        validation: figures on the validation rows.
        out_of_fold: figures on the training rows, each answered by a model that did not see it; None without them.
        teacher: figures of what a student was distilled from, on the same rows; None of other runs.
        ablation: what leaving parts of a distillation out came to; None where nobody tried.
        answers: to the validation rows.
        shares: figures by training rows (`experiments.share_points`); empty where nobody fitted them.
    """

    validation: Evaluation
    out_of_fold: Evaluation | None
    teacher: Evaluation | None
    ablation: dict[str, Any] | None
    answers: Predictions
    shares: dict[int, Evaluation]

    def limits(
        self, *, slices: Slices | None, issues: LabelIssues | None, data: tuple[Limit, ...] = ()
    ) -> tuple[Limit, ...]:
        """Return what should be known before relying on the model."""
        known = replace(
            self._known(self.answers, (*data, *self.told)),
            doubtful=None if issues is None or issues.most_wrong is None else issues.doubtful,
            slices=slices,
        )
        return find_limits(self.validation, known)


@dataclass(frozen=True, kw_only=True, eq=False)
class ShapeFacts(RunFiles):
    """What a run of any number of labels, of ordered classes or of numbers says of itself.

    Attributes:
        validation: figures on the validation rows.
        out_of_fold: figures on the training rows, each answered by a model that did not see it; None without them.
        answers: to the validation rows.
    """

    validation: ShapeEvaluation
    out_of_fold: ShapeEvaluation | None
    answers: AnyPredictions

    @property
    def task(self) -> Task:
        """The shape of its answers."""
        return task_named(str(self.metrics["validation"]["task"]))

    def limits(self, data: tuple[Limit, ...] = ()) -> tuple[Limit, ...]:
        """Return what should be known before relying on the model."""
        known = self._known(self.answers, (*data, *self.told))
        if isinstance(self.validation, MultiEvaluation):
            return find_label_limits(self.validation, known)
        return find_ordered_limits(self.validation, known)


def read_run(path: Path) -> RunFacts:
    """Read what a finished run of one label per row left.

    Raises:
        SettingsError: it is no finished run of a classifier.
        StorageError: a file is absent or unreadable.
        DataError: a file is of another version, or answers and figures are of different rows.
    """
    folder, files = _opened(path)
    metrics = files["metrics"]
    validation = Evaluation.from_dict(metrics["validation"])
    answers = read_predictions(folder.predictions("validation"))
    if len(answers.labelled_rows) != validation.rows or answers.label_names != validation.label_names:
        raise _of_other_rows(folder)
    shares = storage.read_json(folder.share_curve) if folder.share_curve.is_file() else {}
    return RunFacts(
        **files,
        validation=validation,
        out_of_fold=Evaluation.from_dict(metrics["out_of_fold"]) if "out_of_fold" in metrics else None,
        teacher=Evaluation.from_dict(metrics["teacher"]["validation"]) if "teacher" in metrics else None,
        ablation=storage.read_json(folder.ablation_table) if folder.ablation_table.is_file() else None,
        answers=answers,
        shares={int(rows): Evaluation.from_dict(found) for rows, found in shares.items()},
    )


def read_shape_run(path: Path) -> ShapeFacts | None:
    """Read what a finished run of another shape left; None of a run of one label per row, which `read_run` reads.

    Raises:
        SettingsError: it is no finished run of a classifier.
        StorageError: a file is absent or unreadable.
        DataError: a file is of another version, or answers and figures are of different rows.
    """
    folder, files = _opened(path)
    validation = read_evaluation(files["metrics"]["validation"])
    if isinstance(validation, Evaluation):
        return None
    answers = read_any_predictions(folder.predictions("validation"))
    names = () if isinstance(validation, ValueEvaluation) else validation.label_names
    said = () if isinstance(answers, ValuePredictions) else answers.label_names
    if len(answers.labelled_rows) != validation.rows or said != names:
        raise _of_other_rows(folder)
    told = files["metrics"].get("out_of_fold")
    unseen = None if told is None else read_evaluation(told)
    return ShapeFacts(
        **files,
        validation=validation,
        out_of_fold=None if isinstance(unseen, Evaluation) else unseen,
        answers=answers,
    )


def _opened(path: Path) -> tuple[RunFolder, dict[str, Any]]:
    """Return a finished run's folder, and what `RunFiles` holds."""
    folder = RunFolder(path)
    require_finished(path)
    metrics = storage.read_json(folder.metrics)
    if metrics.get("judged_by") == "out_of_fold":
        raise SettingsError(
            f"{path} has no validation rows: cross-validation alone judges it, and a report is of validation rows; "
            "train it with a validation_share above 0"
        )
    if "validation" not in metrics or not folder.predictions("validation").is_file():
        raise SettingsError(f"{path} was made by {metrics.get('method')!r}, which trains no classifier to report on")
    files = {
        "name": str(path),
        "record": _record_of(folder, metrics),
        "metrics": metrics,
        "model": storage.read_json(folder.bundle / MODEL_FACTS),
        "rate_curve": storage.read_json(folder.rate_curve) if folder.rate_curve.is_file() else None,
    }
    return folder, files


def _record_of(folder: RunFolder, metrics: dict[str, Any]) -> dict[str, Any]:
    """Return a run's record; that of several seeds says what they share, and each seed's own the encoder."""
    record: dict[str, Any] = storage.read_json(folder.record)
    if "encoder" not in record and "kept_seed" in metrics:
        kept = RunFolder(folder.seeds / str(metrics["kept_seed"]))
        record = {**record, "encoder": storage.read_json(kept.record)["encoder"]}
    return record


def _of_other_rows(folder: RunFolder) -> DataError:
    return DataError(f"{folder.predictions('validation')} is not what {folder.metrics} was computed from")
