"""Which engine is fastest on this machine and close enough to float32, measured once and kept.

In: a loaded encoder, and what it is for. Out: an `EngineCalibration`, from the
user's cache when this machine and these versions were measured before: speeds for every encoder of the same sizes,
certificates for the very weights. It takes a few seconds the first time, and again when what was kept was measured on
a busy machine, or when the machine is another one now. It does not know what the features are for.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from limbeck.inference.certificate import Certificate, certify
from limbeck.inference.engine import Engine
from limbeck.inference.engine_candidates import SAFE, Candidates, find_candidates
from limbeck.inference.kept import KeptResults
from limbeck.inference.quiet import Moment, look_at_machine
from limbeck.inference.speeds import Speeds, flop_per_token, measure_speeds
from limbeck.inference.usage import ANYTHING, Usage
from limbeck.model.bundle import Bundle
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.progress import SILENT, Progress
from limbeck.runtime import CpuFeatures, GpuFeatures, cpu_features

CALIBRATION_FORMAT = 6
FRESH_S = 3600.0
"""Seconds for which a measurement of a quiet machine is not doubted."""
_Kept = TypeVar("_Kept")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One engine, as it did.

    Attributes:
        name: "torch-" and a precision, or "native-" and an instruction set.
        numerics: its arithmetic, as records of runs have it.
        tokens_per_s: on a mix of short and long texts.
        gflops: 10^9 operations/s of its products meanwhile.
        one_text_ms: milliseconds for one text of 24 tokens, the median of some calls.
        one_text_threads: threads that compute a single text fastest.
        certificate: its distance from float32; none for float32 itself.
        library: the path of its compiled kernels; None for torch.
        origin: of these: "wheel" or "compiled".
        token_budget: tokens computed at a time that were fastest; None where the engine gives no choice.
    """

    name: str
    numerics: str
    tokens_per_s: float
    gflops: float
    one_text_ms: float
    one_text_threads: int
    certificate: Certificate | None
    library: str | None = None
    origin: str | None = None
    token_budget: int | None = None

    @property
    def passed(self) -> bool:
        """Whether it is near enough to float32."""
        return self.certificate is None or self.certificate.passed


@dataclass(frozen=True, kw_only=True)
class EngineCalibration:
    """What was measured and chosen.

    Attributes:
        chosen: name of the fastest candidate whose certificate passed.
        candidates: all that were measured.
        refused: why other engines were not, by name: a flag that this CPU lacks, an encoder's width.
        cpu: the CPU it was measured on.
        encoder: name of the encoder it was measured with.
        quiet: whether the machine had nothing else to do meanwhile.
        gpu: the GPU it was measured on; None where the CPU computed.
    """

    chosen: str
    candidates: tuple[Candidate, ...]
    refused: Mapping[str, str]
    cpu: CpuFeatures
    encoder: str
    quiet: bool
    gpu: GpuFeatures | None = None

    def __getitem__(self, name: str) -> Candidate:
        """Return a candidate by its name."""
        return next(one for one in self.candidates if one.name == name)

    def fastest(self, numerics: str) -> Candidate | None:
        """Return the fastest candidate of an arithmetic; None where there is none."""
        alike = [one for one in self.candidates if one.numerics == numerics]
        return max(alike, key=lambda one: one.tokens_per_s, default=None)


@dataclass(frozen=True, kw_only=True)
class _Key:
    """What a measurement depends on: a model and a machine."""

    model: str
    kernels: Mapping[str, str]
    cpu: CpuFeatures
    gpu: GpuFeatures | None
    versions: Mapping[str, str] = field(
        default_factory=lambda: {name: version(name) for name in ("limbeck", "torch", "numpy")}
    )

    def digest(self) -> str:
        content = json.dumps({"format": CALIBRATION_FORMAT, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:20]


def find_calibration(
    loaded: LoadedEncoder,
    *,
    usage: Usage = ANYTHING,
    gpu: GpuFeatures | None = None,
    cache_dir: Path | None = None,
    again: bool = False,
    progress: Progress = SILENT,
) -> EngineCalibration:
    """Return the calibration of a model on this machine, measured now if it was not before.

    Args:
        loaded: the encoder.
        usage: what it is for; anything when not given.
        gpu: what the GPU can do that is to compute; the CPU computes when not given.
        cache_dir: where calibrations and kernels are kept; the user's cache folder when not given.
        again: measure even if it was measured before.
        progress: is told what is compiled and measured, and when it cannot be kept.
    """
    candidates = find_candidates(loaded.config, gpu=gpu, cache_dir=cache_dir, progress=progress)
    bench = _Bench(loaded, candidates, KeptResults(cache_dir), again=again, progress=progress)
    return _choose(loaded, bench.speeds(), bench.certificates(usage), candidates, bench.cpu)


def find_speeds(loaded: LoadedEncoder, candidates: Candidates, *, progress: Progress = SILENT) -> Speeds:
    """Return the speeds of the candidates alone, measured now if they were not before; nothing is certified."""
    return _Bench(loaded, candidates, KeptResults(), again=False, progress=progress).speeds()


class _Bench:
    """Where the candidates of one encoder are measured, or found to have been; they are opened at most once."""

    def __init__(
        self, loaded: LoadedEncoder, candidates: Candidates, kept: KeptResults, *, again: bool, progress: Progress
    ) -> None:
        self.cpu = cpu_features()
        self._loaded, self._candidates, self._kept = loaded, candidates, kept
        self._again, self._progress = again, progress
        self._opened: dict[str, Engine] = {}

    def speeds(self) -> Speeds:
        """Return how fast they are: one measurement for encoders of the same sizes."""
        names = set(self._candidates.names)

        def measure() -> Speeds:
            self._progress.say("measuring which engine is fastest here: once for encoders of these sizes")
            return measure_speeds(self._engines())

        return self._find(
            json.dumps(self._loaded.config.to_hugging_face(), sort_keys=True),
            _parse_speeds,
            lambda found: found.tokens_per_s.keys() == names and _still_holds(found),
            measure,
            asdict,
        )

    def certificates(self, usage: Usage) -> dict[str, Certificate]:
        """Return how near each is to float32: one comparison for the same weights, tokenizer and usage."""
        names = set(self._candidates.names) - {SAFE}

        def compare() -> dict[str, Certificate]:
            if not names:
                return {}
            self._progress.say("comparing the engines' answers with float32: once for these weights")
            engines = dict(self._engines())
            return certify(engines, engines.pop(SAFE), usage)

        return self._find(
            f"{self._loaded.fingerprint} {self._loaded.tokenizer.fingerprint} {usage.digest()}",
            _parse_certificates,
            lambda found: found.keys() == names,
            compare,
            lambda found: {name: asdict(one) for name, one in found.items()},
        )

    def _find(
        self,
        model: str,
        parse: Callable[[Any], _Kept],
        holds: Callable[[_Kept], bool],
        measure: Callable[[], _Kept],
        to_plain: Callable[[_Kept], Any],
    ) -> _Kept:
        """Return what was kept of a model on this machine and still holds, or measure it, one process at a time."""
        made_of = {name: one.digest for name, one in self._candidates.native.items()}
        name = _Key(model=model, kernels=made_of, cpu=self.cpu, gpu=self._candidates.gpu).digest()

        def find_kept() -> _Kept | None:
            found = None if self._again else _parsed(self._kept.read(name), parse)
            return found if found is not None and holds(found) else None

        found = find_kept()
        if found is not None:
            return found
        with self._kept.alone():
            # Another process may have measured while this one waited for it.
            found = find_kept()
            if found is None:
                found = measure()
                self._kept.keep(name, to_plain(found), self._progress)
        return found

    def _engines(self) -> dict[str, Engine]:
        if not self._opened:
            self._opened = {name: self._candidates.open(self._loaded, name) for name in self._candidates.names}
        return self._opened


def _still_holds(speeds: Speeds) -> bool:
    """Tell whether kept speeds are of this machine as it is, or as near to that as can be known while it is busy."""
    now, then = look_at_machine(), speeds.moment
    # A machine whose pace goes up and down is not measured at every opening.
    is_fresh = 0 <= now.at_s - then.at_s < FRESH_S
    return not now.is_quiet or (then.is_quiet and (is_fresh or then.is_like(now)))


def used_by(found: EngineCalibration, classifier: Bundle | None) -> Candidate:
    """Return the engine that "auto" opens: the chosen one, or the one that made the features of a frozen encoder."""
    numerics = None if classifier is None else classifier.feature_numerics
    return found[found.chosen] if numerics is None else found.fastest(numerics) or found[SAFE]


def why_not_used(found: EngineCalibration, used: Candidate) -> dict[str, str]:
    """Return for each engine but the one that is used why it is not, in words."""
    reasons: dict[str, str] = {}
    for one in found.candidates:
        certificate = one.certificate
        if one == used:
            continue
        if certificate is not None and not certificate.passed:
            limits = certificate.limits
            reasons[one.name] = (
                f"not certified: {certificate.worst_block} is off by {certificate.worst_cosine_distance:.1e}, "
                f"{certificate.flips:.2%} of labels change; "
                f"at most {limits.cosine_distance:g} and {limits.flips:.2%} may"
            )
        elif one.tokens_per_s < used.tokens_per_s:
            reasons[one.name] = f"slower: {one.tokens_per_s / used.tokens_per_s:.2f} of its tokens/s"
        else:
            reasons[one.name] = "the model's features were made with another engine"
    return {**reasons, **found.refused}


def _choose(
    loaded: LoadedEncoder,
    speeds: Speeds,
    certificates: Mapping[str, Certificate],
    candidates: Candidates,
    cpu: CpuFeatures,
) -> EngineCalibration:
    flop = flop_per_token(loaded.config)
    measured = tuple(
        Candidate(
            name=name,
            numerics=candidates.numerics(name),
            tokens_per_s=speeds.tokens_per_s[name],
            gflops=speeds.tokens_per_s[name] * flop / 1e9,
            one_text_ms=speeds.one_text_ms[name],
            one_text_threads=speeds.one_text_threads[name],
            certificate=None if name == SAFE else certificates[name],
            library=str(candidates.native[name].path) if name in candidates.native else None,
            origin=candidates.native[name].origin if name in candidates.native else None,
            token_budget=speeds.token_budgets.get(name),
        )
        for name in candidates.names
    )
    return EngineCalibration(
        chosen=max((one for one in measured if one.passed), key=lambda one: one.tokens_per_s).name,
        candidates=measured,
        refused=candidates.refused,
        cpu=cpu,
        encoder=loaded.name,
        quiet=speeds.moment.is_quiet,
        gpu=candidates.gpu,
    )


def _parsed(values: Any, parse: Callable[[Any], _Kept]) -> _Kept | None:
    """Return what was kept; what is damaged is measured again and written over."""
    try:
        return None if values is None else parse(values)
    except (KeyError, TypeError, AttributeError):
        return None


def _parse_speeds(values: Any) -> Speeds:
    return Speeds(
        tokens_per_s={name: _number(one) for name, one in values["tokens_per_s"].items()},
        one_text_ms={name: _number(values["one_text_ms"][name]) for name in values["tokens_per_s"]},
        one_text_threads={name: _count(values["one_text_threads"][name]) for name in values["tokens_per_s"]},
        moment=Moment(
            gflops=_number(values["moment"]["gflops"]),
            core_share=_number(values["moment"]["core_share"]),
            at_s=_number(values["moment"]["at_s"]),
        ),
        token_budgets={name: _count(one) for name, one in values["token_budgets"].items()},
    )


def _parse_certificates(values: Any) -> dict[str, Certificate]:
    return {
        name: Certificate(
            texts=_count(one["texts"]),
            own_texts=int(_number(one["own_texts"])),
            numerics=str(one["numerics"]),
            worst_cosine_distance=_number(one["worst_cosine_distance"]),
            worst_block=str(one["worst_block"]),
            mean_cosine_distance=_number(one["mean_cosine_distance"]),
            flips=_number(one["flips"]),
        )
        for name, one in values.items()
    }


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TypeError(f"{value!r} is not a number from 1")
    return value
