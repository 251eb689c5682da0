"""What integers mean that no file explains: places in a list of names, or ranks; or nothing, and then they are refused.

In: every file's labels as written, and the names that were given or declared. Out: integer → index into the names.
It does not know rows.
"""

from collections.abc import Mapping, Sequence

import pyarrow.compute as pc

from limbeck.data.bad_rows import BadRows
from limbeck.data.names import shown
from limbeck.data.rows import is_true
from limbeck.data.written_labels import WrittenLabels

UNLABELLED_SPLIT = "unsupervised"
"""The split whose rows need no label, and where -1 means that there is none."""
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
