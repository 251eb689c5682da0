"""Engine batches: whatever the company and the order of rows, answers are those of `Predictor.predict`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limbeck.features.text_encoder import TextEncoder
from limbeck.inference.long_texts import answer_texts
from limbeck.inference.native_engine import NativeEngine
from limbeck.inference.predictor import Predictor, load
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import LinearHead
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.weights import fingerprint_of
from limbeck.native.kernels import Kernels
from limbeck.serving.engine_batches import BatchAnswerer
from limbeck.serving.engine_frames import EngineFrame, FrameReader
from limbeck.settings import HeadKind, WindowName
from limbeck.tokens import Tokenizer, Window

TEXTS = ("i feel fine", "so sad today . it is rain ! i feel so very sad " * 3, "sun", "very very fine", "unheard")


def frame(said: dict[str, object], *arrays: np.ndarray) -> EngineFrame:
    return EngineFrame(said={"gone": [], "new": [], **said}, arrays=arrays)


def parsed(answer: bytes) -> EngineFrame:
    (found,) = FrameReader().feed(answer)
    return found


@pytest.fixture(params=["linear", "classification"])
def predictor(
    request: pytest.FixtureRequest, make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path, one_thread: None
) -> Predictor:
    save_bundle(make_bundle(request.param), tmp_path / "bundle", card="")
    return load(tmp_path / "bundle")


@pytest.fixture
def kernel_predictor(quick_library: Kernels, tiny_tokenizer: Tokenizer, tmp_path: Path) -> Predictor:
    """A model of a width that the kernels compute."""
    torch.manual_seed(5)
    sizes = EncoderConfig(
        vocab_size=20, dim=64, n_layers=2, n_heads=2, hidden_dim=96, max_position_embeddings=24, initializer_range=0.3
    )
    encoder = Encoder(sizes).eval()
    loaded = LoadedEncoder(name="drawn", tokenizer=tiny_tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder))
    blocks = blocks_for("mean", None, 2)
    head = LinearHead(torch.randn(3, 64), torch.randn(3))
    facts = BundleFacts(head="linear", blocks=blocks, max_tokens=12, label_names=("a", "b", "c"), window="all")
    save_bundle(Bundle(loaded=loaded, head=head, facts=facts), tmp_path / "bundle", card="")
    predictor = load(tmp_path / "bundle")
    predictor.engine = NativeEngine(predictor.bundle.loaded, quick_library, threads=2)
    return predictor


CUTS = st.sets(st.integers(1, 8))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(cuts=CUTS, company=st.integers(0, 3))
def test_kernels_answer_to_the_bit_whatever_the_batches(
    kernel_predictor: Predictor, cuts: set[int], company: int
) -> None:
    """A request's rows in any batches, beside any other rows: what `predict` says, bit by bit."""
    wanted: Any = kernel_predictor.predict(TEXTS)
    found = answered(kernel_predictor, kernel_predictor.bundle.window, cuts, company)
    np.testing.assert_array_equal(found, wanted.probabilities)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(cuts=CUTS, name=st.sampled_from(["head", "all"]))
def test_torch_answers_as_predict_does(predictor: Predictor, cuts: set[int], name: WindowName) -> None:
    """Both heads, both windows: within rounding, since torch's products depend on how many rows they have."""
    window = Window(name=name, max_tokens=12)
    read = predictor.bundle.loaded.tokenizer.read(TEXTS, window)
    wanted = answer_texts(predictor.bundle, predictor.engine, read)
    np.testing.assert_allclose(answered(predictor, window, cuts, 0), wanted, rtol=0, atol=1e-6)


def answered(predictor: Predictor, window: Window, cuts: set[int], company: int) -> np.ndarray:
    """Let an engine compute TEXTS as one request, its rows cut into batches; each has rows of other requests too."""
    tokenizer = predictor.bundle.loaded.tokenizer
    rows = tokenizer.read(TEXTS, window).rows
    others = tokenizer.read(("so very fine", "rain", "it is sun . today")[:company], window).rows
    rows_per_text = tokenizer.read(TEXTS, window).rows_per_text.tolist()
    answerer = BatchAnswerer(predictor)
    stops = [*sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    start, found = 0, np.zeros(0)
    for number, stop in enumerate(stops):
        own = rows.ids[rows.offsets[start] : rows.offsets[stop]]
        ids = np.concatenate([others.ids, own])
        offsets = np.concatenate(
            [others.offsets[:-1], rows.offsets[start : stop + 1] - rows.offsets[start] + len(others.ids)]
        )
        new = [*([[7, 0, rows_per_text]] if start == 0 else []), *([[100 + number, 0, company]] if company else [])]
        parts = [*([[100 + number, 0, company]] if company else []), [7, start, stop]]
        answer = parsed(answerer.answer(frame({"batch": number, "new": new, "parts": parts}, ids, offsets)))
        start = stop
        if [7, len(TEXTS), 0, []] in answer.said["done"]:
            found = answer.arrays[0][company:]
    return found


def test_vectors_are_those_of_the_encoder(predictor: Predictor) -> None:
    """Labels and vectors come of one pass; a vector is the mean of the last hidden state."""
    model = predictor.bundle.loaded.tokenizer
    read = model.read(TEXTS, model.window("head", 12))
    answerer = BatchAnswerer(predictor)
    said = {"batch": 1, "new": [[1, 1, 3], [2, 0, 2]], "parts": [[1, 0, 3], [2, 0, 2]]}
    answer = parsed(answerer.answer(frame(said, read.rows.ids, read.rows.offsets)))
    assert answer.said["done"] == [[1, 3, 1, []], [2, 2, 0, []]]
    wanted = TextEncoder(predictor.engine).encode(list(TEXTS[:3]), max_tokens=12)
    np.testing.assert_allclose(answer.arrays[1], wanted, rtol=0, atol=1e-5)


def test_what_raises_fails_as_a_batch_and_the_next_one_is_computed(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process lives on; requests of the failed batch begin anew, rows that still come for them are dropped."""
    answerer = BatchAnswerer(predictor)
    ids, offsets = np.array([2, 5, 3, 2, 6, 3], np.int32), np.array([0, 3, 6], np.int64)
    with monkeypatch.context() as broken:
        broken.setattr(predictor.engine, "features", lambda *_: np.zeros(3) + np.zeros(4))
        failed = parsed(answerer.answer(frame({"batch": 1, "new": [[1, 0, 4]], "parts": [[1, 0, 2]]}, ids, offsets)))
    assert failed.said["failed"] == 1
    assert "ValueError" in failed.said["why"]
    late = parsed(answerer.answer(frame({"batch": 2, "parts": [[1, 2, 4]]}, ids, offsets)))
    assert late.said["done"] == []
    again = frame({"batch": 3, "new": [[1, 0, 2]], "parts": [[1, 0, 2]]}, ids, offsets)
    assert parsed(answerer.answer(again)).said["done"] == [[1, 2, 0, []]]


def test_a_number_that_is_none_is_told_by_its_text(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN never becomes a label: the text is named."""
    answerer = BatchAnswerer(predictor)
    compute = predictor.engine.features

    def spoilt(*args: object) -> np.ndarray:
        found = np.array(compute(*args))  # type: ignore[arg-type]  # as given
        found[1] = np.nan
        return found

    monkeypatch.setattr(predictor.engine, "features", spoilt)
    ids, offsets = np.array([2, 5, 3, 2, 6, 3], np.int32), np.array([0, 3, 6], np.int64)
    answer = parsed(answerer.answer(frame({"batch": 1, "new": [[1, 0, 2]], "parts": [[1, 0, 2]]}, ids, offsets)))
    assert answer.said["done"] == [[1, 2, 0, [1]]]


def test_requests_that_nobody_waits_for_are_forgotten(predictor: Predictor) -> None:
    """Nothing of a request stays whose client went away."""
    answerer = BatchAnswerer(predictor)
    ids, offsets = np.array([2, 5, 3], np.int32), np.array([0, 3], np.int64)
    answerer.answer(frame({"batch": 1, "new": [[1, 0, 2]], "parts": [[1, 0, 1]]}, ids, offsets))
    assert len(answerer._partial) == 1
    answerer.answer(frame({"batch": 2, "parts": [], "gone": [1]}))
    assert answerer._partial == {}
