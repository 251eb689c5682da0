"""Windows: which tokens of a text are read where it is longer than the limit, and texts that are read in several.

In: ids with [CLS] and [SEP], a limit, the name of a window. Out: rows of ids, and `ReadTexts`, which knows the rows of
each text. It does not know tokenizers or encoders.

    head    the first tokens
    tail    the last tokens
    both    the first and the last, half of each; of an odd number the first have one more
    all     every token, in rows that overlap by a quarter at least and are spread evenly, so that each row is full

[CLS] and [SEP] stand around every row. A text that is not too long is one row and the same in each of them.
Source of "both": Sun, Qiu, Xu, Huang, "How to Fine-Tune BERT for Text Classification?" (2019), section 5.3.1.

Shapes: N texts, R rows, T tokens of all rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from limbeck.errors import SettingsError
from limbeck.settings import FeatureSettings, WindowName
from limbeck.tokens.batch import Tokenized

OVERLAP_PARTS = 4
"""With "all", a row shares at least one of so many parts of its tokens with the row before it."""
_WRAPPING = 2
"""[CLS] and [SEP] of each row."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """What is read of a text; `Tokenizer.window` makes it of what was asked for.

    Attributes:
        name: "head", "tail", "both" or "all".
        max_tokens: maximum length of a row, [CLS] and [SEP] included.
    """

    name: WindowName
    max_tokens: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadTexts:
    """Texts as a model reads them: each in one row, or in several that overlap.

    Attributes:
        rows: R rows, those of a text side by side, texts in their order.
        first_N1: int64 (N+1,); text n has the rows from `first_N1[n]` to `first_N1[n + 1]`.
        lengths: int64 (N,), tokens of each text that are read, each counted once, [CLS] and [SEP] included.
        cut_tokens: int32 (N,), tokens of each text that are not read.
        overlap_R: int64 (R,), tokens behind [CLS] that the row before has too.
    """

    rows: Tokenized
    first_N1: NDArray[np.int64]
    lengths: NDArray[np.int64]
    cut_tokens: NDArray[np.int32]
    overlap_R: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def is_plain(self) -> bool:
        """Whether every text is one row."""
        return len(self.rows) == len(self)

    @property
    def rows_per_text(self) -> NDArray[np.int64]:
        """Rows of each text, int64 (N,)."""
        return np.diff(self.first_N1)

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """Whether each text was cut, (N,) bool."""
        return self.cut_tokens > 0

    def count(self, token_id: int) -> NDArray[np.int64]:
        """Count a token in what is read of each text, each token once, int64 (N,)."""
        found_T = self.rows.ids == token_id
        for row in np.flatnonzero(self.overlap_R):
            start = int(self.rows.offsets[row])
            found_T[start : start + 1 + int(self.overlap_R[row])] = False
        before = np.concatenate([[0], np.cumsum(found_T)])
        ends = self.rows.offsets[self.first_N1]
        counts: NDArray[np.int64] = before[ends[1:]] - before[ends[:-1]]
        return counts

    def take(self, texts: NDArray[np.integer]) -> "ReadTexts":
        """Return what is read of some of the texts, in the order in which they are given."""
        counts = self.first_N1[texts + 1] - self.first_N1[texts]
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.repeat(self.first_N1[texts] - first[:-1], counts) + np.arange(first[-1])
        batch = self.rows.take(rows)
        return ReadTexts(
            rows=Tokenized(
                ids=batch.ids, offsets=batch.offsets.astype(np.int64), cut_tokens=self.rows.cut_tokens[rows]
            ),
            first_N1=first,
            lengths=self.lengths[texts],
            cut_tokens=self.cut_tokens[texts],
            overlap_R=self.overlap_R[rows],
        )

    def groups(self, most_rows: int) -> Iterator[slice]:
        """Yield runs of texts with at most so many rows together; a text that has more is alone."""
        start = 0
        while start < len(self):
            stop = int(np.searchsorted(self.first_N1, self.first_N1[start] + most_rows, side="right")) - 1
            stop = max(start + 1, stop)
            yield slice(start, stop)
            start = stop

    def spread_rows(self, text: int, most_rows: int | None) -> NDArray[np.int64]:
        """Return the rows of a text; of more than `most_rows` so many, spread evenly over it."""
        first, stop = int(self.first_N1[text]), int(self.first_N1[text + 1])
        if most_rows is None or stop - first <= most_rows:
            return np.arange(first, stop)
        return np.linspace(first, stop - 1, most_rows).round().astype(np.int64)

    def tokens_of(self, most_rows: int | None = None) -> NDArray[np.int64]:
        """Return the tokens of the rows that `spread_rows` gives of each text, int64 (N,)."""
        if self.is_plain:
            return self.rows.lengths
        sizes_R = self.rows.lengths
        return np.array([sizes_R[self.spread_rows(text, most_rows)].sum() for text in range(len(self))], np.int64)

    def mean(self, values_RX: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the mean of each text's rows, (N, X); of a text of one row what that row has, to the bit."""
        return mean_of_rows(values_RX, self.first_N1)


def mean_of_rows(values_RX: NDArray[np.floating], first_N1: NDArray[np.int64]) -> NDArray[np.floating]:
    """Return the mean of each text's rows, (N, X), as `ReadTexts.mean` does."""
    if len(values_RX) == len(first_N1) - 1:
        return values_RX
    means_NX = values_RX[first_N1[:-1]].copy()
    for text in np.flatnonzero(np.diff(first_N1) > 1):
        own = slice(first_N1[text], first_N1[text + 1])
        means_NX[text] = values_RX[own].mean(axis=0, dtype=np.float64)
    return means_NX


def in_one_row(rows: Tokenized) -> ReadTexts:
    """Return texts that are read in one row each."""
    return ReadTexts(
        rows=rows,
        first_N1=np.arange(len(rows) + 1),
        lengths=rows.lengths,
        cut_tokens=rows.cut_tokens,
        overlap_R=np.zeros(len(rows), np.int64),
    )


def cut_texts(ids_T: NDArray[np.int32], sizes_N: NDArray[np.int64], limit: int, name: WindowName) -> ReadTexts:
    """Return what a window sees of texts.

    Args:
        ids_T: of N whole texts end to end, [CLS] and [SEP] around each.
        sizes_N: how many ids each has.
        limit: maximum length of a row.
        name: of the window.

    Example:
        >>> ids, sizes = np.array([101, 1, 2, 3, 4, 5, 102], np.int32), np.array([7])
        >>> cut_texts(ids, sizes, 5, "both").rows.ids.tolist()
        [101, 1, 2, 5, 102]
        >>> cut_texts(ids, sizes, 5, "all").rows.ids.tolist()
        [101, 1, 2, 3, 102, 101, 3, 4, 5, 102]
    """
    over_N = np.maximum(sizes_N - limit, 0)
    if name == "all" and over_N.any():
        return _in_several_rows(ids_T, sizes_N, limit)
    if over_N.any():
        # Each text that is too long loses one run of tokens: where it begins in the text is all that windows differ in.
        lost_from = {"head": limit - 1, "tail": 1, "both": limit - 1 - (limit - _WRAPPING) // 2}[name]
        first_N = (np.cumsum(sizes_N) - sizes_N + lost_from)[over_N > 0]
        edges_T1 = np.zeros(len(ids_T) + 1, np.int8)
        edges_T1[first_N], edges_T1[first_N + over_N[over_N > 0]] = 1, -1
        ids_T = ids_T[np.cumsum(edges_T1[:-1], dtype=np.int8) == 0]
    offsets = np.concatenate([[0], np.cumsum(sizes_N - over_N)])
    return in_one_row(Tokenized(ids=ids_T, offsets=offsets, cut_tokens=over_N.astype(np.int32)))


def _in_several_rows(ids_T: NDArray[np.int32], sizes_N: NDArray[np.int64], limit: int) -> ReadTexts:
    """Return all tokens of texts, of those that are too long in rows that overlap."""
    counts_N = count_rows(sizes_N, limit)
    first_N1 = np.concatenate([[0], np.cumsum(counts_N)])
    ends_N = np.cumsum(sizes_N)
    sizes_R = np.repeat(sizes_N, counts_N)
    overlap_R = np.zeros(len(sizes_R), np.int64)
    pieces: list[NDArray[np.int32]] = []
    done, room = 0, limit - _WRAPPING
    for text in np.flatnonzero(counts_N > 1):
        start, stop = int(ends_N[text] - sizes_N[text]), int(ends_N[text])
        first, last = ids_T[start : start + 1], ids_T[stop - 1 : stop]
        pieces.append(ids_T[done:start])
        for at in row_starts(stop - start - _WRAPPING, room):
            pieces += [first, ids_T[start + 1 + at : start + 1 + at + room], last]
        own = slice(int(first_N1[text]), int(first_N1[text + 1]))
        sizes_R[own], overlap_R[own] = limit, overlaps_of(stop - start, limit)
        done = stop
    return ReadTexts(
        rows=Tokenized(
            ids=np.concatenate([*pieces, ids_T[done:]]),
            offsets=np.concatenate([[0], np.cumsum(sizes_R)]),
            cut_tokens=np.zeros(len(sizes_R), np.int32),
        ),
        first_N1=first_N1,
        lengths=sizes_N,
        cut_tokens=np.zeros(len(sizes_N), np.int32),
        overlap_R=overlap_R,
    )


def joined_texts(parts: Sequence[ReadTexts]) -> ReadTexts:
    """Return the texts of all parts, in their order."""
    if len(parts) == 1:
        return parts[0]

    def together(arrays: Iterable[np.ndarray], kind: type[np.generic]) -> np.ndarray:
        return np.concatenate([np.zeros(0, kind), *arrays])

    sizes_R = together((part.rows.lengths for part in parts), np.int64)
    counts_N = together((part.rows_per_text for part in parts), np.int64)
    return ReadTexts(
        rows=Tokenized(
            ids=together((part.rows.ids for part in parts), np.int32),
            offsets=np.concatenate([[0], np.cumsum(sizes_R)]),
            cut_tokens=together((part.rows.cut_tokens for part in parts), np.int32),
        ),
        first_N1=np.concatenate([[0], np.cumsum(counts_N)]),
        lengths=together((part.lengths for part in parts), np.int64),
        cut_tokens=together((part.cut_tokens for part in parts), np.int32),
        overlap_R=together((part.overlap_R for part in parts), np.int64),
    )


def row_starts(tokens: int, room: int) -> list[int]:
    """Return where the rows of "all" begin: the fewest that overlap enough, the first at 0, the last ending the text.

    Args:
        tokens: of the text, without [CLS] and [SEP]; more than `room`.
        room: tokens of a row, without them.

    Example:
        >>> row_starts(300, 100)
        [0, 66, 133, 200]
    """
    steps = -(-(tokens - room) // _step(room))
    return [place * (tokens - room) // steps for place in range(steps + 1)]


def count_rows(tokens_N: NDArray[np.integer], limit: int) -> NDArray[np.int64]:
    """Return in how many rows "all" reads texts of so many tokens, [CLS] and [SEP] included, int64 (N,)."""
    over_N = np.maximum(np.asarray(tokens_N, np.int64) - limit, 0)
    return 1 + -(-over_N // _step(limit - _WRAPPING))


def overlaps_of(tokens: int, limit: int) -> list[int]:
    """Return how many tokens each row of "all" shares with the one before it, for a text that is too long."""
    room = limit - _WRAPPING
    starts = row_starts(tokens - _WRAPPING, room)
    return [0, *(before + room - start for before, start in pairwise(starts))]


def fixed_window(settings: FeatureSettings, *, doing: str) -> WindowName | None:
    """Return the name of the window that settings ask for, where nothing can be chosen.

    Args:
        settings: of the features.
        doing: what is done, for the message.

    Raises:
        SettingsError: they leave the choice to cross-validation, for which there are no labels here.
    """
    if settings.window == "auto":
        raise SettingsError(
            f"window = 'auto' is chosen while a model is trained, by its training rows; {doing} has none: give head, "
            "tail, both or all"
        )
    return settings.window


def said_window(window: Window) -> str:
    """Say what is read of a text that is too long: "the last 256 tokens".

    Example:
        >>> said_window(Window(name="both", max_tokens=257))
        'the first 129 and the last 128 tokens'
    """
    most = window.max_tokens
    if window.name == "tail":
        return f"the last {most:,} tokens"
    if window.name == "both":
        return f"the first {most - most // 2:,} and the last {most // 2:,} tokens"
    if window.name == "all":
        return f"all tokens, in windows of {most:,} that overlap by a quarter"
    return f"the first {most:,} tokens"


def _step(room: int) -> int:
    """Return the most tokens between the beginnings of two rows."""
    return max(1, room - room // OVERLAP_PARTS)
