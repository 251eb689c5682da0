"""Rows in words that the tiny tokenizer knows, and a run of them."""

import pytest
from tests.threads import on_one_thread

import limbeck

MOODS = {"joy": ("fine", "sunny", "sun"), "sadness": ("sad", "rain", "rainy")}


@pytest.fixture(scope="session")
def data():
    """Sixty labelled texts in words that the tiny tokenizer knows."""
    texts, labels = [], []
    for place in range(60):
        label = ("joy", "sadness")[place % 2]
        words = MOODS[label]
        first, second = words[place % 3], words[place // 6 % 3]
        texts.append(f"{'so ' * (place % 5)}{'very ' * (place // 20)}i feel {first} {second} {'!' * (place // 12)}")
        labels.append(label)
    return limbeck.from_lists(texts, labels)


@pytest.fixture(scope="session")
def run(data, encoder_folder, tmp_path_factory):
    """A probe of the tiny encoder, made once: tests leave it as it is."""
    out = tmp_path_factory.mktemp("api") / "RUN"
    with on_one_thread():
        return limbeck.train(data, out, encoder=str(encoder_folder), folds=2, validation_share=0.3)
