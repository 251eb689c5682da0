"""Learning curves: what the picture says, in both languages, the same every time."""

import pytest

from limbeck.errors import DataError
from limbeck.reporting.learning_curves import learning_curves
from limbeck.reporting.picture import Look
from limbeck.reporting.words import KOREAN

EPOCHS = [
    {"epoch": 1, "train_loss": 0.9, "validation_loss": 0.5, "accuracy": 0.8, "f1_weighted": 0.79, "f1_macro": 0.7},
    {"epoch": 2, "train_loss": 0.4, "validation_loss": 0.3, "accuracy": 0.9, "f1_weighted": 0.89, "f1_macro": 0.85},
]


def test_it_says_in_words_what_it_shows():
    """Every figure, and which epoch was kept, for those who cannot see it."""
    picture = learning_curves(EPOCHS, best_epoch=2)
    assert "Epoch 2: Training loss 0.4000, Validation loss 0.3000, Accuracy 0.9000" in picture.description
    assert "epoch 2, the one that was kept" in picture.description


def test_the_same_epochs_give_the_same_bytes():
    """A run can be compared with another by its files."""
    assert learning_curves(EPOCHS, best_epoch=1) == learning_curves(EPOCHS, best_epoch=1)


def test_one_epoch_and_korean_words_can_be_drawn():
    """No line to draw is no reason to fail."""
    picture = learning_curves(EPOCHS[:1], best_epoch=1, look=Look(words=KOREAN))
    assert picture.title == "학습 곡선"
    assert picture.png.startswith(b"\x89PNG")


def test_no_epoch_is_an_error():
    """There is nothing to show."""
    with pytest.raises(DataError, match="no epoch"):
        learning_curves([], best_epoch=1)
