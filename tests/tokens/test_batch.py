"""Packed batches: every token once, in order, within budget."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import SettingsError
from limbeck.tokens import Tokenized, batches


def tokenized_of(lengths: list[int]) -> Tokenized:
    """Every token is its own position, so that a lost or doubled one shows."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Tokenized(
        ids=np.arange(offsets[-1], dtype=np.int32),
        offsets=offsets,
        cut_tokens=np.zeros(len(lengths), dtype=np.int32),
    )


@given(lengths=st.lists(st.integers(1, 40), max_size=60), token_budget=st.integers(1, 100))
def test_every_token_is_batched_once_in_order_within_budget(lengths: list[int], token_budget: int) -> None:
    """No token is lost, doubled or moved; no batch is over budget unless one text alone is, or has room left."""
    tokenized = tokenized_of(lengths)
    found = list(batches(tokenized, token_budget))
    assert sorted(row for batch in found for row in batch.rows) == list(range(len(lengths)))
    for batch in found:
        assert len(batch.ids) <= token_budget or len(batch) == 1
        for place, row in enumerate(batch.rows):
            own = batch.ids[batch.offsets[place] : batch.offsets[place + 1]]
            assert np.array_equal(own, np.arange(tokenized.offsets[row], tokenized.offsets[row + 1]))
    order = [row for batch in found for row in batch.rows]
    assert order == sorted(range(len(lengths)), key=lambda row: lengths[row])
    for batch, following in pairwise(found):
        assert len(batch.ids) + following.lengths[0] > token_budget


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_the_padded_view_holds_each_real_token_once(lengths: list[int]) -> None:
    """Mask and ids of the padded view give the packed tokens back, and nothing else is unmasked."""
    batch = tokenized_of(lengths).take(range(len(lengths)))
    view = batch.padded(pad_id=9999)
    assert view.attention_mask.sum(axis=1).tolist() == lengths
    assert view.input_ids.shape == (len(lengths), max(lengths))
    assert np.array_equal(view.input_ids[view.attention_mask == 1], batch.ids)
    assert (view.input_ids[view.attention_mask == 0] == 9999).all()


def test_rows_are_taken_in_the_order_asked_for() -> None:
    """`take` packs any rows, also twice the same, and remembers where they stood."""
    batch = tokenized_of([2, 1, 3]).take([2, 0, 2])
    assert batch.ids.tolist() == [3, 4, 5, 0, 1, 3, 4, 5]
    assert batch.rows.tolist() == [2, 0, 2]
    assert batch.offsets.dtype == np.int32


def test_a_budget_below_one_is_refused_at_once() -> None:
    """The fault shows where the call is made, not where the first batch is drawn."""
    with pytest.raises(SettingsError, match="at least 1 token"):
        batches(tokenized_of([1]), 0)


def test_a_token_is_counted_text_by_text() -> None:
    """Also in texts that have none of it, and in a set of no texts."""
    tokenized = Tokenized(
        ids=np.array([2, 1, 3, 2, 3, 2, 1, 1, 3], np.int32),
        offsets=np.array([0, 3, 5, 9]),
        cut_tokens=np.zeros(3, np.int32),
    )
    assert tokenized.count(1).tolist() == [1, 0, 2]
    nothing = Tokenized(ids=np.zeros(0, np.int32), offsets=np.zeros(1, np.int64), cut_tokens=np.zeros(0, np.int32))
    assert nothing.count(1).tolist() == []


@given(lengths=st.lists(st.integers(1, 9), max_size=40), most_texts=st.integers(1, 7))
def test_no_batch_has_more_texts_than_it_may(lengths: list[int], most_texts: int) -> None:
    """Short texts leave room in the budget when their number is what bounds a batch; none is lost."""
    found = list(batches(tokenized_of(lengths), 30, most_texts=most_texts))
    assert sorted(row for batch in found for row in batch.rows) == list(range(len(lengths)))
    assert all(len(batch) <= most_texts for batch in found)


def test_positions_count_from_zero_in_each_text() -> None:
    """One per token, as 32 bit integers."""
    positions = tokenized_of([2, 1, 3]).take([2, 1, 0]).positions
    assert positions.tolist() == [0, 1, 2, 0, 0, 1]
    assert positions.dtype == np.int32
