"""Run facts: what a finished run folder says of itself, read back.

In: a run folder. Out: `RunFacts`: its record, figures, model's facts and answers. It loads no model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.limits import Circumstances, Limit, find_limits, told_of
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.slices import Slices
from limbeck.review.issues import LabelIssues
from limbeck.runs.run_folder import RunFolder, require_finished
from limbeck.settings import ReadSettings

MODEL_FACTS = "limbeck.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class RunFacts:
    """What a run says of itself.

    Attributes:
        name: the folder as it was given.
        record: what run.json holds: settings, data, encoder, versions.
        metrics: what metrics.json holds.
        model: what the bundle's limbeck.json holds.
        validation: figures on the validation rows.
        out_of_fold: figures on the training rows, each answered by a model that did not see it; None without them.
        teacher: figures of what a student was distilled from, on the same rows; None of other runs.
        ablation: what leaving parts of a distillation out came to; None where nobody tried.
        answers: to the validation rows.
        shares: figures by training rows (`experiments.share_points`); empty where nobody fitted them.
        rate_curve: what the learning-rate finder saw; None without it.
    """

    name: str
    record: dict[str, Any]
    metrics: dict[str, Any]
    model: dict[str, Any]
    validation: Evaluation
    out_of_fold: Evaluation | None
    teacher: Evaluation | None
    ablation: dict[str, Any] | None
    answers: Predictions
    shares: dict[int, Evaluation]
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
        for name in ("text_column", "label_column", "label_names", "encoding", "on_bad_row"):
            value = table.get(name)
            if value and value != getattr(usual, name):
                words += [f"--{name.replace('_', '-')}", value if isinstance(value, str) else ",".join(value)]
        return tuple(words)

    @property
    def told(self) -> tuple[Limit, ...]:
        """What training itself warned of."""
        return told_of(self.metrics.get("warnings", ()))

    def limits(
        self, *, slices: Slices | None, issues: LabelIssues | None, data: tuple[Limit, ...] = ()
    ) -> tuple[Limit, ...]:
        """Return what should be known before relying on the model."""
        known = Circumstances(
            method=self.method,
            max_tokens=int(self.model["max_tokens"]),
            texts_cut=int(self.answers.truncated.sum()),
            window=self.model.get("window") or "head",
            doubtful=None if issues is None or issues.most_wrong is None else issues.doubtful,
            slices=slices,
            told=(*data, *self.told),
        )
        return find_limits(self.validation, known)


def read_run(path: Path) -> RunFacts:
    """Read what a finished run left.

    Raises:
        SettingsError: it is no finished run of a classifier.
        StorageError: a file is absent or unreadable.
        DataError: a file is of another version, or answers and figures are of different rows.
    """
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
    validation = Evaluation.from_dict(metrics["validation"])
    answers = read_predictions(folder.predictions("validation"))
    if len(answers.labelled_rows) != validation.rows or answers.label_names != validation.label_names:
        raise DataError(f"{folder.predictions('validation')} is not what {folder.metrics} was computed from")
    shares = storage.read_json(folder.share_curve) if folder.share_curve.is_file() else {}
    return RunFacts(
        name=str(path),
        record=storage.read_json(folder.record),
        metrics=metrics,
        model=storage.read_json(folder.bundle / MODEL_FACTS),
        validation=validation,
        out_of_fold=Evaluation.from_dict(metrics["out_of_fold"]) if "out_of_fold" in metrics else None,
        teacher=Evaluation.from_dict(metrics["teacher"]["validation"]) if "teacher" in metrics else None,
        ablation=storage.read_json(folder.ablation_table) if folder.ablation_table.is_file() else None,
        answers=answers,
        shares={int(rows): Evaluation.from_dict(found) for rows, found in shares.items()},
        rate_curve=storage.read_json(folder.rate_curve) if folder.rate_curve.is_file() else None,
    )
