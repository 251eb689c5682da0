"""What C++ holds of each character is what the installed `tokenizers` does with it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.tokens.test_wordpiece import KINDS, both, content_of, opened

ROOT = Path(__file__).parents[2]
EVERY = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
TOGETHER = 64
"""Characters in a text."""


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The script that asks `tokenizers` and writes the header."""
    spec = importlib.util.spec_from_file_location("make_characters", ROOT / ".ci" / "make_characters.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_header_is_what_tokenizers_answers(maker: ModuleType) -> None:
    """Every code point is asked again; only the version may differ. Else run .ci/make_characters.py."""
    written, asked = maker.HEADER.read_text("utf-8"), maker.header_of(maker.ask())
    assert written.partition("\n")[2] == asked.partition("\n")[2]


def test_the_header_is_small(maker: ModuleType) -> None:
    """It is read with the sources, and compiled everywhere."""
    assert maker.HEADER.stat().st_size < 100_000


@pytest.mark.parametrize(
    ("kind", "step"), [pytest.param("uncased", 1, marks=pytest.mark.slow), *((kind, 61) for kind in KINDS)]
)
def test_every_character_alone_and_in_words(kind: str, step: int) -> None:
    """Alone, between letters, before and behind accents: ids are the library's, for every code point there is.

    Of the kinds that are less used, for some of them: what differs is how the same table is read.
    """
    native, raw = opened(content_of(kind))
    some = EVERY[::step]
    for pattern in ("{0} ", "a{0}b ", "a\u0301{0}\u0327\u302f\u1b44\u0315 "):
        texts = [
            "".join(map(pattern.format, some[start : start + TOGETHER])) for start in range(0, len(some), TOGETHER)
        ]
        own, theirs = both(native, raw, texts)
        different = [text for text, one, other in zip(texts, own, theirs, strict=True) if one != other]
        assert different == []
