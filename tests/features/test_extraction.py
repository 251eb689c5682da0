"""Extraction: what was interrupted goes on, what is cached is not computed again, what changed is."""

import numpy as np
import pytest
from tests.said import Said

from limbeck.errors import StorageError
from limbeck.features import entry as entries
from limbeck.features import extraction
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.blocks import blocks_for
from limbeck.tokens import Window

TEXTS = ["so sad", "today it is fine", "i feel very sunn sun . . .", "rain", "it is rain ! !", "i"] * 5


@pytest.fixture
def engine(tiny_loaded):
    return TorchEngine(tiny_loaded, device="cpu")


@pytest.fixture
def small_parts(monkeypatch):
    """Runs of about 10 tokens, each kept at once, so that a few texts make several parts."""
    monkeypatch.setattr(extraction, "RUN_TOKENS", 10)
    monkeypatch.setattr(extraction, "RUN_BATCHES", 0)
    monkeypatch.setattr(extraction, "allowed_threads", lambda: 1)
    monkeypatch.setattr(extraction, "KEEP_EVERY_S", 0.0)


def test_features_stand_in_the_order_of_the_texts(engine, small_parts):
    """Sorting by length and cutting into parts is not seen from outside."""
    blocks = blocks_for("mean", None, 2)
    found = extract_features(TEXTS, engine, blocks)
    alone = np.concatenate([extract_features([text], engine, blocks).values_NF for text in TEXTS])
    np.testing.assert_allclose(found.values_NF, alone, atol=1e-5)


@pytest.mark.parametrize("keep_every_s", [0.0, 1e9], ids=["kept at once", "kept when it ends"])
def test_an_interrupted_extraction_goes_on(engine, small_parts, tmp_path, monkeypatch, keep_every_s):
    """Ctrl-C in the third run: the first two are kept, and the result is that of an unbroken run, bit for bit."""
    monkeypatch.setattr(extraction, "KEEP_EVERY_S", keep_every_s)
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
    assert [listing.texts for listing in cache.listings()] == [sum(calls)]
    resumed = extract_features(TEXTS, engine, blocks, cache=cache)
    assert resumed.computed == len(TEXTS) - 5 * sum(calls)
    assert resumed.values_NF.tobytes() == unbroken.values_NF.tobytes()


def test_what_is_cached_is_not_computed_again(engine, tmp_path):
    """The second extraction encodes nothing and gives the same bits; of other lists only what is new is encoded."""
    cache, blocks = FeatureCache(tmp_path), blocks_for("cls", 1, 2)
    first = extract_features(TEXTS, engine, blocks, cache=cache)
    second = extract_features(TEXTS, engine, blocks, cache=cache)
    assert (first.computed, second.computed) == (len(TEXTS), 0)
    assert first.values_NF.tobytes() == second.values_NF.tobytes()
    few = extract_features(TEXTS[5:2:-1], engine, blocks, cache=cache)
    assert few.computed == 0
    np.testing.assert_array_equal(few.values_NF, first.values_NF[5:2:-1])
    more = extract_features(["fine", *TEXTS, "fine"], engine, blocks, cache=cache)
    assert more.computed == 2
    np.testing.assert_array_equal(more.values_NF[1:-1], first.values_NF)


def test_a_mean_is_taken_from_all_layers(engine, tmp_path):
    """A pooling that an earlier extraction made among others is not computed again."""
    cache = FeatureCache(tmp_path)
    everything = extract_features(TEXTS, engine, blocks_for("layers", None, 2), cache=cache)
    mean = extract_features(TEXTS, engine, blocks_for("mean", None, 2), cache=cache)
    assert mean.computed == 0
    place = everything.blocks.index(mean.blocks[0])
    np.testing.assert_array_equal(mean.values_NF, everything.values_NF[:, place * 16 : place * 16 + 16])


def test_a_shorter_limit_computes_only_what_it_cuts(engine, tmp_path):
    """Features are those of the tokens: a text that the limit does not reach is the same text under any limit."""
    cache, blocks = FeatureCache(tmp_path), blocks_for("mean", None, 2)
    extract_features(TEXTS, engine, blocks, cache=cache)
    cut = extract_features(TEXTS, engine, blocks, window=Window(name="head", max_tokens=6), cache=cache)
    assert cut.computed == int((cut.cut_tokens_N > 0).sum())
    assert 0 < cut.computed < len(TEXTS)


def test_equal_texts_are_computed_once(engine, monkeypatch):
    """A text that stands in thirty rows is encoded once, and each of its rows gets the vector."""
    rows, compute = [], engine.features

    def counted(part, *arguments, **options):
        rows.append(len(part))
        return compute(part, *arguments, **options)

    monkeypatch.setattr(engine, "features", counted)
    found = extract_features(TEXTS, engine, blocks_for("mean", None, 2))
    assert sum(rows) == len(set(TEXTS))
    np.testing.assert_array_equal(found.values_NF, np.tile(found.values_NF[: len(set(TEXTS))], (5, 1)))


@pytest.mark.parametrize("fails", [1, 10**6], ids=["once", "always"])
def test_what_cannot_be_kept_is_said_once(engine, small_parts, tmp_path, monkeypatch, fails):
    """A full disk or a folder that cannot be written costs the cache, never the run; it is said in one line."""
    honest, calls = entries.write_part, []

    def failing(folder, *arguments):
        calls.append(folder)
        if len(calls) <= fails:
            folder.mkdir(parents=True, exist_ok=True)
            raise StorageError("cannot write it: the disk is full")
        return honest(folder, *arguments)

    monkeypatch.setattr(entries, "write_part", failing)
    said, blocks = Said(), blocks_for("mean", None, 2)
    found = extract_features(TEXTS, engine, blocks, cache=FeatureCache(tmp_path), progress=said)
    np.testing.assert_array_equal(found.values_NF, extract_features(TEXTS, engine, blocks).values_NF)
    assert said.lines == [
        "features are not kept, and are computed again the next time: cannot write it: the disk is full"
    ]
    assert len(calls) == 1


def test_a_cache_that_is_a_file_is_no_cache(engine, tmp_path):
    """A path in the way is said once in a run of several splits, and the features are computed."""
    (tmp_path / "features").write_text("here")
    said, cache = Said(), FeatureCache(tmp_path / "features")
    for _split in ("train", "validation"):
        found = extract_features(TEXTS, engine, blocks_for("mean", None, 2), cache=cache, progress=said)
        assert found.computed == len(TEXTS)
    assert len(said.lines) == 1


def test_a_cache_that_can_only_be_read_is_read(engine, tmp_path, monkeypatch):
    """A shared cache without the right to write gives what it has; not even the time of use is noted."""
    cache, blocks = FeatureCache(tmp_path), blocks_for("mean", None, 2)
    extract_features(TEXTS, engine, blocks, cache=cache)

    def refused(*_arguments, **_options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.utime", refused)
    monkeypatch.setattr(entries.storage, "write_bytes", refused)
    said = Said()
    assert extract_features(TEXTS, engine, blocks, cache=cache, progress=said).computed == 0
    assert said.lines == []


def test_another_build_is_another_entry(engine, tmp_path, monkeypatch):
    """Features of kernels or a torch that have changed are never served."""
    cache, blocks = FeatureCache(tmp_path), blocks_for("mean", None, 2)
    extract_features(TEXTS, engine, blocks, cache=cache)
    monkeypatch.setattr(type(engine), "build", "torch 99")
    assert extract_features(TEXTS, engine, blocks, cache=cache).computed == len(TEXTS)


def test_other_weights_are_another_entry(engine, tiny_loaded, tmp_path):
    """An encoder whose weights changed never gets the old features."""
    from dataclasses import replace

    cache, blocks = FeatureCache(tmp_path), blocks_for("mean", None, 2)
    extract_features(TEXTS, engine, blocks, cache=cache)
    other = TorchEngine(replace(tiny_loaded, fingerprint="another"), device="cpu")
    assert extract_features(TEXTS, other, blocks, cache=cache).computed == len(TEXTS)


def test_cut_tokens_are_counted(engine):
    """A text of 25 tokens at a limit of 5 keeps [CLS], three tokens and [SEP], and says that 20 were cut."""
    window = Window(name="head", max_tokens=5)
    found = extract_features(["so " * 22 + "fine", "so"], engine, blocks_for("mean", None, 2), window=window)
    assert found.lengths_N.tolist() == [5, 3]
    assert found.cut_tokens_N.tolist() == [20, 0]


def test_no_texts_give_no_rows(engine, tmp_path):
    """An empty list is answered with an empty array of the right width."""
    assert extract_features([], engine, blocks_for("mean", None, 2), cache=FeatureCache(tmp_path)).values_NF.shape == (
        0,
        16,
    )


def test_a_text_in_several_rows_has_their_mean(engine, tmp_path, monkeypatch):
    """Features of all of a text are the mean of those of its rows, computed once and kept by the row."""
    texts = ["so " * 22 + "fine", "so", "it is rain today . " * 8, "so " * 22 + "fine"]
    window, blocks, cache = Window(name="all", max_tokens=8), blocks_for("layers", None, 2), FeatureCache(tmp_path)
    found = extract_features(texts, engine, blocks, window=window, cache=cache)
    for text, values, tokens in zip(texts, found.values_NF, found.lengths_N, strict=True):
        rows = engine.loaded.tokenizer.read([text], window).rows
        np.testing.assert_allclose(values, engine.features(rows, blocks).mean(axis=0), atol=1e-5)
        assert tokens == len(text.split()) + 2
    assert (found.computed, found.cut_tokens_N.tolist()) == (4, [0] * 4)
    monkeypatch.setattr(extraction, "MOST_ROWS_AT_ONCE", 2)
    again = extract_features(texts, engine, blocks, window=window, cache=cache)
    assert (again.computed, again.values_NF.tobytes()) == (0, found.values_NF.tobytes())


@pytest.mark.parametrize("name", ["head", "tail", "both"])
def test_features_are_those_of_what_is_read(engine, tmp_path, name):
    """Each window has its own features, also where all of them share a cache."""
    texts, cache = ["so sad rain ! " * 4 + "sun fine today .", "so"], FeatureCache(tmp_path)
    blocks = blocks_for("cls", None, 2)
    window = Window(name=name, max_tokens=8)
    for other in ("head", "tail", "both", "all"):
        extract_features(texts, engine, blocks, window=Window(name=other, max_tokens=8), cache=cache)
    found = extract_features(texts, engine, blocks, window=window, cache=cache)
    assert found.computed == 0
    np.testing.assert_allclose(
        found.values_NF, engine.features(engine.loaded.tokenizer.read(texts, window).rows, blocks)
    )
