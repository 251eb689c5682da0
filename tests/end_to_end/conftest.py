"""A small world for whole commands: a tiny encoder, a data set that it can learn, and a way to run limbeck."""

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tests.command_line import built

from limbeck import read
from limbeck.__main__ import main
from limbeck.features.cache import FeatureCache
from limbeck.inference import timing
from limbeck.methods.probe import train_probe
from limbeck.methods.trainings import ProbeTraining
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import write_encoder
from limbeck.reporting import picture
from limbeck.reporting.run_pictures import draw_pictures
from limbeck.settings import FeatureSettings
from limbeck.tokens import Tokenizer

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


@pytest.fixture(scope="session")
def encoder_folder(tiny_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder in DistilBERT's layout, made once."""
    torch.manual_seed(7)
    sizes = EncoderConfig(
        vocab_size=20, dim=16, n_layers=2, n_heads=4, hidden_dim=32, max_position_embeddings=24, initializer_range=0.3
    )
    folder = tmp_path_factory.mktemp("encoder")
    write_encoder(Encoder(sizes), tiny_tokenizer, folder)
    return folder


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: tiny matrices are slower on several, and bits are those of one number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def computed_on_one_thread() -> Iterator[None]:
    """Every test of this folder."""
    with one_thread():
        yield


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
    monkeypatch.setattr(picture, "_forms", lambda *_: (b"", BLANK_SVG))


@pytest.fixture(scope="session")
def on_one_thread() -> Callable[[], AbstractContextManager[None]]:
    """For fixtures that are made before any test's own."""
    return one_thread


@pytest.fixture(scope="session")
def finished(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set, and a finished run on it, made once; tests work on copies."""
    place = tmp_path_factory.mktemp("finished")
    write_weather(place / "weather")
    settings = ProbeTraining(features=FeatureSettings(encoder=str(encoder_folder), pooling="layers"))
    with one_thread():
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
