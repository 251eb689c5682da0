"""Texts that say the same are held out together, and random labels on doubled rows give chance."""

import random

import numpy as np
import pandas as pd
import pytest

from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.reading.in_memory import from_pandas
from limbeck.runs import training_rows as alike
from limbeck.runs.training_rows import alike_texts, nearly_alike, training_rows
from limbeck.settings import ProbeSettings, SplitSettings


def sentences(count, seed=0):
    """Return sentences of words that no other one shares."""
    drawing = random.Random(seed)  # noqa: S311  # texts, no secrets
    return [" ".join("".join(drawing.choices("abcdefghijklmnop", k=7)) for _ in range(9)) for _ in range(count)]


def retold(text, times):
    """Return a text with another ending each time, as retweets have them."""
    return [f"{text} {'ab'[n % 2]}{n}" for n in range(times)]


def test_equal_and_nearly_equal_texts_share_a_group():
    """Case, spaces and a few characters make no difference; other texts stand alone."""
    one, two, three = sentences(3)
    group_N = alike_texts([one, two, one.upper() + " ", f"RT {one}", three])
    assert group_N[0] == group_N[2] == group_N[3]
    assert len(set(group_N.tolist())) == 3


def test_a_template_is_no_text(monkeypatch):
    """Folds keep equal texts alone together where nearly equal ones are too many, by share or by number."""
    texts = [*retold(sentences(1)[0], 50), *sentences(20, seed=1), "same", "Same"]
    assert len(set(alike_texts(texts).tolist())) == 71
    assert len(set(nearly_alike(texts).tolist())) < 30
    monkeypatch.setattr(alike, "MOST_TEXTS", 10)
    assert nearly_alike(texts) is None
    assert len(set(alike_texts(texts).tolist())) == 71


@pytest.mark.parametrize(
    "again", ["RT {}".format, *(pytest.param(one, marks=pytest.mark.slow) for one in (str, str.upper))]
)
def test_random_labels_on_doubled_rows_give_chance(again):
    """Every row twice and labels that mean nothing: nobody is right out of fold more often than by chance."""
    rng = np.random.default_rng(3)
    texts = [form for text in sentences(60) for form in (text, again(text))]
    labels_N = np.repeat(rng.integers(0, 2, 60), 2)
    features_NF = np.repeat(rng.normal(size=(60, 200)), 2, axis=0).astype(np.float32)

    def accuracy(group_N):
        rows = ProbeRows(labels_N=labels_N, label_names=("no", "yes"), group_N=group_N)
        fitted = fit_probe(features_NF, rows, settings=ProbeSettings(penalties=(1.0,)))
        return (fitted.out_of_fold_NC.argmax(1) == labels_N).mean()

    assert 0.3 < accuracy(alike_texts(texts)) < 0.7
    assert accuracy(None) > 0.8


def rows_of(texts, labels):
    return from_pandas(pd.DataFrame({"text": texts, "label": labels}))


def test_validation_holds_no_near_duplicate_of_a_training_row():
    """Rows held out of train leave none of their retellings there; the note says what was kept together."""
    texts = [form for text in sentences(40) for form in retold(text, 3)]
    rows = training_rows(rows_of(texts, ["x", "y"] * 60), SplitSettings())
    train, validation = ({text.rsplit(" ", 1)[0] for text in part.texts} for part in (rows.train, rows.validation))
    assert not train & validation
    assert len(rows.validation) == pytest.approx(12, abs=3)
    assert "equal and nearly equal texts kept together" in rows.dataset.notes[-1].example


@pytest.mark.parametrize("times", [100, 200])
def test_texts_of_one_template_are_held_out_all_the_same(times):
    """Where nearly all rows are nearly equal, only equal ones stay together, and the note says that it flatters."""
    texts = [*retold(sentences(1)[0], times), *sentences(4, seed=1)]
    rows = training_rows(rows_of(texts, ["x", "y"] * ((times + 4) // 2)), SplitSettings())
    assert len(rows.validation) == pytest.approx(len(texts) / 10, abs=2)
    assert "flatters the figures" in rows.dataset.notes[-1].example
