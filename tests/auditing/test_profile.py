from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.auditing.audit import audit
from limbeck.auditing.lookalikes import MOST_LOOKALIKES, Lookalike, lookalikes
from limbeck.auditing.profile import is_sorted


@pytest.mark.parametrize(
    ("one", "other"),
    [("Joy", "joy "), ("not-ok", "not ok"), ("complaint", "complaints"), ("class", "classes"), ("postive", "positive"),
     ("recieved", "received"), ("중립", "중립 "), ("joy", "ｊｏｙ"), ("café", "cafe\u0301"), ("jоy", "joy"),
     ("중립", "중립"), ("joy", "joy\u200b"), ("joy", "j\u2060oy"), ("x", "х"), ("TRUE", "true"),
     ("Νο", "No"), ("joy\u00a0", "joy"), ("\ufeffjoy", "joy")],
)  # fmt: skip
def test_names_meant_as_one_are_found(one: str, other: str) -> None:
    """Case, white space, punctuation, plural, one letter: in either order."""
    assert len(lookalikes((one, other))) == len(lookalikes((other, one))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("pos", "neg"), ("level 1", "level 2"), ("typical", "atypical"), ("happy", "unhappy"), ("+", "-"),
     ("긍정", "부정"),
     ("1.0", "10"), ("-1", "1"), ("A+", "A-"), ("C", "C#"), ("good 👍", "good 👎"), ("किताब", "कताब"), ("сон", "тон"),
     ("possible", "impossible"), ("a", "b"), ("responsible", "irresponsible"), ("cat", "car")],
)  # fmt: skip
def test_names_meant_apart_are_left_alone(one: str, other: str) -> None:
    """Opposites, numbers, short names."""
    assert lookalikes((one, other)) == ()


def test_every_pair_is_listed_and_shown_apart(make_dataset) -> None:
    """Six spellings of one name are 15 pairs; a share is a share of rows; what differs is shown by number."""
    names = ["joy", "joy ", "joy\u200b", "ｊｏｙ", "jоy", "JOY"]
    found = audit(make_dataset([f"text number {place}" for place in range(6)], names))
    assert len(found.shape.lookalike_labels) == 15
    finding = next(finding for finding in found.findings if finding.kind == "labels.lookalike")
    assert (finding.severity, finding.count, finding.share) == ("high", 15, 1.0)
    assert "'joy\\u200b'" in finding.example
    told = next(one for one in map(_told, found.shape.lookalike_labels) if "\\u043e" in one)
    assert "scripts" in told


def _told(pair: Lookalike) -> str:
    return f"{pair.one!a} {pair.other!a} {pair.why}"


def test_a_slip_of_one_letter_is_not_sure() -> None:
    """Two names that may be meant as they stand weigh less than one name written twice."""
    assert [pair.is_sure for pair in lookalikes(("positive", "postive", "Positive"))] == [True, False, False]


@settings(deadline=None)
@given(st.lists(st.text("abcdef 12-é", min_size=1, max_size=9), unique=True, max_size=12))
def test_keys_find_what_comparing_all_pairs_finds(names: list[str]) -> None:
    """No pair is lost by looking keys up, whatever stands beside it."""
    together = {frozenset((pair.one, pair.other)) for pair in lookalikes(tuple(names))}
    alone = {frozenset(pair) for pair in combinations(names, 2) if lookalikes(pair)}
    assert together == alone


@pytest.mark.slow
def test_thousands_of_names_are_looked_through() -> None:
    """A typo among 20,000 names is found without comparing 200 million pairs, and names all alike end at a bound."""
    numbered = tuple(f"part {place:05d} of the catalogue" for place in range(20_000))
    assert len(lookalikes((*numbered, "catalogue", "catalouge"))) == 1
    assert len(lookalikes(tuple("joy" + " " * spaces for spaces in range(200)))) == MOST_LOOKALIKES


@pytest.mark.parametrize(
    "name", ["nan", "NaN", "None", "NA", "N/A", "null", "\\N", " ", "-", "\u3164", "<NA>", "NULL "]
)
def test_a_class_that_looks_like_no_label_is_told(make_dataset, name: str) -> None:
    """Whatever wrote it: pandas, a database, a spreadsheet, a person."""
    found = audit(make_dataset([f"text number {place}" for place in range(4)], ["joy", name, "sad", name]))
    finding = next(finding for finding in found.findings if finding.kind == "labels.like_missing")
    assert (finding.count, finding.share, found.shape.like_missing) == (1, 0.5, (name,))


@pytest.mark.parametrize("names", [("+", "-"), ("none of these", "nanny"), ("no", "yes"), ("n", "a")])
def test_a_class_with_a_meaning_is_not_called_missing(make_dataset, names: tuple[str, ...]) -> None:
    """A minus beside a plus, and words that only begin so."""
    assert audit(make_dataset(["a b", "c d"], list(names))).shape.like_missing == ()


def test_labels_that_are_ids_are_told(make_dataset) -> None:
    """Nearly as many classes as rows: the wrong column was named. Many classes with rows enough are none."""
    texts = [f"text number {place} about things" for place in range(60)]
    ids = audit(make_dataset(texts, [f"user {place}" for place in range(60)]))
    assert next(one for one in ids.findings if one.kind == "labels.like_ids").count == 60
    classes = audit(make_dataset(texts, [f"class {place % 20}" for place in range(60)]))
    assert not classes.shape.like_ids


def test_rows_without_a_label_and_classes_without_a_row_are_told(make_dataset) -> None:
    """Each with its count; a class without rows is not "rare", and a split without any label is meant so."""
    texts = [f"text number {place}" for place in range(6)]
    splits = ["train"] * 4 + ["unsupervised"] * 2
    labels = ["a", "a", None, "b", None, None]
    found = audit(make_dataset(texts, labels, splits, label_names=("a", "b", "gone")))
    findings = {finding.kind: finding for finding in found.findings}
    assert findings["labels.unlabelled"].counted == "1 row"
    assert (findings["labels.unused"].counted, found.shape.unused) == ("1 class", ("gone",))
    assert "gone" not in found.shape.too_rare_to_split
    alone = audit(make_dataset(texts, ["a"] * 4 + [None] * 2, splits))
    assert "labels.unlabelled" not in {finding.kind for finding in alone.findings}


@settings(deadline=None)
@given(st.permutations([0, 1] * 60))
def test_shuffled_rows_are_not_sorted(labels: list[int]) -> None:
    """Only a run of one label after the other is sorted."""
    assert not is_sorted(np.array(labels)) or sum(a != b for a, b in pairwise(labels)) < 10


def test_sorted_rows() -> None:
    """Sorted counts; a few rows or one class do not."""
    assert is_sorted(np.repeat([0, 1, 2], 50))
    assert not is_sorted(np.tile([0, 1, 2], 50))
    assert not is_sorted(np.repeat([0, 1], 5))
    assert not is_sorted(np.zeros(100, dtype=int))
    assert not is_sorted(np.zeros(0, dtype=int))


def test_shape_by_hand(make_dataset) -> None:
    """Counts, shares, ratio, rare and missing classes."""
    labels = ["big"] * 12 + ["small"] * 4 + ["late", None]
    splits = ["train"] * 16 + ["test", "test"]
    shape = audit(make_dataset([f"text {n}" for n in range(18)], labels, splits)).shape
    assert shape.classes["big"].rows == 12
    assert shape.classes["big"].share == pytest.approx(12 / 17)
    assert shape.classes["late"].by_split == {"train": 0, "test": 1}
    assert (shape.unlabelled_rows, shape.imbalance_ratio) == (1, 12.0)
    assert shape.splits["test"].rows == 2
    assert shape.splits["test"].labelled == 1
    assert shape.too_rare_to_split == ("late",)
    assert shape.too_rare_to_learn == ("small",)
    assert shape.missing_in_training == ("late",)
