"""`limbeck split`: make train, validation and test splits that nothing leaks between."""

from pathlib import Path
from typing import Annotated

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.settings import AuditSettings, ReadSettings, SplitSettings


@takes(From(kind=SplitSettings, group=None), From(kind=AuditSettings, only=("near_threshold",)), options.READING)
def split(
    data: options.Data,
    out: Annotated[Path, options.out("Folder to make, with one Parquet file per split, or a file.")],
    flags: Flags,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Write DATA with new splits: stratified by label, and no group of equal or nearly equal texts in two of them.

    The splits that DATA has are forgotten; row ids stay.
    """
    from limbeck.auditing.resplit import resplit
    from limbeck.data.write import DATA_SUFFIXES, write
    from limbeck.reading.read import read_with
    from limbeck.storage import check_place

    reading = flags.build(ReadSettings, {"labels": "optional"})
    settings = flags.build(SplitSettings, where="split")
    threshold = flags.build(AuditSettings, where="split").near_threshold
    check_place(out, DATA_SUFFIXES, source=data, overwrite=overwrite)
    following = screen.following()
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
