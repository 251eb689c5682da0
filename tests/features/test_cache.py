"""The feature cache: never stale, never damaged, within its size."""

import os
from dataclasses import replace

import numpy as np
import pytest

from limbeck.features.cache import FeatureCache, FeatureKey, fingerprint_texts

KEY = FeatureKey(weights="w", tokenizer="t", texts="x", blocks=("mean@6",), max_tokens=512, numerics="torch float32")


@pytest.mark.parametrize(
    "changed",
    [
        {"weights": "w2"},
        {"tokenizer": "t2"},
        {"texts": "x2"},
        {"blocks": ("cls@6",)},
        {"blocks": ("mean@5",)},
        {"max_tokens": 256},
        {"numerics": "torch bfloat16"},
    ],
)
def test_any_change_of_the_key_is_another_place(tmp_path, changed):
    """Another weight, tokenizer, text, pooling, layer, limit or precision never finds these features."""
    cache = FeatureCache(tmp_path)
    cache.entry(KEY).write_part(0, np.ones((2, 3), np.float32))
    assert cache.entry(replace(KEY, **changed)).read_part(0) is None


def test_a_part_comes_back_as_it_was(tmp_path):
    """What is read is bit for bit what was written."""
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    entry = FeatureCache(tmp_path).entry(KEY)
    entry.write_part(3, values)
    assert entry.read_part(3).tobytes() == values.tobytes()
    assert entry.read_part(2) is None


def test_a_damaged_part_counts_as_absent(tmp_path):
    """A part with one changed byte, or cut short, is not used; writing it again heals the entry."""
    entry = FeatureCache(tmp_path).entry(KEY)
    entry.write_part(0, np.zeros((4, 4), np.float32))
    file = next(entry.folder.glob("part-*"))
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"\x01")
    assert entry.read_part(0) is None
    file.write_bytes(content[:-20])
    assert entry.read_part(0) is None
    entry.write_part(0, np.ones((4, 4), np.float32))
    assert entry.read_part(0).sum() == 16


def test_the_least_recently_used_entries_make_room(tmp_path):
    """Over the limit the oldest goes; the one in use stays even when it alone is too large."""
    cache = FeatureCache(tmp_path, max_bytes=3_000)
    entries = [cache.entry(replace(KEY, texts=str(number))) for number in range(3)]
    for age, entry in enumerate(entries):
        entry.write_part(0, np.zeros(256, np.float32))
        entry.describe(what=f"entry {age}", parts=1)
        os.utime(entry.folder / "facts.json", (1_000 + age, 1_000 + age))
    removed = cache.trim(keep=entries[0])
    assert [listing.what for listing in removed] == ["entry 1"]
    cache.max_bytes = 0
    cache.trim(keep=entries[0])
    assert [listing.what for listing in cache.listings()] == ["entry 0"]


def test_listings_tell_what_is_there(tmp_path):
    """An entry shows what it holds, its size on disk and whether it is complete; an interrupted one says so."""
    cache = FeatureCache(tmp_path)
    entry = cache.entry(KEY)
    entry.write_part(0, np.zeros(10, np.float32))
    assert [(found.what, found.complete) for found in cache.listings()] == [("an interrupted extraction", False)]
    entry.describe(what="emotion", parts=1)
    (found,) = cache.listings()
    assert (found.what, found.complete) == ("emotion", True)
    assert found.size_bytes == sum(file.stat().st_size for file in entry.folder.iterdir())
    assert cache.clear() == [found]
    assert cache.listings() == []


def test_text_boundaries_count():
    """Two lists that join to the same letters have different fingerprints, as have two orders."""
    prints = {fingerprint_texts(texts) for texts in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], ["abc", ""])}
    assert len(prints) == 5


def test_nothing_but_entries_is_ever_removed(tmp_path):
    """A cache in a folder with other things lists, trims and clears its own entries only."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "family.jpg").write_bytes(b"x" * 10_000)
    cache = FeatureCache(tmp_path, max_bytes=1)
    entry = cache.entry(KEY)
    entry.describe(what="one", parts=1)
    entry.write_part(0, np.ones((2, 3), np.float32))
    cache.trim(keep=cache.entry(replace(KEY, texts="another")))
    assert not entry.folder.exists()
    entry.write_part(0, np.ones((2, 3), np.float32))
    assert len(cache.clear()) == 1
    assert (tmp_path / "photos" / "family.jpg").exists()


def test_a_part_that_another_process_removes_meanwhile_counts_as_absent(tmp_path, monkeypatch):
    """Clearing the cache beside a running extraction costs time, never the run."""
    entry = FeatureCache(tmp_path).entry(KEY)
    entry.write_part(0, np.ones((2, 3), np.float32))
    found = list(entry.folder.glob("part-*"))
    found[0].unlink()
    monkeypatch.setattr(type(found[0]), "glob", lambda *_: found)
    assert entry.read_part(0) is None
