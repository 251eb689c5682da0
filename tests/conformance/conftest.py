"""The world of the contracts."""

from pathlib import Path

import pytest
from tests.conformance.worlds import World, make_world

from limbeck.methods import masking
from limbeck.model.loaded_encoder import LoadedEncoder


@pytest.fixture
def world(tiny_loaded: LoadedEncoder, tmp_path: Path) -> World:
    """Twelve rows in the order in which they were written down."""
    return make_world(tiny_loaded, tmp_path / "world")


@pytest.fixture
def no_chance_in_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chosen token is shown as [MASK]: rows are then masked alike whatever rows stand beside them."""
    monkeypatch.setattr(masking, "SHOWN_AS_MASK", 1.0)
    monkeypatch.setattr(masking, "SHOWN_AS_OTHER", 0.0)
