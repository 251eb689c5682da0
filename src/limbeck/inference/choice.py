"""Which engine computes: the fastest one that is close enough to float32 on the machine at hand.

In: a loaded encoder, what it is for, a device, a precision or an engine's name. Out: an `Engine`.
It does not know how engines compute; `engine_calibration` measures them, and nothing here guesses.
"""

from typing import get_args

from limbeck.errors import SettingsError
from limbeck.inference.engine import Engine
from limbeck.inference.engine_calibration import find_calibration, find_speeds
from limbeck.inference.engine_candidates import (
    NATIVE,
    SAFE,
    TORCH_BF16,
    TORCH_FP16,
    Candidates,
    find_candidates,
    require_known,
    require_library,
    torch_precision,
)
from limbeck.inference.native_engine import ENGINE_NUMERICS, FLOAT_ENGINE_NUMERICS, NativeEngine, require_computable
from limbeck.inference.torch_engine import TorchEngine, TorchPrecision
from limbeck.inference.usage import ANYTHING, Usage
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.libraries import library_named, why_not_usable
from limbeck.progress import SILENT, Progress
from limbeck.runtime import choose_device, gpu_features, has_bf16
from limbeck.settings import Device, EngineName, Precision

SMALL_ENCODER_PARAMETERS = 1_000_000
"""Encoders below this are computed in float32 at once: measuring would cost more than it brings."""


def open_engine_of(loaded: LoadedEncoder, numerics: str, *, progress: Progress = SILENT) -> Engine | None:
    """Return the engine that computes as a record says (`Engine.numerics`); None when this machine has none.

    Of several native ones of the same arithmetic it is the fastest.
    """
    if numerics in (ENGINE_NUMERICS, FLOAT_ENGINE_NUMERICS):
        candidates = find_candidates(loaded.config, progress=progress)
        alike = [name for name in candidates.native if candidates.numerics(name) == numerics]
        if not alike:
            return None
        speeds = find_speeds(loaded, candidates, progress=progress)
        name = max(alike, key=speeds.tokens_per_s.__getitem__)
        return _opened(loaded, candidates, name, one_text_threads=speeds.one_text_threads[name])
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
    usage: Usage = ANYTHING,
    device: Device = "auto",
    precision: Precision = "auto",
    engine: EngineName | None = None,
    progress: Progress = SILENT,
) -> Engine:
    """Return the engine to compute with.

    "auto" is what the calibration chose. On a CPU: compiled kernels where they are there, passed their certificate and
    are faster, torch in float32 otherwise. On a GPU: torch in bfloat16, or in float16 where the GPU has no units for
    that, on the same terms; on Apple's GPU, where nobody has tried these, torch in float32. A model whose head learned
    from features of a frozen encoder keeps the engine that made them. Precision "float32" is torch in float32, exact;
    "bfloat16" is the best engine that multiplies such numbers. Native engines have a copy of the weights: open them
    again when these change.

    Args:
        loaded: the encoder.
        usage: what it is for; anything when not given.
        device: where to compute.
        precision: "auto", "float32" or "bfloat16".
        engine: the name of an engine, which then is used and no other.
        progress: is told what is compiled and measured.

    Raises:
        SettingsError: the device is not on this machine, or the engine cannot be used here; says what is missing.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise SettingsError(f"precision = {precision!r} is not known: give auto, float32 or bfloat16")
    if engine is not None:
        return _open_named(loaded, engine, device, precision, progress)
    classifier = usage.classifier
    if precision == "auto" and classifier is not None and classifier.feature_numerics is not None:
        return open_recorded_engine(loaded, classifier.feature_numerics, device=device, progress=progress)
    place = choose_device(device)
    on_cpu, gpu = place.type == "cpu", gpu_features(place)
    if precision == "auto":
        is_small = sum(values.numel() for values in loaded.encoder.parameters()) < SMALL_ENCODER_PARAMETERS
        precision = "float32" if is_small or not (on_cpu or gpu) else precision
    if precision == "float32" or (precision == "bfloat16" and not on_cpu):
        return TorchEngine(loaded, device=device, precision=precision)
    candidates = find_candidates(loaded.config, gpu=gpu, progress=progress)
    if precision == "bfloat16":
        alike = (name for name in candidates.native if candidates.numerics(name) == ENGINE_NUMERICS)
        return _opened(loaded, candidates, next(alike, TORCH_BF16))
    if candidates.names == (SAFE,):
        return _opened(loaded, candidates, SAFE)
    found = find_calibration(loaded, usage=usage, gpu=gpu, progress=progress)
    chosen = found[found.chosen]
    return _opened(
        loaded,
        candidates,
        chosen.name,
        one_text_threads=chosen.one_text_threads,
        token_budget=chosen.token_budget,
    )


def open_recorded_engine(
    loaded: LoadedEncoder, numerics: str, *, device: Device = "auto", progress: Progress = SILENT
) -> Engine:
    """Return the engine that made a head's features, or where it is none of this machine's, float32.

    Args:
        loaded: the encoder.
        numerics: of the engine that is wanted, as a run's record has them ("native bfloat16 cpu").
        device: where to compute.
        progress: is told when another engine computes than the one that is named.

    Raises:
        SettingsError: the device is not on this machine.
    """
    kind = choose_device(device).type
    if numerics.startswith("torch float32"):
        return TorchEngine(loaded, device=device)
    is_native = numerics in (ENGINE_NUMERICS, FLOAT_ENGINE_NUMERICS)
    is_quick = has_bf16(kind) or (kind != "cpu" and numerics.startswith("torch float16"))
    if numerics.endswith(f" {kind}") and (is_native or is_quick):
        engine = open_engine_of(loaded, numerics, progress=progress)
        if engine is not None:
            return engine
    progress.say(
        f"features were made with {numerics!r}, for which there is no engine here (`limbeck doctor` says why): "
        "float32 computes"
    )
    return TorchEngine(loaded, device=device)


def _open_named(
    loaded: LoadedEncoder, name: EngineName, device: Device, precision: Precision, progress: Progress
) -> Engine:
    """Return the engine of a name, whether it is fast or not."""
    require_known(name)
    if precision != "auto":
        raise SettingsError(f"engine = {name!r} says how to compute, and so does precision = {precision!r}: give one")
    if name in (SAFE, TORCH_BF16, TORCH_FP16):
        kind, wanted = choose_device(device).type, torch_precision(name)
        if (name == TORCH_BF16 and not has_bf16(kind)) or (name == TORCH_FP16 and kind == "cpu"):
            progress.say(f"this {kind} has no units for {wanted}: torch computes it slowly")
        return TorchEngine(loaded, device=device, precision=wanted)
    if device not in ("auto", "cpu"):
        raise SettingsError(f"engine = {name!r} computes on the CPU, not on {device}: leave the device out")
    library = name.removeprefix(NATIVE)
    if why_not_usable(library_named(library)) is None:
        require_computable(loaded.config)  # before anything is compiled for it
    return NativeEngine(loaded, require_library(library, f"engine {name}", progress=progress))


def _opened(
    loaded: LoadedEncoder,
    candidates: Candidates,
    name: str,
    *,
    one_text_threads: int | None = None,
    token_budget: int | None = None,
) -> Engine:
    """Open an engine, with the threads that suit a single text and the token budget, where these were measured."""
    engine = candidates.open(loaded, name)
    if isinstance(engine, NativeEngine) and one_text_threads is not None:
        engine.one_text_threads = min(one_text_threads, engine.threads)
    if isinstance(engine, TorchEngine) and token_budget is not None:
        engine.token_budget = token_budget
    return engine


def engine_name(engine: Engine) -> str:
    """Return the name by which an engine is opened again, here or in another process: it then computes the same bits.

    Raises:
        SettingsError: it is none that has a name.
    """
    if isinstance(engine, NativeEngine):
        return NATIVE + engine.library_name
    if isinstance(engine, TorchEngine):
        return f"torch-{engine.precision}"
    raise SettingsError(f"{type(engine).__name__} is no engine with a name")
