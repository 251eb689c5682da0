"""Every program of docs/serving.md runs as it is printed, against the service itself."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.in_process import InProcess, bundle_of, front_of, running

from limbeck.inference.predictor import Predictor
from limbeck.model.loaded_encoder import LoadedEncoder

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```(python|javascript)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
CURL = re.search(r"^curl .*$", PAGE, re.MULTILINE)
HOST = "127.0.0.1:8080"


@pytest.fixture
def host(tiny_loaded: LoadedEncoder) -> Iterator[str]:
    """Host and port of a service with a tiny model."""
    predictor = Predictor(bundle_of("single", tiny_loaded), device="cpu", engine="torch-float32")
    with running(front_of(InProcess(predictor))) as address:
        yield address.removeprefix("http://")


@pytest.mark.slow
@pytest.mark.parametrize(("language", "program"), PROGRAMS, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(PROGRAMS)])
def test_a_program_runs(host: str, language: str, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With nothing changed but the port and the name of the model; it prints what it was answered."""
    assert HOST in program
    program = program.replace(HOST, host).replace('"RUN"', '"tiny"')
    if language == "python":
        exec(compile(program, "docs/serving.md", "exec"), {})  # noqa: S102  # that is the test
        printed = capsys.readouterr().out
    else:
        node = shutil.which("node")
        if node is None:
            pytest.skip("node is not installed")
        command = [node, "--input-type=module", "-e", program]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert re.search(r"joy|sadness|슬픔|\d", printed)


@pytest.mark.slow
def test_the_first_command_answers(host: str) -> None:
    """The curl line prints an answer of the shape that the page shows below it."""
    assert CURL is not None
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = ["bash", "-c", CURL.group().replace(HOST, host)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    shown = PAGE.split("```json\n")[1].split("```")[0]
    assert re.findall(r'"(\w+)":', printed)[:12] == re.findall(r'"(\w+)":', shown)[:12]
