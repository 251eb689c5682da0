"""Speeds: how fast engines are on this machine, measured in turn.

In: engines of one encoder. Out: `Speeds`. It takes a few seconds.
It does not know how near their answers are to float32, and what the texts say does not matter: their tokens are drawn.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from limbeck.inference.engine import Engine
from limbeck.inference.native_engine import NativeEngine
from limbeck.inference.quiet import Moment, look_at_machine
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.blocks import blocks_for
from limbeck.model.config import EncoderConfig
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.tokens import Tokenized

SPEED_ROUNDS = 3
"""Each engine is measured this often, in turn with the others; its best round counts."""
GPU_BATCHES = 2
"""So many of its largest batches a GPU computes in a round: while it computes one, the next is put together."""
_LENGTHS = (24,) * 40 + (300, 300)
_SHORT_TOKENS = 24
_SHORT_CALLS = 20


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """What was measured, by the engine's name.

    Attributes:
        tokens_per_s: on a mix of short and long texts.
        one_text_ms: milliseconds for one text of 24 tokens, the median of some calls.
        one_text_threads: threads that compute a single text fastest; 1 where the engine gives no choice.
        token_budgets: tokens computed at a time that were fastest, of engines that have several to choose from.
        moment: how the machine was.
    """

    tokens_per_s: Mapping[str, float]
    one_text_ms: Mapping[str, float]
    one_text_threads: Mapping[str, int]
    moment: Moment
    token_budgets: Mapping[str, int] = field(default_factory=dict)


def measure_speeds(engines: Mapping[str, Engine]) -> Speeds:
    """Let all compute the same tokens, in turn.

    A native engine is left with the threads that suited one text, one on a GPU with the token budget that was fastest.
    """
    before = look_at_machine()
    token_budgets = {
        name: _choose_token_budget(engine)
        for name, engine in engines.items()
        if isinstance(engine, TorchEngine) and len(engine.token_budgets) > 1
    }
    tokens_per_s = _measure_rounds(engines)
    one_text_ms = {name: _one_text_ms(engine) for name, engine in engines.items()}
    one_text_threads = dict.fromkeys(engines, 1)
    for name, engine in engines.items():
        if isinstance(engine, NativeEngine) and engine.threads > 1:
            engine.one_text_threads = engine.threads
            together_ms = _one_text_ms(engine)
            if together_ms < one_text_ms[name]:
                one_text_ms[name], one_text_threads[name] = together_ms, engine.threads
            engine.one_text_threads = one_text_threads[name]
    after = look_at_machine()
    return Speeds(
        tokens_per_s=tokens_per_s,
        one_text_ms=one_text_ms,
        one_text_threads=one_text_threads,
        moment=Moment(
            gflops=max(before.gflops, after.gflops),
            core_share=min(before.core_share, after.core_share),
            at_s=after.at_s,
        ),
        token_budgets=token_budgets,
    )


def flop_per_token(config: EncoderConfig) -> float:
    """Return the floating point operations of the products for a token of the texts that are measured."""
    lengths_N = np.minimum(_LENGTHS, config.max_position_embeddings)
    weights = 4 * config.dim**2 + 2 * config.dim * config.hidden_dim
    # Scores and mixed values: each token meets all of its text.
    met = float((lengths_N**2).sum() / lengths_N.sum())
    return 2 * config.n_layers * (weights + 2 * config.dim * met)


def _choose_token_budget(engine: TorchEngine) -> int:
    """Return the fastest of an engine's token budgets, which the engine has from then on."""
    tokenized, blocks = _texts_for(engine), blocks_for("mean", None, engine.layers)

    def best_s(token_budget: int) -> float:
        call = partial(engine.features, tokenized, blocks, token_budget=token_budget)
        return min(_seconds(call) for _ in range(SPEED_ROUNDS + 1))  # the first one warms up

    engine.token_budget = min(engine.token_budgets, key=best_s)
    return engine.token_budget


def _measure_rounds(engines: Mapping[str, Engine]) -> dict[str, float]:
    """Return each engine's best round, in tokens/s; rounds alternate, so that a busy moment hits all alike."""
    best: dict[str, float] = {}
    texts = {name: _texts_for(engine) for name, engine in engines.items()}
    for round_number in range(SPEED_ROUNDS + 1):
        for name, engine in engines.items():
            blocks = blocks_for("mean", None, engine.layers)
            spent_s = _seconds(partial(engine.features, texts[name], blocks))
            if round_number:  # the first round warms up
                best[name] = max(best.get(name, 0.0), len(texts[name].ids) / spent_s)
    return best


def _texts_for(engine: Engine) -> Tokenized:
    """Draw the mix of texts, on a GPU as often as makes some batches of the largest number of tokens."""
    times = 1
    if isinstance(engine, TorchEngine) and engine.device.type != "cpu":
        times = -(-GPU_BATCHES * engine.token_budgets[-1] // sum(_LENGTHS))
    return _drawn(engine.loaded, _LENGTHS * times)


def _one_text_ms(engine: Engine) -> float:
    blocks = blocks_for("cls", None, engine.layers)
    tokenized = _drawn(engine.loaded, (_SHORT_TOKENS,))
    spent = [_seconds(partial(engine.features, tokenized, blocks)) for _ in range(_SHORT_CALLS)]
    return float(np.median(spent) * 1e3)


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _drawn(loaded: LoadedEncoder, lengths: tuple[int, ...]) -> Tokenized:
    lengths_N = np.minimum(lengths, loaded.config.max_position_embeddings)
    offsets = np.concatenate([[0], np.cumsum(lengths_N)]).astype(np.int64)
    ids = np.random.default_rng(0).integers(0, loaded.config.vocab_size, int(offsets[-1]), dtype=np.int32)
    return Tokenized(ids=ids, offsets=offsets, cut_tokens=np.zeros(len(lengths_N), dtype=np.int32))
