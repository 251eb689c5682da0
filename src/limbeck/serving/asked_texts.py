"""Asked texts: the texts in a body of JSON, each checked to be one that a model can read.

In: a decoded value, and whether the model reads pairs. Out: texts in their order; or one error that names each that is
none. It does not know dialects: what a list of two texts means differs between them, and they say so.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from limbeck.data.text_pairs import PAIR_MARK, TextPair, parse_pair
from limbeck.errors import FaultLog, RowError
from limbeck.model.facts import BundleFacts
from limbeck.serving.forms import json_kind

PAIR_LENGTH = 2
TEXT_SCHEMA = {"type": "string"}
PAIR_SCHEMA = {"type": "array", "items": TEXT_SCHEMA, "minItems": PAIR_LENGTH, "maxItems": PAIR_LENGTH}
TEXTS_SCHEMA = {
    "anyOf": [
        TEXT_SCHEMA,
        {"type": "array", "items": {"anyOf": [TEXT_SCHEMA, PAIR_SCHEMA]}, "minItems": 1},
    ]
}
"""One text, or a list of texts; of a model that reads pairs a list of pairs, too."""


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Texts of one request.

    Attributes:
        rows: as `Asked.texts` has them.
        is_one: whether one text was sent by itself, not in a list.
    """

    rows: list[str]
    is_one: bool


def read_texts(value: Any, facts: BundleFacts, *, name: str) -> Texts:
    """Return the texts of a value: one text, or a list of texts or of pairs.

    Args:
        value: decoded.
        facts: of the model: whether it reads pairs.
        name: of the field, for messages.

    Raises:
        RowError: gathers what is no text that the model reads, by its place.
    """
    is_one = isinstance(value, str)
    values = [value] if is_one else value
    if not isinstance(values, list):
        raise RowError(f"{name} is {json_kind(value)}: give a text, or a list of texts")
    if not values:
        raise RowError(f"{name} is an empty list: give one text or more")
    return Texts(rows=read_text_rows(values, facts, name=name), is_one=is_one)


def read_text_rows(values: list[Any], facts: BundleFacts, *, name: str) -> list[str]:
    """Return a list's texts, or pairs.

    Raises:
        RowError: gathers what is none, by its place.
    """
    faults, rows, first = FaultLog(), [], None
    for place, value in enumerate(values):
        row = _row_of(value, facts)
        if isinstance(row, _Fault):
            first = place if first is None else first
            faults.add(f"{name}[{place}] {row.words}")
        else:
            rows.append(row)
    if first is not None:
        reads = "one text per row" if facts.pair is None else f"two texts per row, {' and '.join(facts.pair)}"
        faults.raise_as(
            partial(RowError, row=first),
            what=f"{faults.count:,} of {len(values):,} texts cannot be read; the model reads {reads}",
            todo="correct them and ask again",
        )
    return rows


@dataclass(frozen=True)
class _Fault:
    words: str


def _row_of(value: Any, facts: BundleFacts) -> "str | _Fault":
    if isinstance(value, list):
        return _pair_of(value, facts)
    if isinstance(value, bool | int | float):
        return _Fault(f"is {json_kind(value)}: send the text itself, not numbers of tokens")
    if not isinstance(value, str):
        return _Fault(f"is {json_kind(value)}; a text was expected")
    if facts.pair is not None and parse_pair(value) is None:
        return _Fault(f'is one text: send ["first", "second"], or "first{PAIR_MARK}second"')
    return _half_surrogate([value]) or value


def _pair_of(value: list[Any], facts: BundleFacts) -> "str | _Fault":
    if value and all(isinstance(one, int) for one in value):
        return _Fault("is a list of whole numbers: send the text itself, not numbers of tokens")
    if len(value) != PAIR_LENGTH or not all(isinstance(one, str) for one in value):
        return _Fault("is a list; a text was expected, or a list of two texts where the model reads pairs")
    if facts.pair is None:
        return _Fault("is a pair of texts; one text was expected")
    return _half_surrogate(value) or TextPair(*value)


def _half_surrogate(texts: list[str]) -> _Fault | None:
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            return _Fault(f"has half of a surrogate pair at character {error.start:,}: send whole characters")
    return None
