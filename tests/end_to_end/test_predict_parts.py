"""`limbeck predict` into a folder of parts, as people type it."""

import json

import pandas as pd
import pytest


@pytest.fixture
def texts(tmp_path):
    """Two files of three and two rows."""
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a-1.csv").write_text("id,review,stars\n007,i feel fine,5\n008,so sad,1\n009,기분이 좋다,4\n", "utf-8")
    (folder / "a-2.csv").write_text("id,review,stars\n010,it is rain,2\n011,sun,5\n", "utf-8")
    return folder


def test_a_folder_of_parts_is_written_and_gone_on_with(limbeck, trained, texts, tmp_path):
    """The first call says how many rows and parts there are, the second that nothing was left to do."""
    words = ("predict", trained, "--input", texts / "a-*.csv", "--out", tmp_path / "PARTS", "--on", "here")
    ended = limbeck(*words)
    assert (ended.status, ended.err.count("units of work")) == (0, 1), ended.err
    assert "5 rows in 2 parts;" in ended.out
    found = pd.read_parquet(tmp_path / "PARTS")
    assert found["id"].tolist() == ["007", "008", "009", "010", "011"]
    assert found["row_id"].tolist()[2:4] == ["a-1.csv:3", "a-2.csv:1"]
    assert list(found)[:5] == ["row_id", "text", "id", "stars", "prediction"]
    again = limbeck(*words, "--json")
    assert json.loads(again.out)["computed"] == 0


def test_a_unit_that_was_set_aside_is_the_exit_status(limbeck, trained, texts, tmp_path):
    """3, as for rows at fault in any file; with file, rows and what to do."""
    (texts / "a-2.csv").write_text("id,review,stars\n010,it is rain,2\n011,,5\n", "utf-8")
    words = ("predict", trained, "--input", texts, "--out", tmp_path / "PARTS", "--on", "here")
    ended = limbeck(*words)
    assert ended.status == 3
    assert "3 rows in 1 part;" in ended.out
    for told in ("a-2.csv, rows 1 to 2", "row 2, column 'review'", "same command again", "--on-bad-row skip"):
        assert told in ended.err, ended.err
    ended = limbeck(*words, "--on-bad-row", "skip")
    assert (ended.status, "4 rows in 2 parts (1 computed now)" in ended.out) == (0, True), ended.out
    assert "left out: 1" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "PARTS", "--overwrite"), "the same command goes on"),
        (("--out", "all.parquet", "--workers", "2"), "--workers is about a folder of parts"),
        (("--out", "all.parquet"), "means several files"),
        ((), "means several files"),
    ],
)
def test_files_and_folders_are_told_apart(limbeck, trained, texts, tmp_path, monkeypatch, words, said):
    """By the suffix of the output; what fits only one of them is refused with what to do."""
    monkeypatch.chdir(tmp_path)
    ended = limbeck("predict", trained, "--input", texts / "a-*.csv", *words)
    assert (ended.status, said in ended.err) == (2, True), ended.err
