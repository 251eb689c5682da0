"""Finding: one thing that an audit found, and the evidence that findings are drawn from.

In: the parts of an audit. Out: the two values, and an example in words.
It does not know what counts as a finding.

High: the score will be wrong, or rows are lost. Medium: the model learns something false or cannot see enough. Low:
worth knowing, may be meant.
"""

from dataclasses import dataclass
from typing import Literal

from limbeck.auditing.conflicts import Conflicts
from limbeck.auditing.duplicates import Duplicates, Group
from limbeck.auditing.faults import Fault
from limbeck.auditing.leaks import Leaks
from limbeck.auditing.limits import Limit, Recommendation
from limbeck.auditing.profile import Shape
from limbeck.auditing.rows import excerpt
from limbeck.auditing.tokenizer_fit import Scripts, TokenizerFit
from limbeck.data.dataset import ReadNote
from limbeck.evaluation.counted import quantity

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")

_SHOWN_LABELS = 10
"""Labels of a group that are counted one by one."""
SHORT = 90
"""Characters of a text that an example shows."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: a stable name for programs.
        severity: "high", "medium" or "low".
        title: what it is, in a line.
        count: how many of `unit`.
        unit: what is counted.
        share: share of all rows that it touches, 0 to 1.
        example: one case.
        advice: what to do.
    """

    kind: str
    severity: Severity
    title: str
    count: int
    unit: str
    share: float
    example: str
    advice: str

    @property
    def counted(self) -> str:
        """The count in words: "1 row", "1,234 rows"."""
        return quantity(self.count, self.unit)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that findings are drawn from."""

    reading: tuple[ReadNote, ...]
    shape: Shape
    duplicates: Duplicates
    conflicts: Conflicts
    leaks: Leaks
    faults: dict[str, Fault]
    scripts: Scripts
    tokenizer_fit: tuple[TokenizerFit, ...]
    limits: tuple[Limit, ...]
    recommended: Recommendation | None


def example_of(groups: tuple[Group, ...], *, by_label: bool = False) -> str:
    """Show the first rows of the first group, or its text once with how often each label stands on it."""
    if not groups:
        return ""
    group = groups[0]
    if by_label:
        return f"{said_labels(group)}: {excerpt(group.rows[0].text, 2 * SHORT)!r}"
    shown = []
    for row in group.rows[:2]:
        label = f" [{excerpt(row.label, 40)}]" if row.label is not None else ""
        shown.append(f"{row.row_id}{label} {excerpt(row.text, SHORT)!r}")
    more = f" (and {group.size - len(shown)} more)" if group.size > len(shown) else ""
    return " | ".join(shown) + more


def said_labels(group: Group) -> str:
    """Say how often each label stands in a group: "232 neutral, 71 negative"."""
    said = [f"{count:,} {excerpt(name, 40)}" for name, count in group.labels.items()]
    unlabelled = group.size - sum(group.labels.values())
    if len(said) > _SHOWN_LABELS:
        said[_SHOWN_LABELS:] = [f"and {len(said) - _SHOWN_LABELS:,} other labels"]
    return ", ".join([*said, *([f"{unlabelled:,} without a label"] if unlabelled else [])])
