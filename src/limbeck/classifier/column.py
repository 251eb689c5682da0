"""What scikit-learn wants to know of the columns that texts came in: their number, one or two of pairs, and names.

In: an estimator and its X. Out: `n_features_in_` and, where the column had a name, `feature_names_in_`.
"""

from typing import Any

import numpy as np


def note_column(estimator: Any, texts: Any, *, pairs: bool) -> None:
    """Set `n_features_in_` to 1, of pairs to 2, and `feature_names_in_` where the texts came in a table."""
    estimator.n_features_in_ = 1 + pairs
    names = list(texts.columns) if hasattr(texts, "columns") and not hasattr(texts, "column_names") else []
    if names and all(isinstance(name, str) for name in names):
        estimator.feature_names_in_ = np.array(names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
