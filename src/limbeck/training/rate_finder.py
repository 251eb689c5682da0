"""The learning-rate finder: one short training in which the rate rises until it does harm.

In: a module, what its rows cost, a plan. Out: a `RateCurve`, the loss at each rate and the rate to train with; the
module as it was. It does not know checkpoints or epochs.

The rate rises by the same factor in every update. The loss is smoothed, falls, and rises again where steps are too
long. The rate to train with is a quarter of that at the lowest point: rates near it are the largest that still learn,
and a whole training must stay below them. On emotion the embedded encoder's lowest point is at 8e-4; the best rate
known is 2e-4.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3, for the rising rate.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from limbeck import storage
from limbeck.errors import TrainingError
from limbeck.progress import SILENT, Progress
from limbeck.training import optim
from limbeck.training.batches import Slope, Update, Where, plan_epoch
from limbeck.training.signals import StopSignal
from limbeck.training.team import Team

LOWEST_TRIED_RATE = 1e-5
HIGHEST_TRIED_RATE = 1.0
UPDATES = 100
"""From the lowest to the highest rate; seldom are all of them needed."""
SMOOTHING = 0.9
"""Share of the past in the smoothed loss."""
SHARE_OF_BEST = 0.25
"""Of the rate with the lowest loss, to train with."""
MOST_RISE = 0.5
"""Share of the fall that may be lost again before it ends."""
ENOUGH_FALL = 0.95
"""The lowest smoothed loss must be below this share of the first, or nothing was learnt at any rate."""


@dataclass(frozen=True, kw_only=True)
class RateCurve:
    """The loss at each rate.

    Attributes:
        rates: that were tried, rising.
        losses: mean loss of the update with each, before the step; in nats.
        smoothed: the same, smoothed.
        learning_rate: to train with.
        seconds: that it took.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    learning_rate: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """What the finder trains for a moment.

    Attributes:
        module: its weights are put back.
        named: the weights that are trained.
        gradient: leaves that of an update at the weights; None when a signal came.
        tokens_N: tokens of each row to learn from.
        optimizer: a new one, not the training's.
        batch_rows: rows an update.
        token_budget: tokens a micro-batch.
        seed: of the order.
    """

    module: nn.Module
    named: Mapping[str, nn.Parameter]
    gradient: Callable[[Update, Where], Slope | None]
    tokens_N: Any
    optimizer: torch.optim.Optimizer
    batch_rows: int
    token_budget: int
    seed: int


def find_rate(trial: Trial, stop: StopSignal, progress: Progress = SILENT) -> RateCurve:
    """Try rising rates, choose one, and put the weights and the random state back.

    Raises:
        TrainingError: the loss falls at no rate.
        Interrupted: a signal came.
    """
    began_s = time.perf_counter()
    before = {name: weight.detach().clone() for name, weight in trial.named.items()}
    try:
        with torch.random.fork_rng(devices=[]):
            losses = _descend(trial, stop, progress)
    finally:
        with torch.no_grad():
            for name, weight in trial.named.items():
                weight.copy_(before[name])
                weight.grad = None
    rates = rising_rates()[: len(losses)]
    smoothed = smooth(losses)
    return RateCurve(
        rates=tuple(rates),
        losses=tuple(losses),
        smoothed=tuple(smoothed),
        learning_rate=choose_rate(rates, smoothed),
        seconds=round(time.perf_counter() - began_s, 3),
    )


def rate_of_run(path: Path, trial: Trial, team: Team, stop: StopSignal, progress: Progress = SILENT) -> float:
    """Return the rate that was found for a run, written at `path`; or look for it now and write it there."""
    known = repr(storage.read_json(path)["learning_rate"]) if team.is_first and path.exists() else ""
    if said := team.tell(known):
        return float(said)
    curve = find_rate(trial, stop, progress)
    if team.is_first:
        storage.write_json(path, curve.to_dict())
    progress.say(f"learning rate {curve.learning_rate:.2g}: found in {len(curve.rates)} updates, {curve.seconds:.0f} s")
    return curve.learning_rate


def rising_rates() -> list[float]:
    """Return the rates that are tried, each larger than the one before by the same factor."""
    factor = (HIGHEST_TRIED_RATE / LOWEST_TRIED_RATE) ** (1 / (UPDATES - 1))
    return [LOWEST_TRIED_RATE * factor**place for place in range(UPDATES)]


def smooth(losses: Sequence[float]) -> list[float]:
    """Return running means in which what is past fades: s_t = (1 - β) Σ β^(t-i) ℓ_i / (1 - β^(t+1)).

    Example:
        >>> smooth([2.0, 2.0])
        [2.0, 2.0]
    """
    found, running = [], 0.0
    for place, loss in enumerate(losses):
        running = SMOOTHING * running + (1 - SMOOTHING) * loss
        found.append(running / (1 - SMOOTHING ** (place + 1)))
    return found


def choose_rate(rates: Sequence[float], smoothed: Sequence[float]) -> float:
    """Return a quarter of the rate with the lowest smoothed loss, in two digits.

    Raises:
        TrainingError: the loss falls at no rate.

    Example:
        >>> choose_rate([1e-4, 1e-3, 1e-2], [1.6, 1.1, 1.9])
        0.00025
    """
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
    if not smoothed[lowest] < ENOUGH_FALL * smoothed[0]:
        raise TrainingError(
            f"the learning-rate finder saw the loss fall at no rate (first {smoothed[0]:.4f}, lowest "
            f"{smoothed[lowest]:.4f}): give --learning-rate a number, and look at the labels with limbeck audit"
        )
    return float(f"{rates[lowest] * SHARE_OF_BEST:.2g}")


def _descend(trial: Trial, stop: StopSignal, progress: Progress) -> list[float]:
    """Take one step at each rate, until the loss has risen again; return the losses."""
    losses: list[float] = []
    trial.module.train()
    with progress.track("finding the learning rate", total=UPDATES, unit="updates") as advance:
        for rate, update in zip(rising_rates(), _updates(trial), strict=False):
            optim.set_learning_rate(trial.optimizer, rate)
            trial.optimizer.zero_grad(set_to_none=True)
            place = Where(step=len(losses), said=f"the learning-rate finder at rate {rate:.2g}")
            try:
                slope = trial.gradient(update, place)
            except TrainingError:
                if not _has_fallen(losses):
                    raise
                break  # steps so long that numbers end is what is looked for
            if slope is None:
                raise stop.error("interrupted while the learning rate was looked for; run the command with --resume")
            losses.append(slope.loss_sum / update.size)
            if _is_back(losses):
                break
            trial.optimizer.step()
            advance(1, f"loss {losses[-1]:.4f}, learning rate {rate:.2g}")
    return losses


def _updates(trial: Trial) -> Iterator[Update]:
    """Give the updates that the training will begin with, epoch after epoch."""
    epoch = 0
    while True:
        yield from plan_epoch(
            trial.tokens_N,
            batch_rows=trial.batch_rows,
            token_budget=trial.token_budget,
            seed=trial.seed,
            epoch=epoch,
        )
        epoch += 1


def _has_fallen(losses: Sequence[float]) -> bool:
    smoothed = smooth(losses)
    return bool(smoothed) and min(smoothed) < ENOUGH_FALL * smoothed[0]


def _is_back(losses: Sequence[float]) -> bool:
    """Tell whether the loss fell and half of that is lost again."""
    smoothed = smooth(losses)
    lowest = min(smoothed)
    return _has_fallen(losses) and smoothed[-1] > lowest + MOST_RISE * (smoothed[0] - lowest)
