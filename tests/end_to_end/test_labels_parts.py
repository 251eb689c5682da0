"""`limbeck labels` into a folder of parts, as people type it."""

import csv
import json
from dataclasses import replace

import pytest

from limbeck.data.learned import write_learned
from limbeck.model.bundle import save_bundle


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
        (("--out", "REVIEW", "--incomplete"), "--incomplete is for any number of labels per row"),
        (("--out", "review.csv"), "means several files"),
        (("--out", "review.csv", "--text-column", "text"), "means several files"),
    ],
)
def test_what_fits_only_the_other_way_is_refused(limbeck, trained, labelled, tmp_path, monkeypatch, words, said):
    """With what to do instead."""
    monkeypatch.chdir(tmp_path)
    ended = limbeck("labels", trained, labelled / "a-*.csv", *words)
    assert (ended.status, said in ended.err) == (2, True), ended.err
    assert not (tmp_path / "REVIEW").exists()


def test_options_of_reading_need_rows_to_read(limbeck, trained, tmp_path):
    """A run's own rows were read when it was trained."""
    ended = limbeck("labels", trained, "--text-column", "text", "--out", tmp_path / "review.csv")
    assert (ended.status, "--text-column is about a folder of parts: give DATA" in ended.err) == (2, True), ended.err


@pytest.fixture
def several(make_bundle, tmp_path):
    """A run folder of a tiny model of any number of labels per row, and rows that it did not learn from."""
    bundle, run = make_bundle("classification"), tmp_path / "SEVERAL"
    save_bundle(replace(bundle, facts=replace(bundle.facts, task="multi")), run / "bundle", card="")
    write_learned(run / "predictions" / "learned.npy", ["very very sad today ."])
    sets = [["joy"], ["joy", "sadness"], [], ["슬픔"]]
    words = ["fine", "sad", "rain", "sun", "today"]
    rows = [{"text": f"{words[n % 5]} {words[n // 5]} {words[n % 3]}", "label": sets[n % 4]} for n in range(25)]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return run


@pytest.mark.parametrize("incomplete", [False, True])
def test_missing_and_superfluous_labels_are_judged_and_put_right(limbeck, several, tmp_path, incomplete):
    """Where rows have any number of labels: the sheet has pairs of row and label, and `apply` does what it decides."""
    rows, sheet = tmp_path / "rows.jsonl", tmp_path / "REVIEW.csv"
    words = ("labels", several, rows, "--out", tmp_path / "REVIEW", "--on", "here", "--rows", "20")
    words = (*words, *(["--incomplete"] * incomplete))
    ended = limbeck(*words)
    assert (ended.status, "25 rows in 1 part" in ended.out) == (0, True), ended.err
    assert "Tag issues in 25 rows with 25 labels" in ended.out
    assert "20 labels of rows, worst first" in ended.out
    told = json.loads(limbeck(*words, "--json").out)
    assert (told["computed"], told["incomplete"], told["is_new"], told["learned_rows"]) == (0, incomplete, True, 0)
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        pairs = list(csv.DictReader(file))
    assert len(pairs) == 20
    assert {bool(pair["label"]) != bool(pair["suggested_label"]) for pair in pairs} == {True}
    assert all("the model gives it" in pair["reason"] and "out of fold" not in pair["reason"] for pair in pairs)
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(pairs[0]))
        writer.writeheader()
        writer.writerows(pair | {"new_label": "ok"} for pair in pairs[:5])
    assert "is kept as it is" in limbeck(*words).out
    ended = limbeck("labels", "apply", sheet, rows, "--task", "multi", "--out", tmp_path / "FIXED", "--json")
    assert ended.status == 0, ended.err
    changed = json.loads(ended.out)["changed_by_pair"]
    decided = [f"{pair['label'] or '–'} → {pair['suggested_label'] or '–'}" for pair in pairs[:5]]
    assert changed == {one: decided.count(one) for one in changed}
    assert sum(changed.values()) == 5
