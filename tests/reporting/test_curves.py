"""Curves: what they draw, what they say in words, and what they refuse."""

import pytest

from limbeck.errors import DataError
from limbeck.reporting.curves import learning_curves, rate_curve
from limbeck.reporting.picture import Look
from limbeck.reporting.words import KOREAN

EPOCHS = [
    {"epoch": 1, "train_loss": 0.9, "validation_loss": 0.5, "accuracy": 0.8, "f1_weighted": 0.79, "f1_macro": 0.7},
    {"epoch": 2, "train_loss": 0.4, "validation_loss": 0.3, "accuracy": 0.9, "f1_weighted": 0.89, "f1_macro": 0.85},
]


@pytest.mark.usefixtures("unsaved")
def test_learning_curves_says_in_words_what_it_shows():
    """Every figure, and which epoch was kept, for those who cannot see it."""
    picture = learning_curves(EPOCHS, best_epoch=2)
    assert "Epoch 2: Training loss 0.4000, Validation loss 0.3000, Accuracy 0.9000" in picture.description
    assert "epoch 2, the one that was kept" in picture.description


@pytest.mark.slow
def test_learning_curves_the_same_epochs_give_the_same_bytes():
    """A run can be compared with another by its files."""
    one, again = (learning_curves(EPOCHS, best_epoch=1) for _ in range(2))
    assert one == again
    assert one.png == again.png


@pytest.mark.slow
def test_learning_curves_one_epoch_and_korean_words_can_be_drawn():
    """No line to draw is no reason to fail."""
    picture = learning_curves(EPOCHS[:1], best_epoch=1, look=Look(words=KOREAN))
    assert picture.title == "학습 곡선"
    assert picture.png.startswith(b"\x89PNG")


def test_learning_curves_no_epoch_is_an_error():
    """There is nothing to show."""
    with pytest.raises(DataError, match="no epoch"):
        learning_curves([], best_epoch=1)


FOUND = {
    "rates": [1e-5, 1e-4, 1e-3],
    "losses": [1.7, 1.2, 1.9],
    "smoothed": [1.7, 1.4, 1.6],
    "learning_rate": 2.5e-5,
}


@pytest.mark.usefixtures("unsaved")
def test_the_rate_curve_says_in_words_what_it_shows():
    """First, lowest and last loss, and the rate that was chosen."""
    said = rate_curve(FOUND).description
    assert "1.7000 (1.0e-05), 1.4000 (1.0e-04), 1.6000 (1.0e-03)" in said
    assert "2.5e-05, the rate that training used" in said


@pytest.mark.slow
def test_the_rate_curve_korean_words_can_be_drawn():
    """No Hangul shows as a box."""
    picture = rate_curve(FOUND, look=Look(words=KOREAN))
    assert picture.title == "학습률을 높여 갈 때의 손실"
    assert picture.png.startswith(b"\x89PNG")


def test_the_rate_curve_no_rate_is_an_error():
    """There is nothing to show."""
    with pytest.raises(DataError, match="no learning rate"):
        rate_curve({"rates": []})
