"""`limbeck doctor`: what this machine can do, and which engine computes here."""

from dataclasses import asdict
from typing import Annotated

import typer

from limbeck.cli import options, screen


def doctor(
    encoder: options.Encoder = None,
    again: Annotated[bool, typer.Option("--again", help="Measure the engines anew.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show the CPU, the compiled kernels, and each engine's speed and distance from float32."""
    from limbeck import progress
    from limbeck.inference.calibration import find_calibration
    from limbeck.model.presets import load_encoder_folder
    from limbeck.runtime import library_versions
    from limbeck.settings import FeatureSettings

    loaded = load_encoder_folder(encoder or FeatureSettings().encoder, progress=progress.for_stream())
    found = find_calibration(loaded, again=again)
    if as_json:
        screen.show_json({**asdict(found), "versions": library_versions()})
        return
    cpu = found.cpu
    units = [name for name, has in (("bf16", cpu.bf16), ("AMX", cpu.amx), ("int8", cpu.int8)) if has]
    screen.show_line(f"CPU      {cpu.name}, {cpu.cores} cores, {cpu.capability}; units: {', '.join(units) or 'none'}")
    screen.show_line(f"kernels  {found.kernels}")
    screen.show_line(f"encoder  {found.encoder}")
    screen.show_line()
    screen.show_line("engine               tokens/s   one text   worst drift   flipped labels")
    for one in found.candidates:
        mark = "*" if one.name == found.chosen else " "
        distance = "exact" if one.certificate is None else f"{one.certificate.worst_cosine_distance:.1e}"
        flips = "" if one.certificate is None else f"{one.certificate.flips:.2%} of {one.certificate.texts}"
        failed = "" if one.certificate is None or one.certificate.passed else "  not certified"
        screen.show_line(
            f"{mark} {one.name:17} {one.tokens_per_s:9,.0f} {one.one_text_ms:7.1f} ms {distance:>13}   {flips}{failed}"
        )
    screen.show_line()
    screen.show_line("* is used with --precision auto; drift: cosine distance of mean-pooled vectors from float32.")
