"""Spreadsheet text: nothing runs, nothing is lost."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.evaluation import spreadsheet

TRICKY = st.text(alphabet="'=+-@＝\t\r\n a한", max_size=8) | st.text(st.characters(codec="utf-8"), max_size=20)


@given(TRICKY)
def test_restore_undoes_neutralise(text):
    """Whatever the text, apostrophes included, reading gives back what was written, by string and by column."""
    safe = spreadsheet.neutralise(text)
    assert not safe.startswith(("=", "+", "-", "@", "＝", "\t", "\r", "\n"))
    assert spreadsheet.restore(safe) == text
    column = spreadsheet.neutralise_column(pa.chunked_array([pa.array([text, None])]))
    assert column.to_pylist() == [safe, None]
    assert spreadsheet.restore_column(column).to_pylist() == [text, None]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1"])
def test_formulas_become_text(text):
    """Everything a spreadsheet may run gets an apostrophe in front."""
    assert spreadsheet.neutralise(text) == "'" + text


@pytest.mark.parametrize("text", ["", "i feel fine", "기쁨", "1-1", "it's", "'tis", "a=b"])
def test_plain_text_is_left_alone(text):
    """Other text is untouched."""
    assert spreadsheet.neutralise(text) == text
