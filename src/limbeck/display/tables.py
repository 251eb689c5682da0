"""A table: rows of strings under a header, for the terminal, Markdown and notebooks alike.

In: strings. Out: a `Table`, and text, Markdown or HTML of it. It does not know what the rows are about.

HTML is escaped here, and what comes from data can neither reorder its neighbours nor hide: every cell stands in a
`bdi`, unseen characters are shown by number. It sets no colour of text and no opaque ground, so that it is readable
wherever a notebook is light or dark.
"""

from dataclasses import dataclass, replace
from html import escape

from limbeck.display.unseen import show_unseen
from limbeck.display.wrapping import ELLIPSIS, visible_text, width

MOST_CHARS = 160
"""Of a cell in HTML."""
_STRONGEST = 0.5
"""How opaque the ground of a full cell is: text stays readable on it, dark or light."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of strings under a header; the first column names the row, the others hold values.

    Attributes:
        header: C names.
        rows: C strings each.
        title: what it shows; stands above it in HTML.
        prose: names of columns that hold words: they stand to the left, as the first does, and may break.
        shares: from 0 to 1 for each value but the first column's, shown as the ground of its cell; none where empty.
        left_out: what is not in it, in words.
        most_chars: of a cell in HTML; what is longer ends in an ellipsis.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    prose: tuple[str, ...] = ()
    shares: tuple[tuple[float, ...], ...] = ()
    left_out: str = ""
    most_chars: int = MOST_CHARS

    def first(self, count: int, what: str = "rows") -> "Table":
        """Return the table of the first rows; what is left out is counted."""
        if len(self.rows) <= count:
            return self
        return replace(
            self,
            rows=self.rows[:count],
            shares=self.shares[:count],
            left_out=f"and {len(self.rows) - count:,} more {what}",
        )

    def markdown(self) -> str:
        """Return the table in Markdown, values to the right, pipes in names escaped."""
        rule = ["---", *["---:"] * (len(self.header) - 1)]
        lines = [self.header, rule, *self.rows]
        return "".join(
            "| " + " | ".join(visible_text(cell).replace("|", r"\|") for cell in line) + " |\n" for line in lines
        )

    def text(self) -> str:
        """Return the table in aligned columns; a Hangul syllable counts as two."""
        lines = [[visible_text(cell) for cell in line] for line in (self.header, *self.rows)]
        widths = [max(width(line[place]) for line in lines) for place in range(len(self.header))]
        return "".join(
            "  ".join(
                cell + " " * (size - width(cell)) if place == 0 else " " * (size - width(cell)) + cell
                for place, (cell, size) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            + "\n"
            for line in lines
        )

    def html(self) -> str:
        """Return a `table` element; see `views` for the style that goes with it."""
        kinds = ["name", *("prose" if name in self.prose else "value" for name in self.header[1:])]
        head = "".join(
            f'<th scope="col" class="{kind}">{safe(name)}</th>' for kind, name in zip(kinds, self.header, strict=True)
        )
        body = "".join(f"<tr>{self._cells(place, kinds)}</tr>" for place in range(len(self.rows)))
        caption = f"<caption>{safe(self.title)}</caption>" if self.title else ""
        left_out = f"<p>{safe(self.left_out)}</p>" if self.left_out else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{left_out}"

    def _cells(self, place: int, kinds: list[str]) -> str:
        name, *values = self.rows[place]
        cells = [f'<th scope="row" class="name">{safe(name, most=self.most_chars)}</th>']
        for column, (kind, value) in enumerate(zip(kinds[1:], values, strict=True)):
            ground = f' style="{_ground(self.shares[place][column])}"' if self.shares else ""
            cells.append(f'<td class="{kind}"{ground}>{safe(value, most=self.most_chars)}</td>')
        return "".join(cells)


def safe(text: str, *, most: int = MOST_CHARS) -> str:
    r"""Return HTML of a text: escaped, shortened, unseen characters by number, isolated from what stands around it.

    Example:
        >>> safe("a<b\u202e")
        '<bdi>a&lt;b<code>U+202E</code></bdi>'
    """
    cut = text if len(text) <= most else text[: most - 1].rstrip() + ELLIPSIS
    return f"<bdi>{show_unseen(escape(cut), lambda sign: f'<code>U+{ord(sign):04X}</code>')}</bdi>"


def _ground(share: float) -> str:
    """Return a translucent ground: the text's own colour stays readable on it, on light and dark pages alike."""
    return f"background-color: rgba(66, 133, 244, {_STRONGEST * min(1.0, max(0.0, share)):.2f})"
