"""The feature cache: never stale, never damaged, within its size, whatever other processes do with it."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from limbeck.errors import StorageError
from limbeck.features import entry as entries
from limbeck.features.cache import FeatureCache, FeatureKey, fingerprint_texts, keys_of
from limbeck.features.parts import read_head, write_part

KEY = FeatureKey(weights="w", numerics="torch float32 cpu", build="torch 2")
BLOCKS = ("mean@6", "cls@6")


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "features")


def draw(texts, *, start=0, blocks=2):
    """Keys and values of some texts, the same each time."""
    keys_N2 = np.arange(2 * start, 2 * (start + texts), dtype=np.uint64).reshape(-1, 2)
    rows = np.arange(start, start + texts, dtype=np.float32)
    return keys_N2, rows[:, None] + np.arange(3 * blocks, dtype=np.float32) / 10


def take(entry, keys_N2, blocks=BLOCKS):
    into_NF = np.full((len(keys_N2), 3 * len(blocks)), np.nan, np.float32)
    found_N = entry.take(keys_N2, blocks, into_NF, np.arange(len(keys_N2)))
    return found_N, into_NF


def part_files(entry):
    return sorted(entry.folder.glob("part-*"))


@pytest.mark.parametrize(
    "changed",
    [{"weights": "w2"}, {"numerics": "torch bfloat16 cpu"}, {"build": "torch 3"}],
    ids=lambda one: next(iter(one)),
)
def test_any_change_of_what_computes_is_another_entry(cache, changed):
    """Other weights, another arithmetic or changed kernels never find these features."""
    keys_N2, values_NF = draw(4)
    cache.entry(KEY, what="").keep(keys_N2, BLOCKS, values_NF)
    assert not take(cache.entry(replace(KEY, **changed), what=""), keys_N2)[0].any()
    assert take(cache.entry(KEY, what=""), keys_N2)[0].all()


def test_each_text_is_found_by_its_own_key(cache):
    """Texts of several parts, in any order, among others that are not there, come back bit for bit."""
    entry = cache.entry(KEY, what="")
    for start in (0, 5, 20):
        keys_N2, values_NF = draw(5, start=start)
        entry.keep(keys_N2, BLOCKS, values_NF)
    asked = np.random.default_rng(0).permutation(40)
    keys_N2, values_NF = draw(40)
    found_N, into_NF = take(cache.entry(KEY, what=""), keys_N2[asked])
    is_kept = (asked < 10) | ((asked >= 20) & (asked < 25))
    np.testing.assert_array_equal(found_N, is_kept)
    assert into_NF[found_N].tobytes() == values_NF[asked[is_kept]].tobytes()


def test_half_a_key_is_not_enough(cache):
    """A text whose key begins like another's is not given the other's features."""
    entry = cache.entry(KEY, what="")
    entry.keep(np.array([[1, 2], [1, 4]], np.uint64), BLOCKS, draw(2)[1])
    asked = np.array([[1, 3], [0, 2], [9, 9]], np.uint64)
    assert not take(entry, asked)[0].any()


def test_each_block_is_found_by_its_own_name(cache):
    """One pooling is taken from an entry that holds it among many; a block that is not there is not found."""
    entry = cache.entry(KEY, what="")
    keys_N2, values_NF = draw(4, blocks=3)
    entry.keep(keys_N2, ("mean@5", "mean@6", "max@6"), values_NF)
    found_N, into_NF = take(entry, keys_N2, ("max@6",))
    assert found_N.all()
    np.testing.assert_array_equal(into_NF, values_NF[:, 6:])
    assert not take(entry, keys_N2, ("max@6", "cls@6"))[0].any()
    entry.keep(keys_N2, ("cls@6",), values_NF[:, :3])
    found_N, into_NF = take(entry, keys_N2, ("max@6", "cls@6"))
    assert found_N.all()
    np.testing.assert_array_equal(into_NF, np.hstack([values_NF[:, 6:], values_NF[:, :3]]))


@pytest.mark.parametrize("place", ["length", "head", "keys", "values", "end"])
@pytest.mark.parametrize("harm", ["flipped", "cut"])
def test_a_damaged_part_counts_as_absent(cache, place, harm):
    """A part with one changed byte, or cut short anywhere, gives nothing; keeping its texts again heals the entry."""
    entry = cache.entry(KEY, what="")
    keys_N2, values_NF = draw(4)
    entry.keep(keys_N2, BLOCKS, values_NF)
    (file,) = part_files(entry)
    content = bytearray(file.read_bytes())
    head = 8 + int.from_bytes(content[:8], "little")
    at = {"length": 1, "head": 20, "keys": content.index(keys_N2.tobytes()), "values": -30, "end": -1}[place]
    at += len(content) if at < 0 else 0
    assert head < len(content)
    if harm == "flipped":
        content[at] ^= 1
    file.write_bytes(content if harm == "flipped" else content[:at])
    assert not take(cache.entry(KEY, what=""), keys_N2)[0].all()
    entry.keep(keys_N2, BLOCKS, values_NF)
    found_N, into_NF = take(cache.entry(KEY, what=""), keys_N2)
    assert found_N.all()
    np.testing.assert_array_equal(into_NF, values_NF)


def test_the_least_recently_used_parts_make_room(cache):
    """Over the limit the parts that were not used for longest go; what is in use stays even when alone too large."""
    files = []
    for age in range(4):
        entry = cache.entry(replace(KEY, weights=str(age // 2)), what="")
        entry.keep(*_with_blocks(draw(50, start=age * 50)))
        (new,) = set(part_files(entry)) - set(files)
        os.utime(new, (1_000 + age, 1_000 + age))
        files.append(new)
    take(cache.entry(replace(KEY, weights="0"), what=""), draw(50)[0])  # used now
    cache.max_bytes = 3 * files[0].stat().st_size
    assert cache.trim() == files[0].stat().st_size
    assert [file.exists() for file in files] == [True, False, True, True]
    cache.max_bytes = 0
    cache.trim(in_use={files[2]})
    assert [file.exists() for file in files] == [False, False, True, False]
    assert [listing.texts for listing in cache.listings()] == [50]


def test_listings_tell_what_is_there(cache):
    """An entry shows what it holds, its texts, each counted once, and its size on disk."""
    entry = cache.entry(KEY, what="minilm, torch float32 cpu")
    entry.keep(*_with_blocks(draw(10)))
    entry.keep(*_with_blocks(draw(10, start=5)))
    (found,) = cache.listings()
    assert (found.what, found.texts) == ("minilm, torch float32 cpu", 15)
    assert found.size_bytes == sum(file.stat().st_size for file in part_files(entry))
    assert cache.clear() == [found]
    assert cache.listings() == []


def test_entries_of_an_older_limbeck_are_listed_and_make_room_first(cache):
    """What an earlier layout left is not lost from sight: listed as such, trimmed, cleared."""
    old = cache.folder / ("a" * 64)
    old.mkdir(parents=True)
    (old / "part-00000-0123456789abcdef.npy").write_bytes(b"x" * 5_000)
    os.utime(old / "part-00000-0123456789abcdef.npy", (1_000, 1_000))
    (old / "facts.json").write_text('{"what": "minilm, mean@6, 10 texts", "parts": 1}')
    entry = cache.entry(KEY, what="new")
    entry.keep(*_with_blocks(draw(4)))
    assert [listing.what for listing in cache.listings()] == ["new", "minilm, mean@6, 10 texts, by an older limbeck"]
    cache.max_bytes = 3_000
    assert cache.trim() == 5_000
    assert not old.exists()
    assert part_files(entry)


def test_nothing_but_entries_is_ever_removed(cache):
    """A cache in a folder with other things lists, trims and clears its own entries only."""
    (cache.folder / "photos").mkdir(parents=True)
    (cache.folder / "photos" / "family.jpg").write_bytes(b"x" * 10_000)
    cache.max_bytes = 1
    entry = cache.entry(KEY, what="")
    entry.keep(*_with_blocks(draw(4)))
    cache.trim()
    assert not entry.folder.exists()
    entry.keep(*_with_blocks(draw(4)))
    assert len(cache.clear()) == 1
    assert [file.name for file in cache.folder.iterdir()] == ["photos"]
    assert (cache.folder / "photos" / "family.jpg").exists()


@pytest.mark.parametrize("moment", ["before the part", "before the rename"])
def test_clearing_beside_a_writer_harms_neither(cache, monkeypatch, moment):
    """Whenever the cache is cleared, the writer begins the entry anew, and the clearing ends well."""
    entry = cache.entry(KEY, what="one")
    entry.keep(*_with_blocks(draw(4)))
    honest, calls = (entries.write_part, []) if moment == "before the part" else (entries.storage.write_bytes, [])

    def meanwhile(path, *arguments):
        if not calls:
            calls.append(cache.clear())
            if moment == "before the rename":
                raise StorageError(f"cannot write {path}: no such file or folder") from FileNotFoundError()
        return honest(path, *arguments)

    target, name = (entries, "write_part") if moment == "before the part" else (entries.storage, "write_bytes")
    monkeypatch.setattr(target, name, meanwhile)
    entry.keep(*_with_blocks(draw(4, start=4)))
    assert len(calls[0]) == 1
    found_N, _ = take(cache.entry(KEY, what=""), draw(8)[0])
    assert found_N.tolist() == [False] * 4 + [True] * 4


def test_a_clearing_that_meets_new_files_ends_well(cache, monkeypatch):
    """A folder that another process writes into while it is deleted is left aside, and taken the next time."""
    entry = cache.entry(KEY, what="one")
    entry.keep(*_with_blocks(draw(4)))
    with monkeypatch.context() as patched:
        # As when the folder is never empty: with errors ignored it stays, and without this fails.
        patched.setattr(shutil, "rmtree", lambda folder, *, ignore_errors: None)
        assert len(cache.clear()) == 1
        assert cache.listings() == []
        assert len(list(cache.folder.iterdir())) == 1
    cache.clear()
    assert list(cache.folder.iterdir()) == []


def test_a_part_that_goes_while_it_is_read_counts_as_absent(cache, monkeypatch):
    """Making room beside a running extraction costs time, never the run."""
    entry = cache.entry(KEY, what="")
    keys_N2, values_NF = draw(4)
    entry.keep(keys_N2, BLOCKS, values_NF)
    heads = entry.parts()
    part_files(entry)[0].unlink()
    monkeypatch.setattr(entry, "parts", lambda: heads)
    assert not take(entry, keys_N2)[0].any()
    assert read_head(heads[0].path) is None


def test_many_small_parts_are_put_together(cache, monkeypatch):
    """Too many parts of the same blocks become one, each text once; parts of other blocks stay by themselves."""
    monkeypatch.setattr(entries, "MOST_PARTS", 5)
    entry = cache.entry(KEY, what="")
    for start in range(6):
        entry.keep(*_with_blocks(draw(2, start=start)))
    keys_N2, values_NF = draw(3)
    entry.keep(keys_N2, ("max@6",), values_NF[:, :3])
    entry.tidy()
    assert sorted(len(part.keys_N2) for part in entry.parts()) == [3, 7]
    keys_N2, values_NF = draw(7)
    found_N, into_NF = take(cache.entry(KEY, what=""), keys_N2)
    assert found_N.all()
    np.testing.assert_array_equal(into_NF, values_NF)
    entry.tidy()
    assert len(part_files(entry)) == 2


def test_what_is_put_together_stays_within_a_size(cache, monkeypatch):
    """Parts that are merged become about as large as parts are, and a large one is left as it is."""
    monkeypatch.setattr(entries, "MOST_PARTS", 3)
    entry = cache.entry(KEY, what="")
    for start in range(0, 400, 100):
        entry.keep(*_with_blocks(draw(100, start=start)))
    size_bytes = part_files(entry)[0].stat().st_size
    monkeypatch.setattr(entries, "PART_BYTES", 2 * size_bytes)
    entry.tidy()
    assert 2 <= len(part_files(entry)) <= 3
    assert take(entry, draw(400)[0])[0].all()
    monkeypatch.setattr(entries, "MOST_PARTS", 1)
    monkeypatch.setattr(entries, "SMALL_PART_BYTES", 1)
    before = part_files(entry)
    entry.tidy()
    assert part_files(entry) == before


def test_no_texts_are_a_part_too(tmp_path):
    """Nothing is kept and found without a fault."""
    part = read_head(write_part(tmp_path, np.zeros((0, 2), np.uint64), {"mean@6": np.zeros((0, 3), np.float32)}))
    assert part is not None
    assert len(part.keys_N2) == 0


def test_text_boundaries_count():
    """Two lists that join to the same letters have different fingerprints, as have two orders."""
    prints = {fingerprint_texts(texts) for texts in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], ["abc", ""])}
    assert len(prints) == 5


def test_the_same_tokens_have_the_same_key():
    """Wherever a text stands; other tokens, or the same ones in another order, have another key."""
    keys_N2 = keys_of(np.array([1, 2, 3, 1, 2, 2, 1, 1], np.int32), np.array([0, 2, 3, 5, 7, 8, 8]))
    assert len(np.unique(keys_N2, axis=0)) == 5
    np.testing.assert_array_equal(keys_N2[0], keys_N2[2])
    alone = keys_of(np.array([1, 2], np.int64), np.array([0, 2]))
    np.testing.assert_array_equal(alone[0], keys_N2[0])


def _with_blocks(drawn):
    keys_N2, values_NF = drawn
    return keys_N2, BLOCKS, values_NF
