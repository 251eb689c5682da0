"""`limbeck predict` as people use it: their columns back, standard input, files that are kept, and going on."""

import csv
import io
import json
import sys

import pytest

from limbeck.errors import DataError
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.inference import long_answers
from limbeck.reading.text_stream import LineStream
from limbeck.settings import ReadSettings


@pytest.fixture
def reviews(tmp_path):
    """A file with columns of its own, one of them a label that nobody asked for."""
    path = tmp_path / "reviews.csv"
    path.write_text("id,review,label,stars\n007,i feel fine,good,5\n008,so sad today,bad,1\n", "utf-8")
    return path


def given(monkeypatch, content):
    """Put bytes on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_the_columns_of_the_input_come_back_first(limbeck, trained, reviews, tmp_path):
    """Answers can be joined by the user's own id; row ids are row numbers; nothing empty is written."""
    out = tmp_path / "answers.csv"
    assert limbeck("predict", trained, "--input", reviews, "--output", out).status == 0
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:7] == ["row_id", "text", "id", "label", "stars", "prediction", "probability"]
    assert not {"true_label", "loss", "margin"} & set(rows[0])
    assert [(row["row_id"], row["id"], row["label"], row["stars"]) for row in rows] == [
        ("1", "007", "good", "5"),
        ("2", "008", "bad", "1"),
    ]


def test_rows_that_are_left_out_keep_their_numbers(limbeck, trained, tmp_path):
    """After `--on-bad-row skip` the number still tells the row; a row_id of the file's own stays."""
    (tmp_path / "some.csv").write_text('text\nso sad\n""\nfine\n', "utf-8")
    out = tmp_path / "some.jsonl"
    assert (
        limbeck("predict", trained, "--input", tmp_path / "some.csv", "--output", out, "--on-bad-row", "skip").status
        == 0
    )
    assert read_predictions(out).row_ids == ("1", "3")
    (tmp_path / "own.csv").write_text("row_id,text\nx9,so sad\ntrain:1,fine\n", "utf-8")
    assert (
        limbeck("predict", trained, "--input", tmp_path / "own.csv", "--output", tmp_path / "own.parquet").status == 0
    )
    assert read_predictions(tmp_path / "own.parquet").row_ids == ("x9", "train:1")


def test_a_file_that_is_there_is_not_replaced(limbeck, trained, reviews, tmp_path):
    """Neither an older answer without --overwrite, nor ever the input, by whatever name it goes."""
    out, link = tmp_path / "old.csv", tmp_path / "link.csv"
    out.write_text("mine\n", "utf-8")
    link.symlink_to(reviews)
    ended = limbeck("predict", trained, "--input", reviews, "--output", out)
    assert (ended.status, out.read_text("utf-8")) == (2, "mine\n")
    assert "--overwrite" in ended.err
    for name in (reviews, link, tmp_path / "." / ".." / tmp_path.name / "reviews.csv"):
        for flags in ((), ("--overwrite",)):
            ended = limbeck("predict", trained, "--input", reviews, "--output", name, *flags)
            assert ended.status == 2
            assert reviews.read_text("utf-8").startswith("id,review")
    assert limbeck("predict", trained, "--input", reviews, "--output", out, "--overwrite").status == 0
    assert len(read_predictions(out)) == 2


@pytest.mark.parametrize("words", [("-",), ("--input", "-"), ("-", "--json")])
def test_standard_input_is_answered_line_by_line(limbeck, trained, monkeypatch, words):
    """A text per line in, a JSON object per line out, with the number of the line."""
    given(monkeypatch, "i feel fine\r\nso sad today\n기분".encode())
    ended = limbeck("predict", trained, *words)
    assert ended.status == 0, ended.err
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [(row["row_id"], row["text"]) for row in rows] == [
        ("1", "i feel fine"),
        ("2", "so sad today"),
        ("3", "기분"),
    ]
    assert rows[0]["prediction"] == "joy"


def test_what_came_is_answered_before_a_fault_is_told(limbeck, trained, monkeypatch):
    """An empty line ends it, by its number, after the answers before it; or is left out and counted."""
    given(monkeypatch, b"fine\n \nso sad\n")
    ended = limbeck("predict", trained, "-")
    assert (ended.status, len(ended.out.splitlines())) == (3, 1)
    assert "line 2" in ended.err
    given(monkeypatch, b"fine\n \nso sad\n")
    ended = limbeck("predict", trained, "-", "--on-bad-row", "skip")
    assert [json.loads(line)["row_id"] for line in ended.out.splitlines()] == ["1", "3"]
    assert "left out: 1 (first: line 2)" in ended.err


def test_nothing_on_standard_input_is_no_answer(limbeck, trained, monkeypatch):
    """A job on a quiet day ends well, and says nothing."""
    given(monkeypatch, b"")
    ended = limbeck("predict", trained, "-")
    assert (ended.status, ended.out) == (0, "")


def test_a_file_without_an_output_goes_to_the_pipe(limbeck, trained, reviews):
    """One JSON object per row, its columns first."""
    rows = [json.loads(line) for line in limbeck("predict", trained, "--input", reviews).out.splitlines()]
    assert [list(row)[:4] for row in rows] == [["row_id", "text", "id", "label"]] * 2


class Trickle:
    """A stream whose pieces end anywhere, in the middle of a letter too."""

    def __init__(self, content, size):
        self.pieces = [content[start : start + size] for start in range(0, len(content), size)]

    def read1(self, size):
        return self.pieces.pop(0) if self.pieces else b""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_lines_are_whole_however_they_come(size, encoding):
    """Letters of several bytes, both line ends, a byte order mark, no end of the last line."""
    content = "기분이 좋다\r\nso sad\x0bstill\nlast".encode(encoding)
    come = LineStream(Trickle(content, size), ReadSettings(encoding=encoding))
    assert [pair for lines in come for pair in lines] == [(1, "기분이 좋다"), (2, "so sad\x0bstill"), (3, "last")]


def test_bytes_of_another_encoding_are_a_fault():
    """They are never taken for something else in silence; or kept as U+FFFD where that is asked for."""
    with pytest.raises(DataError, match=r"not utf-8.*--encoding"):
        list(LineStream(Trickle(b"fine\n\xff\n", 100), ReadSettings()))
    kept = LineStream(Trickle(b"fine\n\xff\n", 100), ReadSettings(on_bad_row="keep-replacement"))
    assert [pair for lines in kept for pair in lines] == [(1, "fine"), (2, "\ufffd")]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_a_long_file_goes_on_where_it_stopped(limbeck, trained, tmp_path, monkeypatch, suffix):
    """Interrupted after three of five pieces: the same command answers two, and the file is what it is in one go."""
    monkeypatch.setattr(long_answers, "PIECE_ROWS", 5)
    source = tmp_path / "long.csv"
    source.write_text("id,text\n" + "".join(f"{row},i feel fine {'so ' * row}sad\n" for row in range(23)), "utf-8")
    whole = tmp_path / f"whole{suffix}"
    assert limbeck("predict", trained, "--input", source, "--output", whole, "--top-k", "2").status == 0
    answered = []
    write = long_answers.write_predictions

    def counted(path, found, **more):
        answered.append(len(found))
        if len(answered) == 4:
            raise KeyboardInterrupt
        write(path, found, **more)

    monkeypatch.setattr(long_answers, "write_predictions", counted)
    out = tmp_path / f"out{suffix}"
    ended = limbeck("predict", trained, "--input", source, "--output", out, "--top-k", "2")
    assert ended.status == 130
    assert "run the same command to go on" in ended.err
    assert not out.exists()
    ended = limbeck("predict", trained, "--input", source, "--output", out, "--top-k", "2")
    assert ended.status == 0, ended.err
    assert answered == [5, 5, 5, 5, 5, 3]
    assert out.read_bytes() == whole.read_bytes()
    assert [item.name for item in tmp_path.iterdir() if item.name.startswith(".limbeck")] == []


def test_pieces_of_other_rows_are_not_taken(limbeck, trained, tmp_path, monkeypatch):
    """Where a text, another column or what is asked for has changed, everything is answered anew."""
    monkeypatch.setattr(long_answers, "PIECE_ROWS", 2)
    source, out = tmp_path / "long.csv", tmp_path / "out.jsonl"
    write = long_answers.write_predictions
    answered = []

    def counted(path, found, **more):
        answered.append(len(found))
        if len(answered) % 3 == 0:
            raise KeyboardInterrupt
        write(path, found, **more)

    monkeypatch.setattr(long_answers, "write_predictions", counted)
    first = "id,text\n1,fine\n2,sad\n3,rain\n4,sun\n5,so\n"
    for content, flags in (
        (first, ()),
        (first.replace("5,", "6,"), ()),
        (first.replace("so", "sad"), ("--top-k", "1")),
    ):
        source.write_text(content, "utf-8")
        assert limbeck("predict", trained, "--input", source, "--output", out, *flags).status == 130
        assert len([item for item in tmp_path.iterdir() if item.name.startswith(".limbeck")]) == 1
    assert answered == [2, 2, 1] * 3
