"""`limbeck split`: make train, validation and test splits that nothing leaks between."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import options, screen


def split(
    data: options.Data,
    out: Annotated[
        Path, typer.Option(help="Folder to make with one Parquet file a split, or a file.", show_default=False)
    ],
    validation_share: Annotated[
        float | None, typer.Option(help="Share of the rows for validation. [default: 0.1]")
    ] = None,
    test_share: Annotated[float | None, typer.Option(help="Share of the rows for test. [default: 0.1]")] = None,
    seed: options.Seed = None,
    near_threshold: Annotated[
        float | None, typer.Option(help="Least similarity of near-duplicates, which stay together. [default: 0.7]")
    ] = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    label_names: options.LabelNames = None,
    encoding: options.Encoding = None,
    on_bad_row: options.OnBadRow = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Write DATA with new splits: stratified by label, and no group of equal or nearly equal texts in two of them.

    The splits that DATA has are forgotten; row ids stay.
    """
    from limbeck import progress
    from limbeck.auditing.resplit import resplit
    from limbeck.data.write import SUFFIXES, write
    from limbeck.reading.read import read_with
    from limbeck.settings import AuditSettings, SplitSettings, build
    from limbeck.storage import check_place

    reading = options.read_settings(text_column, label_column, label_names, encoding, on_bad_row, labels="optional")
    flags = options.given(validation_share=validation_share, test_share=test_share, seed=seed)
    settings = build(SplitSettings, flags, where="split")
    threshold = build(AuditSettings, options.given(near_threshold=near_threshold), where="split").near_threshold
    check_place(out, SUFFIXES, source=data, overwrite=overwrite)
    following = progress.for_stream()
    result = resplit(read_with(data, reading, following), settings, near_threshold=threshold, progress=following)
    write(result.dataset, out)
    if as_json:
        screen.show_json({"splits": result.counts, "groups_kept_together": result.groups, "seed": settings.seed})
        return
    labels = result.dataset.label_names or ("rows",)
    rows = [
        [name, f"{sum(counts.values()):,}", *(f"{counts.get(label, 0):,}" for label in labels)]
        for name, counts in result.counts.items()
    ]
    screen.show_table("New splits", ["split", "rows", *labels], rows)
    screen.show_line(
        f"Groups of equal or nearly equal texts, each kept in one split: {result.groups:,}. None is in two splits."
    )
    screen.show_line(f"Written: {out}")
    if result.dataset.is_labelled:
        screen.show_next("train", out, "--out", screen.free_place("RUN"))
