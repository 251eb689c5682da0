"""A small world for whole commands: a tiny encoder, a data set that it can learn, and a way to run limbeck."""

import io
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from tests.command_line import built
from tests.threads import on_one_thread

from limbeck import read
from limbeck.__main__ import main
from limbeck.features.cache import FeatureCache
from limbeck.inference import timing
from limbeck.methods.probe import train_probe
from limbeck.methods.trainings import ProbeTraining
from limbeck.reporting import picture
from limbeck.reporting.run_pictures import draw_pictures
from limbeck.settings import FeatureSettings

BLANK_SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'
OPENINGS = ("i feel so", "i feel very", "today i feel", "it is so", "today it is")
WORDS = {"joy": ("fine", "sunn sun", "fine sun"), "sadness": ("sad", "rain", "sad rainy"), "슬픔": ("sad !", "rain !")}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def limbeck(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line in this process, through the outermost handler."""
    monkeypatch.setattr("limbeck.cli.app.app", built())

    def run(*words: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["limbeck", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        shown = capfd.readouterr()
        return Ended(status=code if isinstance(code, int) else 0, out=shown.out, err=shown.err)

    return run


@pytest.fixture(autouse=True)
def computed_on_one_thread(one_thread: None) -> None:
    """Every test of this folder."""


@pytest.fixture(autouse=True)
def few_texts_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A student is timed beside its teacher as ever, but on few texts; tests/inference/test_timing asks for more."""
    monkeypatch.setattr(timing, "FEWEST_TOKENS", 1)


@pytest.fixture
def drawn() -> None:
    """For tests that promise something of a picture; see `pictures_are_drawn_where_promised`."""


@pytest.fixture(autouse=True)
def pictures_are_drawn_where_promised(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere every file is there but blank: drawing them takes longer than the tiny runs that they are of."""
    if "drawn" in request.fixturenames:
        return
    monkeypatch.setattr(picture, "_lay_out", lambda figure: None)
    monkeypatch.setattr(Figure, "savefig", _save_nothing)


def _save_nothing(figure: Figure, file: io.IOBase, *, format: str, **_: object) -> None:  # noqa: A002  # matplotlib's
    """Write what stands for a picture."""
    file.write(BLANK_SVG if format == "svg" else b"")


@pytest.fixture(scope="session")
def finished(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set, and a finished run on it, made once; tests work on copies."""
    place = tmp_path_factory.mktemp("finished")
    write_weather(place / "weather")
    settings = ProbeTraining(features=FeatureSettings(encoder=str(encoder_folder), pooling="layers"))
    with on_one_thread():
        run = train_probe(read(place / "weather"), place / "RUN", settings, cache=FeatureCache(place / "cache"))
    draw_pictures(run)
    return place


@pytest.fixture
def weather(tmp_path: Path) -> Path:
    """A folder of splits: 240, 60 and 60 rows."""
    write_weather(tmp_path / "weather")
    return tmp_path / "weather"


@pytest.fixture
def trained(finished: Path, tmp_path: Path) -> Path:
    """A finished run on `weather`, every layer pooled."""
    shutil.copytree(finished / "RUN", tmp_path / "RUN")
    return tmp_path / "RUN"


def write_weather(folder: Path) -> None:
    """Write rows of three labels, one of them Hangul; words tell the labels apart, but for one row in ten."""
    folder.mkdir()
    drawing = random.Random(5)  # noqa: S311  # a data set, not a secret
    for split, rows in {"train": 240, "val": 60, "test": 60}.items():
        lines = []
        for number in range(rows):
            label = list(WORDS)[number % 3]
            spoken = drawing.choice(list(WORDS)) if number % 10 == 9 else label
            words = [drawing.choice(OPENINGS), drawing.choice(WORDS[spoken]), *drawing.choices([".", "today"], k=2)]
            lines.append(f"{' '.join(words)};{label}\n")
        (folder / f"{split}.txt").write_text("".join(lines), "utf-8")
