"""Text that a spreadsheet shows as text: formula injection made harmless, and undone when read back.

In: strings or string columns. Out: the same with an apostrophe before what a spreadsheet would run.
It does not know files nor which column is which.

A cell that starts with = + - @, their full-width forms, a tab or a line end may be taken for a formula by Excel,
LibreOffice and Google Sheets, and a formula can send the sheet's content away. An apostrophe in front makes it text.
A cell of apostrophes and then such a sign gets one more, so taking one off again always gives the original.

Source: OWASP, CSV Injection.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

_RISKY = r"^('*[=+\-@＝＋－＠\t\r\n])"
_MARKED = r"^'('*[=+\-@＝＋－＠\t\r\n])"


def neutralise(text: str) -> str:
    """Return the text with an apostrophe in front if a spreadsheet could run it, else as it is.

    Example:
        >>> neutralise("=1+1"), neutralise("1+1")
        ("'=1+1", '1+1')
    """
    return re.sub(_RISKY, r"'\1", text)


def restore(text: str) -> str:
    """Undo `neutralise`.

    Example:
        >>> restore("'=1+1")
        '=1+1'
    """
    return re.sub(_MARKED, r"\1", text)


def neutralise_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a string column with every cell neutralised; nulls stay null."""
    return pc.replace_substring_regex(column, pattern=_RISKY, replacement=r"'\1", max_replacements=1)


def restore_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undo `neutralise_column`."""
    return pc.replace_substring_regex(column, pattern=_MARKED, replacement=r"\1", max_replacements=1)
