"""Masking: which tokens are hidden, and as what."""

import numpy as np
import pytest

from limbeck.methods.masking import MaskingVocabulary, mask_tokens

CLS, SEP, MASK = 2, 3, 4
WORDS = MaskingVocabulary(
    mask_id=MASK,
    special_ids=np.array([0, 1, CLS, SEP, MASK]),
    drawable_ids=np.arange(5, 1005),
    continues_V=np.arange(1005) >= 905,
)


def drawn_ids(tokens, seed=0):
    """Texts of [CLS], nine pieces, [SEP]."""
    ids = np.random.default_rng(seed).integers(5, 1005, tokens).astype(np.int32)
    ids[::11], ids[10::11] = CLS, SEP
    return ids


def test_fifteen_of_a_hundred_are_chosen_and_shown_eighty_ten_ten():
    """Shares over 110,000 tokens, within four standard deviations."""
    ids = drawn_ids(110_000)
    found = mask_tokens(ids, WORDS, np.random.default_rng(1))
    maskable = int(np.isin(ids, WORDS.special_ids, invert=True).sum())
    assert len(found.places_M) / maskable == pytest.approx(0.15, abs=0.005)
    shown = found.ids_T[found.places_M]
    assert (shown == MASK).mean() == pytest.approx(0.8, abs=0.013)
    assert (shown == found.targets_M).mean() == pytest.approx(0.1, abs=0.01)
    assert ((shown != MASK) & (shown != found.targets_M)).mean() == pytest.approx(0.1, abs=0.01)


def test_targets_are_what_stood_there_and_the_rest_is_untouched():
    """Nothing else changes, special tokens never, and the ids that were given stay what they are."""
    ids = drawn_ids(2200)
    before = ids.copy()
    found = mask_tokens(ids, WORDS, np.random.default_rng(5))
    assert np.array_equal(ids, before)
    assert np.array_equal(found.targets_M, ids[found.places_M])
    assert not np.isin(found.targets_M, WORDS.special_ids).any()
    rest = np.setdiff1d(np.arange(len(ids)), found.places_M)
    assert np.array_equal(found.ids_T[rest], ids[rest])
    assert found.ids_T.dtype == np.int32
    assert (np.diff(found.places_M) > 0).all()


def test_it_is_a_function_of_its_generator():
    """The same generator, the same masks; another, others."""
    ids = drawn_ids(1100)
    one, same, other = (mask_tokens(ids, WORDS, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one.ids_T, same.ids_T)
    assert np.array_equal(one.places_M, same.places_M)
    assert not np.array_equal(one.places_M, other.places_M)


def test_whole_words_are_chosen_with_all_their_pieces():
    """A word is hidden whole or not at all; the share is of words."""
    ids = drawn_ids(110_000, seed=9)
    found = mask_tokens(ids, WORDS, np.random.default_rng(1), whole_words=True)
    chosen = np.zeros(len(ids), bool)
    chosen[found.places_M] = True
    special = np.isin(ids, WORDS.special_ids)
    for place in np.flatnonzero(WORDS.continues_V[ids]):
        if not special[place - 1]:
            assert chosen[place] == chosen[place - 1]
    assert len(found.places_M) / (~special).sum() == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize("whole_words", [False, True])
def test_nothing_to_mask_is_no_fault(whole_words):
    """No token, or special ones only."""
    for ids in (np.zeros(0, np.int32), np.array([CLS, SEP], np.int32)):
        found = mask_tokens(ids, WORDS, np.random.default_rng(0), whole_words=whole_words)
        assert not len(found.places_M)
        assert np.array_equal(found.ids_T, ids)
