"""Slices: figures by hand, what is left out is counted, and chance is not called a difference."""

import json

import numpy as np
import pytest
from scipy.stats import fisher_exact

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.slices import MOST_SLICES, Term, quarters, slice_rows


def named(groupings):
    """Make groupings of data: names and values that limbeck has no word for."""
    return {Term(name): [Term(str(value)) for value in values] for name, values in groupings.items()}


def sliced(right, losses=None, **groupings):
    right = np.asarray(right, dtype=bool)
    return slice_rows(right, np.ones(len(right)) if losses is None else np.asarray(losses), named(groupings))


def test_a_slice_by_hand():
    """30 of 40 right inside, 54 of 60 outside: accuracy 0.75, difference -0.15, Fisher's p; one test for two halves."""
    right = np.r_[np.arange(40) < 30, np.arange(60) < 54]
    found = sliced(right, side=["in"] * 40 + ["out"] * 60)
    outside, inside = found.groupings[0].slices
    assert (inside.name, inside.accuracy.count, inside.accuracy.rows) == ("in", 30, 40)
    assert inside.difference == pytest.approx(0.75 - 0.9)
    assert inside.p_value == pytest.approx(fisher_exact([[30, 10], [54, 6]]).pvalue)
    assert outside.p_value == pytest.approx(inside.p_value)
    assert found.tests == 1


def test_mean_loss_has_students_interval():
    """Of losses 0 and 2 in turn: mean 1, deviation √(40/39), times t(39) = 2.0227 / √40."""
    found = sliced(np.ones(80), np.r_[np.tile([0.0, 2.0], 20), np.zeros(40)], side=["in"] * 40 + ["out"] * 40)
    inside = found.groupings[0].slices[0]
    assert inside.loss.value == 1
    assert inside.loss.high - 1 == pytest.approx(2.0227 * np.sqrt(40 / 39) / np.sqrt(40), abs=1e-4)


def test_small_slices_are_counted_not_shown():
    """29 rows are too few; how many slices and rows were left out is said."""
    found = sliced(np.ones(59), side=["a"] * 30 + ["b"] * 29).groupings[0]
    assert [one.name for one in found.slices] == ["a"]
    assert (found.left_out, found.left_out_rows) == (1, 29)


def test_only_the_largest_of_many_slices_are_shown():
    """Of thirty slices the twenty largest are shown, the rest is counted."""
    names = [f"s{number}" for number in range(30) for _ in range(30 + number)]
    found = sliced(np.ones(len(names)), side=names).groupings[0]
    assert len(found.slices) == MOST_SLICES
    assert found.left_out == 10
    assert found.slices[0].name == "s29"


@pytest.mark.slow
def test_chance_is_not_called_a_difference():
    """Five hundred groupings by pure chance: of their hundred families at most one in twenty has any slice marked."""
    generator = np.random.default_rng(0)
    marked = 0
    for _ in range(100):
        right = generator.random(300) < 0.8
        groupings = {f"g{number}": generator.choice(["a", "b", "c"], 300).tolist() for number in range(5)}
        marked += bool(slice_rows(right, np.ones(300), named(groupings)).different)
    assert marked <= 100 / 20


def test_a_planted_weakness_is_marked_among_many():
    """A slice with half the accuracy is found, alone, worst first."""
    generator = np.random.default_rng(1)
    weak = np.arange(1000) < 100
    right = generator.random(1000) < np.where(weak, 0.4, 0.85)
    groupings = {f"g{number}": generator.choice(["a", "b", "c"], 1000).tolist() for number in range(5)}
    found = slice_rows(right, np.ones(1000), named({**groupings, "planted": np.where(weak, "weak", "fine")}))
    assert [one.name for _, one in found.different] == ["weak", "fine"]


def test_a_grouping_in_one_slice_is_said_apart():
    """What is the same for every row is named, not shown as a slice nor tested."""
    found = sliced(np.ones(40), script=["Hangul"] * 40)
    assert found.groupings == ()
    assert found.uniform == ((Term("script"), Term("Hangul")),)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["uniform"] == {"script": "Hangul"}


def test_quarters_keep_their_order_and_their_ties():
    """Quarters are named with their ends, shown from the lowest, and equal numbers are never torn apart."""
    values = np.repeat([3, 5, 8, 13], 40)
    terms = quarters(values)
    names = sorted({str(term) for term in terms})
    assert names == ["1st quarter (3–3)", "2nd quarter (5–5)", "3rd quarter (8–8)", "4th quarter (13–13)"]
    found = slice_rows(np.ones(160, bool), np.ones(160), {Term("tokens"): terms}).groupings[0]
    assert [one.name for one in found.slices] == names
    assert len(set(quarters(np.ones(10)))) == 1


def test_values_that_do_not_fit_are_refused():
    """No rows, one value too few, and slices of one row are errors."""
    with pytest.raises(DataError, match="has 1 values for 2 rows"):
        sliced([1, 1], side=["a"])
    with pytest.raises(DataError, match="give one of each a row"):
        sliced([])
    with pytest.raises(SettingsError, match="at least 2"):
        slice_rows(np.ones(2, bool), np.ones(2), {}, fewest_rows=1)
