"""Texts about the weather that a tiny encoder can tell apart."""

import random

import pytest

WORDS = ("i", "feel", "so", "very", "today", "it", "is", ".")


@pytest.fixture(autouse=True)
def computed_on_one_thread(one_thread: None) -> None:
    """Every test of this folder: bits are those of one number of threads."""


@pytest.fixture(scope="session")
def weather() -> tuple[list[str], list[str]]:
    """60 different texts of three classes, each class with a word of its own, said twice."""
    drawn = random.Random(3)  # noqa: S311  # no secret
    told = {"joy": "fine", "sadness": "sad", "슬픔": "rain"}
    texts: dict[str, str] = {}
    while len(texts) < 60:
        label = list(told)[len(texts) % 3]
        words = [*drawn.choices(WORDS, k=3), told[label], told[label]]
        drawn.shuffle(words)
        texts.setdefault(" ".join(words), label)
    return list(texts), list(texts.values())
