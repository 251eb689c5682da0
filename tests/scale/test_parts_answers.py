"""A folder of parts: each row once, in order, as in one file; and goes on after whatever happened."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.scale.conftest import Answer, bytes_in, interrupted_after, rows_of, table_in

from limbeck.errors import BundleError, DataError, LockedError, SettingsError, StorageError
from limbeck.evaluation.prediction_files import read_any_predictions
from limbeck.folder_lock import lock
from limbeck.inference import long_answers
from limbeck.inference.long_answers import predict_to_file
from limbeck.inference.predictor import load
from limbeck.model.bundle import set_thresholds
from limbeck.reading.read import read, read_with
from limbeck.scale import plan_settling, unit_run
from limbeck.scale.parts_folder import PartsFolder
from limbeck.settings import ReadSettings

READING = ReadSettings(labels="ignored")


def write_as(table: pa.Table, path: Path) -> Path:
    """Write rows in the format of a suffix."""
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=6)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table.to_pylist()), "utf-8")
    else:
        table.to_pandas().to_csv(path, index=False)
    return path


@pytest.mark.parametrize("unit_tokens", [1, 40, 100_000])
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_parts_are_the_file_that_predict_writes(
    answer: Answer, model: Path, tmp_path: Path, suffix: str, unit_tokens: int
) -> None:
    """Of one file: the same columns, ids and bits, whatever the format and the size of a unit."""
    source = write_as(rows_of(40), tmp_path / f"texts{suffix}")
    found = answer(source, unit_tokens=unit_tokens)
    whole = tmp_path / "whole.parquet"
    predict_to_file(load(model), read_with(source, READING), whole)
    parts, expected = table_in(tmp_path / "PARTS"), pq.read_table(whole)
    assert parts.schema == expected.schema
    left = ["row_id", "text", "id", "stars", "prediction", "tokens", "truncated", "unknown"]
    assert parts.select(left).to_pylist() == expected.select(left).to_pylist()
    for name in (one for one in expected.column_names if one not in left):
        assert parts[name].to_pylist() == pytest.approx(expected[name].to_pylist(), abs=1e-6)
    assert (found.rows, found.left_out, len(found)) == (40, 0, 40)


def test_units_of_whole_pieces_have_the_bits_of_one_file(
    answer: Answer, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are answered in the pieces in which a file's are, so that even the last bit is the same."""
    for module in (long_answers, unit_run):
        monkeypatch.setattr(module, "PIECE_ROWS", 8)
    monkeypatch.setattr("limbeck.scale.unit_planning.PIECE_ROWS", 8)
    source = write_as(rows_of(40), tmp_path / "texts.parquet")
    assert answer(source, unit_tokens=100).parts > 1
    predict_to_file(load(model), read_with(source, READING), tmp_path / "whole.parquet")
    assert table_in(tmp_path / "PARTS").equals(pq.read_table(tmp_path / "whole.parquet"))


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_parts_of_every_format_hold_the_same(answer: Answer, texts: Path, tmp_path: Path, form: str) -> None:
    """In order of their names; limbeck reads each back."""
    answer(texts, part_format=form, top_k=2)
    parts = sorted((tmp_path / "PARTS").glob(f"*.{form}"))
    assert len(parts) > 3
    found = [read_any_predictions(part) for part in parts]
    ids = [row_id for one in found for row_id in one.row_ids]
    assert ids[:2] == ["part-1.parquet:1", "part-1.parquet:2"]
    assert ids[-1] == "part-10.parquet:7"
    assert len(set(ids)) == 40


def test_readers_take_the_folder_as_one_table(answer: Answer, texts: Path, tmp_path: Path) -> None:
    """pandas, Arrow and limbeck, in the order of the rows, though the plan stands beside the parts."""
    answer(texts)
    expected = [f"x{number}" for number in range(40)]
    assert pd.read_parquet(tmp_path / "PARTS")["id"].tolist() == expected
    assert read(tmp_path / "PARTS", labels="ignored").table["id"].to_pylist() == expected


def test_the_same_call_again_computes_nothing(answer: Answer, texts: Path, tmp_path: Path) -> None:
    """And touches no part; a part that somebody removed is computed again, to the same bytes."""
    first = answer(texts)
    before = bytes_in(tmp_path / "PARTS")
    assert first.computed == first.parts == len(before)
    assert answer(texts).computed == 0
    lost = sorted(before)[1]
    (tmp_path / "PARTS" / lost).unlink()
    assert answer(texts).computed == 1
    assert bytes_in(tmp_path / "PARTS") == before


@pytest.mark.parametrize("after", [1, 3, 6])
def test_an_interrupted_run_goes_on(answer: Answer, texts: Path, tmp_path: Path, after: int) -> None:
    """Ctrl-C in the middle of a unit: nothing is half written, finished units are kept, the bytes are the same."""
    answer(texts, tmp_path / "WHOLE")
    with interrupted_after(after, tmp_path / "PARTS"):
        answer(texts)
    assert len(bytes_in(tmp_path / "PARTS")) == after
    assert not PartsFolder(tmp_path / "PARTS").manifest_path.exists()
    assert answer(texts).computed == len(bytes_in(tmp_path / "WHOLE")) - after
    assert bytes_in(tmp_path / "PARTS") == bytes_in(tmp_path / "WHOLE")


def test_a_full_disk_ends_the_run_and_nothing_else(
    answer: Answer, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No unit is set aside for it; with room again the same call goes on."""
    write_tables = unit_run.write_tables

    def full(path: Path, tables: Any) -> None:
        if len(bytes_in(tmp_path / "PARTS")) == 2:
            raise StorageError(f"cannot write {path}: the disk is full")
        write_tables(path, tables)

    with monkeypatch.context() as patch:
        patch.setattr(unit_run, "write_tables", full)
        with pytest.raises(StorageError, match="the disk is full"):
            answer(texts)
    found = answer(texts)
    assert (found.rows, found.computed, found.set_aside) == (40, found.parts - 2, ())


def test_the_manifest_has_each_part(answer: Answer, texts: Path, tmp_path: Path) -> None:
    """Rows and SHA-256, and which rows of which file they are."""
    answer(texts)
    manifest = json.loads(PartsFolder(tmp_path / "PARTS").manifest_path.read_text("utf-8"))
    assert manifest["rows"] == sum(part["rows"] for part in manifest["parts"]) == 40
    assert [part["part"] for part in manifest["parts"]] == sorted(bytes_in(tmp_path / "PARTS"))
    assert manifest["parts"][0]["first_row"] == 1


def test_a_damaged_part_is_found_at_the_end(answer: Answer, texts: Path, tmp_path: Path) -> None:
    """A flipped byte that leaves the size as it was; the next call writes the part anew."""
    answer(texts)
    before = bytes_in(tmp_path / "PARTS")
    part = tmp_path / "PARTS" / sorted(before)[0]
    part.write_bytes(before[part.name][:-1] + b"?")
    with pytest.raises(StorageError, match="is not what was written"):
        answer(texts)
    assert answer(texts).computed == 1
    assert bytes_in(tmp_path / "PARTS") == before


def test_a_changed_file_is_refused_by_name(answer: Answer, texts: Path) -> None:
    """One that was only touched is the same; one that came or went is named too."""
    answer(texts)
    os.utime(texts / "part-1.parquet")
    assert answer(texts).computed == 0
    pq.write_table(rows_of(13, 1), texts / "part-1.parquet")
    (texts / "part-10.parquet").unlink()
    pq.write_table(rows_of(3), texts / "part-3.parquet")
    with pytest.raises(DataError) as caught:
        answer(texts)
    said = str(caught.value)
    assert "part-1.parquet was changed" in said
    assert "part-10.parquet is gone" in said
    assert "part-3.parquet was not there" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"top_k": 2}, "top_k was None"),
        ({"part_format": "csv"}, "part_format was 'parquet'"),
        ({"text_column": "id"}, "text_column was None"),
    ],
)
def test_other_settings_are_refused(answer: Answer, texts: Path, words: dict[str, Any], said: str) -> None:
    """With what they were, and that another folder takes them."""
    answer(texts)
    with pytest.raises(SettingsError, match=f"(?s){said}.*another folder"):
        answer(texts, **words)


def test_another_model_is_refused(answer: Answer, texts: Path, model: Path) -> None:
    """Also one in the same place: thresholds that were set decide labels."""
    answer(texts)
    set_thresholds(model / "bundle", (0.9, 0.9, 0.9), chosen=None)
    with pytest.raises(SettingsError, match="the model is another one"):
        answer(texts)


def test_rows_at_fault_set_their_unit_aside(answer: Answer, tmp_path: Path) -> None:
    """The others are answered; the message has file, rows and what is wrong; left out, they are counted."""
    table = rows_of(40)
    texts = table["text"].to_pylist()
    texts[20] = ""
    source = write_as(table.set_column(1, "text", pa.array(texts)), tmp_path / "texts.parquet")
    found = answer(source)
    (aside,) = found.set_aside
    assert found.rows + 1 <= 40 - 1
    with pytest.raises(DataError, match=r"(?s)texts\.parquet, rows \d+ to \d+:.*row 21, column 'text'.*--on-bad-row"):
        found.require_whole(tmp_path / "PARTS")
    assert answer(source).computed == 0
    skipped = answer(source, on_bad_row="skip")
    assert (skipped.computed, skipped.rows, skipped.left_out, skipped.set_aside) == (1, 39, 1, ())
    assert table_in(tmp_path / "PARTS")["row_id"].to_pylist() == [str(n) for n in range(1, 41) if n != 21]
    assert [(note.rows, "row 21" in note.example) for note in skipped.notes] == [(1, True)]
    with pytest.raises(SettingsError, match="on_bad_row was 'skip'"):
        answer(source)
    assert "rows" in aside.words


def test_a_file_that_vanishes_meanwhile_sets_its_units_aside(
    answer: Answer, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network folder that went away; files that are there are answered."""
    read_rows = unit_run.read_rows_of

    def vanish(unit: Any) -> Any:
        (texts / "part-2.parquet").unlink(missing_ok=True)
        return read_rows(unit)

    monkeypatch.setattr("limbeck.scale.unit_task.read_rows_of", vanish)
    found = answer(texts)
    assert found.rows == 20
    with pytest.raises(StorageError, match=r"part-2\.parquet"):
        found.require_whole(texts)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (rows_of(3).drop_columns("stars"), r"part-2\.parquet has no column 'stars'"),
        (rows_of(3).append_column("more", pa.array([1, 2, 3])), "has a column 'more'"),
        (rows_of(3).set_column(2, "stars", pa.array(["a", "b", "c"])), "has string in column 'stars', and not int64"),
    ],
)
def test_mixed_columns_are_refused_in_one_message(answer: Answer, texts: Path, table: pa.Table, said: str) -> None:
    """Before anything is computed, with the file and the column."""
    pq.write_table(table, texts / "part-2.parquet")
    with pytest.raises(DataError, match=said):
        answer(texts)


def test_columns_in_another_order_are_the_same(answer: Answer, texts: Path, tmp_path: Path) -> None:
    """The order is that of the first file."""
    pq.write_table(rows_of(20, 13).select(["stars", "text", "id"]), texts / "part-2.parquet")
    answer(texts)
    assert table_in(tmp_path / "PARTS")["id"].to_pylist() == [f"x{number}" for number in range(40)]


def test_an_empty_file_that_gets_rows_was_changed(answer: Answer, texts: Path) -> None:
    """As was any other: its rows are in no unit."""
    (texts / "part-3.parquet").touch()
    answer(texts)
    assert answer(texts).computed == 0
    pq.write_table(rows_of(2), texts / "part-3.parquet")
    with pytest.raises(DataError, match=r"part-3\.parquet was changed"):
        answer(texts)


def test_empty_files_are_passed_over(answer: Answer, texts: Path) -> None:
    """Spark writes one for each part without rows; where there is nothing else, that is an error."""
    (texts / "part-3.parquet").touch()
    pq.write_table(rows_of(0), texts / "part-4.parquet")
    assert answer(texts).rows == 40
    for name in ("part-1", "part-2", "part-10"):
        (texts / f"{name}.parquet").unlink()
    with pytest.raises(DataError, match="hold no rows"):
        answer(texts, texts.parent / "OTHER")


def test_own_row_ids_and_splits_are_kept(answer: Answer, tmp_path: Path) -> None:
    """In every part, though one has rows of a single split."""
    table = rows_of(12).append_column("row_id", pa.array([f"r{n}" for n in range(12)]))
    source = write_as(table.append_column("split", pa.array(["dev"] * 8 + ["test"] * 4)), tmp_path / "texts.parquet")
    answer(source)
    found = table_in(tmp_path / "PARTS")
    assert found["row_id"].to_pylist() == [f"r{n}" for n in range(12)]
    assert found["split"].to_pylist() == ["validation"] * 8 + ["test"] * 4


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_place_that_holds_something_else_is_refused(answer: Answer, texts: Path, tmp_path: Path, place: str) -> None:
    """Nobody's files are mixed with parts."""
    out = tmp_path / "PARTS"
    if place == "file":
        out.write_text("mine", "utf-8")
    else:
        out.mkdir()
        (out / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(StorageError, match="exists already"):
        answer(texts)


def test_parts_among_the_files_are_refused(answer: Answer, texts: Path) -> None:
    """They would be read as texts the next time."""
    with pytest.raises(SettingsError, match="lies in"):
        answer(texts, texts / "PARTS")


def test_a_folder_in_use_is_refused(answer: Answer, texts: Path, tmp_path: Path) -> None:
    """Two commands at once are one too many."""
    with lock(PartsFolder(tmp_path / "PARTS").state), pytest.raises(LockedError):
        answer(texts)


def test_what_a_killed_process_left_is_swept(answer: Answer, texts: Path, tmp_path: Path) -> None:
    """A staged part of nobody."""
    answer(texts)
    (tmp_path / "PARTS" / ".staged-0-part").touch()
    answer(texts)
    assert [path.name for path in (tmp_path / "PARTS").glob(".staged*")] == []


def test_a_model_that_changes_meanwhile_is_refused(
    answer: Answer, texts: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the plan and the first unit: no part is of another model than the plan."""
    write_plan = plan_settling.write_plan

    def change(*words: Any) -> None:
        write_plan(*words)
        set_thresholds(model / "bundle", (0.9, 0.9, 0.9), chosen=None)

    monkeypatch.setattr(plan_settling, "write_plan", change)
    with pytest.raises(BundleError, match="was changed since the plan"):
        answer(texts)


def test_a_pattern_means_the_files_of_its_names(answer: Answer, texts: Path) -> None:
    """And no others of their folder."""
    assert answer(texts / "part-1*.parquet").rows == 20


@pytest.mark.slow
def test_the_command_holds_no_model() -> None:
    """What waits for workers loads no torch: a second copy of it would be memory that nobody uses."""
    program = (
        "import sys, limbeck.cli.predict, limbeck.scale.parts_answers; "
        "print([name for name in ('torch', 'tokenizers') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ended.stdout == b"[]\n"
