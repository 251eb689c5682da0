"""Units far away: computed to the same bytes, or refused with the name of what that machine does not see."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scale.conftest import Answer, bytes_in

from limbeck.errors import LimbeckError
from limbeck.scale import far_units
from limbeck.scale.far_units import do_far_unit
from limbeck.scale.part_record import PartRecord
from limbeck.scale.parts_folder import PartsFolder
from limbeck.scale.unit_plan import open_plan
from limbeck.scale.unit_queue import UnitFault
from limbeck.scale.unit_words import outcome_in
from limbeck.scale.work import Vectors
from limbeck.storage import sha256_of


@pytest.fixture(autouse=True)
def unbound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this process's own threads as they are."""
    monkeypatch.setattr(far_units, "_take_threads", lambda threads: None)


@pytest.fixture
def planned(answer: Answer, texts: Path, tmp_path: Path) -> Path:
    """A folder of parts that is whole."""
    answer(texts)
    return tmp_path / "PARTS"


def sha_of(folder: Path) -> str:
    return sha256_of(PartsFolder(folder).plan_path)


def through_json(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(said))
    return found


def test_a_unit_far_away_is_the_same_part(planned: Path) -> None:
    """What comes back says so, also after a journey as JSON; the part has the bytes that this process wrote."""
    before = bytes_in(planned)
    plan = open_plan(PartsFolder(planned).plan_path)
    for number in range(len(plan)):
        (planned / plan.unit(number).part_name).unlink()
        record = outcome_in(through_json(do_far_unit(str(planned), number, sha_of(planned), 1)))
        assert isinstance(record, PartRecord)
        assert record.unit == plan.unit(number).name
    assert bytes_in(planned) == before


def test_vectors_far_away_are_the_same_part(answer: Answer, encoder_folder: Path, texts: Path, tmp_path: Path) -> None:
    """Every kind of work goes far: whoever runs the unit finds in the plan what is to be done."""
    answer(texts, run=encoder_folder, work=Vectors())
    folder = tmp_path / "PARTS"
    before, plan = bytes_in(folder), open_plan(PartsFolder(folder).plan_path)
    (folder / plan.unit(1).part_name).unlink()
    assert "done" in do_far_unit(str(folder), 1, sha_of(folder), 1)
    assert bytes_in(folder) == before


def test_a_copied_file_is_known_by_its_bytes(planned: Path, texts: Path) -> None:
    """Another machine's copy has another time; a file with other bytes is a fault of its units."""
    os.utime(texts / "part-1.parquet", ns=(1, 1))
    assert "done" in do_far_unit(str(planned), 0, sha_of(planned), 1)
    content = bytearray((texts / "part-1.parquet").read_bytes())
    content[5] ^= 1
    (texts / "part-1.parquet").write_bytes(content)
    fault = outcome_in(do_far_unit(str(planned), 0, sha_of(planned), 1))
    assert isinstance(fault, UnitFault)
    assert "was changed since the plan was made" in fault.why


@pytest.mark.parametrize("lost", ["folder", "plan", "model", "file"])
def test_what_a_machine_does_not_see_is_said(planned: Path, model: Path, texts: Path, lost: str) -> None:
    """The run ends there: with the machine, what is missing, and what to do."""
    folder, plan_sha256 = planned, sha_of(planned)
    if lost == "folder":
        folder = planned.parent / "elsewhere"
    elif lost == "plan":
        plan_sha256 = "0" * 64
    elif lost == "model":
        model.rename(model.parent / "moved")
    else:
        (texts / "part-1.parquet").unlink()
    said = through_json(do_far_unit(str(folder), 0, plan_sha256, 1))
    assert said["stopped"] == ("SettingsError" if lost == "plan" else "StorageError")
    with pytest.raises(LimbeckError, match=f"on {platform.node()}: .*put it on a file system that all machines"):
        outcome_in(said)


PROGRAM = """
import sys
from limbeck.scale.far_units import do_far_unit
folder, plan_sha256 = sys.argv[1:]
assert "done" in do_far_unit(folder, 0, plan_sha256, 3)
import pyarrow
from limbeck.runtime import allowed_threads, count_threads
print(allowed_threads(), count_threads(), pyarrow.cpu_count())
"""


@pytest.mark.slow
def test_a_process_keeps_to_the_threads_that_it_was_given(planned: Path) -> None:
    """Engines, torch and Arrow: whatever cores the process sees, for nobody bound it to any."""
    words = [sys.executable, "-c", PROGRAM, str(planned), sha_of(planned)]
    assert subprocess.run(words, capture_output=True, check=True, text=True).stdout.split() == ["3"] * 3
