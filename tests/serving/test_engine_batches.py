"""Engine batches: whatever the company and the order of rows, answers are those of `Predictor.predict`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limbeck.inference.predictor import Predictor, load
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.serving.engine_batches import BatchAnswerer
from limbeck.serving.engine_frames import EngineFrame, FrameReader
from limbeck.settings import HeadKind

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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(cuts=st.sets(st.integers(1, 6)), window=st.sampled_from(["head", "all"]))
def test_rows_in_any_batches_give_what_predict_says(predictor: Predictor, cuts: set[int], window: str) -> None:
    """Rows of two requests, cut into batches anywhere: the same probabilities, to the bit where rows are alone.

    torch's products of tiny matrices depend on how many rows they have; the kernels' do not.
    """
    model = predictor.bundle.loaded.tokenizer
    read = model.read(TEXTS, model.window(window, 12))  # type: ignore[arg-type]  # drawn from the names
    answerer = BatchAnswerer(predictor)
    stops = [*sorted(cut for cut in cuts if cut < len(read.rows)), len(read.rows)]
    start, found = 0, None
    for number, stop in enumerate(stops):
        ids = read.rows.ids[read.rows.offsets[start] : read.rows.offsets[stop]]
        offsets = read.rows.offsets[start : stop + 1] - read.rows.offsets[start]
        new = [[7, 0, read.rows_per_text.tolist()]] if start == 0 else []
        answer = parsed(
            answerer.answer(frame({"batch": number, "new": new, "parts": [[7, start, stop]]}, ids, offsets))
        )
        start = stop
        assert answer.said["batch"] == number
        if answer.said["done"]:
            found = answer.arrays[0]
    from limbeck.inference.long_texts import answer_texts

    wanted = answer_texts(predictor.bundle, predictor.engine, read)
    assert found is not None
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    if len(stops) == 1:
        assert np.array_equal(found, wanted)


def test_vectors_are_those_of_the_encoder(predictor: Predictor) -> None:
    """Labels and vectors come of one pass; a vector is the mean of the last hidden state."""
    from limbeck.features.text_encoder import TextEncoder

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
