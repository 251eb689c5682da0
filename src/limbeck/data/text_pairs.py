"""Pairs of texts: two texts of one row, which a model reads together.

In: two texts, or the one string that stands for both. Out: a `TextPair`. It does not know tokens or files.

A pair is one string, "first [SEP] second", so that whatever reads texts reads both: equal rows, leaks, digests, files
of predictions, review sheets. `TextPair` is that string and remembers its two texts, which a tokenizer cuts one by one.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from limbeck.errors import DataError, FaultLog

PAIR_MARK = " [SEP] "
"""What stands between the two texts of a pair where both are one string; the sign that BERT's tokenizers set there."""
_SHOWN_CHARS = 40


class TextPair(str):
    """Two texts of one row as one string.

    Attributes:
        first, second: the two texts.

    Example:
        >>> pair = TextPair("is it open?", "we close at six")
        >>> str(pair), pair.second
        ('is it open? [SEP] we close at six', 'we close at six')
    """

    __slots__ = ("first", "second")
    first: str
    second: str

    def __new__(cls, first: str, second: str) -> "TextPair":
        """Join two texts."""
        pair = super().__new__(cls, f"{first}{PAIR_MARK}{second}")
        pair.first, pair.second = first, second
        return pair

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # two texts make it, where one makes a string
        """Return what a copy or a pickle is made of."""
        return self.first, self.second


def parse_pair(text: str) -> TextPair | None:
    """Return the pair that a string stands for, divided at the first mark; None where there is no mark."""
    if isinstance(text, TextPair):
        return text
    first, mark, second = text.partition(PAIR_MARK)
    return TextPair(first, second) if mark else None


def as_pairs(texts: Iterable[str], *, names: Sequence[str], where: str) -> list[TextPair]:
    """Return strings as the pairs that they stand for.

    Args:
        texts: N pairs, or strings of the form "first [SEP] second".
        names: the names of the two texts, for messages.
        where: who asks, for messages.

    Raises:
        DataError: gathers the strings that are no pair.
    """
    found, faults = [], FaultLog()
    for place, text in enumerate(texts):
        if (pair := parse_pair(text)) is None:
            faults.add(f"text {place}: {text[:_SHOWN_CHARS]!r} is one text")
        else:
            found.append(pair)
    faults.raise_as(
        DataError,
        what=f"{where} reads two texts per row, {' and '.join(names)}",
        todo="give (first, second) for each row, or one string 'first [SEP] second'; of a file, name its two columns",
    )
    return found


def in_two_columns(table: pa.Table, names: tuple[str, str], *, where: str) -> pa.Table:
    """Return a table of pairs, in whose column `text` they stand, with a column for each of the two texts instead.

    Raises:
        DataError: a row is no pair.
    """
    pairs = as_pairs(table["text"].to_pylist(), names=names, where=where)
    place = table.column_names.index("text")
    second = pa.array([pair.second for pair in pairs], pa.large_string())
    first = pa.array([pair.first for pair in pairs], pa.large_string())
    return table.set_column(place, names[0], first).add_column(place + 1, names[1], second)


def are_pairs(texts: Sequence[str]) -> bool:
    """Tell whether texts are pairs; they are pairs all, or none is.

    Raises:
        DataError: some are and some are not.
    """
    count = sum(isinstance(text, TextPair) for text in texts)
    if 0 < count < len(texts):
        raise DataError(f"{count:,} of {len(texts):,} rows have two texts, the others one: give the same for every row")
    return count > 0


def without_marks(texts: Sequence[str]) -> list[str]:
    """Return pairs as running text, for what looks at letters: the mark, a word of Latin letters, is nobody's text.

    Strings are taken for pairs where every one of them has the mark.
    """
    is_pair = bool(texts) and all(PAIR_MARK in text for text in texts)
    return [text.replace(PAIR_MARK, " ", 1) for text in texts] if is_pair else list(texts)


def is_blank(text: str) -> bool:
    """Tell whether there is nothing but white space, of a pair in both texts."""
    return not (text.first + text.second if isinstance(text, TextPair) else text).strip()


def example_text(pair: Sequence[str] | None) -> str:
    """Return what to type for a text of a model: one text, or the two of a pair as one string."""
    return "your text" if pair is None else f"first text{PAIR_MARK}second text"
