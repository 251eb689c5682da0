"""Units on Spark: what ends there is computed again, and the bytes are those of one process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.said import Said
from tests.scale.conftest import Answer, bytes_in
from tests.scale.test_unit_queue import RECORD, queue_of
from tests.scale.test_worker_processes import children_of

from limbeck.errors import BundleError, EngineError
from limbeck.scale import unit_words

pytest.importorskip("pyspark", reason="pyspark is not installed (the extra spark)")
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

from pyspark.errors import PySparkRuntimeError  # noqa: E402

from limbeck.scale import spark_crew  # noqa: E402  # it imports pyspark

DONE = unit_words.outcome_words(RECORD)
ABORTED = "Job aborted due to stage failure: Task {place} in stage 0.0 failed {times} times, most recent failure: "
CRASHED = "Lost task 1.0 in stage 0.0 (TID 1) (ant executor 1): {why}\n\nDriver stacktrace:\n\tat org.apache"
PYTHON = "org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n  File x\n{why}\n\n\tat org"


class Stub:
    """A Spark whose jobs go as a script says: a number of what tasks say, then an end."""

    version, master = "4", "spark://ant:7077"

    def __init__(self, *script: tuple[dict[int, dict[str, Any]], Exception | None]) -> None:
        self.script, self.jobs, self.cancelled = list(script), [], 0

    def accumulator(self, value: Any, param: Any) -> Any:
        self.heard = value
        return None

    def setJobGroup(self, *words: Any, **more: Any) -> None:  # noqa: N802  # Spark's name
        pass

    def parallelize(self, numbers: list[int], parts: int) -> "Stub":
        assert parts == len(numbers)
        self.jobs.append(numbers)
        return self

    def foreachPartition(self, task: Any) -> None:  # noqa: N802  # Spark's name
        said, error = self.script.pop(0)
        self.heard.extend(said.items())
        if error is not None:
            raise error

    def cancelJobGroup(self, group: str) -> None:  # noqa: N802  # Spark's name
        self.cancelled += 1


def aborted(place: int, times: int, why: str) -> Exception:
    """Return the error of a job that Spark gave up over the task at a place."""
    return PySparkRuntimeError(ABORTED.format(place=place, times=times) + CRASHED.format(why=why))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Let a stub work over six units."""
    (tmp_path / "_limbeck").mkdir()
    (tmp_path / "_limbeck" / "plan.json").write_text("{}")

    def run(spark: Stub) -> Any:
        monkeypatch.setattr(spark_crew, "spark_context", lambda: nullcontext(spark))
        queue, parts, told = queue_of(6)
        spark_crew.work_on_spark(queue, str(tmp_path), Said())
        assert sum(told) == 60
        return parts

    return run


def test_one_job_is_over_all_units(work: Callable[..., Any]) -> None:
    """Each is kept once."""
    spark = Stub((dict.fromkeys(range(6), DONE), None))
    parts = work(spark)
    assert (spark.jobs, sorted(parts.kept), parts.asides) == ([[0, 1, 2, 3, 4, 5]], [0, 1, 2, 3, 4, 5], [])


def test_a_unit_that_every_task_ended_over_is_set_aside(work: Callable[..., Any]) -> None:
    """The job goes on without it."""
    spark = Stub(({**dict.fromkeys(range(6), DONE), 2: {"lost": 3}}, None))
    parts = work(spark)
    assert sorted(parts.kept) == [0, 1, 3, 4, 5]
    assert parts.asides[0][:2] == (2, "3 workers ended over it: every task that began it ended over it")


def test_where_spark_gives_a_job_up_the_next_one_goes_on(work: Callable[..., Any]) -> None:
    """Its unit is tried again, behind those that nobody spoke of, for which no try is counted; three times in all."""
    memory = PYTHON.format(why="MemoryError: 9 GiB")
    spark = Stub(
        ({4: DONE}, aborted(1, 1, "java.io.EOFException: the worker crashed")),
        ({0: DONE, 2: DONE, 3: DONE}, aborted(4, 1, memory)),
        ({5: DONE}, aborted(1, 1, memory)),
    )
    parts = work(spark)
    assert spark.jobs == [[0, 1, 2, 3, 4, 5], [0, 2, 3, 5, 1], [5, 1]]
    assert sorted(parts.kept) == [0, 2, 3, 4, 5]
    assert parts.asides[0][:2] == (1, "3 workers ended over it: on ant: MemoryError: 9 GiB")


def test_jobs_that_say_nothing_end(work: Callable[..., Any]) -> None:
    """After three of them; not for ever."""
    spark = Stub(({}, None), ({}, None), ({}, None))
    with pytest.raises(EngineError, match="3 jobs of Spark ended without a word"):
        work(spark)


def test_what_holds_for_all_units_ends_the_job(work: Callable[..., Any]) -> None:
    """With the words of the task."""
    with pytest.raises(BundleError, match="on ant: the model was changed"):
        work(Stub(({0: {"stopped": "BundleError", "why": "on ant: the model was changed"}}, None)))


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (PYTHON.format(why="ModuleNotFoundError: No module named 'limbeck'"), "install the same limbeck"),
        ('java.io.IOException: Cannot run program "/no/python"', "PYSPARK_PYTHON"),
    ],
)
def test_machines_without_limbeck_are_named(work: Callable[..., Any], why: str, said: str) -> None:
    """No unit is to blame."""
    with pytest.raises(EngineError, match=rf"(?s){said}"):
        work(Stub(({}, aborted(0, 4, why))))


def test_an_end_of_spark_says_how_to_go_on(work: Callable[..., Any]) -> None:
    """Somebody stopped it, or the cluster did."""
    with pytest.raises(EngineError, match=r"spark://ant:7077 ended the work \(SparkContext was shut down\).*goes on"):
        work(Stub(({0: DONE}, OSError("SparkContext was shut down"))))


SETTINGS = "--conf spark.ui.enabled=false --conf spark.driver.bindAddress=127.0.0.1"
CLUSTER = "local-cluster[2,1,1024]"
"""Two executors of a core each, on this machine; each is a process that can be killed."""


def started(model: Path, texts: Path, out: Path, folder: Path) -> "subprocess.Popen[str]":
    """Start the command."""
    words = ["--on", "spark", "--unit-tokens", "40", "--json", "--quiet"]
    return subprocess.Popen(
        [sys.executable, "-m", "limbeck", "predict", str(model), "--input", str(texts), "--out", str(out), *words],
        env={**os.environ, "SPARK_MASTER": CLUSTER, **environment(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def environment(folder: Path) -> dict[str, str]:
    return {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(folder / "work"),
        "PYSPARK_SUBMIT_ARGS": f"{SETTINGS} pyspark-shell",
        "PYSPARK_PYTHON": sys.executable,
    }


def below(pid: int) -> list[int]:
    """Return all processes below one."""
    children = children_of(pid)
    return [*children, *(other for child in children for other in below(child))]


def victims(pid: int, sign: str) -> list[int]:
    """Return the processes below one whose command line has a sign."""
    found = []
    for one in below(pid):
        with suppress(OSError):
            if sign in Path(f"/proc/{one}/cmdline").read_text():
                found.append(one)
    return found


def kill_one(process: "subprocess.Popen[str]", sign: str) -> None:
    """Kill the first process with a sign that begins to live."""
    while process.poll() is None:
        for victim in victims(process.pid, sign)[-1:]:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                return
        time.sleep(0.1)


@pytest.mark.slow
def test_kills_on_spark_leave_the_same_bytes(answer: Answer, texts: Path, model: Path, tmp_path: Path) -> None:
    """Of a worker (Python), of an executor, of the driver; every row once and in order, as one process writes them."""
    answer(texts, tmp_path / "WHOLE")
    out = tmp_path / "PARTS"
    first = started(model, texts, out, tmp_path)
    kill_one(first, "CoarseGrainedExecutorBackend")
    while first.poll() is None and not list((out / "_limbeck" / "units").glob("part-*")):
        time.sleep(0.05)
    first.kill()
    first.communicate()
    second = started(model, texts, out, tmp_path)
    kill_one(second, "pyspark.daemon")
    said = json.loads(second.communicate()[0])
    assert second.returncode == 0
    assert (said["rows"], said["set_aside"]) == (40, [])
    assert bytes_in(out) == bytes_in(tmp_path / "WHOLE")
    assert answer(texts, out).computed == 0
