"""`limbeck labels` into a folder of parts, as people type it."""

import json

import pytest


@pytest.fixture
def labelled(tmp_path, weather):
    """Two files of rows that the model did not learn from, but one."""
    learned = (weather / "train.txt").read_text("utf-8").split(";")[0]
    folder = tmp_path / "labelled"
    folder.mkdir()
    rows = ["i am fine,joy", "so so sad,sadness", "sun sun sun,sadness", "very rainy,sadness", "it is rain,슬픔"]
    (folder / "a-1.csv").write_text("\n".join(["text,label", *rows[:3]]) + "\n", "utf-8")
    (folder / "a-2.csv").write_text("\n".join(["text,label", *rows[3:], f"{learned},joy"]) + "\n", "utf-8")
    return folder


def test_labels_of_several_files_are_judged(limbeck, trained, labelled, tmp_path):
    """The sheet lies beside the folder; the second call computes nothing, and keeps what somebody wrote into it."""
    words = ("labels", trained, labelled / "a-*.csv", "--out", tmp_path / "REVIEW", "--on", "here", "--rows", "4")
    ended = limbeck(*words)
    assert (ended.status, "6 rows in 2 parts" in ended.out) == (0, True), ended.err
    assert "of 5 labels" in ended.out or "of the 5 rows" in ended.out
    assert "1 more rows have a text that the model learned from" in ended.out
    assert "were not looked for" in ended.out
    sheet = tmp_path / "REVIEW.csv"
    assert len(sheet.read_text("utf-8-sig").splitlines()) == 5
    sheet.write_text("decided", "utf-8")
    told = json.loads(limbeck(*words, "--json").out)
    assert (told["computed"], told["learned_rows"], told["sheet"], told["is_new"]) == (0, 1, str(sheet), False)
    assert len(told["worst"]) == 4
    assert "is kept as it is" in limbeck(*words).out
    assert sheet.read_text("utf-8") == "decided"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "REVIEW", "--cross-fit", "3"), "--cross-fit has no meaning for a folder of parts"),
        (("--out", "review.csv"), "means several files"),
        (("--out", "review.csv", "--text-column", "text"), "means several files"),
    ],
)
def test_what_fits_only_the_other_way_is_refused(limbeck, trained, labelled, tmp_path, monkeypatch, words, said):
    """With what to do instead."""
    monkeypatch.chdir(tmp_path)
    ended = limbeck("labels", trained, labelled / "a-*.csv", *words)
    assert (ended.status, said in ended.err) == (2, True), ended.err


def test_options_of_reading_need_rows_to_read(limbeck, trained, tmp_path):
    """A run's own rows were read when it was trained."""
    ended = limbeck("labels", trained, "--text-column", "text", "--out", tmp_path / "review.csv")
    assert (ended.status, "--text-column is about a folder of parts: give DATA" in ended.err) == (2, True), ended.err
