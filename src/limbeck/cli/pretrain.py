"""`limbeck pretrain`: an encoder from raw text, with a teacher or without."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limbeck.cli import options, screen
from limbeck.cli import training_options as own
from limbeck.cli.figures_screen import show_seeds
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.methods.pretrain_settings import PretrainingSettings
from limbeck.settings import ReadSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


@takes(
    From(kind=PretrainingSettings, names={"epochs": ("--stretches",), "teacher": ("--teacher", "--encoder")}),
    From(kind=ReadSettings, only=("text_column", "encoding")),
)
@own.in_team()
def pretrain(
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="TEXTS", help="File of texts in any format that is read (.txt: one per line), or a folder."
        ),
    ],
    out: options.RunOut,
    flags: Flags,
    config: Annotated[Path | None, options.config(options.TABLES["pretrain"])] = None,
    overwrite: own.OverwriteRun = False,
    resume: own.Resume = False,
    accept_engine: own.AcceptEngine = False,
    elastic: own.Elastic = False,
    as_json: options.AsJson = False,
) -> None:
    """Train an encoder on raw TEXTS: a smaller one that learns from a teacher, or one that adapts to a field's words.

    RUN/encoder is what `--encoder` takes. Every 50th text is held out to judge by, up to 50,000 tokens.
    """
    from limbeck.methods import pretrain as pretraining
    from limbeck.reading.text_stream import open_stream
    from limbeck.runtime import is_follower

    tables = own.tables_asked(config, out, resume=resume or elastic, used=options.TABLES["pretrain"])
    settings = flags.build(PretrainingSettings, tables.get("pretrain", {}), where="pretrain")
    reading = flags.build(ReadSettings)
    start = own.start_of(overwrite=overwrite, resume=resume, accept_engine=accept_engine, elastic=elastic)
    stream = open_stream(texts, text_column=reading.text_column, encoding=reading.encoding)
    run = pretraining.pretrain(stream, out, settings, start=start, progress=screen.following())
    if is_follower():
        return
    if as_json:
        screen.show_json(run.metrics)
        return
    _show(run.metrics)
    if "spread" in run.metrics:
        show_seeds(run.metrics)
    screen.show_line(f"Results are in {run.folder.path}")
    screen.show_line(f"  figures      {run.folder.metrics}")
    screen.show_line(f"  encoder      {run.folder.encoder}")
    made = ("--encoder", run.folder.encoder, "--out", screen.free_place("RUN"))
    screen.show_next("train", "YOUR_DATA", "--method", "finetune", *made)


def _show(metrics: "Mapping[str, Any]") -> None:
    from limbeck.methods.language import Perplexity

    rows = [Perplexity(**line).cells() for line in metrics["epochs"]]
    for row in rows:
        row[0] += " (kept)" if row[0] == str(metrics["best_epoch"]) else ""
    screen.show_table("Stretches", ["Stretch", *Perplexity.head[1:]], rows)
    sides = {"before": metrics["before"], "after": metrics["validation"]}
    if "perplexity" in metrics["teacher"]:
        sides = {"teacher": metrics["teacher"], **sides}
    screen.show_table(
        "Masked tokens of texts that were held out",
        ["", "perplexity", "guessed"],
        [[name, f"{side['perplexity']:.2f}", f"{side['guessed']:.1%}"] for name, side in sides.items()],
    )
    student = metrics["student"]
    screen.show_line(
        f"{student['layers']} layers, {student['parameters'] / 1e6:.1f} M parameters; {metrics['tokens']:,} tokens in "
        f"{metrics['train_seconds']:,.0f} s, {metrics['tokens_per_s']:,} tokens/s"
    )
