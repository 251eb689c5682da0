"""How results look: heads whole on a narrow terminal, nothing wrapped in a pipe."""

import pytest
from rich.cells import cell_len

from limbeck.cli import screen

HEAD = ["", "layers", "vocabulary", "parameters", "accuracy", "F1 weighted", "texts/s", "computed by"]
ROWS = [["teacher", "6", "30,522", "22.7 M", "0.9", "0.91", "1,234", "torch float32"]]


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_no_word_of_a_head_is_broken(columns, monkeypatch, capsys):
    """Every word of the head stands on one line, and no line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    screen.show_table("Title", HEAD, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= columns for line in lines)
    assert all(any(word in line for line in lines) for name in HEAD for word in name.split())


def test_a_pipe_gets_whole_rows(monkeypatch, capsys):
    """A row is one line there, however long: grep finds what it looks for."""
    monkeypatch.delenv("COLUMNS", raising=False)
    text = "word " * 35 + "end"
    screen.show_table("Title", ["text", "label"], [[text, "joy"]])
    assert any(text in line for line in capsys.readouterr().out.splitlines())


def test_long_lines_are_broken_between_words_only(monkeypatch, capsys):
    """On a terminal of 80 columns no word is cut, a path stays whole, and what is to be copied is one line."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    path = "/somewhere/" + "long/" * 30 + "metrics.json"
    words = ["understandable"] * 12 + [path] + ["읽을수있는글자"] * 20
    screen.show_line(" ".join(words))
    said = capsys.readouterr().out
    assert said.split() == words
    assert all(cell_len(line) <= 80 or line == path for line in said.splitlines())
    screen.show_line(" ".join(words), to_copy=True)
    assert len(capsys.readouterr().out.splitlines()) == 1
