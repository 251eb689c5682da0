"""How a result shows itself at a prompt and in a notebook: two lines, and under them tables.

In: lines and tables that a result makes of itself. Out: `__repr__` and `_repr_html_`. It does not know results.
"""

from collections.abc import Iterable, Sequence

from limbeck.display.tables import Table, safe
from limbeck.display.unseen import show_unseen
from limbeck.display.wrapping import ELLIPSIS, visible_text

MOST_LINE = 200
"""Characters of a line at the prompt."""
MOST_NAMES = 6
"""Names that a line lists."""
MOST_ROWS = 12
"""Rows of a table in a notebook: an output is no longer than a screen."""

# A notebook has its own rules for tables: the class stands twice to win over them. No colour of text is set.
_STYLE = """
.limbeck.limbeck p{margin:.2em 0}
.limbeck.limbeck p.head{font-weight:600}
.limbeck.limbeck .tables{display:flex;flex-wrap:wrap;gap:0 2.5em;align-items:flex-start}
.limbeck.limbeck .tables>div{max-width:100%;overflow-x:auto}
.limbeck.limbeck table{border-collapse:collapse;border:0;margin:.6em 0;font-size:.92em;width:auto;color:inherit}
.limbeck.limbeck caption{caption-side:top;text-align:left;font-weight:600;padding:.2em 0;color:inherit}
.limbeck.limbeck tr{background:none;border:0}
.limbeck.limbeck th,.limbeck.limbeck td{padding:.2em .6em;border:0;border-bottom:1px solid rgba(128,128,128,.35);
text-align:right;vertical-align:top;font-variant-numeric:tabular-nums;white-space:nowrap;color:inherit}
.limbeck.limbeck thead th{border-bottom:1px solid rgba(128,128,128,.8);font-weight:600;vertical-align:bottom}
.limbeck.limbeck .name,.limbeck.limbeck .prose{text-align:left;white-space:normal;max-width:32em;
overflow-wrap:anywhere;word-break:keep-all}
.limbeck.limbeck .prose{min-width:6.5em}
.limbeck.limbeck .name{min-width:7em}
.limbeck.limbeck tbody .name{font-weight:400}
""".strip().replace("\n", "")


class View:
    """A result that shows itself: whoever inherits says `_lines` and `_tables`; a dataclass has `repr=False`."""

    def _lines(self) -> tuple[str, str]:
        """Return the two lines: what it is, and what to know of it first."""
        raise NotImplementedError

    def _tables(self) -> Iterable[Table]:
        """Return the tables, the most important one first."""
        return ()

    def __repr__(self) -> str:
        return "\n".join(one_line(line) for line in self._lines())

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: self-contained, without scripts, readable on light and dark ground."""
        head, more = (safe(line, most=2 * MOST_LINE) for line in self._lines())
        tables = "".join(f"<div>{table.first(MOST_ROWS).html()}</div>" for table in self._tables())
        return (
            f'<div class="limbeck"><style>{_STYLE}</style><p class="head">{head}</p><p>{more}</p>'
            f'<div class="tables">{tables}</div></div>'
        )


def one_line(text: str) -> str:
    r"""Return a text on one line of bounded length that nothing in it can end or reorder.

    Example:
        >>> one_line("a\n" + "b" * 3)
        'a bbb'
    """
    line = show_unseen(visible_text(text), lambda sign: ascii(sign)[1:-1])
    return line if len(line) <= MOST_LINE else line[: MOST_LINE - 1].rstrip() + ELLIPSIS


def listed(names: Sequence[str], *, most: int = MOST_NAMES) -> str:
    """List names, the first ones only where there are many, each of bounded length.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    shown = ", ".join(name if len(name) <= 40 else name[:39] + ELLIPSIS for name in names[:most])
    more = len(names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown or "none"
