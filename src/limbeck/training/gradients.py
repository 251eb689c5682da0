"""Gradients: that of an update, the mean over all its rows, computed micro-batch by micro-batch.

In: an update, what its rows cost, a team. Out: gradients at the weights, their norm clipped. It does not know epochs,
optimizers or checkpoints.

Chance is drawn anew for each micro-batch, by seed, step and its number: dropout is a function of where a training is,
so that nothing of it need be saved, and it matters not which process computes what.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limbeck.errors import NoMemoryError, TrainingError
from limbeck.training.batches import Int64, Update
from limbeck.training.examples import spoken_rows
from limbeck.training.losses import Costs
from limbeck.training.optim import clip_gradients
from limbeck.training.signals import StopSignal
from limbeck.training.team import ALONE, Team


@dataclass(frozen=True, kw_only=True)
class Where:
    """The place of an update in a training.

    Attributes:
        step: its number from 0.
        said: the same in words, for messages.
    """

    step: int
    said: str


@dataclass(frozen=True, kw_only=True)
class Slope:
    """What is known once an update's gradient is there.

    Attributes:
        loss_sum: losses of its rows, added up, in nats.
        norm: of the gradient, before it was clipped.
    """

    loss_sum: float
    norm: float


class Gradients:
    """Computes the gradient of one update after another.

    Args:
        costs: what rows cost.
        named: the weights that are trained.
        seed: of what is drawn on the way.
        clip_norm: longest gradient; None for any length.
        team: the processes that compute it.
    """

    def __init__(
        self,
        costs: Costs,
        named: Mapping[str, nn.Parameter],
        *,
        seed: int,
        clip_norm: float | None,
        team: Team = ALONE,
    ) -> None:
        self.costs = costs
        self._facts = costs.facts
        self._weights = list(named.values())
        self._seed = seed
        self._clip_norm = clip_norm
        self._team = team

    def compute(self, update: Update, where: Where, stop: StopSignal) -> Slope | None:
        """Leave the gradient of an update at the weights; None when a signal came before it was whole.

        Raises:
            TrainingError: a loss or the gradient is not finite; names the rows.
            NoMemoryError: the device has too little.
        """
        loss_sum, fault, was_stopped = 0.0, None, False
        for number, rows in self._team.share(update.parts, self._facts.tokens_N):
            if stop.is_set:
                was_stopped = True
                break
            seed_drawing(drawing_seed(self._seed, where.step, number), self._weights[0].device)
            with _enough_memory(where):
                loss_B = self.costs.losses(rows)
                part_sum = float(loss_B.detach().cpu().double().sum())
                if not math.isfinite(part_sum):
                    fault = self._not_finite(loss_B, rows, where)
                    break
                torch.autograd.backward(loss_B.sum() / update.size)
            loss_sum += part_sum
        loss_sum, stopped, faults = self._team.sum(loss_sum, float(was_stopped), float(fault is not None))
        if fault:
            raise fault
        if faults:
            raise TrainingError(f"the loss is not finite in {where.said}: another process says in which rows")
        if stopped:
            return None
        self._team.sum_gradients(self._weights)
        try:
            norm = clip_gradients(self._weights, self._clip_norm)
        except TrainingError as error:
            raise TrainingError(f"{where.said}, {spoken_rows(self._facts, update.rows)}: {error}") from error
        return Slope(loss_sum=loss_sum, norm=norm)

    def _not_finite(self, loss_B: Tensor, rows: Int64, where: Where) -> TrainingError:
        bad = rows[~loss_B.detach().isfinite().cpu().numpy()]
        return TrainingError(
            f"the loss is not finite in {where.said}, {spoken_rows(self._facts, bad)}: look at these rows, lower the "
            "learning rate, or train in float32; the last checkpoint is whole"
        )


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


@contextmanager
def own_chance() -> Iterator[None]:
    """Give the caller's generators of random numbers back as they were: a training seeds them as it needs them.

    Torch has one generator per device for the whole process. Two trainings in threads of one process draw from the
    same one, so that their weights are not those of the seed: train in processes.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]  # torch
    apple = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    with torch.random.fork_rng(devices=list(devices)):
        yield
    if apple is not None:
        torch.mps.set_rng_state(apple)


def seed_drawing(seed: int, device: torch.device) -> None:
    """Seed what is drawn on a device.

    `torch.manual_seed` would seed every kind of device; of one that is not in use it keeps each call for later, with a
    traceback: two milliseconds a step, and memory that grows.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def drawing_seed(seed: int, step: int, part: int) -> int:
    """Return the seed of what is drawn for one micro-batch: 32 bits, as many as torch's generator takes in.

    Example:
        >>> drawing_seed(0, 1, 0) == drawing_seed(0, 0, 1)
        False
    """
    return int.from_bytes(hashlib.blake2b(f"{seed} {step} {part}".encode(), digest_size=4).digest())
