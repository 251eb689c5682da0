"""Which rows say the same, so that they are held out together: as validation rows, or in a fold.

In: texts. Out: a group for each. It does not know splits or folds.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from limbeck.auditing.near import find_near_duplicates
from limbeck.data.normal_form import group_equal_texts
from limbeck.data.split import link_groups
from limbeck.progress import SILENT, Progress

MOST_TEXTS = 200_000
"""Of more texts only equal ones are looked for: near-duplicates would take minutes."""
LARGEST_SHARE = 0.1
"""Of folds: texts that chain together to more than this share of all share a template, and are not held out at once."""


def alike_texts(texts: Sequence[str], progress: Progress = SILENT) -> NDArray[np.int64]:
    """Return a group for each text, int64 (N,), for folds: equal texts share one, and nearly equal ones if need be.

    Nearly equal texts do not where there are too many to look at, or where so many are chained together that holding
    them out at once would leave little to learn from.
    """
    equal_N = group_equal_texts(texts)
    near_N = nearly_alike(texts, progress)
    if near_N is None:
        return equal_N
    different_G = np.bincount(near_N[np.unique(equal_N, return_index=True)[1]], minlength=1)
    return equal_N if different_G.max() > max(2, LARGEST_SHARE * different_G.sum()) else near_N


def nearly_alike(texts: Sequence[str], progress: Progress = SILENT) -> NDArray[np.int64] | None:
    """Return a group for each text, int64 (N,), that equal and nearly equal ones share; None of too many texts."""
    if len(texts) > MOST_TEXTS:
        return None
    near_N = find_near_duplicates(pa.array(texts, pa.large_string()), progress=progress).group
    return link_groups(group_equal_texts(texts), near_N)
