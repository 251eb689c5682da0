"""`limbeck report`: everything that is known about a run as one page."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, takes
from limbeck.settings import FeatureSettings


@takes(options.DEVICE_OPTION)
def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder of `limbeck train` or `distil`.", show_default=False)
    ],
    flags: Flags,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="The run's data, if you have moved them.", show_default=False),
    ] = None,
    lang: Annotated[Literal["en", "ko"], typer.Option(help="Language of the page and of its charts.")] = "en",
    out: Annotated[Path | None, options.out("File to write the page to. [default: RUN/report.html]")] = None,
    learning_curve: Annotated[
        bool,
        typer.Option(
            "--learning-curve",
            help="Also fit the probe on 10, 20, 40 and 70 % of the training rows, in seconds to minutes. The curve "
            "is kept in RUN/learning_curve.json, and later reports show it.",
        ),
    ] = False,
    umap: Annotated[
        bool, typer.Option("--umap", help="Map the rows by UMAP too; this needs umap-learn, and takes up to minutes.")
    ] = False,
    png: Annotated[
        bool, typer.Option("--png", help="Write the charts beside the run as PNG files, too, not as SVG files alone.")
    ] = False,
    overwrite: options.Overwrite = False,
    cache_dir: options.CacheFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Write the report of RUN, one HTML file that loads nothing from elsewhere, and the model card."""
    from limbeck import storage
    from limbeck.api.reports import ReportSettings, write_report
    from limbeck.features.cache import FeatureCache
    from limbeck.runs.run_folder import RunFolder

    if out is not None:
        storage.check_place(out, (".html", ".htm"), source=data, overwrite=overwrite)
    device = flags.build(FeatureSettings).device
    settings = ReportSettings(language=lang, learning_curve=learning_curve, umap=umap, png=png, device=device)
    made = write_report(run, settings, data=data, out=out, cache=FeatureCache(cache_dir), progress=screen.following())
    if as_json:
        facts = {"run": str(run), "report": str(made.path), "bytes": made.size_bytes}
        limits = [{"kind": one.kind, "in_words": str(one)} for one in made.limits]
        screen.show_json({**facts, "charts": list(made.charts), "card_changed": made.card_changed, "limits": limits})
        return
    screen.show_line(f"report      {made.path} ({made.size_bytes / 2**20:.1f} MiB)")
    screen.show_line(f"pictures    {made.pictures or 'in the page'}")
    screen.show_line(f"model card  {RunFolder(run).bundle / 'README.md'}{'' if made.card_changed else ' (as it was)'}")
    if made.has_issues:
        screen.show_next("labels", run, "--out", screen.free_place("review.csv"))
    else:
        screen.show_predict_next(run)
