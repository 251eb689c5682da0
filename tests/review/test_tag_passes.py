"""Missing and superfluous labels found in passes over batches: those of all rows at once."""

import numpy as np
import pytest

from limbeck.review import tag_chances
from limbeck.review.tag_issues import find_tag_issues
from limbeck.review.tag_passes import in_blocks, pass_over_tags


def drawn(rows, classes, steps):
    """Return probabilities, many of them equal where there are few steps, and labels of which some are wrong."""
    generator = np.random.default_rng(rows)
    shares_NC = np.round(generator.beta(0.5, 1.5, size=(rows, classes)) * steps) / steps
    targets_NC = generator.random((rows, classes)) < shares_NC
    targets_NC ^= generator.random((rows, classes)) < 0.05
    targets_NC[:, -1] = False  # a label that no row has
    return shares_NC.astype(np.float32), targets_NC


@pytest.mark.parametrize("incomplete", [False, True])
@pytest.mark.parametrize(
    ("rows", "classes", "steps", "batch", "block_cells"),
    [(1, 2, 3, 1, 100), (37, 3, 4, 5, 30), (600, 5, 6, 128, 700), (600, 4, 100_000, 1_000, 1 << 20)],
)
def test_batches_find_what_all_rows_at_once_do(monkeypatch, rows, classes, steps, batch, block_cells, incomplete):
    """The same pairs in the same order, the same counts and rates to the last bit, however rows come; ties included.

    Blocks end within batches, batches within blocks, and rows are dealt to parts some times.
    """
    monkeypatch.setattr(tag_chances, "_BLOCK_CELLS", block_cells)
    monkeypatch.setattr(tag_chances, "_DEALT_ROWS", 100)
    shares_NC, targets_NC = drawn(rows, classes, steps)
    whole = find_tag_issues(targets_NC, shares_NC, incomplete=incomplete)
    assert whole.in_context == (rows >= 100)

    def batches():
        for start in range(0, rows, batch):
            yield shares_NC[start : start + batch], targets_NC[start : start + batch]

    most = 50
    found = pass_over_tags(batches, classes, most=most, incomplete=incomplete)
    assert (found.rows, found.given, found.in_context) == (rows, targets_NC.sum(), whole.in_context)
    assert found.rates == {"missing": whole.missing, "superfluous": whole.superfluous}
    assert found.missing_C.tolist() == np.count_nonzero(~targets_NC & (whole.wrong_NC > 0.5), axis=0).tolist()
    assert (found.missing_C.sum(), found.superfluous) == (whole.count("missing"), whole.count("superfluous"))
    for mistake, worst in found.worst.items():
        pairs = whole.pairs(mistake)[:most]
        assert [(one.place, one.label) for one in worst] == [tuple(pair) for pair in pairs.tolist()]
        for name, values_NC in (("wrong", whole.wrong_NC), ("given", whole.given_NC), ("share", shares_NC)):
            assert [getattr(one, name) for one in worst] == values_NC[pairs[:, 0], pairs[:, 1]].tolist()


@pytest.mark.parametrize("sizes", [[], [3], [1, 1, 1, 5], [10, 0, 2], [4, 4]])
def test_rows_come_in_blocks_of_one_size(sizes):
    """Every row once, in order; the last block may be shorter."""
    rows = np.arange(sum(sizes))
    pieces = np.split(rows, np.cumsum(sizes)[:-1]) if sizes else []
    found = list(in_blocks(((piece, -piece) for piece in pieces), 4))
    assert [len(one) for one, _ in found] == [4] * (len(rows) // 4) + [len(rows) % 4] * bool(len(rows) % 4)
    assert [number for one, _ in found for number in one] == rows.tolist()
    assert all((one == -other).all() for one, other in found)
