"""The loop: epochs of updates over examples, evaluated after each, the best kept.

In: a module, training and validation `Examples`, settings, a run folder. Out: the module with the weights of its best
epoch, and the table of epochs. It does not know what the module computes: a head on features and a whole encoder are
trained by the same lines.

The gradient of an update is that of the mean loss over all its rows, however many micro-batches they are computed in.
On a CPU the same seed, data and thread count give the same bits, interrupted and resumed or not.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from limbeck import storage
from limbeck.errors import TrainingError
from limbeck.progress import SILENT, Advance, Progress
from limbeck.runtime import release_free_memory
from limbeck.settings import LoopSettings
from limbeck.training import optim
from limbeck.training.batching import Update, plan_epoch, updates_per_epoch
from limbeck.training.checkpoint import Checkpoints, Position, Snapshot
from limbeck.training.costs import Costs, LabelCosts
from limbeck.training.examples import Examples, Int64, spoken_rows
from limbeck.training.interruption import StopSignal
from limbeck.training.journal import EpochLine, Journal, epoch_line, epoch_values, read_epochs
from limbeck.training.judging import Judge, LabelJudge
from limbeck.training.run_folder import RunFolder

RELEASE_EVERY = 50
"""Updates after which memory that nobody uses is given back to the system."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the loop needs to know beside its settings.

    Attributes:
        settings: of the loop.
        learning_rate: the highest that the schedule reaches.
        n_labels: number of classes.
        token_budget: tokens a micro-batch.
        layer_decay: factor by which the learning rate falls from layer to layer.
        n_layers: layers that this counts.
    """

    settings: LoopSettings
    learning_rate: float
    n_labels: int
    token_budget: int
    layer_decay: float = 1.0
    n_layers: int = 0


@dataclass(frozen=True, kw_only=True)
class LoopResult:
    """What the loop did.

    Attributes:
        epochs: the table of epochs.
        best_epoch: number, from 1, of the epoch whose weights the module has.
        steps: updates done.
        resumed_at: step at which this process took over; None when it began the run.
        train_s: seconds of training, evaluation and saving left out, in all processes together.
    """

    epochs: tuple[EpochLine, ...]
    best_epoch: int
    steps: int
    resumed_at: int | None
    train_s: float


class Loop:
    """One training, from its first update or its newest checkpoint to its end.

    Args:
        module: what is trained; frozen weights do not require gradients.
        train: rows whose labels are learnt, or costs of another kind.
        validation: rows whose labels each epoch is judged by, or a judge of another kind.
        plan: settings and sizes.
        folder: where checkpoints and the journal are.
    """

    def __init__(
        self,
        module: nn.Module,
        train: Examples | Costs,
        validation: Examples | Judge,
        plan: Plan,
        folder: RunFolder,
    ) -> None:
        self.module = module
        self.plan = plan
        self.folder = folder
        self.named = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        groups = optim.parameter_groups(
            self.named.items(),
            weight_decay=plan.settings.weight_decay,
            layer_decay=plan.layer_decay,
            n_layers=plan.n_layers,
        )
        self.optimizer = optim.make_adamw(groups)
        self.checkpoints = Checkpoints(folder.checkpoints, keep=plan.settings.keep_checkpoints)
        self.per_epoch = updates_per_epoch(len(train.facts), plan.settings.batch_rows)
        self.total_steps = self.per_epoch * plan.settings.epochs
        self._device = next(iter(self.named.values())).device
        self.facts = train.facts
        settings, n_labels = plan.settings, plan.n_labels
        self.costs = train if isinstance(train, Costs) else LabelCosts(train, settings, n_labels, self._device)
        self.judge = validation if isinstance(validation, Judge) else LabelJudge(module, validation, settings, n_labels)

    def run(self, stop: StopSignal, progress: Progress = SILENT) -> LoopResult:
        """Train until the last epoch, or until no better one is expected; then restore the best.

        Raises:
            TrainingError: the loss or the gradient is not finite; names the epoch, the step and the rows.
            Interrupted: a signal came; a checkpoint is saved.
            StorageError: the disk is full; the last checkpoint is whole.
        """
        with storage.explained(self.folder.checkpoints, doing="write"):
            self.folder.checkpoints.mkdir(parents=True, exist_ok=True)
        at, resumed_at = self._start(progress)
        with stop.patient(), Journal(self.folder.journal, keep_bytes=at.journal_bytes) as journal:
            # Saved at once, so that a run can go on from its first moment.
            self._save(at, journal)
            while at.epoch < self.plan.settings.epochs and not self._is_hopeless(at):
                at = self._train_epoch(at, journal, stop, progress)
                at = self._judge_epoch(at, journal, stop, progress)
            journal.sync()
        if at.best_epoch is None:
            raise TrainingError("no epoch was evaluated: give at least one epoch")
        self._restore(self.checkpoints.load_best(at.best_epoch))
        return LoopResult(
            epochs=tuple(read_epochs(self.folder.journal, self.judge.line_type)),
            best_epoch=at.best_epoch + 1,
            steps=at.step,
            resumed_at=resumed_at,
            train_s=round(at.train_s, 3),
        )

    def _start(self, progress: Progress) -> tuple[Position, int | None]:
        """Take up the newest checkpoint, or begin."""
        snapshot = self.checkpoints.newest(progress)
        if snapshot is None:
            torch.manual_seed(self.plan.settings.seed)
            return Position(), None
        self._restore(snapshot.weights)
        optim.restore_optimizer(self.optimizer, self.named, snapshot.optimizer)
        _restore_random(snapshot.random)
        at = snapshot.position
        progress.say(f"going on from step {at.step:,} of {self.total_steps:,}")
        return at, at.step

    def _train_epoch(self, at: Position, journal: Journal, stop: StopSignal, progress: Progress) -> Position:
        """Do the updates of an epoch that are not done yet, and save."""
        settings = self.plan.settings
        updates = plan_epoch(
            self.facts.tokens_N,
            batch_rows=settings.batch_rows,
            token_budget=self.plan.token_budget,
            seed=settings.seed,
            epoch=at.epoch,
        )
        saved_s = time.monotonic()
        self.module.train()
        label = f"epoch {at.epoch + 1} of {settings.epochs}"
        total = int(sum(len(update.rows) for update in updates[at.update :]))
        with progress.track(label, total=total, unit="rows") as advance:
            for update in updates[at.update :]:
                random = _random_state(self._device)
                following = self._do_update(update, at, journal, stop, advance)
                if following is None:
                    _restore_random(random)
                    self._save(at, journal)
                    raise stop.error(self._how_to_go_on(at))
                at = following
                if at.update < len(updates) and time.monotonic() - saved_s >= settings.checkpoint_every_s:
                    self._save(at, journal)
                    saved_s = time.monotonic()
        self._save(at, journal)
        return at

    def _do_update(
        self, update: Update, at: Position, journal: Journal, stop: StopSignal, advance: Advance
    ) -> Position | None:
        """Follow the gradient of one update; None when a signal came before it was whole."""
        settings = self.plan.settings
        began_s = time.perf_counter()
        rate = self.plan.learning_rate * optim.rate_factor(
            at.step,
            total_steps=self.total_steps,
            warmup=optim.warmup_steps(self.total_steps, settings.warmup_share),
            schedule=settings.schedule,
        )
        optim.set_learning_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        rows = len(update.rows)
        loss_sum = 0.0
        for part in update.parts:
            if stop.is_set:
                return None
            loss_B = self.costs.losses(part)
            part_sum = float(loss_B.detach().cpu().double().sum())
            if not math.isfinite(part_sum):
                raise self._not_finite(loss_B, part, at)
            torch.autograd.backward(loss_B.sum() / rows)
            loss_sum += part_sum
        try:
            norm = optim.clip_gradients(self.named.values(), settings.clip_norm)
        except TrainingError as error:
            raise TrainingError(f"{self._where(at)}, {self._spoken_rows(update.rows)}: {error}") from error
        self.optimizer.step()
        if (at.step + 1) % RELEASE_EVERY == 0:
            release_free_memory()
        tokens = int(self.facts.tokens_N[update.rows].sum())
        journal.write(
            "step",
            {
                "step": at.step + 1,
                "epoch": at.epoch + 1,
                "loss": loss_sum / rows,
                "learning_rate": rate,
                "gradient_norm": norm,
                "rows": rows,
                "tokens": tokens,
            },
        )
        advance(rows, f"loss {(at.loss_sum + loss_sum) / (at.rows + rows):.4f}, learning rate {rate:.2g}")
        return replace(
            at,
            update=at.update + 1,
            step=at.step + 1,
            loss_sum=at.loss_sum + loss_sum,
            rows=at.rows + rows,
            train_s=at.train_s + time.perf_counter() - began_s,
            epoch_s=at.epoch_s + time.perf_counter() - began_s,
        )

    def _judge_epoch(self, at: Position, journal: Journal, stop: StopSignal, progress: Progress) -> Position:
        """Evaluate an epoch, write its line of the table, and keep its weights when they are the best."""
        began_s = time.perf_counter()

        def check() -> None:
            if stop.is_set:
                # The checkpoint that was saved before the evaluation is all there is to save.
                raise stop.error(self._how_to_go_on(at))

        found = self.judge.judge(at.epoch + 1, at.loss_sum / at.rows, check=check, progress=progress)
        line = replace(found, seconds=round(at.epoch_s + time.perf_counter() - began_s, 3))
        journal.write("epoch", epoch_values(line))
        progress.say(epoch_line(line))
        figure = self.judge.figure(line)
        is_better = at.best_figure is None or figure > at.best_figure
        if is_better:
            self.checkpoints.save_best(at.epoch, self.named)
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
                random=_random_state(self._device),
            )
        )

    @torch.no_grad()
    def _restore(self, weights: Mapping[str, Tensor]) -> None:
        for name, weight in self.named.items():
            weight.copy_(weights[name])

    def _not_finite(self, loss_B: Tensor, rows: Int64, at: Position) -> TrainingError:
        bad = rows[~loss_B.detach().isfinite().cpu().numpy()]
        return TrainingError(
            f"the loss is not finite in {self._where(at)}, {self._spoken_rows(bad)}: look at these rows, lower the "
            "learning rate, or train in float32; the last checkpoint is whole"
        )

    def _where(self, at: Position) -> str:
        return f"epoch {at.epoch + 1}, update {at.update + 1} of {self.per_epoch} (step {at.step + 1})"

    def _spoken_rows(self, rows: Int64) -> str:
        return spoken_rows(self.facts, rows)

    def _how_to_go_on(self, at: Position) -> str:
        return (
            f"interrupted at step {at.step:,} of {self.total_steps:,}; all of it is saved in {self.folder.path}. "
            "Run the same command with --resume to go on"
        )


def _random_state(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def _restore_random(states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"].clone())
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].clone())
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"].clone())
