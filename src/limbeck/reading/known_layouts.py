"""Layouts of known tools, whose columns do not mean what their names say: limbeck's predictions, SetFit, Prodigy.

In: one file's rows. Out: the same rows with the columns named as they are meant, without what stands for no label;
each change is a note. It does not know formats.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.dataset import LABEL_NAME
from limbeck.evaluation import spreadsheet
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columnar import is_text
from limbeck.reading.raw import RawTable
from limbeck.reading.written_labels import is_integer
from limbeck.settings import ReadSettings

_PROBABILITY = "probability."
_LABEL_TEXT = "label_text"
_ANSWERS = frozenset(("accept", "reject", "ignore"))


def as_meant(raw: RawTable, settings: ReadSettings, bad: BadRows, *, for_spreadsheets: bool) -> RawTable:
    """Return a file's rows as the tool that wrote them means them.

    Args:
        raw: the rows as they stand in the file.
        settings: a label column given by hand is taken as it is.
        bad: takes the notes.
        for_spreadsheets: whether the format is one in which limbeck makes texts safe for spreadsheets.
    """
    names = set(raw.table.column_names)
    is_own = any(name.startswith(_PROBABILITY) for name in names) and (
        "prediction" in names or {"label", "true_label"} <= names
    )
    if is_own and for_spreadsheets:
        raw = _without_apostrophes(raw, bad)
    if settings.labels == "ignored":
        return raw
    if settings.label_column is None:
        if is_own and "true_label" in names and not {"prediction", "label"} <= names:
            # Predictions of before called the answer label.
            raw = _renamed(raw, {"label": "prediction", "true_label": "label"})
            what = "files of predictions, whose labels are read from true_label, not from the model's answers"
            bad.note(what, 1, raw.name)
        elif {"label", _LABEL_TEXT} <= names and LABEL_NAME not in names and _names_integers(raw.table):
            raw = _renamed(raw, {_LABEL_TEXT: LABEL_NAME})
            bad.note(f"files whose integers in label are named by their column {_LABEL_TEXT}", 1, raw.name)
            bad.hint(f"label_name is the column {_LABEL_TEXT} here: --label-column label reads the integers alone.")
    return _accepted(raw, bad) if "answer" in names else raw


def _without_apostrophes(raw: RawTable, bad: BadRows) -> RawTable:
    """Undo in texts and names what `spreadsheet` does, as `read_predictions` does."""
    changed = np.zeros(raw.table.num_rows, bool)
    table = raw.table
    for place, name in enumerate(table.column_names):
        if is_text(table.schema.field(name).type):
            restored = spreadsheet.restore_column(table[name])
            changed |= np.asarray(pc.fill_null(pc.not_equal(restored, table[name]), False))
            table = table.set_column(place, name, restored)
    if changed.any():
        first = f"{raw.name}, row {raw.numbers[int(np.flatnonzero(changed)[0])].as_py():,}"
        bad.note("rows of predictions read without the apostrophe against formulas", int(changed.sum()), first)
    return replace(raw, table=table)


def _renamed(raw: RawTable, new: Mapping[str, str]) -> RawTable:
    names = [new.get(name, name) for name in raw.table.column_names]
    return replace(
        raw,
        table=raw.table.rename_columns(names),
        odd={new.get(name, name): cells for name, cells in raw.odd.items()},
    )


def _names_integers(table: pa.Table) -> bool:
    """Tell whether `label` holds integers and `label_text` texts."""
    label = table["label"]
    if not is_text(table[_LABEL_TEXT].type):
        return False
    if is_text(label.type):
        held = pc.unique(label.drop_null()).to_pylist()
        return bool(held) and all(map(is_integer, held))
    return bool(pa.types.is_integer(label.type))


def _accepted(raw: RawTable, bad: BadRows) -> RawTable:
    """Leave out rows that a person rejected or passed over in Prodigy: their label is not theirs."""
    answer = raw.table["answer"]
    if not is_text(answer.type):
        return raw
    held = set(pc.unique(answer.drop_null()).to_pylist())
    if not held or not held <= _ANSWERS:
        return raw
    keep = np.asarray(pc.fill_null(pc.equal(answer, "accept"), False))
    if keep.all():
        return raw
    first = f"{raw.name}, row {raw.numbers[int(np.flatnonzero(~keep)[0])].as_py():,}"
    bad.note("rows whose answer is not accept (Prodigy), left out", int((~keep).sum()), first)
    mask = pa.array(keep)
    return replace(raw, table=raw.table.filter(mask), numbers=raw.numbers.filter(mask))
