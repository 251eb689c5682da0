"""Which encoding a file's bytes fit: judged by whether what comes out looks like a language.

In: a path. Out: the name of a codec, or None where nothing is plausible. Almost any bytes decode as some East Asian or
Western encoding, so the characters that come out must be those that its languages use most.
It does not read rows, and never decides: a person is told.
"""

import codecs
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path

from limbeck.storage import explained

_SAMPLE_BYTES = 1 << 20
_START_BYTES = 1 << 12
_KOREAN = frozenset(
    "이다는에의가고하을를도지은한로기사그나서어리자시인정해라있으니아대보수만요거전일게음안면좋했습것들영화여주부장제"
)
_CHINESE = frozenset(
    "的一是不了在人有我他這这個个們们中來来上大為为和國国地到以說说時时要就出會会可也你對对生能而子那得於于著着下自之年"
    "過过發发後后作里好很都没沒還还看太東东西品質质錢钱服務务用多天想真快物買买本無无最便"
)
_CYRILLIC = frozenset("оеаинтсрвлкмдпуяыьг")
_WEST = frozenset("éèêëàâäáãåçîïíìñôöóòõøùûüúæœßÄÖÜÉÀÈÅØÆÇÑ’‘“”–—…•€£°«»¿¡§·™©®")
_CENTRAL = frozenset("ąćęłńóśźżĄĆĘŁŃŚŹŻáčďéěíňřšťúůýžÁČĎĚŇŘŠŤŮÝŽőűŐŰöüÖÜăâîșțţäß„”’–—…»«")
_LETTERS_OF = {"cp949": _KOREAN, "gb18030": _CHINESE, "big5": _CHINESE}
_LEAST = 0.15
"""So many of the characters of another script must be among its most frequent ones."""
_LEAST_WESTERN = 0.7
_LONGEST_RUN = 2
"""Western words have few accented letters in a row."""
_SIGN_IN_WORD = re.compile(
    r"(?<=[^\W\d_])[^\w\s\x00-\x7f’‘–—·](?=[^\W\d_])|[¹²³¼½¾ª](?=[^\W\d_])|(?<=[^\W\d_])[¹²³¼½¾]"
)
_WIDE_LEAST = 0.5
"""UTF-16 without a mark: so many of its characters must be ASCII or frequent ones."""


def suggest_encoding(path: Path, encoding: str) -> str | None:
    """Name a codec that fits the file's first bytes better, where one is recognised."""
    with explained(path, doing="read"), path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    found = recognise(sample)
    return found if found and codecs.lookup(found).name != codecs.lookup(encoding).name else None


def suggest_utf_16(path: Path) -> str | None:
    """Name the kind of UTF-16 that a file is, by its first bytes; None where it is something else."""
    with explained(path, doing="read"), path.open("rb") as file:
        start = file.read(_START_BYTES)
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start
    return recognise(start) if wide else None


def recognise(sample: bytes) -> str | None:
    r"""Guess a codec of the first bytes of a file of texts.

    Example:
        >>> recognise("text\nIt’s fine\n".encode("cp1252")), recognise("text\n정말 좋다\n".encode("cp949"))
        ('cp1252', 'cp949')
    """
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in sample:
        return _utf_16(sample)
    if _decoded(sample, "utf-8") is not None:
        return "utf-8"
    scores = {codec: _eastern(sample, codec) for codec in ("cp949", "shift_jis", "euc_jp", "gb18030", "big5")}
    scores["cp1251"] = _cyrillic(sample)
    best = max(scores, key=lambda codec: scores[codec])
    if scores[best] >= _LEAST:
        return best
    western = {"cp1252": _western(sample, "cp1252", _WEST), "cp1250": _western(sample, "cp1250", _CENTRAL)}
    best = max(western, key=lambda codec: western[codec])
    return best if western[best] >= _LEAST_WESTERN else None


def _eastern(sample: bytes, codec: str) -> float:
    """Return the share of characters beyond ASCII that are frequent ones; 0 where letters of words were eaten."""
    text = _decoded(sample, codec)
    if text is None:
        return 0.0
    foreign = [sign for sign in text if not sign.isascii()]
    # A single East Asian letter inside a Latin word is an accented letter and the one after it.
    inside = len(re.findall(r"[A-Za-z][^\x00-\x7f](?=[A-Za-z ,.!?;\n])", text))
    if not foreign or inside * 4 > len(foreign):
        return 0.0
    if codec in _LETTERS_OF:
        letters = [sign for sign in foreign if sign.isalpha()]
        hits = sum(sign in _LETTERS_OF[codec] for sign in letters)
        right = sum(("가" <= sign <= "힣") == (codec == "cp949") for sign in letters)
        return hits / len(letters) if letters and right * 2 > len(letters) else 0.0
    kana = sum("\u3041" <= sign <= "\u30fe" for sign in foreign)
    # Half-width kana come out of any high bytes; written Japanese hardly has them.
    return kana / len(foreign) if kana * 4 > len(foreign) else 0.0


def _cyrillic(sample: bytes) -> float:
    text = _decoded(sample, "cp1251")
    letters = [sign for sign in text or "" if not sign.isascii() and sign.isalpha()]
    words = re.findall("[а-яё]{3,}", text or "")
    inside = sum(map(len, words))
    hits = sum(sign in _CYRILLIC for word in words for sign in word)
    return hits / len(letters) * 0.9 if letters and inside * 2 > len(letters) and hits * 2 > inside else 0.0


def _western(sample: bytes, codec: str, usual: frozenset[str]) -> float:
    """Return the share of characters beyond ASCII that are frequent; long runs and signs in words count against it."""
    text = _decoded(sample, codec)
    if text is None:
        return 0.0
    counts = Counter(sign for sign in text if not sign.isascii())
    odd = len(_SIGN_IN_WORD.findall(text))
    runs = sum(len(run) for run in re.findall(rf"[^\x00-\x7f]{{{_LONGEST_RUN + 1},}}", text))
    seen = counts.total()
    hits = sum(count for sign, count in counts.items() if sign in usual) - odd - runs
    return hits / seen if seen else 0.0


def _utf_16(sample: bytes) -> str | None:
    """Tell UTF-16 without a mark by the side on which NULs stand, and by what comes out."""
    little = sample[1::2].count(0) >= sample[::2].count(0)
    codec = "utf-16-le" if little else "utf-16-be"
    text = _decoded(sample[: len(sample) // 2 * 2], codec)
    if not text:
        return None
    frequent = _KOREAN | _CHINESE | frozenset("\t\r\n")
    usual = sum((sign.isprintable() and sign.isascii()) or sign in frequent for sign in text)
    return codec if usual >= _WIDE_LEAST * len(text) else None


def _decoded(sample: bytes, codec: str) -> str | None:
    with suppress(UnicodeDecodeError):
        return codecs.getincrementaldecoder(codec)("strict").decode(sample)
    return None
