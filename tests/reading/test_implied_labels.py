"""Implied labels: names such as `role::program` give rows their parents where it is asked for, and it is said."""

from pathlib import Path

import pytest

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError, SettingsError
from limbeck.reading.in_memory import from_lists
from limbeck.reading.read import read

TEXTS = ["mails", "plays", "draws", "nothing"]
LABELS = [["net::mail::spam"], ["game", "net"], ["game::card"], []]


def notes_of(dataset: Dataset) -> dict[str, tuple[int, str]]:
    return {note.what: (note.rows, note.example) for note in dataset.notes}


def test_rows_get_the_parents_of_their_labels() -> None:
    """Parents of parents, too; those that were no labels come after the others; both are counted."""
    found = from_lists(TEXTS, LABELS, label_parents=True)
    assert found.label_names == ("game", "game::card", "net", "net::mail::spam", "net::mail")
    assert found.label_name_sets() == [
        ("net", "net::mail::spam", "net::mail"),
        ("game", "net"),
        ("game", "game::card"),
        (),
    ]
    notes = notes_of(found)
    (said,) = [what for what in notes if what.startswith("rows given the parents")]
    assert said == "rows given the parents of their labels (:: in the names), 3 labels in all"
    assert notes[said][0] == 2
    assert notes["parents that became labels"] == (1, "'net::mail'")


def test_names_that_state_parents_are_noted_and_left_alone() -> None:
    """Without the option the labels stay; a note names it, unless every row has the parents already."""
    found = from_lists(TEXTS, LABELS)
    assert found.label_name_sets()[0] == ("net::mail::spam",)
    (hint,) = [what for what in notes_of(found) if "--label-parents" in what]
    assert notes_of(found)[hint] == (3, "'game::card', 'net::mail::spam', 'net::mail'")
    whole = from_lists(["a", "b"], [["game", "game::card"], ["game"]])
    assert not any("--label-parents" in what for what in notes_of(whole))


def test_parents_are_counted_before_rare_labels_are_left_out() -> None:
    """Two cards in one row each are rare, but both are games: the parent has two rows."""
    found = from_lists(["a", "b", "c"], [["game::card", "x"], ["game::board", "x"], ["x"]], label_parents=True)
    kept = from_lists(
        ["a", "b", "c"], [["game::card", "x"], ["game::board", "x"], ["x"]], label_parents=True, min_label_rows=2
    )
    assert found.label_names == ("game::board", "game::card", "x", "game")
    assert kept.label_names == ("x", "game")
    assert kept.label_name_sets() == [("x", "game"), ("x", "game"), ("x",)]


def test_a_parent_that_every_row_has_is_no_label() -> None:
    """Nobody could tell rows with it from rows without; what is below it has the next parent above, or none."""
    found = from_lists(["a", "b"], [["all::x::y"], ["all::x::z", "all::w"]], label_parents=True)
    assert found.label_names == ("all::w", "all::x::y", "all::x::z")
    (said,) = [what for what in notes_of(found) if what.startswith("parents that every row has")]
    assert notes_of(found)[said] == (2, "'all', 'all::x'")
    some = from_lists(["a", "b", "c"], [["all::x::y"], ["all::x::z"], ["all::w"]], label_parents=True)
    assert some.label_names == ("all::w", "all::x::y", "all::x::z", "all::x")
    assert some.label_name_sets() == [("all::x::y", "all::x"), ("all::x::z", "all::x"), ("all::w",)]


def test_files_are_read_alike(tmp_path: Path) -> None:
    """Lines of JSON; the note says in which row labels were added first, and one label each is several now."""
    place = tmp_path / "tags.jsonl"
    place.write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": "game::card"}\n', "utf-8")
    found = read(place, label_parents=True)
    assert found.task.name == "multi"
    assert found.label_name_sets() == [("x",), ("game::card", "game")]
    (example,) = [example for what, (_, example) in notes_of(found).items() if what.startswith("rows given")]
    assert "row 2" in example


def test_labels_that_name_no_parents_are_refused() -> None:
    """Where parents are asked for; other tasks have none."""
    with pytest.raises(DataError, match=r"no label names a parent: names such as facet::value were expected, found"):
        from_lists(["a", "b"], [["x"], ["y"]], label_parents=True)
    with pytest.raises(SettingsError, match="label_parents is for any number of labels per row"):
        from_lists(["a", "b"], ["x", "y"], label_parents=True, task="single")
