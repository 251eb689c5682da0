"""Hierarchy: label names that say what they are a part of, such as `role::program`, and answers that agree with it.

In: label names; label sets or probabilities of rows. Out: the same over all nodes, the parents included.
It does not know models, nor how thresholds are chosen.

A row that has a child has its parent: in labels, in probabilities and in decisions. A row whose children are all unsure
may still be sure of their parent: the decision backs off to it.

Shapes: N rows, C labels, X nodes: the labels in their order, then the parents that are no label themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limbeck.errors import DataError

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
