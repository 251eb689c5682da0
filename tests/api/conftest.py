"""Rows in words that the tiny tokenizer knows, and a run of them."""

import pytest

import limbeck

MOODS = {"joy": ("fine", "sunny", "sun"), "sadness": ("sad", "rain", "rainy")}


@pytest.fixture
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


@pytest.fixture
def run(data, tiny_folder, tmp_path, one_thread):
    """A probe of the tiny encoder."""
    return limbeck.train(data, tmp_path / "RUN", encoder=str(tiny_folder), folds=2, validation_share=0.3)
