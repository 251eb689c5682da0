"""The curve of the learning-rate finder: what it says, in both languages."""

import pytest

from limbeck.errors import DataError
from limbeck.reporting.picture import Look
from limbeck.reporting.rate_curve import rate_curve
from limbeck.reporting.words import KOREAN

FOUND = {
    "rates": [1e-5, 1e-4, 1e-3],
    "losses": [1.7, 1.2, 1.9],
    "smoothed": [1.7, 1.4, 1.6],
    "learning_rate": 2.5e-5,
}


def test_it_says_in_words_what_it_shows():
    """First, lowest and last loss, and the rate that was chosen."""
    said = rate_curve(FOUND).description
    assert "1.7000 (1.0e-05), 1.4000 (1.0e-04), 1.6000 (1.0e-03)" in said
    assert "2.5e-05, the rate that was trained with" in said


def test_korean_words_can_be_drawn():
    """No Hangul shows as a box."""
    picture = rate_curve(FOUND, look=Look(words=KOREAN))
    assert picture.title == "학습률을 높여 갈 때의 손실"
    assert picture.png.startswith(b"\x89PNG")


def test_no_rate_is_an_error():
    """There is nothing to show."""
    with pytest.raises(DataError, match="no learning rate"):
        rate_curve({"rates": []})
