"""Input files: which files a pattern, a folder or a name means, in an order that stays.

In: words of a person. Out: paths, of this machine or of a store, and what lies beside them. It opens nothing.
"""

import glob
import re
from dataclasses import dataclass
from pathlib import Path

from limbeck.data.dataset import ReadNote
from limbeck.errors import DataError, StorageError
from limbeck.reading.folders import LEFT_BEHIND
from limbeck.reading.formats import check_readable
from limbeck.reading.pieces import CUT_SUFFIXES, can_be_cut
from limbeck.remote_files import RemotePath, files_in, files_like, path_of
from limbeck.storage import explained

_KEYED = re.compile(r"[^=/]+=[^/]*")
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class FoundFiles:
    """Files to answer.

    Attributes:
        paths: in the order of their names, numbers in them by size: part-2 stands before part-10.
        notes: what lies beside them and is not read.
    """

    paths: tuple[Path, ...]
    notes: tuple[ReadNote, ...] = ()

    @property
    def above(self) -> Path:
        """The folder that all of them are in, however deep."""
        first = self.paths[0].parent
        above = (first, *first.parents)
        return next(folder for folder in above if all(path.is_relative_to(folder) for path in self.paths))


def is_pattern(source: str) -> bool:
    """Tell whether words mean several files: a pattern with `*`, `?` or `[…]` that is no file's own name."""
    return glob.has_magic(source) and not path_of(source).exists()


def find_input_files(source: str) -> FoundFiles:
    """Find the files of a pattern, of a folder and the folders in it, or the one that is named.

    Raises:
        DataError: there are none, or none that can be cut into pieces.
        StorageError: nothing is there, or a store says no.
        SettingsError: it is a store that is not read.
    """
    path = path_of(source)
    if is_pattern(source):
        with explained(path, doing="read"):
            found: list[Path] = [*files_like(source)] if isinstance(path, RemotePath) else _globbed(path)
        if not found:
            raise StorageError(f"cannot read {source}: no file has such a name; put the pattern in quotes")
        within = [file for file in found if isinstance(file, RemotePath) or file.is_file()]
    elif path.is_dir():
        with explained(path, doing="read"):
            within = [*files_in(path)] if isinstance(path, RemotePath) else _files_below(path)
        within = [file for file in within if not any(map(LEFT_BEHIND.fullmatch, file.relative_to(path).parts))]
        if keyed := [file for file in within if any(map(_KEYED.fullmatch, file.relative_to(path).parts[:-1]))]:
            raise DataError(
                f"{keyed[0]} stands in a folder whose name is a column's value, which would be lost here: write the "
                "column into the files, or give a pattern of the files"
            )
    else:
        if isinstance(path, RemotePath):
            path.stat()
        else:
            check_readable(path)
        within = [path]
    return _those_to_read(within, source)


def _globbed(pattern: Path) -> list[Path]:
    return [Path(name) for name in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207  # a Path globs from a folder only


def _files_below(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def _those_to_read(within: list[Path], source: str) -> FoundFiles:
    within.sort(key=_natural_key)
    paths = tuple(file for file in within if can_be_cut(file))
    if not paths:
        raise DataError(
            f"{source} holds no file that can be worked on in units: {', '.join(CUT_SUFFIXES)} can, all but Parquet "
            "also as .gz or .zst; give one file of another format, and it is read as a whole"
        )
    beside = [str(file) for file in within if file not in set(paths)]
    what = "files and folders beside the data, not read"
    notes = (ReadNote(what=what, rows=len(beside), example=", ".join(beside[:_SHOWN])),) if beside else ()
    return FoundFiles(paths=paths, notes=notes)


def _natural_key(path: Path) -> list[tuple[str, int]]:
    """Order names as people do, by the size of the numbers in them, folder by folder."""
    pieces = (piece for part in path.parts for piece in (*re.split(r"(\d+)", part), ""))
    return [("", int(piece)) if piece.isdecimal() else (piece, 0) for piece in pieces]
