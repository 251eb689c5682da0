"""Token ids of a stream of texts, on disk: made once, read through memory maps, never whole in memory.

    RUN/texts/
    ├── part-00000.ids.npy, .offsets.npy, .texts.npy, .json      some ten thousand texts; the last says that it is whole
    └── facts.json                                               written last

In: texts in chunks, a tokenizer. Out: a `TokenStore`. A text longer than the limit becomes several rows, so nothing is
cut off. Making it goes on after a kill with the first part that is missing. It does not know what the rows are for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer as RawTokenizer

from limbeck import storage
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.progress import SILENT, Progress
from limbeck.reading.text_stream import TextStream
from limbeck.tokens import TokenBatch, Tokenizer
from limbeck.training.examples import Int64

PART_TEXTS = 32_768
"""Eight chunks of the stream: a few seconds of work."""
OPEN_PARTS = 256
"""Parts that are held open at a time; one beyond is opened anew when a row of it is taken."""


@dataclass(frozen=True, kw_only=True)
class StoreFacts:
    """What a store was made of, and what is in it.

    Attributes:
        files: SHA-256 of each file of the stream.
        tokenizer: SHA-256 of the tokenizer.
        max_tokens: of a row, [CLS] and [SEP] included.
        parts: how many there are.
        texts: that were read.
        empty_texts: of these, how many had no token and are left out.
    """

    files: tuple[str, ...]
    tokenizer: str
    max_tokens: int
    parts: int
    texts: int
    empty_texts: int


class TokenStore:
    """Rows of token ids, each [CLS] … [SEP]."""

    def __init__(self, folder: Path, facts: StoreFacts) -> None:
        self.facts = facts
        names = [folder / f"part-{number:05d}" for number in range(facts.parts)]
        with storage.explained(folder, doing="read"):
            self._offsets = [np.load(f"{name}.offsets.npy", allow_pickle=False) for name in names]
            self._texts = [np.load(f"{name}.texts.npy", allow_pickle=False) for name in names]
        self._names = names
        # Each open part holds a file descriptor, of which a process has a thousand.
        self._ids_of = lru_cache(maxsize=OPEN_PARTS)(self._open_ids)
        self._firsts = np.concatenate([[0], np.cumsum([len(offsets) - 1 for offsets in self._offsets])])

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @cached_property
    def lengths(self) -> Int64:
        """Tokens of each row, (N,)."""
        return np.concatenate([np.diff(offsets) for offsets in self._offsets])

    @cached_property
    def texts(self) -> Int64:
        """Number, from 0, of the text that each row is of, (N,)."""
        return np.concatenate(self._texts)

    def _open_ids(self, part: int) -> np.ndarray:
        path = Path(f"{self._names[part]}.ids.npy")
        with storage.explained(path, doing="read"):
            ids: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return ids

    def take(self, rows: Int64) -> TokenBatch:
        """Pack rows, in this order, into one batch."""
        parts = np.searchsorted(self._firsts, rows, side="right") - 1
        pieces = []
        for row, part in zip(rows.tolist(), parts.tolist(), strict=True):
            offsets, place = self._offsets[part], row - self._firsts[part]
            pieces.append(self._ids_of(part)[offsets[place] : offsets[place + 1]])
        offsets_B = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int32)
        return TokenBatch(ids=np.concatenate(pieces), offsets=offsets_B, rows=rows)


def make_store(
    stream: TextStream, tokenizer: Tokenizer, folder: Path, *, max_tokens: int, progress: Progress = SILENT
) -> TokenStore:
    """Tokenize a stream, or what of it is not tokenized yet.

    Args:
        stream: the texts.
        tokenizer: makes ids.
        folder: of the store; the same call with the same folder goes on.
        max_tokens: of a row.
        progress: is told of texts done.

    Raises:
        DataError: there is no text in the stream.
        SettingsError: the folder holds a store of something else.
        StorageError: the disk is full.
    """
    for note in stream.notes:
        progress.say(str(note))
    path = folder / "facts.json"
    made_of: dict[str, Any] = {
        "files": stream.fingerprint(),
        "tokenizer": tokenizer.fingerprint,
        "max_tokens": max_tokens,
    }
    if path.exists():
        known = storage.read_json(path)
        if {key: known[key] for key in made_of} != made_of:
            raise SettingsError(f"{folder} holds the tokens of other texts: give --overwrite to begin again")
        _check_parts(folder, known["parts"])
        return _opened(folder, known)
    raw = RawTokenizer.from_str(tokenizer.content)
    texts = empty = parts = 0
    for number, chunk in enumerate(_parts(stream)):
        name = folder / f"part-{number:05d}"
        done = Path(f"{name}.json")
        counts = storage.read_json(done) if done.exists() else None
        if counts is None or counts["of"] != made_of:
            counts = {"of": made_of, **_write_part(chunk, texts, raw, tokenizer, max_tokens, name)}
            storage.write_json(done, counts)
        texts, empty, parts = texts + counts["texts"], empty + counts["empty"], number + 1
        progress.say(f"tokenized {texts:,} texts")
    if texts == empty:
        raise DataError(f"{', '.join(map(str, stream.files[:3]))}: there is no text in it")
    counted = {**made_of, "parts": parts, "texts": texts, "empty_texts": empty}
    storage.write_json(path, counted)
    return _opened(folder, counted)


def _opened(folder: Path, values: dict[str, Any]) -> TokenStore:
    return TokenStore(folder, StoreFacts(**{**values, "files": tuple(values["files"])}))


def _check_parts(folder: Path, parts: int) -> None:
    """Refuse a store of which anything changed since it was written; one of an older version says no digests.

    Raises:
        StorageError: names the file.
    """
    for number in range(parts):
        name = folder / f"part-{number:05d}"
        for kind, digest in storage.read_json(Path(f"{name}.json")).get("sha256", {}).items():
            file = Path(f"{name}.{kind}.npy")
            if storage.sha256_of(file) != digest:
                raise StorageError(f"{file} was changed or damaged since it was written: begin again with --overwrite")


def _parts(stream: TextStream) -> Iterator[list[str]]:
    part: list[str] = []
    for chunk in stream.chunks():
        part += chunk
        while len(part) >= PART_TEXTS:
            yield part[:PART_TEXTS]
            part = part[PART_TEXTS:]
    if part:
        yield part


def _write_part(
    chunk: list[str], first: int, raw: RawTokenizer, tokenizer: Tokenizer, max_tokens: int, name: Path
) -> dict[str, Any]:
    """Write the rows of some texts; the facts beside them are the mark that they are whole."""
    room = max_tokens - 2
    rows: list[list[int]] = []
    texts: list[int] = []
    empty = 0
    for number, encoding in enumerate(raw.encode_batch_fast(chunk, add_special_tokens=False), first):
        ids = encoding.ids
        empty += not ids
        for start in range(0, len(ids), room):
            rows.append([tokenizer.cls_id, *ids[start : start + room], tokenizer.sep_id])
            texts.append(number)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    ids_T = np.fromiter((token_id for row in rows for token_id in row), np.int32, int(offsets[-1]))
    stored: dict[str, np.ndarray] = {
        "ids": ids_T,
        "offsets": offsets.astype(np.int64),
        "texts": np.array(texts, np.int64),
    }
    for kind, values in stored.items():
        with storage.staged_file(Path(f"{name}.{kind}.npy")) as staged, staged.open("wb") as file:
            try:
                np.save(file, values, allow_pickle=False)
            except OSError as error:
                raise StorageError(f"cannot write {name}: {error.strerror}") from error
    digests = {kind: storage.sha256_of(Path(f"{name}.{kind}.npy")) for kind in stored}
    return {"texts": len(chunk), "empty": empty, "sha256": digests}
