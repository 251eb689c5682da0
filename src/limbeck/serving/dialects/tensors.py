"""Tensors: the named arrays of the Open Inference Protocol, as JSON or as raw bytes behind it.

In: a body, and a header that says how much of it is JSON. Out: texts; and arrays written the same way.
It does not know models.

    raw texts (BYTES)   for each: its length in four bytes, little-endian, then its UTF-8
    raw numbers         little-endian, row by row

Source: Triton, docs/protocol/extension_binary_data.md.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.errors import RequestError
from limbeck.serving.bodies import strict_json
from limbeck.serving.replies import shortest

_LENGTH = struct.Struct("<I")
DATATYPES = {"bool": "BOOL", "int32": "INT32", "float32": "FP32", "float64": "FP64"}
"""Names of NumPy's types here; texts are BYTES."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """A named array of an answer.

    Attributes:
        name: of the output.
        values: NumPy array of one of `DATATYPES`, or of objects that are strings.
    """

    name: str
    values: np.ndarray

    @property
    def datatype(self) -> str:
        """Its type in the protocol's words."""
        return DATATYPES.get(self.values.dtype.name, "BYTES")

    def described(self, *, is_raw: bool) -> tuple[dict[str, Any], bytes]:
        """Return how it stands in JSON, and its raw bytes, where it is wanted so."""
        head = {"name": self.name, "shape": list(self.values.shape), "datatype": self.datatype}
        if not is_raw:
            flat = self.values.ravel()
            return {**head, "data": shortest(flat) if flat.dtype == np.float32 else flat.tolist()}, b""
        raw = self._raw()
        return {**head, "parameters": {"binary_data_size": len(raw)}}, raw

    def _raw(self) -> bytes:
        if self.datatype != "BYTES":
            return self.values.astype(self.values.dtype.newbyteorder("<")).tobytes()
        texts = [text.encode() for text in self.values.ravel().tolist()]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)


def split_body(body: bytes, said: str | None) -> tuple[Any, bytes]:
    """Return the JSON of a body, and what stands behind it.

    Args:
        body: as it came.
        said: how many bytes of it are JSON, as the header has it; None where all are.

    Raises:
        RequestError: it does not divide so, or is no JSON.
    """
    if said is None:
        return strict_json(body), b""
    if not (said.isdecimal() and len(said) < len(str(2**63)) and int(said) <= len(body)):
        raise RequestError(
            f"Inference-Header-Content-Length must be a number of bytes from 0 to {len(body):,}, those of the body"
        )
    return strict_json(body[: int(said)]), body[int(said) :]


def raw_texts(raw: bytes, *, name: str) -> list[str]:
    """Return the texts of raw bytes.

    Raises:
        RequestError: their lengths do not add up, or one is not UTF-8.
    """
    texts: list[str] = []
    place = 0
    while place < len(raw):
        if place + _LENGTH.size > len(raw):
            raise RequestError(f"{name}: its raw bytes end within a length")
        (size,) = _LENGTH.unpack_from(raw, place)
        place += _LENGTH.size
        if place + size > len(raw):
            raise RequestError(f"{name}: text {len(texts)} says {size:,} bytes, and {len(raw) - place:,} are left")
        try:
            texts.append(raw[place : place + size].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise RequestError(f"{name}: text {len(texts)} is not UTF-8 at byte {error.start:,}") from error
        place += size
    return texts


def flat_texts(values: Any) -> list[Any]:
    """Return the items of nested lists, in their order; whether they are texts is not looked at."""
    if not isinstance(values, list):
        return [values]
    return [item for value in values for item in (flat_texts(value) if isinstance(value, list) else [value])]


def raw_size(parameters: Mapping[str, Any] | None) -> int | None:
    """Return how many raw bytes belong to an input; None where its values stand in JSON.

    Raises:
        RequestError: it is no number of bytes.
    """
    size = (parameters or {}).get("binary_data_size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise RequestError("binary_data_size must be a number of bytes")
    return size
