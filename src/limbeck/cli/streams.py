r"""Streams that are not UTF-8: what a terminal or a pipe cannot say is written plainly, never a traceback.

In: standard output and error. Out: the same, with a way out for characters beyond their encoding: "–" becomes "-" and
so on; any other becomes its number, as in "\uc815". It does not know what is written.
"""

import codecs
import io
import sys

_HANDLER = "limbeck.plain"
_PLAIN = str.maketrans({"–": "-", "“": '"', "”": '"', "…": "...", "→": "->", "·": "-", "×": "x"})


def tolerate_encodings() -> None:
    """Let standard output and error take any character, whatever their encoding."""
    codecs.register_error(_HANDLER, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return plain.encode("ascii", "backslashreplace").decode("ascii"), error.end
