"""Which engine is fastest on this machine and close enough to float32, measured once and kept.

In: a loaded encoder, and the classifier that stands on it if there is one. Out: an `EngineCalibration`, from the
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
from limbeck.inference.kept import KeptResults
from limbeck.inference.native_engine import NativeEngine, why_not
from limbeck.inference.quiet import Moment, look_at_machine
from limbeck.inference.speeds import Speeds, measure_speeds
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.bundle import Bundle
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.kernels import Kernels, NoKernels
from limbeck.native.libraries import find_kernels
from limbeck.progress import SILENT, Progress
from limbeck.runtime import CpuFeatures, cpu_features

CALIBRATION_FORMAT = 3
SAFE = "torch-float32"
"""The candidate that is always there and needs no certificate."""
FRESH_S = 3600.0
"""Seconds for which a measurement of a quiet machine is not doubted."""
_Kept = TypeVar("_Kept")


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
class EngineCalibration:
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
    """What a measurement depends on: a model and a machine."""

    model: str
    kernels: str
    cpu: CpuFeatures
    versions: Mapping[str, str] = field(
        default_factory=lambda: {name: version(name) for name in ("limbeck", "torch", "numpy")}
    )

    def digest(self) -> str:
        content = json.dumps({"format": CALIBRATION_FORMAT, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:20]


def find_calibration(
    loaded: LoadedEncoder,
    *,
    classifier: Bundle | None = None,
    cache_dir: Path | None = None,
    again: bool = False,
    progress: Progress = SILENT,
) -> EngineCalibration:
    """Return the calibration of a model on this machine, measured now if it was not before.

    Args:
        loaded: the encoder.
        classifier: the model that it belongs to; the encoder is used for anything when not given.
        cache_dir: where calibrations and kernels are kept; the user's cache folder when not given.
        again: measure even if it was measured before.
        progress: is told what is compiled and measured, and when it cannot be kept.
    """
    judge = judge_of(classifier)
    kernels, cpu = find_kernels(cache_dir, progress), cpu_features()
    kept = KeptResults(cache_dir)

    def name_of(model: str) -> str:
        made_of = kernels.digest if isinstance(kernels, Kernels) else kernels.reason
        return _Key(model=model, kernels=made_of, cpu=cpu).digest()

    speeds_name = name_of(json.dumps(loaded.config.to_hugging_face(), sort_keys=True))
    certificates_name = name_of(
        f"{loaded.fingerprint} {loaded.tokenizer.fingerprint} {judge.head_fingerprint() if judge else ''}"
    )
    names = candidate_names(loaded, kernels, cpu)

    def find_kept() -> tuple[Speeds | None, dict[str, Certificate] | None]:
        speeds = None if again else _parsed(kept.read(speeds_name), _parse_speeds)
        certificates = None if again else _parsed(kept.read(certificates_name), _parse_certificates)
        return (
            speeds if speeds is not None and speeds.tokens_per_s.keys() == names and _still_holds(speeds) else None,
            certificates if certificates is not None and certificates.keys() == names - {SAFE} else None,
        )

    speeds, certificates = find_kept()
    if speeds is None or certificates is None:
        with kept.alone():
            # Another process may have measured while this one waited for it.
            speeds, certificates = find_kept()
            engines = _open_engines(loaded, kernels, names) if speeds is None or certificates is None else {}
            if speeds is None:
                progress.say("measuring which engine is fastest here: once for encoders of these sizes")
                speeds = measure_speeds(engines)
                kept.keep(speeds_name, asdict(speeds), progress)
            if certificates is None:
                exact = engines.pop(SAFE)
                if engines:
                    progress.say("comparing the engines' answers with float32: once for these weights")
                certificates = certify(engines, exact, judge) if engines else {}
                kept.keep(certificates_name, {name: asdict(one) for name, one in certificates.items()}, progress)
    return _choose(loaded, speeds, certificates, kernels, cpu)


def _still_holds(speeds: Speeds) -> bool:
    """Tell whether kept speeds are of this machine as it is, or as near to that as can be known while it is busy."""
    now, then = look_at_machine(), speeds.moment
    # A machine whose pace goes up and down is not measured at every opening.
    is_fresh = 0 <= now.at_s - then.at_s < FRESH_S
    return not now.is_quiet or (then.is_quiet and (is_fresh or then.is_like(now)))


def judge_of(classifier: Bundle | None) -> Bundle | None:
    """Return the model whose own labels a certificate compares; None where the encoder is judged alone.

    A classifier goes by its own labels where the encoder was trained with its head. A head on a frozen encoder learned
    from features of the engine that the encoder alone is given, rounding and all, so it gets this one again.
    """
    return None if classifier is None or classifier.is_frozen else classifier


def used_by(found: EngineCalibration, classifier: Bundle | None) -> Candidate:
    """Return the engine that "auto" opens: the chosen one, or the one that made the features of a frozen encoder."""
    numerics = None if classifier is None else classifier.feature_numerics
    wanted = found.chosen if numerics is None else "-".join(numerics.split()[:2])
    by_name = {one.name: one for one in found.candidates}
    return by_name.get(wanted, by_name[SAFE])


def candidate_names(loaded: LoadedEncoder, kernels: Kernels | NoKernels, cpu: CpuFeatures) -> frozenset[str]:
    """Return the names of the engines that this machine can run."""
    bfloat16 = {"torch-bfloat16"} if cpu.bf16 else set()
    native = {"native-bfloat16"} if isinstance(kernels, Kernels) and not why_not(loaded.config) else set()
    return frozenset({SAFE} | bfloat16 | native)


def _open_engines(loaded: LoadedEncoder, kernels: Kernels | NoKernels, names: frozenset[str]) -> dict[str, Engine]:
    """Open the engines of these names, float32 first."""
    engines: dict[str, Engine] = {SAFE: TorchEngine(loaded, device="cpu")}
    if "torch-bfloat16" in names:
        engines["torch-bfloat16"] = TorchEngine(loaded, device="cpu", precision="bfloat16")
    if "native-bfloat16" in names and isinstance(kernels, Kernels):
        engines["native-bfloat16"] = NativeEngine(loaded, kernels)
    return engines


def _choose(
    loaded: LoadedEncoder,
    speeds: Speeds,
    certificates: Mapping[str, Certificate],
    kernels: Kernels | NoKernels,
    cpu: CpuFeatures,
) -> EngineCalibration:
    candidates = tuple(
        Candidate(
            name=name,
            tokens_per_s=tokens_per_s,
            one_text_ms=speeds.one_text_ms[name],
            certificate=None if name == SAFE else certificates[name],
        )
        for name, tokens_per_s in speeds.tokens_per_s.items()
    )
    passed = [one for one in candidates if one.certificate is None or one.certificate.passed]
    return EngineCalibration(
        chosen=max(passed, key=lambda one: one.tokens_per_s).name,
        candidates=candidates,
        one_text_threads=speeds.one_text_threads,
        kernels=kernels.reason if isinstance(kernels, NoKernels) else why_not(loaded.config) or str(kernels.path),
        cpu=cpu,
        encoder=loaded.name,
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
        one_text_threads=_count(values["one_text_threads"]),
        moment=Moment(
            gflops=_number(values["moment"]["gflops"]),
            core_share=_number(values["moment"]["core_share"]),
            at_s=_number(values["moment"]["at_s"]),
        ),
    )


def _parse_certificates(values: Any) -> dict[str, Certificate]:
    return {
        name: Certificate(
            texts=_count(one["texts"]),
            worst_cosine_distance=_number(one["worst_cosine_distance"]),
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
