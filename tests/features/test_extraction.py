"""Extraction: what was interrupted goes on, what is cached is not computed again, what changed is."""

import numpy as np
import pytest

from limbeck.features import extraction
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.pooling import blocks_for

TEXTS = ["so sad", "today it is fine", "i feel very sunn sun . . .", "rain", "it is rain ! !", "i"] * 5


@pytest.fixture
def engine(tiny_loaded):
    return TorchEngine(tiny_loaded, device="cpu")


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of about 40 tokens, so that 30 texts make several."""
    monkeypatch.setattr(extraction, "PART_TOKENS", 40)


def test_features_stand_in_the_order_of_the_texts(engine, small_parts):
    """Sorting by length and cutting into parts is not seen from outside."""
    blocks = blocks_for("mean", None, 2)
    found = extract_features(TEXTS, engine, blocks)
    alone = np.concatenate([extract_features([text], engine, blocks).values_NF for text in TEXTS])
    np.testing.assert_allclose(found.values_NF, alone, atol=1e-5)


def test_an_interrupted_extraction_goes_on(engine, small_parts, tmp_path, monkeypatch):
    """Ctrl-C in the third part: the first two are kept, and the result is that of an unbroken run, bit for bit."""
    blocks = blocks_for("layers", None, 2)
    unbroken = extract_features(TEXTS, engine, blocks)
    cache = FeatureCache(tmp_path)
    compute, calls = engine.features, []

    def interrupted(part, *arguments, **options):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(len(part))
        return compute(part, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(engine, "features", interrupted)
        with pytest.raises(KeyboardInterrupt):
            extract_features(TEXTS, engine, blocks, cache=cache)
    assert [entry.complete for entry in cache.listings()] == [False]
    resumed = extract_features(TEXTS, engine, blocks, cache=cache)
    assert resumed.computed == len(TEXTS) - sum(calls)
    assert resumed.values_NF.tobytes() == unbroken.values_NF.tobytes()


def test_what_is_cached_is_not_computed_again(engine, tmp_path):
    """The second extraction encodes nothing and gives the same bits; a changed text is encoded."""
    cache, blocks = FeatureCache(tmp_path), blocks_for("cls", 1, 2)
    first = extract_features(TEXTS, engine, blocks, cache=cache)
    second = extract_features(TEXTS, engine, blocks, cache=cache)
    assert (first.computed, second.computed) == (len(TEXTS), 0)
    assert first.values_NF.tobytes() == second.values_NF.tobytes()
    assert extract_features([*TEXTS[:-1], "fine"], engine, blocks, cache=cache).computed == len(TEXTS)


def test_other_weights_are_another_entry(engine, tiny_loaded, tmp_path):
    """An encoder whose weights changed never gets the old features."""
    from dataclasses import replace

    cache, blocks = FeatureCache(tmp_path), blocks_for("mean", None, 2)
    extract_features(TEXTS, engine, blocks, cache=cache)
    other = TorchEngine(replace(tiny_loaded, fingerprint="another"), device="cpu")
    assert extract_features(TEXTS, other, blocks, cache=cache).computed == len(TEXTS)


def test_cut_tokens_are_counted(engine):
    """A text of 25 tokens at a limit of 5 keeps [CLS], three tokens and [SEP], and says that 20 were cut."""
    found = extract_features(["so " * 22 + "fine", "so"], engine, blocks_for("mean", None, 2), max_tokens=5)
    assert found.lengths_N.tolist() == [5, 3]
    assert found.cut_tokens_N.tolist() == [20, 0]


def test_no_texts_give_no_rows(engine, tmp_path):
    """An empty list is answered with an empty array of the right width."""
    assert extract_features([], engine, blocks_for("mean", None, 2), cache=FeatureCache(tmp_path)).values_NF.shape == (
        0,
        16,
    )
