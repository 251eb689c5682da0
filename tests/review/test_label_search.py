"""Search: how many rows a sheet holds."""

import numpy as np
import pytest
from tests.review.test_issues import made

from limbeck.review.issues import find_label_issues
from limbeck.review.label_search import SHEET_ROWS, LabelSearch


def searched(rows, wrong):
    """Rows of two classes, of which the first `wrong` look like the other class to the model."""
    labels_N = np.arange(rows) % 2
    sure_NC = np.where(np.eye(2, dtype=bool)[labels_N], 0.98, 0.02)
    sure_NC[:wrong] = sure_NC[:wrong, ::-1]
    return LabelSearch(issues=find_label_issues(made(sure_NC, labels_N, ("joy", "sadness"))), second_fit=False, note="")


@pytest.mark.parametrize(
    ("rows", "wrong", "asked", "held"),
    [
        (300, 0, None, 0),
        (300, 0, 7, 7),
        (300, 5, None, SHEET_ROWS),
        (60, 5, None, 60),
        (900, 130, None, 130),
        (900, 130, 20, 20),
    ],
)
def test_a_sheet_holds_what_looks_wrong_and_a_hundred_rows_at_least(rows, wrong, asked, held):
    """Never more than there are, none where none looks wrong, and what was asked for where it was."""
    found = searched(rows, wrong)
    assert found.issues.probably_wrong == wrong
    assert found.rows_to_review(asked) == held
