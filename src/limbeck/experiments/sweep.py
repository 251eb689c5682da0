"""A sweep: many trainings with other settings, within a budget of minutes, and the best settings.

    SWEEP/
    ├── sweep.jsonl       Optuna's journal: which settings were tried and what came out
    ├── settings.toml     what all trials share
    ├── trials/0007/      a run folder a trial; only the best keeps its model
    ├── sweep.json, sweep.csv     the result
    └── best.toml         the best settings: `limbeck train DATA --config SWEEP/best.toml --out RUN`

In: a `Dataset`, settings, a search space. Out: a `Sweep`. It does not know what is trained. The first trial is that of
the settings as given, so the best is never worse than those. A trial that is worse than the median of the others at the
same epoch is ended. A trial that fails is counted with the reason, and the sweep goes on; settings that were tried are
not tried again. A sweep that was killed goes on: its unfinished trial from its checkpoint, and with what is left of the
budget.

Source: Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework" (2019); Bergstra et al.,
"Algorithms for Hyper-Parameter Optimization" (2011), section 4, for how settings are chosen.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.errors import FaultLog, MissingExtraError, NoMemoryError, SettingsError, TrainingError
from limbeck.experiments.search_space import with_values
from limbeck.experiments.sweep_folder import Sweep, SweepFolder, TrialFacts, opened_sweep, write_sweep
from limbeck.methods.knobs import Knob
from limbeck.progress import SILENT, Progress
from limbeck.setting_tables import to_toml
from limbeck.settings import SweepSettings
from limbeck.training.journal import AfterEpoch, EpochLine

if TYPE_CHECKING:
    import optuna

FIRST_TRIALS = 4
"""Run to their end before any is compared with their median; so many that fail, and none that does not, end a sweep."""
MOST_SETTINGS = 10_000
"""A space that can be counted is gone through to its end when it has no more combinations than this."""
MOST_ASKED = 100
"""How often further settings are asked for while only such come as were tried."""

Train = Callable[[Any, Path, AfterEpoch | None, Progress], dict[str, Any]]
"""Trains with settings into a run folder, going on with what is there; returns what its `metrics.json` holds."""


class _OutOfTime(Exception):  # noqa: N818  # it is no error
    """The budget is used up."""


class _Pruned(Exception):  # noqa: N818  # it is no error
    """A trial is worse than the median."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SweepPlan:
    """What is varied, and how one trial is trained.

    Attributes:
        base: settings of a whole training.
        knobs: the settings that are varied.
        first: their values in the first trial.
        train: trains.
        fingerprint: of the data that all trials learn from.
    """

    base: Any
    knobs: tuple[Knob, ...]
    first: dict[str, Any]
    train: Train
    fingerprint: Any


def run_sweep(
    out: Path,
    plan: SweepPlan,
    settings: SweepSettings,
    *,
    resume: bool = False,
    progress: Progress = SILENT,
) -> Sweep:
    """Try settings until the budget is used up, and say which were the best.

    Raises:
        MissingExtraError: Optuna is absent.
        SettingsError: `out` holds another sweep, or one that is not to be gone on with.
        Interrupted: a signal came; `resume` goes on.
    """
    _check(settings)
    with opened_sweep(out, resume=resume) as folder:
        folder.claim(plan.base, plan.knobs, settings, plan.fingerprint)
        search = _Search(folder, plan, settings, progress)
        search.adopt()
        while search.seconds_left() > 0 and not search.is_full() and search.try_next():
            search.require_hope()
        sweep = Sweep(by=settings.by, budget_minutes=settings.budget_minutes, trials=search.facts())
        search.require_hope(at_least=1)
        if sweep.best is None:
            raise SettingsError("no trial came to the end of an epoch: give a larger --budget-minutes, with --resume")
        best = with_values(plan.base, plan.knobs, sweep.best.values)
        write_sweep(sweep, folder, to_toml(best.stages()))
        return sweep


class _Search:
    """The trials of one sweep, on Optuna's journal."""

    def __init__(self, folder: SweepFolder, plan: SweepPlan, settings: SweepSettings, progress: Progress) -> None:
        self._folder = folder
        self._plan = plan
        self._settings = settings
        self._progress = progress
        self._study = _study(folder.journal, settings)

    def adopt(self) -> None:
        """Begin with the settings as given; or give a trial that a killed process left a new number, and its folder."""
        from optuna.trial import TrialState

        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
            place = trial.user_attrs.get("folder", _place(trial.number))
            self._study.enqueue_trial(trial.params, user_attrs={"folder": place, "seconds": self._seconds_of(trial)})
        if not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(self._plan.first)

    def seconds_left(self) -> float:
        """Return what is left of the budget."""
        from optuna.trial import TrialState

        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        used = sum(self._seconds_of(trial) for trial in [*self._ended(), *waiting])
        return self._settings.budget_minutes * 60 - used

    def is_full(self) -> bool:
        """Tell whether there were as many trials as were asked for."""
        most = self._settings.most_trials
        return most is not None and len(self.facts()) >= most

    def require_hope(self, *, at_least: int = FIRST_TRIALS) -> None:
        """Refuse to go on when the first trials all failed: what they share is wrong.

        Raises:
            SettingsError: says why each failed.
        """
        facts = self.facts()
        if len(facts) < at_least or not all(trial.failed for trial in facts):
            return
        faults = FaultLog()
        faults.extend(f"trial {trial.number} ({_said(trial.values)}): {trial.failed}" for trial in facts)
        faults.raise_as(
            SettingsError,
            what="all trials failed",
            todo="correct the settings or the search space, and begin again with another --out",
        )

    def try_next(self) -> bool:
        """Train with the next settings, and tell Optuna what came out; False when all settings were tried."""
        from optuna.trial import TrialState

        left_s, began_s = self.seconds_left(), time.monotonic()
        trial = self._ask()
        if trial is None:
            self._progress.say("all settings of the search space were tried")
            return False
        before_s = float(trial.user_attrs.get("seconds", 0.0))
        place = trial.user_attrs.get("folder", _place(trial.number))
        trial.set_user_attr("folder", place)
        values = {knob.name: _suggested(trial, knob) for knob in self._plan.knobs}
        self._progress.say(f"trial {trial.number}, {left_s / 60:.1f} minutes left: {_said(values)}")
        seen: list[float] = []

        def after_epoch(line: EpochLine) -> None:
            figure = self._figure(line)
            seen.append(figure)
            trial.report(figure, line.epoch)
            trial.set_user_attr("seconds", before_s + time.monotonic() - began_s)
            trial.set_user_attr("epochs", line.epoch)
            if time.monotonic() - began_s >= left_s:
                raise _OutOfTime
            if trial.should_prune():
                raise _Pruned

        run, state = self._folder.trials / place, TrialState.COMPLETE
        try:
            settings = with_values(self._plan.base, self._plan.knobs, values)
            metrics = self._plan.train(settings, run, after_epoch, self._progress)
            figure = self._final(metrics)
        except (_Pruned, _OutOfTime) as ended:
            state, figure = TrialState.PRUNED, self._best_of(seen)
            why = "the time is up" if isinstance(ended, _OutOfTime) else "worse than the median of the others"
            self._progress.say(f"trial {trial.number} ended after {len(seen)} epochs: {why}")
        except (TrainingError, SettingsError, NoMemoryError) as error:
            # What is wrong with these settings need not be wrong with others; a fault of the data would be.
            trial.set_user_attr("seconds", before_s + time.monotonic() - began_s)
            trial.set_user_attr("failed", str(error))
            self._study.tell(trial, state=TrialState.FAIL)
            self._progress.say(f"trial {trial.number} failed: {error}")
            self._folder.keep_only(self._best_place())
            return True
        trial.set_user_attr("figure", figure)
        trial.set_user_attr("seconds", before_s + time.monotonic() - began_s)
        self._study.tell(trial, figure if state == TrialState.COMPLETE else None, state=state)
        self._progress.say(f"trial {trial.number}: {self._settings.by} {figure:.4f}")
        self._folder.keep_only(self._best_place())
        return True

    def _ask(self) -> "optuna.Trial | None":
        """Return the next trial, of settings that were not tried; None when there are none."""
        from optuna.trial import TrialState

        tried = [dict(trial.params) for trial in self._ended()]
        possible = _all_values(self._plan.knobs)
        left = [values for values in possible if values not in tried]
        for _ in range(MOST_ASKED if left or not possible else 0):
            trial = self._study.ask()
            if {knob.name: _suggested(trial, knob) for knob in self._plan.knobs} not in tried:
                return trial
            self._study.tell(trial, state=TrialState.FAIL)
            # The sampler likes to come back to what was good; the next is drawn from what is left.
            if left:
                self._study.enqueue_trial(left[trial.number * 7919 % len(left)])
        return None

    def _ended(self) -> "list[optuna.trial.FrozenTrial]":
        """Return the trials that came to an end; one that was given a new number, or was not begun, is none."""
        from optuna.trial import TrialState

        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        found = self._study.get_trials(deepcopy=False, states=states)
        return [trial for trial in found if trial.state != TrialState.FAIL or "failed" in trial.user_attrs]

    def facts(self) -> tuple[TrialFacts, ...]:
        """Return what came out of each trial."""
        from optuna.trial import TrialState

        return tuple(
            TrialFacts(
                number=trial.number,
                ended_early=trial.state == TrialState.PRUNED,
                figure=None if "failed" in trial.user_attrs else float(trial.user_attrs["figure"]),
                failed=trial.user_attrs.get("failed"),
                epochs=trial.user_attrs.get("epochs"),
                seconds=round(self._seconds_of(trial), 1),
                values=dict(trial.params),
                folder=f"trials/{trial.user_attrs['folder']}",
            )
            for trial in self._ended()
        )

    def _figure(self, line: EpochLine) -> float:
        return line.validation_loss if self._settings.by == "loss" else float(getattr(line, self._settings.by))

    def _final(self, metrics: dict[str, Any]) -> float:
        """Return the figure of the epoch that was kept; of a probe, which has none, that of its evaluation."""
        if "epochs" not in metrics:
            figures = metrics["validation"]
            # Numbers have no log loss, and label sets no weighted F1.
            loss = "log_loss" if "log_loss" in figures else "rmse"
            name = loss if self._settings.by == "loss" else self._settings.by
            return float(figures[name if name in figures else "f1_macro"])
        kept = metrics["epochs"][metrics["best_epoch"] - 1]
        return float(kept["validation_loss" if self._settings.by == "loss" else self._settings.by])

    def _best_of(self, figures: Sequence[float]) -> float:
        return min(figures) if self._settings.by == "loss" else max(figures)

    def _best_place(self) -> str:
        best = Sweep(by=self._settings.by, budget_minutes=0, trials=self.facts()).best
        return Path(best.folder).name if best else ""

    @staticmethod
    def _seconds_of(trial: "optuna.trial.FrozenTrial") -> float:
        return float(trial.user_attrs.get("seconds", 0.0))


def _place(number: int) -> str:
    return f"{number:04d}"


def _study(journal: Path, settings: SweepSettings) -> "optuna.Study":
    with _explained():
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))),
        study_name="sweep",
        load_if_exists=True,
        direction="minimize" if settings.by == "loss" else "maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST_TRIALS),
    )
    # Another seed after each resumption, or it would draw again what it drew at first.
    drawn = len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(seed=(settings.seed + 7919 * drawn) % 2**32)
    return study


@contextmanager
def _explained() -> Any:
    try:
        yield
    except ImportError as error:
        raise MissingExtraError('a sweep needs Optuna: pip install "limbeck[sweep]"') from error


def _suggested(trial: "optuna.Trial", knob: Knob) -> Any:
    if knob.choices:
        return trial.suggest_categorical(knob.name, knob.choices)
    if isinstance(knob.low, int) and isinstance(knob.high, int):
        return trial.suggest_int(knob.name, knob.low, knob.high, log=knob.log)
    return trial.suggest_float(knob.name, knob.low, knob.high, log=knob.log)


def _all_values(knobs: Sequence[Knob]) -> list[dict[str, Any]]:
    """Return every combination of a space that can be counted, and has not too many; of another space none."""
    choices = [
        range(knob.low, knob.high + 1) if isinstance(knob.low, int) and isinstance(knob.high, int) else knob.choices
        for knob in knobs
    ]
    choices = [knob.choices or own for knob, own in zip(knobs, choices, strict=True)]
    if not 0 < prod(map(len, choices)) <= MOST_SETTINGS:
        return []
    return [dict(zip((knob.name for knob in knobs), values, strict=True)) for values in product(*choices)]


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_spoken(value)}" for name, value in values.items())


def _spoken(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _check(settings: SweepSettings) -> None:
    if not 0 < settings.budget_minutes < float("inf"):
        raise SettingsError(f"budget_minutes = {settings.budget_minutes} is not possible: give a number above 0")
    if settings.most_trials is not None and settings.most_trials < 1:
        raise SettingsError(f"most_trials = {settings.most_trials} is not possible: give at least 1")
