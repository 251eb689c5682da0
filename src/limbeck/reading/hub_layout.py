"""Which files of a data set of the hub belong to which split: as its card says, or as their names and folders tell.

In: the names of a repository's files, and the metadata of its card. Out: `DataFiles`. It goes nowhere and reads no
file; patterns are matched as the hub's own library matches them, and neither they nor the card are trusted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from limbeck.errors import DataError
from limbeck.reading.folders import NO_DATA
from limbeck.reading.split_names import SPLIT_WORDS, split_of

HUB_SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".arrow", ".txt")
"""Files that are read, the preferred ones first where a repository has the same rows in several formats."""
DEFAULT = "default"
_CONVERTED = re.compile(r"(?P<config>[^/]+)/(?P<split>[^/]+)/\d{4}\.parquet")
_PARTIAL = "partial-"
_INDEX = re.compile(r"[0-9]{1,6}")
"""What a card writes before a class's name; digits of other scripts are no index."""

Patterns = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class DataFiles:
    """What to read of a repository.

    Attributes:
        config: the name of the configuration; None where the data set has only one.
        splits: files of each split, under the hub's name of it, in order.
        label_names: column → index → name, as the card declares them.
        unread: data files that belong to no split.
    """

    config: str | None
    splits: Mapping[str, tuple[str, ...]]
    label_names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def find_data_files(
    names: Iterable[str], card: Mapping[str, Any], *, config: str | None, where: str
) -> DataFiles | None:
    """Find the files of a configuration: as the card lists them, else as their names and folders tell.

    Args:
        names: every file of the repository.
        card: the metadata of its README.md; every scalar is a string.
        config: the configuration that was asked for.
        where: what messages call the data set.

    Raises:
        DataError: there is no such configuration, or there are several and none was asked for.
    """
    readable = sorted(
        name
        for name in names
        if name.endswith(HUB_SUFFIXES) and not name.startswith(".") and not name.endswith(NO_DATA)
    )
    if not readable:
        return None
    layouts = _listed(card) or _converted(readable)
    if layouts:
        chosen = _choose(layouts, _default_of(card), config, where)
        told = {split: _matching(readable, patterns) for split, patterns in layouts[chosen].items()}
        splits = {split: files for split, files in told.items() if files}
        if not splits:
            # The card lists files that are packed, or that a script would make.
            return None
        named = None if len(layouts) == 1 and chosen == DEFAULT else chosen
        return DataFiles(config=named, splits=splits, label_names=declared_labels(card, chosen))
    return _guess(readable, card, config, where)


def usual_splits(splits: Iterable[str]) -> dict[str, str]:
    """Return the usual word for each split of the hub: "dev" is validation; a name of its own stays as it is.

    Example:
        >>> usual_splits(["train", "dev", "validation_matched"])
        {'train': 'train', 'dev': 'validation', 'validation_matched': 'validation_matched'}
    """
    names = list(splits)
    usual = {name: SPLIT_WORDS.get(name.lower(), name) for name in names}
    taken = list(usual.values())
    return {name: word if taken.count(word) == 1 else name for name, word in usual.items()}


def declared_labels(card: Mapping[str, Any], config: str) -> dict[str, dict[int, str]]:
    """Return the class names that a card declares for a configuration, by column and index."""
    infos = [info for info in _list(card.get("dataset_info")) if isinstance(info, dict)]
    fitting = [info for info in infos if info.get("config_name", DEFAULT) == config] or (
        infos if len(infos) == 1 else []
    )
    found: dict[str, dict[int, str]] = {}
    for feature in _list(fitting[0].get("features")) if fitting else ():
        name = feature.get("name") if isinstance(feature, dict) else None
        # Several labels per row stand under "sequence" or "list".
        kinds = [feature.get(key) for key in ("dtype", "sequence", "list")] if isinstance(feature, dict) else []
        kind = next((one for one in kinds if isinstance(one, dict)), None)
        kind = kind["dtype"] if kind and isinstance(kind.get("dtype"), dict) else kind
        declared = kind.get("class_label") if kind else None
        names = declared.get("names") if isinstance(declared, dict) else None
        if not isinstance(name, str):
            continue
        if isinstance(names, dict):
            numbered = {str(index): str(one) for index, one in names.items()}
            found[name] = {int(index): one for index, one in numbered.items() if _INDEX.fullmatch(index)}
        elif isinstance(names, list):
            found[name] = dict(enumerate(map(str, names)))
    return found


def _listed(card: Mapping[str, Any]) -> dict[str, dict[str, Sequence[str]]]:
    """Return configuration → split → patterns, as the card lists them."""
    layouts: dict[str, dict[str, Sequence[str]]] = {}
    for item in _list(card.get("configs")):
        if isinstance(item, dict) and item.get("data_files"):
            layouts[str(item.get("config_name", DEFAULT))] = _patterns(item["data_files"], item.get("data_dir"))
    return layouts


def _patterns(files: Any, folder: Any) -> dict[str, Sequence[str]]:
    """Return split → patterns of any of the ways in which a card writes them."""
    prefix = f"{folder}/" if folder else ""
    if isinstance(files, dict):
        files = [{"split": split, "path": path} for split, path in files.items()]
    if isinstance(files, list) and all(isinstance(item, dict) for item in files):
        return {
            str(item["split"]): [f"{prefix}{path}" for path in _list(item.get("path"))]
            for item in files
            if "split" in item
        }
    return {"train": [f"{prefix}{path}" for path in _list(files)]}


def _list(value: Any) -> list[Any]:
    """Return what may be written alone or as a list; nothing for nothing."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _converted(names: Sequence[str]) -> dict[str, dict[str, Sequence[str]]]:
    """Return configuration → split → files of the Parquet that the hub itself makes: CONFIG/SPLIT/0000.parquet."""
    layouts: dict[str, dict[str, Sequence[str]]] = {}
    for name in names:
        found = _CONVERTED.fullmatch(name)
        if found is None:
            return {}
        split = found["split"].removeprefix(_PARTIAL)
        layouts.setdefault(found["config"], {}).setdefault(split, [])
        layouts[found["config"]][split] = [*layouts[found["config"]][split], name]
    return layouts


def _default_of(card: Mapping[str, Any]) -> str | None:
    marked = [item for item in _list(card.get("configs")) if isinstance(item, dict) and item.get("default") == "true"]
    return str(marked[0].get("config_name", DEFAULT)) if marked else None


def _choose(layouts: Mapping[str, Patterns], default: str | None, config: str | None, where: str) -> str:
    """Return the configuration to read."""
    wanted = (
        config
        or default
        or (DEFAULT if DEFAULT in layouts else None)
        or (next(iter(layouts)) if len(layouts) == 1 else None)
    )
    if wanted is not None and wanted in layouts:
        return wanted
    what = f"has no configuration {config!r}" if config else "has several configurations, none of them the default"
    raise DataError(f"{where} {what}: write #NAME after it, one of {', '.join(list(layouts)[:30])}")


def _matching(names: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    read = [_pieces(pattern.removeprefix("./")) for pattern in patterns]
    return tuple(name for name in names if any(_matches(name, pieces) for pieces in read))


_PIECE = re.compile(
    r"(?P<folders>\*\*/)|(?P<any>\*\*)|(?P<part>\*)|(?P<one>\?)|\[(?P<set>[!^]?[^]/][^]/]*)\]|(?P<sign>.)", re.DOTALL
)


def _pieces(pattern: str) -> list[re.Match[str]]:
    """Take a pattern of the hub apart: `*` stays in a folder, `**` does not, `[!a-c]` is any other sign."""
    return list(_PIECE.finditer(pattern))


def _matches(name: str, pieces: Sequence[re.Match[str]]) -> bool:
    """Tell whether a name is of a pattern, in time that grows with both lengths and no faster, whoever wrote it.

    Kept are the places in the name at which the pieces so far can end.
    """
    places = {0}
    for piece in pieces:
        kind = piece.lastgroup
        if kind in ("folders", "any", "part") and places:
            places = _stretched(name, places, kind)
        else:
            places = {at + 1 for at in places if at < len(name) and _is_sign(name[at], piece)}
        if not places:
            return False
    return len(name) in places


def _stretched(name: str, places: set[int], kind: str) -> set[int]:
    """Return where a piece that stands for any number of signs can end."""
    reached, running = set(), False
    for at in range(len(name) + 1):
        running = running or at in places
        if running and kind == "part" and at not in places and name[at - 1] == "/":
            running = False
        if running and (kind != "folders" or at in places or name[at - 1] == "/"):
            reached.add(at)
    return reached


def _is_sign(sign: str, piece: re.Match[str]) -> bool:
    if piece["sign"] is not None:
        return sign == piece["sign"]
    if sign == "/":
        return False
    if piece["one"] is not None:
        return True
    among: str = piece["set"]
    is_other = among[0] in "!^" and len(among) > 1
    inside = among[1:] if is_other else among
    ranges = re.findall(r"(.)-(.)|(.)", inside, re.DOTALL)
    return any(low <= sign <= high if low else sign == single for low, high, single in ranges) != is_other


def _guess(names: Sequence[str], card: Mapping[str, Any], config: str | None, where: str) -> DataFiles:
    """Tell splits by names and folders; a configuration is a folder then."""
    if config is not None:
        inside = [name for name in names if name.startswith(f"{config}/")]
        if not inside:
            folders = sorted({name.split("/")[0] for name in names if "/" in name})
            raise DataError(
                f"{where} has no configuration {config!r}; "
                + (f"its folders are {', '.join(folders[:30])}" if folders else "it has only one: leave # out")
            )
        names = inside
    suffix = next(suffix for suffix in HUB_SUFFIXES if any(name.endswith(suffix) for name in names))
    kept = [name for name in names if name.endswith(suffix)]
    told = {name: split for name in kept if (split := _split_of_path(name)) is not None}
    splits: dict[str, list[str]] = {}
    places: dict[str, set[str]] = {}
    for name in told or kept:
        split = told.get(name, "train")
        splits.setdefault(split, []).append(name)
        places.setdefault(split, set()).add(_place_of(name))
    if several := next((found for found in places.values() if len(found) > 1), None):
        raise DataError(f"{where} keeps one split in several folders: write #FOLDER after it, one of {_few(several)}")
    return DataFiles(
        config=config,
        splits={split: tuple(files) for split, files in splits.items()},
        label_names=declared_labels(card, config or DEFAULT),
        unread=tuple(name for name in names if name not in (told or kept)),
    )


def _few(names: Iterable[str]) -> str:
    return ", ".join(sorted(name or "." for name in names)[:30])


def _split_of_path(name: str) -> str | None:
    """Return the split that a file's name tells, or else the nearest folder's."""
    path = PurePosixPath(name)
    return next((split for part in (path.stem, *reversed(path.parts[:-1])) if (split := split_of(part))), None)


def _place_of(name: str) -> str:
    """Return a file's folder without those that only say the split."""
    return "/".join(part for part in PurePosixPath(name).parts[:-1] if split_of(part) is None)
