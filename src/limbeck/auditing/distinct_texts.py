"""Different texts of a column, told apart by digests: no second copy of the texts, nor a table of them, is held.

In: texts, in chunks, which may lie in a file that is mapped to memory. Out: the first row of each different text.
It does not know what is done with the texts.
"""

from dataclasses import dataclass
from hashlib import blake2b, sha256

import numpy as np
import pyarrow as pa

_DIGEST_BYTES = 16
"""Two of a hundred million different texts have one digest with chance 2^-75."""
_BLOCK_ROWS = 1 << 16


@dataclass(frozen=True, kw_only=True, eq=False)
class DistinctTexts:
    """The different texts of a column.

    Shapes: N rows, D different texts.

    Attributes:
        texts: the column, N rows.
        rows_D: int64 (D,), the first row of each different text, rising: a text's number is its place here.
        number_N: int64 (N,), the number of each row's text.
        digest: SHA-256 of the D texts in their order, in hexadecimal.
    """

    texts: pa.ChunkedArray
    rows_D: np.ndarray
    number_N: np.ndarray
    digest: str

    def take(self, numbers: np.ndarray) -> pa.LargeStringArray:
        """Return the texts of these numbers, which rise; chunks are not joined for it."""
        rows = self.rows_D[numbers]
        ends = np.cumsum([len(chunk) for chunk in self.texts.chunks], dtype=np.int64)
        parts = np.split(rows, np.searchsorted(rows, ends[:-1]))
        taken = [
            chunk.take(pa.array(part - (end - len(chunk)))).cast(pa.large_string())
            for chunk, part, end in zip(
                self.texts.chunks, parts, ends, strict=False
            )  # without a chunk there is one empty part
            if len(part)
        ]
        return pa.concat_arrays([pa.array([], pa.large_string()), *taken])


def distinct_texts(texts: pa.ChunkedArray) -> DistinctTexts:
    """Find the different texts of a column.

    Example:
        >>> found = distinct_texts(pa.chunked_array([["b", "a"], ["b", "c"]]))
        >>> found.rows_D.tolist(), found.number_N.tolist()
        ([0, 1, 3], [0, 1, 0, 2])
    """
    digests_N2 = _digests(texts)
    order_N = np.lexsort((digests_N2[:, 1], digests_N2[:, 0]))
    is_new_N = np.ones(len(order_N), dtype=bool)
    before = digests_N2[order_N[:1]]
    for start in range(1, len(order_N), _BLOCK_ROWS):
        here = np.concatenate([before, digests_N2[order_N[start : start + _BLOCK_ROWS]]])
        is_new_N[start : start + _BLOCK_ROWS] = (here[1:] != here[:-1]).any(axis=1)
        before = here[-1:]
    first_D = order_N[is_new_N]
    by_row_D = np.argsort(first_D)
    number_D = np.empty(len(first_D), dtype=np.int64)
    number_D[by_row_D] = np.arange(len(first_D))
    number_N = np.empty(len(order_N), dtype=np.int64)
    number_N[order_N] = number_D[np.cumsum(is_new_N) - 1]
    rows_D = first_D[by_row_D]
    return DistinctTexts(texts=texts, rows_D=rows_D, number_N=number_N, digest=_digest_of(digests_N2, rows_D))


def _digest_of(digests_N2: np.ndarray, rows_D: np.ndarray) -> str:
    whole = sha256()
    for start in range(0, len(rows_D), _BLOCK_ROWS):
        whole.update(digests_N2[rows_D[start : start + _BLOCK_ROWS]].tobytes())
    return whole.hexdigest()


def _digests(texts: pa.ChunkedArray) -> np.ndarray:
    """Return the digest of each text as two numbers, uint64 (N, 2)."""
    digests_N2 = np.empty((len(texts), 2), dtype="<u8")
    done = 0
    for chunk in texts.chunks:
        for start in range(0, len(chunk), _BLOCK_ROWS):
            some = chunk.slice(start, _BLOCK_ROWS).cast(pa.large_string()).cast(pa.large_binary()).to_pylist()
            joined = b"".join([blake2b(text, digest_size=_DIGEST_BYTES).digest() for text in some])
            digests_N2[done : done + len(some)] = np.frombuffer(joined, dtype="<u8").reshape(-1, 2)
            done += len(some)
    return digests_N2
