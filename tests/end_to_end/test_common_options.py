"""Quiet, plain and JSON, in a process of its own words: what stays and what goes."""

import io
import json
import sys

import pytest


@pytest.mark.slow
def test_quiet_leaves_results_and_errors(limbeck, tmp_path):
    """Nothing of reading is said, the table is; and what is wrong is said as ever."""
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nred,1\nred,2\n,1\nblue,1\n", "utf-8")
    words = ("clean", path, "--drop", "conflicts,empty")
    loud = limbeck(*words, "--out", tmp_path / "a")
    quiet = limbeck(*words, "--out", tmp_path / "b", "--quiet")
    assert quiet.status == loud.status == 0
    assert quiet.err == ""
    assert "removed because of" in quiet.out
    wrong = limbeck("split", path, "-q", "-o", tmp_path / "c.csv", "--near-threshold", "0.7")
    assert wrong.status != 0
    assert str(path) in wrong.err


def test_no_color_is_no_color(limbeck, tmp_path, monkeypatch):
    """The switch does what the variable does, for the one command."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "")
    ended = limbeck("cache", "list", "--cache-dir", tmp_path, "--no-color")
    assert "\x1b[3" not in ended.out


def test_an_emptied_cache_is_said_in_json(limbeck, tmp_path):
    """One object, with what was removed, and nothing else."""
    ended = limbeck("cache", "clear", "--cache-dir", tmp_path / "cache", "--json")
    emptied = {"folder": str(tmp_path / "cache"), "entries": 0, "bytes": 0, "near_searches": 0, "near_bytes": 0}
    assert json.loads(ended.out) == emptied


def test_tokens_reads_standard_input(monkeypatch, limbeck, encoder_folder):
    """A text per line; empty lines are none."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"i feel fine\n\nrain today\n"), "utf-8"))
    ended = limbeck("tokens", "-", "--encoder", encoder_folder, "--json")
    assert [one["text"] for one in json.loads(ended.out)["texts"]] == ["i feel fine", "rain today"]
