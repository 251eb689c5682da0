"""Label names as they fit into a picture: on a few short lines, no character that would break the drawing.

In: any string. Out: lines of text. It does not know fonts or charts.
"""

import re
import unicodedata

ELLIPSIS = "…"


def visible_text(text: str) -> str:
    """Return the text composed (NFC: decomposed Hangul becomes syllables), white space and controls as one space."""
    composed = unicodedata.normalize("NFC", text)
    kept = (sign for sign in composed if unicodedata.category(sign) != "Cf")  # invisible marks, such as joiners
    visible = "".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in kept)
    return " ".join(visible.split())


def width(text: str) -> int:
    """Return the columns that a text takes: 2 for a wide character such as a Hangul syllable, 0 for a combining one."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def wrap(text: str, *, columns: int, lines: int) -> str:
    r"""Break a text into at most `lines` lines of at most `columns` columns; what does not fit ends in an ellipsis.

    Lines break after white space, hyphens, underscores, slashes and dots where they can, inside a word where they must.

    Example:
        >>> wrap("a very long name of a class", columns=10, lines=2)
        'a very\nlong name…'
    """
    pieces = [
        piece
        for word in re.findall(r"[^\s\-_/.]*[\s\-_/.]*", visible_text(text))
        if word
        for piece in _cut(word, columns)
    ]
    wrapped = [""]
    for piece in pieces:
        if wrapped[-1] and width(wrapped[-1] + piece.rstrip()) > columns:
            wrapped.append("")
        wrapped[-1] += piece
    wrapped = [line.strip() for line in wrapped]
    if len(wrapped) > lines:
        last = wrapped[lines - 1]
        while width(last) + 1 > columns:
            last = last[:-1]
        wrapped = [*wrapped[: lines - 1], last.rstrip() + ELLIPSIS]
    return "\n".join(wrapped)


def _cut(word: str, columns: int) -> list[str]:
    """Cut a word that is wider than a line."""
    pieces = [""]
    for sign in word:
        if width(pieces[-1] + sign.strip()) > columns:
            pieces.append("")
        pieces[-1] += sign
    return pieces
