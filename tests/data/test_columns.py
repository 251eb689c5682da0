"""Finding columns: usual names, given names, and what becomes of the others."""

import pytest

from limbeck.data.columns import find_columns
from limbeck.errors import DataError
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
