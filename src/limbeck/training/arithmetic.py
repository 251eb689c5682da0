"""The arithmetic of a training: which precision it computes in, and with what.

In: a setting, a device, a network. Out: the answer. It does not know what is trained.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import torch

from limbeck.errors import SettingsError
from limbeck.inference.engine_candidates import NATIVE, SAFE, TORCH_BF16, TORCH_FP16, require_known, require_library
from limbeck.inference.native_engine import why_not
from limbeck.model.blocks import blocks_for
from limbeck.model.encoder import Encoder
from limbeck.model.network import Network
from limbeck.native.instruction_sets import LIBRARIES
from limbeck.native.kernels import Kernels
from limbeck.native.libraries import FORCED, candidate_libraries, find_library
from limbeck.progress import SILENT, Progress
from limbeck.runtime import choose_device, has_bf16
from limbeck.settings import Device, EngineName, Precision
from limbeck.training.native_step import NativeStep, step_numerics

_CPU = torch.device("cpu")


def computes_in_bf16(precision: Precision, device: torch.device) -> bool:
    """Tell whether to compute in bfloat16: where the processor has units for it, unless told otherwise."""
    if precision == "auto":
        return has_bf16(device.type)
    return precision == "bfloat16"


@dataclass(frozen=True, kw_only=True, eq=False)
class Arithmetic:
    """What a training computes in.

    Attributes:
        device: where.
        use_bf16: products in bfloat16.
        native: computes the encoder's steps; None where torch does.
    """

    device: torch.device
    use_bf16: bool
    native: NativeStep | None

    @property
    def numerics(self) -> str:
        """The same in words, as a run's record has them."""
        return numerics_of(self.native, self.device, use_bf16=self.use_bf16)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trainee:
    """An encoder that is to be trained, on its device already.

    Attributes:
        encoder: with its weights.
        has_tied_words: a head computes with the word embeddings too.
        why_not_native: why torch has to train it; None where kernels can.
    """

    encoder: Encoder
    has_tied_words: bool
    why_not_native: str | None

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return next(self.encoder.parameters()).device


def classifier_trainee(network: Network) -> Trainee:
    """Return the encoder of a classifier; kernels train it under a head that sees [CLS] of the last layer."""
    sees_more = network.blocks != blocks_for("cls", None, network.encoder.config.n_layers)
    reason = "the head sees more than [CLS] of the last layer" if sees_more else None
    return _trainee(network.encoder, reason, has_tied_words=False)


def language_trainee(encoder: Encoder) -> Trainee:
    """Return an encoder under a language head."""
    return _trainee(encoder, None, has_tied_words=True)


def _trainee(encoder: Encoder, reason: str | None, *, has_tied_words: bool) -> Trainee:
    device = next(encoder.parameters()).device.type
    off_cpu = f"kernels compute on the CPU; this is {device}" if device != "cpu" else None
    return Trainee(
        encoder=encoder, has_tied_words=has_tied_words, why_not_native=off_cpu or reason or why_not(encoder.config)
    )


def device_to_train_on(device: Device, numerics: str | None) -> torch.device:
    """Return the device of the settings; where these leave it open, the one that an unfinished run was begun on."""
    if device == "auto" and numerics and (kind := numerics.rsplit(maxsplit=1)[-1]) in ("cpu", "cuda", "mps"):
        with suppress(SettingsError):
            return choose_device(cast("Device", kind))
    return choose_device(device)


def find_arithmetic(
    trainee: Trainee,
    *,
    precision: Precision = "auto",
    engine: EngineName | None = None,
    numerics: str | None = None,
    progress: Progress = SILENT,
) -> Arithmetic:
    """Return what to compute in: what was asked for, or what an unfinished run was begun in, or the best here.

    On a CPU the best are compiled kernels: in bfloat16 where the CPU has units for it, in float32 elsewhere and where
    that precision is asked for.

    Args:
        trainee: the encoder that is to be trained.
        precision: "auto", "float32" or "bfloat16".
        engine: the name of what is to compute, which then computes and nothing else.
        numerics: what an unfinished run was begun in, as its record has it.
        progress: is told when something is compiled.

    Raises:
        SettingsError: the engine cannot train this here; says what is missing.
    """
    if engine is not None:
        return _named(trainee, engine, precision, progress)
    if numerics is not None and (recorded := _recorded(trainee, numerics, progress)) is not None:
        return recorded
    use_bf16 = computes_in_bf16(precision, trainee.device)
    kernels = _best_kernels(trainee, use_bf16=use_bf16, is_open=precision == "auto", progress=progress)
    return _torch(trainee, use_bf16=use_bf16) if kernels is None else _native(trainee, kernels)


def native_beside(how: Arithmetic, trainee: Trainee, engine: EngineName | None) -> NativeStep | None:
    """Return what computes another encoder of the same training natively; None where torch has to.

    Args:
        how: the training is computed.
        trainee: the other encoder.
        engine: that was asked for.
    """
    if trainee.why_not_native:
        return None
    if how.native is not None:
        return _native(trainee, how.native.kernels).native
    kernels = None if engine else _best_kernels(trainee, use_bf16=how.use_bf16, is_open=False, progress=SILENT)
    return None if kernels is None else _native(trainee, kernels).native


def numerics_here(encoder: Encoder, device: torch.device = _CPU, progress: Progress = SILENT) -> str:
    """Say in what a fine-tuning of an encoder computes on a device of this machine, with what is preset."""
    if device.type != "cpu":
        return numerics_of(None, device, use_bf16=computes_in_bf16("auto", device))
    trainee = _trainee(encoder, None, has_tied_words=False)
    use_bf16 = computes_in_bf16("auto", trainee.device)
    kernels = _best_kernels(trainee, use_bf16=use_bf16, is_open=True, progress=progress)
    return _torch(trainee, use_bf16=use_bf16).numerics if kernels is None else step_numerics(kernels)


def numerics_of(native: NativeStep | None, device: torch.device, *, use_bf16: bool) -> str:
    """Say how is computed, as a run's record has it."""
    if native is not None:
        return native.numerics
    return f"torch {'bfloat16, weights float32' if use_bf16 else 'float32'} {device.type}"


def _torch(trainee: Trainee, *, use_bf16: bool) -> Arithmetic:
    return Arithmetic(device=trainee.device, use_bf16=use_bf16, native=None)


def _native(trainee: Trainee, kernels: Kernels) -> Arithmetic:
    step = NativeStep(trainee.encoder, kernels, has_tied_words=trainee.has_tied_words)
    return Arithmetic(device=trainee.device, use_bf16=kernels.about.is_bf16, native=step)


def _named(trainee: Trainee, engine: EngineName, precision: Precision, progress: Progress) -> Arithmetic:
    """Return what a name means, whether it is fast or not."""
    require_known(engine)
    if precision != "auto":
        raise SettingsError(f"engine = {engine!r} says how to compute, and so does precision = {precision!r}: give one")
    if engine in (SAFE, TORCH_BF16):
        return _torch(trainee, use_bf16=engine == TORCH_BF16)
    if engine == TORCH_FP16:
        raise SettingsError(f"engine = {engine!r} cannot train, its range is too small: give {SAFE} or {TORCH_BF16}")
    if trainee.why_not_native:
        raise SettingsError(
            f"engine = {engine!r} cannot train this: {trainee.why_not_native}; leave the engine out, or give {SAFE}"
        )
    return _native(trainee, require_library(engine.removeprefix(NATIVE), f"engine {engine}", progress=progress))


def _recorded(trainee: Trainee, numerics: str, progress: Progress) -> Arithmetic | None:
    """Return what a record names; None where it is not to be had here."""
    for use_bf16 in (True, False):
        if (plain := _torch(trainee, use_bf16=use_bf16)).numerics == numerics:
            return plain
    named = re.search(r"\((\w+)\)", numerics)
    if trainee.why_not_native or named is None or named[1] not in {library.name for library in LIBRARIES}:
        return None
    kernels = find_library(named[1], progress=progress)
    if isinstance(kernels, Kernels) and step_numerics(kernels) == numerics:
        return _native(trainee, kernels)
    return None


def _best_kernels(trainee: Trainee, *, use_bf16: bool, is_open: bool, progress: Progress) -> Kernels | None:
    """Return the best kernels of an arithmetic; where that is left open, those that the environment forces, if any."""
    forced = os.environ.get(FORCED)
    for library in () if trainee.why_not_native else candidate_libraries():
        found = (
            require_library(library.name, f"{FORCED}={forced}", progress=progress)
            if forced
            else find_library(library.name, progress=progress)
        )
        if isinstance(found, Kernels) and (found.about.is_bf16 == use_bf16 or (forced and is_open)):
            return found
    return None
