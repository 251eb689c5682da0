"""Hierarchies: a child implies its parent in labels, probabilities and decisions; unsure children back off to it."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.data.dataset import Dataset, core_schema
from limbeck.data.hierarchy import (
    Hierarchy,
    hierarchy_among,
    hierarchy_of,
    implies_parents,
    parent_of,
    with_parents,
)
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.multi_predictions import MultiPredictions
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


def test_values_are_raised_to_those_of_children() -> None:
    """Decisions and probabilities, by hand: a parent has what its largest child has, where that is more."""
    nested = hierarchy_of(["net", "net::mail", "net::mail::spam", "game"])
    assert nested is not None
    decided = nested.raised(np.array([[False, False, True, False], [False, False, False, True]]))
    assert decided.tolist() == [[True, True, True, False], [False, False, False, True]]
    shares = np.array([[0.9, 0.2, 0.3, 0.4], [0.1, 0.2, 0.1, 0.0]], np.float32)
    np.testing.assert_array_equal(
        nested.raised(shares), np.array([[0.9, 0.3, 0.3, 0.4], [0.2, 0.2, 0.1, 0.0]], np.float32)
    )
    assert nested.raised(shares).dtype == np.float32
    assert shares[0, 1] == np.float32(0.2), "the values that were given are left alone"


def test_a_model_knows_parents_that_are_labels_alone() -> None:
    """Where a parent is no label, the next above it is; where there is none, the name states nothing."""
    assert hierarchy_among(TAGS) is None
    assert hierarchy_among(["joy", "fear"]) is None
    found = hierarchy_among((*TAGS, "role", "a::b::c", "a"))
    assert found is not None
    assert found.parents == (4, 4, -1, -1, -1, 6, -1)
    assert found.implied_names == ()


def drawn_names(random: np.random.Generator) -> list[str]:
    """Draw names of up to four parts, each once; parents are labels themselves now and then."""
    names = {"::".join(random.choice(PARTS, size=random.integers(1, 5))) for _ in range(random.integers(2, 13))}
    return random.permutation(sorted(names)).tolist()


def ancestors_of(name: str) -> list[str]:
    parts = name.split("::")
    return ["::".join(parts[:length]) for length in range(1, len(parts))]


def with_all_parents(names: list[str]) -> list[str]:
    return names + sorted({above for name in names for above in ancestors_of(name)} - set(names))


@pytest.mark.slow
def test_answers_are_consistent_whatever_is_drawn() -> None:
    """In 1,000 drawn hierarchies, probabilities and thresholds: no child without its parent, none likelier than it.

    An answer is given by thresholds, and what is given more than these say are parents of what they say.
    """
    random = np.random.default_rng(11)
    found_in = 0
    while found_in < 1000:
        names = with_all_parents(drawn_names(random))
        hierarchy = hierarchy_among(names)
        if hierarchy is None:
            continue
        found_in += 1
        given_NC = random.beta(0.5, 0.5, size=(4, len(names))).astype(np.float32)
        thresholds_C = random.uniform(size=len(names))
        answers = MultiPredictions(
            row_ids=("1", "2", "3", "4"),
            label_names=tuple(names),
            probabilities=hierarchy.raised(given_NC),
            true_labels=pa.nulls(4, pa.large_list(pa.int32())),
            tokens=np.ones(4),
            truncated=np.zeros(4, bool),
            thresholds=thresholds_C,
            label_parents=True,
        )
        assert (answers.probabilities >= given_NC).all()
        for names_given, shares_C in zip(answers.answers, answers.probabilities, strict=True):
            reached = {name for name, share, cut in zip(names, shares_C, thresholds_C, strict=True) if share >= cut}
            assert set(names_given) == reached | {above for name in reached for above in ancestors_of(name)}
            by_name = dict(zip(names, shares_C.tolist(), strict=True))
            assert all(by_name[above] >= by_name[name] for name in names for above in ancestors_of(name))


def test_arrays_of_other_labels_are_refused() -> None:
    """Three columns are not the six nodes."""
    with pytest.raises(DataError, match="6 labels and parents do not go with an array of shape"):
        tags().raised(np.zeros((2, 3), dtype=bool))


def rows(labels: list[list[int] | None] | list[int], names: tuple[str, ...], task: Task = MULTI) -> Dataset:
    ids = [f"train:{row}" for row in range(1, len(labels) + 1)]
    columns = {"row_id": ids, "split": ["train"] * len(ids), "text": ["a text"] * len(ids), "label": labels}
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in core_schema(task)]
    return Dataset(
        table=pa.Table.from_arrays(arrays, schema=core_schema(task)), label_names=names, source="rows", task=task
    )


def test_rows_get_the_parents_of_their_labels() -> None:
    """By name; none stays none, unlabelled stays unlabelled, and who has them already stays the same."""
    found = with_parents(rows([[0, 1], [3], [], None], TAGS))
    assert found.label_name_sets() == [("role::program", "role::library", "role"), ("game",), (), None]
    assert with_parents(found).label_name_sets() == found.label_name_sets()
    known = with_parents(rows([[0, 2]], TAGS), known=("role",))
    assert known.label_name_sets() == [("role::program", "works-with::text", "role")]


def test_whether_rows_imply_parents_is_seen_in_the_labels() -> None:
    """Only where every row has the parents of its labels."""
    open_rows = rows([[0], [3]], TAGS)
    assert not implies_parents(open_rows)
    assert implies_parents(with_parents(open_rows))
    assert not implies_parents(rows([[0], [1]], ("net", "net::mail")))
    assert implies_parents(rows([[0], [0, 1]], ("net", "net::mail")))
    assert not implies_parents(rows([[0]], ("joy", "fear")))


def test_parents_need_several_labels() -> None:
    """One label a row cannot have its parent beside it; labels that name no parents stay as they are."""
    plain = rows([[0]], ("joy", "fear"))
    assert with_parents(plain) is plain
    with pytest.raises(SettingsError, match="one label per row"):
        with_parents(rows([0], TAGS, SINGLE))
