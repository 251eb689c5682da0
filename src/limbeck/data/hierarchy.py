"""Hierarchy: label names that say what they are a part of, such as `role::program`, and values that agree with it.

In: label names; label sets, or values of each row and label. Out: the same with the parents in them. It does not know
files or models, nor how answers are decided.

A row that has a child has its parent: in labels, in probabilities and in decisions. A row whose children are all unsure
may still be sure of their parent, which then stands alone: the answer backs off to it.

Shapes: N rows, X nodes: the labels in their order, then the parents that are no label themselves.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from limbeck.data.dataset import Dataset
from limbeck.data.label_sets import label_pairs, one_list_array, sets_of_pairs
from limbeck.errors import DataError
from limbeck.task import MULTI

PART_OF = "::"
"""Between the name of a parent and what its child adds."""


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """Labels and their parents.

    Attributes:
        names: of the X nodes.
        labels: how many of them are labels; the others are implied.
        parents: the place of each node's parent, the nearest one that is a node; -1 where there is none.
    """

    names: tuple[str, ...]
    labels: int
    parents: tuple[int, ...]

    @property
    def implied_names(self) -> tuple[str, ...]:
        """The parents that are no labels themselves."""
        return self.names[self.labels :]

    def without(self, names: Collection[str]) -> "Hierarchy | None":
        """Return it without some implied parents, whose children get those above; None where no parent is left."""
        kept = [node for node, name in enumerate(self.names) if node < self.labels or name not in names]
        places = {node: place for place, node in enumerate(kept)}
        parents = tuple(next((places[above] for above in self.ancestors(node) if above in places), -1) for node in kept)
        if max(parents, default=-1) < 0:
            return None
        return Hierarchy(names=tuple(self.names[node] for node in kept), labels=self.labels, parents=parents)

    def ancestors(self, node: int) -> tuple[int, ...]:
        """Return the parent of a node, its parent's parent, and so on."""
        found: list[int] = []
        while (node := self.parents[node]) >= 0:
            found.append(node)
        return tuple(found)

    def raised(self, values_NX: np.ndarray) -> np.ndarray:
        """Return values in which no child has more than its parent, (N, X): each parent at least its largest child's.

        Of decisions (bool) a parent is given wherever one of its children is; of probabilities none is changed but
        those of parents that are too low.

        Raises:
            DataError: the values are not over these nodes.
        """
        if values_NX.ndim != 2 or values_NX.shape[1] != len(self.names):
            raise DataError(
                f"{len(self.names)} labels and parents do not go with an array of shape {values_NX.shape}: give one "
                "column for each"
            )
        raised_NX = values_NX.copy()
        # Every child comes before its parent, whose name is shorter.
        for child in sorted(range(len(self.names)), key=lambda node: -len(self.names[node])):
            if (parent := self.parents[child]) >= 0:
                np.maximum(raised_NX[:, parent], raised_NX[:, child], out=raised_NX[:, parent])
        return raised_NX

    def with_parents(self, sets: pa.ChunkedArray | pa.Array) -> pa.LargeListArray:
        """Return label sets with the parents of every label; a row that is not labelled stays so.

        Args:
            sets: of labels (N,), as `Dataset.table["label"]` has them.
        """
        lists = one_list_array(sets)
        row_P, label_P = label_pairs(lists)
        above = [self.ancestors(node) for node in range(self.labels)]
        times_P = np.array([len(nodes) for nodes in above], np.int64)[label_P]
        added_Q = np.array([node for label in label_P.tolist() for node in above[label]], np.int64)
        return sets_of_pairs(
            np.concatenate([row_P, np.repeat(row_P, times_P)]),
            np.concatenate([label_P, added_Q]),
            np.asarray(lists.is_null()),
        )


def parent_of(name: str) -> str | None:
    """Return the name of a label's parent, or None where it names none.

    Example:
        >>> parent_of("role::program"), parent_of("program"), parent_of("a::b::c")
        ('role', None, 'a::b')
    """
    parent, separator, own = name.rpartition(PART_OF)
    return parent if separator and parent.strip(": ") and own.strip(": ") else None


def hierarchy_of(label_names: Sequence[str]) -> Hierarchy | None:
    """Return the hierarchy that label names state; None where no name names a parent.

    Example:
        >>> hierarchy_of(["role::program", "role::library", "game"]).implied_names
        ('role',)
    """
    known = set(label_names)
    implied: set[str] = set()
    for name in label_names:
        parent = parent_of(name)
        while parent is not None:
            if parent not in known:
                implied.add(parent)
            parent = parent_of(parent)
    names = (*label_names, *sorted(implied))
    places = {name: place for place, name in enumerate(names)}
    parents = tuple(-1 if (parent := parent_of(name)) is None else places[parent] for name in names)
    if max(parents, default=-1) < 0:
        return None
    return Hierarchy(names=names, labels=len(label_names), parents=parents)


def hierarchy_among(label_names: Sequence[str]) -> Hierarchy | None:
    """Return the hierarchy of labels whose parents are labels themselves; None where there are none.

    Example:
        >>> hierarchy_among(["role::program", "role", "use::editing"]).parents
        (1, -1, -1)
    """
    hierarchy = hierarchy_of(label_names)
    return None if hierarchy is None else hierarchy.without(hierarchy.implied_names)


def with_parents(dataset: Dataset, known: Collection[str] | None = None) -> Dataset:
    """Return the rows with the parents of their labels: who has `role::program` has `role`.

    Parents that are no label yet become labels, after the others. Rows whose labels name no parents stay as they are.

    Args:
        dataset: rows with any number of labels.
        known: names that parents may have; any when not given.

    Raises:
        SettingsError: the rows have one label each, or numbers.
    """
    dataset.task.require((MULTI.name,), doing="giving rows the parents of their labels")
    hierarchy = hierarchy_of(dataset.label_names)
    if hierarchy is not None and known is not None:
        hierarchy = hierarchy.without([name for name in hierarchy.implied_names if name not in known])
    if hierarchy is None:
        return dataset
    field = dataset.table.schema.field("label")
    table = dataset.table.set_column(3, field, hierarchy.with_parents(dataset.table["label"]))
    return replace(dataset, table=table, label_names=hierarchy.names)


def implies_parents(dataset: Dataset) -> bool:
    """Tell whether labels name others as their parents, and every row has those of its labels: answers should, too."""
    hierarchy = hierarchy_among(dataset.label_names) if dataset.task == MULTI else None
    if hierarchy is None:
        return False
    row_P, label_P = label_pairs(dataset.table["label"])
    parent_P = np.array(hierarchy.parents, np.int64)[label_P]
    labels = len(hierarchy.names)
    has_parent_P = parent_P >= 0
    wanted = row_P[has_parent_P] * labels + parent_P[has_parent_P]
    return bool(np.isin(wanted, row_P * labels + label_P).all())
