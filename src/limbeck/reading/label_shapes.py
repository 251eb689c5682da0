"""Which task the labels of all files are of, and the label map that it takes.

In: every file's `FileRows` with its label column as written, and the settings. Out: a `LabelMap` with its task. That
is the one that was asked for, else the one that files of limbeck's own declare, else several labels per row where a row
has several, else a number where typed columns hold fractions, else one label per row. It does not know formats.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from limbeck.data.dataset import LABEL_NAME
from limbeck.data.names import shown, spelling_key
from limbeck.errors import SettingsError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.file_rows import FileRows
from limbeck.reading.label_map import LabelMap, map_labels
from limbeck.reading.label_numbers import map_numbers, number_in
from limbeck.reading.several_labels import map_label_sets, sets_written
from limbeck.reading.written_labels import is_integer
from limbeck.settings import ReadSettings, TaskKind
from limbeck.task import MULTI, ORDINAL, task_named

LABEL_SEPARATORS = (";", "|", ",", "#", "/")
"""What people write between labels of one cell, in the order in which they are looked for."""
FEWEST_NAMES = 6
"""Of fewer different labels nobody can tell whether they are made of others."""
MOST_INTEGERS = 50
"""More different integers than this are rather numbers than classes."""
LEAST_FRACTIONS = 0.1
"""From this share of labels with fractions on, a column of numbers holds no classes; below, they are slips."""
FEWEST_FRACTIONS = 10
"""Of fewer different numbers with fractions nobody can tell whether they are classes."""
_SHOWN = 20


def shape_labels(parts: Sequence[FileRows], settings: ReadSettings, bad: BadRows) -> LabelMap:
    """Find the task and the one label map, and put every label into it.

    Raises:
        DataError: a column holds what no label of the task can be.
        SettingsError: settings contradict each other, or the order of classes is not known.
    """
    task = _find_task(parts, settings)
    if settings.labels == "ignored":
        return map_labels(parts, settings, bad)
    if task == "multi":
        return map_label_sets(parts, settings, bad)
    if task == "regression":
        return map_numbers(parts, settings, bad)
    if task == "ordinal":
        return _ordered(map_labels([_fractions_as_names(part) for part in parts], settings, bad), settings, bad)
    if settings.task is None and _are_fractions(parts, settings):
        _note_fractions(parts, bad)
        return map_numbers(parts, settings, bad)
    found = map_labels(parts, settings, bad)
    if not found.declared:
        _note_other_shapes(found, bad)
    return found


def _find_task(parts: Sequence[FileRows], settings: ReadSettings) -> TaskKind:
    """Return the task that was asked for, was declared, or is plain from the labels.

    Raises:
        SettingsError: settings contradict each other, or files declare different tasks.
    """
    _check(settings)
    if settings.task is not None or settings.labels == "ignored":
        return settings.task or "single"
    if settings.label_order is not None:
        return "ordinal"
    several = (settings.label_columns, settings.label_separator, settings.empty_labels, settings.label_parents or None)
    if any(one is not None for one in several):
        return "multi"
    own = ("label", LABEL_NAME)
    declared = {part.raw.task: part.raw.name for part in parts if part.raw.task and part.columns.label in own}
    if len(declared) > 1:
        said = ", ".join(f"{name} {task}" for task, name in declared.items())
        raise SettingsError(f"the files declare different tasks ({said}): give --task")
    if declared:
        return task_named(next(iter(declared))).name
    return "multi" if any(_has_several(part, settings) for part in parts) else "single"


def _are_fractions(parts: Sequence[FileRows], settings: ReadSettings) -> bool:
    """Tell whether the labels of typed columns are numbers with fractions, and not classes with a slip or two."""
    labelled = [part for part in parts if not pa.types.is_null(part.label.type)]
    kinds = [part.label.type for part in labelled]
    if settings.label_names is not None or any(part.label_index is not None for part in labelled):
        return False
    if not all(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) for kind in kinds):
        return False
    values = np.concatenate(
        [np.zeros(0), *(np.asarray(part.label.drop_null().cast(pa.float64(), safe=False)) for part in labelled)]
    )
    known = values[np.isfinite(values)]
    fractions = known[known != np.floor(known)]
    # One fraction, however often it stands there, may be a slip.
    return len(np.unique(fractions)) > 1 and len(fractions) >= LEAST_FRACTIONS * len(known)


def _note_fractions(parts: Sequence[FileRows], bad: BadRows) -> None:
    """Say that labels were taken for numbers because of their fractions, and what else they can be."""
    for part in parts:
        values = part.label.drop_null()
        if pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
            known = np.asarray(values.cast(pa.float64(), safe=False))
            odd = known[np.isfinite(known) & (known != np.floor(known))]
            if len(odd):
                what = "labels with fractions, so that all are numbers; --task ordinal reads them as ordered classes"
                bad.note(what, len(odd), f"{odd[0]:g}")


def _has_several(part: FileRows, settings: ReadSettings) -> bool:
    """Tell whether a row has several labels, or whether limbeck wrote them: lists of names beside lists of integers."""
    found = sets_written(part, settings)
    if found is None:
        return False
    index = part.label_index
    beside = None if index is None else sets_written(replace(part, label=index, label_index=None), settings)
    return found.most > 1 or beside is not None


def _check(settings: ReadSettings) -> None:
    """Refuse settings that mean nothing for the task.

    Raises:
        SettingsError: names them.
    """
    of_several = {
        "--label-columns": settings.label_columns,
        "--label-separator": settings.label_separator,
        "--min-label-rows": settings.min_label_rows,
        "--label-parents": settings.label_parents or None,
        "--empty-labels": settings.empty_labels,
    }
    wanted = settings.task or ("ordinal" if settings.label_order is not None else None)
    for option, value in of_several.items():
        if value is not None and wanted not in (None, "multi"):
            raise SettingsError(f"{option} is for {MULTI.words} (--task multi), not for --task {wanted}")
    if settings.label_order is not None and wanted != "ordinal":
        raise SettingsError(f"--label-order is for {ORDINAL.words} (--task ordinal), not for --task {wanted}")
    if settings.label_separator is not None and not settings.label_separator:
        raise SettingsError("--label-separator is empty: give what stands between the labels of one row, such as ';'")
    if settings.min_label_rows is not None and settings.min_label_rows < 1:
        raise SettingsError(
            f"--min-label-rows {settings.min_label_rows} is not possible: give a whole number from 1 on"
        )


def _fractions_as_names(part: FileRows) -> FileRows:
    """Return half stars and the like, which are floats, as names: "3.5"."""
    if not pa.types.is_floating(part.label.type):
        return part
    values = np.asarray(part.label.fill_null(np.nan))
    if not (np.isfinite(values) & (values != np.floor(values))).any():
        return part
    names = [None if np.isnan(value) else f"{value:g}" for value in values.tolist()]
    return replace(part, label=pa.array(names, pa.large_string()))


def _ordered(found: LabelMap, settings: ReadSettings, bad: BadRows) -> LabelMap:
    """Put the classes into their order: the one given, that of numbers, or that of names that were given or declared.

    Raises:
        SettingsError: there is no order, or the one given lacks a class.
    """
    if bad.faults.count or not found.names:
        return replace(found, task=ORDINAL)
    names = found.names
    if settings.label_order is not None:
        order = _order_given(names, settings.label_order)
    elif all(number_in(name) is not None for name in names):
        order = tuple(sorted(names, key=float))
    elif found.declared:
        order = names
    else:
        few = ",".join(names[:_SHOWN]) + (",…" if len(names) > _SHOWN else "")
        raise SettingsError(
            f"the order of the classes is not known: give it from the lowest to the highest, --label-order {few} "
            "(these are in the order of the alphabet)"
        )
    if unused := [name for name in order if name not in names]:
        bad.note("classes of the order without a row", len(unused), ", ".join(map(shown, unused[:_SHOWN])))
    places = pa.array([order.index(name) for name in names], pa.int32())
    parts = tuple(replace(part, label=places.take(part.label)) for part in found.parts)
    said = " < ".join(map(shown, order[:_SHOWN])) + (" < …" if len(order) > _SHOWN else "")
    bad.note("ordered classes (ordinal)", len(order), said)
    return replace(found, names=order, parts=parts, task=ORDINAL)


def _order_given(names: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """Return the classes in the order given, by their own names; one that no row has keeps its place.

    Raises:
        SettingsError: a class is not in the order, or stands there twice.
    """
    own = {spelling_key(name): name for name in names}
    order = tuple(own.get(spelling_key(name), name) for name in given)
    if len(set(order)) < len(order):
        raise SettingsError(f"--label-order names a class twice: {', '.join(map(shown, given))}")
    if lacking := [name for name in names if name not in order]:
        raise SettingsError(
            f"--label-order lacks {', '.join(map(shown, lacking[:_SHOWN]))}: name every class, from the lowest to the "
            f"highest (given were {', '.join(map(shown, given[:_SHOWN]))})"
        )
    return order


def _note_other_shapes(found: LabelMap, bad: BadRows) -> None:
    """Suggest another task where the classes look like several labels in one text, or like numbers."""
    names = found.names
    numbers = [number for name in names if (number := number_in(name)) is not None]
    if len(numbers) == len(names) > 0:
        whole = all(map(is_integer, names))
        if len(names) > (MOST_INTEGERS if whole else FEWEST_FRACTIONS):
            what = "classes that are numbers; --task regression reads them as numbers, --task ordinal in their order"
            bad.note(what, len(names), ", ".join(names[:3]))
        return
    divided = map(partial(_pieces, names), LABEL_SEPARATORS)
    if len(names) >= FEWEST_NAMES and (best := next(filter(None, divided), None)) is not None:
        what = f"classes that look like several labels in one cell; --label-separator {shown(best[0])} divides them"
        bad.note(what, best[1], best[2])


def _pieces(names: Sequence[str], separator: str) -> tuple[str, int, str] | None:
    """Return a separator, how many names hold it and the first; None where their pieces are not rather the labels."""
    having = [name for name in names if separator in name]
    pieces = {piece.strip() for name in names for piece in name.split(separator)}
    if 2 * len(having) < len(names) or 2 * len(pieces) > len(names):
        return None
    return separator, len(having), having[0]
