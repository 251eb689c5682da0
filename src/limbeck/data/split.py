"""Splits: rows go to train, validation and test, stratified, seeded, and never with the same text on two sides.

In: a `Dataset` and `SplitSettings`. Out: the same rows under other split names; row ids stay.
It does not know what a near-duplicate is: whoever does hands in groups.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.dataset import UNLABELLED_SPLIT, Dataset, ReadNote
from limbeck.data.exchange import Exchange, Shapes
from limbeck.data.iterative_split import deal_out
from limbeck.data.label_sets import label_pairs
from limbeck.data.normal_form import group_equal_texts
from limbeck.errors import DataError, FaultLog, SettingsError
from limbeck.settings import SplitSettings, check_seed
from limbeck.task import MULTI

ROWS_PER_BAND = 50
"""Numbers that are stratified together at least."""
MOST_BANDS = 10
"""Bands of numbers, of equally many rows, that each have the same shares in each split."""


def split(dataset: Dataset, settings: SplitSettings | None = None, groups: np.ndarray | None = None) -> Dataset:
    """Give every labelled row a new split: train, validation or test.

    Each class has the same shares in each split, as nearly as whole groups allow; so has each label where a row may
    have several, though a rare one may lack a split, which is noted, and each tenth of numbers. Rows whose texts are
    equal in normal form stay together; so do rows that share a group. Rows without a label become (or stay)
    unsupervised, unless no row has one, in which case all are split alike. The same seed and rows give the same splits.

    Args:
        dataset: rows; the splits they have are forgotten.
        settings: shares and seed.
        groups: int (N,), rows that must not part, such as near-duplicates; found from equal texts alone when not given.

    Raises:
        SettingsError: the shares are not shares, or leave nothing for training, or the seed is not possible.
        DataError: a class has too few different texts to stand in every split, or groups are not one a row.
    """
    settings = settings or SplitSettings()
    shares = _shares(settings)
    if groups is not None and len(groups) != len(dataset):
        raise DataError(f"groups has {len(groups):,} entries for {len(dataset):,} rows: one a row was expected")
    is_labelled = np.asarray(dataset.table["label"].is_valid())
    labelled = np.flatnonzero(is_labelled) if is_labelled.any() else np.arange(len(dataset))
    names = np.full(len(dataset), UNLABELLED_SPLIT, dtype=object)
    names[labelled], notes = _assign(
        dataset.select(labelled), shares, settings.seed, None if groups is None else groups[labelled]
    )
    return replace(dataset.with_splits(names.tolist()), notes=(*dataset.notes, *notes))


def ensure_validation(
    dataset: Dataset, settings: SplitSettings | None = None, groups: np.ndarray | None = None
) -> Dataset:
    """Carve a validation split from train when there is a train split and no validation split, and note it.

    Shares are of the train rows; other splits are left alone.

    Args:
        dataset: rows.
        settings: share and seed.
        groups: int, one for each train row; those that share one must not part, such as near-duplicates.

    Raises:
        SettingsError: the validation share is not between 0 and 1, or the seed is not possible.
        DataError: a class has too few different texts to stand in both splits.
    """
    settings = replace(settings or SplitSettings(), test_share=0.0)
    sizes = dataset.split_sizes()
    if "train" not in sizes or "validation" in sizes:
        return dataset
    if settings.validation_share == 0:
        raise SettingsError("validation_share is 0, but there is no validation split: give a share above 0")
    shares = _shares(settings)
    split_names = np.array(dataset.table["split"].cast(pa.string()).to_pylist(), dtype=object)
    rows = np.flatnonzero(split_names == "train")
    split_names[rows], notes = _assign(dataset.select(rows), shares, settings.seed, groups)
    kept = "equal texts" if groups is None else "equal and nearly equal texts"
    note = ReadNote(
        what="rows taken from train for validation, as the data have no validation split",
        rows=int((split_names[rows] == "validation").sum()),
        example=f"share {settings.validation_share}, seed {settings.seed}, stratified, {kept} kept together",
    )
    return replace(dataset.with_splits(split_names.tolist()), notes=(*dataset.notes, note, *notes))


def has_its_shares(made: Dataset, settings: SplitSettings) -> bool:
    """Tell whether every split has half of the rows that it should have, at least."""
    shares, sizes = _shares(settings), made.split_sizes()
    rows = sum(sizes.get(name, 0) for name in shares)
    return all(2 * sizes.get(name, 0) >= share * rows for name, share in shares.items())


def _shares(settings: SplitSettings) -> dict[str, float]:
    """Return split → share of the rows, train first, without the splits that get nothing."""
    check_seed(settings.seed)
    validation, test = settings.validation_share, settings.test_share
    if not (0 <= validation < 1 and 0 <= test < 1 and 0 < validation + test < 1):
        raise SettingsError(
            f"validation_share {validation} and test_share {test} are wrong: each is from 0 to 1, "
            "and together they are above 0 and leave something for train"
        )
    shares = {"train": 1 - validation - test, "validation": validation, "test": test}
    return {name: share for name, share in shares.items() if share > 0}


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What the assignment looks at.

    Shapes: N rows, C strata, G groups.

    Attributes:
        stratum: int64 (N,), the class of each row.
        names: C class names.
        group: int64 (N,), 0 to G-1; rows of one group go to one split.
    """

    stratum: np.ndarray
    names: tuple[str, ...]
    group: np.ndarray


def _assign(
    dataset: Dataset, shares: dict[str, float], seed: int, groups: np.ndarray | None
) -> tuple[np.ndarray, tuple[ReadNote, ...]]:
    """Return a split name for each row, object (N,), and what must be said of it."""
    group = group_equal_texts(dataset.texts)
    if groups is not None:
        group = link_groups(group, np.asarray(groups))
    if dataset.task == MULTI:
        return _assign_sets(dataset, shares, seed, group)
    stratum_N, names = _strata(dataset)
    rows = _Rows(stratum=stratum_N, names=names, group=group)
    wanted = _wanted(rows, list(shares.values()), list(shares))
    rng = np.random.default_rng(seed)
    place = np.full(len(rows.group), -1)
    left = wanted.astype(float)
    _place_shared(rows, wanted, left, place, rng)
    for stratum in range(len(names)):
        alone = np.flatnonzero((place < 0) & (rows.stratum == stratum))
        rng.shuffle(alone)
        present = np.bincount(place[(place >= 0) & (rows.stratum == stratum)], minlength=len(left)) > 0
        ends = np.cumsum(_fill(left[:, stratum], present, len(alone))[::-1])
        for part, members in enumerate(reversed(np.split(alone, ends[:-1]))):
            place[members] = part
    _check_every_class(rows, place, list(shares))
    return np.array(list(shares), dtype=object)[place], ()


def _strata(dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the stratum of each row, int64 (N,), and their names: the classes, or numbers that lie near each other."""
    column = dataset.table["label"]
    missing = np.asarray(column.is_null())
    if dataset.task.has_classes:
        label = np.asarray(pc.fill_null(column.combine_chunks(), -1), dtype=np.int64)
        return np.where(missing, len(dataset.label_names), label), (*dataset.label_names, "(no label)")
    values = np.asarray(column, np.float64)
    known = values[~missing]
    bands = int(np.clip(len(known) // ROWS_PER_BAND, 1, MOST_BANDS))
    edges = np.unique(np.quantile(known, np.arange(1, bands) / bands)) if len(known) else np.zeros(0)
    stratum = np.where(missing, len(edges) + 1, np.searchsorted(edges, values, side="right"))
    ends = ["", *(f"{edge:g}" for edge in edges), ""]
    return stratum, (*(f"numbers {low}…{high}" for low, high in pairwise(ends)), "(no label)")


def _assign_sets(
    dataset: Dataset, shares: dict[str, float], seed: int, group: np.ndarray
) -> tuple[np.ndarray, tuple[ReadNote, ...]]:
    """Return a split name for each row of any number of labels, and which labels some split has not."""
    from scipy.sparse import csr_array

    rows, labels = label_pairs(dataset.table["label"])
    unit, count = np.unique(group, return_inverse=True)[1], len(np.unique(group))
    # Rows without any label are spread out as those of a label are.
    bare = np.setdiff1d(np.arange(len(dataset)), rows)
    classes = len(dataset.label_names)
    where = np.concatenate([unit[rows], unit[bare]]), np.concatenate([labels, np.full(len(bare), classes)])
    counts = csr_array((np.ones(len(where[0]), np.int64), where), shape=(count, classes + 1))
    sizes = np.bincount(unit, minlength=count)
    place = deal_out(counts, sizes, np.array(list(shares.values())), np.random.default_rng(seed))[unit]
    having = np.zeros((len(shares), classes), np.int64)
    np.add.at(having, (place[rows], labels), 1)
    short = np.flatnonzero((having.sum(axis=0) > 0) & (having == 0).any(axis=0))
    notes = [
        ReadNote(
            what=f"too few different texts have these labels to stand in each of {', '.join(shares)}",
            rows=len(short),
            example=", ".join(dataset.label_names[label] for label in short[:5]),
        )
    ]
    return np.array(list(shares), dtype=object)[place], tuple(notes if len(short) else [])


def _fill(left: np.ndarray, present: np.ndarray, alone: int) -> np.ndarray:
    """Share the single rows of a class out: to the P splits in which it is missing, then to what is still wanted."""
    taken = np.zeros(len(left), dtype=np.int64)
    for part in np.flatnonzero(~present)[:alone]:
        taken[part] = 1
    for part in range(len(left) - 1, 0, -1):
        taken[part] += np.clip(int(left[part]) - taken[part], 0, alone - taken.sum())
    taken[0] += alone - taken.sum()
    return taken


def _place_shared(
    rows: _Rows, wanted: np.ndarray, left: np.ndarray, place: np.ndarray, rng: np.random.Generator
) -> None:
    """Place the groups of several rows, then exchange some, so that each class comes as near to its shares as it can.

    Each goes where the shares are missed by least after it; where that is the same, to the split that lacks most. The
    rows of a class that are in no group fill what is left, so only what groups overshoot is ever missed.

    Args:
        rows: strata and groups.
        wanted: (P, C) rows that each of P splits should get of each class.
        left: (P, C) what is still wanted; taken down in place.
        place: (N,) the split of each row; filled in place.
        rng: decides the order of groups of one size.
    """
    order = np.argsort(rows.group, kind="stable")
    edges = np.flatnonzero(np.diff(rows.group[order], prepend=-1, append=-2))
    members = [order[start:end] for start, end in pairwise(edges) if end - start > 1]
    rng.shuffle(members)
    members.sort(key=len, reverse=True)
    shapes = Shapes(rows.stratum, len(rows.names))
    kinds = [shapes.kind_of(group) for group in members]
    exchange = Exchange(shapes, wanted, left)
    parts = [exchange.place(kind) for kind in kinds]
    moves = exchange.improve()
    for kind, part, other in moves:
        # The groups of one kind are alike: the last of them that lies in the split moves.
        last = next(at for at in range(len(kinds) - 1, -1, -1) if kinds[at] == kind and parts[at] == part)
        parts[last] = other
    for group, part in zip(members, parts, strict=True):
        place[group] = part


def _wanted(rows: _Rows, shares: list[float], parts: list[str]) -> np.ndarray:
    """Return (P, C), how many rows each split should get of each class: at least one wherever the class occurs.

    Raises:
        DataError: a class has fewer different texts than there are splits.
    """
    faults = FaultLog()
    wanted = np.zeros((len(shares), len(rows.names)), dtype=np.int64)
    for stratum, name in enumerate(rows.names):
        members = rows.group[rows.stratum == stratum]
        texts = len(np.unique(members))
        if 0 < texts < len(shares):
            faults.add(
                f"class {name!r}: {len(shares)} different texts are needed, it has {texts:,} (in {len(members):,} "
                f"{'row' if len(members) == 1 else 'rows'})"
            )
        if texts:
            wanted[1:, stratum] = np.maximum(1, np.round(np.array(shares[1:]) * len(members)))
            wanted[0, stratum] = max(1, len(members) - wanted[1:, stratum].sum())
    faults.raise_as(
        DataError,
        what=f"classes are too small to stand in each of {', '.join(parts)}",
        todo="Add rows, join the class with another, or ask for fewer splits (a share of 0).",
    )
    return wanted


def _check_every_class(rows: _Rows, place: np.ndarray, parts: list[str]) -> None:
    """Refuse a result in which a split lacks a class: its texts come in groups too large to share out."""
    faults = FaultLog()
    for stratum in np.unique(rows.stratum):
        for part, name in enumerate(parts):
            if not ((rows.stratum == stratum) & (place == part)).any():
                faults.add(f"{name} gets no row of class {rows.names[stratum]!r}")
    faults.raise_as(
        DataError,
        what="equal texts stay together, and leave a split without a class",
        todo="Remove duplicates, add rows, or ask for larger shares.",
    )


def link_groups(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Join two groupings, int (N,) each: rows that share a group in either share one, 0 to G-1, in the result."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = int(first.max(initial=-1)) + 1
    others = np.unique(second, return_inverse=True)[1]
    nodes = size + int(others.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(first), np.int8), (first, size + others)), shape=(nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1][first], dtype=np.int64)
