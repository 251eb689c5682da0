"""Hierarchy: label names that say what they are a part of, such as `role::program`, and answers that agree with it.

In: label names; label sets or probabilities of rows. Out: the same over all nodes, the parents included.
It does not know models, nor how thresholds are chosen.

A row that has a child has its parent: in labels, in probabilities and in decisions. A row whose children are all unsure
may still be sure of their parent: the decision backs off to it.

Shapes: N rows, C labels, X nodes: the labels in their order, then the parents that are no label themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from limbeck.data.dataset import Dataset, ReadNote
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
        labels: C, how many of them are labels; the others are implied.
        parents: the place of each node's parent; -1 where it has none.
    """

    names: tuple[str, ...]
    labels: int
    parents: tuple[int, ...]

    @property
    def implied_names(self) -> tuple[str, ...]:
        """The parents that are no labels themselves."""
        return self.names[self.labels :]

    def ancestors(self, node: int) -> tuple[int, ...]:
        """Return the parent of a node, its parent's parent, and so on."""
        found: list[int] = []
        while (node := self.parents[node]) >= 0:
            found.append(node)
        return tuple(found)

    def closed(self, sets_NC: np.ndarray) -> np.ndarray:
        """Return label sets with the parents of every label, bool (N, X).

        Raises:
            DataError: the sets are not over these labels.
        """
        sets_NX = np.zeros((len(sets_NC), len(self.names)), dtype=np.bool_)
        sets_NX[:, : self._checked(sets_NC)] = sets_NC
        return self._raised(sets_NX)

    def probabilities(self, probabilities_NC: np.ndarray) -> np.ndarray:
        """Return the probability of each node, float64 (N, X); no child is likelier than its parent.

        A parent is at least as likely as that one of its children is there, 1 - Π (1 - p), were they independent given
        the text; where it is a label itself, and its own probability is higher, that one stands.

        Raises:
            DataError: the probabilities are not over these labels.
        """
        own_NX = np.zeros((len(probabilities_NC), len(self.names)))
        own_NX[:, : self._checked(probabilities_NC)] = probabilities_NC
        without_NX = np.ones_like(own_NX)
        for child in self._upwards():
            own_NX[:, child] = np.maximum(own_NX[:, child], 1 - without_NX[:, child])
            if (parent := self.parents[child]) >= 0:
                without_NX[:, parent] *= 1 - own_NX[:, child]
        # Rounding may leave a parent of one child a hair below it.
        for child in self._upwards():
            if (parent := self.parents[child]) >= 0:
                own_NX[:, parent] = np.maximum(own_NX[:, parent], own_NX[:, child])
        return own_NX

    def decided(self, probabilities_NX: np.ndarray, thresholds_X: np.ndarray) -> np.ndarray:
        """Return which nodes each row is given, bool (N, X): those that reach their threshold, and their parents.

        Where no child reaches its threshold, but the parent its own, the row is given the parent alone.

        Raises:
            DataError: probabilities and thresholds are not over these nodes.
        """
        nodes = len(self.names)
        if probabilities_NX.shape[1:] != (nodes,) or np.shape(thresholds_X) != (nodes,):
            raise DataError(
                f"{nodes} nodes do not go with probabilities of shape {probabilities_NX.shape} and thresholds of shape "
                f"{np.shape(thresholds_X)}: give one of each per node"
            )
        return self._raised(probabilities_NX >= thresholds_X)

    def most_specific(self, decided_NX: np.ndarray) -> np.ndarray:
        """Return the given nodes that have no given child, bool (N, X): the others are said by them."""
        said_NX = decided_NX.copy()
        for child, parent in enumerate(self.parents):
            if parent >= 0:
                said_NX[:, parent] &= ~decided_NX[:, child]
        return said_NX

    def _raised(self, sets_NX: np.ndarray) -> np.ndarray:
        for child in self._upwards():
            if (parent := self.parents[child]) >= 0:
                sets_NX[:, parent] |= sets_NX[:, child]
        return sets_NX

    def _upwards(self) -> list[int]:
        """Return the nodes so that every child comes before its parent, whose name is shorter."""
        return sorted(range(len(self.names)), key=lambda node: -len(self.names[node]))

    def _checked(self, values_NC: np.ndarray) -> int:
        if values_NC.ndim != 2 or values_NC.shape[1] != self.labels:
            raise DataError(
                f"{self.labels} labels do not go with an array of shape {values_NC.shape}: give one per label"
            )
        return self.labels


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


def with_parents(dataset: Dataset) -> Dataset:
    """Return the rows with the parents of their labels: who has `role::program` has `role`.

    Parents that are no label yet become labels, after the others. A row that is not labelled stays so. The notes say
    how many rows got labels.

    Raises:
        SettingsError: the rows have one label each, or numbers.
        DataError: no label names a parent.
    """
    dataset.task.require((MULTI.name,), doing="giving rows the parents of their labels")
    hierarchy = hierarchy_of(dataset.label_names)
    if hierarchy is None:
        raise DataError(
            f"{dataset.source}: no label names a parent: names such as facet{PART_OF}value were expected; leave "
            "--label-parents out"
        )
    column = one_list_array(dataset.table["label"])
    row_P, label_P = label_pairs(column)
    above = [hierarchy.ancestors(node) for node in range(hierarchy.labels)]
    times_P = np.array([len(nodes) for nodes in above], np.int64)[label_P]
    added_Q = np.array([node for label in label_P.tolist() for node in above[label]], np.int64)
    sets = sets_of_pairs(
        np.concatenate([row_P, np.repeat(row_P, times_P)]),
        np.concatenate([label_P, added_Q]),
        np.asarray(column.is_null()),
    )
    grown_N = np.asarray(sets.value_lengths().fill_null(0)) > np.asarray(column.value_lengths().fill_null(0))
    table = dataset.table.set_column(3, dataset.table.schema.field("label"), sets)
    notes = dataset.notes
    if grown_N.any():
        first = dataset.row_ids[int(grown_N.argmax())]
        notes = (
            *notes,
            ReadNote(what="rows given the parents of their labels", rows=int(grown_N.sum()), example=first),
        )
    return replace(dataset, table=table, label_names=hierarchy.names, notes=notes)


def implies_parents(dataset: Dataset) -> bool:
    """Tell whether labels name parents, and every row has those of its labels: answers then should, too."""
    hierarchy = hierarchy_of(dataset.label_names) if dataset.task == MULTI else None
    if hierarchy is None or hierarchy.implied_names:
        return False
    row_P, label_P = label_pairs(dataset.table["label"])
    parent_P = np.array(hierarchy.parents, np.int64)[label_P]
    labels = len(hierarchy.names)
    has_parent_P = parent_P >= 0
    wanted = row_P[has_parent_P] * labels + parent_P[has_parent_P]
    return bool(np.isin(wanted, row_P * labels + label_P).all())
