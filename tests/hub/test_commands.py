"""Whole commands over the hub: in this process, and as a user's shell starts them, HF_ENDPOINT from the environment."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.command_line import built

from limbeck import read
from limbeck.__main__ import main

# The client's plain upload uses an argument of its HTTP library that is on its way out; users see no warning.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
ENCODER = "distilbert/distilbert-base-uncased"
GUARD = """
import socket, sys
looked, connected = socket.getaddrinfo, socket.socket.connect
def guard(host):
    if (host.decode() if isinstance(host, bytes) else host) not in ("127.0.0.1", "localhost"):
        sys.stderr.write(f"REACHED {host}\\n")
        raise OSError("not this machine")
def look_up(host, *rest, **options):
    guard(host)
    return looked(host, *rest, **options)
def connect(self, address):
    if self.family != socket.AF_UNIX:
        guard(address[0])
    return connected(self, address)
socket.getaddrinfo, socket.socket.connect = look_up, connect
from limbeck import read
from limbeck.__main__ import main
main()
"""


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def limbeck(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ended]:
    """Run a command in this process, through the outermost handler."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("limbeck.cli.app.app", built())

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["limbeck", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capfd.readouterr()
        return Ended(status=ended.value.code or 0, out=shown.out, err=shown.err)

    return run


@pytest.fixture
def process(environment: dict[str, str], tmp_path: Path) -> Callable[..., Ended]:
    """Run a command in a process of its own, in which the network is guarded too."""

    def run(*words: str | Path, **variables: str) -> Ended:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HTTP", "http"))}
        ended = subprocess.run(
            [sys.executable, "-c", GUARD, *map(str, words)],
            env={**kept, **environment, "OMP_NUM_THREADS": "1", **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert "REACHED" not in ended.stderr
        assert "Traceback" not in ended.stderr
        return Ended(status=ended.returncode, out=ended.stdout, err=ended.stderr)

    return run


@pytest.fixture
def weather(hub, parquet, tiny_folder):
    """A data set that a tiny encoder can learn, and the encoder, both on the hub."""
    words = {0: "rain .", 1: "sun ! fine", 2: "so sad"}
    rows = {
        split: {"text": [f"today it is {words[n % 3]} {'very ' * (n // 3 % 4)}" for n in range(many)], "label": []}
        for split, many in {"train": 90, "validation": 30, "test": 30}.items()
    }
    for columns in rows.values():
        columns["label"] = [number % 3 for number in range(len(columns["text"]))]
    names = ["rainy", "sunny", "sad"]
    files = {f"data/{split}-00000-of-00001.parquet": parquet(columns, names) for split, columns in rows.items()}
    hub.add("model", ENCODER, {path.name: path.read_bytes() for path in tiny_folder.iterdir()})
    return hub.add("dataset", "me/weather", files)


@pytest.mark.slow
def test_train_evaluate_publish_and_predict_over_the_hub(
    hub, weather, limbeck, process, token, tmp_path, monkeypatch
) -> None:
    """The whole way; the run records the commits of data and encoder; the same commands work without the hub."""
    monkeypatch.setattr("limbeck.reporting.run_pictures.draw_pictures", lambda *_: [])  # slower than all the rest
    ended = limbeck(
        "train", "hub:me/weather", "--encoder", f"hub:{ENCODER}", "--out", "RUN", "--pooling", "mean", "--json"
    )
    assert ended.status == 0, ended.err
    record = json.loads((tmp_path / "RUN" / "run.json").read_text("utf-8"))
    assert record["data"]["source"] == f"hub:me/weather@{weather.sha(0)}"
    assert record["encoder"]["name"] == f"hub:{ENCODER}@{hub.repos['model', ENCODER].sha(0)}"
    config = json.loads((tmp_path / "RUN" / "bundle" / "config.json").read_text("utf-8"))
    assert config["id2label"] == {"0": "rainy", "1": "sunny", "2": "sad"}

    shown = limbeck("publish", "RUN", "kim/weather", "--dry-run")
    assert shown.status == 0, shown.err
    for said in (
        "model.safetensors",
        "library_name: limbeck",
        "opens in limbeck only",
        "- me/weather",
        "Nothing was uploaded",
    ):
        assert said in shown.out
    assert "pipeline_tag" not in shown.out, "the hub would offer code for transformers, which opens no linear head"
    assert ("model", "kim/weather") not in hub.repos
    refused = limbeck("publish", "RUN", "kim/weather")
    assert (refused.status, refused.out) == (8, "")
    assert "hf auth login" in refused.err
    went = process("publish", "RUN", "kim/weather", "--private", HF_TOKEN=token, HF_HUB_VERBOSITY="debug")
    assert went.status == 0, went.err
    assert token not in went.out + went.err
    assert went.out.splitlines()[-1] == "Next: limbeck predict hub:kim/weather 'your text'"
    assert hub.repos["model", "kim/weather"].private

    monkeypatch.setenv("HF_TOKEN", token)
    assert "sunny" in limbeck("predict", "hub:kim/weather", "today it is sun ! fine").out
    online = limbeck("evaluate", "RUN", "hub:me/weather", "--json")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    offline = limbeck("evaluate", "RUN", "hub:me/weather", "--json")
    assert (offline.status, offline.out) == (0, online.out)
    assert f"The cached revision {weather.sha(0)[:12]} is used instead" in offline.err
    assert "sunny" in limbeck("predict", "hub:kim/weather", "today it is sun ! fine").out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("train", "hub:me/nosuch", "--out", "RUN"), 8, "the hub has no data set me/nosuch"),
        (("train", "hub:me/weather#nosuch", "--out", "RUN"), 3, "has no configuration 'nosuch'"),
        (("train", "hub:me weather", "--out", "RUN"), 2, "is not a place on the hub: write hub:OWNER/NAME"),
        (("tokens", "fine", "--encoder", "hub:me/nosuch"), 8, "the hub has no model me/nosuch"),
        (("predict", "hub:me/nosuch", "fine"), 8, "the hub has no model me/nosuch"),
    ],
)
def test_errors_have_their_status_and_leave_nothing(weather, limbeck, tmp_path, words, status, said) -> None:
    """One message, the table's status, no run folder."""
    ended = limbeck(*words)
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err
    assert not (tmp_path / "RUN").exists()


@pytest.mark.slow
def test_audit_and_tokens_take_ids(weather, limbeck, hub) -> None:
    """The other commands read data and tokenizers of the hub as `train` does, without weights."""
    ended = limbeck("audit", "hub:me/weather", "--out", "AUDIT", "--encoder", f"hub:{ENCODER}", "--no-page")
    assert ended.status == 0, ended.err
    ended = limbeck("tokens", "so fine", "--encoder", "distilbert-base-uncased", "--json")
    assert json.loads(ended.out)["texts"][0]["tokens"] == ["[CLS]", "so", "fine", "[SEP]"]
    assert hub.asked("safetensors") == []


@pytest.mark.slow
def test_a_kill_in_the_middle_leaves_nothing_that_counts(hub, weather, environment, fault, tmp_path) -> None:
    """Kill -9 while a file is coming: the next command fetches it anew and is right."""
    cut = fault(match="GET /lfs/", cut_after=100, times=1000)
    hub.faults.append(cut)
    process = subprocess.Popen(
        [sys.executable, "-m", "limbeck", "split", "hub:me/weather", "--out", "PARTS"],
        env={**os.environ, **environment},
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    while not hub.asked("GET /lfs/"):
        assert process.poll() is None
    process.kill()
    process.wait()
    hub.faults.clear()
    assert not (tmp_path / "PARTS").exists()
    assert read("hub:me/weather").split_sizes() == {"train": 90, "validation": 30, "test": 30}
