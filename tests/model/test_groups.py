"""Groups: every text in one group, in order, without much padding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limbeck.model.groups import (
    MOST_GPU_WASTE,
    MOST_WASTE,
    SMALL_GPU_GROUP_TOKENS,
    SMALL_GROUP_TOKENS,
    group_texts,
)


@given(lengths=st.lists(st.integers(1, 300), max_size=40))
def test_groups_cover_the_batch_in_order(lengths: list[int]) -> None:
    """Slices follow each other without a gap, and the lengths are those of the batch."""
    groups = group_texts(np.array(lengths, dtype=np.int32))
    assert [length for group in groups for length in group.lengths.tolist()] == lengths
    ends = [0]
    for group in groups:
        assert group.tokens == slice(ends[-1], ends[-1] + int(group.lengths.sum()))
        ends.append(group.tokens.stop)
    assert ends[-1] == sum(lengths)


@given(lengths=st.lists(st.integers(1, 300), max_size=40))
def test_padding_stays_within_its_bound(lengths: list[int]) -> None:
    """A ragged group computes at most a quarter more than its real tokens."""
    for group in group_texts(np.array(lengths, dtype=np.int32)):
        assert group.size * group.longest <= MOST_WASTE * group.lengths.sum()


def test_large_runs_of_one_length_need_no_mask() -> None:
    """Sorted batches of long texts are split by length; short ones are joined and masked."""
    long = SMALL_GROUP_TOKENS
    groups = group_texts(np.array([8, 9, 10, long, long, long + 1]))
    assert [group.is_ragged for group in groups] == [True, False, False]
    assert groups[0].mask().sum(axis=1).tolist() == [8, 9, 10]


@given(lengths=st.lists(st.integers(1, 300), min_size=1, max_size=64))
def test_groups_for_a_gpu_keep_their_bound(lengths: list[int]) -> None:
    """Each computes at most twice its real tokens; all texts are there, in order."""
    sorted_B = np.array(sorted(lengths), dtype=np.int32)
    groups = group_texts(sorted_B, small_tokens=SMALL_GPU_GROUP_TOKENS, most_waste=MOST_GPU_WASTE)
    assert [length for group in groups for length in group.lengths.tolist()] == sorted_B.tolist()
    for group in groups:
        assert group.size * group.longest <= MOST_GPU_WASTE * group.lengths.sum()


def test_the_tweets_of_an_update_are_one_call_on_a_gpu() -> None:
    """64 texts of 8 to 24 tokens, say."""
    lengths_B = np.sort(np.random.default_rng(0).integers(8, 25, 64)).astype(np.int32)
    assert len(group_texts(lengths_B, small_tokens=SMALL_GPU_GROUP_TOKENS, most_waste=MOST_GPU_WASTE)) == 1
