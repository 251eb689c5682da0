"""Token stores: nothing is cut off, nothing is read into memory whole, and a kill loses one part at most."""

import numpy as np
import pytest

from limbeck import storage
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.methods import token_store
from limbeck.methods.language import Reading, masking_vocabulary
from limbeck.methods.teacher_head import split_rows
from limbeck.methods.token_store import make_store
from limbeck.reading.text_stream import open_stream

LINES = ["i feel fine", "", "so sad today . it is rain !", "sun", "very very very"] * 5


@pytest.fixture
def stream(tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(LINES), "utf-8")
    return open_stream(tmp_path / "texts.txt")


def test_long_texts_become_several_rows(stream, tiny_tokenizer, tmp_path):
    """Every token is there, in order; each row is [CLS] … [SEP] within the limit."""
    store = make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=6)
    assert store.lengths.max() == 6
    assert store.facts.empty_texts == 5
    for number, text in enumerate(LINES):
        rows = np.flatnonzero(store.texts == number)
        pieces = [store.take(rows[place : place + 1]).ids for place in range(len(rows))]
        assert all(piece[0] == 2 and piece[-1] == 3 for piece in pieces)
        inner = [token for piece in pieces for token in piece[1:-1].tolist()]
        assert inner == tiny_tokenizer.encode([text]).ids[1:-1].tolist()
    batch = store.take(np.array([3, 0, 3]))
    assert batch.lengths.tolist() == store.lengths[[3, 0, 3]].tolist()


def test_making_goes_on_with_what_is_missing(stream, tiny_tokenizer, tmp_path, monkeypatch):
    """Parts that are whole are not made again; the result is that of an unbroken making."""
    monkeypatch.setattr(token_store, "PART_TEXTS", 4)
    whole = make_store(stream, tiny_tokenizer, tmp_path / "whole", max_tokens=6)
    honest, calls = token_store._write_part, []

    def failing(*args):
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return honest(*args)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(token_store, "_write_part", failing)
        make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=6)
    again = make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=6)
    assert whole.facts == again.facts
    assert whole.facts.parts == 7
    assert np.array_equal(whole.lengths, again.lengths)
    assert np.array_equal(whole.take(np.arange(len(whole))).ids, again.take(np.arange(len(again))).ids)
    monkeypatch.setattr(token_store, "_write_part", None)
    assert len(make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=6)) == len(whole)


def test_other_texts_are_refused(stream, tiny_tokenizer, tmp_path):
    """A store of another limit, or of no text."""
    make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=6)
    with pytest.raises(SettingsError, match="--overwrite"):
        make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=7)
    (tmp_path / "empty.txt").write_text("\n\n", "utf-8")
    with pytest.raises(DataError, match="no text"):
        make_store(open_stream(tmp_path / "empty.txt"), tiny_tokenizer, tmp_path / "none", max_tokens=6)


def test_held_out_texts_share_no_row(stream, tiny_tokenizer, tmp_path):
    """A text is learnt from or judged by, never both; all rows are in one of them."""
    store = make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=6)
    found = split_rows(store, Reading(vocabulary=masking_vocabulary(tiny_tokenizer)))
    assert sorted([*found.train, *found.validation]) == list(range(len(store)))
    assert not set(store.texts[found.train]) & set(store.texts[found.validation])
    assert storage.read_json(tmp_path / "store" / "facts.json")["texts"] == len(LINES)


def test_masking_knows_the_vocabulary(tiny_tokenizer):
    """[MASK], the special tokens, and which pieces continue a word."""
    found = masking_vocabulary(tiny_tokenizer)
    assert (found.mask_id, found.special_ids.tolist()) == (4, [0, 1, 2, 3, 4])
    assert np.flatnonzero(found.continues_V).tolist() == [15, 17]
    assert found.drawable_ids.tolist() == list(range(5, 20))


def test_a_store_of_many_parts_holds_few_files_open(stream, tiny_tokenizer, tmp_path, monkeypatch):
    """A process may have a thousand; what is taken is the same."""
    monkeypatch.setattr(token_store, "PART_TEXTS", 1)
    monkeypatch.setattr(token_store, "OPEN_PARTS", 3)
    store = make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=6)
    taken = store.take(np.arange(len(store)))
    assert store.facts.parts == 25
    assert store._ids_of.cache_info().currsize == 3
    assert taken.lengths.tolist() == store.lengths.tolist()


@pytest.mark.parametrize("kind", ["ids", "offsets", "texts"])
def test_a_flipped_bit_is_refused(stream, tiny_tokenizer, tmp_path, kind):
    """In any array of a store that is gone on with; the file is named."""
    make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=6)
    file = tmp_path / "store" / f"part-00000.{kind}.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(StorageError, match=rf"{file.name} was changed or damaged.*--overwrite"):
        make_store(stream, tiny_tokenizer, tmp_path / "store", max_tokens=6)
