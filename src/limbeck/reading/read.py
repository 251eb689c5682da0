"""Reading: a file, a folder, a data set of the hub or the embedded sample becomes a `Dataset`.

In: a source, and options by keyword or `ReadSettings`. Out: a `Dataset` with one label map and stable row ids, or one
error that lists what is wrong with the rows, in the words of Python or of the command line. It knows which module reads
which source, and none of the formats.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError, SettingsError
from limbeck.hub.ids import is_hub_id
from limbeck.progress import SILENT, Progress, ProgressLike, as_progress
from limbeck.reading.assembly import read_plan
from limbeck.reading.decoding import check_encoding
from limbeck.reading.folders import plan_file, plan_folder
from limbeck.reading.formats import READ_SUFFIXES, check_readable, reader_of
from limbeck.reading.hub_datasets import read_hub
from limbeck.reading.sample import SAMPLE, read_sample
from limbeck.setting_tables import build
from limbeck.settings import OnBadRow, ReadSettings, TaskKind

_NAMED = (
    "(on-bad-row|text-column|label-columns|label-column|label-separator|label-names|label-order|min-label-rows|"
    "empty-labels|label-parents|task|encoding)"
)
_VALUED_OPTION = re.compile(
    rf"--{_NAMED} (skip\b|unlabelled\b|(?:single|multi|ordinal|regression)\b|[a-z]+[\d-][\w-]*)"
)
_OPTION = re.compile(rf"--{_NAMED}")


class ListOptions(TypedDict, total=False):
    """The keywords of `from_lists`: fields of `ReadSettings`, which says what they mean."""

    label_names: Sequence[str] | None
    label_order: Sequence[str] | None
    label_separator: str | None
    min_label_rows: int | None
    label_parents: bool
    empty_labels: Literal["unlabelled"] | None
    task: TaskKind | None
    on_bad_row: OnBadRow


class ReadOptions(ListOptions, total=False):
    """The keywords of `read`, `from_pandas` and their like: the fields of `ReadSettings`, which says what they mean."""

    text_column: str | None
    label_column: str | None
    label_columns: Sequence[str] | None
    encoding: str
    labels: Literal["required", "optional", "ignored"]


def settings_with(options: Mapping[str, Any], settings: ReadSettings | None = None, *, where: str) -> ReadSettings:
    """Return the settings with these options laid over them.

    Raises:
        SettingsError: an option is not known, or has a value of a wrong type.
    """
    given = dict(options)
    for key in ("label_names", "label_order", "label_columns"):
        names = given.get(key)
        # One string is no list of names; it is left as it is, for the check to say so.
        if isinstance(names, Sequence) and not isinstance(names, str):
            given[key] = tuple(names)
    return build(ReadSettings, asdict(settings or ReadSettings()), given, where=where)


def wrong_object(value: object, *, where: str, takes: str) -> SettingsError:
    """Return the error about an object that `where` does not take, with what reads such an object."""
    kind, home = type(value).__name__, type(value).__module__.partition(".")[0]
    what = kind if home == "builtins" else f"{kind} of {home}"
    return SettingsError(
        f"{where} takes {takes}, not {what}: a DataFrame is read by limbeck.from_pandas, a polars frame by "
        "limbeck.from_polars, an Arrow table by limbeck.from_arrow, texts in a list by limbeck.from_lists, a file or "
        "folder by limbeck.read"
    )


@contextmanager
def said_in_python() -> Iterator[None]:
    """Name settings as Python does, `on_bad_row="skip"`, where advice names the options of the command line."""
    try:
        yield
    except (DataError, SettingsError) as error:
        said = _VALUED_OPTION.sub(lambda found: f'{found[1].replace("-", "_")}="{found[2]}"', str(error))
        said = _OPTION.sub(lambda found: found[1].replace("-", "_"), said).replace("--overwrite", "overwrite=True")
        if said == str(error):
            raise
        raise type(error)(said) from error.__cause__


def read(
    path: str | Path,
    settings: ReadSettings | None = None,
    progress: ProgressLike = SILENT,
    **options: Unpack[ReadOptions],
) -> Dataset:
    """Read texts, labelled or not.

    Args:
        path: a file (.csv .tsv .xlsx .jsonl .json .parquet .arrow .feather .txt), a folder of split files, a folder
            with one folder per label, "sample", or a data set of the Hugging Face hub,
            "hub:OWNER/NAME@REVISION#CONFIG/SPLIT" (revision, configuration and splits may be left out).
        settings: how it is read; the options below are laid over them.
        progress: follows the reading.
        **options: fields of `ReadSettings` by keyword:
            text_column, label_column: found by their usual names when not given; `text_column="a,b"` reads the texts of
                two columns as pairs.
            label_columns: several labels per row, each a column of 0 and 1.
            label_separator: what stands between several labels in one text.
            label_names: names of the classes in the order of their integers.
            label_order: the classes from the lowest to the highest, for task="ordinal".
            min_label_rows: labels of several that fewer rows have are left out.
            label_parents: rows get the parents of their labels, too: who has role::program has role.
            empty_labels: "unlabelled" if a row with an empty set of labels is one that nobody labelled.
            task: "single", "multi" (any number of labels per row), "ordinal" or "regression"; told from the data when
                not given.
            encoding: of text files, a Python codec name ("utf-8").
            on_bad_row: "error" gathers and raises, "keep-replacement" keeps undecodable bytes as U+FFFD, "skip" leaves
                rows at fault out; what was done is counted in the dataset's notes.
            labels: "required" (every row has one), "optional" (a row may have one), or "ignored" (the texts alone are
                read: `read("reviews.txt", labels="ignored")`).

    Raises:
        DataError: rows are at fault, with file, row and column.
        SettingsError: the encoding or the label names are wrong.
        StorageError: the source is not there or cannot be opened.
        HubError: the hub was asked for, and it or the network said no.

    Example:
        >>> read("reviews.csv", labels="optional").label_names
        ('joy', 'sadness')
    """
    progress = as_progress(progress)
    with said_in_python():
        return read_with(path, settings_with(options, settings, where="read"), progress)


def read_with(source: str | Path, settings: ReadSettings | None = None, progress: Progress = SILENT) -> Dataset:
    """Read labelled texts as `settings` say; see `read`.

    Row ids are "split:n", where n is the row's number in its file, the same that messages use; rows that are left out
    keep their numbers, and further files of the same split go on counting. Of a single file that is read without its
    labels they are the numbers alone. A `row_id` column is kept as it is.

    Raises:
        DataError: rows are at fault, with file, row and column.
        SettingsError: the encoding or the label names are wrong.
        StorageError: the source is not there or cannot be opened.
        HubError: the hub was asked for, and it or the network said no.
    """
    if not isinstance(source, str | Path):
        raise wrong_object(source, where="read", takes="a path")
    settings = settings or ReadSettings()
    check_encoding(settings.encoding)
    if str(source) == SAMPLE:
        return read_sample(progress, settings)
    if is_hub_id(source):
        return read_hub(str(source), settings, progress)
    path = Path(source)
    check_readable(path)
    if not path.is_dir():
        reader_of(path)
    plan = plan_folder(path, READ_SUFFIXES) if path.is_dir() else plan_file(path)
    return read_plan(plan, settings, source=str(source), progress=progress)
