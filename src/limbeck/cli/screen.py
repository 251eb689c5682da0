"""How commands write to the screen: results on standard output, everything said meanwhile on standard error."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from limbeck.display.unseen import show_unseen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from limbeck.data.dataset import ReadNote
    from limbeck.evaluation.prediction_tables import AnyPredictions
    from limbeck.inference.long_answers import Written
    from limbeck.progress import Progress
    from limbeck.runs.run_folder import RunFolder
    from limbeck.scale.parts_answers import PartsSummary


PIPE_WIDTH = 10_000
"""Characters of a line at most, where there is no terminal."""
SHOWN_CHARS = 200
"""Of a text in a table."""
_LINE_SIGNS = {9: "\\u0009", 10: "\\u000a"}


_is_quiet = False


def be_quiet(wish: bool) -> None:
    """Say nothing meanwhile, or say it again: progress and notes, on standard error; errors and results stay."""
    global _is_quiet  # noqa: PLW0603  # one screen in a process, and each command says how it speaks on it
    _is_quiet = wish


def following(*, bars: bool = True) -> "Progress":
    """Return what says meanwhile how far a command is: bars on a terminal, else plain lines; nothing when quiet.

    Of several processes of one training the first speaks.

    Args:
        bars: whether bars may be shown; a command that must outlive its terminal writes lines.
    """
    from limbeck.progress import SILENT, Lines, for_stream
    from limbeck.runtime import is_follower

    if _is_quiet or is_follower():
        return SILENT
    return for_stream() if bars else Lines()


def show_json(value: Any) -> None:
    """Print one JSON object, Hangul as Hangul where standard output can say it."""
    content = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    try:
        content.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        content = json.dumps(value, indent=2, allow_nan=False)
    print(content)


def show_json_lines(rows: "pa.Table") -> None:
    """Print each row of a table as one line of JSON, and let go of it at once, so that a pipe goes on."""
    from limbeck.evaluation.prediction_files import json_lines

    for line in json_lines(rows):
        try:
            line.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            print(json.dumps(json.loads(line)))
        else:
            print(line)
    sys.stdout.flush()


def show_line(line: str = "", *, to_copy: bool = False) -> None:
    """Print one line of a result; on a terminal a long one is broken between words.

    Args:
        line: what to print.
        to_copy: never break it: it is typed again, and a broken command is another one.
    """
    console = Console(highlight=False, soft_wrap=True)
    shown = printable(line)
    if console.is_terminal and not to_copy:
        shown = "\n".join(broken_between_words(part, console.width) for part in shown.split("\n"))
    console.print(shown, markup=False)


def broken_between_words(line: str, width: int) -> str:
    """Break a line so that no part is wider than the screen; a word that is wider itself stays whole, as paths must."""
    parts = [""]
    for number, word in enumerate(line.split(" ")):
        longer = f"{parts[-1]} {word}" if number else word
        if parts[-1].strip() and cell_len(longer) > width:
            parts.append(word)
        else:
            parts[-1] = longer
    return "\n".join(parts)


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table under its title; every column but the first is aligned right.

    No word of a head is broken: where there is little room, the space between columns goes first. In a pipe nothing is
    wrapped at all.
    """
    console = Console(highlight=False, width=_width())
    console.print(Text(printable(title), style="bold"), soft_wrap=True)
    least = [max(map(len, column.split()), default=1) for column in columns]
    table = Table(padding=(0, 1) if sum(least) + 3 * len(least) + 1 <= console.width else 0)
    for place, column in enumerate(columns):
        table.add_column(
            Text(printable(column)), justify="left" if place == 0 else "right", overflow="fold", min_width=least[place]
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)


def _width() -> int | None:
    """Return the width of a table: the terminal's, or in a pipe or a file as wide as the rows need."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH


def printable(text: str) -> str:
    """Show by number what would command the terminal or reorder its line; line ends and tabs stay."""
    return show_unseen(text, lambda sign: f"\\u{ord(sign):04x}" if sign <= "\uffff" else f"\\U{ord(sign):08x}")


def printable_line(text: str) -> str:
    """Show by number, beside what `printable` does, line ends and tabs."""
    return printable(text).translate(_LINE_SIGNS)


def tell_notes(notes: "Iterable[ReadNote]", progress: "Progress") -> None:
    """Say what reading left out or changed."""
    for note in notes:
        progress.say(printable(str(note)))


def say_read(found: "AnyPredictions | Written | PartsSummary") -> str:
    """Say how many texts were cut, and of how many the model could read next to nothing."""
    rows, cut, unread = len(found), found.count_cut, found.count_unread
    said = f"{cut:,} of {rows:,} texts were longer than the model's limit and were cut"
    if unread:
        said += (
            f"; {unread:,} of {rows:,} are mostly unknown to its vocabulary ([UNK]) or empty to it: do not rely on "
            "these answers (limbeck tokens shows why)"
        )
    return said


def shortened(text: str) -> str:
    """Return a text cut to what a table has room for, with its length."""
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}… ({len(text):,} characters)"


def show_next(*words: "str | Path", how: "Mapping[str, str] | None" = None) -> None:
    """Say what to type next: a line that can be copied as it is.

    Args:
        words: of the command, after `limbeck`; a text or a data set that only the user has is YOUR_DATA.
        how: options that were given to read the data, by name, to read them in the same way again; "" for a switch.
    """
    flags = [word for name, value in (how or {}).items() for word in (f"--{name.replace('_', '-')}", value) if word]
    show_line(f"Next: {shlex.join(['limbeck', *map(str, words), *flags])}", to_copy=True)


def show_scoring_next(run: "Path", data: str, how: "Mapping[str, str]", *, splits: "Sequence[str]") -> None:
    """Say how to score a run that has just been trained on the test split, or how to use it where there is none."""
    if "test" in splits:
        show_next("evaluate", run, data, "--split", "test", how=how)
    else:
        show_predict_next(run)


def show_predict_next(run: "Path") -> None:
    """Say how to use a model."""
    from limbeck.inference.predictor import example_for

    show_next("predict", run, example_for(run))


def free_place(name: str) -> str:
    """Return the name of a file or folder that is not there yet: this one, or with a number."""
    path = Path(name)
    places = (path.with_name(f"{path.stem}{number or ''}{path.suffix}") for number in (0, *range(2, 1000)))
    return str(next((place for place in places if not place.exists()), path))


def show_warnings(metrics: "Mapping[str, Any]") -> None:
    """Say what a run's own figures give reason to doubt."""
    for warning in metrics["warnings"]:
        show_line(f"Note: {warning['text']}.")


def show_run_places(folder: "RunFolder", pictures: "list[Path]") -> None:
    """Say where a run left what it made."""
    show_line(f"Results are in {folder.path}")
    show_line(f"  figures      {folder.metrics}")
    show_line(f"  model        {folder.bundle}")
    written = (folder.predictions(name) for name in ("validation", "out_of_fold"))
    show_line(f"  predictions  {', '.join(str(path) for path in written if path.exists())}")
    for picture in pictures:
        show_line(f"  picture      {picture}")
