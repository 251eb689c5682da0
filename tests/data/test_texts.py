"""Texts come in as people hold them; what is no column of texts is refused with a way out."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from limbeck.data.texts import as_texts
from limbeck.errors import DataError, SettingsError

TEXTS = ["i feel fine", "비가 온다", ""]


@pytest.mark.parametrize(
    "given",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS, dtype=object)[:, None],
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype=object, index=[5, 6, 7]),
        pd.Series(TEXTS).astype("category"),
        pd.DataFrame({"text": TEXTS}),
        pl.Series(TEXTS),
        pl.DataFrame({"text": TEXTS}),
        pa.array(TEXTS),
        pa.array(TEXTS).dictionary_encode(),
        pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
        pa.table({"text": TEXTS}),
    ],
    ids=lambda given: f"{type(given).__module__.split('.')[0]}-{type(given).__name__}",
)
def test_columns_of_any_library_are_the_same_texts(given):
    """Order and content stay, and every text is a plain string."""
    texts = as_texts(given, where="predict()")
    assert texts == TEXTS
    assert {type(text) for text in texts} == {str}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("i feel fine", r"give \[text\]"),
        (b"i feel fine", "not a bytes"),
        (pd.DataFrame({"text": TEXTS, "label": TEXTS}), r"2 \('text', 'label'\): name one"),
        (pl.DataFrame({"text": TEXTS, "label": TEXTS}), "name one"),
        (pa.table({"text": TEXTS, "label": TEXTS}), "name one"),
        (np.zeros((3, 2), object), r"not \(3, 2\)"),
        ({"text": TEXTS}, "not a dict: give one of its values"),
        ({"a", "b"}, r"not a set: give list\(...\) of it"),
        (iter(TEXTS), r"give list\(...\) of it"),
        (None, "not a NoneType"),
        (7, "not a int"),
    ],
)
def test_what_is_no_column_is_refused(given, message):
    """The message says what came, and how to give texts instead."""
    with pytest.raises(SettingsError, match=message):
        as_texts(given, where="predict()")


@pytest.mark.parametrize("given", [["a", None], pd.Series(["a", np.nan], dtype=object), np.array([1.5, 2.5])])
def test_rows_that_are_no_texts_are_gathered(given):
    """A missing value and a number are named by their place."""
    with pytest.raises(DataError, match=r"text 1: .* is of type (NoneType|float), not a string"):
        as_texts(given, where="predict()")


@pytest.mark.parametrize("texts", [[b"x" * 1_000_000, b"y"], np.array([b"a", b"b"]), ["a", bytearray(b"b" * 999)]])
def test_bytes_are_told_once_and_shortly(texts: object) -> None:
    """Texts that are bytes are one short message that says how to decode them."""
    with pytest.raises(DataError, match=r"are bytes.*decode") as caught:
        as_texts(texts, where="predict()")
    assert len(str(caught.value)) < 300


def test_what_is_no_text_is_shown_shortly() -> None:
    """A long object in the place of a text does not flood the message."""
    with pytest.raises(DataError, match="of type list") as caught:
        as_texts(["a", ["word"] * 10_000], where="predict()")
    assert len(str(caught.value)) < 300
