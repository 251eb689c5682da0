"""Which texts a model learned from, as digests that say nothing of the texts: so that scoring on them is noticed.

In: texts, or a file. Out: a file of digests, or whether texts are among them. It does not know models.
Texts that differ in white space or case alone count as the same (`normal_form`).
"""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from limbeck import storage
from limbeck.data.normal_form import normal_form

NAME = "learned.npy"
DIGEST_BYTES = 8


def digests_of(texts: Iterable[str]) -> np.ndarray:
    """Return a digest of each text, uint64 (N,)."""
    joined = b"".join(
        hashlib.blake2b(normal_form(text).encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()
        for text in texts
    )
    return np.frombuffer(joined, "<u8")


def write_learned(path: Path, texts: Iterable[str]) -> None:
    """Write the digests of the texts that were learned from."""
    buffer = io.BytesIO()
    np.save(buffer, np.unique(digests_of(texts)), allow_pickle=False)
    storage.write_bytes(path, buffer.getvalue())


def read_learned(path: Path) -> np.ndarray | None:
    """Return the digests; None where there is no such file, as of models that were made elsewhere or before."""
    if not path.is_file():
        return None
    with storage.explained(path, doing="read"):
        content = path.read_bytes()
    try:
        found: np.ndarray = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except ValueError:
        return None
    return found


def count_learned(learned: np.ndarray, texts: Iterable[str]) -> int:
    """Count the texts that are among those learned from."""
    return int(np.isin(digests_of(texts), learned).sum())
