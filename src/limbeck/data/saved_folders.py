"""Folders that `save_to_disk` of Hugging Face's datasets wrote: which of their files hold the rows.

In: such a folder. Out: its Arrow files in order, as state.json lists them. Other files there (caches of `map`, the
description) are no rows.
"""

from pathlib import Path
from typing import Any

from limbeck.data.raw import SourceFile
from limbeck.errors import DataError
from limbeck.storage import read_json

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
