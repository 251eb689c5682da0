"""`limbeck split`: make train, validation and test splits that nothing leaks between."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.settings import AuditSettings, ReadSettings, SplitSettings

if TYPE_CHECKING:
    from limbeck.auditing.resplit import Resplit

MOST_BESIDE = 8
"""Labels that stand beside each other; more stand below each other."""
MOST_BELOW = 20


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
    write(result.dataset, out, label_separator=reading.label_separator)
    if as_json:
        screen.show_json({"splits": result.counts, "groups_kept_together": result.groups, "seed": settings.seed})
        return
    screen.tell_notes(result.dataset.notes, following)
    _show_counts(result)
    screen.show_line(
        f"Groups of equal or nearly equal texts, each kept in one split: {result.groups:,}. None is in two splits."
    )
    screen.show_line(f"Written: {out}")
    if result.dataset.is_labelled:
        screen.show_next("train", out, "--out", screen.free_place("RUN"))


def _show_counts(result: "Resplit") -> None:
    """Print rows per split and label: splits below each other, or labels where they are many."""
    from limbeck.data.label_tables import NO_LABEL, NONE_OF_THEM

    counts, sizes = result.counts, result.dataset.split_sizes()
    named = dict.fromkeys(label for split_counts in counts.values() for label in split_counts)
    labels = [label for label in result.dataset.label_names if label in named]
    labels += [label for label in (NO_LABEL, NONE_OF_THEM) if label in named and labels]
    if len(labels) <= MOST_BESIDE:
        rows = [[name, f"{sizes[name]:,}", *(f"{counts[name].get(label, 0):,}" for label in labels)] for name in counts]
        screen.show_table("New splits", ["split", "rows", *labels], rows)
        return
    screen.show_table("New splits", ["split", "rows"], [[name, f"{sizes[name]:,}"] for name in counts])
    most = sorted(labels, key=lambda label: -sum(one.get(label, 0) for one in counts.values()))
    rows = [[label, *(f"{counts[name].get(label, 0):,}" for name in counts)] for label in most[:MOST_BELOW]]
    screen.show_table("Rows per label", ["label", *counts], rows)
    if len(most) > MOST_BELOW:
        screen.show_line(f"And {len(most) - MOST_BELOW:,} more labels.")
