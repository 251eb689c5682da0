"""Engine frames: what front and engine say to each other, as bytes: an object of JSON and plain arrays.

In: an object and arrays, or bytes as they come. Out: bytes, or `EngineFrame`s. No pickle: a frame can hold nothing but
words and numbers. It does not know what is said.

    8 bytes: length of the object, length of the arrays (little endian) | the object, UTF-8 | the arrays, end to end
"""

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.errors import EngineError

MOST_FRAME_BYTES = 2**28
"""Of both parts together; a longer one is taken for a torn frame."""
_LENGTHS = struct.Struct("<II")
_KINDS = ("<i4", "<i8", "<f4")
_ARRAYS = "arrays"


@dataclass(frozen=True, kw_only=True, eq=False)
class EngineFrame:
    """What one side says.

    Attributes:
        said: an object of JSON.
        arrays: plain arrays, in the order in which they were given.
    """

    said: Mapping[str, Any]
    arrays: tuple[np.ndarray, ...]


def frame_bytes(said: Mapping[str, Any], *arrays: np.ndarray) -> bytes:
    """Return a frame.

    Args:
        said: an object of JSON.
        arrays: int32, int64 or float32.

    Raises:
        EngineError: it is longer than a frame may be.
    """
    shapes = [[array.dtype.str, *array.shape] for array in arrays]
    head = json.dumps({**said, _ARRAYS: shapes}, separators=(",", ":")).encode()
    body = [array.tobytes() for array in arrays]
    length = sum(map(len, body))
    if len(head) + length > MOST_FRAME_BYTES:
        raise EngineError(f"a frame of {len(head) + length:,} bytes is above {MOST_FRAME_BYTES:,}: send fewer texts")
    return b"".join((_LENGTHS.pack(len(head), length), head, *body))


class FrameReader:
    """Puts frames together again from pieces of any length."""

    def __init__(self) -> None:
        self._come = bytearray()

    def feed(self, piece: bytes) -> Iterator[EngineFrame]:
        """Take what came; give the frames that are whole now.

        Raises:
            EngineError: it is no frame.
        """
        self._come += piece
        while len(self._come) >= _LENGTHS.size:
            head, body = _LENGTHS.unpack_from(self._come)
            if head + body > MOST_FRAME_BYTES:
                raise EngineError(f"a frame of {head + body:,} bytes is above {MOST_FRAME_BYTES:,}: the frame is torn")
            stop = _LENGTHS.size + head + body
            if len(self._come) < stop:
                return
            whole = bytes(memoryview(self._come)[_LENGTHS.size : stop])
            del self._come[:stop]
            yield _parsed(whole, head)


def _parsed(whole: bytes, head: int) -> EngineFrame:
    try:
        said = json.loads(whole[:head])
        shapes = [(np.dtype(kind), tuple(shape)) for kind, *shape in said.pop(_ARRAYS) if kind in _KINDS]
        arrays, start = [], head
        for kind, shape in shapes:
            count = math.prod(shape)
            # A copy, so that it lies where an array of its kind should.
            arrays.append(np.frombuffer(whole, kind, count, start).reshape(shape).copy())
            start += count * kind.itemsize
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise EngineError(f"a frame of the engine cannot be read ({error}): it is torn") from error
    if start != len(whole):
        raise EngineError(f"a frame of the engine has {len(whole) - head} bytes of arrays, not {start - head}: torn")
    return EngineFrame(said=said, arrays=tuple(arrays))
