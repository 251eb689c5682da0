"""Rows of a training: what is refused, and what is said, before it begins."""

import pandas as pd
import pytest

from limbeck.errors import DataError
from limbeck.reading.in_memory import from_pandas
from limbeck.runs.training_rows import training_rows
from limbeck.settings import SplitSettings


class Heard:
    """A progress that remembers what was said."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def dataset(rows):
    frame = pd.DataFrame(rows, columns=["split", "text", "label"])
    return from_pandas(frame)


ROWS = [
    ("train", "so fine", "joy"),
    ("train", "so sad", "sadness"),
    ("train", "fine", "joy"),
    ("validation", "fine today", "joy"),
    ("validation", "sad today", "sadness"),
    ("test", "so fine", "joy"),
]


def test_the_rows_of_the_splits_are_taken():
    """Train to learn from, validation to judge by; nothing is said when all is well."""
    heard = Heard()
    rows = training_rows(dataset(ROWS), SplitSettings(), heard)
    assert (len(rows.train), len(rows.validation), rows.majority_label) == (3, 2, rows.label_names.index("joy"))
    assert heard.lines == []


def test_texts_of_both_splits_are_counted():
    """A leak flatters the figures."""
    heard = Heard()
    training_rows(dataset([*ROWS, ("validation", "so sad", "sadness")]), SplitSettings(), heard)
    assert "1 of 3 validation texts are training texts too" in heard.lines[0]


def test_a_class_that_cannot_be_judged_is_said():
    """Figures without it say nothing about it."""
    heard = Heard()
    training_rows(dataset([row for row in ROWS if row[1] != "sad today"]), SplitSettings(), heard)
    assert "no validation row of sadness" in heard.lines[0]


def test_a_class_without_training_rows_is_refused():
    """No model learns a class from nothing."""
    with pytest.raises(DataError, match="no training row of wonder"):
        training_rows(dataset(ROWS).with_label_names(["joy", "sadness", "wonder"]), SplitSettings())


def test_no_train_split_is_refused():
    """What there is is named."""
    with pytest.raises(DataError, match="it has test"):
        training_rows(dataset(ROWS[-1:]), SplitSettings())
