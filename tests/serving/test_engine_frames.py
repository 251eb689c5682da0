"""Frames: what is packed comes out again, whatever the pieces; what is torn is refused."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import EngineError
from limbeck.serving import engine_frames
from limbeck.serving.engine_frames import FrameReader, frame_bytes


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_whatever_the_pieces(lengths: list[int], piece: int) -> None:
    """Several frames, cut into pieces of any length, give the same objects and the same arrays, bit by bit."""
    drawn = np.random.default_rng(len(lengths))
    sent = [
        ({"batch": place, "ü": "슬픔"}, drawn.integers(0, 9, length).astype(np.int32))
        for place, length in enumerate(lengths)
    ]
    line = b"".join(frame_bytes(said, array, array.astype(np.float32)[:, None]) for said, array in sent)
    reader = FrameReader()
    come = [frame for start in range(0, len(line), piece) for frame in reader.feed(line[start : start + piece])]
    assert [dict(frame.said) for frame in come] == [said for said, _ in sent]
    for frame, (_, array) in zip(come, sent, strict=True):
        assert np.array_equal(frame.arrays[0], array)
        assert frame.arrays[1].shape == (len(array), 1)


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (b"{}", b""),  # no arrays named
        (b"[1]", b""),
        (b"{", b""),
        (b'{"arrays":[["<i4",3]]}', b"1234"),  # fewer bytes than named
        (b'{"arrays":[]}', b"1234"),  # more
        (b'{"arrays":[["|O",1]]}', b"12345678"),  # an object, as pickle would have it
        (b'{"arrays":[["<i4",-1]]}', b""),
        (b'{"arrays":[["<i4",1099511627776,1099511627776]]}', b""),  # more than any number of the system's holds
        (b'{"arrays":[["<i4",1e300]]}', b""),
    ],
)
def test_a_torn_frame_is_refused(said: bytes, body: bytes) -> None:
    """Whatever is no frame is an error of the engine, never an array of something else."""
    with pytest.raises(EngineError, match="torn"):
        list(FrameReader().feed(struct.pack("<II", len(said), len(body)) + said + body))


def test_a_length_without_end_is_refused_before_it_is_waited_for() -> None:
    """Eight bytes that promise gigabytes are a torn frame at once."""
    with pytest.raises(EngineError, match="torn"):
        list(FrameReader().feed(struct.pack("<II", 2**31, 2**31)))


def test_a_frame_that_is_too_long_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bound holds for who sends."""
    monkeypatch.setattr(engine_frames, "MOST_FRAME_BYTES", 100)
    with pytest.raises(EngineError, match="fewer texts"):
        frame_bytes({}, np.zeros(100, np.int32))
