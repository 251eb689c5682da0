"""Calibration: which engine is fastest on this machine and close enough to float32, measured once and kept.

In: a loaded encoder. Out: a `Calibration`, from the user's cache when this machine, these versions and this encoder
were measured before. It takes a few seconds the first time.
It does not know what the features are for.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from limbeck import storage
from limbeck.errors import StorageError
from limbeck.inference.certificate import Certificate, certify
from limbeck.inference.engine import Engine
from limbeck.inference.kernels import Kernels, find_kernels
from limbeck.inference.native_engine import NativeEngine, why_not
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.pooling import blocks_for
from limbeck.model.presets import LoadedEncoder
from limbeck.runtime import CpuFeatures, cpu_features
from limbeck.tokens import Tokenized

FORMAT = 1
ROUNDS = 3
"""Each candidate is measured this often, in turn with the others; its best round counts."""
SAFE = "torch-float32"
"""The candidate that is always there and needs no certificate."""
_LENGTHS = (24,) * 40 + (300, 300)
_SHORT_TOKENS = 24
_SHORT_CALLS = 20


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One engine, as it did.

    Attributes:
        name: "torch-float32", "torch-bfloat16" or "native-bfloat16".
        tokens_per_s: on a mix of short and long texts.
        one_text_ms: milliseconds for one text of 24 tokens, the median of some calls.
        certificate: its distance from float32; none for float32 itself.
    """

    name: str
    tokens_per_s: float
    one_text_ms: float
    certificate: Certificate | None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was measured and chosen.

    Attributes:
        chosen: name of the fastest candidate whose certificate passed.
        candidates: all that this machine can run.
        one_text_threads: threads that compute a single text fastest in the native engine.
        kernels: the path of the compiled kernels, or the reason why they are not used.
        cpu: the CPU it was measured on.
        encoder: name of the encoder it was measured with.
    """

    chosen: str
    candidates: tuple[Candidate, ...]
    one_text_threads: int
    kernels: str
    cpu: CpuFeatures
    encoder: str


@dataclass(frozen=True, kw_only=True)
class _Key:
    """What a calibration depends on."""

    fingerprint: str
    kernels: str
    cpu: CpuFeatures
    versions: Mapping[str, str] = field(
        default_factory=lambda: {name: version(name) for name in ("limbeck", "torch", "numpy")}
    )

    def digest(self) -> str:
        content = json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:20]


def find_calibration(loaded: LoadedEncoder, *, cache_dir: Path | None = None, again: bool = False) -> Calibration:
    """Return the calibration of an encoder on this machine, measured now if it was not before.

    Args:
        loaded: the encoder.
        cache_dir: where calibrations and kernels are kept; the user's cache folder when not given.
        again: measure even if it was measured before.

    Raises:
        StorageError: the cache folder cannot be written.
    """
    found = find_kernels(cache_dir)
    kernels = found.digest if isinstance(found, Kernels) else found.reason
    key = _Key(fingerprint=loaded.fingerprint, kernels=kernels, cpu=cpu_features())
    path = (cache_dir or user_cache_path("limbeck")) / "calibrations" / f"{key.digest()}.json"
    if path.is_file() and not again:
        try:
            return _parse(storage.read_json(path))
        except (StorageError, KeyError, TypeError):
            pass  # a damaged file is measured again and written over
    calibration = calibrate(loaded, cache_dir=cache_dir)
    storage.write_json(path, asdict(calibration))
    return calibration


def calibrate(loaded: LoadedEncoder, *, cache_dir: Path | None = None) -> Calibration:
    """Measure every engine that this machine can run."""
    found = find_kernels(cache_dir)
    cpu = cpu_features()
    exact = TorchEngine(loaded, device="cpu")
    engines: dict[str, Engine] = {SAFE: exact}
    if cpu.bf16:
        engines["torch-bfloat16"] = TorchEngine(loaded, device="cpu", precision="bfloat16")
    kernels = str(found.path) if isinstance(found, Kernels) else found.reason
    if isinstance(found, Kernels):
        if reason := why_not(loaded.config):
            kernels = reason
        else:
            engines["native-bfloat16"] = NativeEngine(loaded, found)
    seconds = _time_rounds(engines, _drawn(loaded, _LENGTHS))
    one_text_ms = {name: _one_text_ms(engine) for name, engine in engines.items()}
    one_text_threads = 1
    native = engines.get("native-bfloat16")
    if isinstance(native, NativeEngine) and native.threads > 1:
        native.one_text_threads = native.threads
        together_ms = _one_text_ms(native)
        if together_ms < one_text_ms["native-bfloat16"]:
            one_text_ms["native-bfloat16"], one_text_threads = together_ms, native.threads
    candidates = tuple(
        Candidate(
            name=name,
            tokens_per_s=sum(_LENGTHS) / seconds[name],
            one_text_ms=one_text_ms[name],
            certificate=None if name == SAFE else certify(engine, exact),
        )
        for name, engine in engines.items()
    )
    passed = [one for one in candidates if one.certificate is None or one.certificate.passed]
    return Calibration(
        chosen=max(passed, key=lambda one: one.tokens_per_s).name,
        candidates=candidates,
        one_text_threads=one_text_threads,
        kernels=kernels,
        cpu=cpu,
        encoder=loaded.name,
    )


def _time_rounds(engines: Mapping[str, Engine], tokenized: Tokenized) -> dict[str, float]:
    """Return each engine's best round, in seconds; rounds alternate, so that a busy moment hits all alike."""
    best: dict[str, float] = {}
    for round_number in range(ROUNDS + 1):
        for name, engine in engines.items():
            blocks = blocks_for("mean", None, engine.layers)
            spent_s = _seconds(partial(engine.features, tokenized, blocks))
            if round_number:  # the first round warms up
                best[name] = min(best.get(name, spent_s), spent_s)
    return best


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
    """Return texts of drawn tokens: for speed alone, what they say does not matter."""
    lengths_N = np.minimum(lengths, loaded.config.max_position_embeddings)
    offsets = np.concatenate([[0], np.cumsum(lengths_N)]).astype(np.int64)
    ids = np.random.default_rng(0).integers(0, loaded.config.vocab_size, int(offsets[-1]), dtype=np.int32)
    return Tokenized(ids=ids, offsets=offsets, cut_tokens=np.zeros(len(lengths_N), dtype=np.int32))


def _parse(values: Any) -> Calibration:
    """Read what was kept.

    Raises:
        KeyError, TypeError: it is not what `asdict` wrote.
    """
    return Calibration(
        chosen=values["chosen"],
        candidates=tuple(
            Candidate(
                name=one["name"],
                tokens_per_s=one["tokens_per_s"],
                one_text_ms=one["one_text_ms"],
                certificate=one["certificate"] and Certificate(**one["certificate"]),
            )
            for one in values["candidates"]
        ),
        one_text_threads=values["one_text_threads"],
        kernels=values["kernels"],
        cpu=CpuFeatures(**values["cpu"]),
        encoder=values["encoder"],
    )
