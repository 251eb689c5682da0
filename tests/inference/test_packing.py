"""Chunks: every text once, full, the same each time."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.inference.packing import Chunks, each_once, even_chunks, fill_chunks
from limbeck.tokens import Tokenized


def chunks_of(lengths: np.ndarray, budget: int, workers: int) -> Chunks:
    """Chunks for so many workers, or whatever their number."""
    return even_chunks(lengths, budget, workers) if workers else fill_chunks(lengths, budget)


@given(st.lists(st.integers(2, 600), max_size=200), st.integers(1, 700), st.integers(0, 8))
def test_every_text_is_in_one_chunk_within_the_budget(lengths: list[int], budget: int, workers: int) -> None:
    """No text is lost or doubled, and only a text that is too long itself exceeds the budget; for all workers too."""
    chunks = chunks_of(np.array(lengths, dtype=np.int64), budget, workers)
    assert sorted(chunks.rows.tolist()) == list(range(len(lengths)))
    first = 0
    for stop in chunks.stops.tolist():
        taken = [lengths[row] for row in chunks.rows[first:stop]]
        assert taken
        assert sum(taken) <= budget or len(taken) == 1
        first = stop
    assert first == len(lengths)


def test_chunks_of_short_texts_are_nearly_full() -> None:
    """Short texts fill what long ones leave."""
    lengths = np.random.default_rng(0).integers(3, 60, 2000)
    chunks = fill_chunks(lengths, 512)
    assert lengths.sum() / (len(chunks) * 512) == pytest.approx(1, abs=0.02)


@given(st.lists(st.integers(3, 30), min_size=120, max_size=200), st.integers(2, 4))
def test_workers_of_few_chunks_end_together(lengths: list[int], workers: int) -> None:
    """Each worker that takes the next chunk when it is done has as many tokens as the others, but for one text's."""
    chunks = even_chunks(np.array(lengths, dtype=np.int64), 192, workers)
    loads = [sum(lengths[row] for row in chunks.rows[a:b]) for a, b in pairwise([0, *chunks.stops.tolist()])]
    done = [0] * workers
    for load in loads:
        done[done.index(min(done))] += load
    assert len(loads) % workers == 0
    assert max(done) - min(done) <= 30 * len(loads) / workers


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=12))
def test_each_text_is_computed_once(rows: list[list[int]]) -> None:
    """Different texts in the order in which they first come; every text is told where its own is."""
    tokenized = Tokenized(
        ids=np.array([token for row in rows for token in row], np.int32),
        offsets=np.cumsum([0, *map(len, rows)]).astype(np.int64),
        cut_tokens=np.arange(len(rows), dtype=np.int32),
    )
    once, places_N = each_once(tokenized)
    known = list(dict.fromkeys(map(tuple, rows)))
    found = [tuple(once.ids[a:b].tolist()) for a, b in pairwise(once.offsets)]
    assert found == known
    if places_N is None:
        assert len(known) == len(rows)
        assert once is tokenized
    else:
        assert [found[place] for place in places_N] == list(map(tuple, rows))
        assert once.cut_tokens.tolist() == [rows.index(list(one)) for one in known]
