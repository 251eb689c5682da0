"""Bytes become text, and where they do not: what is wrong, where, and which encoding they fit.

In: files or cells of bytes, and the encoding that was asked for. Out: strings, faults by row, or the name of a codec
that fits better. Almost any bytes decode as some East Asian or Western encoding, so the characters that come out must
be those that its languages use most. It does not know formats, and never decides on another encoding: a person is
told.
"""

import codecs
import encodings.aliases
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from limbeck.errors import SettingsError
from limbeck.reading.bad_rows import BadRows, place_of
from limbeck.reading.compression import open_bytes
from limbeck.storage import explained

MARK = "\udcff"
"""Stands for bytes that did not decode: half of a surrogate pair, which no valid decoding gives."""
REPLACEMENT = "\ufffd"

_MARKING = "limbeck.mark"
_BROKEN = re.compile("[\ud800-\udfff]")
_USUAL = ("utf-8", "utf-16", "cp949", "euc-kr", "latin-1", "cp1252", "shift_jis", "gb18030", "big5")
_EXCERPT_CHARS = 20


def check_encoding(name: str) -> str:
    """Return a codec's own name for any of its usual spellings.

    Raises:
        SettingsError: Python has no such text codec; names the nearest.
    """
    try:
        # Some codecs turn bytes into bytes; only decoding something tells them apart.
        b"\0\0\0\0".decode(name, "ignore")
        return codecs.lookup(name).name
    except (LookupError, UnicodeError, ValueError):
        known = {*_USUAL, *encodings.aliases.aliases, *encodings.aliases.aliases.values()}
        near = get_close_matches(name.lower().replace(" ", "_"), known, n=3, cutoff=0.5)
        raise SettingsError(
            f"encoding {name!r} is not known; {'near ones: ' + ', '.join(near) if near else 'usual ones'}"
            f"{'' if near else ': ' + ', '.join(_USUAL)}. Give the name of a Python text codec"
        ) from None


def open_text(path: Path, encoding: str, *, newline: str = "") -> TextIO:
    r"""Open a text file with line ends as they are, its byte-order marks taken off, undecodable bytes become `MARK`.

    Args:
        path: the file.
        encoding: how it is decoded.
        newline: what ends a line: "" for \n, \r\n and a lone \r, "\n" for line feeds only.

    Raises:
        StorageError: the file cannot be opened.
    """
    codecs.register_error(_MARKING, _mark)
    codec = check_encoding(encoding)
    with explained(path, doing="read"):
        file = io.TextIOWrapper(open_bytes(path), encoding=codec, errors=_MARKING, newline=newline)
        start = file.tell()
        # A tool that adds a mark to a file that has one leaves two.
        while file.read(1) == "\ufeff":
            start = file.tell()
        file.seek(start)
    return file


def text_of(content: bytes, encoding: str, *, newline: str = "") -> TextIO:
    """Return bytes as `open_text` gives those of a file."""
    codecs.register_error(_MARKING, _mark)
    return io.TextIOWrapper(io.BytesIO(content), encoding=check_encoding(encoding), errors=_MARKING, newline=newline)


def decode_marked(content: bytes, encoding: str = "utf-8") -> str:
    """Decode bytes; those that do not decode become `MARK`."""
    codecs.register_error(_MARKING, _mark)
    return content.decode(encoding, _MARKING)


def position_of(file: TextIO) -> int:
    """Return how many bytes of the file have been taken from the disk."""
    return file.buffer.tell()


class CellStrings:
    """Turns chunks of Python strings into Arrow strings, and meets undecodable bytes as the policy says."""

    def __init__(self, file: str, encoding: str, bad: BadRows, *, files: Sequence[str] = ()) -> None:
        self._file = file
        self._files = files
        self._encoding = encoding
        self._bad = bad

    def convert(
        self, columns: Mapping[str, Sequence[str | None]], numbers: Sequence[int]
    ) -> tuple[dict[str, pa.Array], set[int]]:
        """Return each column as an Arrow array, and the positions of the rows to leave out.

        Shapes: every column and `numbers` (R,).
        """
        arrays: dict[str, pa.Array] = {}
        broken: dict[int, str] = {}
        for name, values in columns.items():
            try:
                arrays[name] = pa.array(values, pa.large_string())
            except UnicodeEncodeError:
                cells = [place for place, value in enumerate(values) if value is not None and is_broken(value)]
                self._report(name, values, numbers, cells, broken)
                arrays[name] = pa.array([replaced(value) for value in values], pa.large_string())
        rows = sorted(broken)
        if self._bad.mends:
            self._bad.mend("rows with undecodable bytes, kept with U+FFFD", rows, broken.__getitem__)
        elif self._bad.skips:
            self._bad.reject("rows with undecodable bytes", rows, broken.__getitem__)
            return arrays, set(rows)
        return arrays, set()

    def _report(
        self,
        column: str,
        values: Sequence[str | None],
        numbers: Sequence[int],
        cells: list[int],
        broken: dict[int, str],
    ) -> None:
        """Describe the cells at fault: gathered at once under "error", or one a row in `broken`."""

        def describe(position: int) -> str:
            where = place_of(self._file, numbers[position], column, self._files)
            return f"{where}: {self._describe(values[position] or '')}"

        if self._bad.policy == "error":
            self._bad.reject("rows with undecodable bytes", cells, describe)
            return
        for position in cells:
            broken.setdefault(position, describe(position))

    def _describe(self, value: str) -> str:
        found = _BROKEN.search(value)
        start = found.start() if found else 0
        excerpt = value[max(0, start - _EXCERPT_CHARS) : start + _EXCERPT_CHARS]
        shown = _BROKEN.sub(REPLACEMENT, excerpt)
        if found and found.group() != MARK:
            return f"has half of a \\u pair at character {start + 1:,}: {shown!r}"
        return f"has bytes that are not {self._encoding} at character {start + 1:,}: {shown!r}"


def is_broken(value: str) -> bool:
    """Tell whether a string holds a mark, or half of a surrogate pair."""
    return _BROKEN.search(value) is not None


def replaced(value: str | None) -> str | None:
    """Return a string with each mark, or half of a surrogate pair, become U+FFFD."""
    return None if value is None else _BROKEN.sub(REPLACEMENT, value)


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


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
    with explained(path, doing="read"), open_bytes(path) as file:
        sample = file.read(_SAMPLE_BYTES)
    found = recognise(sample)
    return found if found and codecs.lookup(found).name != codecs.lookup(encoding).name else None


def suggest_utf_16(path: Path) -> str | None:
    """Name the kind of UTF-16 that a file is, by its first bytes; None where it is something else."""
    with explained(path, doing="read"), open_bytes(path) as file:
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
