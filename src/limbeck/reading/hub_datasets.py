"""Data sets of the Hugging Face hub: their files are found, fetched, and read as any files are.

In: a `hub:` id and `ReadSettings`. Out: a `Dataset` whose source names the exact commit. No script is run: data are
Parquet, JSON lines or CSV files, the repository's own or those that the hub made of them.
It does not know which file belongs to which split (`hub_layout`).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from limbeck.data.dataset import SPLIT_ORDER, UNLABELLED_SPLIT, Dataset, ReadNote
from limbeck.errors import DataError, HubError
from limbeck.hub.download import fetch
from limbeck.hub.ids import HUB_PREFIX, HubId, parse_hub_id
from limbeck.hub.repository import Repository, find_repository
from limbeck.progress import SILENT, Progress
from limbeck.reading.assembly import read_plan
from limbeck.reading.columns import find_columns
from limbeck.reading.folders import ReadPlan
from limbeck.reading.hub_layout import DataFiles, find_data_files, usual_splits
from limbeck.reading.raw import SourceFile
from limbeck.settings import ReadSettings

HUB_CARD_NAME = "README.md"
CONVERTED = "refs/convert/parquet"
"""The revision at which the hub keeps its own Parquet of a data set."""
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


def read_hub(source: str, settings: ReadSettings, progress: Progress = SILENT) -> Dataset:
    """Read a data set of the hub.

    The label names are those that the files or the card declare, in the hub's order. "validation", "dev" and so on
    become the usual split names. A split in which the hub hides the labels (-1 in every row) is read as unsupervised.

    Args:
        source: "hub:OWNER/NAME", see `limbeck.hub.ids`.
        settings: how files become a dataset.
        progress: follows the download and the reading, and is told what the hub said.

    Raises:
        SettingsError: `source` is written in another way.
        MissingExtraError: the client library is not installed.
        HubError: the hub or the network said no.
        DataError: no file of it can be read, or rows are at fault.
    """
    place = parse_hub_id(source, has_data=True)
    repository, layout = _find(place, progress)
    chosen = _choose_splits(layout, place)
    fetched = fetch(repository, [name for files in chosen.values() for name in files], progress)
    usual = usual_splits(chosen)
    sources: list[SourceFile] = []
    notes: list[ReadNote] = []
    for split, names in chosen.items():
        files = [
            SourceFile(
                path=fetched / name,
                name=f"{HUB_PREFIX}{place.repo}/{name}",
                split=usual[split],
                label_names=layout.label_names,
            )
            for name in names
        ]
        if (hidden := _hidden_labels(files, settings)) is not None:
            files = [replace(file, split=UNLABELLED_SPLIT) for file in files]
            what = f"rows of {split} whose labels the hub hides (-1), read as {UNLABELLED_SPLIT}"
            notes.append(ReadNote(what=what, rows=hidden, example=files[0].name))
        sources += files
    exact = str(replace(repository.pinned, config=layout.config))
    plan = ReadPlan(sources=tuple(sources), unread=layout.unread)
    dataset = read_plan(plan, settings, source=exact, progress=progress)
    return replace(dataset, notes=(*dataset.notes, *notes))


def _find(place: HubId, progress: Progress) -> tuple[Repository, DataFiles]:
    """Find a data set's files: its own, or where none of them can be read, those that the hub made of them."""
    repository = find_repository(place, "dataset", progress)
    layout = find_data_files(repository.files, _card_of(repository, progress), config=place.config, where=str(place))
    if layout is not None:
        return repository, layout
    there = ", ".join(name for name in sorted(repository.files) if not name.startswith("."))[:200] or "nothing"
    advice = "limbeck reads Parquet, JSON, JSON lines, CSV, TSV, Arrow and text;label files, and never runs a script"
    if place.revision is not None:
        raise DataError(f"{place} has no file that can be read (it has {there}): {advice}")
    progress.say(f"{place} has no file that can be read as it is ({there}); the hub's own Parquet of it is used")
    try:
        converted = find_repository(replace(place, revision=CONVERTED), "dataset", progress)
    except HubError as error:
        raise DataError(
            f"{place} has no file that can be read (it has {there}), and the hub has made no Parquet of it "
            f"({error}): {advice}"
        ) from error
    layout = find_data_files(converted.files, {}, config=place.config, where=str(place))
    if layout is None:
        raise DataError(f"{place} has no file that can be read (it has {there}): {advice}")
    return converted, layout


def _card_of(repository: Repository, progress: Progress) -> Mapping[str, Any]:
    """Return the metadata at the top of a repository's README.md."""
    if HUB_CARD_NAME not in repository.files:
        return {}
    import yaml

    path = fetch(repository, [HUB_CARD_NAME], progress) / HUB_CARD_NAME
    found = _FRONT_MATTER.match(path.read_text("utf-8", errors="replace"))
    try:
        # This loader makes strings and nothing else: a class called no is not False.
        card = yaml.load(found[1], Loader=yaml.BaseLoader) if found else {}  # noqa: S506
    except yaml.YAMLError as error:
        said = str(error).splitlines()[0]
        progress.say(f"{repository.place}: the card's metadata are no valid YAML ({said}); file names tell the splits")
        card = {}
    return card if isinstance(card, dict) else {}


def _choose_splits(layout: DataFiles, place: HubId) -> dict[str, tuple[str, ...]]:
    """Return the splits that were asked for, by the hub's names or the usual ones."""
    usual = usual_splits(layout.splits)
    unknown = [name for name in place.splits if name not in usual and name not in usual.values()]
    if unknown:
        raise DataError(f"{place} has no split {unknown[0]!r}: it has {', '.join(layout.splits)}")
    wanted = [name for name in layout.splits if not place.splits or {name, usual[name]} & set(place.splits)]
    order = {name: number for number, name in enumerate(SPLIT_ORDER)}
    wanted.sort(key=lambda name: order.get(usual[name], len(order)))
    return {name: layout.splits[name] for name in wanted}


def _hidden_labels(files: list[SourceFile], settings: ReadSettings) -> int | None:
    """Return how many rows a split has if each of its labels is -1, as the hub writes a label that is kept secret."""
    rows = 0
    for file in files:
        if file.split in ("train", UNLABELLED_SPLIT) or file.path.suffix != ".parquet":
            return None
        try:
            parquet = pyarrow.parquet.ParquetFile(file.path)
            column = find_columns(parquet.schema_arrow.names, settings, file=file.name, split=file.split).label
            labels = pa.nulls(0) if column is None else parquet.read(columns=[column])[column]
        except (pa.ArrowException, OSError, DataError):
            # What is wrong with the file, reading it will say.
            return None
        if not pa.types.is_integer(labels.type) or not len(labels) or not pc.all(pc.equal(labels, -1)).as_py():
            return None
        rows += len(labels)
    return rows or None
