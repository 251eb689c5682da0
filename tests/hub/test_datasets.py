"""Data sets of the hub: found, mapped, recorded."""

import pyarrow.parquet
import pytest

from limbeck import read
from limbeck.errors import DataError, HubError, SettingsError
from limbeck.reading.read import read_with

NAMES = ["sadness", "joy", "love"]
CARD = b"""---
configs:
- config_name: split
  data_files:
  - {split: train, path: split/train-*}
  - {split: validation, path: "split/validation-*"}
  - {split: test, path: split/test-*}
  default: true
- config_name: unsplit
  data_files:
  - {split: train, path: unsplit/train-*}
dataset_info:
- config_name: split
  features:
  - {name: text, dtype: string}
  - name: label
    dtype: {class_label: {names: {'0': sadness, '1': joy, '2': love}}}
---
# Emotion
"""


@pytest.fixture
def emotion(hub, parquet):
    """A repository as dair-ai/emotion is laid out."""
    rows = {"text": ["so sad", "so glad", "my dear"], "label": [0, 1, 2]}
    return hub.add(
        "dataset",
        "dair-ai/emotion",
        {
            "README.md": CARD,
            "split/train-00000-of-00002.parquet": parquet(rows, NAMES),
            "split/train-00001-of-00002.parquet": parquet({"text": ["sad again"], "label": [0]}, NAMES),
            "split/validation-00000-of-00001.parquet": parquet({"text": ["joyful"], "label": [1]}, NAMES),
            "split/test-00000-of-00001.parquet": parquet({"text": ["sorrow"], "label": [0]}, NAMES),
            "unsplit/train-00000-of-00001.parquet": parquet(rows, NAMES),
        },
    )


def test_labels_splits_and_commit_arrive(emotion, heard, hub) -> None:
    """The hub's label order is the label map; shards are in order; the source says the commit and configuration."""
    dataset = read_with("hub:dair-ai/emotion", progress=heard)
    assert dataset.label_names == ("sadness", "joy", "love")
    assert dataset.split_sizes() == {"train": 4, "validation": 1, "test": 1}
    assert dataset.split("train").texts == ["so sad", "so glad", "my dear", "sad again"]
    assert dataset.row_ids[:4] == ["train:1", "train:2", "train:3", "train:4"]
    assert dataset.source == f"hub:dair-ai/emotion@{emotion.sha(0)}#split"
    assert not any("unsplit" in path for _, path, _ in hub.requests), "only what is read is fetched"
    assert heard.done == heard.total > 0, "the bar ends at the sum of the files' sizes"


def test_configuration_splits_and_revision_can_be_chosen(emotion, parquet) -> None:
    """`#config`, `#config/split` and `@revision` each choose; the source that is recorded reads the same again."""
    assert read("hub:dair-ai/emotion#unsplit").split_sizes() == {"train": 3}
    some = read("hub:dair-ai/emotion#/validation,test")
    assert some.split_sizes() == {"validation": 1, "test": 1}
    before = emotion.sha(0)
    emotion.commit(
        {**emotion.commits[0], "split/test-00000-of-00001.parquet": parquet({"text": ["x"], "label": [2]}, NAMES)}
    )
    assert read("hub:dair-ai/emotion").split("test").texts == ["x"]
    assert read(some.source).split("test").texts == ["sorrow"]
    assert some.source == f"hub:dair-ai/emotion@{before}#split/validation,test"


def test_a_changed_revision_is_said(emotion, heard) -> None:
    """Who used the main branch before is told that it is another commit now, and how to keep the earlier one."""
    read("hub:dair-ai/emotion")
    before = emotion.sha(0)
    now = emotion.commit({**emotion.commits[0], "NOTES.md": b"new"})
    read_with("hub:dair-ai/emotion", progress=heard)
    assert f"{before[:12]} is now {now[:12]}" in heard.text
    assert f"hub:dair-ai/emotion@{before}" in heard.text


def test_card_names_serve_files_without_metadata(hub) -> None:
    """CSV has no class names: those of the card are taken, in its order; unusual split names become the usual ones."""
    feature = b"{name: label, dtype: {class_label: {names: [no, yes]}}}"
    card = b"---\ndataset_info:\n  features:\n  - " + feature + b"\n---\n"
    files = {"README.md": card, "train.csv": b"text,label\nfine,1\nbad,0\n", "dev.csv": b"text,label\nso,1\n"}
    hub.add("dataset", "me/csv", files)
    dataset = read("hub:me/csv")
    assert dataset.label_names == ("no", "yes")
    assert dataset.label_name_list() == ["yes", "no", "yes"]
    assert dataset.split_names == ("train", "validation")


def test_unsupervised_rows_and_hidden_labels_are_said(hub, parquet) -> None:
    """-1 everywhere is no label: IMDb's unsupervised split, and a test split whose labels are kept secret."""
    files = {
        "plain_text/train-00000-of-00001.parquet": parquet({"text": ["a", "b"], "label": [0, 1]}, ["neg", "pos"]),
        "plain_text/test-00000-of-00001.parquet": parquet({"text": ["c"], "label": [-1]}, ["neg", "pos"]),
        "plain_text/unsupervised-00000-of-00001.parquet": parquet({"text": ["d"], "label": [-1]}, ["neg", "pos"]),
    }
    hub.add("dataset", "stanfordnlp/imdb", files)
    dataset = read("hub:stanfordnlp/imdb")
    assert dataset.split_sizes() == {"train": 2, "unsupervised": 2}
    hidden = "rows of test whose labels the hub hides (-1), read as unsupervised"
    assert (hidden, 1) in [(note.what, note.rows) for note in dataset.notes]
    assert read("hub:stanfordnlp/imdb#/train").label_names == ("neg", "pos")


def test_a_script_is_never_run(hub, parquet, heard) -> None:
    """A repository with a script only: the hub's own Parquet of it is read, and that is said."""
    repo = hub.add(
        "dataset", "old/script", {"script.py": b"raise SystemExit('run!')", "README.md": b"# no front matter"}
    )
    converted = {"plain/train/0000.parquet": parquet({"text": ["a", "b"], "label": [1, 0]}, ["x", "y"])}
    sha = repo.commit(converted, "refs/convert/parquet")
    dataset = read_with("hub:old/script", progress=heard)
    assert dataset.label_name_list() == ["y", "x"]
    assert dataset.source == f"hub:old/script@{sha}#plain"
    assert "no file that can be read as it is (README.md, script.py); the hub's own Parquet" in heard.text
    assert read(dataset.source).fingerprint() == dataset.fingerprint()


def test_a_script_without_conversion_is_refused(hub) -> None:
    """Nothing to read: the message says what is there and what is read."""
    hub.add("dataset", "old/script", {"script.py": b"x"})
    with pytest.raises(DataError, match=r"no file that can be read .it has script.py.* never runs a script"):
        read("hub:old/script")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("hub:dair-ai/emotion#nosuch", "has no configuration 'nosuch': write #NAME after it, one of split, unsplit"),
        ("hub:dair-ai/emotion#split/nosuch", "has no split 'nosuch': it has train, validation, test"),
    ],
)
def test_wrong_parts_list_what_there_is(emotion, written, said) -> None:
    """A configuration or split that is not there."""
    with pytest.raises(DataError, match=said):
        read(written)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("hub:", "write hub:OWNER/NAME"),
        ("hub:a/b/c", "write hub:OWNER/NAME"),
        ("hub:https://huggingface.co/datasets/dair-ai/emotion", "did you mean hub:dair-ai/emotion"),
        ("hub:a/b@../../etc", "no branch, tag or commit"),
        ("hub:a/b@", "no branch, tag or commit"),
        ("hub:a/b#", "no configuration with splits"),
        ("hub:a/b#c/", "no configuration with splits"),
    ],
)
def test_ids_written_in_another_way(hub, written, said) -> None:
    """Each is refused before anything is asked."""
    with pytest.raises(SettingsError, match=said):
        read(written)
    assert hub.requests == []


def test_a_name_that_leads_outside_is_refused(hub) -> None:
    """A hostile listing cannot write elsewhere."""
    hub.add("dataset", "evil/set", {"../../train.csv": b"text,label\na,b\n"})
    with pytest.raises(HubError, match=r"outside itself"):
        read("hub:evil/set")


def test_faults_of_rows_name_the_place_on_the_hub(hub) -> None:
    """Messages call a file by its place on the hub, not by a path of the cache."""
    hub.add("dataset", "me/csv", {"train.csv": b"text,label\n,1\n"})
    with pytest.raises(DataError, match=r"hub:me/csv/train.csv"):
        read("hub:me/csv")


def test_whole_files_in_the_cache_are_the_clients_own(emotion, tmp_path) -> None:
    """Other libraries find the same files: the cache is huggingface_hub's own, and its check finds no fault."""
    from huggingface_hub import scan_cache_dir, try_to_load_from_cache

    read("hub:dair-ai/emotion")
    path = try_to_load_from_cache("dair-ai/emotion", "split/test-00000-of-00001.parquet", repo_type="dataset")
    assert pyarrow.parquet.read_table(path)["text"].to_pylist() == ["sorrow"]
    report = scan_cache_dir(tmp_path / "hf" / "hub")
    assert [repo.repo_id for repo in report.repos] == ["dair-ai/emotion"]
    assert report.warnings == []
