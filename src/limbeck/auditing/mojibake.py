"""Mojibake: text that was decoded with the wrong encoding, found by undoing the mistake.

In: texts. Out: which of them hold it, and what a broken piece should have been.
A piece counts only if encoding it back and decoding it rightly works out and gives letters or signs that make sense,
or if it is U+FFFD, the sign that a decoder leaves for bytes it could not read.
It does not know encodings of files: that is the reader's.

The mistakes that are known: UTF-8 read as Windows-1252 or Latin-1 ("donâ€™t", "cafÃ©", "í•œêµ­"), as Mac Roman
("don‚Äôt", "caf√©"), as cp949 ("?쒓뎅", of which only whole runs can be told); Korean EUC-KR/cp949 read as Latin-1
("ÇÑ±¹¾î").
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.reading.decoding import REPLACEMENT

_HIGH_1252 = "\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
"""The bytes 0x80 to 0xBF as Latin-1 and Windows-1252 show them: what follows the first byte of a UTF-8 character."""
_UTF8_AS_1252 = re.compile(
    f"[ÂÃ][{_HIGH_1252}]|â[{_HIGH_1252}]{{2}}|ï[»¿½][{_HIGH_1252}]|ðŸ[{_HIGH_1252}]{{2}}|(?:[á-í][{_HIGH_1252}]{{2}}){{2,}}"
)
_RUN_AS_1252 = re.compile(f"[{_HIGH_1252}À-ÿ]{{4,}}")
"""Greek, Cyrillic, … of two bytes a letter: a whole run must come out: one pair may be an accent and a quote."""
_UTF8_AS_MAC = re.compile("‚Ä[ìîôòúù¶¢]|√[©®†°±≥≠§∂¥∫Ø°≤π∂ºª®≈°¢£ßâêëíìîïñóòôúùûüÄÅÇÉÑÖÜ¶•´¨ÆØ∞]|¬[†£©Æ∞]")
_EUC_KR_AS_LATIN = re.compile("(?:[\u00b0-\u00c8][\u00a1-\u00fe]){2,}")
_UTF8_AS_CP949 = re.compile("[\u4e00-\u9fff\uac00-\ud7a3\u3130-\u318f]{3,}")
_EASTERN_SIGNS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff61-\uff9f"
_EAST_IN_LATIN = re.compile(
    f"(?<=[A-Za-z])[{_EASTERN_SIGNS}](?![{_EASTERN_SIGNS}])|(?<![{_EASTERN_SIGNS}])[{_EASTERN_SIGNS}](?=[a-z])"
)
"""One Hangul syllable, Han character or half-width Kana alone beside a Latin letter, as part of its word."""
_EASTERN_SIGN = re.compile(f"[{_EASTERN_SIGNS}]")
_ASCII_LETTER = re.compile("[A-Za-z]")
_LATIN_TO_EASTERN = 3
"""Latin letters that stand in a text for each eastern sign, at least, if the sign may be mojibake."""
_EASTERN = ("cp949", "gb18030", "shift_jis", "big5")
_WESTERN = re.compile("[’A-Za-z\u00c0-\u024f][a-z]?")
_LATIN_LETTER = re.compile("[\u00c0-\u00ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]+")
_SUSPECT = "[\u0080-\u00c8Ä-ßâïðá-ì√¬‚\ufffd\u3400-\u9fff\uac00-\ud7a3\uff61-\uff9f]"
"""A cheap look first: texts without any of these cannot hold mojibake."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of mojibake and what it should have been ("�" cannot be mended: `meant` is empty)."""

    broken: str
    meant: str


def find_mojibake(text: str) -> Piece | None:
    """Return the first piece of mojibake in a text; None where there is none.

    Example:
        >>> find_mojibake("I donâ€™t")
        Piece(broken='â€™', meant='’')
        >>> find_mojibake("ÇÑ±¹¾î").meant
        '한국어'
        >>> find_mojibake("Ça va à Genève, déjà vu") is None
        True
    """
    if REPLACEMENT in text:
        return Piece(broken=REPLACEMENT, meant="")
    for pattern, undo in _MISTAKES:
        if pattern is _EAST_IN_LATIN and not _is_latin(text):
            continue
        for match in pattern.finditer(text):
            meant = undo(match.group())
            if meant:
                return Piece(broken=match.group(), meant=meant)
    return None


def mojibake_mask(texts: pa.LargeStringArray) -> np.ndarray:
    """Tell which texts hold mojibake, bool (N,)."""
    found = np.zeros(len(texts), dtype=bool)
    suspects = np.flatnonzero(pc.match_substring_regex(texts, _SUSPECT).to_numpy(zero_copy_only=False))
    for place, text in zip(suspects.tolist(), texts.take(pa.array(suspects)).to_pylist(), strict=True):
        found[place] = find_mojibake(text) is not None
    return found


def _undo_1252(piece: str) -> str:
    """Read Windows-1252 back as UTF-8; the five bytes that it leaves undefined pass through as Latin-1 has them."""
    content = b"".join(_byte_1252(sign) for sign in piece)
    return _decoded(content, "utf-8")


def _byte_1252(sign: str) -> bytes:
    try:
        return sign.encode("cp1252")
    except UnicodeEncodeError:
        return sign.encode("latin-1", "replace")


def _undo_mac(piece: str) -> str:
    return _decoded(piece.encode("mac_roman", "replace"), "utf-8")


def _undo_latin_korean(piece: str) -> str:
    """Read Latin-1 back as EUC-KR: two letters at least, or it could be a row of signs such as bullets."""
    meant = _decoded(piece.encode("latin-1"), "euc_kr")
    return meant if len(_LATIN_LETTER.findall(piece)) >= 2 and _HANGUL.fullmatch(meant) else ""


def _undo_cp949(piece: str) -> str:
    """Read cp949 back as UTF-8: the whole run must come out as Hangul, which real Korean never does by chance."""
    try:
        content = piece.encode("cp949")
    except UnicodeEncodeError:
        return ""
    meant = _decoded(content, "utf-8")
    return meant if _HANGUL.fullmatch(meant) else ""


def _is_latin(text: str) -> bool:
    """Tell whether eastern signs are so few that they may be broken Latin letters."""
    return _LATIN_TO_EASTERN * len(_EASTERN_SIGN.findall(text)) < len(_ASCII_LETTER.findall(text))


def _undo_eastern(sign: str) -> str:
    """Read a sign of an eastern encoding back as Windows-1252 or -1250: apostrophe or accent, then a letter.

    The frequent signs of those encodings have no Latin letter for a second byte, so that they hardly ever count.
    """
    for eastern in _EASTERN:
        try:
            content = sign.encode(eastern)
        except UnicodeEncodeError:
            continue
        for western in ("cp1252", "cp1250"):
            if _WESTERN.fullmatch(meant := _decoded(content, western)):
                return meant
    return ""


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return ""


_MISTAKES: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (_UTF8_AS_1252, _undo_1252),
    (_UTF8_AS_MAC, _undo_mac),
    # Before Korean: a run that is whole UTF-8 is no accident, while parts of it can look like Korean.
    (_RUN_AS_1252, _undo_1252),
    (_EUC_KR_AS_LATIN, _undo_latin_korean),
    (_UTF8_AS_CP949, _undo_cp949),
    (_EAST_IN_LATIN, _undo_eastern),
)
