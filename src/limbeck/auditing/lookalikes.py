"""Lookalikes: label names that may be meant as one.

In: label names. Out: pairs of them, each with the reason.
Names are brought together by keys that are equal for names that look alike, never compared all with all, so that
thousands of names take seconds. It does not know rows.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice

from limbeck.data.names import look_key, name_key, without_invisible

MOST_LOOKALIKES = 1_000
"""Pairs that are listed; names that are all alike have more, and nobody reads them."""
_SHORTEST_TYPO = 6
"""Shorter names often differ by one letter and are meant so: "cat", "car"."""
_LONGEST_TYPO = 100
"""Longer names are texts: they are not looked at for a slip of one letter."""

_MEANT_SIGN = re.compile(r"(?<=\d)[^\w\s](?=\d)|^-(?=\d)|(?<=\w)[-+#]+$")
"""Punctuation that makes another name: "1.0" and "10", "-1" and "1", "A+" and "A-", "C" and "C#"."""


@dataclass(frozen=True, kw_only=True)
class Lookalike:
    """Two label names that may be meant as one.

    Attributes:
        one, other: the names, in the order of the label map.
        why: what is alike.
        is_sure: the two are one name written in two ways, to any reader; else one may be a slip.
    """

    one: str
    other: str
    why: str
    is_sure: bool


def lookalikes(names: tuple[str, ...]) -> tuple[Lookalike, ...]:
    """Return the pairs of label names that may be meant as one, sure ones first, `MOST_LOOKALIKES` at most.

    Example:
        >>> [pair.why for pair in lookalikes(("Joy", "joy ", "fear"))]
        ['they differ in case, white space or width only']
    """
    plain = [_plain(look_key(name)) for name in names]
    found: dict[tuple[int, int], tuple[str, bool]] = {}

    def add(pairs: Iterable[tuple[int, int]], why: Callable[[str, str], str], *, is_sure: bool) -> None:
        for pair in pairs:
            if len(found) >= MOST_LOOKALIKES:
                return
            if pair not in found:
                found[pair] = (why(names[pair[0]], names[pair[1]]), is_sure)

    add(_sharing(map(_one, map(name_key, names))), _difference, is_sure=True)
    add(_sharing(map(_one, map(look_key, names))), lambda *_: _SCRIPTS, is_sure=True)
    add(_sharing(map(_one, plain)), lambda *_: "they differ in case, white space or punctuation only", is_sure=True)
    singular = ((name.rstrip("s"), name.removesuffix("es")) for name in plain)
    plurals = (pair for pair in _sharing(singular) if _is_plural(plain[pair[0]], plain[pair[1]]))
    add(plurals, lambda *_: "singular and plural", is_sure=False)
    slips = (pair for pair in _sharing(map(_shortened, plain)) if _one_edit(plain[pair[0]], plain[pair[1]]))
    add(islice(slips, MOST_LOOKALIKES), lambda *_: "they differ by one letter", is_sure=False)
    return tuple(
        Lookalike(one=names[one], other=names[other], why=why, is_sure=is_sure)
        for (one, other), (why, is_sure) in found.items()
    )


_SCRIPTS = "they look alike but hold letters of different scripts, such as Cyrillic or Greek among Latin ones"


def _sharing(keys_of_names: Iterable[Iterable[str]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of places that share a key, each once for every key that it shares."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, keys in enumerate(keys_of_names):
        for key in set(keys):
            places[key].append(place)
    for sharing in places.values():
        yield from combinations(sharing, 2)


def _one(key: str) -> tuple[str]:
    return (key,)


def _difference(one: str, other: str) -> str:
    """Say how two names with the same `name_key` differ."""
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return "they differ in Unicode form only: one is composed (NFC), the other is not"
    if without_invisible(one) == without_invisible(other):
        return "they differ in white space at an end or in characters that cannot be seen only"
    if one.casefold() == other.casefold():
        return "they differ in case only"
    return "they differ in case, white space or width only"


def _plain(name: str) -> str:
    """Return a name's letters, digits and symbols, and punctuation that means something; a name of signs as it is."""
    meant = {place for found in _MEANT_SIGN.finditer(name) for place in range(*found.span())}
    kept = [sign for place, sign in enumerate(name) if place in meant or unicodedata.category(sign)[0] in "LMNS"]
    return "".join(kept) if any(sign.isalnum() for sign in kept) else name.strip()


def _is_plural(one: str, other: str) -> bool:
    return one.rstrip("s") == other.rstrip("s") or one + "es" == other or other + "es" == one


def _shortened(name: str) -> Iterator[str]:
    """Yield a name and what is left of it without one letter: names one edit apart share one of these."""
    if _SHORTEST_TYPO <= len(name) <= _LONGEST_TYPO:
        yield name
        yield from (name[:place] + name[place + 1 :] for place in range(1, len(name)) if not name[place].isdigit())


def _one_edit(one: str, other: str) -> bool:
    """Tell whether one letter was changed, added, dropped or swapped with the next.

    A difference in digits ("level 1", "level 2") or in the first letter ("typical", "atypical") is meant.
    """
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one[0] != other[0]:
        return False
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    changed = one[start : start + 1] + other[start : start + 1]
    if any(sign.isdigit() for sign in changed):
        return False
    rest, rest_other = one[start:], other[start:]
    if len(one) < len(other):
        return rest == rest_other[1:]
    return rest[1:] == rest_other[1:] or (rest[:2] == rest_other[1::-1] and rest[2:] == rest_other[2:])
