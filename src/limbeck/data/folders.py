"""Folders and file names: which file holds which split, which folder which label.

In: a path. Out: a plan of what to read, and what lies there that will not be read.
It does not open data files.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from limbeck.data.raw import SourceFile
from limbeck.errors import DataError
from limbeck.storage import explained

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


@dataclass(frozen=True, kw_only=True)
class LabelFolders:
    """One split as folders of text files, a folder a label, a file a text.

    Attributes:
        path: the folder above them.
        split: the split of all of them.
        labels: the folder of each label; under None a folder of texts without labels.
    """

    path: Path
    split: str
    labels: dict[str | None, Path]

    def size_bytes(self) -> int:
        """Return the size of all the text files."""
        return sum(file.stat().st_size for folder in self.labels.values() for file in _texts(folder))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to read, in order, and the names of what will not be read."""

    sources: tuple[SourceFile | LabelFolders, ...]
    unread: tuple[str, ...] = ()


def split_of(name: str) -> str | None:
    """Return the split that a file's or folder's name tells: one of its words, or None when it tells none or two.

    Example:
        >>> split_of("emotion_train.csv"), split_of("dev.tsv"), split_of("train-00000-of-00002.parquet")
        ('train', 'validation', 'train')
    """
    words = re.split(r"[^a-z]+", name.lower())
    told = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    return told.pop() if len(told) == 1 else None


def plan_folder(folder: Path, suffixes: frozenset[str]) -> Plan:
    """Find out what a folder holds: files a split, one lone file, folders a split, or folders a label.

    Args:
        folder: the folder.
        suffixes: of the files that can be read, lower case, with the dot.

    Raises:
        DataError: nothing there can be read, or it can be understood in two ways.
    """
    entries = _entries(folder)
    files = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in suffixes]
    split_files = [file for file in files if split_of(file.name)]
    split_folders = [entry for entry in entries if entry.is_dir() and split_of(entry.name)]
    if split_files and split_folders:
        raise DataError(
            f"{folder} has both split files ({split_files[0].name}) and split folders ({split_folders[0].name}/): "
            "name the one to read"
        )
    if split_files:
        sources = tuple(
            SourceFile(path=file, name=str(file), split=split_of(file.name) or "train") for file in split_files
        )
        return Plan(sources=_in_order(sources), unread=_names(entries, split_files))
    if split_folders:
        plans = [_plan_split(entry, suffixes) for entry in split_folders]
        unread = _names(entries, split_folders) + tuple(name for plan in plans for name in plan.unread)
        return Plan(sources=_in_order(tuple(source for plan in plans for source in plan.sources)), unread=unread)
    label_folders = [entry for entry in entries if entry.is_dir() and _texts(entry)]
    if len(label_folders) > 1:
        return _plan_labels(folder, "train", entries)
    if len(files) == 1:
        return Plan(sources=(_file(files[0], "train"),), unread=_names(entries, files))
    if files:
        raise DataError(
            f"{folder} holds {len(files)} files whose names tell no split ({', '.join(f.name for f in files[:5])}): "
            "name them train, validation and test, or name the one file to read"
        )
    if (folder / "data").is_dir() and [entry.name for entry in entries if entry.is_dir()] == ["data"]:
        return plan_folder(folder / "data", suffixes)
    return _plan_labels(folder, "train", entries)


def _plan_split(folder: Path, suffixes: frozenset[str]) -> Plan:
    """Plan a folder that is one split: data files, or folders a label."""
    split = split_of(folder.name) or "train"
    entries = _entries(folder)
    if any(entry.is_dir() and _texts(entry) for entry in entries):
        return _plan_labels(folder, split, entries)
    files = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in suffixes]
    if not files:
        raise DataError(f"{folder} holds nothing that can be read: data files, or a folder of .txt files a label")
    sources = tuple(_file(file, split) for file in files)
    return Plan(sources=sources, unread=_names(entries, files, folder.name))


def _plan_labels(folder: Path, split: str, entries: list[Path]) -> Plan:
    """Plan a folder with a folder of text files a label; one named as unlabelled is the unsupervised split."""
    folders = [entry for entry in entries if entry.is_dir() and _texts(entry)]
    if not folders:
        raise DataError(
            f"{folder} holds nothing that can be read. Read are: files named train, validation, test in "
            f"a known format; a lone file; or one folder a label with .txt files in it"
        )
    # macOS writes Hangul in file names decomposed; the label is the same.
    labels: dict[str | None, Path] = {
        unicodedata.normalize("NFC", entry.name): entry for entry in folders if split_of(entry.name) != "unsupervised"
    }
    sources: list[SourceFile | LabelFolders] = []
    if labels:
        sources.append(LabelFolders(path=folder, split=split, labels=labels))
    sources += [
        LabelFolders(path=entry, split="unsupervised", labels={None: entry})
        for entry in folders
        if split_of(entry.name) == "unsupervised"
    ]
    return Plan(sources=tuple(sources), unread=_names(entries, folders, folder.name))


def _file(path: Path, split: str) -> SourceFile:
    return SourceFile(path=path, name=str(path), split=split)


def text_files(folder: Path) -> list[Path]:
    """Return the text files of a label's folder, by name, numbers in them in order of size."""
    return sorted(_texts(folder), key=_natural_key)


def _natural_key(file: Path) -> list[int | str]:
    return [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", file.name)]


def _texts(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.suffix.lower() == ".txt" and entry.is_file()]


def _entries(folder: Path) -> list[Path]:
    """List a folder by name; hidden files are not data."""
    with explained(folder, doing="read"):
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _names(entries: list[Path], read: list[Path], prefix: str = "") -> tuple[str, ...]:
    """Name the entries that are not read."""
    taken = set(read)
    return tuple(f"{prefix}/{entry.name}" if prefix else entry.name for entry in entries if entry not in taken)


def _in_order(sources: tuple[SourceFile | LabelFolders, ...]) -> tuple[SourceFile | LabelFolders, ...]:
    """Order sources as splits are shown; files of one split stay in order of name."""
    order = {name: place for place, name in enumerate(dict.fromkeys(SPLIT_WORDS.values()))}
    return tuple(sorted(sources, key=lambda source: order[source.split]))
