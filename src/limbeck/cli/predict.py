"""`limbeck predict`: labels for texts, for a file of them, or for what comes on standard input."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from limbeck.cli import answers_screen, options, screen
from limbeck.cli.help_screen import OUTPUT
from limbeck.cli.parts_options import IN_PARTS, fill_parts, means_parts, parts_request
from limbeck.cli.settings_options import Flags, takes
from limbeck.scale.work import Answers

if TYPE_CHECKING:
    from limbeck.evaluation.prediction_tables import AnyPredictions
    from limbeck.inference.predictor import Predictor
    from limbeck.progress import Progress
    from limbeck.reading.text_stream import ByteStream
    from limbeck.settings import ReadSettings

STANDARD_INPUT = "-"


@takes(options.READING_TEXTS, options.ENGINE_OPTIONS, IN_PARTS)
def predict(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder of `limbeck train`, a bundle, or hub:OWNER/NAME.")
    ],
    flags: Flags,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Texts to label; '-' alone: one text per line of standard input."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            help="File of texts, in any format that is read; labels are not needed. '-' is standard input. For a "
            "folder of parts: a Parquet, CSV, TSV or JSONL file, a folder of them, or a pattern such as "
            "'texts/*.parquet'; also of s3://, gs:// or hdfs://.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        options.out(
            "File to write: .parquet, .jsonl or .csv, rows in the same order, the input's columns first. A name "
            "without a suffix is a folder of parts, for more rows than memory holds: the same command goes on where it "
            "stopped. Without it, --input gives JSON Lines on standard output.",
            "--output",
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            help="Number of labels per text, the most probable first; files and --json have them in columns "
            "top_1.label, top_1.probability and so on. [default: 1 on screen, no such columns]"
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object for a program to read; of standard input, one per line.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
) -> None:
    """Label each TEXT, each row of --input, or each line of standard input, with RUN."""
    from limbeck.errors import DataError, SettingsError
    from limbeck.evaluation.prediction_files import PREDICTION_SUFFIXES, write_predictions
    from limbeck.reading.read import read_with
    from limbeck.settings import FeatureSettings, ReadSettings
    from limbeck.storage import check_place

    if texts == [STANDARD_INPUT] and source is None:
        texts, source = None, STANDARD_INPUT
    if bool(texts) == (source is not None):
        raise SettingsError("give either texts, or --input FILE; '-' is standard input, with one text per line")
    if empty := [number for number, text in enumerate(texts or [], start=1) if not text.strip()]:
        raise DataError(f"text {empty[0]} is empty or only white space: there is nothing to label in it")
    if out is not None and source == STANDARD_INPUT:
        raise SettingsError("standard input is answered on standard output, as it comes: leave --output out")
    if source is not None and means_parts(source, out, flags, overwrite=overwrite, option="--output"):
        work, into = Answers(top_k=top_k), cast("Path", out)
        fill_parts(parts_request(run, source, into, flags, reading=options.READING_TEXTS, work=work), as_json=as_json)
        return
    from limbeck.inference.long_answers import predict_to_file
    from limbeck.inference.predictor import load

    if out is not None:
        check_place(out, PREDICTION_SUFFIXES, source=source, overwrite=overwrite)
    following = screen.following()
    computing = flags.build(FeatureSettings)
    predictor = load(run, device=computing.device, engine=computing.engine, progress=following)
    # With the model's names a text;label file is told from a file of plain texts.
    names = ReadSettings(text_column=predictor.text_column, label_names=predictor.label_names, labels="ignored")
    reading = flags.build(ReadSettings, asdict(names))
    if source == STANDARD_INPUT:
        _answer_lines(predictor, reading, top_k, following, as_lines=as_json or not sys.stdout.isatty())
        return
    if source is None:
        found = predictor.predict(texts or [], progress=following)
    else:
        dataset = read_with(source, reading, following)
        screen.tell_notes(dataset.notes, following)
        if out is not None and not as_json:
            written = predict_to_file(predictor, dataset, out, top_k=top_k, progress=following)
            screen.show_line(f"{out}: {len(written):,} rows; {screen.say_read(written)}")
            return
        found = predictor.predict_dataset(dataset, progress=following)
    if out is not None:
        write_predictions(out, found, top_k=top_k)
        if not as_json:
            screen.show_line(f"{out}: {len(found):,} rows; {screen.say_read(found)}")
            return
    _show(found, top_k, as_json=as_json, as_lines=source is not None)


def _show(found: "AnyPredictions", top_k: int | None, *, as_json: bool, as_lines: bool) -> None:
    """Show answers: for a program as one object or as lines, or for a person."""
    from limbeck.evaluation.prediction_files import json_lines, table_of

    if as_json:
        screen.show_json({"rows": [json.loads(line) for line in json_lines(table_of(found, top_k=top_k))]})
    elif as_lines:
        screen.show_json_lines(table_of(found, top_k=top_k))
    else:
        answers_screen.show_predictions(found, top_k=top_k)


def _answer_lines(
    predictor: "Predictor", reading: "ReadSettings", top_k: int | None, following: "Progress", *, as_lines: bool
) -> None:
    """Answer standard input as it comes: what has come is answered and said before more is waited for."""
    from dataclasses import replace

    from limbeck.inference.long_answers import Written
    from limbeck.reading.text_stream import LineStream

    lines = LineStream(cast("ByteStream", sys.stdin.buffer), reading)
    answered = Written(rows=0, count_cut=0, count_unread=0)
    for come in lines:
        found = predictor.predict([text for _, text in come])
        found = replace(found, row_ids=tuple(str(number) for number, _ in come))
        answered = answered.and_of(found)
        _show(found, top_k, as_json=False, as_lines=as_lines)
    if lines.left_out:
        following.say(f"empty lines, left out: {len(lines.left_out):,} (first: line {lines.left_out[0]:,})")
    if answered.count_cut or answered.count_unread:
        following.say(screen.say_read(answered))
