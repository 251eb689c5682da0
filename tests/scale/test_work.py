"""Work: what kinds of it there are, in words that can be written down; and names that stay."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from limbeck.errors import SettingsError
from limbeck.reading.cut_file import CutFile, FilePiece
from limbeck.scale.unit import Answering, InputFile, Unit, answering_of
from limbeck.scale.work import Answers, Vectors, Work, require_part_format
from limbeck.settings import ReadSettings

NAMES_OF_BEFORE = {
    (None, "parquet"): "part-000007-c8d06f2e-6e2c-80b9-df50-92ce96c96e41.parquet",
    (3, "csv"): "part-000007-11adefe8-ae16-6fb0-9c83-4262bf5a1626.csv",
}
"""As the first limbeck with units named them, when there was one kind of work."""
WORKS: list[Work] = [Answers(), Answers(top_k=2), Vectors(), Vectors(pooling="layers", vector_type="float16")]


def answering_with(work: Work, part_format: str = "parquet") -> Answering:
    """Return what answers depend on, with this work."""
    return Answering(
        bundle="b" * 64,
        engine="torch-float32",
        build="one",
        device="cpu",
        reading=ReadSettings(labels="ignored"),
        part_format=part_format,  # type: ignore[arg-type]  # one of the formats
        work=work,
    )


@pytest.mark.parametrize(("top_k", "part_format"), list(NAMES_OF_BEFORE))
def test_parts_of_answers_keep_their_names(top_k: int | None, part_format: str) -> None:
    """A folder that an older limbeck began is gone on with, however many kinds of work there are by now."""
    cut = CutFile(path=Path("texts.parquet"), schema=pa.schema([("text", pa.string())]))
    unit = Unit(
        number=7,
        file=InputFile(cut=cut, size_bytes=1, mtime_ns=1, sha256="a" * 64, row_prefix=""),
        piece=FilePiece(first=11, rows=10, start=0, stop=0, weight=1),
        answering=answering_with(Answers(top_k=top_k), part_format),
    )
    assert unit.part_name == NAMES_OF_BEFORE[top_k, part_format]


@pytest.mark.parametrize("work", WORKS, ids=str)
def test_work_is_read_as_it_was_written(work: Work) -> None:
    """By way of JSON, with all that stands beside it."""
    answering = answering_with(work)
    assert answering_of(json.loads(json.dumps(answering.to_json()))) == answering


def test_answers_are_written_as_before_there_were_other_kinds() -> None:
    """So that an older plan is opened, and an older limbeck opens this one."""
    assert set(answering_with(Answers()).to_json()) == {
        "bundle", "engine", "build", "device", "reading", "top_k", "part_format",
    }  # fmt: skip


@pytest.mark.parametrize("part_format", ["csv", "jsonl"])
def test_vectors_stand_in_parquet(part_format: str) -> None:
    """Text would be many times as large, and CSV has no lists."""
    with pytest.raises(SettingsError, match="limbeck features writes parts of parquet"):
        require_part_format(Vectors(), part_format)  # type: ignore[arg-type]  # one of the formats
