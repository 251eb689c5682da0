"""Which engine computes: the fastest one that is close enough to float32 on the machine at hand.

In: a loaded encoder, the model that it belongs to, a device and a precision. Out: an `Engine`.
It does not know how engines compute; `calibration` measures them, and nothing here guesses.
"""

from pathlib import Path
from typing import get_args

from limbeck.errors import SettingsError
from limbeck.inference.engine import Engine
from limbeck.inference.engine_calibration import SAFE, candidate_names, find_calibration
from limbeck.inference.native_engine import ENGINE_NUMERICS, NativeEngine, why_not
from limbeck.inference.torch_engine import TorchEngine, TorchPrecision
from limbeck.model.bundle import Bundle
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.kernels import Kernels
from limbeck.native.libraries import find_kernels
from limbeck.progress import SILENT, Progress
from limbeck.runtime import choose_device, cpu_features, has_bf16
from limbeck.settings import Device, Precision

SMALL_ENCODER_PARAMETERS = 1_000_000
"""Encoders below this are computed in float32 at once: measuring would cost more than it brings."""


def open_engine_of(
    loaded: LoadedEncoder, numerics: str, *, cache_dir: Path | None = None, progress: Progress = SILENT
) -> Engine | None:
    """Return the engine that computes as a record says (`Engine.numerics`); None when this machine has none."""
    if numerics == ENGINE_NUMERICS:
        kernels = find_kernels(cache_dir, progress)
        return NativeEngine(loaded, kernels) if isinstance(kernels, Kernels) and not why_not(loaded.config) else None
    for device in get_args(Device):
        for precision in get_args(TorchPrecision):
            if numerics == f"torch {precision} {device}":
                try:
                    return TorchEngine(loaded, device=device, precision=precision)
                except SettingsError:
                    return None
    return None


def open_engine(
    loaded: LoadedEncoder,
    *,
    classifier: Bundle | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    cache_dir: Path | None = None,
    progress: Progress = SILENT,
) -> Engine:
    """Return the engine to compute with.

    On a CPU "auto" is what the calibration chose: bfloat16 where the CPU has units for it, the certificate passed and
    it is faster, float32 otherwise. On another device it is float32. A model whose head learned from features of a
    frozen encoder keeps the engine that made them. An engine in bfloat16 has a copy of the weights: open it again when
    they change.

    Args:
        loaded: the encoder.
        classifier: the model that it belongs to; the encoder is used for anything when not given.
        device: where to compute.
        precision: "float32" and "bfloat16" are obeyed without measuring.
        cache_dir: where calibrations and kernels are kept; the user's cache folder when not given.
        progress: is told what is compiled and measured.

    Raises:
        SettingsError: the device is not on this machine.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise SettingsError(f"precision = {precision!r} is not known: give auto, float32 or bfloat16")
    if precision == "auto" and classifier is not None and classifier.feature_numerics is not None:
        return open_recorded_engine(
            loaded, classifier.feature_numerics, device=device, cache_dir=cache_dir, progress=progress
        )
    on_cpu = choose_device(device).type == "cpu"
    if precision == "auto":
        is_small = sum(values.numel() for values in loaded.encoder.parameters()) < SMALL_ENCODER_PARAMETERS
        precision = "float32" if is_small or not on_cpu else precision
    if precision == "float32" or not on_cpu:
        return TorchEngine(loaded, device=device, precision=precision if precision == "bfloat16" else "float32")
    kernels = find_kernels(cache_dir, progress)
    names = candidate_names(loaded, kernels, cpu_features())
    if precision == "bfloat16":
        calibration, chosen = None, "native-bfloat16" if "native-bfloat16" in names else "torch-bfloat16"
    elif names == {SAFE}:
        calibration, chosen = None, SAFE
    else:
        calibration = find_calibration(loaded, classifier=classifier, cache_dir=cache_dir, progress=progress)
        chosen = calibration.chosen
    if chosen == "native-bfloat16" and isinstance(kernels, Kernels):
        engine = NativeEngine(loaded, kernels)
        engine.one_text_threads = calibration.one_text_threads if calibration else 1
        return engine
    return TorchEngine(loaded, device="cpu", precision="float32" if chosen == SAFE else "bfloat16")


def open_recorded_engine(
    loaded: LoadedEncoder,
    numerics: str,
    *,
    device: Device = "auto",
    cache_dir: Path | None = None,
    progress: Progress = SILENT,
) -> Engine:
    """Return the engine that made a head's features, or where it is none of this machine's, float32.

    Args:
        loaded: the encoder.
        numerics: of the engine that is wanted, as a run's record has them ("native bfloat16 cpu").
        device: where to compute.
        cache_dir: where calibrations and kernels are kept; the user's cache folder when not given.
        progress: is told when another engine computes than the one that is named.

    Raises:
        SettingsError: the device is not on this machine.
    """
    kind = choose_device(device).type
    if numerics.startswith("torch float32"):
        return TorchEngine(loaded, device=device)
    if numerics.endswith(f" {kind}") and (numerics == ENGINE_NUMERICS or has_bf16(kind)):
        engine = open_engine_of(loaded, numerics, cache_dir=cache_dir, progress=progress)
        if isinstance(engine, NativeEngine):
            engine.one_text_threads = find_calibration(loaded, cache_dir=cache_dir, progress=progress).one_text_threads
        if engine is not None:
            return engine
    progress.say(f"features were made with {numerics!r}, for which this machine has no units: float32 computes")
    return TorchEngine(loaded, device=device)
