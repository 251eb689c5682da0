"""A result as a DataFrame. In: an Arrow table. Out: what pandas makes of it. It does not know what rows are about."""

import importlib.util
from typing import TYPE_CHECKING

from limbeck.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def frame_of(table: "pa.Table") -> "pd.DataFrame":
    """Return a table as a DataFrame.

    Raises:
        MissingExtraError: pandas is absent.
    """
    if importlib.util.find_spec("pandas") is None:
        raise MissingExtraError('a DataFrame needs pandas: pip install "limbeck[pandas]"')
    frame: pd.DataFrame = table.to_pandas()
    return frame
