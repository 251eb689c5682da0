"""`limbeck clean`: take faulty rows out, and log every one of them."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.settings import CleanSettings, ReadSettings


@takes(From(kind=CleanSettings, only=("near_threshold",)), options.MENDING)
def clean(
    data: options.Data,
    out: Annotated[Path, options.out("Folder to make: data/, removed.jsonl, clean.json.")],
    flags: Flags,
    drop: Annotated[
        str,
        typer.Option(
            help="What to remove, separated by commas: empty, one-token, equal-to-label, mojibake, control-characters, "
            "html, conflicts, leaks, near-leaks, exact-duplicates, near-duplicates.",
            show_default=False,
        ),
    ],
    keep_first: Annotated[
        bool,
        typer.Option(
            "--keep-first/--drop-conflicts",
            help="Of equal texts with different labels, keep the rows with the first row's label, or drop all of them.",
        ),
    ] = False,
    keep_majority: Annotated[
        bool,
        typer.Option(
            "--keep-majority",
            help="Of equal texts with different labels, keep the rows with the most frequent label; where "
            "two labels are equally frequent, drop all of them.",
        ),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Write DATA without the rows that --drop names, and a log with every removed row and why.

    Of a leak the row in test stays, then validation, then train; of duplicates the first row stays.
    """
    from limbeck.auditing.clean import clean as clean_dataset
    from limbeck.auditing.clean import counts_of, write_cleaning
    from limbeck.errors import SettingsError
    from limbeck.reading.read import read_with
    from limbeck.storage import check_folder

    if keep_first and keep_majority:
        raise SettingsError("--keep-first and --keep-majority contradict each other: give one of them")
    reading = flags.build(ReadSettings, {"on_bad_row": "mend", "labels": "optional"})
    wishes = {
        "drop": tuple(kind.strip() for kind in drop.split(",") if kind.strip()),
        "on_conflict": "keep-majority" if keep_majority else "keep-first" if keep_first else "drop",
    }
    settings = flags.build(CleanSettings, wishes, where="clean")
    check_folder(out)
    following = screen.following()
    cleaning = clean_dataset(read_with(data, reading, following), settings, following)
    write_cleaning(cleaning, settings, out)
    counts = counts_of(cleaning, settings)
    if as_json:
        screen.show_json(counts)
        return
    screen.show_table(
        f"{counts['rows_in']:,} rows read, {counts['rows_out']:,} written, {counts['rows_removed']:,} removed",
        ["removed because of", "rows"],
        [[kind, f"{count:,}"] for kind, count in cleaning.counts.items()],
    )
    for note in cleaning.dataset.notes:
        screen.show_line(f"Note: {note.what}: {note.rows:,} (first: {note.example})")
    screen.show_line(f"Written: {out / 'data'}; every removed row: {out / 'removed.jsonl'}")
    if len(cleaning.dataset.split_names) == 1:
        screen.show_next("split", out / "data", "--out", screen.free_place("splits"))
    elif cleaning.dataset.is_labelled:
        screen.show_next("train", out / "data", "--out", screen.free_place("RUN"))
