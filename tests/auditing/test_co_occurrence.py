"""Which labels stand together, and what else an audit says of rows with several."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.auditing.audit import audit
from limbeck.auditing.clean import clean
from limbeck.auditing.co_occurrence import labels_per_row, labels_together
from limbeck.auditing.resplit import resplit
from limbeck.auditing.rows import row_columns_of
from limbeck.data.dataset import Dataset
from limbeck.reading.in_memory import from_arrow
from limbeck.settings import CleanSettings, SplitSettings
from limbeck.task import MULTI


def several(labels: list[list[str] | None], texts: list[str] | None = None) -> Dataset:
    texts = texts or [f"text {number}" for number in range(len(labels))]
    column = pa.array(labels, pa.list_(pa.string()))
    return from_arrow(pa.table({"text": texts, "label": column}), task="multi", labels="optional")


def test_a_pair_by_hand() -> None:
    """Of 10 labelled rows 4 have a, 5 have b, 3 both: 2 by chance, 3/4 of a's rows, phi = (30 - 20)/√(24·25)."""
    rows = several([["a", "b"]] * 3 + [["a"]] + [["b"]] * 2 + [[]] * 4 + [None])
    (pair,) = labels_together(row_columns_of(several_times(rows, 10)))
    assert (pair.one, pair.other) == ("a", "b")
    assert (pair.rows, pair.expected, pair.share_of_one) == (30, pytest.approx(20), pytest.approx(0.75))
    assert pair.phi == pytest.approx((3 * 10 - 4 * 5) / np.sqrt(4 * 6 * 5 * 5))
    assert labels_per_row(row_columns_of(rows)) == {0: 4, 1: 3, 2: 3}


def several_times(dataset: Dataset, times: int) -> Dataset:
    """Return the rows several times over: what chance does not explain in a few rows it does not in many either."""
    return dataset.select(np.tile(np.arange(len(dataset)), times))


def test_phi_is_the_correlation_of_the_columns() -> None:
    """Against numpy's own correlation of columns of 0 and 1, for random labels."""
    given = np.random.default_rng(0).random((300, 5)) < np.array([0.5, 0.3, 0.3, 0.1, 0.05])
    given[:, 2] |= given[:, 1]
    names = np.array(list("abcde"))
    found = labels_together(row_columns_of(several([names[row].tolist() for row in given])))
    expected = np.corrcoef(given.T)
    assert found[0].share_of_one == 1
    assert {found[0].one, found[0].other} == {"b", "c"}
    for pair in found:
        assert pair.phi == pytest.approx(expected[names.tolist().index(pair.one), names.tolist().index(pair.other)])


def test_an_audit_counts_each_label_of_a_row() -> None:
    """Rows per label, not per set; rows with none are labelled; labels that never part are a finding."""
    found = audit(several([["a", "b"]] * 30 + [["a", "b", "c"]] * 10 + [["c"]] * 20 + [[]] * 10 + [None] * 2))
    assert {name: one.rows for name, one in found.shape.classes.items()} == {"a": 40, "b": 40, "c": 30}
    assert found.shape.classes["a"].share == pytest.approx(40 / 70)
    assert (found.shape.unlabelled_rows, found.shape.splits["train"].labelled) == (2, 70)
    assert found.words.by_class["c"].rows == 30
    assert "labels.together" in [finding.kind for finding in found.findings]
    assert "3 labels (any number per row)" in repr(found)
    assert found.to_json()["shape"]["together"][0]["one"] == "a"


def test_equal_texts_with_different_sets_are_conflicts() -> None:
    """A conflict is a text whose rows differ in a label, and it is told which; equal sets are duplicates."""
    texts = ["same", "same", "other", "other", "third", "third", "bare", "bare"]
    labels = [["a", "b"], ["a"], ["a"], ["a"], ["b"], ["c"], [], ["a"]]
    dataset = several(labels, texts)
    found = audit(dataset)
    assert found.conflicts.exact.texts == 3
    assert found.conflicts.exact.label_pairs == {"b": 2, "a": 1, "c": 1}
    shown = [group.labels for group in found.conflicts.exact.examples]
    assert {"a, b": 1, "a": 1} in shown
    assert {"(none of them)": 1, "a": 1} in shown
    kept = clean(dataset, CleanSettings(drop=("conflicts",)))
    assert kept.dataset.texts == ["other", "other"]
    assert kept.dataset.task == MULTI
    assert kept.removed["label"].to_pylist() == ["a, b", "a", "b", "c", "(none of them)", "a"]


def test_numbers_are_audited_without_classes() -> None:
    """Duplicates, leaks and conflicts are found among numbers; nothing is said of classes, which there are none of."""
    table = pa.table({"text": ["same", "same", *map(str, range(30))], "label": [0.5, 1.5, *np.linspace(0, 1, 30)]})
    dataset = from_arrow(table, task="regression")
    found = audit(dataset)
    assert found.shape.classes == {}
    assert "labels are numbers" in repr(found)
    assert found.conflicts.exact.texts == 1
    assert not [finding for finding in found.findings if finding.kind.startswith("labels.")]
    assert [one.severity for one in found.findings if one.kind == "conflicts.exact"] == ["low"]
    assert not found.has_leaks_or_conflicts
    assert resplit(dataset, SplitSettings()).counts["train"] == {"rows": 26}


def test_new_splits_count_every_label_of_a_row() -> None:
    """`limbeck split` says how many rows of each label, and of none, each split has."""
    made = resplit(several([["a", "b"], ["b"], []] * 40 + [None]), SplitSettings())
    assert {name: counts["b"] for name, counts in made.counts.items() if "b" in counts} == {
        "train": 64,
        "validation": 8,
        "test": 8,
    }
    assert made.counts["unsupervised"] == {"(no label)": 1}
