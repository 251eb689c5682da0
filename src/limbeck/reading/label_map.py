"""The one label map of all files: names or integers, declared or found, become indices into one tuple of names.

In: every file's `FileRows` with its label column as written. Out: the names (C,), and the parts with int32 indices.
Spellings that the eye cannot tell apart become one name, which is noted; names that a reader can tell apart (`Joy`,
`joy`) stay two. Integers that no file explains are places in a list of names, or ranks, or they are refused. It does
not know texts, nor formats.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.dataset import UNLABELLED_SPLIT
from limbeck.data.names import looks_missing, shown, spelling_key, told_apart
from limbeck.errors import DataError, SettingsError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.file_rows import FileRows, RowFault, is_true, reject_rows
from limbeck.reading.written_labels import WrittenLabels, is_integer, read_labels
from limbeck.settings import ReadSettings
from limbeck.task import SINGLE, Task

_SHOWN_CHARS = 60


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """The names (C,), and every part with `label` as the task has it, null where there is none.

    Attributes:
        names: what indices stand for, in their order.
        parts: `label` is int32 (R,), an index; a sorted list of such (several labels per row); or float64, a number.
        task: the shape of the labels.
        declared: whether the names were given or declared, so that their order means something.
    """

    names: tuple[str, ...]
    parts: tuple[FileRows, ...]
    task: Task = SINGLE
    declared: bool = False


def map_labels(parts: Sequence[FileRows], settings: ReadSettings, bad: BadRows) -> LabelMap:
    """Find the one label map, put every label into it, and look at what classes there are; see `index_labels`.

    Raises:
        SettingsError: a name is given twice, or is empty.
    """
    found = index_labels(parts, settings, bad)
    if bad.faults.count:
        return found
    known = _check_splits(found.parts, found.names, bad)
    note_odd_classes(known, found.names, bad)
    return replace(found, parts=tuple(known))


def index_labels(parts: Sequence[FileRows], settings: ReadSettings, bad: BadRows) -> LabelMap:
    """Find the one label map and put every label into it.

    The names are, in this order: those of the settings; those that the data declare (an Arrow dictionary, a Hugging
    Face ClassLabel, a `label_name` column beside integers); the integers that occur, in order; the names that occur,
    sorted.

    Raises:
        SettingsError: a name is given twice, or is empty.
    """
    given = settings.label_names
    if given is not None and (not given or len(set(given)) < len(given) or not all(name.strip() for name in given)):
        raise SettingsError(
            f"label_names = {list(given)!r} is wrong: give each class one name of its own, in the order of the integers"
        )
    written: list[WrittenLabels] = []
    for part in parts:
        try:
            written.append(read_labels(part, bad))
        except DataError as error:
            bad.refuse(str(error))
    written = _numbers_as_integers(one_spelling(written, given, bad), given)
    places: Mapping[int, int] | None = None
    if given is not None:
        names, places = given, places_in_given(written, given, bad)
    else:
        names = _find_names(written, bad)
        if any(labels.declared for labels in written):
            places = places_in_declared(written, names, bad)
    indexed = [_index(labels, names, places, settings, bad) for labels in written]
    is_declared = given is not None or any(labels.declared for labels in written)
    return LabelMap(names=names, parts=tuple(indexed), declared=is_declared)


def _numbers_as_integers(written: Sequence[WrittenLabels], given: tuple[str, ...] | None) -> list[WrittenLabels]:
    """Turn text labels into integers where all of them are, as CSV has no integers, unless they are known names."""
    texts = [labels for labels in written if labels.is_names]
    distinct: set[str] = set().union(*(labels.distinct() for labels in texts))
    known = {*(given or ()), *(name for labels in written for name in labels.declared.values())}
    if not distinct or distinct & known or not all(map(is_integer, distinct)):
        return list(written)
    return [labels.with_integers() if labels.is_names else labels for labels in written]


def _find_names(written: Sequence[WrittenLabels], bad: BadRows) -> tuple[str, ...]:
    """Return the label names that the data declare or hold."""
    declared = _merge([labels.declared for labels in written if labels.declared])
    held = [labels for labels in written if not labels.declared and labels.distinct()]
    names: set[str] = set().union(*(labels.distinct() for labels in held if labels.is_names))
    if declared:
        return (*declared, *sorted(names - set(declared)))
    integers: set[int] = set()
    for labels in held:
        if not labels.is_names:
            integers |= held_integers(labels)
    if names and integers:
        files = {labels.is_names: labels.part.raw.name for labels in reversed(held)}
        bad.refuse(
            f"labels are names in {files[True]} and integers in {files[False]}: "
            "write them alike, or give --label-names in the order of the integers"
        )
    return tuple(sorted(names)) or tuple(str(value) for value in sorted(integers))


def _merge(declared: Sequence[Mapping[int, str]]) -> tuple[str, ...]:
    """Make one order of the orders that files declare: by index where they agree, else one after the other."""
    merged: dict[int, str] = {}
    for order in declared:
        merged = {**order, **merged}
    agree = len(set(merged.values())) == len(merged) and all(order.items() <= merged.items() for order in declared)
    if not merged or not agree:
        return tuple(dict.fromkeys(order[index] for order in declared for index in sorted(order)))
    return tuple(merged.get(index, str(index)) for index in range(max(merged) + 1))


def _index(
    labels: WrittenLabels,
    names: tuple[str, ...],
    places: Mapping[int, int] | None,
    settings: ReadSettings,
    bad: BadRows,
) -> FileRows:
    """Return a part with its labels as indices into the names.

    Args:
        labels: as written.
        names: the label map.
        places: what integers mean that a file does not explain; None where they are names.
        settings: whether a label is needed.
        bad: takes rows without a label, or with one that is not in the map.
    """
    part, values = labels.part, labels.values
    unlabelled = is_true(pc.equal(part.split, UNLABELLED_SPLIT))
    if not labels.is_names:
        is_known = places is not None and -1 not in places
        may_lack = unlabelled | (is_known and settings.labels == "optional")
        values = pc.if_else(pa.array(is_true(pc.equal(values, -1)) & may_lack), None, values)
    distinct = pc.unique(values.drop_null())
    meaning = _meaning(labels, names, None if labels.declared and settings.label_names is None else places)
    targets = pa.array([meaning.get(value) for value in distinct.to_pylist()], pa.int32())
    index = targets.take(pc.index_in(values, value_set=distinct))
    faults = [
        RowFault(
            "rows whose label is not known",
            is_true(pc.and_(values.is_valid(), index.is_null())),
            lambda row: _unknown(values[row].as_py(), names),
        )
    ]
    if settings.labels == "required":
        missing = is_true(values.is_null()) & ~unlabelled
        told = "has no label: a name or an integer was expected"
        faults.append(RowFault("rows without a label", missing, lambda _: told))
    return reject_rows(replace(part, label=index), faults, column=part.columns.label or "label", bad=bad)


def _meaning(
    labels: WrittenLabels, names: tuple[str, ...], places: Mapping[int, int] | None
) -> Mapping[str, int] | Mapping[int, int]:
    """Return what each label that can be written means: its index in the map."""
    index = {name: place for place, name in enumerate(names)}
    if labels.is_names:
        return index
    if places is not None:
        return places
    spoken = labels.declared or {value: str(value) for value in labels.distinct()}
    return {value: index[name] for value, name in spoken.items() if name in index}


def _unknown(value: int | str, names: tuple[str, ...]) -> str:
    """Say why a label is not in the map."""
    known = ", ".join(names)[:_SHOWN_CHARS]
    if isinstance(value, int):
        hint = "; -1 means not labelled, which only the split unsupervised may be" if value == -1 else ""
        return f"is {value}, out of range: 0 to {len(names) - 1} were expected ({known}){hint}"
    parts = [part.strip() for part in value.split(",")]
    if len(parts) > 1 and set(parts) <= set(names):
        return f"is {value[:_SHOWN_CHARS]!r}, which a comma divided in --label-names: write it there in double quotes"
    near = get_close_matches(value, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"is {value[:_SHOWN_CHARS]!r}, none of the label names ({known}){hint}"


def _check_splits(parts: Sequence[FileRows], names: tuple[str, ...], bad: BadRows) -> list[FileRows]:
    """Refuse labels that stand outside the train split only: no model could learn them."""
    trained: set[int] = set()
    for part in parts:
        trained.update(part.label.filter(pc.equal(part.split, "train")).drop_null().unique().to_pylist())
    if not trained:
        return list(parts)
    known = pa.array(sorted(trained), pa.int32())
    kept = []
    for part in parts:
        tested = pc.and_(part.label.is_valid(), pc.not_equal(part.split, UNLABELLED_SPLIT))
        mask = is_true(tested) & ~is_true(pc.is_in(part.label, value_set=known))
        for label in np.unique(np.asarray(part.label.filter(pa.array(mask)))).tolist():
            rows = np.flatnonzero(mask & is_true(pc.equal(part.label, label))).tolist()
            what = f"{names[label]!r} stands in {part.split[rows[0]].as_py()} ({len(rows):,} rows)"
            bad.reject(
                "rows whose label is in no row of train",
                rows if bad.skips else rows[:1],
                partial(_untrained, part, what),
            )
        kept.append(part.keep(~mask) if bad.skips else part)
    return kept


def _untrained(part: FileRows, what: str, row: int) -> str:
    place = part.place(row, part.columns.label or "label")
    return f"{place}: label {what} but in no row of train: no model can learn it"


def note_odd_classes(parts: Sequence[FileRows], names: tuple[str, ...], bad: BadRows) -> None:
    """Note classes that no row has, and names that are written where a label is missing."""
    rows = np.zeros(len(names), np.int64)
    for part in parts:
        for item in pc.value_counts(part.label.drop_null()).to_pylist():
            rows[item["values"]] += item["counts"]
    if not rows.any():
        return
    if unused := [name for name, count in zip(names, rows.tolist(), strict=True) if not count]:
        advice = "left out by cat.remove_unused_categories() of pandas, or by other label names"
        bad.note(f"classes without a row ({advice})", len(unused), ", ".join(map(shown, unused[:5])))
    for name in looks_missing(names):
        count = int(rows[names.index(name)])
        if count:
            what = f"rows of the class {shown(name)}, which looks like a missing label and is read as a class"
            bad.note(what, count, "if it means none, leave the cell empty and read it again")


_SHOWN = 10


def marks_none(labels: WrittenLabels) -> bool:
    """Tell whether -1 means "not labelled" in a file: it stands in unsupervised rows only."""
    stands = pc.and_(pc.equal(labels.values, -1), pc.not_equal(labels.part.split, UNLABELLED_SPLIT))
    return not is_true(stands).any()


def held_integers(labels: WrittenLabels) -> set[int]:
    """Return the integers that are labels in a file of integers."""
    held = labels.distinct()
    return held - {-1} if marks_none(labels) else held


def places_in_given(written: Sequence[WrittenLabels], names: Sequence[str], bad: BadRows) -> Mapping[int, int]:
    """Return the index of the name that each integer stands for, where names were given by hand.

    Integers from 0 on are places in the names. Others that are as many as the names are taken by rank, which is noted.
    Anything else is refused for all files: one more or less would give every class its neighbour's name.
    """
    places = {place: place for place in range(len(names))}
    files = [labels for labels in written if not labels.is_names and labels.distinct() != {-1}]
    held: set[int] = set().union(*map(held_integers, files))
    known = all(len(labels.declared) == len(names) for labels in files)
    if held <= places.keys() and (0 in held or known):
        return places
    if len(held) == len(names):
        ranks = {value: place for place, value in enumerate(sorted(held))}
        told = ", ".join(f"{value} is {shown(names[place])}" for value, place in list(ranks.items())[:_SHOWN])
        bad.note("integers that do not count from 0, named by their rank in the label names", len(ranks), told)
        return ranks
    # -1 among integers that count from 0 is a fault of its rows.
    if not held or (held - {-1} <= places.keys() and (0 in held or known)):
        return places
    many = f" and {len(held) - _SHOWN:,} more" if len(held) > _SHOWN else ""
    bad.refuse(
        f"{len(names):,} label names were given ({', '.join(map(shown, names[:_SHOWN]))}), and "
        f"{files[0].part.raw.name} holds the integers {', '.join(map(str, sorted(held)[:_SHOWN]))}{many}: names are "
        f"matched by place where the integers lie in 0 to {len(names) - 1:,} and 0 occurs, or by rank where there are "
        f"exactly {len(names):,} of them. Give a name for each integer (--label-names)"
    )
    return dict.fromkeys(held, 0) | places


def places_in_declared(written: Sequence[WrittenLabels], names: Sequence[str], bad: BadRows) -> Mapping[int, int]:
    """Return the index of the name that an integer stands for in files that declare none, as the others do."""
    index = {name: place for place, name in enumerate(names)}
    meant: dict[int, str] = {}
    bare = next(
        (labels for labels in written if not labels.is_names and not labels.declared and labels.distinct()), None
    )
    for labels in written:
        for value, name in labels.declared.items():
            if meant.setdefault(value, name) != name and bare is not None:
                bad.refuse(
                    f"{bare.part.raw.name} holds integers that other files give different names ({value} is "
                    f"{shown(meant[value])} and {shown(name)}): write names as labels, or give --label-names"
                )
                return dict.fromkeys(bare.distinct(), 0)
    # Places without a name were given their number as a name.
    return {place: place for place in range(len(names))} | {value: index[name] for value, name in meant.items()}


def one_spelling(written: Sequence[WrittenLabels], given: Iterable[str] | None, bad: BadRows) -> list[WrittenLabels]:
    """Give all spellings of one label the same name: a given or declared one, the plain one, or the most frequent.

    Names that are given, or that a file declares, are told apart on purpose, and are never joined with each other.
    """
    known = [*(given or ()), *(name for labels in written for name in labels.declared.values())]
    counts = Counter(known)
    for labels in written:
        if labels.is_names:
            for item in pc.value_counts(labels.values.drop_null()).to_pylist():
                counts[item["values"]] += item["counts"]
    spellings: defaultdict[str, list[str]] = defaultdict(list)
    for name in counts:
        spellings[spelling_key(name)].append(name)
    usual: dict[str, str] = {}
    for names in spellings.values():
        ours = [name for name in names if name in set(known)]
        plain = spelling_key(names[0])
        best = ours[0] if ours else plain if plain in names else max(names, key=lambda name: (counts[name], name))
        usual.update({name: best for name in names if name != best and name not in ours})
    return [_respelled(labels, usual, bad) for labels in written] if usual else list(written)


def _respelled(labels: WrittenLabels, usual: dict[str, str], bad: BadRows) -> WrittenLabels:
    if not labels.is_names:
        return labels
    part, column = labels.part, labels.part.columns.label or "label"
    encoded = part.label.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    if not any(name in usual for name in names):
        return labels

    def describe(row: int) -> str:
        name = part.label[row].as_py()
        one, other = told_apart(name, usual[name])
        return f"{part.place(row, column)}: {one} is read as {other}"

    rows = np.flatnonzero(is_true(pc.is_in(part.label, value_set=pa.array(list(usual), pa.large_string())))).tolist()
    bad.mend("labels that look like another one, read as that one", rows, describe)
    renamed = pa.array([usual.get(name, name) for name in names], pa.large_string())
    return replace(labels, part=replace(part, label=renamed.take(encoded.indices)))
