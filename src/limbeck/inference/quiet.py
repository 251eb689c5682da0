"""Quiet: how fast this machine is just now, and whether other work takes its cores.

In: nothing. Out: a `Moment`, in some hundredths of a second. What is measured in a busy moment is not for ever.
It does not know engines.
"""

import time
from dataclasses import dataclass

import torch

SIDE = 512
"""Rows and columns of the product that is timed."""
PRODUCTS = 12
LEAST_SHARE = 0.8
"""A process that gets less than this of the cores that it computes on shares them with others."""
MOST_CHANGE = 1.5
"""A machine whose pace differs by this is another machine, or was not itself."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """How a machine was.

    Attributes:
        gflops: of a float32 product, in 10^9 operations/s.
        core_share: processor time of this process for it, over the time that its threads would have alone; 0 to 1.
        at_s: when, in seconds since the epoch.
    """

    gflops: float
    core_share: float
    at_s: float

    @property
    def is_quiet(self) -> bool:
        """Whether this process had the cores to itself."""
        return self.core_share >= LEAST_SHARE

    def is_like(self, other: "Moment") -> bool:
        """Whether the machine was about as fast as in another moment."""
        return max(self.gflops, other.gflops) < MOST_CHANGE * min(self.gflops, other.gflops)


def look_at_machine() -> Moment:
    """Time a few products on all of torch's threads."""
    left, right = torch.ones(SIDE, SIDE), torch.ones(SIDE, SIDE)
    out = torch.empty(SIDE, SIDE)
    torch.mm(left, right, out=out)
    started_s, used_s = time.perf_counter(), time.process_time()
    best_s = float("inf")
    for _ in range(PRODUCTS):
        began_s = time.perf_counter()
        torch.mm(left, right, out=out)
        best_s = min(best_s, time.perf_counter() - began_s)
    spent_s, used_s = time.perf_counter() - started_s, time.process_time() - used_s
    share = used_s / max(spent_s * torch.get_num_threads(), 1e-9)
    return Moment(gflops=2 * SIDE**3 / best_s / 1e9, core_share=min(1.0, share), at_s=time.time())
