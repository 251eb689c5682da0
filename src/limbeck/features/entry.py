"""An entry of the feature cache: what one encoder, computed in one way, made of texts, each found by its own key.

In: keys of texts and the blocks wanted. Out: the rows that are kept, and which are not. An entry is a folder of parts;
any process may add one or remove one at any time, which costs others time, never their result.
It does not know texts, encoders or how much room there is.

Shapes: N texts, U different ones, D columns of a block, F of all blocks wanted.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from limbeck import storage
from limbeck.errors import StorageError
from limbeck.features.parts import Part, is_part, read_head, write_part

ENTRY_FACTS_NAME = "facts.json"
MOST_PARTS = 200
"""An entry with more parts than this has its small ones put together."""
ATTEMPTS = 5
"""How often a part is written whose folder others remove meanwhile."""
SMALL_PART_BYTES = 8 * 2**20
"""A part below this is small."""
PART_BYTES = 32 * 2**20
"""About as large as a part becomes."""


class Entry:
    """The parts of one encoder in one arithmetic.

    Attributes:
        folder: where they lie, whether it is there yet or not.
        in_use: files that this process took from or wrote.
    """

    def __init__(self, folder: Path, what: str) -> None:
        self.folder = folder
        self.in_use: set[Path] = set()
        self._what = what

    def parts(self) -> list[Part]:
        """Return the parts that are there and whole, in the order of their names; a damaged one is removed."""
        return list(filter(None, map(_whole, _part_files(self.folder))))

    def take(self, keys_U2: np.ndarray, blocks: Sequence[str], into_NF: np.ndarray, rows_U: np.ndarray) -> np.ndarray:
        """Copy what is kept of texts into rows of an array.

        Args:
            keys_U2: of the texts, uint64.
            blocks: names of the wanted ones, side by side in this order.
            into_NF: takes the values.
            rows_U: the row of each text in it.

        Returns:
            Which texts were found with every block, (U,) bool; rows of the others hold anything.
        """
        taking = _Taking(keys_U2=keys_U2, blocks=tuple(blocks), into_NF=into_NF, rows_U=rows_U)
        for part in self.parts():
            if not taking.missing_UB.any():
                break
            if taking.is_served(part):
                part.touch()
                self.in_use.add(part.path)
        found_U: np.ndarray = np.logical_not(taking.missing_UB).all(axis=1)
        return found_U

    def keep(self, keys_N2: np.ndarray, blocks: Sequence[str], values_NF: np.ndarray) -> None:
        """Write a part.

        Raises:
            StorageError: the folder cannot be written.
        """
        width = values_NF.shape[1] // len(blocks)
        values = {block: values_NF[:, place * width : (place + 1) * width] for place, block in enumerate(blocks)}
        for attempt in range(ATTEMPTS):
            try:
                self._write(keys_N2, values)
            except StorageError as error:
                # Another process cleared the cache while this one was writing into it: begin the entry anew.
                if attempt + 1 == ATTEMPTS or not isinstance(error.__cause__, FileNotFoundError):
                    raise
            else:
                return

    def _write(self, keys_N2: np.ndarray, values: dict[str, np.ndarray]) -> None:
        if not (self.folder / ENTRY_FACTS_NAME).is_file():
            storage.write_json(self.folder / ENTRY_FACTS_NAME, {"what": self._what})
        self.in_use.add(write_part(self.folder, keys_N2, values))

    def tidy(self) -> None:
        """Put small parts of the same blocks together where there are too many of them.

        Raises:
            StorageError: the folder cannot be written.
        """
        if sum(1 for _ in _part_files(self.folder)) <= MOST_PARTS:
            return
        alike: dict[tuple[str, ...], list[Part]] = {}
        for part in self.parts():
            if part.size_bytes < SMALL_PART_BYTES:
                alike.setdefault(tuple(sorted(part.places)), []).append(part)
        for blocks, parts in alike.items():
            sizes = np.cumsum([part.size_bytes for part in parts]) // PART_BYTES
            for number in np.unique(sizes):
                self._merge(blocks, [part for part, size in zip(parts, sizes, strict=True) if size == number])

    def _merge(self, blocks: Sequence[str], parts: Sequence[Part]) -> None:
        if len(parts) < 2:
            return
        read = [(part, [part.read(block) for block in blocks]) for part in parts]
        whole = [(part.keys_N2, arrays) for part, arrays in read if all(one is not None for one in arrays)]
        if whole:
            keys_N2, first = np.unique(np.concatenate([keys for keys, _ in whole]), axis=0, return_index=True)
            values = {
                block: np.concatenate([arrays[place] for _, arrays in whole if arrays[place] is not None])[first]
                for place, block in enumerate(blocks)
            }
            self._write(keys_N2, values)
        for part in parts:
            with storage.explained(part.path, doing="remove"):
                part.path.unlink(missing_ok=True)


@dataclass(kw_only=True, eq=False)
class _Taking:
    """Texts that are looked for, where their values go, and which blocks of them are still missing."""

    keys_U2: np.ndarray
    blocks: tuple[str, ...]
    into_NF: np.ndarray
    rows_U: np.ndarray
    missing_UB: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.missing_UB = np.ones((len(self.keys_U2), len(self.blocks)), bool)

    def is_served(self, part: Part) -> bool:
        """Copy what a part has of what is missing; tell whether that was anything."""
        rows = _rows_of(part, self.keys_U2)
        width = self.into_NF.shape[1] // len(self.blocks)
        is_served = False
        for place, block in enumerate(self.blocks):
            wanted = np.flatnonzero(self.missing_UB[:, place] & (rows >= 0))
            if block not in part.places or not len(wanted):
                continue
            values = part.read(block)
            if values is None:
                _discard(part.path)
                break
            self.into_NF[self.rows_U[wanted], place * width : (place + 1) * width] = values[rows[wanted]]
            self.missing_UB[wanted, place] = False
            is_served = True
        return is_served


def _part_files(folder: Path) -> list[Path]:
    """List the files of an entry's parts, sorted; none where the folder is absent or cannot be read."""
    try:
        return sorted(file for file in folder.iterdir() if is_part(file.name))
    except OSError:
        return []


def _whole(file: Path) -> Part | None:
    part = read_head(file)
    if part is None:
        _discard(file)
    return part


def _discard(file: Path) -> None:
    """Remove a damaged part; a cache that cannot be written keeps it, and it is passed over again."""
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _rows_of(part: Part, keys_U2: np.ndarray) -> np.ndarray:
    """Return the row of each key in a part, (U,) int64, -1 where it has none."""
    if not len(part.keys_N2):
        return np.full(len(keys_U2), -1)
    order = np.argsort(part.keys_N2[:, 0], kind="stable")
    places = np.searchsorted(part.keys_N2[:, 0], keys_U2[:, 0], sorter=order)
    rows: np.ndarray = order[np.minimum(places, len(order) - 1)]
    return np.where((part.keys_N2[rows] == keys_U2).all(axis=1), rows, -1)
