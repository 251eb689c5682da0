"""What the tests of the service share: a front around a tiny model of each kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serving.engines import Make, plain_folder
from tests.serving.in_process import InProcess, bundle_of, front_of

from limbeck.inference.predictor import Predictor
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.serving.app import Front
from limbeck.tokens import Tokenizer

MakeFront = Callable[..., tuple[Front, InProcess]]


@pytest.fixture
def make_front(tiny_loaded: LoadedEncoder) -> MakeFront:
    """Make a front, and the service behind it, around a tiny model of a kind; more words are settings."""

    def make(kind: str = "single", **settings: Any) -> tuple[Front, InProcess]:
        predictor = Predictor(bundle_of(kind, tiny_loaded), device="cpu", engine="torch-float32")
        service = InProcess(predictor)
        return front_of(service, **settings), service

    return make


@pytest.fixture
def make(tiny_tokenizer: Tokenizer, tmp_path: Path) -> Make:
    """Write the folder of a plain engine."""

    def folder(name: str = "RUN", **changed: Any) -> Path:
        return plain_folder(tmp_path / name, tiny_tokenizer, **changed)

    return folder
