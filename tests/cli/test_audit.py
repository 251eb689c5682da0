"""The commands audit, clean and split, run as a person runs them."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from limbeck.cli.app import app
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.reading.read import read

ROWS = [
    ("train", "the same text in two places", "joy"),
    ("test", "the same text in two places", "sad"),
    ("train", "a second text about the rain outside", "sad"),
    ("train", "", "joy"),
    ("train", "a third text, and quite another one", "joy"),
    ("test", "some words that stand nowhere else", "sad"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A CSV file with a leak, a conflict and an empty text."""
    path = tmp_path / "data.csv"
    path.write_text("split,text,label\n" + "".join(f'{split},"{text}",{label}\n' for split, text, label in ROWS))
    return path


def run(*words: str) -> str:
    """Run a command and return its standard output; errors come through."""
    result = CliRunner().invoke(app, list(words), catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.stdout


@pytest.mark.slow
def test_audit_sees_what_reading_would_refuse(data: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """An empty text is a finding, not an error; the page and the JSON are there."""
    out = tmp_path / "audit"
    shown = run("audit", str(data), "--out", str(out), "--encoder", str(tiny_folder))
    assert "Texts are empty" in shown
    found = json.loads((out / "audit.json").read_text("utf-8"))
    assert (found["faults"]["empty"]["rows"], found["leaks"]["exact"]["texts"]) == (1, 1)
    assert found["tokenizer_fit"][0]["name"] == str(tiny_folder)
    assert (out / "audit.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.slow
def test_the_findings_come_last(data: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """On a small screen they are what is left: after the tables, closed by how many there are and where to read on."""
    out = tmp_path / "audit"
    shown = run("audit", str(data), "--out", str(out), "--encoder", str(tiny_folder)).splitlines()
    assert shown[-1].startswith("Next: limbeck clean ")
    assert re.fullmatch(rf"\d+ high, \d+ medium, \d+ low: open {re.escape(str(out / 'audit.html'))}", shown[-2])
    first_finding = next(place for place, line in enumerate(shown) if line.startswith("HIGH"))
    assert first_finding > shown.index("Classes")
    assert first_finding > shown.index("Tokenizers")


def test_json_is_the_file(data: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """--json prints what audit.json holds, and nothing else."""
    out = tmp_path / "audit"
    shown = run("audit", str(data), "--out", str(out), "--encoder", str(tiny_folder), "--no-page", "--json")
    assert json.loads(shown) == json.loads((out / "audit.json").read_text("utf-8"))
    assert sorted(file.name for file in out.iterdir()) == ["audit.json", "findings.csv"]


def test_no_near_leaves_the_search_out(
    data: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--no-near searches nothing, says so, and audit.json has null where near-duplicates would be."""
    monkeypatch.setattr("limbeck.auditing.audit.find_near_duplicates", None)
    out = tmp_path / "audit"
    shown = run("audit", str(data), "--out", str(out), "--encoder", str(tiny_folder), "--no-page", "--no-near")
    assert "Near-duplicates were not looked for, as --no-near says." in shown
    found = json.loads((out / "audit.json").read_text("utf-8"))
    assert [found[kind]["near"] for kind in ("duplicates", "conflicts", "leaks")] == [None] * 3
    assert found["leaks"]["free_near"] is None
    assert found["leaks"]["exact"]["texts"] == 1


@pytest.mark.slow
def test_strict_fails_after_writing(data: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """A leak or a conflict is a DataError (status 3), and the outputs are there to look at."""
    out = tmp_path / "audit"
    with pytest.raises(DataError, match="1 text leaks between splits and 1 text has different"):
        run("audit", str(data), "--out", str(out), "--encoder", str(tiny_folder), "--no-page", "--strict")
    assert (out / "audit.json").is_file()


@pytest.mark.slow
def test_clean_then_audit_strict_passes(data: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """What clean wrote has no leak and no conflict left; its counts add up."""
    shown = run("clean", str(data), "--out", str(tmp_path / "c"), "--drop", "empty,leaks", "--keep-first", "--json")
    counts = json.loads(shown)
    assert (counts["rows_in"], counts["rows_out"], counts["rows_removed"]) == (6, 4, 2)
    run(
        "audit", str(tmp_path / "c" / "data"), "--out", str(tmp_path / "a"), "--encoder", str(tiny_folder), "--no-page",
        "--strict",
    )  # fmt: skip


def test_clean_refuses_unknown_kinds(data: Path, tmp_path: Path) -> None:
    """Nothing is written."""
    with pytest.raises(SettingsError, match="'dust' cannot be dropped"):
        run("clean", str(data), "--out", str(tmp_path / "c"), "--drop", "dust")
    assert not (tmp_path / "c").exists()


def test_split_writes_splits_that_read_back(tmp_path: Path) -> None:
    """Three Parquet files, every row once, equal texts together."""
    path = tmp_path / "rows.csv"
    lines = [
        f"text number {place % 40} about subject {place % 40 * 7919 % 101},{'ab'[place % 2]}" for place in range(80)
    ]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    shown = json.loads(
        run("split", str(path), "--out", str(tmp_path / "s"), "--test-share", "0.25", "--near-threshold", "1", "--json")
    )
    assert sum(sum(counts.values()) for counts in shown["splits"].values()) == 80
    assert sorted(file.name for file in (tmp_path / "s").iterdir()) == [
        "test.parquet", "train.parquet", "validation.parquet",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_terminal_is_not_commanded(tiny_folder: Path, tmp_path: Path) -> None:
    """Escape sequences in texts and labels are shown by number."""
    path = tmp_path / "evil.csv"
    path.write_text('text,label\n"bell \x07 and \x1b[2J clear",x\x1b[31m\n"bell \x07 and \x1b[2J clear",y\n')
    shown = run("audit", str(path), "--out", str(tmp_path / "a"), "--encoder", str(tiny_folder), "--no-page")
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
    assert "\x1b[31m" not in shown


@pytest.mark.parametrize(
    ("words", "out", "said"),
    [
        (["split"], "x.xlsx", "end its name with"),
        (["split"], "full", "exists already"),
        (["split"], "data.csv", "is what is read"),
        (["split"], "data.csv/x.csv", "a file stands where a folder"),
        (["clean", "--drop", "empty"], "full", "exists already"),
        (["audit"], "data.csv", "exists already"),
        (["features"], "x.csv", "end its name with"),
    ],
)
def test_no_work_for_a_place_that_cannot_be_written(
    data: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], out: str, said: str
) -> None:
    """The result's place is looked at before any row is read."""
    (data.parent / "full").mkdir()
    (data.parent / "full" / "mine").write_text("precious")
    monkeypatch.setattr("limbeck.reading.read.read_with", lambda *_: pytest.fail("rows were read"))
    with pytest.raises((SettingsError, StorageError), match=said):
        run(*words, str(data), "--out", str(data.parent / out))
    assert data.read_text().startswith("split,text,label")


def test_suffixes_are_compared_without_case(data: Path) -> None:
    """X.CSV is written and read as x.csv is."""
    out = data.parent / "NEW.JSONL"
    rows = data.parent / "rows.CSV"
    rows.write_text("text,label\n" + "".join(f"text number {n} {'ab'[n % 2] * n},{'ab'[n % 2]}\n" for n in range(40)))
    run("split", str(rows), "--out", str(out))
    assert len(read(out)) == 40


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """Rows with several labels, none, and one that is not labelled."""
    sets = [["joy", "love"], ["joy", "love"], ["sad"], [], None]
    rows = [
        {"text": f"the text number {place} is about {place * 7919}", "tags": sets[place % 5]} for place in range(100)
    ]
    path = tmp_path / "tagged.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.slow
def test_an_audit_shows_which_labels_stand_together(tagged: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """On the screen, on the page and in the JSON: labels per row, and pairs that chance does not explain."""
    out = tmp_path / "audit"
    shown = run("audit", str(tagged), "--label-column", "tags", "--out", str(out), "--encoder", str(tiny_folder))
    assert "Labels; a row may have several" in shown
    assert "Labels per row: 0 in 20, 1 in 20, 2 in 40 (rows)." in shown
    assert re.search(r"joy \+ love +│ +40 │ +20\.0 │ +100 % │ +\+1\.00", shown)
    page = (out / "audit.html").read_text("utf-8")
    assert "Labels that stand together" in page
    assert "<bdi>joy</bdi> + <bdi>love</bdi>" in page
    assert json.loads((out / "audit.json").read_text("utf-8"))["shape"]["task"] == "multi"


def test_several_labels_are_split_and_read_again(tagged: Path, tmp_path: Path) -> None:
    """`limbeck split` counts each label of a row, and what it writes needs no option to be read as the same."""
    out = tmp_path / "splits.parquet"
    shown = run("split", str(tagged), "--label-column", "tags", "--out", str(out))
    assert re.search(r"train +│ +64 │ +32 │ +32 │ +16 │ +0 │ +16", shown)
    again = read(out, labels="optional")
    assert again.split_sizes() == {"train": 64, "validation": 8, "test": 8, "unsupervised": 20}
    assert sorted(again.label_names) == ["joy", "love", "sad"]
