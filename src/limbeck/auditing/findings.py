"""Findings: what the audit found, worst first, each with a count, an example and what to do.

In: an audit's evidence. Out: `Finding` values.
It does not know how anything was found, nor how findings are shown.
"""

from collections.abc import Iterator

from limbeck.auditing.finding import SEVERITIES, Evidence, Finding
from limbeck.auditing.label_findings import about_labels
from limbeck.auditing.repeat_findings import about_conflicts, about_duplicates, about_leaks
from limbeck.auditing.rows import excerpt
from limbeck.auditing.text_findings import about_texts, about_tokens

_HISTORY = ("rows removed by limbeck clean", "labels corrected after review")
"""Notes of what was done to the data on purpose, by `audit.clean` and `review.corrections`."""
_OF_ROWS = ("rows ", "labels ", "lines ", "cells ")
"""How notes begin that count rows; the others say how files were understood, which is no fault of the data."""


def draw_findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return the findings, worst first."""
    found = [
        *_about_reading(evidence),
        *about_leaks(evidence),
        *about_conflicts(evidence),
        *about_labels(evidence.shape),
        *about_duplicates(evidence),
        *about_texts(evidence),
        *about_tokens(evidence),
    ]
    return tuple(sorted(found, key=lambda finding: (SEVERITIES.index(finding.severity), -finding.share)))


def _about_reading(evidence: Evidence) -> Iterator[Finding]:
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
