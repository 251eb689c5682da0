"""How commands write to the screen: results on standard output, everything said meanwhile on standard error."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table


def show_json(value: Any) -> None:
    """Print one JSON object, Hangul as Hangul."""
    print(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def show_line(line: str = "") -> None:
    """Print one line of a result."""
    Console(highlight=False, soft_wrap=True).print(line, markup=False)


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; every column but the first is aligned right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(cell.replace("[", "\\[") for cell in row))
    Console(highlight=False).print(table)
