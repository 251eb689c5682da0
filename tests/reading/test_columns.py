"""Finding columns: usual names, given names, and what becomes of the others."""

import unicodedata

import pytest

from limbeck.errors import DataError
from limbeck.reading.columns import find_columns, say_choice
from limbeck.settings import ReadSettings


def find(*names: str, **settings: object):  # type: ignore[no-untyped-def]
    return find_columns(names, ReadSettings(**settings), file="data.csv", split="train")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "text", "label"),
    [
        (("text", "label"), "text", "label"),
        (("Label", "Text"), "Text", "Label"),
        (("id", "document", "label"), "document", "label"),
        (("sentence", "text", "category"), "text", "category"),
        (("sentiment", "confidence", "text"), "text", "sentiment"),
        (("문장", "감정"), "문장", "감정"),
        (("review", "target", "class"), "review", "target"),
        (("text", "label_name"), "text", "label_name"),
    ],
)
def test_usual_names(names: tuple[str, ...], text: str, label: str) -> None:
    """The first usual name wins, upper or lower case, English or Korean."""
    found = find(*names)
    assert (found.text, found.label) == (text, label)


def test_names_beside_integers() -> None:
    """label_name beside label is the label, and label gives the order; asked for by name, label stands alone."""
    found = find("text", "label", "label_name")
    assert (found.label, found.label_index) == ("label_name", "label")
    given = find("text", "label", "label_name", label_column="label")
    assert (given.label, given.label_index) == ("label", None)
    assert given.others == {"label_name": "label_name_"}


def test_others_keep_their_names_or_get_an_underscore() -> None:
    """No two columns end under one name."""
    found = find("body", "text", "text_", "label", "stars", text_column="body")
    assert found.others == {"text": "text__", "text_": "text_", "stars": "stars"}


def test_split_and_row_id_as_text_or_label() -> None:
    """A column that is the text or the label by hand is not also the split or the row id."""
    found = find("split", "row_id", text_column="row_id", label_column="split")
    assert (found.split, found.row_id) == (None, None)


def test_ignored_labels_need_no_column() -> None:
    """Where labels are not looked at, only the text is needed; by hand it must be there in any case."""
    assert find("text", labels="ignored").label is None
    assert find("text", labels="optional").label is None
    with pytest.raises(DataError, match="no column 'emotion'"):
        find("text", labels="optional", label_column="emotion")


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("\ufefftext", "text"),
        ("ｔｅｘｔ", "text"),
        (unicodedata.normalize("NFD", "리뷰"), "리뷰"),
        ("te\u200bxt", "text"),
        ("My  Text", "my text"),
        ("cafe\u0301", "café"),
    ],
)
def test_names_are_found_in_any_form(written: str, asked: str) -> None:
    """A column is found by its name whatever the Unicode form, marks, case or white space; asked for or usual."""
    assert find(written, "label", text_column=asked).text == written
    if asked in ("text", "리뷰"):
        assert find(written, "label").text == written


def test_a_name_that_two_columns_share() -> None:
    """The exact name wins; where none is exact and two are alike, nobody guesses, and the difference is shown."""
    assert find("Body", "body", "label", text_column="body").text == "body"
    with pytest.raises(DataError, match="several columns 'BODY'"):
        find("Body", "body", "label", text_column="BODY")


def test_messages_are_bounded_and_list_every_column() -> None:
    """Long names are shortened and many counted; the label's message lists the text column too."""
    with pytest.raises(DataError) as caught:
        find(*(f"{place} {'long ' * 3000}" for place in range(300)))
    assert len(str(caught.value)) < 1500
    assert "and 280 more" in str(caught.value)
    with pytest.raises(DataError, match=r"its columns are 'id', 'comment_text'.*limbeck predict"):
        find("id", "comment_text", text_column="comment_text")


@pytest.mark.parametrize(
    ("names", "settings", "told"),
    [
        (("text", "label"), {}, None),
        (("text", "label", "stars"), {}, None),
        (("text", "label", "label_name"), {}, None),
        (("text", "label"), {"labels": "ignored"}, None),
        (("text", "a", "b"), {"text_column": "a", "label_column": "b"}, None),
        (("text", "review", "label", "stars"), {}, "text is column 'text', label is column 'label'; other columns: "),
        (("document", "label"), {}, "text is column 'document', label is column 'label'"),
        (("text", "label", "sentiment"), {}, "label is column 'label'; other columns: 'sentiment'"),
    ],
)
def test_a_choice_is_said(names: tuple[str, ...], settings: dict[str, str], told: str | None) -> None:
    """Which columns were taken is said where others could have been, or their names are not the plain ones."""
    given = ReadSettings(**settings)  # type: ignore[arg-type]  # parametrised
    said = say_choice(find_columns(names, given, file="data.csv", split="train"), names, given)
    assert (said is None) if told is None else (told in (said or ""))
