"""Several hosts under torchrun: one that is gone is done without, and the run goes on from its last checkpoint.

A host is a torchrun on this machine with its one process; they meet at a store that this process keeps.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.distributed import TCPStore

from limbeck.storage import read_json

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")]

LONGEST_S = 300.0
"""A minute on an idle machine, most of it for torch's import in every process."""
BOUND = 1e-5
"""A hundredth of one step at the rate of 1e-3. Biases of keys are left out: no answer depends on them, so that their
gradient is mere rounding, of which AdamW makes whole steps."""
WORKER = """
import os, pathlib, sys, time
from limbeck.training import heartbeats, session
from limbeck.training.loop import Loop
heartbeats.BEAT_S, heartbeats.LOST_S, heartbeats.LATE_S, heartbeats.GRACE_S = 0.3, 6.0, 3.0, 2.0
place = pathlib.Path(sys.argv.pop(1)) / os.environ["WORLD_SIZE"]
place.mkdir(parents=True, exist_ok=True)
(place / os.environ["RANK"]).write_text(f"{os.getpid()} {os.getppid()}")
honest = Loop._train_update
def slowly(*given):
    time.sleep(0.2)
    return honest(*given)
Loop._train_update = slowly
from limbeck.__main__ import main
main()
"""
TRAINING = (
    *("--method", "finetune", "--seed", "0", "--lr", "0.001", "--epochs", "3", "--batch-size", "6"),
    *("--token-budget", "8", "--checkpoint-every-s", "0", "--engine", "torch-float32"),
)


@pytest.fixture
def rows(tmp_path):
    said = ["i feel fine", "so sad", "it is rain today", "sun", "i feel so very sad today .", "today it is fine !"]
    lines = [f'"{text} {word}",{label}' for word in ("i", "it", "so", "is") for text, label in zip(said, "abbaba")]  # noqa: B905
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["text,label", *lines * 3]), "utf-8")
    return path


class Hosts:
    """Some torchruns of one training."""

    def __init__(self, place, words, hosts, **environment):
        self.store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self.place, self.seen = place, place / "seen"
        (place / "worker.py").write_text(WORKER, "utf-8")
        command = [
            *(sys.executable, "-m", "torch.distributed.run", "--nnodes", f"1:{hosts}", "--max-restarts", "2"),
            *("--shutdown-timeout", "3", "--rdzv-backend", "c10d", "--rdzv-id", "test", "--local-addr", "127.0.0.1"),
            *("--rdzv-endpoint", f"127.0.0.1:{self.store.port}", "--rdzv-conf"),
            "is_host=0,last_call_timeout=3,keep_alive_interval=1,keep_alive_max_attempt=5",
            *(str(place / "worker.py"), str(self.seen), *map(str, words)),
        ]
        environment = {**os.environ, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "OMP_NUM_THREADS": "1", **environment}
        self.until_s = time.monotonic() + LONGEST_S
        self.said = [(place / f"said-{number}").open("w+", encoding="utf-8") for number in range(hosts)]
        self.agents = [
            subprocess.Popen(command, env=environment, cwd=place, stdout=said, stderr=said) for said in self.said
        ]

    def pids(self, rank, size):
        """Return the ids of a process and of its torchrun."""
        return tuple(map(int, (self.seen / str(size) / str(rank)).read_text("utf-8").split()))

    def wait(self, come, why):
        while not come():
            assert time.monotonic() < self.until_s, f"{why}:\n{self.all_said()}"
            time.sleep(0.1)

    def all_said(self):
        return "\n".join((self.place / f"said-{number}").read_text("utf-8") for number in range(len(self.said)))

    def close(self):
        """End what is left, the frozen too."""
        for agent in self.agents:
            for child in children_of(agent.pid):
                os.kill(child, signal.SIGKILL)
            agent.kill()
            agent.wait()
        for said in self.said:
            said.close()


def children_of(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


@pytest.fixture
def hosts_of(tmp_path):
    made = []

    def make(words, hosts, **environment):
        made.append(Hosts(tmp_path, words, hosts, **environment))
        return made[-1]

    yield make
    for hosts in made:
        hosts.close()


@pytest.mark.parametrize(
    ("number", "rank"),
    [
        pytest.param(signal.SIGKILL, 0, id="the first is killed"),
        pytest.param(signal.SIGSTOP, 1, id="another is frozen"),
    ],
)
def test_a_run_goes_on_without_a_lost_host(hosts_of, rows, tmp_path, tiny_folder, number, rank):
    """Of three hosts one is killed or frozen: two end what three began, and no update had other rows."""
    run = tmp_path / "RUN"
    words = ("train", rows, *TRAINING, "--encoder", tiny_folder, "--out")
    hosts = hosts_of((*words, run, "--elastic"), 3)
    journal = run / "metrics.jsonl"
    lines = lambda: journal.read_bytes().count(b"\n") if journal.exists() else 0  # noqa: E731
    hosts.wait(lambda: all((hosts.seen / "3" / str(rank)).exists() for rank in range(3)), "three did not meet")
    began = lines()
    hosts.wait(lambda: lines() > began + 3, "no step was made")
    lost = hosts.pids(rank, 3)
    for pid in lost:
        os.kill(pid, number)
    left = [agent for agent in hosts.agents if agent.pid not in lost]
    assert len(left) == 2
    hosts.wait(lambda: all(agent.poll() is not None for agent in left), "the others did not end")
    said = hosts.all_said()
    assert [agent.returncode for agent in left] == [0, 0], said
    assert f"process {rank} on" in said
    assert f"(pid {lost[0]})" in said
    assert "going on from step" in said
    assert (hosts.seen / "2" / "1").exists()
    metrics = read_json(run / "metrics.json")
    assert metrics["resumed_at_step"] > 0
    alone = subprocess.run(
        [sys.executable, "-m", "limbeck", *map(str, words), str(tmp_path / "ALONE")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert alone.returncode == 0, alone.stderr
    expected, found = (load_file(place / "bundle" / "model.safetensors") for place in (tmp_path / "ALONE", run))
    compared = [name for name in expected if not name.endswith("k_lin.bias")]
    assert max(float((expected[name] - found[name]).abs().max()) for name in compared) < BOUND
    assert metrics["steps"] == read_json(tmp_path / "ALONE" / "metrics.json")["steps"]
