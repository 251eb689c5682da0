"""A model of one size and who encodes with it: ours, and each peer in the way that serves it best here.

In: a model folder, what is asked for. Out: calls that encode rows, checked against float32. It does not know rounds.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from encoders import Encode, peers
from engines import open_ours
from workloads import Rows, corpus

from limbeck.catalog.presets import load_encoder_folder
from limbeck.inference.certificate import cosine_distances
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.blocks import blocks_for
from limbeck.settings import EngineName

Run = Callable[[Rows], object]
OURS, EXACT = "limbeck", "limbeck float32"
BUDGET = 1024
"""Tokens of a peer's batch, padding counted; twice, four times and half of it are tried too."""
FAR_BEHIND = 1.3
CHECKED_TEXTS = 32
MOST_APART = 1e-3
"""Cosine distance from float32 of a peer that is said to be exact; theirs in bfloat16 show a tenth of it."""
PAUSE_S = 0.25
"""Some libraries' threads go on spinning for 0.2 s after their work, at the cost of who comes next."""
CANNOT = (ImportError, RuntimeError, ValueError, TypeError, OSError, AttributeError, LookupError)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked for.

    Attributes:
        rounds: of everything.
        seconds: that ours should take for its part of a round.
        names: of contestants; None for all that are exact, and int8 for single texts.
        everyone: those too that tokenize themselves.
        is_quick: so small that nothing is worth keeping.
    """

    rounds: int
    seconds: float
    names: frozenset[str] | None
    everyone: bool
    is_quick: bool

    def asks_for(self, name: str, kind: str) -> bool:
        """Tell whether a contestant takes part."""
        return name in self.names if self.names is not None else self.everyone or kind != "own tokenizer"


class Size:
    """A model of one size: its folder, our engines, peers that are open, and those that cannot run, with the reason."""

    def __init__(self, folder: Path, engine: EngineName | None) -> None:
        self.folder = folder
        self.loaded = load_encoder_folder(folder)
        ours, self.arithmetic = open_ours(self.loaded, engine)
        exact = TorchEngine(self.loaded, device="cpu")
        blocks = blocks_for("mean", None, exact.layers)
        self.own: dict[str, Callable[[Rows], np.ndarray]] = {
            OURS: lambda rows: ours.features(rows.tokenized, blocks),
            EXACT: lambda rows: exact.features(rows.tokenized, blocks),
        }
        self.peers = peers(folder)
        self.failed: dict[str, str] = {}
        self.checked: dict[str, float] = {}
        self._open: dict[tuple[str, int], Encode] = {}
        self._checked = self.rows([*corpus("emotion")[0][:CHECKED_TEXTS], corpus("imdb")[0][0]])
        self._exact_ND = self.own[EXACT](self._checked)

    def rows(self, texts: list[str]) -> Rows:
        """Tokenize texts."""
        return Rows.of(texts, self.loaded.tokenizer)

    def opened(self, name: str, workers: int) -> Encode | None:
        """Open a peer; None, and the reason is kept, when it cannot run here or computes something else."""
        if name in self.failed:
            return None
        key = (name, workers)
        if key not in self._open:
            started = time.perf_counter()
            try:
                encode = self.peers[name].make(workers)
                worst = float(cosine_distances(self._exact_ND, encode(self._checked, BUDGET)).max())
            except CANNOT as error:
                return self._give_up(name, f"{type(error).__name__}: {error}"[:200])
            if self.peers[name].kind == "exact" and not worst <= MOST_APART:
                return self._give_up(name, f"its vectors are not those of float32: a cosine distance of {worst:.2g}")
            self._open[key] = encode
            self.checked[name] = max(float(f"{worst:.2g}"), self.checked.get(name, 0.0))
            print(f"  {name}, {workers} at a time: open after {time.perf_counter() - started:.1f} s", flush=True)
        return self._open[key]

    def _give_up(self, name: str, reason: str) -> None:
        self.failed[name] = reason
        print(f"  {name} does not take part: {reason}", flush=True)


def tuned(size: Size, name: str, some: Rows, plan: Plan) -> tuple[str, Run] | None:
    """Return a peer in the way that was fastest on some texts, and that way; None when it cannot take part."""
    peer = size.peers[name]
    tried: dict[tuple[int, int], float] = {}

    def attempt(workers: int, budget: int) -> bool:
        """Tell whether a way is the fastest so far; who is far behind is not asked twice."""
        if encode := size.opened(name, workers):
            run, best = in_batches(encode, budget), min(tried.values(), default=float("inf"))
            time.sleep(PAUSE_S)
            first = seconds_of(run, some)
            tried[workers, budget] = min(first, seconds_of(run, some)) if first < FAR_BEHIND * best else first
            return tried[workers, budget] < best
        return False

    def fastest() -> tuple[int, int]:
        return min(tried, key=lambda way: tried[way])

    for workers in peer.workers[: 1 if plan.is_quick else None]:
        attempt(workers, BUDGET)
    if not tried:
        return None
    if peer.kind != "own tokenizer" and not plan.is_quick:
        # Larger as long as that helps; smaller only where it did not at once.
        if attempt(fastest()[0], 2 * BUDGET):
            attempt(fastest()[0], 4 * BUDGET)
        else:
            attempt(fastest()[0], BUDGET // 2)
    workers, budget = fastest()
    way = f"{budget:,} tokens a batch, {workers} at a time" if peer.kind != "own tokenizer" else "batches of its own"
    encode = size.opened(name, workers)
    return None if encode is None else (way, in_batches(encode, budget))


def in_batches(encode: Encode, budget: int = BUDGET) -> Run:
    """Return a peer's call with batches of so many tokens."""
    return lambda rows: encode(rows, budget)


def seconds_of(encode: Run, rows: Rows) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    encode(rows)
    return time.perf_counter() - started
