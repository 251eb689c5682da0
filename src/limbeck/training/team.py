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

import atexit
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.distributed.rendezvous import rendezvous

from limbeck.errors import TrainingError
from limbeck.runtime import is_one_of_many
from limbeck.training.batches import Int64, pack_rows
from limbeck.training.heartbeats import Heartbeats, end_hard, how_to_go_on

Float64 = NDArray[np.float64]
LONGEST_WAIT = timedelta(minutes=30)
"""For a process that is alive and busy, writing a large checkpoint perhaps. A dead one is noticed at once, one that
hangs within a minute (`heartbeats.LOST_S`)."""
MEETING_WAIT = timedelta(minutes=10)
"""For a process that has not come yet."""
POLL = timedelta(seconds=1)
"""How often work that is waited for is interrupted, to see whether everybody is there."""

_beats: Heartbeats | None = None
"""Of the team that this process has joined."""


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

    def note_saved(self, what: str) -> None:
        """Let all processes know what the newest checkpoint is, in words; the first says so."""
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

    def note_saved(self, what: str) -> None:
        """Do nothing."""


ALONE = Alone()


class Ranks:
    """The processes that torchrun started, over torch.distributed.

    Raises:
        TrainingError: from every method, when another process has ended, or hangs.
    """

    def __init__(self, beats: Heartbeats | None) -> None:
        self._beats = beats
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
        self._together([found], _add_up)
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
        self._together(gradients, _add_up)

    def sum_array(self, array: Float64) -> None:
        """Add up an array over all processes, in place."""
        self._together([torch.from_numpy(array)], _add_up)

    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of the first process."""
        with torch.no_grad():
            for values in tensors:
                self._together([values.detach()], lambda one: distributed.broadcast(one, src=0, async_op=True))

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

    def note_saved(self, what: str) -> None:
        """Let all processes know what the newest checkpoint is."""
        if self._beats:
            self._beats.note_saved(what)

    def _together(self, tensors: Sequence[Tensor], begin: Callable[[Tensor], distributed.Work]) -> None:
        """Begin the work of all tensors before any is waited for, and wait."""
        with _all_reached(self._beats):
            for tensor, work in [(tensor, begin(tensor)) for tensor in tensors]:
                # Work on GPUs is waited for by their streams; its own wait with a limit would end the group.
                if self._beats is None or tensor.is_cuda:
                    work.wait()
                else:
                    self._wait_for(work, self._beats)

    def _wait_for(self, work: distributed.Work, beats: Heartbeats) -> None:
        while True:
            try:
                work.wait(POLL)
                return
            except RuntimeError:
                if work.is_completed():  # in this very moment, or it has failed, which this raises
                    work.wait()
                    return
            if beats.lost:
                atexit.register(end_hard)
                raise TrainingError(beats.told_of_loss())


def _add_up(values: Tensor) -> distributed.Work:
    work: distributed.Work = distributed.all_reduce(values, async_op=True)
    return work


@contextmanager
def joined_team() -> Iterator[Team]:
    """Join the processes that torchrun started; alone when it did not. All leave together.

    Raises:
        TrainingError: the others cannot be reached, or one of them is missing in the end.
    """
    global _beats  # noqa: PLW0603  # a process has one group, as torch's is
    if not is_one_of_many():
        yield ALONE
        return
    if distributed.is_initialized():
        yield Ranks(_beats)
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    _beats = beats = _met()
    is_whole = False
    try:
        team = Ranks(beats)
        yield team
        team.wait()  # while the first writes what a run leaves, the others are there to notice its loss
        is_whole = True
    finally:
        _beats = None
        if not beats.lost:  # else it would wait for the process that hangs
            distributed.destroy_process_group()
        beats.stop(failed=not is_whole)


def _met() -> Heartbeats:
    """Meet the other processes, and beat from then on."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    is_torchruns = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == str(True)
    try:
        store, rank, size = next(rendezvous("env://", timeout=MEETING_WAIT))
        beats = Heartbeats(store, rank, size, keeper=_torchrun_there() if is_torchruns else None)
    except RuntimeError as error:
        raise TrainingError(
            f"not all {os.environ['WORLD_SIZE']} processes of this training met at {os.environ['MASTER_ADDR']}, which "
            f"is waited for as long as {MEETING_WAIT}: start all of them within that time, and see that each reaches "
            f"that place ({str(error).splitlines()[0]})"
        ) from error
    beats.start()
    with _all_reached(beats):
        distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=LONGEST_WAIT)
    return beats


def _torchrun_there() -> str:
    return f"torchrun on {os.environ['MASTER_ADDR']}, which keeps the store where all meet,"


@contextmanager
def _all_reached(beats: Heartbeats | None) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what torch.distributed raises when a connection is lost
        who = beats.missing() if beats else ""
        raise TrainingError(
            f"another process of this training ended or cannot be reached{f': {who}' if who else ''}; what it said "
            f"before tells why. {how_to_go_on(beats.saved if beats else '')}"
        ) from error
