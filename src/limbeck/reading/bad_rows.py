"""What happens to rows at fault: gathered and raised once, or left out or mended and counted.

In: faults as readers and checks find them. Out: one `DataError`, or the notes that the dataset keeps.
It does not know formats, and never decides what a fault is.
"""

from collections.abc import Callable, Sequence

from limbeck.data.dataset import ReadNote
from limbeck.errors import SHOWN_FAULTS, DataError, FaultLog
from limbeck.settings import OnBadRow


def place_of(file: str, row: int, column: str, files: Sequence[str] = ()) -> str:
    """Say where a fault stands: the file, the data row (1 is the first after the header), the column.

    Where every row is a file of its own, `files` by row, that file says it all.
    """
    return files[row - 1] if files else f"{file}, row {row:,}, column {column!r}"


class _Tally:
    """How often one thing was done, and where first."""

    def __init__(self, example: str) -> None:
        self.rows = 0
        self.example = example


class BadRows:
    """Applies one `on_bad_row` policy and remembers what it did.

    A fault of a file (it cannot be opened, a column is missing) is always raised. A fault of a row is raised under
    "error" and "keep-replacement", and left out and counted under "skip"; undecodable bytes are a fault of a row that
    "keep-replacement" mends. "mend" is for audits: rows are kept wherever a text can be had, broken, empty or missing
    as it may be, and only the others are left out.
    """

    def __init__(self, policy: OnBadRow) -> None:
        self.policy = policy
        self.faults = FaultLog()
        self._row_faults = 0
        self._tallies: dict[str, _Tally] = {}
        self._hints: dict[str, None] = {}
        self._leads: dict[str, None] = {}

    @property
    def skips(self) -> bool:
        """True when rows at fault are left out."""
        return self.policy in ("skip", "mend")

    @property
    def mends(self) -> bool:
        """True when undecodable bytes are kept as U+FFFD."""
        return self.policy in ("keep-replacement", "mend")

    @property
    def keeps_empty(self) -> bool:
        """True when missing and empty texts, and NUL characters, are kept for an audit to find."""
        return self.policy == "mend"

    def refuse(self, message: str) -> None:
        """Note a fault of a whole file."""
        self.faults.add(message)

    def reject(self, kind: str, rows: Sequence[int], message: Callable[[int], str]) -> None:
        """Note rows at fault. Under "skip" they are counted, and the caller leaves them out.

        Args:
            kind: the fault in the plural, for the count ("rows with an empty text").
            rows: what tells one row from another to `message`; only the first few messages are ever made.
            message: says where and what for one of `rows`.
        """
        if not rows:
            return
        if self.skips:
            self._count(f"{kind}, left out", len(rows), message(rows[0]))
            return
        self._row_faults += len(rows)
        room = max(0, SHOWN_FAULTS - len(self.faults.shown))
        self.faults.extend(message(row) for row in rows[:room])
        self.faults.count += max(0, len(rows) - room)

    def mend(self, kind: str, rows: Sequence[int], message: Callable[[int], str]) -> None:
        """Count rows that were kept in a mended form."""
        if rows:
            self._count(kind, len(rows), message(rows[0]))

    def note(self, what: str, count: int, example: str) -> None:
        """Keep how something was understood, for the dataset's notes; the same of several files is one note."""
        self._count(what, count, example)

    def hint(self, text: str) -> None:
        """Keep one piece of advice for the end of the message; the same advice is given once."""
        self._hints[text] = None

    def lead(self, text: str) -> None:
        """Keep one sentence for the beginning of the message, which explains the faults below it."""
        self._leads[text] = None

    def notes(self) -> tuple[ReadNote, ...]:
        """Return what was left out or mended."""
        return tuple(
            ReadNote(what=kind, rows=tally.rows, example=tally.example) for kind, tally in self._tallies.items()
        )

    def raise_gathered(self, source: str) -> None:
        """Raise what was gathered; do nothing when there was no fault.

        Raises:
            DataError: lists the first faults and gives the count.
        """
        advice = list(self._hints)
        if self._row_faults and self.policy == "error":
            advice.append(
                "Correct the rows, or give --on-bad-row skip to leave them out "
                "(keep-replacement keeps undecodable bytes as U+FFFD); either is counted and recorded."
            )
        elif self._row_faults:
            advice.append("keep-replacement mends undecodable bytes only: correct the rows, or give --on-bad-row skip.")
        else:
            advice.append("Correct the data and read it again.")
        told = f"{source} cannot be read"
        what = " ".join([f"{told}.", *self._leads]) if self._leads else told
        self.faults.raise_as(DataError, what=what, todo=" ".join(advice))

    def _count(self, kind: str, rows: int, example: str) -> None:
        self._tallies.setdefault(kind, _Tally(example)).rows += rows
