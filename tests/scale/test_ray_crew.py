"""Units on Ray: a cluster of three machines gives the bytes of one process, whatever dies meanwhile."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.said import Said
from tests.scale.conftest import Answer, bytes_in
from tests.scale.test_worker_processes import driver

from limbeck.errors import EngineError, MissingExtraError, SettingsError, StorageError
from limbeck.scale import ray_crew
from limbeck.scale.parts_answers import predict_to_parts
from limbeck.scale.parts_request import PartsRequest
from limbeck.scale.ray_crew import settle_on_ray
from limbeck.scale.scale_settings import ScaleSettings

pytestmark = pytest.mark.slow
ON_RAY = ScaleSettings(on="ray")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason='Ray is not installed: pip install "limbeck[ray]"')


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is planned."""
    monkeypatch.setattr(ray_crew, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "limbeck\[ray\]"'):
        settle_on_ray(ON_RAY)


@needs_ray
@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("ray://head:10001", "Ray Client, whose work ends with its connection.*ray job submit"),
        ("http://127.0.0.1:8265", "that of the dashboard: submit"),
        ("127.0.0.1:{free}", "nobody answers at RAY_ADDRESS=127.0.0.1:.*ray start --head"),
    ],
)
def test_addresses_that_will_not_do_are_refused(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, texts: Path, tmp_path: Path, address: str, advice: str
) -> None:
    """At once, with what to give instead, and before anything is planned."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", address.format(free=taken.getsockname()[1]))
        with pytest.raises(SettingsError, match=advice):
            answer(texts, on="ray")
    assert not (tmp_path / "PARTS").exists()


def test_a_cluster_gives_the_bytes_of_one_process(
    ray_cluster: Any, answer: Answer, texts: Path, tmp_path: Path
) -> None:
    """Each row once; the same command again finds nothing to do."""
    whole = answer(texts, tmp_path / "WHOLE")
    found = answer(texts, on="ray", threads=1)
    assert (found.rows, found.parts, found.set_aside) == (40, whole.parts, ())
    assert bytes_in(tmp_path / "PARTS") == bytes_in(tmp_path / "WHOLE")
    assert answer(texts, on="ray").computed == 0


def test_threads_are_those_of_the_smallest_machine(ray_cluster: Any) -> None:
    """Where none were given; those that were stay."""
    assert settle_on_ray(ON_RAY).threads == 1
    assert settle_on_ray(ScaleSettings(on="ray", threads=3)).threads == 3


def ending(mark: Path, head: str | None, always: tuple[int, ...] = (), once: tuple[int, ...] = ()) -> Any:
    """Return what computes units and kills its own process over some; or, where a head is named, its machine.

    The machine of the head stays: the driver is attached to it.
    """

    def do_unit_or_end(folder: str, number: int, plan_sha256: str, threads: int) -> dict[str, Any]:
        import ray

        from limbeck.scale.far_units import do_far_unit

        ended = mark / f"ended-{number}"
        if number in always or (number in once and not ended.exists()):
            is_there = ray.get_runtime_context().get_node_id() == head
            if not is_there:
                ended.touch()
            if not is_there and head is not None:
                os.kill(os.getppid(), signal.SIGKILL)  # the raylet alone: its workers would finish what they are at
            if not is_there:
                os.kill(os.getpid(), signal.SIGKILL)
        return do_far_unit(folder, number, plan_sha256, threads)

    return do_unit_or_end


def answered(texts: Path, model: Path, out: Path, said: Said) -> Any:
    scale = ScaleSettings(on="ray", threads=1, unit_tokens=40)
    return predict_to_parts(PartsRequest(source=str(texts), run=model, out=out, reading={}, scale=scale), progress=said)


@pytest.mark.parametrize("end", ["process", "machine"])
def test_what_dies_costs_the_unit_that_it_was_at(
    ray_cluster: Any,
    answer: Answer,
    texts: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:
    """Another computes it; it is said; the bytes are those of one process that nobody disturbed."""
    answer(texts, tmp_path / "WHOLE")
    head = ray_cluster.head_node.node_id if end == "machine" else None
    once = (1, 2, 5) if end == "process" else tuple(range(8))
    mark = tmp_path / "marks"
    mark.mkdir()
    monkeypatch.setattr(ray_crew, "do_far_unit", ending(mark, head, once=once))
    said = Said()
    found = answered(texts, model, tmp_path / "PARTS", said)
    assert (found.rows, found.set_aside) == (40, ())
    assert bytes_in(tmp_path / "PARTS") == bytes_in(tmp_path / "WHOLE")
    assert list(mark.iterdir())
    assert any("its unit is computed again" in line for line in said.lines)


def test_a_unit_that_kills_its_processes_is_set_aside(
    ray_cluster: Any, texts: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on."""
    monkeypatch.setattr(ray_crew, "do_far_unit", ending(tmp_path, None, always=(3,)))
    found = answered(texts, model, tmp_path / "PARTS", Said())
    assert [one.why.partition(":")[0] for one in found.set_aside] == ["3 workers ended over it"]
    assert found.computed == found.parts


def test_a_cluster_on_which_nothing_works_is_an_error(
    ray_cluster: Any, texts: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not unit after unit set aside, for hours."""
    monkeypatch.setattr(ray_crew, "do_far_unit", ending(tmp_path, None, always=tuple(range(99))))
    with pytest.raises(EngineError, match=r"before any unit was finished .*its process was killed"):
        answered(texts, model, tmp_path / "PARTS", Said())


def test_a_machine_that_does_not_see_the_model_ends_the_run(
    ray_cluster: Any, answer: Answer, texts: Path, model: Path, tmp_path: Path
) -> None:
    """With its name and what to do; what is finished stays, and the same command goes on when it is mended."""

    class Moving(Said):
        def say(self, line: str) -> None:
            if "units of work" in line:
                model.rename(tmp_path / "moved")
            super().say(line)

    with pytest.raises(StorageError, match=r"on .*: the model .* cannot be seen: put it on a file system"):
        answered(texts, model, tmp_path / "PARTS", Moving())
    (tmp_path / "moved").rename(model)
    assert answered(texts, model, tmp_path / "PARTS", Said()).rows == 40


def test_a_killed_driver_goes_on_where_it_was(
    ray_cluster: Any, answer: Answer, texts: Path, model: Path, tmp_path: Path
) -> None:
    """Kill -9 of the command as soon as units are finished: the next one leaves these as they are."""
    answer(texts, tmp_path / "WHOLE")
    out = tmp_path / "PARTS"
    started = driver(texts, model, out, on="ray")
    deadline = time.monotonic() + 120
    while not list(out.glob("_limbeck/units/*.json")) and started.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    started.kill()
    started.wait()
    kept = len(list(out.glob("_limbeck/units/*.json")))
    assert kept
    found = answered(texts, model, out, Said())
    assert found.computed == found.parts - kept
    assert bytes_in(out) == bytes_in(tmp_path / "WHOLE")


def test_what_ray_says_stands_on_standard_error(ray_cluster: Any, texts: Path, model: Path, tmp_path: Path) -> None:
    """Standard output is one object, for a program that reads it."""
    words = ["predict", model, "--input", texts, "--out", tmp_path / "PARTS", "--on", "ray", "--json", "--quiet"]
    told = subprocess.run([sys.executable, "-m", "limbeck", *words], capture_output=True, check=True)
    assert json.loads(told.stdout)["rows"] == 40
