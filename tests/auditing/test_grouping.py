"""Duplicates, conflicts and leaks."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.auditing.audit import audit
from limbeck.auditing.grouping import distinct_within, group_equal, members, repeated, shared_by_pair

LONG = "a rather long review about a film that nobody has ever seen in any cinema of this town"


def test_exact_means_character_for_character(make_dataset) -> None:
    """Case, white space and Unicode form make different texts, each reported apart, and all together."""
    texts = ["Good film", "Good film", "good film", "Good  film", "caf\u00e9", "cafe\u0301", "other"]
    found = audit(make_dataset(texts)).duplicates
    assert (found.exact.texts, found.exact.rows, found.exact.surplus) == (1, 2, 1)
    assert (found.case.groups, found.case.texts, found.case.rows) == (1, 2, 3)
    assert (found.white_space.groups, found.white_space.texts, found.white_space.rows) == (1, 2, 3)
    assert (found.unicode.groups, found.unicode.texts, found.unicode.rows) == (1, 2, 2)
    assert (found.folded.groups, found.folded.texts, found.folded.rows) == (2, 5, 6)


def test_texts_counts_distinct_texts(make_dataset) -> None:
    """A text in five rows is one text."""
    found = audit(make_dataset(["x y"] * 5 + ["z"])).duplicates.exact
    assert (found.texts, found.rows, found.surplus) == (1, 5, 4)
    assert found.by_split["train"].texts == 1
    assert found.examples[0].size == 5


def test_conflicts_need_two_labels_and_ignore_unlabelled_rows(make_dataset) -> None:
    """An unlabelled copy contradicts nothing."""
    texts = ["t1", "t1", "t2", "t2", "t3", "t3"]
    labels = ["joy", "love", "joy", None, "fear", "fear"]
    found = audit(make_dataset(texts, labels)).conflicts.exact
    assert (found.texts, found.rows, found.label_pairs) == (1, 2, {"joy/love": 1})
    assert [row.label for row in found.examples[0].rows] == ["joy", "love"]


def test_near_conflicts_and_leaks(make_dataset) -> None:
    """Nearly equal texts count apart from equal ones."""
    dataset = make_dataset([LONG, LONG + " indeed", "other"], ["pos", "neg", "pos"], ["train", "test", "train"])
    found = audit(dataset)
    assert (found.conflicts.exact.texts, found.conflicts.near.groups) == (0, 1)
    assert (found.leaks.exact.texts, found.leaks.near.groups) == (0, 1)
    assert found.leaks.near.pairs == {"train/test": 1}
    assert not found.has_leaks_or_conflicts


def test_leaks_by_pair_and_the_free_score(make_dataset) -> None:
    """Worked by hand: of four test rows two were seen, one of them with the same label."""
    texts = ["seen right", "seen wrong", "only here", "seen right", "seen wrong", "new one", "new two", "seen right"]
    labels = ["a", "a", "b", "a", "b", "a", "b", "a"]
    splits = ["train", "train", "train", "test", "test", "test", "test", "validation"]
    found = audit(make_dataset(texts, labels, splits)).leaks
    assert found.exact.texts == 2
    assert found.exact.pairs == {"train/validation": 1, "train/test": 2, "validation/test": 1}
    score = found.free_exact["test"]
    assert (score.rows, score.seen, score.right, score.accuracy) == (4, 2, 1, 0.25)
    assert found.training_split == "train"


def test_free_score_takes_the_most_frequent_label(make_dataset) -> None:
    """A memory that saw a text twice as joy and once as love says joy."""
    dataset = make_dataset(["t"] * 5, ["joy", "joy", "love", "joy", "love"], ["train"] * 3 + ["test"] * 2)
    score = audit(dataset).leaks.free_exact["test"]
    assert (score.seen, score.right) == (2, 1)


def test_one_split_cannot_leak(make_dataset) -> None:
    """With one split there are no pairs and no score."""
    found = audit(make_dataset(["a", "a"])).leaks
    assert (found.exact.texts, found.exact.pairs, found.free_exact, found.training_split) == (0, {}, {}, None)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_grouping_agrees_with_counting_by_hand(rows: list[tuple[int, int, int]]) -> None:
    """The array functions give what loops over a dictionary give."""
    texts = pa.array([str(text) for text, _, _ in rows])
    label = np.array([label for _, label, _ in rows])
    split = np.array([split for _, _, split in rows])
    group = group_equal(texts)
    by_text: dict[int, list[int]] = {}
    for place, (text, _, _) in enumerate(rows):
        by_text.setdefault(text, []).append(place)
    assert group.tolist() == [by_text[text][0] for text, _, _ in rows]
    kinds = distinct_within(group, label)
    assert kinds.tolist() == [len({rows[other][1] for other in by_text[text]} - {-1}) for text, _, _ in rows]
    assert repeated(group).groups == sum(len(places) > 1 for places in by_text.values())
    pairs = shared_by_pair(group, split, ("p", "q", "r"))
    in_split = [{text for text, _, where in rows if where == place} for place in range(3)]
    assert pairs == {
        "p/q": len(in_split[0] & in_split[1]),
        "p/r": len(in_split[0] & in_split[2]),
        "q/r": len(in_split[1] & in_split[2]),
    }
    leaders = np.unique(group)
    assert [found.tolist() for found in members(group, leaders)] == [by_text[rows[leader][0]] for leader in leaders]


@pytest.mark.slow
@pytest.mark.shared
def test_emotion_counts(emotion) -> None:
    """The published facts of the emotion tweets: 52 repeated texts, 51 with two labels, 19 across splits."""
    found = audit(emotion).to_json()
    assert found["duplicates"]["exact"]["texts"] == 52
    assert found["conflicts"]["exact"]["texts"] == 51
    assert found["leaks"]["exact"]["texts"] == 19
    train = {name: count["by_split"]["train"] for name, count in found["shape"]["classes"].items()}
    assert train == {"joy": 5362, "sadness": 4666, "anger": 2159, "fear": 1937, "love": 1304, "surprise": 572}


@pytest.mark.slow
@pytest.mark.shared
def test_imdb_counts(imdb) -> None:
    """The published facts of the film reviews, by split and by pair of splits."""
    exact = group_equal(imdb.table["text"].combine_chunks())
    from limbeck.auditing.rows import row_columns_of

    columns = row_columns_of(imdb)
    inside = {name: repeated(exact, columns.split == place).groups for place, name in enumerate(columns.split_names)}
    assert inside == {"train": 92, "test": 191, "unsupervised": 482}
    assert shared_by_pair(exact, columns.split, columns.split_names) == {
        "train/test": 123,
        "train/unsupervised": 354,
        "test/unsupervised": 266,
    }
    assert not (distinct_within(exact, columns.label) > 1).any()
