"""`limbeck audit` into a folder of parts, as people type it."""

import json

import pytest

from limbeck.cli.parts_options import means_parts_in_folder
from limbeck.cli.settings_options import Flags


@pytest.fixture
def labelled(tmp_path):
    """Two files that share a text, under two labels."""
    folder = tmp_path / "labelled"
    folder.mkdir()
    (folder / "a-1.csv").write_text("text,label\ni am fine,joy\nso sad,sadness\n,joy\n", "utf-8")
    (folder / "a-2.csv").write_text("text,label\nso sad,joy\nit is rain,sadness\n", "utf-8")
    return folder


def test_several_files_are_counted_together(limbeck, labelled, tmp_path):
    """A pattern means parts; the second call computes nothing and shows the counts again; --strict ends with 3."""
    words = ("audit", labelled / "a-*.csv", "--out", tmp_path / "COUNTED", "--on", "here")
    ended = limbeck(*words)
    assert (ended.status, "5 rows in 2 parts" in ended.out) == (0, True), ended.err
    assert "joy/sadness" in ended.out
    assert "Not counted: nearly equal texts" in ended.out
    told = json.loads(limbeck(*words, "--json").out)
    assert (told["computed"], told["rows"], told["texts"]) == (0, 5, 4)
    assert (told["duplicates"]["texts"], told["conflicts"]["texts"], told["faults"]["empty"]["rows"]) == (1, 1, 1)
    ended = limbeck(*words, "--strict")
    assert (ended.status, "1 text has different labels" in ended.err) == (3, True), ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--no-near",), "--near"), (("--encoder", "minilm"), "--encoder"), (("--limits", "64,128"), "--limits")],
)
def test_what_is_not_counted_is_refused(limbeck, labelled, tmp_path, words, said):
    """With what to do instead."""
    ended = limbeck("audit", labelled / "a-*.csv", "--out", tmp_path / "COUNTED", *words)
    assert (ended.status, f"{said} has no meaning for a folder of parts" in ended.err) == (2, True), ended.err


def test_a_folder_is_one_of_parts_where_its_files_are_many(labelled, tmp_path):
    """By a pattern, a store, an option about parts, or since it was begun as one; one file is audited as ever."""
    one, none = str(labelled / "a-1.csv"), Flags({})
    assert not means_parts_in_folder(one, tmp_path / "AUDIT", none)
    assert not means_parts_in_folder(str(labelled), tmp_path / "AUDIT", none)
    assert means_parts_in_folder(str(labelled / "a-*.csv"), tmp_path / "AUDIT", none)
    assert means_parts_in_folder("s3://bucket/a-1.parquet", tmp_path / "AUDIT", none)
    assert means_parts_in_folder(one, tmp_path / "AUDIT", Flags({"on": "here"}))
    (tmp_path / "AUDIT" / "_limbeck").mkdir(parents=True)
    (tmp_path / "AUDIT" / "_limbeck" / "plan.json").touch()
    assert means_parts_in_folder(one, tmp_path / "AUDIT", none)
