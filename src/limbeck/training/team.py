"""Several processes, one training: rows are shared out, gradients are added up, the first process writes.

    torchrun --nproc-per-node 2 -m limbeck train DATA --method finetune --out RUN

In: what each process computed. Out: the same on all of them. It does not know what is trained. The loop asks its `Team`
and holds no number of processes itself; a `Team` of one does nothing.

Every process has all rows and the same weights. Of an update each computes some micro-batches; the gradients are
summed, so that all take the same step. Dropout is drawn by seed, step and number of the micro-batch, so it matters not
which process computes one. What differs from a single process is the order in which float32 sums are taken; and, where
an update has fewer micro-batches than there are processes, that these are cut smaller, which draws other dropout masks.

Source: Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training" (2020), section 3.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from limbeck.errors import TrainingError
from limbeck.runtime import is_one_of_many
from limbeck.training.batches import Int64, pack_rows

Float64 = NDArray[np.float64]
LONGEST_WAIT = timedelta(minutes=30)
"""For a process that is alive and busy, writing a large checkpoint perhaps. A dead one is noticed at once."""


class Team(Protocol):
    """The processes of one training.

    Attributes:
        size: how many there are.
        is_first: true in the one that writes and speaks.
    """

    size: int
    is_first: bool

    def share(self, parts: Sequence[Int64], tokens_N: NDArray[np.integer]) -> list[tuple[int, Int64]]:
        """Return the micro-batches that this process computes, each with its number."""
        ...

    def turns(self, parts: Sequence[Int64]) -> list[Int64 | None]:
        """Return what this process evaluates, turn by turn; None where it has nothing to do in a turn."""
        ...

    def sum(self, *values: float) -> list[float]:
        """Add up each value over all processes, in float64."""
        ...

    def any(self, flag: bool) -> bool:
        """Tell whether the flag is set in any process."""
        ...

    def sum_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes, in place."""
        ...

    def sum_array(self, array: Float64) -> None:
        """Add up an array over all processes, in place."""
        ...

    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of the first process."""
        ...

    def tell(self, text: str) -> str:
        """Return the text that the first process gave."""
        ...

    def wait(self) -> None:
        """Return when all processes are here."""
        ...


class Alone:
    """A training in one process."""

    size = 1
    is_first = True

    def share(self, parts: Sequence[Int64], tokens_N: NDArray[np.integer]) -> list[tuple[int, Int64]]:
        """Return all micro-batches."""
        return list(enumerate(parts))

    def turns(self, parts: Sequence[Int64]) -> list[Int64 | None]:
        """Return all parts."""
        return list(parts)

    def sum(self, *values: float) -> list[float]:
        """Return the values."""
        return list(values)

    def any(self, flag: bool) -> bool:
        """Return the flag."""
        return flag

    def sum_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Do nothing."""

    def sum_array(self, array: Float64) -> None:
        """Do nothing."""

    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Do nothing."""

    def tell(self, text: str) -> str:
        """Return the text."""
        return text

    def wait(self) -> None:
        """Do nothing."""


ALONE = Alone()


class Ranks:
    """The processes that torchrun started, over torch.distributed.

    Raises:
        TrainingError: from every method, when another process has ended.
    """

    def __init__(self) -> None:
        self._rank = distributed.get_rank()
        self.size = distributed.get_world_size()
        self.is_first = self._rank == 0

    def share(self, parts: Sequence[Int64], tokens_N: NDArray[np.integer]) -> list[tuple[int, Int64]]:
        """Return every `size`-th micro-batch; where there are too few, they are cut smaller first."""
        if len(parts) < self.size:
            rows = np.concatenate(parts)
            parts = list(pack_rows(rows, tokens_N, -(-int(tokens_N[rows].sum()) // self.size)))
        return list(enumerate(parts))[self._rank :: self.size]

    def turns(self, parts: Sequence[Int64]) -> list[Int64 | None]:
        """Return every `size`-th part, and nothing to do at the end where the others have one more."""
        own: list[Int64 | None] = list(parts[self._rank :: self.size])
        return own + [None] * (-(-len(parts) // self.size) - len(own))

    def sum(self, *values: float) -> list[float]:
        """Add up each value over all processes, in float64."""
        found = torch.tensor(values, dtype=torch.float64)
        with _all_reached():
            distributed.all_reduce(found)
        return [float(value) for value in found]

    def any(self, flag: bool) -> bool:
        """Tell whether the flag is set in any process."""
        return self.sum(float(flag))[0] > 0

    def sum_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes; one that had no micro-batch adds zeros."""
        gradients: list[Tensor] = []
        for weight in weights:
            if weight.requires_grad:
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
                gradients.append(weight.grad)
        with _all_reached():
            for work in [distributed.all_reduce(values, async_op=True) for values in gradients]:
                work.wait()

    def sum_array(self, array: Float64) -> None:
        """Add up an array over all processes, in place."""
        with _all_reached():
            distributed.all_reduce(torch.from_numpy(array))

    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of the first process."""
        with torch.no_grad(), _all_reached():
            for values in tensors:
                distributed.broadcast(values.detach(), src=0)

    def tell(self, text: str) -> str:
        """Return the text that the first process gave."""
        content = torch.tensor(list(text.encode()), dtype=torch.uint8)
        length = torch.tensor([len(content)])
        self.copy_first([length])
        if not self.is_first:
            content = torch.zeros(int(length), dtype=torch.uint8)
        self.copy_first([content])
        return bytes(content.tolist()).decode()

    def wait(self) -> None:
        """Return when all processes are here."""
        self.sum(0.0)


@contextmanager
def joined_team() -> Iterator[Team]:
    """Join the processes that torchrun started; alone when it did not.

    Raises:
        TrainingError: the others cannot be reached.
    """
    if not is_one_of_many():
        yield ALONE
        return
    if distributed.is_initialized():
        yield Ranks()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    with _all_reached():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    try:
        yield Ranks()
    finally:
        distributed.destroy_process_group()


@contextmanager
def _all_reached() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what torch.distributed raises when a connection is lost
        raise TrainingError(
            "another process of this training ended or cannot be reached; what it said before tells why. All is saved "
            "up to the last checkpoint: run the same command with --resume, with any number of processes"
        ) from error
