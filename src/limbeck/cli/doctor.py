"""`limbeck doctor`: what this machine can do, and which engine computes here."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, takes
from limbeck.errors import SettingsError


@takes(options.ENCODER_OPTION)
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
    """Show the CPU, the compiled kernels, and each engine's speed and distance from float32."""
    from limbeck.catalog.presets import load_encoder_folder
    from limbeck.inference.engine_calibration import find_calibration, judge_of, used_by
    from limbeck.inference.predictor import open_bundle
    from limbeck.reading.sample import SAMPLE_TEXTS, SAMPLE_TOKENS
    from limbeck.runtime import library_versions
    from limbeck.settings import FeatureSettings

    following, encoder = screen.following(), flags.given.get("encoder")
    if model is not None and encoder is not None:
        raise SettingsError(f"{model} has an encoder of its own: give it or --encoder {encoder}, not both")
    bundle = None if model is None else open_bundle(model, following)
    loaded = bundle.loaded if bundle else load_encoder_folder(encoder or FeatureSettings().encoder, progress=following)
    found = find_calibration(loaded, classifier=bundle, again=again, progress=following)
    used = used_by(found, bundle)
    sample_s = SAMPLE_TOKENS / used.tokens_per_s
    if as_json:
        screen.show_json({**asdict(found), "used": used.name, "sample_s": sample_s, "versions": library_versions()})
        return
    cpu = found.cpu
    units = [name for name, has in (("bf16", cpu.bf16), ("AMX", cpu.amx), ("int8", cpu.int8)) if has]
    screen.show_line(f"CPU      {cpu.name}, {cpu.cores} cores, {cpu.capability}; units: {', '.join(units) or 'none'}")
    screen.show_line(f"kernels  {found.kernels}")
    screen.show_line(f"{'encoder' if bundle is None else 'model  '}  {found.encoder}")
    screen.show_line()
    screen.show_line("engine               tokens/s   one text   worst drift   flipped labels")
    for one in found.candidates:
        mark = "*" if one is used else " "
        distance = "exact" if one.certificate is None else f"{one.certificate.worst_cosine_distance:.1e}"
        flips = "" if one.certificate is None else f"{one.certificate.flips:.2%} of {one.certificate.texts}"
        failed = "" if one.certificate is None or one.certificate.passed else "  not certified"
        screen.show_line(
            f"{mark} {one.name:17} {one.tokens_per_s:9,.0f} {one.one_text_ms:7.1f} ms {distance:>13}   {flips}{failed}"
        )
    screen.show_line()
    screen.show_line("* is used with --precision auto; drift: cosine distance of mean-pooled vectors from float32.")
    whose = "the nearest of six class means" if judge_of(bundle) is None else "the model's own answers"
    screen.show_line(f"labels: {whose}, on sentences made for this.")
    if bundle is not None and bundle.feature_numerics is not None:
        screen.show_line(f"This model's features were made with {bundle.feature_numerics!r}: it keeps that engine.")
    screen.show_line()
    screen.show_line(
        f"Expect {_spoken(sample_s)} here for one pass over the {SAMPLE_TEXTS:,} tweets of the sample ({used.name} on "
        f"{'AMX' if used.name.startswith('native') else cpu.capability})."
    )


def _spoken(seconds: float) -> str:
    minutes = seconds / 60
    if seconds < 90:
        return f"about {max(1, round(seconds)):,} seconds"
    return f"about {round(minutes):,} minutes" if minutes < 90 else f"about {minutes / 60:,.1f} hours"
