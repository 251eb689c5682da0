"""The audit as a folder that a person opens: audit.json, findings.csv, audit.html and its charts as files.

In: an `Audit` and the rows of its findings. Out: HTML text, or files.
It does not know datasets, and computes nothing.
"""

import csv
import io
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa

from limbeck.auditing.audit import Audit
from limbeck.auditing.findings import said_labels
from limbeck.data.names import told_apart
from limbeck.evaluation.spreadsheet import neutralise
from limbeck.progress import SILENT, Progress
from limbeck.reporting.audit_charts import audit_charts
from limbeck.reporting.page import need_jinja, render
from limbeck.reporting.picture import Picture
from limbeck.storage import write_bytes, write_json, write_text

JSON_NAME = "audit.json"
PAGE_NAME = "audit.html"
ROWS_NAME = "findings.csv"
CHARTS_FOLDER = "charts"

PAGE_CLASSES = 40
"""Classes that a table of the page shows, those with the most rows; audit.json has them all."""
PAGE_LOOKALIKES = 100
"""Pairs of names that the page shows; audit.json has them all."""
PAGE_PAIRS = 40
"""Pairs of labels that the page shows; audit.json has more."""

_SECTIONS = {
    "reading": "reading",
    "leaks": "leaks",
    "conflicts": "conflicts",
    "duplicates": "duplicates",
    "labels": "shape",
    "faults": "faults",
    "tokens.misfit": "language",
    "tokens.truncation": "length",
}
"""The section of the page that tells more about a finding, by its kind or the first word of it."""

FAULT_NAMES = {
    "empty": "Empty",
    "white_space_only": "Nothing that can be seen",
    "no_token": "No token is left of it",
    "one_token": "A single word",
    "equal_to_label": "Nothing but its label",
    "mojibake": "Mojibake (broken characters)",
    "replacement_character": "… of these, undecodable bytes (U+FFFD)",
    "control_characters": "Control characters",
    "decomposed_hangul": "Decomposed Hangul (NFD)",
    "html": "HTML left in",
    "urls": "Web addresses",
    "handles": "@handles",
    "special_tokens": "Special tokens such as [SEP]",
    "invisible_characters": "Characters that cannot be seen",
}


def section_of(kind: str) -> str:
    """Return the id of the section that a finding links to."""
    return _SECTIONS.get(kind) or _SECTIONS[kind.split(".", maxsplit=1)[0]]


def audit_page(
    audit: Audit, charts: dict[str, Picture], *, absent_tokenizers: Sequence[str] = (), made_on: date | None = None
) -> str:
    """Return the audit as one HTML page.

    Args:
        audit: what was found.
        charts: as `audit_charts` draws them, in the light theme; the page gives them its own colours.
        absent_tokenizers: a sentence for each tokenizer that could not be measured.
        made_on: the day that the page names; None names none.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    by_rows = sorted(audit.shape.classes, key=lambda name: -audit.shape.classes[name].rows)
    largest = set(by_rows[:PAGE_CLASSES])
    values = {
        "audit": audit,
        "charts": charts,
        "fault_names": FAULT_NAMES,
        "absent_tokenizers": tuple(absent_tokenizers),
        "shown_classes": tuple(name for name in audit.shape.classes if name in largest),
        "other_rows": sum(audit.shape.classes[name].rows for name in by_rows[PAGE_CLASSES:]),
        "together": audit.shape.together[:PAGE_PAIRS],
        "lookalikes": audit.shape.lookalike_labels[:PAGE_LOOKALIKES],
        "rows_name": ROWS_NAME,
        "made_on": made_on.isoformat() if made_on else "",
        "version": version("limbeck"),
    }
    return render(
        "audit.html.j2", values, filters={"section": section_of, "labels": said_labels, "told_apart": _told_apart}
    )


def _told_apart(names: tuple[str, str]) -> tuple[str, str]:
    return told_apart(*names)


def write_audit(
    audit: Audit,
    folder: Path,
    *,
    page: bool = True,
    absent_tokenizers: Sequence[str] = (),
    made_on: date | None = None,
    progress: Progress = SILENT,
) -> list[Path]:
    """Write audit.json and, unless `page` is False, audit.html and the charts as SVG and PNG.

    Args:
        audit: what was found.
        folder: to write to; what stood there under these names is replaced.
        page: whether a page and charts are wanted.
        absent_tokenizers: as in `audit_page`.
        made_on: as in `audit_page`.
        progress: follows the drawing.

    Returns:
        The files that a person would open, audit.json last.

    Raises:
        MissingExtraError: jinja2, matplotlib, or a font for Hangul, is absent; audit.json is written all the same.
        StorageError: the folder cannot be written.
    """
    write_json(folder / JSON_NAME, audit.to_json())
    written = []
    if page:
        need_jinja()
        charts = audit_charts(audit)
        with progress.track("Drawing charts", total=len(charts), unit="charts") as advance:
            for name, picture in charts.items():
                picture.write(folder / CHARTS_FOLDER, name)
                advance(1)
        content = audit_page(audit, charts, absent_tokenizers=absent_tokenizers, made_on=made_on)
        write_text(folder / PAGE_NAME, content)
        written.append(folder / PAGE_NAME)
    return [*written, folder / JSON_NAME]


def write_rows(rows: pa.Table, folder: Path) -> Path:
    """Write the rows of all findings, `flagged.FLAGGED_SCHEMA`, as a CSV that a spreadsheet opens and does not run.

    Raises:
        StorageError: the folder cannot be written.
    """
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\r\n")
    writer.writerow(rows.column_names)
    for batch in rows.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            writer.writerow(
                neutralise(value) if isinstance(value, str) else "" if value is None else value
                for value in row.values()
            )
    write_bytes(folder / ROWS_NAME, content.getvalue().encode("utf-8-sig", "replace"))
    return folder / ROWS_NAME
