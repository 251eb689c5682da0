"""`limbeck evaluate` into a folder of parts, as people type it."""

import json

import pytest


@pytest.fixture
def labelled(tmp_path):
    """Two files of four and two rows, and one file with all of them."""
    rows = ["i feel fine;joy", "so sad;sadness", "sun;joy", "very sad;sadness", "it is rain;sadness", "fine sun;joy"]
    folder = tmp_path / "labelled"
    folder.mkdir()
    for name, some in (("a-1", rows[:4]), ("a-2", rows[4:])):
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *(row.replace(";", ",") for row in some)]) + "\n")
    whole = tmp_path / "whole.csv"
    whole.write_text("\n".join(["text,label", *(row.replace(";", ",") for row in rows)]) + "\n")
    return folder


@pytest.mark.parametrize("where", [("--on", "here"), ("--workers", "1", "--threads", "1")])
def test_figures_of_parts_are_those_of_one_file(limbeck, trained, labelled, tmp_path, where):
    """On the screen and for programs; the second call computes nothing and shows them again."""
    words = ("evaluate", trained, labelled / "a-*.csv", "--out", tmp_path / "COUNTED", *where)
    ended = limbeck(*words)
    assert (ended.status, "6 rows in 2 parts" in ended.out) == (0, True), ended.err
    assert "calibration error" in ended.out
    ours = json.loads(limbeck(*words, "--json").out)
    theirs = json.loads(limbeck("evaluate", trained, tmp_path / "whole.csv", "--json").out)
    assert (ours["computed"], ours["rows"]) == (0, 6)
    assert ours["evaluation"]["confusion"] == theirs["train"]["confusion"]
    for name in ("accuracy", "f1_weighted", "f1_macro"):
        assert (ours[name], ours["evaluation"]["intervals"][name]) == (theirs[name], theirs["train"]["intervals"][name])
    assert ours["log_loss"] == pytest.approx(theirs["log_loss"], abs=1e-6)
    assert ours["learned_rows"] == theirs["learned_rows"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "COUNTED", "--slices"), "--slices has no meaning for a folder of parts"),
        (("--out", "COUNTED", "--raters", "r"), "--raters has no meaning for a folder of parts"),
        (("--out", "COUNTED", "--part-format", "csv"), "limbeck evaluate writes parts of parquet"),
        ((), "means several files"),
    ],
)
def test_what_counts_cannot_tell_is_refused(limbeck, trained, labelled, tmp_path, monkeypatch, words, said):
    """With what to do instead."""
    monkeypatch.chdir(tmp_path)
    ended = limbeck("evaluate", trained, labelled / "a-*.csv", *words)
    assert (ended.status, said in ended.err) == (2, True), ended.err
