"""One spelling of each label: forms that the eye cannot tell apart become one name.

In: every file's labels as names. Out: the same labels, with a note of those that changed.
It does not know what labels mean; names that a reader can tell apart (`Joy`, `joy`) stay two.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.bad_rows import BadRows
from limbeck.data.names import spelling_key, told_apart
from limbeck.data.rows import is_true
from limbeck.data.written_labels import WrittenLabels


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
