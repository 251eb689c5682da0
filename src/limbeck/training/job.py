"""A training by gradients from end to end, whatever the method: labelled texts in, a run folder out.

In: a `Dataset` with labels and a `Method`, which knows what is trained. Out: a `LoopRun`. It does not read files of
data, does not know of other seeds, and never looks at the test split.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError
from limbeck.evaluation.predictions import Predictions
from limbeck.model.bundle import Bundle
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_record import claim_run, make_record, recorded_numerics
from limbeck.runs.stopwatch import Stopwatch
from limbeck.runs.training_rows import TrainingRows, training_rows
from limbeck.settings import LoopSettings
from limbeck.training.doubts import say_doubts_of_texts
from limbeck.training.examples import Examples
from limbeck.training.finished import ACCEPTING, LoopRun, Start, Trained, finish_run, opened
from limbeck.training.journal import AfterEpoch
from limbeck.training.loop import Loop, Plan
from limbeck.training.signals import StopSignal
from limbeck.training.team import Team


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """What is put into the loop.

    Attributes:
        module: what is trained.
        train: rows to learn from.
        validation: rows to judge by.
        plan: settings and sizes.
        texts_cut: texts that were longer than the limit, by split.
    """

    module: nn.Module
    train: Examples
    validation: Examples
    plan: Plan
    texts_cut: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What came out of it.

    Attributes:
        bundle: the model.
        answers: to the validation rows.
    """

    bundle: Bundle
    answers: Predictions


class Work(Protocol):
    """One training of a method, its encoder loaded."""

    @property
    def loaded(self) -> LoadedEncoder:
        """The encoder."""
        ...

    @property
    def numerics(self) -> str:
        """The arithmetic, in words."""
        ...

    @property
    def stages(self) -> Mapping[str, Any]:
        """The settings of each stage, resolved."""
        ...

    def prepare(self, rows: TrainingRows, watch: Stopwatch, progress: Progress) -> Prepared:
        """Turn texts into what the loop trains on."""
        ...

    def finish(self, rows: TrainingRows, record: dict[str, Any], progress: Progress) -> Outcome:
        """Turn the trained module into a bundle, and let it answer the validation rows."""
        ...


class Method(Protocol):
    """What is trained and how: the settings of a whole training."""

    @property
    def name(self) -> str:
        """The method's name, which its stage has too: "head" or "finetune"."""
        ...

    @property
    def loop(self) -> LoopSettings:
        """The settings of the loop."""
        ...

    def stages(self) -> dict[str, Any]:
        """Return the settings of each stage by the name of its table."""
        ...

    def with_loop(self, loop: Mapping[str, Any]) -> "Method":
        """Return the same with other settings of the loop."""
        ...

    def open(self, n_labels: int, progress: Progress = SILENT, *, numerics: str | None = None) -> Work:
        """Load the encoder and refuse what does not fit it, before any text is looked at.

        Args:
            n_labels: number of classes.
            progress: is told what is being done.
            numerics: the arithmetic that an unfinished run was begun in, which is taken where there is a choice.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """What a training runs in.

    Attributes:
        stop: signals.
        team: the processes that train.
        progress: is told what is being done.
        after_epoch: is told of every epoch.
        numerics: the arithmetic to compute in where there is a choice, as a record has it.
    """

    stop: StopSignal
    team: Team
    progress: Progress
    after_epoch: AfterEpoch | None = None
    numerics: str | None = None


def train_once(dataset: Dataset, out: Path, method: Method, start: Start, session: Session) -> LoopRun:
    """Train one model, from its first update or its newest checkpoint to a whole run folder."""
    watch, team, progress = Stopwatch(), session.team, session.progress
    with opened(out, start, team) as folder:
        begun = team.tell(recorded_numerics(folder) or session.numerics or "") or None
        work = method.open(len(dataset.label_names), progress, numerics=begun)
        rows = training_rows(dataset, method.stages()["split"], progress)
        say_doubts_of_texts(work.loaded, rows.train.texts, progress)
        record = make_record(rows.dataset, work.stages, work.loaded, work.numerics)
        if team.is_first:
            record = claim_run(folder, record, progress, accepts_engine=start == ACCEPTING)
        watch.lap("load")
        prepared = work.prepare(rows, watch, progress)
        _require_same(rows, team)
        loop = Loop(prepared.module, prepared.train, prepared.validation, prepared.plan, folder, team=team)
        result = loop.run(session.stop, progress, after_epoch=session.after_epoch)
        watch.lap("train")
        outcome = work.finish(rows, record, progress)
        trained = Trained(
            method=method.name,
            stages=_with_rate(work.stages, method.name, result.learning_rate),
            rows=rows,
            bundle=outcome.bundle,
            answers=outcome.answers,
            texts_cut=prepared.texts_cut,
            result=result,
        )
        return finish_run(trained, folder, watch, writes=team.is_first)


def _require_same(rows: TrainingRows, team: Team) -> None:
    """Refuse to train on other rows than the first process has."""
    if team.tell(own := rows.dataset.fingerprint()) != own:
        raise DataError(
            "this process read other rows than the first one: give every process the same files, by the same settings"
        )


def _with_rate(stages: Mapping[str, Any], name: str, rate: float) -> dict[str, Any]:
    """Write the rate that was trained with into the settings, so that they repeat the run without looking for it."""
    return {**stages, name: replace(stages[name], learning_rate=rate)}
