"""Tag issues: planted mistakes are found, missing ones and superfluous ones apart, and rates are near the truth."""

import json

import numpy as np
import pyarrow as pa
import pytest

from limbeck.data.label_sets import sets_of_indicators
from limbeck.errors import DataError
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.review import tag_chances
from limbeck.review.tag_issues import find_tag_issues, review_tags


def planted(dropped, added, seed=0, rows=2000, classes=12):
    """True labels that texts tell well, of which some were dropped and others added; probabilities of a model."""
    generator = np.random.default_rng(seed)
    base = np.log(np.linspace(0.02, 0.3, classes) / (1 - np.linspace(0.02, 0.3, classes)))
    logits = base + 3.5 * generator.normal(size=(rows, classes))
    true = generator.random(logits.shape) < 1 / (1 + np.exp(-logits))
    given = np.where(true, generator.random(true.shape) >= dropped, generator.random(true.shape) < added)
    # What a model learns of the given labels, out of fold: rather too cautious, differently by label.
    said = 1 / (1 + np.exp(-(np.linspace(0.5, 0.9, classes) * logits + 0.3 * generator.normal(size=logits.shape))))
    return true, given, said


def found_of(pairs, wrong_NC, count):
    """The share of the mistakes that the first pairs hold."""
    rows, labels = pairs[:count].T
    return wrong_NC[rows, labels].sum() / wrong_NC.sum()


def test_planted_mistakes_are_found_each_in_its_own_list():
    """5 % of labels dropped, as many added: the first tenth of each list, by given labels, holds 60 % of them."""
    true, given, said = planted(0.05, 0.02)
    order = find_tag_issues(given, said)
    tenth = int(given.sum()) // 10
    missing, superfluous = order.pairs("missing"), order.pairs("superfluous")
    assert not given[missing[:, 0], missing[:, 1]].any()
    assert given[superfluous[:, 0], superfluous[:, 1]].all()
    assert len(missing) + len(superfluous) == given.size
    assert found_of(superfluous, given & ~true, tenth) > 0.6
    assert found_of(missing, true & ~given, tenth) > 0.6
    assert order.superfluous == pytest.approx(0.02, abs=0.03)


def test_incomplete_tags_are_ranked_as_missing_and_nothing_as_superfluous():
    """40 % of all labels were never given: a missing one is no "no", and few given ones are doubted."""
    true, given, said = planted(0.4, 0.0)
    order = find_tag_issues(given, said, incomplete=True)
    assert order.count("superfluous") <= 5
    worst = order.pairs("missing")[: int((true & ~given).sum()) // 4]
    assert true[worst[:, 0], worst[:, 1]].mean() > 0.8
    assert order.missing > 0.2


def one_of_each_kind(rows, seed=5):
    """Rows with exactly one of four labels and one of three others, of which texts tell little; 5 % were dropped."""
    generator = np.random.default_rng(seed)
    true = np.zeros((rows, 7), bool)
    true[np.arange(rows), generator.integers(0, 4, rows)] = True
    true[np.arange(rows), 4 + generator.integers(0, 3, rows)] = True
    given = true & (generator.random(true.shape) >= 0.05)
    said = 1 / (1 + np.exp(-(np.where(true, 0.7, -1.5) + 1.2 * generator.normal(size=true.shape))))
    return true, given, said


def test_a_row_that_lacks_what_all_others_have_is_found_by_its_other_labels():
    """Rows without any of four labels, one of which every row has, stand before texts that look like having two."""
    true, given, said = one_of_each_kind(2000)
    order = find_tag_issues(given, said)
    assert order.in_context
    wrong = true & ~given
    first = int(wrong.sum())
    by_text = np.argsort(-np.where(given, -1, said).ravel(), kind="stable")
    assert wrong.ravel()[by_text[:first]].sum() / first < 0.4
    assert found_of(order.pairs("missing"), wrong, first) > 0.6


def test_of_few_rows_the_text_alone_speaks():
    """Nobody can tell from 100 rows which of seven labels go together: the order within a label is the model's."""
    _, given, said = one_of_each_kind(100)
    order = find_tag_issues(given, said)
    assert not order.in_context
    for label in range(7):
        np.testing.assert_array_equal(np.argsort(order.given_NC[:, label]), np.argsort(said[:, label]))


def test_a_label_of_any_scale_competes():
    """A model whose logits of one label are halved and moved finds that label's mistakes all the same."""
    _, given, said = planted(0.05, 0.0)
    squeezed = said.copy()
    logits = np.log(said[:, 11] / (1 - said[:, 11]))
    squeezed[:, 11] = 1 / (1 + np.exp(2 - logits / 2))
    before, after = (find_tag_issues(given, shares).wrong_NC[:, 11] for shares in (said, squeezed))
    np.testing.assert_allclose(after, before, atol=0.15)


def test_blocks_change_nothing(monkeypatch):
    """Few rows or labels at a time give the same order."""
    _, given, said = planted(0.05, 0.01, rows=300)
    before = find_tag_issues(given, said).wrong_NC
    monkeypatch.setattr(tag_chances, "_BLOCK_CELLS", 1)
    np.testing.assert_allclose(find_tag_issues(given, said).wrong_NC, before, rtol=1e-6)


@pytest.mark.parametrize("column", [True, False])
def test_labels_that_every_row_or_no_row_has_are_no_trouble(column):
    """Every probability stays one."""
    _, given, said = planted(0.05, 0.01, rows=50)
    given[:, 0] = column
    order = find_tag_issues(given, said)
    assert np.isfinite(order.wrong_NC).all()
    assert ((order.wrong_NC >= 0) & (order.wrong_NC <= 1)).all()


def test_issues_have_names_texts_and_json():
    """The worst of each list by name; rows whose labels are not known are refused."""
    _, given, said = planted(0.05, 0.02, rows=200, classes=3)
    predictions = MultiPredictions(
        row_ids=tuple(map(str, range(200))),
        label_names=("a", "b", "c"),
        probabilities=said,
        true_labels=sets_of_indicators(given),
        tokens=np.full(200, 4),
        truncated=np.zeros(200, bool),
        texts=tuple(f"text {row}" for row in range(200)),
    )
    issues = review_tags(predictions)
    facts = json.loads(json.dumps(issues.to_dict(3), allow_nan=False))
    assert [one["mistake"] for one in facts["missing"]] == ["missing"] * 3
    first = facts["superfluous"][0]
    assert first["text"] == f"text {first['row_id']}"
    assert "Tag issues in 200 rows" in repr(issues)
    assert "Labels that are probably missing" in issues._repr_html_()
    object.__setattr__(predictions, "true_labels", pa.nulls(200, pa.large_list(pa.int32())))
    with pytest.raises(DataError, match="labels of 200 of 200 rows are not known"):
        review_tags(predictions)
