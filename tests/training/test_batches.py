"""Updates of an epoch: every row once, alike in length, within the budget, the same for the same seed and epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import SettingsError
from limbeck.training.batches import plan_epoch, updates_per_epoch


def rows_of(updates):
    return [update.rows.tolist() for update in updates]


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=300),
    st.integers(1, 40),
    st.integers(1, 200),
    st.integers(0, 2**32 - 1),
    st.integers(0, 9),
)
def test_every_row_is_in_one_update_within_the_budget(tokens, batch_rows, budget, seed, epoch):
    """No row twice, none left out; the number of updates depends on the number of rows alone."""
    tokens_N = np.array(tokens)
    updates = plan_epoch(tokens_N, batch_rows=batch_rows, token_budget=budget, seed=seed, epoch=epoch)
    assert sorted(row for rows in rows_of(updates) for row in rows) == list(range(len(tokens)))
    assert len(updates) == updates_per_epoch(len(tokens), batch_rows)
    assert all(len(update.rows) <= batch_rows for update in updates)
    for update in updates:
        for part in update.parts:
            assert len(part) == 1 or tokens_N[part].sum() <= budget


def test_the_plan_is_a_function_of_seed_and_epoch():
    """The same again; another with another seed or epoch."""
    tokens_N = np.random.default_rng(0).integers(3, 60, 1000)

    def plan(seed, epoch):
        return rows_of(plan_epoch(tokens_N, batch_rows=16, token_budget=400, seed=seed, epoch=epoch))

    assert plan(1, 2) == plan(1, 2)
    assert plan(1, 2) != plan(1, 3)
    assert plan(1, 2) != plan(2, 2)


def test_rows_of_an_update_are_of_like_length():
    """So that attention has little to pad: the spread within an update is a fraction of that of all rows."""
    tokens_N = np.random.default_rng(0).integers(3, 500, 6400)
    updates = plan_epoch(tokens_N, batch_rows=64, token_budget=10**6, seed=0, epoch=0)
    spread = np.mean([np.ptp(tokens_N[update.rows]) for update in updates])
    assert spread < 0.05 * np.ptp(tokens_N)


def test_lengths_come_in_random_order():
    """Short texts are not all trained on first."""
    tokens_N = np.arange(6400) + 1
    means = [
        tokens_N[update.rows].mean()
        for update in plan_epoch(tokens_N, batch_rows=64, token_budget=10**9, seed=0, epoch=0)
    ]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


@pytest.mark.parametrize(("batch_rows", "budget", "named"), [(0, 10, "batch_rows"), (4, 0, "token_budget")])
def test_impossible_sizes_are_refused(batch_rows, budget, named):
    """Below 1 there is nothing to do."""
    with pytest.raises(SettingsError, match=named):
        plan_epoch(np.array([3]), batch_rows=batch_rows, token_budget=budget, seed=0, epoch=0)
