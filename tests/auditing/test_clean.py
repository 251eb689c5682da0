import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.auditing.audit import audit
from limbeck.auditing.clean import KINDS, clean, write_cleaning
from limbeck.auditing.near import find_near_duplicates
from limbeck.auditing.resplit import resplit
from limbeck.auditing.staying import leaking
from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.reading.read import read_with
from limbeck.settings import CleanSettings, ReadSettings, SplitSettings

POOL = (
    "the film was good and i liked it", "The film was good, and I liked it!", "the film was good and we liked it",
    "nothing here", "", "  ", "joy", "broken â€™ text", "<br> markup here", "a completely other sentence stands here",
)  # fmt: skip
POLICIES = ("drop", "keep-first", "keep-majority")
ROWS = st.lists(
    st.tuples(
        st.sampled_from(POOL),
        st.sampled_from(["joy", "sad", None]),
        st.sampled_from(["train", "validation", "test", "unsupervised"]),
    ),
    min_size=1,
    max_size=25,
)


def dataset_of(rows: list[tuple[str, str | None, str]]) -> Dataset:
    names = ("joy", "sad")
    table = pa.table(
        {
            "row_id": [f"r{place}" for place in range(len(rows))],
            "split": pa.array([split for _, _, split in rows], pa.string()).dictionary_encode(),
            "text": [text for text, _, _ in rows],
            "label": [None if label is None else names.index(label) for _, label, _ in rows],
        },
        schema=CORE_SCHEMA,
    )
    return Dataset(table=table, label_names=names, source="memory")


@pytest.mark.slow
@settings(deadline=None)
@given(ROWS, st.sets(st.sampled_from(KINDS), min_size=1), st.sampled_from(POLICIES))
def test_every_row_is_kept_or_logged(rows, kinds: set[str], policy: str) -> None:
    """Rows in are rows out and rows in the log, each once; kept rows are unchanged; every reason was asked for."""
    dataset = dataset_of(rows)
    try:
        cleaning = clean(dataset, CleanSettings(drop=tuple(kinds), on_conflict=policy))
    except DataError:
        return
    gone = cleaning.removed["row_id"].to_pylist()
    kept = cleaning.dataset.row_ids
    assert sorted(gone + kept) == sorted(dataset.row_ids)
    before = {row["row_id"]: row for row in dataset.table.to_pylist()}
    assert all(before[row["row_id"]] == row for row in cleaning.dataset.table.to_pylist())
    assert kept == [row for row in dataset.row_ids if row in set(kept)]
    for row in cleaning.removed.to_pylist():
        assert row["reason"].split(",")[0] in kinds
        assert row["text"] == before[row["row_id"]]["text"]
        assert row["because_of"] != row["row_id"]
    assert sum(cleaning.counts.values()) == len(gone)


def test_a_dataset_is_never_emptied() -> None:
    """When every row would go, that is said instead."""
    with pytest.raises(DataError, match="nothing would be left of memory"):
        clean(dataset_of([("", "joy", "train")]), CleanSettings(drop=("empty",)))


@pytest.mark.slow
@settings(deadline=None)
@given(ROWS, st.sampled_from(POLICIES))
def test_what_was_dropped_is_not_found_again(rows, policy: str) -> None:
    """After dropping everything, an audit finds no leak, conflict, exact duplicate or dropped fault."""
    try:
        cleaned = clean(dataset_of(rows), CleanSettings(drop=KINDS, on_conflict=policy)).dataset
    except DataError:
        return
    found = audit(cleaned)
    assert found.leaks.exact.texts == found.leaks.near.groups == found.conflicts.exact.texts == 0
    assert found.duplicates.exact.texts == 0
    assert found.faults["empty"].rows == found.faults["mojibake"].rows == found.faults["html"].rows == 0


@settings(deadline=None)
@given(ROWS)
def test_a_row_goes_because_of_a_row_that_stays(rows) -> None:
    """For leaks and duplicates the row named in the log is still there, with an equal text."""
    cleaning = clean(dataset_of(rows), CleanSettings(drop=("leaks",)))
    texts = dict(zip(cleaning.dataset.row_ids, cleaning.dataset.texts, strict=True))
    for row in cleaning.removed.to_pylist():
        assert texts[row["because_of"]] == row["text"]


def test_leaks_leave_the_evaluation_rows() -> None:
    """Test stays before validation before train, and an unlabelled row goes first."""
    rows = [("t", "joy", "train"), ("t", "joy", "validation"), ("t", "joy", "test"), ("u", None, "unsupervised"),
            ("u", "sad", "train")]  # fmt: skip
    assert clean(dataset_of(rows), CleanSettings(drop=("leaks",))).dataset.row_ids == ["r2", "r4"]


def test_conflict_policies() -> None:
    """Drop them all, or keep those that agree with the first."""
    rows = [("t", "joy", "train"), ("t", "sad", "train"), ("t", "joy", "train"), ("u", "sad", "train")]
    dropped = clean(dataset_of(rows), CleanSettings(drop=("conflicts",)))
    assert dropped.dataset.row_ids == ["r3"]
    assert dropped.removed["because_of"].to_pylist() == ["r1", "r0", "r1"]
    first = clean(dataset_of(rows), CleanSettings(drop=("conflicts",), on_conflict="keep-first"))
    assert first.dataset.row_ids == ["r0", "r2", "r3"]


def test_the_majority_stays_and_a_tie_goes() -> None:
    """232 against 71 is settled by number, not by which row comes first; one against one by nobody."""
    rows = [*[("t", "sad", "train")] * 2, *[("t", "joy", "test")] * 3, ("u", "joy", "train"), ("u", "sad", "train")]
    cleaning = clean(dataset_of(rows), CleanSettings(drop=("conflicts",), on_conflict="keep-majority"))
    assert cleaning.dataset.row_ids == ["r2", "r3", "r4"]
    assert cleaning.removed["because_of"].to_pylist() == ["r2", "r2", "r6", "r5"]
    assert cleaning.removed["reason"].to_pylist()[2:] == ["conflicts, no label is the most frequent"] * 2
    assert cleaning.counts == {"conflicts": 4}


CHAIN = tuple(" ".join(f"word{place}" for place in range(start, start + 24)) for start in range(0, 12, 2))
"""Each text is like the next one, and the ends are not alike at all."""


@pytest.mark.parametrize(
    "splits", [("train",) * 5 + ("test",), ("test",) + ("train",) * 5, ("train", "validation", "train") * 2]
)
@pytest.mark.parametrize("kind", ["near-leaks", "near-duplicates"])
def test_no_row_goes_through_a_chain(splits: tuple[str, ...], kind: str) -> None:
    """A row goes because of a row that stays and is itself like it; no chain counts."""
    dataset = dataset_of([(text, "joy", split) for text, split in zip(CHAIN, splits, strict=True)])
    cleaning = clean(dataset, CleanSettings(drop=(kind,)))
    before = dict(zip(dataset.row_ids, dataset.texts, strict=True))
    kept = set(cleaning.dataset.row_ids)
    for row in cleaning.removed.to_pylist():
        assert row["because_of"] in kept
        assert jaccard(row["text"], before[row["because_of"]]) >= 0.7
    if kind == "near-leaks":
        assert audit(cleaning.dataset).leaks.near.groups == 0
    assert 0 < len(cleaning.removed) < 5


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["train", "validation", "test"])), max_size=15), st.data())
def test_after_leaks_went_no_text_like_it_is_in_another_split(rows: list[tuple[int, str]], data: st.DataObject) -> None:
    """Whatever is like what: no pair across splits is left, and each row that went has such a partner that stays."""
    pairs = data.draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
    text = np.array([number for number, _ in rows], dtype=np.int64)
    split = np.array([("test", "validation", "train").index(name) for _, name in rows], dtype=np.int64)
    because = leaking(text, split, split, np.array(pairs, dtype=np.int64).reshape(-1, 2))
    like = {(one, other) for pair in pairs for one, other in (pair, pair[::-1])} | {(one, one) for one in range(10)}
    kept = np.flatnonzero(because < 0)
    assert not [1 for a in kept for b in kept if split[a] != split[b] and (text[a], text[b]) in like]
    for row in np.flatnonzero(because >= 0):
        assert because[row] in kept
        assert split[because[row]] < split[row]
        assert (text[row], text[because[row]]) in like


def jaccard(one: str, other: str) -> float:
    """The similarity that the audit means, for ASCII letters and digits."""
    runs = [{text[place : place + 5] for place in range(len(text) - 4)} for text in (one, other)]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def test_duplicates_with_other_labels_say_so() -> None:
    """A duplicate whose label differs is logged as such under either policy."""
    rows = [("t", "joy", "train"), ("t", "sad", "train"), ("u", "sad", "train")]
    kept = clean(dataset_of(rows), CleanSettings(drop=("exact-duplicates",), on_conflict="keep-first"))
    assert kept.dataset.row_ids == ["r0", "r2"]
    assert kept.removed["reason"].to_pylist() == ["exact-duplicates, labels differ"]
    gone = clean(dataset_of(rows), CleanSettings(drop=("exact-duplicates",)))
    assert gone.dataset.row_ids == ["r2"]


def test_a_labelled_copy_outlives_an_unlabelled_one() -> None:
    """The first row goes when it alone has no label."""
    rows = [("t", None, "train"), ("t", "sad", "train")]
    assert clean(dataset_of(rows), CleanSettings(drop=("exact-duplicates",))).dataset.row_ids == ["r1"]


def test_unknown_kinds_are_refused_together() -> None:
    """Every unknown word is named, and the known ones."""
    with pytest.raises(SettingsError, match=r"'leeks'(.|\n)*'empties'(.|\n)*near-leaks|exact-duplicates"):
        clean(dataset_of([("t", "joy", "train")]), CleanSettings(drop=("leeks", "empties")))
    with pytest.raises(SettingsError, match="nothing to drop was named"):
        clean(dataset_of([("t", "joy", "train")]), CleanSettings())


def test_the_folder_reads_back(tmp_path: Path) -> None:
    """data/ is a dataset, removed.jsonl has each removed row, clean.json adds up; an existing folder is not touched."""
    rows = [("", "joy", "train"), ("t one", "sad", "train"), ("t one", "sad", "test"), ("두 번째 글", "joy", "test")]
    options = CleanSettings(drop=("empty", "leaks"))
    cleaning = clean(dataset_of(rows), options)
    write_cleaning(cleaning, options, tmp_path / "out")
    back = read_with(tmp_path / "out" / "data", ReadSettings(labels="optional"))
    assert sorted(back.row_ids) == ["r2", "r3"]
    lines = [json.loads(line) for line in (tmp_path / "out" / "removed.jsonl").read_text("utf-8").splitlines()]
    assert [(line["row_id"], line["reason"], line["because_of"]) for line in lines] == [
        ("r0", "empty", None), ("r1", "leaks", "r2"),
    ]  # fmt: skip
    counts = json.loads((tmp_path / "out" / "clean.json").read_text("utf-8"))
    assert counts["rows_in"] == counts["rows_out"] + counts["rows_removed"] == 4
    with pytest.raises(StorageError, match="exists already"):
        write_cleaning(cleaning, options, tmp_path / "out")


@pytest.mark.slow
def test_no_near_duplicate_group_crosses_new_splits() -> None:
    """Stratified, and each group of nearly equal texts in one split, whatever the seed."""
    texts = [f"{subject} {verb} the old house by the river on {day}{mark}"
             for subject in ("anna", "the postman", "a stray dog", "nobody", "my uncle", "the whole village")
             for verb in ("saw", "painted slowly", "ran away from", "forgot about")
             for day in ("monday morning", "a cold wednesday", "the last day of summer")
             for mark in ("", "!", " indeed")]  # fmt: skip
    rows = [(text, ("joy", "sad")[place % 2], "train") for place, text in enumerate(texts)]
    dataset = dataset_of(rows)
    for seed in range(3):
        result = resplit(dataset, SplitSettings(validation_share=0.2, test_share=0.2, seed=seed), near_threshold=0.8)
        group = find_near_duplicates(result.dataset.table["text"], threshold=0.8).group
        split = result.dataset.table["split"].to_pylist()
        homes = {}
        for leader, name in zip(group.tolist(), split, strict=True):
            homes.setdefault(leader, set()).add(name)
        assert all(len(names) == 1 for names in homes.values())
        assert sorted(result.dataset.row_ids) == sorted(dataset.row_ids)
        assert result.groups > 0
        assert audit(result.dataset).leaks.near.groups == 0 or result.groups
