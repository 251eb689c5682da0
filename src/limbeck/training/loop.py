"""The loop: epochs of updates over examples, evaluated after each, the best kept.

In: a module, training and validation `Examples`, settings, a run folder. Out: the module with the weights of its best
epoch, and the table of epochs. It does not know what the module computes: a head on features and a whole encoder are
trained by the same lines; nor how many processes compute, which its team knows.

The gradient of an update is that of the mean loss over all its rows, however many micro-batches they are computed in.
On a CPU the same seed, data and thread count give the same bits, interrupted and resumed or not.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from limbeck import storage
from limbeck.errors import TrainingError
from limbeck.progress import SILENT, Advance, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runtime import release_free_memory
from limbeck.settings import LoopSettings
from limbeck.training import optim
from limbeck.training.batches import Update, plan_epoch, updates_per_epoch
from limbeck.training.checkpoint import Checkpoints, Position, Snapshot
from limbeck.training.events import Events
from limbeck.training.examples import Examples
from limbeck.training.gradients import Gradients, Slope, Where
from limbeck.training.journal import AfterEpoch, EpochLine, Journal, epoch_line, epoch_values, open_journal, read_epochs
from limbeck.training.judge import Judge, LabelJudge
from limbeck.training.losses import Costs, LabelCosts
from limbeck.training.rate_finder import Trial, rate_of_run
from limbeck.training.shared_checkpoints import SharedCheckpoints
from limbeck.training.signals import StopSignal
from limbeck.training.team import ALONE, Team
from limbeck.training.unfreezing import Thaw

RELEASE_EVERY = 50
"""Updates after which memory that nobody uses is given back to the system."""
FIRST_CHECKPOINT_S = 20.0
"""Seconds until the first checkpoint within an epoch; each further one comes after twice as long, up to the setting."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the loop needs to know beside its settings.

    Attributes:
        settings: of the loop.
        learning_rate: the highest that the schedule reaches; the loop looks for it first when there is none.
        n_labels: number of classes.
        token_budget: tokens a micro-batch.
        layer_decay: factor by which the learning rate falls from layer to layer.
        n_layers: layers that this counts.
        unfreeze: everything at once, or the head first and one more layer after another.
        stretch_rows: rows that an epoch takes of an endless sequence of all rows, for a stream too long to be gone
            through between two evaluations; all rows when not given. Its progress is counted in tokens.
    """

    settings: LoopSettings
    learning_rate: float | None
    n_labels: int
    token_budget: int
    layer_decay: float = 1.0
    n_layers: int = 0
    unfreeze: Literal["all", "gradual"] = "all"
    stretch_rows: int | None = None


@dataclass(frozen=True, kw_only=True)
class LoopResult:
    """What the loop did.

    Attributes:
        epochs: the table of epochs.
        best_epoch: number, from 1, of the epoch whose weights the module has.
        steps: updates done.
        resumed_at: step at which this process took over; None when it began the run.
        learning_rate: the highest that the schedule reached.
        train_s: seconds of training, evaluation and saving left out, in all processes together.
    """

    epochs: tuple[EpochLine, ...]
    best_epoch: int
    steps: int
    resumed_at: int | None
    learning_rate: float
    train_s: float


class Loop:
    """One training, from its first update or its newest checkpoint to its end.

    Args:
        module: what is trained; frozen weights do not require gradients.
        train: rows whose labels are learnt, or costs of another kind.
        validation: rows whose labels each epoch is judged by, or a judge of another kind.
        plan: settings and sizes.
        folder: where checkpoints and the journal are.
        team: the processes that train together.
    """

    def __init__(
        self,
        module: nn.Module,
        train: Examples | Costs,
        validation: Examples | Judge,
        plan: Plan,
        folder: RunFolder,
        *,
        team: Team = ALONE,
    ) -> None:
        settings = plan.settings
        self.module = module
        self.plan = plan
        self.folder = folder
        self.team = team
        self.facts = train.facts
        self.named = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self.optimizer = self._new_optimizer()
        self.checkpoints = SharedCheckpoints(Checkpoints(folder.checkpoints, keep=settings.keep_checkpoints), team)
        self.save_times = SaveTimes(settings.checkpoint_every_s)
        self.per_epoch = updates_per_epoch(plan.stretch_rows or len(train.facts), settings.batch_rows)
        self.total_steps = self.per_epoch * settings.epochs
        device = next(iter(self.named.values())).device
        self.costs = train if isinstance(train, Costs) else LabelCosts(train, settings, plan.n_labels, device)
        self.judge: Judge = (
            validation
            if isinstance(validation, Judge)
            else LabelJudge(module, validation, settings, plan.n_labels, team=team)
        )

    def run(
        self, stop: StopSignal, progress: Progress = SILENT, *, after_epoch: AfterEpoch | None = None
    ) -> LoopResult:
        """Train until the last epoch, or until no better one is expected; then restore the best.

        Args:
            stop: signals.
            progress: is told how far it is.
            after_epoch: is told of every epoch that this process trained.

        Raises:
            TrainingError: the loss or the gradient is not finite; names the epoch, the step and the rows.
            Interrupted: a signal came; a checkpoint is saved.
            StorageError: the disk is full; the last checkpoint is whole.
        """
        with storage.explained(self.folder.checkpoints, doing="write"):
            self.folder.checkpoints.mkdir(parents=True, exist_ok=True)
        gradients = self._gradients()
        rate = self.plan.learning_rate
        if rate is None:
            rate = rate_of_run(self.folder.rate_curve, self._trial(gradients), self.team, stop, progress)
        at, resumed_at = self._start(progress)
        thaw = self._thaw() if self.plan.unfreeze == "gradual" else None
        stepper = _Stepper(self, gradients, rate, thaw)
        with stop.patient(progress.say), open_journal(self.folder.journal, at.journal_bytes, self.team) as journal:
            # Saved at once, so that a run can go on from its first moment.
            self._save(at, journal)
            events = self._events()
            while at.epoch < self.plan.settings.epochs and not self._is_hopeless(at):
                at = self._train_epoch(at, stepper, journal, stop, progress)
                at = self._judge_epoch(at, journal, stop, progress, after_epoch)
                if events:
                    events.update()
            journal.sync()
            if events:
                events.close()
        if at.best_epoch is None:
            raise TrainingError("no epoch was evaluated: give at least one epoch")
        self._restore(self.checkpoints.load_best(at.best_epoch))
        return LoopResult(
            epochs=tuple(read_epochs(self.folder.journal, self.judge.line_type)) if self.team.is_first else (),
            best_epoch=at.best_epoch + 1,
            steps=at.step,
            resumed_at=resumed_at,
            learning_rate=rate,
            train_s=round(at.train_s, 3),
        )

    def _start(self, progress: Progress) -> tuple[Position, int | None]:
        """Take up the newest checkpoint, or begin."""
        snapshot = self.checkpoints.newest(progress)
        if snapshot is None:
            self.team.copy_first(self.named.values())
            return Position(), None
        self._restore(snapshot.weights)
        optim.restore_optimizer(self.optimizer, self.named, snapshot.optimizer)
        at = snapshot.position
        progress.say(f"going on from step {at.step:,} of {self.total_steps:,}")
        return at, at.step

    def _train_epoch(
        self, at: Position, stepper: "_Stepper", journal: Journal, stop: StopSignal, progress: Progress
    ) -> Position:
        """Do the updates of an epoch that are not done yet, and save."""
        settings = self.plan.settings
        updates = plan_epoch(
            self.facts.tokens_N,
            batch_rows=settings.batch_rows,
            token_budget=self.plan.token_budget,
            seed=settings.seed,
            epoch=at.epoch,
            stretch_rows=self.plan.stretch_rows,
        )
        self.module.train()
        label = f"epoch {at.epoch + 1} of {settings.epochs}"
        unit, total = "rows", sum(update.size for update in updates[at.update :])
        if self.plan.stretch_rows is not None:
            label = f"stretch {at.epoch + 1} of {settings.epochs}"
            unit, total = "tokens", sum(stepper.tokens_of(update) for update in updates[at.update :])
        with progress.track(label, total=total, unit=unit) as advance:
            for update in updates[at.update :]:
                following = stepper.take(update, at, journal, stop, advance)
                if following is None:
                    self._save(at, journal)
                    self.team.wait()
                    raise stop.error(self._how_to_go_on(at))
                at = following
                if at.update < len(updates) and self.save_times.is_due():
                    self._save(at, journal)
                    self.save_times.note()
        self._save(at, journal)
        self.save_times.note(grows=False)
        return at

    def _judge_epoch(
        self, at: Position, journal: Journal, stop: StopSignal, progress: Progress, after_epoch: AfterEpoch | None
    ) -> Position:
        """Evaluate an epoch, write its line of the table, and keep its weights when they are the best."""
        began_s = time.perf_counter()

        def check() -> None:
            if self.team.any(stop.is_set):
                # The checkpoint that was saved before the evaluation is all there is to save.
                self.team.wait()
                raise stop.error(self._how_to_go_on(at))

        found = self.judge.judge(at.epoch + 1, at.loss_sum / at.rows, check=check, progress=progress)
        line = replace(found, seconds=round(at.epoch_s + time.perf_counter() - began_s, 3))
        journal.write("epoch", epoch_values(line))
        progress.say(epoch_line(line))
        figure = self.judge.figure(line)
        is_better = _is_better(figure, line.validation_loss, at)
        if is_better:
            self.checkpoints.save_best(at.epoch, self.named)
        if after_epoch:
            after_epoch(line)
        release_free_memory()
        return replace(
            at,
            epoch=at.epoch + 1,
            update=0,
            loss_sum=0.0,
            rows=0,
            epoch_s=0.0,
            best_epoch=at.epoch if is_better else at.best_epoch,
            best_figure=figure if is_better else at.best_figure,
            best_loss=line.validation_loss if is_better else at.best_loss,
            worse_epochs=0 if is_better else at.worse_epochs + 1,
        )

    def _is_hopeless(self, at: Position) -> bool:
        patience = self.plan.settings.patience
        return patience is not None and at.worse_epochs >= patience

    def _save(self, at: Position, journal: Journal) -> None:
        """Write a checkpoint."""
        self.checkpoints.save(
            Snapshot(
                position=replace(at, journal_bytes=journal.sync()),
                weights=self.named,
                optimizer=optim.optimizer_state(self.optimizer, self.named),
            )
        )

    @torch.no_grad()
    def _restore(self, weights: Mapping[str, Tensor]) -> None:
        for name, weight in self.named.items():
            weight.copy_(weights[name])

    def _new_optimizer(self) -> torch.optim.Optimizer:
        groups = optim.parameter_groups(
            self.named.items(),
            weight_decay=self.plan.settings.weight_decay,
            layer_decay=self.plan.layer_decay,
            n_layers=self.plan.n_layers,
        )
        return optim.make_adamw(groups)

    def _events(self) -> Events | None:
        wanted = self.plan.settings.tensorboard and self.team.is_first
        return Events(self.folder.journal, self.folder.events) if wanted else None

    def _gradients(self) -> Gradients:
        settings = self.plan.settings
        return Gradients(self.costs, self.named, seed=settings.seed, clip_norm=settings.clip_norm, team=self.team)

    def _thaw(self) -> Thaw:
        return Thaw(self.named, n_layers=self.plan.n_layers, total_steps=self.total_steps, per_epoch=self.per_epoch)

    def _trial(self, gradients: Gradients) -> Trial:
        settings = self.plan.settings
        return Trial(
            module=self.module,
            named=self.named,
            gradients=gradients,
            tokens_N=self.facts.tokens_N,
            optimizer=self._new_optimizer(),
            batch_rows=settings.batch_rows,
            token_budget=self.plan.token_budget,
            seed=settings.seed,
        )

    def _how_to_go_on(self, at: Position) -> str:
        return (
            f"interrupted at step {at.step:,} of {self.total_steps:,}; all of it is saved in {self.folder.path}. "
            "Run the same command with --resume to go on"
        )


class SaveTimes:
    """When to save within an epoch: soon at first, so that a kill loses little, then ever more seldom.

    Args:
        every_s: seconds between two checkpoints in the end; None for none within an epoch.
    """

    def __init__(self, every_s: float | None) -> None:
        self._every_s = every_s
        self._next_s = FIRST_CHECKPOINT_S
        self._saved_s = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether it is time for a checkpoint."""
        if self._every_s is None:
            return False
        return time.monotonic() - self._saved_s >= min(self._next_s, self._every_s)

    def note(self, *, grows: bool = True) -> None:
        """Note that one was saved; the time until the next grows, unless it was saved for another reason."""
        self._saved_s = time.monotonic()
        if grows:
            self._next_s *= 2


def _is_better(figure: float, loss: float, at: Position) -> bool:
    """Tell whether an epoch is better than the best so far: by its figure, and where that is equal by its loss.

    With few validation rows equal figures are the rule, while the loss still tells the epochs apart.
    """
    if at.best_figure is None or figure != at.best_figure:
        return at.best_figure is None or figure > at.best_figure
    return at.best_loss is not None and loss < at.best_loss


def fixed_rate(settings: LoopSettings) -> float | None:
    """Return the learning rate that the settings give; None where it is to be looked for."""
    return None if settings.learning_rate == "auto" else settings.learning_rate


class _Stepper:
    """Takes one step after another: schedule, gradient, optimizer, journal."""

    def __init__(self, loop: Loop, gradients: Gradients, rate: float, thaw: Thaw | None) -> None:
        settings = loop.plan.settings
        self._optimizer = loop.optimizer
        self._gradients = gradients
        self._rate = rate
        self._thaw = thaw
        self._schedule = settings.schedule
        self._total_steps = loop.total_steps
        self._per_epoch = loop.per_epoch
        self._warmup = optim.warmup_steps(loop.total_steps, settings.warmup_share)
        self._tokens_N = loop.facts.tokens_N
        self._counts_tokens = loop.plan.stretch_rows is not None

    def tokens_of(self, update: Update) -> int:
        """Return how many tokens the rows of an update have."""
        return int(self._tokens_N[update.rows].sum())

    def take(
        self, update: Update, at: Position, journal: Journal, stop: StopSignal, advance: Advance
    ) -> Position | None:
        """Follow the gradient of one update; None when a signal came before it was whole."""
        began_s = time.perf_counter()
        if self._thaw:
            self._thaw.at(at.step)
        rate = self._rate * optim.rate_factor(
            at.step, total_steps=self._total_steps, warmup=self._warmup, schedule=self._schedule
        )
        optim.set_learning_rate(self._optimizer, rate)
        self._optimizer.zero_grad(set_to_none=True)
        slope = self._gradients.compute(update, self._where(at), stop)
        if slope is None:
            return None
        self._optimizer.step()
        if (at.step + 1) % RELEASE_EVERY == 0:
            release_free_memory()
        following = self._after(update, at, slope, time.perf_counter() - began_s)
        self._note(update, at, slope, rate, journal)
        note = f"loss {following.loss_sum / following.rows:.4f}"
        if self._counts_tokens:
            left_s = (self._total_steps - following.step) * following.train_s / following.step
            note += f", {left_s / 60:.0f} min left in all"
        advance(self.tokens_of(update) if self._counts_tokens else update.size, note)
        return following

    def _after(self, update: Update, at: Position, slope: Slope, seconds: float) -> Position:
        return replace(
            at,
            update=at.update + 1,
            step=at.step + 1,
            loss_sum=at.loss_sum + slope.loss_sum,
            rows=at.rows + update.size,
            train_s=at.train_s + seconds,
            epoch_s=at.epoch_s + seconds,
        )

    def _note(self, update: Update, at: Position, slope: Slope, rate: float, journal: Journal) -> None:
        journal.write(
            "step",
            {
                "step": at.step + 1,
                "epoch": at.epoch + 1,
                "loss": slope.loss_sum / update.size,
                "learning_rate": rate,
                "gradient_norm": slope.norm,
                "rows": update.size,
                "tokens": self.tokens_of(update),
            },
        )

    def _where(self, at: Position) -> Where:
        said = f"epoch {at.epoch + 1}, update {at.update + 1} of {self._per_epoch} (step {at.step + 1})"
        return Where(step=at.step, said=said)
