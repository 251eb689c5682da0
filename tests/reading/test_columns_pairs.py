"""Two text columns: how they are named, and what is said where they are not there."""

import pytest

from limbeck.errors import DataError, SettingsError
from limbeck.reading.columns import PAIR_NAMES, find_columns, has_text_column, say_choice, text_names
from limbeck.settings import ReadSettings


def find(*names: str, **settings: object):  # type: ignore[no-untyped-def]
    return find_columns(names, ReadSettings(**settings), file="data.csv", split="train")  # type: ignore[arg-type]


def test_two_names_are_a_pair() -> None:
    """The order is the one that was given; names are compared as others are."""
    found = find("Hypothesis", "premise", "label", "id", text_column="premise, hypothesis")
    assert (found.text, found.second, found.label) == ("premise", "Hypothesis", "label")
    assert found.others == {"id": "id"}


def test_a_column_with_a_comma_in_its_name_is_one() -> None:
    """The whole of what was given comes first; double quotes keep a comma inside a name."""
    assert find("a,b", "label", text_column="a,b").second is None
    found = find("a,b", "c", "label", text_column='"a,b",c')
    assert (found.text, found.second) == ("a,b", "c")


@pytest.mark.parametrize("given", ["a,b,c", "a,", "a,A", ",", '"a'])
def test_what_is_no_pair_is_refused(given: str) -> None:
    """Three names, an empty one, one name twice, an open quote."""
    with pytest.raises(SettingsError, match=r"one column, or of two|cannot be divided"):
        find("a", "b", "c", "label", text_column=given)


def test_a_missing_second_column_is_named() -> None:
    """The message names the column that is not there, and the nearest."""
    with pytest.raises(DataError, match=r"no column 'hypotesis'.*did you mean 'hypothesis'"):
        find("premise", "hypothesis", "label", text_column="premise,hypotesis")


@pytest.mark.parametrize("pair", PAIR_NAMES)
def test_usual_pairs_are_suggested_and_never_taken(pair: tuple[str, str]) -> None:
    """Two texts are read together only when that is asked for."""
    with pytest.raises(DataError, match=f"--text-column {','.join(pair)}"):
        find(*pair, "label")


@pytest.mark.parametrize("name", ["row_id", "split", "label", "label_name"])
def test_names_that_limbeck_writes_are_no_texts_of_a_pair(name: str) -> None:
    """The two columns are written back by their names, which must be free."""
    with pytest.raises(DataError, match="another name"):
        find("a", name, "stars", text_column=f"a,{name}", label_column="stars")


def test_both_columns_tell_a_table() -> None:
    """A file of tables is told by both names."""
    settings = ReadSettings(text_column="a,b")
    assert has_text_column(["b", "x", "a"], settings)
    assert not has_text_column(["a", "x"], settings)
    assert text_names(["a", "b"], "a") == ("a",)


def test_the_choice_is_said() -> None:
    """Where the label was found by its usual name, the note names both texts."""
    names = ("a", "b", "emotion", "more")
    settings = ReadSettings(text_column="a,b")
    columns = find_columns(names, settings, file="data.csv", split="train")
    assert say_choice(columns, names, settings) == (
        "text is column 'a' and column 'b', read together, label is column 'emotion'; other columns: 'more'"
    )
