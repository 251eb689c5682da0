"""Calibration: which engine is fastest on this machine and close enough to float32, measured once and kept.

In: a loaded encoder, and the classifier that stands on it if there is one. Out: a `Calibration`, from the user's cache
when this machine and these versions were measured before: speeds for every encoder of the same sizes, certificates for
the very weights. It takes a few seconds the first time.
It does not know what the features are for.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_cache_path

from limbeck import storage
from limbeck.errors import StorageError
from limbeck.inference.certificate import Certificate, certify
from limbeck.inference.engine import Engine
from limbeck.inference.kernels import Kernels, NoKernels, find_kernels
from limbeck.inference.native_engine import NativeEngine, why_not
from limbeck.inference.speeds import Speeds, measure_speeds
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.bundle import Bundle
from limbeck.model.presets import LoadedEncoder
from limbeck.progress import SILENT, Progress
from limbeck.runtime import CpuFeatures, cpu_features

FORMAT = 2
SAFE = "torch-float32"
"""The candidate that is always there and needs no certificate."""
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
    """What a measurement depends on: a model and a machine."""

    model: str
    kernels: str
    cpu: CpuFeatures
    versions: Mapping[str, str] = field(
        default_factory=lambda: {name: version(name) for name in ("limbeck", "torch", "numpy")}
    )

    def digest(self) -> str:
        content = json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:20]


def find_calibration(
    loaded: LoadedEncoder,
    *,
    classifier: Bundle | None = None,
    cache_dir: Path | None = None,
    again: bool = False,
    progress: Progress = SILENT,
) -> Calibration:
    """Return the calibration of a model on this machine, measured now if it was not before.

    Args:
        loaded: the encoder.
        classifier: the model that it belongs to; the encoder is used for anything when not given.
        cache_dir: where calibrations and kernels are kept; the user's cache folder when not given.
        again: measure even if it was measured before.
        progress: is told what is compiled and measured.

    Raises:
        StorageError: the cache folder cannot be written.
    """
    judge = judge_of(classifier)
    kernels, cpu = find_kernels(cache_dir, progress), cpu_features()
    folder = (cache_dir or user_cache_path("limbeck")) / "calibrations"

    def file_of(model: str) -> Path:
        made_of = kernels.digest if isinstance(kernels, Kernels) else kernels.reason
        return folder / f"{_Key(model=model, kernels=made_of, cpu=cpu).digest()}.json"

    speeds_file = file_of(json.dumps(loaded.config.to_hugging_face(), sort_keys=True))
    certificates_file = file_of(f"{loaded.fingerprint} {judge.head_fingerprint() if judge else ''}")
    speeds = None if again else _read(speeds_file, _parse_speeds)
    certificates = None if again else _read(certificates_file, _parse_certificates)
    if speeds is None or certificates is None or certificates.keys() | {SAFE} != speeds.tokens_per_s.keys():
        engines = _open_engines(loaded, kernels, cpu)
        if speeds is None or speeds.tokens_per_s.keys() != engines.keys():
            progress.say("measuring which engine is fastest here: once for encoders of these sizes")
            speeds = measure_speeds(engines)
            storage.write_json(speeds_file, asdict(speeds))
        exact = engines.pop(SAFE)
        if engines:
            progress.say("comparing the engines' answers with float32: once for these weights")
        certificates = certify(engines, exact, judge) if engines else {}
        storage.write_json(certificates_file, {name: asdict(one) for name, one in certificates.items()})
    return _choose(loaded, speeds, certificates, kernels, cpu)


def judge_of(classifier: Bundle | None) -> Bundle | None:
    """Return the model whose own labels a certificate compares; None where the encoder is judged alone.

    A classifier goes by its own labels where the encoder was trained with its head. A head on a frozen encoder learned
    from features of the engine that the encoder alone is given, rounding and all, so it gets this one again.
    """
    return None if classifier is None or classifier.is_frozen else classifier


def _open_engines(loaded: LoadedEncoder, kernels: Kernels | NoKernels, cpu: CpuFeatures) -> dict[str, Engine]:
    """Open every engine that this machine can run."""
    engines: dict[str, Engine] = {SAFE: TorchEngine(loaded, device="cpu")}
    if cpu.bf16:
        engines["torch-bfloat16"] = TorchEngine(loaded, device="cpu", precision="bfloat16")
    if isinstance(kernels, Kernels) and not why_not(loaded.config):
        engines["native-bfloat16"] = NativeEngine(loaded, kernels)
    return engines


def _choose(
    loaded: LoadedEncoder,
    speeds: Speeds,
    certificates: Mapping[str, Certificate],
    kernels: Kernels | NoKernels,
    cpu: CpuFeatures,
) -> Calibration:
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
    return Calibration(
        chosen=max(passed, key=lambda one: one.tokens_per_s).name,
        candidates=candidates,
        one_text_threads=speeds.one_text_threads,
        kernels=kernels.reason if isinstance(kernels, NoKernels) else why_not(loaded.config) or str(kernels.path),
        cpu=cpu,
        encoder=loaded.name,
    )


def _read(path: Path, parse: Callable[[Any], _Kept]) -> _Kept | None:
    """Return what was kept; a damaged file is measured again and written over."""
    if not path.is_file():
        return None
    try:
        return parse(storage.read_json(path))
    except (StorageError, KeyError, TypeError, AttributeError):
        return None


def _parse_speeds(values: Any) -> Speeds:
    return Speeds(
        tokens_per_s=dict(values["tokens_per_s"]),
        one_text_ms=dict(values["one_text_ms"]),
        one_text_threads=values["one_text_threads"],
    )


def _parse_certificates(values: Any) -> dict[str, Certificate]:
    return {name: Certificate(**one) for name, one in values.items()}
