"""Reading: a file, a folder, a data set of the hub or the embedded sample becomes a `Dataset`.

In: a source, and options or `ReadSettings`. Out: a `Dataset` with one label map and stable row ids, or one error that
lists what is wrong with the rows. It knows which module reads which source, and none of the formats.
"""

from pathlib import Path
from typing import Unpack

from limbeck.data.assembly import read_plan
from limbeck.data.dataset import Dataset
from limbeck.data.decoding import check_encoding
from limbeck.data.folders import plan_file, plan_folder
from limbeck.data.formats import SUFFIXES, check_readable, reader_of
from limbeck.data.hub import read_hub
from limbeck.data.options import ReadOptions, said_in_python, settings_of, wrong_object
from limbeck.data.sample import SAMPLE, read_sample
from limbeck.hub.ids import is_hub_id
from limbeck.progress import SILENT, Progress
from limbeck.settings import ReadSettings


def read(
    path: str | Path,
    settings: ReadSettings | None = None,
    progress: Progress = SILENT,
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
            text_column, label_column: found by their usual names when not given.
            label_names: names of the classes in the order of their integers.
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
    """
    with said_in_python():
        return read_with(path, settings_of(options, settings, where="read"), progress)


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
    plan = plan_folder(path, SUFFIXES) if path.is_dir() else plan_file(path)
    return read_plan(plan, settings, source=str(source), progress=progress)
