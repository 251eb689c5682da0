"""`limbeck cache` and what searches for near-duplicates keep there."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from limbeck.auditing import near
from limbeck.auditing.kept_searches import searches_folder
from limbeck.cli.app import app
from limbeck.folder_lock import lock


def run(*words: str) -> str:
    """Run a command and return its standard output."""
    result = CliRunner().invoke(app, ["cache", *words], catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.stdout


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a search that ended, beside one that was broken off."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(near, "MOST_IN_MEMORY", 1)
    near.find_near_duplicates(pa.array(["a text", "a text!", "another one"]))
    broken = searches_folder() / "broken"
    broken.mkdir()
    (broken / "sketches-000000").write_bytes(b"1234")
    return searches_folder()


def test_searches_are_listed(searched: Path) -> None:
    """How many there are, where, how many did not end, and their bytes."""
    assert f"2 searches for near-duplicates in {searched}, 1 not ended" in " ".join(run("list").split())
    found = json.loads(run("list", "--json"))["near_searches"]
    assert sorted(one["done"] for one in found) == [False, True]
    assert all(one["bytes"] for one in found)


def test_searches_are_cleared_but_those_in_use(searched: Path) -> None:
    """What another process works on stays, and is named."""
    with lock(searched / "broken"):
        shown = " ".join(run("clear").split())
        assert "removed 1 search for near-duplicates" in shown
        assert f"{searched / 'broken'} stays: another process searches there" in shown
        assert [folder.name for folder in searched.iterdir()] == ["broken"]
    assert json.loads(run("clear", "--json"))["near_searches"] == 1
    assert not list(searched.iterdir())


def test_another_folder_of_features_leaves_searches_alone(searched: Path, tmp_path: Path) -> None:
    """--cache-dir names the features' folder: nothing else is removed."""
    assert json.loads(run("clear", "--json", "--cache-dir", str(tmp_path / "other")))["near_searches"] == 0
    assert len(list(searched.iterdir())) == 2
