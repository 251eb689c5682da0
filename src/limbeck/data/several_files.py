"""What the files of one folder are to each other: parts of one split, the same rows twice, rows to predict, no data.

In: what was read of each file. Out: the files that count, how each is read on, and notes; or faults that name files.
It does not know formats or folders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.bad_rows import BadRows
from limbeck.data.columns import Columns, find_columns
from limbeck.data.dataset import ReadNote
from limbeck.data.folders import Joined
from limbeck.data.raw import RawTable
from limbeck.data.rows import Part
from limbeck.errors import DataError
from limbeck.settings import ReadSettings

SAME_SHARE = 0.5
"""Two files hold the same rows where more than this share of the smaller one's texts stand in the other."""


def without_strangers(
    raws: Sequence[RawTable], joined: Sequence[Joined], settings: ReadSettings
) -> tuple[list[RawTable], tuple[ReadNote, ...]]:
    """Leave out files without a text column where another file of their split has one: test_labels.csv, an index."""
    named = {name for one in joined for names in one.groups for name in names}
    strangers = [raw.name for raw in raws if raw.name in named and _columns(raw, settings) is None]
    having = {raw.split for raw in raws if raw.name in named and raw.name not in strangers}
    left = [raw.name for raw in raws if raw.name in strangers and raw.split in having]
    if not left:
        return list(raws), ()
    what = "files left out, as they have no column of texts and another file of their split has"
    note = ReadNote(what=what, rows=len(left), example=left[0])
    return [raw for raw in raws if raw.name not in left], (note,)


def readings_of(
    raws: Sequence[RawTable], settings: ReadSettings, bad: BadRows
) -> tuple[list[tuple[RawTable, ReadSettings]], tuple[ReadNote, ...]]:
    """Say how each file is read on: one without labels, beside a train split that has them, holds rows to predict.

    Where labels are needed such a file is a fault. Elsewhere it is read without labels, which is noted.
    """
    labelled = [raw for raw in raws if raw.split == "train" and _has_label(raw, settings)]
    bare = [raw.name for raw in raws if raw.split not in ("train", "unsupervised") and not _has_label(raw, settings)]
    if settings.labels == "ignored" or not labelled or not bare:
        return [(raw, settings) for raw in raws], ()
    if settings.labels == "required":
        for name in bare:
            bad.refuse(
                f"{name} has no label column, and {labelled[0].name} has: these are rows to predict. Give "
                f"{labelled[0].name} alone, and {name} to limbeck predict (--input)"
            )
        return [(raw, settings) for raw in raws if raw.name not in bare], ()
    without = replace(settings, labels="ignored", label_column=None, label_names=None)
    note = ReadNote(what="files without a label column, read as rows without labels", rows=len(bare), example=bare[0])
    return [(raw, without if raw.name in bare else settings) for raw in raws], (note,)


def check_doubled(parts: Sequence[Part], joined: Sequence[Joined], bad: BadRows) -> tuple[ReadNote, ...]:
    """Refuse files of one split that hold the same rows, and note which files each split was put together from."""
    notes = []
    for one in joined:
        files = [[part for part in parts if part.raw.name in names] for names in one.groups]
        present = [group for group in files if group]
        texts = [pa.chunked_array([part.text for part in group], pa.large_string()) for group in present]
        for first, second in combinations(range(len(present)), 2):
            small, large = sorted((first, second), key=lambda place: len(texts[place]))
            same = pc.sum(pc.is_in(texts[small], value_set=texts[large].combine_chunks())).as_py() or 0
            if same > SAME_SHARE * len(texts[small]):
                names = " and ".join(present[place][0].raw.name for place in (first, second))
                share = f"{same:,} of {len(texts[small]):,}"
                bad.refuse(
                    f"{names} are both files of {one.split} and hold the same texts ({share}): "
                    "name the one to read, or take the other out of the folder"
                )
        if len(present) > 1:
            shown = ", ".join(group[0].raw.name for group in present[:5]) + (", …" if len(present) > 5 else "")
            notes.append(
                ReadNote(what=f"files that {one.split} is put together from", rows=len(present), example=shown)
            )
    return tuple(notes)


def check_row_ids(tables: Sequence[pa.Table], bad: BadRows) -> tuple[list[pa.Table], tuple[ReadNote, ...]]:
    """Refuse row ids that stand on more than one row of a split; those that two splits share become "split:id"."""
    ids = pa.chunked_array([chunk for table in tables for chunk in table["row_id"].chunks])
    if pc.count_distinct(ids).as_py() == len(ids):
        return list(tables), ()
    splits = pa.chunked_array([chunk.cast(pa.large_string()) for table in tables for chunk in table["split"].chunks])
    longer = pc.binary_join_element_wise(splits, ids, pa.scalar(":", pa.large_string()))
    counts = pc.value_counts(longer)
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).to_pylist()
    if not twice:
        note = ReadNote(
            what="row ids that stand in several splits; the split is written before each id",
            rows=len(ids),
            example=str(longer[0].as_py()),
        )
        ends = np.cumsum([len(table) for table in tables])
        changed = [longer.slice(end - len(table), len(table)) for end, table in zip(ends.tolist(), tables, strict=True)]
        place = tables[0].column_names.index("row_id")
        return [table.set_column(place, "row_id", new) for table, new in zip(tables, changed, strict=True)], (note,)
    shown: Mapping[str, int] = {item["values"]: item["counts"] for item in twice[:3]}
    said = ", ".join(f"{name!r} on {count:,} rows" for name, count in shown.items())
    bad.refuse(
        f"{len(twice):,} row ids stand on more than one row (split:id {said}): each row needs its own. Mend the column "
        "row_id, or give it another name, and rows are numbered"
    )
    return list(tables), ()


def _columns(raw: RawTable, settings: ReadSettings) -> Columns | None:
    """Return a file's columns, labels aside; None where it has no column of texts."""
    try:
        without = replace(settings, labels="ignored", label_column=None)
        return find_columns(raw.table.column_names, without, file=raw.name, split=raw.split)
    except DataError:
        return None


def _has_label(raw: RawTable, settings: ReadSettings) -> bool:
    """Tell whether a file has a column of labels; true where it has no texts, which is another fault."""
    if _columns(raw, settings) is None:
        return True
    try:
        found = find_columns(raw.table.column_names, replace(settings, labels="required"), file=raw.name, split="train")
    except DataError:
        return False
    return found.label is not None
