"""Hierarchies: a child implies its parent in labels, probabilities and decisions; unsure children back off to it."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.data.dataset import Dataset, core_schema
from limbeck.data.hierarchy import Hierarchy, hierarchy_of, implies_parents, parent_of, with_parents
from limbeck.errors import DataError, SettingsError
from limbeck.task import MULTI, SINGLE, Task

TAGS = ("role::program", "role::library", "works-with::text", "game")

PARTS = ("a", "b", "c", "dd")


def tags() -> Hierarchy:
    found = hierarchy_of(TAGS)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "parent"),
    [
        ("role::program", "role"),
        ("a::b::c", "a::b"),
        ("game", None),
        ("::a", None),
        ("a::", None),
        ("a:b", None),
        ("", None),
    ],
)
def test_what_a_name_says_of_its_parent(name: str, parent: str | None) -> None:
    """All before the last `::`; a name that lacks one side names no parent."""
    assert parent_of(name) == parent


def test_parents_that_are_no_labels_are_added_after_them() -> None:
    """In alphabetical order, so that labels keep their places."""
    found = tags()
    assert found.names == (*TAGS, "role", "works-with")
    assert found.implied_names == ("role", "works-with")
    assert found.parents == (4, 4, 5, -1, -1, -1)


def test_names_without_parents_are_no_hierarchy() -> None:
    """Nothing is made of labels that say nothing of each other."""
    assert hierarchy_of(["joy", "fear"]) is None


def test_a_label_set_gets_the_parents_of_its_labels() -> None:
    """By hand; a row with no label stays with none."""
    closed = tags().closed(np.array([[True, False, False, True], [False] * 4]))
    assert closed.tolist() == [[True, False, False, True, True, False], [False] * 6]


def test_the_probability_of_a_parent_is_that_of_any_child() -> None:
    """1 - 0.5 · 0.6 = 0.7, and a parent of one child is as likely as it."""
    found = tags().probabilities(np.array([[0.5, 0.4, 0.3, 0.2]]))
    np.testing.assert_allclose(found, [[0.5, 0.4, 0.3, 0.2, 0.7, 0.3]])


def test_a_parent_that_is_a_label_keeps_its_own_probability_where_it_is_higher() -> None:
    """0.9 by itself, though its child is at 0.2; 0.2 where it is at 0.1 by itself."""
    pair = hierarchy_of(["net", "net::mail"])
    assert pair is not None
    np.testing.assert_allclose(pair.probabilities(np.array([[0.9, 0.2], [0.1, 0.2]])), [[0.9, 0.2], [0.2, 0.2]])


def test_unsure_children_back_off_to_their_parent() -> None:
    """Two kinds of role at 0.4 and 0.45: which one is unsure, that it is one is not; it is said alone."""
    found = tags()
    decided = found.decided(
        found.probabilities(np.array([[0.4, 0.45, 0.0, 0.0], [0.9, 0.1, 0.0, 0.0]])), np.full(6, 0.5)
    )
    assert [found.names[place] for place in np.flatnonzero(decided[0])] == ["role"]
    assert [found.names[place] for place in np.flatnonzero(decided[1])] == ["role::program", "role"]
    said = found.most_specific(decided)
    assert [found.names[place] for place in np.flatnonzero(said[1])] == ["role::program"]


def drawn_names(random: np.random.Generator) -> list[str]:
    """Draw names of up to four parts, each once; parents are labels themselves now and then."""
    names = {"::".join(random.choice(PARTS, size=random.integers(1, 5))) for _ in range(random.integers(2, 13))}
    return random.permutation(sorted(names)).tolist()


def test_answers_are_consistent_whatever_is_drawn() -> None:
    """In 1,000 drawn hierarchies, probabilities and thresholds: no child without its parent, none likelier than it.

    What is said last implies exactly what was decided.
    """
    random = np.random.default_rng(11)
    found_in = 0
    for _ in range(1000):
        names = drawn_names(random)
        found = hierarchy_of(names)
        if found is None:
            assert all(parent_of(name) is None for name in names)
            continue
        found_in += 1
        given_NC = random.beta(0.5, 0.5, size=(4, len(names)))
        probabilities_NX = found.probabilities(given_NC)
        decided_NX = found.decided(probabilities_NX, random.uniform(size=len(found.names)))
        assert (probabilities_NX[:, : len(names)] >= given_NC).all()
        assert (probabilities_NX <= 1).all()
        for child, parent in enumerate(found.parents):
            if parent >= 0:
                assert found.names[parent] == parent_of(found.names[child])
                assert (probabilities_NX[:, parent] >= probabilities_NX[:, child]).all()
                assert not (decided_NX[:, child] & ~decided_NX[:, parent]).any()
        said_NX = found.most_specific(decided_NX)
        for child in sorted(range(len(found.names)), key=lambda node: -found.names[node].count("::")):
            if found.parents[child] >= 0:
                said_NX[:, found.parents[child]] |= said_NX[:, child]
        np.testing.assert_array_equal(said_NX, decided_NX)
    assert found_in > 900


def test_arrays_of_other_labels_are_refused() -> None:
    """Three columns are not the four labels; four thresholds not the six nodes."""
    with pytest.raises(DataError, match="4 labels do not go with"):
        tags().closed(np.zeros((2, 3), dtype=bool))
    with pytest.raises(DataError, match="6 nodes do not go with"):
        tags().decided(np.zeros((2, 6)), np.zeros(4))


def rows(labels: list[list[int] | None] | list[int], names: tuple[str, ...], task: Task = MULTI) -> Dataset:
    ids = [f"train:{row}" for row in range(1, len(labels) + 1)]
    columns = {"row_id": ids, "split": ["train"] * len(ids), "text": ["a text"] * len(ids), "label": labels}
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in core_schema(task)]
    return Dataset(
        table=pa.Table.from_arrays(arrays, schema=core_schema(task)), label_names=names, source="rows", task=task
    )


def test_rows_get_the_parents_of_their_labels() -> None:
    """By name; none stays none, unlabelled stays unlabelled, and the note says how many rows have more labels."""
    found = with_parents(rows([[0, 1], [3], [], None], TAGS))
    assert found.label_name_sets() == [("role::program", "role::library", "role"), ("game",), (), None]
    assert [(note.what, note.rows, note.example) for note in found.notes] == [
        ("rows given the parents of their labels", 1, "train:1")
    ]
    assert with_parents(found).label_name_sets() == found.label_name_sets()


def test_whether_rows_imply_parents_is_seen_in_the_labels() -> None:
    """Only where every row has the parents of its labels."""
    open_rows = rows([[0], [3]], TAGS)
    assert not implies_parents(open_rows)
    assert implies_parents(with_parents(open_rows))
    assert not implies_parents(rows([[0], [1]], ("net", "net::mail")))
    assert implies_parents(rows([[0], [0, 1]], ("net", "net::mail")))
    assert not implies_parents(rows([[0]], ("joy", "fear")))


def test_parents_need_several_labels_and_names_that_have_them() -> None:
    """One label a row cannot have its parent beside it."""
    with pytest.raises(DataError, match="no label names a parent"):
        with_parents(rows([[0]], ("joy", "fear")))
    with pytest.raises(SettingsError, match="one label per row"):
        with_parents(rows([0], TAGS, SINGLE))
