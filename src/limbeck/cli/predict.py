"""`limbeck predict`: labels for texts, or for a file of them."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import options, screen


def predict(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder of `limbeck train`, a bundle, or hub:OWNER/NAME.")
    ],
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to label.")] = None,
    source: Annotated[
        Path | None, typer.Option("--input", help="File of texts, in any format that is read; labels are not needed.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--output", help="File to write: .parquet, .jsonl or .csv, rows in the same order.")
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            help="Name this many labels a text, the most probable first; files and --json have them in columns "
            "top_1.label, top_1.probability and so on. [default: 1 on screen, no such columns]"
        ),
    ] = None,
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    on_bad_row: options.OnBadRow = None,
    device: options.DeviceName = None,
    as_json: options.AsJson = False,
) -> None:
    """Label each TEXT, or each row of --input, with RUN."""
    from limbeck import progress
    from limbeck.data.read import read_with
    from limbeck.errors import DataError, SettingsError
    from limbeck.evaluation.prediction_files import SUFFIXES, write_predictions
    from limbeck.inference.predictor import load
    from limbeck.settings import ReadSettings, build
    from limbeck.storage import check_place

    if bool(texts) == (source is not None):
        raise SettingsError("give either texts, or --input FILE")
    if empty := [number for number, text in enumerate(texts or [], start=1) if not text.strip()]:
        raise DataError(f"text {empty[0]} is empty or only white space: there is nothing to label in it")
    if source is not None and out is None and not as_json:
        raise SettingsError("--input needs --output FILE (.parquet, .jsonl or .csv), or --json")
    if out is not None:
        check_place(out, SUFFIXES, source=source)
    following = progress.for_stream()
    predictor = load(run, device=options.device_of(device), progress=following)
    if source is None:
        found = predictor.predict(texts or [], progress=following)
    else:
        # With the model's names a text;label file is told from a file of plain texts.
        names = ReadSettings(label_names=predictor.label_names, labels="ignored")
        flags = options.given(text_column=text_column, encoding=encoding, on_bad_row=on_bad_row)
        reading = build(ReadSettings, asdict(names), flags, where="flags")
        dataset = read_with(str(source), reading, following)
        screen.tell_notes(dataset.notes, following)
        found = predictor.predict_dataset(dataset, progress=following)
    if out is not None:
        write_predictions(out, found, top_k=top_k)
    if as_json:
        screen.show_json({"rows": found.to_arrow(top_k=top_k).to_pylist()})
    elif out is not None:
        screen.show_line(f"{out}: {len(found):,} rows; {screen.say_cut(found)}")
    else:
        screen.show_predictions(found, top_k=1 if top_k is None else top_k)
