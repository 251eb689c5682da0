"""`limbeck doctor`: what this machine can do, and which engine computes here."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, takes
from limbeck.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from limbeck.inference.certificate import Certificate
    from limbeck.inference.engine_calibration import Candidate, EngineCalibration
    from limbeck.native.kernels import NoKernels
    from limbeck.tokens.wordpiece import NativeWordPiece


@takes(options.ENCODER_OPTIONS)
def doctor(
    flags: Flags,
    model: Annotated[
        Path | None,
        typer.Argument(
            help="Run folder or bundle, certified by its own labels; without it an encoder, by nearest class means.",
            show_default=False,
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure the engines again.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show CPU and GPU, each engine's speed and distance from float32, which is used, and why the others are not."""
    from limbeck.catalog.presets import load_encoder_folder
    from limbeck.inference.engine_calibration import find_calibration, used_by, why_not_used
    from limbeck.inference.peak import measure_peaks
    from limbeck.inference.predictor import open_bundle
    from limbeck.inference.usage import Usage, some_of, validation_texts
    from limbeck.native.libraries import known_flags
    from limbeck.reading.sample import SAMPLE_TEXTS, SAMPLE_TOKENS
    from limbeck.runtime import choose_device, gpu_features, library_versions
    from limbeck.settings import FeatureSettings
    from limbeck.training.arithmetic import numerics_here

    following, encoder = screen.following(), flags.given.get("encoder")
    if model is not None and encoder is not None:
        raise SettingsError(f"{model} has an encoder of its own: give it or --encoder {encoder}, not both")
    bundle = None if model is None else open_bundle(model, following)
    loaded = bundle.loaded if bundle else load_encoder_folder(encoder or FeatureSettings().encoder, progress=following)
    usage = Usage(classifier=bundle, texts=() if model is None else some_of(validation_texts(model)))
    place = choose_device(flags.given.get("device", "auto"))
    found = find_calibration(loaded, usage=usage, gpu=gpu_features(place), again=again, progress=following)
    trains = numerics_here(loaded.encoder, place, following)
    used = used_by(found, bundle)
    peaks = measure_peaks((one.name for one in found.candidates), found.cpu.cores)
    why_not = why_not_used(found, used)
    sample_s = SAMPLE_TOKENS / used.tokens_per_s
    if as_json:
        more = {
            "flags": known_flags(),
            "peak_gflops": peaks,
            "used": used.name,
            "why_not": why_not,
            "trains": trains,
            "tokenizes": _tokenizing(loaded.tokenizer.native(following)),
        }
        screen.show_json({**asdict(found), **more, "sample_s": sample_s, "versions": library_versions()})
        return
    _show_machine(found, place, loaded.config.head_width)
    screen.show_line(f"{'encoder' if bundle is None else 'model  '}  {found.encoder}")
    screen.show_line()
    _show_engines(found, used, peaks)
    screen.show_line()
    screen.show_line(f"* is used with --precision auto: {_why(used, found)}. The others are not:")
    for name, reason in why_not.items():
        screen.show_line(f"  {name}: {reason}")
    screen.show_line()
    for one in found.candidates:
        if one.library is not None:
            screen.show_line(f"{one.name} {_came(one.origin)}: {one.library}")
    screen.show_line(_tokenizing(loaded.tokenizer.native(following)))
    screen.show_line("of peak: what a loop of its multiply-adds reaches on these cores without touching memory.")
    judge = "the nearest of six class means" if usage.judge is None else "the model's own answers"
    own = f" and on {len(usage.texts)} of the run's validation texts" if usage.texts else ""
    screen.show_line(
        f"drift: the largest cosine distance of a pooled vector from float32; flipped: labels that change ({judge}); "
        f"on sentences made for this{own}."
    )
    if not found.quiet:
        screen.show_line("The machine had other work meanwhile: it is measured again when it has none.")
    if bundle is not None and bundle.feature_numerics is not None:
        screen.show_line(f"This model's features were made with {bundle.feature_numerics!r}: it keeps that engine.")
    screen.show_line(f"A fine-tuning of this encoder computes in {trains!r} here.")
    screen.show_line()
    on = "" if used.library else f" on {found.gpu.name if found.gpu else found.cpu.capability}"
    screen.show_line(
        f"Expect {_spoken(sample_s)} here for one pass over the {SAMPLE_TEXTS:,} tweets of the sample "
        f"({used.name}{on})."
    )


def _came(origin: str | None) -> str:
    return "came with limbeck" if origin == "wheel" else "was compiled on this machine"


def _tokenizing(found: "NativeWordPiece | NoKernels") -> str:
    """Say who makes tokens of texts."""
    from limbeck.native.kernels import NoKernels

    if isinstance(found, NoKernels):
        return f"Texts are tokenized by the library tokenizers, not in C++: {found.reason}."
    return f"Texts are tokenized in C++, by a library that {_came(found.library.origin)}: {found.library.path}"


def _show_machine(found: "EngineCalibration", place: "torch.device", head_width: int) -> None:
    from limbeck.inference.torch_engine import DTYPES
    from limbeck.model.packed_attention import find_varlen
    from limbeck.native.libraries import known_flags

    cpu, gpu = found.cpu, found.gpu
    screen.show_line(f"CPU      {cpu.name}, {cpu.cores} cores")
    screen.show_line(f"has      {', '.join(known_flags()) or 'no instruction set that kernels are compiled for'}")
    if gpu is not None:
        half = "bfloat16" if gpu.bf16 else "float16"
        attention = find_varlen(gpu, place, DTYPES[half], head_width)
        way = f"in groups by length ({attention})" if isinstance(attention, str) else "packed, without padding"
        screen.show_line(
            f"GPU      {gpu.name}, {gpu.memory_bytes / 2**30:,.0f} GiB: it computes (--device cpu: the CPU)"
        )
        screen.show_line(f"         in {half}, texts {way}")
    elif place.type != "cpu":
        screen.show_line(f"GPU      {place.type}: torch computes in float32, unmeasured (below: with --device cpu)")


def _show_engines(found: "EngineCalibration", used: "Candidate", peaks: "Mapping[str, float]") -> None:
    screen.show_line("engine               tokens/s  GFLOP/s of peak   one text    drift   flipped")
    for one in found.candidates:
        peak = f"{peaks[one.name]:,.0f}" if one.name in peaks else "-"
        judged = "    exact" if one.certificate is None else _judged(one.certificate)
        screen.show_line(
            f"{'*' if one is used else ' '} {one.name:17} {one.tokens_per_s:9,.0f} {one.gflops:8,.0f} {peak:>7} "
            f"{one.one_text_ms:7.1f} ms{judged}"
        )


def _judged(certificate: "Certificate") -> str:
    failed = "" if certificate.passed else "  not certified"
    return f" {certificate.worst_cosine_distance:8.1e} {certificate.flips:9.2%}{failed}"


def _why(used: "Candidate", found: "EngineCalibration") -> str:
    if used.name != found.chosen:
        return "it made this model's features"
    return "the fastest of those whose answers are near enough to float32"


def _spoken(seconds: float) -> str:
    minutes = seconds / 60
    if seconds < 90:
        return f"about {max(1, round(seconds)):,} seconds"
    return f"about {round(minutes):,} minutes" if minutes < 90 else f"about {minutes / 60:,.1f} hours"
