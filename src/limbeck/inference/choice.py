"""Which engine computes: the fastest one that is close enough to float32 on the machine at hand.

In: a loaded encoder, the model that it belongs to, a device and a precision. Out: an `Engine`.
It does not know how engines compute; `calibration` measures them, and nothing here guesses.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from limbeck.errors import SettingsError
from limbeck.inference.calibration import find_calibration
from limbeck.inference.engine import Engine
from limbeck.inference.kernels import Kernels, find_kernels
from limbeck.inference.native_engine import NativeEngine, why_not
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.bundle import Bundle
from limbeck.model.presets import LoadedEncoder
from limbeck.progress import SILENT, Progress
from limbeck.runtime import choose_device
from limbeck.settings import Device, Precision

SMALL_ENCODER_PARAMETERS = 1_000_000
"""Encoders below this are computed in float32 at once: measuring would cost more than it brings."""


def open_engine_of(
    loaded: LoadedEncoder, numerics: str, *, cache_dir: Path | None = None, progress: Progress = SILENT
) -> Engine | None:
    """Return the engine that computes as a record says (`Engine.numerics`); None when this machine has none."""
    device = numerics.rsplit(maxsplit=1)[-1]
    try:
        choose_device(cast("Device", device))
    except SettingsError:
        return None
    ways: list[Callable[[], Engine | None]] = [
        lambda: _native(loaded, cache_dir, progress) if device == "cpu" else None,
        lambda: TorchEngine(loaded, device=cast("Device", device), precision="bfloat16"),
        lambda: TorchEngine(loaded, device=cast("Device", device)),
    ]
    return next((engine for way in ways if (engine := way()) is not None and engine.numerics == numerics), None)


def _native(loaded: LoadedEncoder, cache_dir: Path | None, progress: Progress) -> NativeEngine | None:
    kernels = find_kernels(cache_dir, progress)
    return NativeEngine(loaded, kernels) if isinstance(kernels, Kernels) and not why_not(loaded.config) else None


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
    it is faster, float32 otherwise. On another device it is float32. An engine in bfloat16 has a copy of the weights:
    open it again when they change.

    Args:
        loaded: the encoder.
        classifier: the model that it belongs to; the encoder is used for anything when not given.
        device: where to compute.
        precision: "float32" and "bfloat16" are obeyed without measuring.
        cache_dir: where calibrations and kernels are kept; the user's cache folder when not given.
        progress: is told what is compiled and measured.

    Raises:
        SettingsError: the device is not on this machine.
        StorageError: the calibration cannot be kept.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise SettingsError(f"precision = {precision!r} is not known: give auto, float32 or bfloat16")
    on_cpu = choose_device(device).type == "cpu"
    is_small = sum(values.numel() for values in loaded.encoder.parameters()) < SMALL_ENCODER_PARAMETERS
    if precision == "float32" or (precision == "auto" and (is_small or not on_cpu)):
        return TorchEngine(loaded, device=device)
    if not on_cpu:
        return TorchEngine(loaded, device=device, precision="bfloat16")
    kernels = find_kernels(cache_dir, progress)
    if precision == "bfloat16":
        if isinstance(kernels, Kernels) and not why_not(loaded.config):
            return NativeEngine(loaded, kernels)
        return TorchEngine(loaded, device="cpu", precision="bfloat16")
    calibration = find_calibration(loaded, classifier=classifier, cache_dir=cache_dir, progress=progress)
    if calibration.chosen == "native-bfloat16" and isinstance(kernels, Kernels):
        engine = NativeEngine(loaded, kernels)
        engine.one_text_threads = calibration.one_text_threads
        return engine
    return TorchEngine(
        loaded, device="cpu", precision="bfloat16" if calibration.chosen == "torch-bfloat16" else "float32"
    )
