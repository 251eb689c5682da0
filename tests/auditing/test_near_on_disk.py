import os
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.auditing import near as near_module
from limbeck.auditing import near_on_disk
from limbeck.auditing.distinct_texts import DistinctTexts, distinct_texts
from limbeck.auditing.kept_searches import ABANDONED_S
from limbeck.auditing.near import NearDuplicates, find_near_duplicates
from limbeck.auditing.near_on_disk import find_on_disk, opened_search
from limbeck.auditing.similarity import AlikePairs
from limbeck.errors import LockedError, StorageError
from limbeck.folder_lock import lock
from limbeck.progress import Lines

WORDS = [
    *("so", "it", "is", "fine", "that", "nobody", "in", "the", "old", "village", "knows", "why", "they", "left"),
    *("their", "warm", "kitchens", "before", "dawn"),
]
LITTLE = 40_000
"""Bytes to hold: so few that sixty texts are several parts, each band several runs, and pairs several ranges."""


def drawn_texts(seed: int, bases: int = 12, copies: int = 6) -> list[str]:
    """Texts, copies of them with words changed, equal ones, one template with many fillings, and nearly empty ones."""
    draw = np.random.default_rng(seed)
    texts = [
        "",
        "?!",
        "a",
        "이 영화는 정말 재미있고 배우들의 연기도 훌륭했다",
        "이 영화는 정말 재밌고 배우들의 연기도 훌륭했다",
    ]
    for _ in range(bases):
        base = draw.choice(WORDS, draw.integers(4, 30)).tolist()
        for _ in range(draw.integers(0, copies)):
            copy = list(base)
            copy[draw.integers(len(copy))] = str(draw.choice(WORDS))
            texts.append(" ".join(copy))
    texts += [f"{' '.join(WORDS)} number {number}" for number in range(30)]
    return [texts[place] for place in draw.permutation(len(texts))]


def search(
    texts: list[str] | DistinctTexts, root: Path, threshold: float = 0.7, memory_bytes: int = LITTLE
) -> AlikePairs:
    distinct = texts if isinstance(texts, DistinctTexts) else distinct_texts(pa.chunked_array([texts[:20], texts[20:]]))
    with opened_search(distinct, root, threshold=threshold, memory_bytes=memory_bytes) as work:
        return find_on_disk(work)


def facts(found: NearDuplicates | AlikePairs) -> tuple[object, ...]:
    return found.pairs.tolist(), found.similarity.tolist(), found.checked, found.chained


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    threshold=st.sampled_from([0.5, 0.6, 0.7, 0.9]),
    memory_bytes=st.sampled_from([LITTLE, 10**9]),
)
def test_pairs_are_those_of_the_search_in_memory(
    seed: int, threshold: float, memory_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever texts there are and however little is held: the same pairs, similarities and counts, bit for bit."""
    texts = list(dict.fromkeys(drawn_texts(seed)))
    found = search(texts, tmp_path_factory.mktemp("near"), threshold, memory_bytes)
    assert facts(found) == facts(find_near_duplicates(pa.array(texts), threshold=threshold))


@pytest.mark.parametrize("texts", [[], ["one"], ["", "?"], ["a", "a"]])
def test_nearly_nothing_is_searched_too(tmp_path: Path, texts: list[str]) -> None:
    """No text, one text, texts without letters, one text twice: no pair, and no fault."""
    assert len(search(texts, tmp_path).pairs) == 0


def test_the_work_is_cut_into_parts_runs_and_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With little memory nothing is whole: the tests here do go over every seam."""
    written: list[str] = []
    honest = near_on_disk.write_arrays
    monkeypatch.setattr(
        near_on_disk, "write_arrays", lambda path, *arrays: (written.append(path.name), honest(path, *arrays))
    )
    search(drawn_texts(1), tmp_path)
    kinds = [name.split("-")[0] for name in written]
    assert kinds.count("sketches") > 1
    assert kinds.count("run") > 32
    assert kinds.count("alike") > 1
    assert kinds[-1] == "found"


class Killed(BaseException):
    """What ends a search in the middle."""


def test_a_search_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before every single file in turn: nothing that was written is made again, and the result is the same."""
    distinct = distinct_texts(pa.chunked_array([drawn_texts(2, bases=2)]))
    search(distinct, tmp_path / "whole")
    (expected,) = (tmp_path / "whole").glob("*/found")
    honest = near_on_disk.write_arrays
    written: list[Path] = []
    left = 0

    def write(path: Path, *arrays: np.ndarray) -> None:
        nonlocal left
        if not left:
            path.with_name(f".staged-{path.name}").write_bytes(b"half a fi")
            raise Killed
        left -= 1
        written.append(path)
        honest(path, *arrays)

    monkeypatch.setattr(near_on_disk, "write_arrays", write)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    for trial in count():
        left = min(trial, 1)
        with suppress(Killed):
            search(distinct, tmp_path / "killed")
            break
    (found,) = (tmp_path / "killed").glob("*/found")
    assert found.read_bytes() == expected.read_bytes()
    assert found.parent.name == expected.parent.name
    assert len(written) == len(set(written)) > 30
    assert {file.name for file in found.parent.iterdir()} <= {"found", ".lock"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Ten texts are many, and the cache is a folder of this test."""
    monkeypatch.setattr(near_module, "MOST_IN_MEMORY", 10)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "limbeck" / "near"


@pytest.mark.parametrize("as_array", [pa.array, lambda texts: pa.chunked_array([texts[:7], texts[7:]])])
def test_many_texts_are_searched_on_disk_and_that_is_said(
    small: Path, monkeypatch: pytest.MonkeyPatch, as_array: Callable[[list[str]], pa.Array | pa.ChunkedArray]
) -> None:
    """Groups, rows of pairs and similarities are those of the search in memory, equal texts among them."""
    texts = drawn_texts(3) * 2
    said: list[str] = []
    found = find_near_duplicates(as_array(texts), progress=Lines(said.append))
    monkeypatch.setattr(near_module, "MOST_IN_MEMORY", 1000)
    expected = find_near_duplicates(pa.array(texts))
    assert facts(found) == facts(expected)
    assert found.group.tolist() == expected.group.tolist()
    assert len(said) == 1
    assert said[0].startswith(f"Near-duplicates among {len(texts)} rows are searched on disk: up to 0.0 GB in {small}")


def test_what_was_found_is_not_searched_again(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`limbeck clean` after `limbeck audit` reads what that found; only the result is kept."""
    texts = pa.array(drawn_texts(4))
    first = find_near_duplicates(texts)
    assert [file.name for file in small.glob("*/*") if file.name != ".lock"] == ["found"]
    monkeypatch.setattr(near_on_disk, "sketch_all", None)
    assert facts(find_near_duplicates(texts)) == facts(first)


def test_without_room_on_disk_the_search_is_in_memory(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is too small is no reason to fail, and is said with what is needed and what is free."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    said: list[str] = []
    texts = drawn_texts(5)
    found = find_near_duplicates(pa.array(texts), progress=Lines(said.append))
    assert len(found.pairs)
    (line,) = said
    assert line.startswith("Near-duplicates are searched in memory, because on disk they cannot be: they need about ")
    assert str(small) in line
    assert "XDG_CACHE_HOME" in line


def test_a_place_that_cannot_be_written_is_no_reason_to_fail(small: Path) -> None:
    """Where the cache is no folder, the search is in memory, and that is said."""
    small.parent.write_text("a file stands here")
    said: list[str] = []
    assert len(find_near_duplicates(pa.array(drawn_texts(5)), progress=Lines(said.append)).pairs)
    assert "a file stands where a folder was expected" in said[0]


def test_a_disk_that_fills_up_ends_the_search_and_keeps_what_is_done(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is told, no half file stays, and the next search makes only what is missing."""
    texts = pa.array(drawn_texts(6))
    honest = near_on_disk.write_arrays

    def full(path: Path, *arrays: np.ndarray) -> None:
        if path.name.startswith("run-000003"):
            raise StorageError("the disk is full")
        honest(path, *arrays)

    monkeypatch.setattr(near_on_disk, "write_arrays", full)
    with pytest.raises(StorageError, match="the disk is full"):
        find_near_duplicates(texts)
    monkeypatch.setattr(near_on_disk, "write_arrays", honest)
    monkeypatch.setattr(near_on_disk, "sketch_all", None)
    assert len(find_near_duplicates(texts).pairs)


def test_two_processes_do_not_search_the_same_texts(tmp_path: Path) -> None:
    """The second is told who works there, and harms nothing."""
    distinct = distinct_texts(pa.chunked_array([drawn_texts(7)]))
    with (
        opened_search(distinct, tmp_path, threshold=0.7),
        pytest.raises(LockedError, match="in use by another"),
        opened_search(distinct, tmp_path, threshold=0.7),
    ):
        pass


def test_searches_that_nobody_went_on_with_make_room(tmp_path: Path) -> None:
    """Work that was left long ago goes when another search begins; what is young or in use stays."""
    long_ago = time.time() - ABANDONED_S - 60
    for name in ("left", "held", "young"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sketches-000000").write_bytes(b"1234")
    with lock(tmp_path / "held"):
        for name in ("left", "held"):
            for path in (*(tmp_path / name).iterdir(), tmp_path / name):
                os.utime(path, (long_ago, long_ago))
        search(["a text", "a text, too"], tmp_path)
        assert {path.name for path in tmp_path.iterdir()} >= {"held", "young"}
    assert not (tmp_path / "left").exists()
