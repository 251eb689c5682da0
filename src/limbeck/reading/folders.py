"""Folders and file names: which file holds which split, which folder which label.

In: a path. Out: a plan of what to read, and what lies there that will not be read.
It does not open data files.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

from limbeck.data.dataset import ReadNote
from limbeck.errors import DataError
from limbeck.reading.raw import SourceFile
from limbeck.reading.split_names import SPLIT_WORDS, split_of, whole_of, words_of
from limbeck.storage import explained, read_json

_KEYED = re.compile(r"[^=]+=.*")
_NULL = "__HIVE_DEFAULT_PARTITION__"
LEFT_BEHIND = re.compile(
    r"\..*|.*\.crc|_SUCCESS|_limbeck|_metadata|_common_metadata|_temporary|_delta_log|_started_.*|"
    r"_committed_.*|__MACOSX"
)
"""Hidden files, and what Spark, Hadoop, Delta, macOS and limbeck itself put beside data."""


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
class Joined:
    """Files that one split is put together from, and that no program numbered as the parts of one whole.

    Attributes:
        split: the split.
        groups: names of the files; numbered parts of one whole are one group.
    """

    split: str
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ReadPlan:
    """What to read, in order.

    Attributes:
        sources: what is read.
        unread: names of what lies there and is not read.
        joined: splits that are put together from different files.
        notes: how names were understood where they can be understood in another way.
    """

    sources: tuple[SourceFile | LabelFolders, ...]
    unread: tuple[str, ...] = ()
    joined: tuple[Joined, ...] = ()
    notes: tuple[ReadNote, ...] = ()


def plan_file(path: Path) -> ReadPlan:
    """ReadPlan a lone file: it is train, or the split that a word of its name tells."""
    return _told(ReadPlan(sources=(_file(path, split_of(path.stem) or "train"),)))


def plan_folder(folder: Path, suffixes: frozenset[str]) -> ReadPlan:
    """Find out what a folder holds.

    Understood are files that name their splits, one lone file or the numbered parts of one, folders that name splits,
    a folder a label with a text file a text, `key=value` folders, and what `save_to_disk` of Hugging Face's datasets
    wrote.

    Args:
        folder: the folder.
        suffixes: of the files that can be read, lower case, with the dot.

    Raises:
        DataError: nothing there can be read, or it can be understood in two ways.
        StorageError: something there cannot be read.
    """
    if (folder / DICTIONARY_NAME).is_file() or (folder / STATE_NAME).is_file():
        return _plan_saved(folder, suffixes)
    listing = _Listing(folder, suffixes)
    split_files = [file for file in listing.files if split_of(file.name)]
    split_folders = [entry for entry in listing.folders if split_of(entry.name)]
    if listing.keyed and listing.files:
        _refuse_both(folder, "files", listing.files[0], "key=value folders", listing.keyed[0])
    if split_files and split_folders:
        _refuse_both(folder, "split files", split_files[0], "split folders", split_folders[0])
    if split_files:
        sources = [_file(file, split_of(file.name) or "train") for file in split_files]
        return _told(_in_order(ReadPlan(sources=tuple(sources), unread=listing.beside(split_files))))
    if listing.keyed:
        return _plan_keyed(listing, "train")
    if split_folders:
        return _plan_split_folders(listing, split_folders)
    return _plan_without_splits(listing)


def _refuse_both(folder: Path, files: str, file: Path, folders: str, inner: Path) -> NoReturn:
    raise DataError(f"{folder} has both {files} ({file.name}) and {folders} ({inner.name}/): name the one to read")


def _plan_without_splits(listing: "_Listing") -> ReadPlan:
    """ReadPlan a folder in which no name tells a split."""
    folder, files = listing.folder, listing.files
    if len(listing.text_folders) > 1:
        return _plan_labels(listing, "train")
    if files and len({whole_of(file.name) for file in files}) == 1:
        return ReadPlan(sources=tuple(_file(file, "train") for file in files), unread=listing.beside(files))
    if files:
        names = ", ".join(file.name for file in files[:5])
        raise DataError(
            f"{folder} holds {len(files)} files whose names tell no split ({names}): "
            "name them train, validation and test, or name the one file to read"
        )
    if [entry.name for entry in listing.folders] == ["data"]:
        return plan_folder(folder / "data", listing.suffixes)
    if listing.text_folders:
        raise DataError(
            f"{folder} holds one folder with .txt files, {listing.text_folders[0].name}/: where folders are labels "
            "there are two or more, and where they are splits they are called train, validation and test. "
            "Name the file or folder to read"
        )
    return _plan_labels(listing, "train")


class _Listing:
    """What lies in a folder: data files, folders, and the rest; what programs leave behind does not count.

    An empty file is no data beside files that are not: Spark writes one for each part without rows.
    """

    def __init__(self, folder: Path, suffixes: frozenset[str]) -> None:
        self.folder = folder
        self.suffixes = suffixes
        self.entries = _entries(folder)
        files = [entry for entry in self.entries if entry.suffix.lower() in suffixes and entry.is_file()]
        files = [entry for entry in files if entry.name not in NO_DATA]
        with explained(folder, doing="read"):
            full = [file for file in files if file.stat().st_size]
        self.files = full or files
        self.folders = [entry for entry in self.entries if entry.is_dir()]
        self.text_folders = [entry for entry in self.folders if _texts(entry)]
        self.keyed = [entry for entry in self.folders if _KEYED.fullmatch(entry.name)]

    def beside(self, read: list[Path], prefix: str = "") -> tuple[str, ...]:
        """Name the entries that are not read."""
        taken = set(read)
        return tuple(f"{prefix}/{entry.name}" if prefix else entry.name for entry in self.entries if entry not in taken)

    @property
    def holds_texts_alone(self) -> bool:
        """True where the data are .txt files, with no other file or folder of texts beside them."""
        return (
            bool(self.files)
            and all(file.suffix.lower() == ".txt" for file in self.files)
            and not self.text_folders
            and not self.keyed
        )


def _plan_split_folders(listing: _Listing, split_folders: list[Path]) -> ReadPlan:
    """ReadPlan folders that name splits, unless other folders beside them say that all of them are labels."""
    folder = listing.folder
    inside = {entry: _Listing(entry, listing.suffixes) for entry in split_folders}
    texts_alone = all(one.holds_texts_alone for one in inside.values())
    others = [entry for entry in listing.text_folders if entry not in split_folders]
    if others and texts_alone:
        named = [entry for entry in split_folders if split_of(entry.name) != "unsupervised"]
        if any(len(_texts(entry)) == 1 for entry in named):
            raise DataError(
                f"{folder} can be understood in two ways: {named[0].name}/ is a split, and {others[0].name}/ is not "
                f"read; or both are labels, with a text in each .txt file. For splits take {others[0].name}/ out of "
                f"{folder}; for labels give {named[0].name}/ a name that is no split's"
            )
        return _plan_labels(listing, "train")
    plans = [_plan_split(one) for one in inside.values()]
    plan = ReadPlan(
        sources=tuple(source for one in plans for source in one.sources),
        unread=listing.beside(split_folders) + tuple(name for one in plans for name in one.unread),
    )
    if texts_alone:
        names = ", ".join(f"{entry.name}/" for entry in split_folders)
        note = ReadNote(what=_LINES_OF_SPLITS, rows=len(split_folders), example=names)
        plan = replace(plan, notes=(note,))
    return _in_order(plan)


_LINES_OF_SPLITS = "folders read as splits, each line of their .txt files as a row"


def _plan_split(listing: _Listing) -> ReadPlan:
    """ReadPlan a folder that is one split: data files, `key=value` folders, or folders a label."""
    folder = listing.folder
    split = split_of(folder.name) or "train"
    if (folder / STATE_NAME).is_file():
        return ReadPlan(sources=saved_files(folder, split))
    if listing.keyed:
        return _plan_keyed(listing, split)
    if listing.text_folders:
        return _plan_labels(listing, split, prefix=folder.name)
    if not listing.files:
        raise DataError(f"{folder} holds nothing that can be read: data files, or a folder of .txt files a label")
    sources = tuple(_file(file, split) for file in listing.files)
    return ReadPlan(sources=sources, unread=listing.beside(listing.files, folder.name))


def _plan_saved(folder: Path, suffixes: frozenset[str]) -> ReadPlan:
    """ReadPlan what `save_to_disk` wrote: one data set, or a folder a split."""
    if (folder / STATE_NAME).is_file():
        return ReadPlan(sources=saved_files(folder, "train"))
    listing = _Listing(folder, suffixes)
    names = saved_splits(folder)
    sources = tuple(file for name in names for file in saved_files(folder / name, SPLIT_WORDS.get(name.lower(), name)))
    return _in_order(ReadPlan(sources=sources, unread=listing.beside([folder / name for name in (*names, *NO_DATA)])))


def _plan_keyed(listing: _Listing, split: str) -> ReadPlan:
    """ReadPlan `key=value` folders, one in another: every file in them is a part, and the keys are columns."""
    sources: list[SourceFile | LabelFolders] = []
    unread: list[str] = []

    def walk(inner: _Listing, cells: dict[str, str | None]) -> None:
        sources.extend(replace(_file(file, split), cells=cells) for file in inner.files)
        for entry in inner.keyed:
            key, _, value = entry.name.partition("=")
            walk(_Listing(entry, inner.suffixes), {**cells, unquote(key): None if value == _NULL else unquote(value)})
        where = "" if inner is listing else inner.folder.relative_to(listing.folder).as_posix()
        unread.extend(inner.beside([*inner.files, *inner.keyed], where))

    walk(listing, {})
    if not sources:
        raise DataError(f"{listing.folder} holds key=value folders without a file that can be read in them")
    return ReadPlan(sources=tuple(sources), unread=tuple(unread))


def _plan_labels(listing: _Listing, split: str, prefix: str = "") -> ReadPlan:
    """ReadPlan a folder with a folder of text files a label; one named as unlabelled is the unsupervised split."""
    folders = listing.text_folders
    if not folders:
        raise DataError(
            f"{listing.folder} holds nothing that can be read. Read are: files named train, validation, test in "
            f"a known format; a lone file; or one folder a label with .txt files in it"
        )
    unlabelled = [entry for entry in folders if split_of(entry.name) == "unsupervised"]
    labels: dict[str | None, Path] = {}
    for entry in folders:
        # macOS writes Hangul in file names decomposed; the label is the same.
        name = unicodedata.normalize("NFC", entry.name)
        if entry in unlabelled:
            continue
        if name in labels:
            raise DataError(
                f"{listing.folder} has two folders called {name!r}, spelt with other code points: join them"
            )
        labels[name] = entry
    sources: list[SourceFile | LabelFolders] = []
    if labels:
        sources.append(LabelFolders(path=listing.folder, split=split, labels=labels))
    sources += [LabelFolders(path=entry, split="unsupervised", labels={None: entry}) for entry in unlabelled]
    unread = list(listing.beside(folders, prefix))
    for entry in folders:
        texts, where = set(_texts(entry)), f"{prefix}/{entry.name}" if prefix else entry.name
        unread += [f"{where}/{other.name}" for other in _entries(entry) if other not in texts]
    notes = []
    if told := [name for name in labels if name is not None and split_of(name)]:
        notes.append(
            ReadNote(what="folders read as labels, though splits have such names", rows=len(told), example=told[0])
        )
    return ReadPlan(sources=tuple(sources), unread=tuple(unread), notes=tuple(notes))


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
    """List a folder by name; hidden files and what programs leave behind are not data."""
    with explained(folder, doing="read"):
        return sorted(entry for entry in folder.iterdir() if not LEFT_BEHIND.fullmatch(entry.name))


def _told(plan: ReadPlan) -> ReadPlan:
    """Note which word made one lone file a split other than train, where its name says more than that word."""
    file = plan.sources[0]
    if len(plan.sources) > 1 or file.split == "train" or file.path.stem.lower() in SPLIT_WORDS:
        return plan
    word = next(word for word in words_of(file.path.name) if word in SPLIT_WORDS)
    what = f"files read as the split {file.split}, as a word of their names, {word!r}, tells it"
    return replace(plan, notes=(*plan.notes, ReadNote(what=what, rows=1, example=file.path.name)))


def _in_order(plan: ReadPlan) -> ReadPlan:
    """Order sources as splits are shown, files of one split by name, and say which splits are put together."""
    order = {name: place for place, name in enumerate(dict.fromkeys(SPLIT_WORDS.values()))}
    sources = tuple(sorted(plan.sources, key=lambda source: order.get(source.split, len(order))))
    joined = []
    for split in dict.fromkeys(source.split for source in sources):
        groups: dict[str, list[str]] = {}
        for source in sources:
            if source.split == split and isinstance(source, SourceFile) and not source.cells:
                groups.setdefault(whole_of(source.path.name), []).append(source.name)
        if len(groups) > 1:
            joined.append(Joined(split=split, groups=tuple(tuple(names) for names in groups.values())))
    return replace(plan, sources=sources, joined=tuple(joined))


STATE_NAME = "state.json"
DICTIONARY_NAME = "dataset_dict.json"
NO_DATA = (STATE_NAME, DICTIONARY_NAME, "dataset_info.json", "dataset_infos.json", "requirements.txt")
"""Files that lie beside data, have the suffix of data, and hold none."""


def saved_splits(folder: Path) -> list[str]:
    """Return the splits of a saved `DatasetDict`, which are the names of its folders.

    Raises:
        DataError: dataset_dict.json does not list them.
    """
    return _names(read_json(folder / DICTIONARY_NAME), "splits", folder / DICTIONARY_NAME)


def saved_files(folder: Path, split: str) -> tuple[SourceFile, ...]:
    """Return the files of a saved `Dataset`.

    Raises:
        DataError: state.json does not list them, or the rows are in another order than in the files.
        StorageError: there is no state.json.
    """
    state = read_json(folder / STATE_NAME)
    files = state.get("_data_files") if isinstance(state, dict) else None
    listed = [file.get("filename") if isinstance(file, dict) else None for file in files] if files else []
    names = _names({"files": listed}, "files", folder / STATE_NAME)
    if state.get("_indices_data_files"):
        raise DataError(
            f"{folder} keeps the order of its rows in another file: save it again with "
            "dataset.flatten_indices().save_to_disk(...)"
        )
    return tuple(SourceFile(path=folder / name, name=str(folder / name), split=split) for name in names)


def _names(value: Any, key: str, file: Path) -> list[str]:
    names = value.get(key) if isinstance(value, dict) else None
    if not isinstance(names, list) or not names or not all(_is_name(name) for name in names):
        raise DataError(
            f"{file} does not list the parts of a data set, as save_to_disk writes them: save it again, or give the "
            "Arrow files themselves"
        )
    return names


def _is_name(name: Any) -> bool:
    """Tell whether a value is the name of a file or folder, and no path out of this one."""
    return isinstance(name, str) and Path(name).name == name
