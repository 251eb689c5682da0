"""When two texts are the same text: Unicode NFC, white space collapsed, upper and lower case alike.

In: texts. Out: their normal forms, and which rows share one.
It does not know near-duplicates: those are the audit's.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np


def normal_form(text: str) -> str:
    r"""Return a text in NFC, with each run of white space as one space and none at the ends, case-folded.

    Example:
        >>> normal_form("  I\tdidn't\nfeel HUMILIATED ")
        "i didn't feel humiliated"
    """
    collapsed = " ".join(text.split())
    if collapsed.isascii():
        return collapsed.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", collapsed).casefold())


def group_equal_texts(texts: Sequence[str]) -> np.ndarray:
    """Return a group for each text, int64 (N,): equal numbers where the normal forms are equal, numbered as they come.

    Example:
        >>> group_equal_texts(["Yes", "no", " yes"]).tolist()
        [0, 1, 0]
    """
    groups: dict[str, int] = {}
    return np.fromiter((groups.setdefault(normal_form(text), len(groups)) for text in texts), np.int64, len(texts))
