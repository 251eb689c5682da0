"""Parts of files in a store: the bytes of those of files here; an answer that fails to come is asked for again."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.scale.conftest import Answer, rows_of, table_in
from tests.scale.test_parts_answers import write_as
from tests.stores import stand_in_store

from limbeck.errors import DataError, StorageError, StoreUnreachableError
from limbeck.scale import unit_task


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for s3://bucket; nobody waits for it."""
    monkeypatch.setattr(unit_task, "STORE_PAUSES_S", (0.0,))
    return stand_in_store(tmp_path / "store", monkeypatch)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_parts_hold_the_rows_of_a_file_here(answer: Answer, store: Path, tmp_path: Path, suffix: str) -> None:
    """The same columns, ids and bits; the same call again computes nothing."""
    write_as(rows_of(40), store / f"texts{suffix}")
    answer(f"s3://bucket/texts{suffix}")
    answer(store / f"texts{suffix}", tmp_path / "HERE")
    assert table_in(tmp_path / "PARTS").equals(table_in(tmp_path / "HERE"))
    assert answer(f"s3://bucket/texts{suffix}").computed == 0


@pytest.mark.parametrize("source", ["s3://bucket/part-*.parquet", "s3://bucket"])
def test_several_files_come_in_the_order_of_their_names(
    answer: Answer, store: Path, tmp_path: Path, source: str
) -> None:
    """With ids that have the file's name, as files here have."""
    for name, count, first in (("part-1", 13, 0), ("part-10", 7, 33), ("part-2", 20, 13)):
        write_as(rows_of(count, first), store / f"{name}.parquet")
    (store / "_SUCCESS").touch()
    answer(source)
    found = table_in(tmp_path / "PARTS")
    assert found["id"].to_pylist() == [f"x{number}" for number in range(40)]
    assert found["row_id"].to_pylist()[13] == "part-2.parquet:1"


def test_a_file_that_was_written_anew_is_refused(answer: Answer, store: Path) -> None:
    """By what the store says of it."""
    write_as(rows_of(20), store / "x.parquet")
    answer("s3://bucket/x.parquet")
    write_as(rows_of(20, 1), store / "x.parquet")
    os.utime(store / "x.parquet", ns=(1, 1))
    with pytest.raises(DataError, match=r"s3://bucket/x\.parquet was changed"):
        answer("s3://bucket/x.parquet")


@pytest.mark.parametrize(("failures", "is_whole"), [(1, True), (5, True), (10**9, False)])
def test_a_network_that_goes_costs_no_row(
    answer: Answer, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, is_whole: bool
) -> None:
    """In the middle of a unit: it is read again, and set aside only after several tries; the next call tries again."""
    write_as(rows_of(40), store / "x.csv")
    answer(store / "x.csv", tmp_path / "HERE")
    read_rows, left = unit_task.read_rows_of, [failures]

    def broken(unit: Any) -> Any:
        if unit.number == 1 and left[0]:
            left[0] -= 1
            raise StoreUnreachableError("cannot read s3://bucket/x.csv: the store gave no answer")
        return read_rows(unit)

    with monkeypatch.context() as patch:
        patch.setattr(unit_task, "read_rows_of", broken)
        found = answer("s3://bucket/x.csv")
    assert (not found.set_aside) is is_whole
    if not is_whole:
        with pytest.raises(StorageError, match="the store gave no answer"):
            found.require_whole(tmp_path / "PARTS")
        assert answer("s3://bucket/x.csv").computed == 1
    assert table_in(tmp_path / "PARTS").equals(table_in(tmp_path / "HERE"))
