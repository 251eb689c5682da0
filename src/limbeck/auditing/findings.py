"""Findings: what an audit found, each with a count, an example and what to do; here of reading and of labels.

In: an audit's evidence. Out: `Finding` values, in no order. It does not know how anything was found, nor how findings
are shown; those of texts are in `findings_of_texts`.

High: the score will be wrong, or rows are lost. Medium: the model learns something false or cannot see enough. Low:
worth knowing, may be meant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from limbeck.auditing.duplicates import Duplicates, Group
from limbeck.auditing.faults import Fault
from limbeck.auditing.leaks_and_conflicts import Conflicts, Leaks
from limbeck.auditing.lookalikes import MOST_LOOKALIKES
from limbeck.auditing.profile import TOO_FEW_TO_LEARN, TOO_FEW_TO_SPLIT, Shape
from limbeck.auditing.rows import excerpt
from limbeck.auditing.token_limits import Recommendation, TokenLimit
from limbeck.auditing.tokenizer_fit import Scripts, TokenizerFit
from limbeck.data.dataset import ReadNote
from limbeck.data.names import shown, told_apart
from limbeck.evaluation.counted import quantity

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")

_SHOWN_LABELS = 10
"""Labels of a group that are counted one by one."""
SHORT = 90
"""Characters of a text that an example shows."""
UNBALANCED = 3.0
"""From this imbalance ratio on, accuracy hides the small classes."""
VERY_UNBALANCED = 20.0
_SHOWN_PAIRS = 5
"""Pairs of names that a finding shows; the page lists all that were found."""
_OF_ROWS = ("rows ", "labels ", "lines ", "cells ")
"""How notes begin that count rows; the others say how files were understood, which is no fault of the data."""
_HISTORY = ("rows removed by limbeck clean", "labels corrected after review")
"""Notes of what was done to the data on purpose, by `auditing.clean` and `review.corrections`."""


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
    limits: tuple[TokenLimit, ...]
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


def about_reading(evidence: Evidence) -> Iterator[Finding]:
    """Tell of rows that reading changed or left out."""
    rows = evidence.shape.rows
    for note in evidence.reading:
        left_out = "left out" in note.what
        is_how = not note.what.startswith(_OF_ROWS) or note.what.startswith("rows of empty cells only")
        # What an earlier command did is history; what the faults of single texts count is told there, once.
        is_history = note.what.startswith(_HISTORY)
        is_told = "undecodable" in note.what and evidence.faults["mojibake"].rows > 0
        if is_history or is_told or (is_how and not left_out):
            continue
        yield Finding(
            kind="reading",
            severity="high" if left_out else "medium" if "undecodable" in note.what else "low",
            title=f"While reading: {note.what}",
            count=note.rows,
            unit="rows",
            share=min(1.0, note.rows / max(1, rows + note.rows * left_out)),
            example=excerpt(note.example, 200),
            advice="Correct these rows at their source: the rest of this audit cannot see them."
            if left_out
            else "Look at the note: reading changed or set aside something.",
        )


def about_labels(shape: Shape) -> Iterator[Finding]:
    """Tell what is odd about the labels."""
    yield from _about_names(shape)
    yield from _about_few_rows(shape)
    yield from _about_sizes(shape)
    yield from _about_together(shape)


def _about_names(shape: Shape) -> Iterator[Finding]:
    """Tell of labels that may not be what they should be."""
    labelled = shape.rows - shape.unlabelled_rows
    if shape.like_ids:
        yield Finding(
            kind="labels.like_ids",
            severity="high",
            title="Nearly every row has a label of its own: is the label column an id, or the text itself?",
            count=sum(1 for one in shape.classes.values() if one.rows),
            unit="classes",
            share=labelled / max(1, shape.rows),
            example=", ".join(excerpt(name, 40) for name in list(shape.classes)[:5]),
            advice="Name the column that holds the classes: --label-column NAME.",
        )
    if shape.lookalike_labels:
        yield _about_lookalikes(shape)
    if shape.like_missing:
        yield _of_classes(
            shape,
            "labels.like_missing",
            "medium",
            "Class names that look like a missing label",
            shape.like_missing,
            "If these rows have no label, empty the cell at the source: as it stands a model learns it as a class.",
        )
    lacking = sum(split.rows - split.labelled for split in shape.splits.values() if split.labelled)
    if lacking:
        where = ", ".join(
            f"{name} {split.rows - split.labelled:,}"
            for name, split in shape.splits.items()
            if split.rows > split.labelled and split.labelled
        )
        yield Finding(
            kind="labels.unlabelled",
            severity="medium",
            title="Some rows have no label",
            count=lacking,
            unit="rows",
            share=lacking / max(1, shape.rows),
            example=where,
            advice="`limbeck train` refuses them: label them, or leave them out with --on-bad-row skip.",
        )


def _about_few_rows(shape: Shape) -> Iterator[Finding]:
    """Tell of classes that have no rows, or too few."""
    if shape.unused:
        yield _of_classes(
            shape,
            "labels.unused",
            "medium",
            "Classes without any row",
            shape.unused,
            "`limbeck train` cannot learn them. In pandas, `column.cat.remove_unused_categories()` takes them out.",
        )
    if shape.missing_in_training:
        yield _of_classes(
            shape,
            "labels.missing_in_training",
            "high",
            "Classes that the training split does not have",
            shape.missing_in_training,
            "No model can learn them: make new splits with `limbeck split DATA`, or add rows.",
        )
    if shape.too_rare_to_split:
        yield _of_classes(
            shape,
            "labels.too_rare_to_split",
            "high",
            f"Classes with fewer than {TOO_FEW_TO_SPLIT} rows, too few for train, validation and test",
            shape.too_rare_to_split,
            "Add rows, join them with another class, or take the class out.",
        )
    rarest = set(shape.too_rare_to_split)
    if rare := tuple(name for name in shape.too_rare_to_learn if name not in rarest):
        yield _of_classes(
            shape,
            "labels.too_rare_to_learn",
            "medium",
            f"Classes with fewer than {TOO_FEW_TO_LEARN} rows to learn from",
            rare,
            "Add rows or join them with another class; their scores are luck.",
        )


def _about_sizes(shape: Shape) -> Iterator[Finding]:
    """Tell how unequal the classes are, and whether rows are sorted by them."""
    ratio = shape.imbalance_ratio
    if ratio is not None and ratio >= UNBALANCED:
        classes = sorted(shape.classes.items(), key=lambda item: -item[1].rows)
        smallest = next(item for item in reversed(classes) if item[1].rows)
        yield Finding(
            kind="labels.unbalanced",
            severity="medium" if ratio >= VERY_UNBALANCED else "low",
            title=f"Classes differ in size: the largest has {ratio:,.1f} times the rows of the smallest",
            count=len(shape.classes),
            unit="classes",
            share=smallest[1].share,
            example=f"{excerpt(classes[0][0], 40)} {classes[0][1].rows:,}, {excerpt(smallest[0], 40)} "
            f"{quantity(smallest[1].rows, 'rows')}",
            advice="Read macro F1 beside accuracy, and try --balance weights.",
        )
    if shape.sorted_by_label:
        yield Finding(
            kind="labels.sorted",
            severity="low",
            title="Rows are sorted by label",
            count=len(shape.sorted_by_label),
            unit="splits",
            share=sum(shape.splits[name].rows for name in shape.sorted_by_label) / max(1, shape.rows),
            example=", ".join(shape.sorted_by_label),
            advice="The first rows are all of one class: shuffle before taking a part (limbeck train shuffles).",
        )


def _about_together(shape: Shape) -> Iterator[Finding]:
    """Tell of labels that never come without each other, where a row may have several."""
    same = [pair for pair in shape.together if pair.phi > 1 - 1e-9]
    if same:
        yield Finding(
            kind="labels.together",
            severity="low",
            title="Labels that always stand together: two names for one thing?",
            count=len(same),
            unit="pairs",
            share=sum(pair.rows for pair in same[:1]) / max(1, shape.rows),
            example=", ".join(
                f"{excerpt(pair.one, 40)} + {excerpt(pair.other, 40)} ({pair.rows:,} rows)" for pair in same[:3]
            ),
            advice="A model learns nothing from the second: keep one of them, or check how they were made.",
        )


def _of_classes(
    shape: Shape, kind: str, severity: Severity, title: str, names: tuple[str, ...], advice: str
) -> Finding:
    """Return a finding about some classes, with their rows."""
    touched = sum(shape.classes[name].rows for name in names)
    return Finding(
        kind=kind,
        severity=severity,
        title=title,
        count=len(names),
        unit="classes",
        share=touched / max(1, shape.rows),
        example=", ".join(
            f"{shown(excerpt(name, 40))} ({quantity(shape.classes[name].rows, 'rows')})" for name in names[:5]
        ),
        advice=advice,
    )


def _about_lookalikes(shape: Shape) -> Finding:
    """Tell of names that may be one: high where that is sure, medium where it may be a slip or meant."""
    pairs = shape.lookalike_labels
    sure = sum(pair.is_sure for pair in pairs)
    names = {name for pair in pairs for name in (pair.one, pair.other)}
    listed = []
    for pair in pairs[:_SHOWN_PAIRS]:
        one, other = told_apart(*_cut_alike(pair.one, pair.other))
        listed.append(f"{one} and {other}: {pair.why}")
    more = f"; and {len(pairs) - _SHOWN_PAIRS:,} more" if len(pairs) > _SHOWN_PAIRS else ""
    bound = f" (the first {MOST_LOOKALIKES:,} pairs)" if len(pairs) == MOST_LOOKALIKES else ""
    return Finding(
        kind="labels.lookalike",
        severity="high" if sure else "medium",
        title=f"Label names {'look like the same name' if sure else 'are nearly the same'}{bound}",
        count=len(pairs),
        unit="pairs",
        share=sum(shape.classes[name].rows for name in names) / max(1, shape.rows),
        example="; ".join(listed) + more,
        advice="If they mean the same, give them one name in the data: the model cannot tell them apart.",
    )


def _cut_alike(one: str, other: str, characters: int = 40) -> tuple[str, str]:
    """Cut two long names to a part in which they differ."""
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    start = max(0, start - characters // 2) if max(len(one), len(other)) > characters else 0
    cut, cut_other = (("…" if start else "") + excerpt(name[start:], characters) for name in (one, other))
    return cut, cut_other
