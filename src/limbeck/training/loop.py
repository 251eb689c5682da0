"""The loop: epoch, update, micro-batch, backward, clip, step; each epoch is judged, the best kept.

In: a module, what its rows cost (`losses`), what it is judged by (`judge`), a plan, a run folder. Out: the module with
the weights of its best epoch, and the table of epochs. It does not know what the module computes: a head on features
and a whole encoder are trained by the same lines; nor how many processes compute, which its team knows.

The gradient of an update is that of the mean loss over all its rows, however many micro-batches they are computed in.
On a CPU the same seed, data and thread count give the same bits, interrupted and resumed or not.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from limbeck import storage
from limbeck.errors import NoMemoryError, TrainingError
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runtime import release_free_memory
from limbeck.training import optim
from limbeck.training.batches import Int64, Slope, Update, Where, plan_epoch, updates_per_epoch
from limbeck.training.chance import drawing_seed, seed_drawing
from limbeck.training.checkpoint import Checkpoints, Position, SaveTimes, SharedCheckpoints, Snapshot
from limbeck.training.examples import spoken_rows
from limbeck.training.freezing import Thaw
from limbeck.training.journal import AfterEpoch, Events, Journal, epoch_line, epoch_values, open_journal, read_epochs
from limbeck.training.judge import Judge
from limbeck.training.losses import Losses
from limbeck.training.plan import LoopResult, Plan
from limbeck.training.rate_finder import Trial, rate_of_run
from limbeck.training.signals import StopSignal
from limbeck.training.team import ALONE, Team

RELEASE_EVERY = 50
"""Updates after which memory that nobody uses is given back to the system."""


class Loop:
    """One training, from its first update or its newest checkpoint to its end.

    Args:
        module: what is trained; frozen weights do not require gradients.
        losses: what rows cost.
        judge: what each epoch is judged by.
        plan: settings and sizes.
        folder: where checkpoints and the journal are.
        team: the processes that train together.
    """

    def __init__(
        self, module: nn.Module, losses: Losses, judge: Judge, plan: Plan, folder: RunFolder, *, team: Team = ALONE
    ) -> None:
        settings = plan.settings
        self.module = module
        self.losses = losses
        self.judge = judge
        self.plan = plan
        self.settings = settings
        self.folder = folder
        self.team = team
        self.tokens_N = losses.facts.tokens_N
        self.named = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self.weights = list(self.named.values())
        self.optimizer = self._new_optimizer()
        self.checkpoints = SharedCheckpoints(Checkpoints(folder.checkpoints, keep=settings.keep_checkpoints), team)
        self.save_times = SaveTimes(settings.checkpoint_every_s)
        self.per_epoch = updates_per_epoch(plan.stretch_rows or len(losses.facts), settings.batch_rows)
        self.total_steps = self.per_epoch * settings.epochs
        self.warmup = optim.warmup_steps(self.total_steps, settings.warmup_share)
        self.thaw = (
            Thaw(self.named, n_layers=plan.n_layers, total_steps=self.total_steps, per_epoch=self.per_epoch)
            if plan.unfreeze == "gradual"
            else None
        )
        self.stop = StopSignal()
        self.progress: Progress = SILENT
        self.rate = 0.0

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
        self.stop, self.progress = stop, progress
        with storage.explained(self.folder.checkpoints, doing="write"):
            self.folder.checkpoints.mkdir(parents=True, exist_ok=True)
        self.rate = self._chosen_rate()
        at, resumed_at = self._begin()
        with stop.patient(progress.say), open_journal(self.folder.journal, at.journal_bytes, self.team) as journal:
            # Saved at once, so that a run can go on from its first moment.
            self._save(at, journal)
            events = self._events()
            while at.epoch < self.settings.epochs and not self._is_hopeless(at):
                at = self._train_epoch(at, journal)
                at = self._judge_epoch(at, journal, after_epoch)
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
            learning_rate=self.rate,
            train_s=round(at.train_s, 3),
        )

    def _train_epoch(self, at: Position, journal: Journal) -> Position:
        """Do the updates of an epoch that are not done yet, and save."""
        updates = plan_epoch(
            self.tokens_N,
            batch_rows=self.settings.batch_rows,
            token_budget=self.plan.token_budget,
            seed=self.settings.seed,
            epoch=at.epoch,
            stretch_rows=self.plan.stretch_rows,
        )
        self.module.train()
        label, unit, size_of = self._measure(at)
        with self.progress.track(label, total=sum(map(size_of, updates[at.update :])), unit=unit) as advance:
            for update in updates[at.update :]:
                following = self._train_update(update, at, journal)
                if following is None:
                    self._save(at, journal)
                    self.team.wait()
                    raise self.stop.error(self._how_to_go_on(at))
                at = following
                advance(size_of(update), self._note(at))
                if at.update < len(updates) and self.save_times.is_due():
                    self._save(at, journal)
                    self.save_times.note()
        self._save(at, journal)
        self.save_times.note(grows=False)
        return at

    def _train_update(self, update: Update, at: Position, journal: Journal) -> Position | None:
        """Follow the gradient of one update; None when a signal came before it was whole."""
        began_s = time.perf_counter()
        if self.thaw:
            self.thaw.at(at.step)
        rate = self.rate * optim.rate_factor(
            at.step, total_steps=self.total_steps, warmup=self.warmup, schedule=self.settings.schedule
        )
        optim.set_learning_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        slope = self.gradient(update, self._where(at))
        if slope is None:
            return None
        self.optimizer.step()
        if (at.step + 1) % RELEASE_EVERY == 0:
            release_free_memory()
        seconds = time.perf_counter() - began_s
        journal.write("step", self._step_line(update, at, slope, rate))
        return replace(
            at,
            update=at.update + 1,
            step=at.step + 1,
            loss_sum=at.loss_sum + slope.loss_sum,
            rows=at.rows + update.size,
            train_s=at.train_s + seconds,
            epoch_s=at.epoch_s + seconds,
        )

    def gradient(self, update: Update, where: Where) -> Slope | None:
        """Leave the gradient of an update at the weights, clipped; None when a signal came before it was whole.

        Raises:
            TrainingError: a loss or the gradient is not finite; names the rows.
            NoMemoryError: the device has too little.
        """
        loss_sum, fault, was_stopped = 0.0, None, False
        for number, rows in self.team.share(update.parts, self.tokens_N):  # the micro-batches of this process
            if self.stop.is_set:
                was_stopped = True
                break
            seed_drawing(drawing_seed(self.settings.seed, where.step, number), self.weights[0].device)
            with _enough_memory(where):
                loss_B = self.losses.losses(rows)
                part_sum = float(loss_B.detach().cpu().double().sum())
                if not math.isfinite(part_sum):
                    fault = self._not_finite(loss_B, rows, where)
                    break
                torch.autograd.backward(loss_B.sum() / update.size)
            loss_sum += part_sum
        loss_sum, stopped, faults = self.team.sum(loss_sum, float(was_stopped), float(fault is not None))
        if fault:
            raise fault
        if faults:
            raise TrainingError(f"the loss is not finite in {where.said}: another process says in which rows")
        if stopped:
            return None
        self.team.sum_gradients(self.weights)
        try:
            norm = optim.clip_gradients(self.weights, self.settings.clip_norm)
        except TrainingError as error:
            rows_said = spoken_rows(self.losses.facts, update.rows)
            raise TrainingError(f"{where.said}, {rows_said}: {error}") from error
        return Slope(loss_sum=loss_sum, norm=norm)

    def _judge_epoch(self, at: Position, journal: Journal, after_epoch: AfterEpoch | None) -> Position:
        """Evaluate an epoch, write its line of the table, and keep its weights when they are the best."""
        began_s = time.perf_counter()

        def check() -> None:
            if self.team.any(self.stop.is_set):
                # The checkpoint that was saved before the evaluation is all there is to save.
                self.team.wait()
                raise self.stop.error(self._how_to_go_on(at))

        judged = self.judge.judge(at.epoch + 1, at.loss_sum / at.rows, check=check, progress=self.progress)
        line = replace(judged, seconds=round(at.epoch_s + time.perf_counter() - began_s, 3))
        journal.write("epoch", epoch_values(line))
        self.progress.say(epoch_line(line))
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

    def _chosen_rate(self) -> float:
        """Return the learning rate of the plan; look for it where there is none."""
        if self.plan.learning_rate is not None:
            return self.plan.learning_rate
        return rate_of_run(self.folder.rate_curve, self._trial(), self.team, self.stop, self.progress)

    def _trial(self) -> Trial:
        return Trial(
            module=self.module,
            named=self.named,
            gradient=self.gradient,
            tokens_N=self.tokens_N,
            optimizer=self._new_optimizer(),
            batch_rows=self.settings.batch_rows,
            token_budget=self.plan.token_budget,
            seed=self.settings.seed,
        )

    def _begin(self) -> tuple[Position, int | None]:
        """Take up the newest checkpoint, or begin."""
        snapshot = self.checkpoints.newest(self.progress)
        if snapshot is None:
            self.team.copy_first(self.weights)
            return Position(), None
        self._restore(snapshot.weights)
        optim.restore_optimizer(self.optimizer, self.named, snapshot.optimizer)
        at = snapshot.position
        self.progress.say(f"going on from step {at.step:,} of {self.total_steps:,}")
        return at, at.step

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
            weight_decay=self.settings.weight_decay,
            layer_decay=self.plan.layer_decay,
            n_layers=self.plan.n_layers,
        )
        return optim.make_adamw(groups)

    def _events(self) -> Events | None:
        wanted = self.settings.tensorboard and self.team.is_first
        return Events(self.folder.journal, self.folder.events) if wanted else None

    def _is_hopeless(self, at: Position) -> bool:
        patience = self.settings.patience
        return patience is not None and at.worse_epochs >= patience

    def _measure(self, at: Position) -> tuple[str, str, Callable[[Update], int]]:
        """Return what an epoch is called, what its progress is counted in, and how much of that an update is."""
        if self.plan.stretch_rows is None:
            return f"epoch {at.epoch + 1} of {self.settings.epochs}", "rows", lambda update: update.size
        return f"stretch {at.epoch + 1} of {self.settings.epochs}", "tokens", self._tokens_of

    def _tokens_of(self, update: Update) -> int:
        return int(self.tokens_N[update.rows].sum())

    def _note(self, at: Position) -> str:
        note = f"loss {at.loss_sum / at.rows:.4f}"
        if self.plan.stretch_rows is not None:
            left_s = (self.total_steps - at.step) * at.train_s / at.step
            note += f", {left_s / 60:.0f} min left in all"
        return note

    def _step_line(self, update: Update, at: Position, slope: Slope, rate: float) -> dict[str, float | int]:
        return {
            "step": at.step + 1,
            "epoch": at.epoch + 1,
            "loss": slope.loss_sum / update.size,
            "learning_rate": rate,
            "gradient_norm": slope.norm,
            "rows": update.size,
            "tokens": self._tokens_of(update),
        }

    def _where(self, at: Position) -> Where:
        said = f"epoch {at.epoch + 1}, update {at.update + 1} of {self.per_epoch} (step {at.step + 1})"
        return Where(step=at.step, said=said)

    def _not_finite(self, loss_B: Tensor, rows: Int64, where: Where) -> TrainingError:
        bad = rows[~loss_B.detach().isfinite().cpu().numpy()]
        return TrainingError(
            f"the loss is not finite in {where.said}, {spoken_rows(self.losses.facts, bad)}: look at these rows, lower "
            "the learning rate, or train in float32; the last checkpoint is whole"
        )

    def _how_to_go_on(self, at: Position) -> str:
        return (
            f"interrupted at step {at.step:,} of {self.total_steps:,}; all of it is saved in {self.folder.path}. "
            "Run the same command with --resume to go on"
        )


def _is_better(figure: float, loss: float, at: Position) -> bool:
    """Tell whether an epoch is better than the best so far: by its figure, and where that is equal by its loss.

    With few validation rows equal figures are the rule, while the loss still tells the epochs apart.
    """
    if at.best_figure is None or figure != at.best_figure:
        return at.best_figure is None or figure > at.best_figure
    return at.best_loss is not None and loss < at.best_loss


@contextmanager
def _enough_memory(where: Where) -> Iterator[None]:
    """Say what to do when the memory of a device is not enough."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise NoMemoryError(
            f"the memory of the device is not enough in {where.said}: lower the token budget; the last checkpoint is "
            f"whole ({str(error).splitlines()[0]})"
        ) from error
