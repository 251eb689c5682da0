"""Part record: what one part holds, so that nobody needs to open it to know.

In: counts. Out: plain values, which can be written down and read again.
"""

from dataclasses import asdict, dataclass
from typing import Any

from limbeck.data.dataset import ReadNote


@dataclass(frozen=True, kw_only=True)
class PartRecord:
    """What a part holds.

    Attributes:
        unit: the unit's name.
        part: the name of the file; None where every row was left out.
        rows: answered.
        left_out: rows at fault that were left out.
        count_cut: texts that were longer than the model's limit.
        count_unread: texts that the model could not read (`Predictions.unread`).
        sha256: of the file's bytes; empty where there is none.
        size_bytes: of the file.
        seconds: that it took.
        notes: what reading left out or changed.
    """

    unit: str
    part: str | None
    rows: int
    left_out: int
    count_cut: int = 0
    count_unread: int = 0
    sha256: str = ""
    size_bytes: int = 0
    seconds: float = 0.0
    notes: tuple[ReadNote, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return asdict(self)


def record_of(values: dict[str, Any]) -> PartRecord:
    """Return what `PartRecord.to_json` made.

    Raises:
        TypeError: these are other values.
    """
    return PartRecord(**{**values, "notes": tuple(ReadNote(**note) for note in values["notes"])})
