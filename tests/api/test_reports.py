"""The report as a function."""

import pytest

import limbeck
from limbeck.errors import SettingsError


@pytest.mark.slow
def test_a_report_is_written(run, tmp_path):
    """The page, and a value that says where it is and what must be known."""
    made = limbeck.report(run, out=tmp_path / "page.html")
    assert made.path.read_text("utf-8").startswith("<!doctype html>")
    assert len(repr(made).split("\n")) == 2
    with pytest.raises(SettingsError, match="did you mean 'language'"):
        limbeck.report(run, langage="ko")
