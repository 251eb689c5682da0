"""Which split a name tells, of a file, a folder or a cell; and which names are parts of one whole.

In: names. Out: the usual name of a split, or None. It opens nothing.
"""

import re

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
    "unsup": "unsupervised",
    "unsupervised": "unsupervised",
    "unlabelled": "unsupervised",
    "unlabeled": "unsupervised",
}
"""Words that tell a split, in file names, folder names and a `split` column."""

_PART = re.compile(r"\d+-of-\d+|(?:^|[-_.])(?:part|shard|chunk|data)[-_.]?\d+|^\d+\.[a-z]+$", re.IGNORECASE)
"""Names of the parts in which programs write one table: part-00000-….csv, data-00000-of-00002.arrow, 0000.parquet."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def split_of(name: str) -> str | None:
    """Return the split that a file's or folder's name tells: one of its words, or None when it tells none or two.

    Example:
        >>> split_of("emotion_train.csv"), split_of("dev.tsv"), split_of("train-00000-of-00002.parquet")
        ('train', 'validation', 'train')
    """
    told = {SPLIT_WORDS[word] for word in words_of(name) if word in SPLIT_WORDS}
    return told.pop() if len(told) == 1 else None


def words_of(name: str) -> list[str]:
    """Return the words of Latin letters in a name, in lower case."""
    return re.split(r"[^a-z]+", name.lower())


def whole_of(name: str) -> str:
    """Return what the numbered parts of one whole share of their names; the name of a file that is no such part.

    Example:
        >>> whole_of("train-00000-of-00002.csv") == whole_of("train-00001-of-00002.csv")
        True
        >>> whole_of("train (1).csv")
        'train (1).csv'
    """
    return re.sub(r"\d+", "#", _UUID.sub("#", name)) if _PART.search(name) else name
