"""The audit as a folder that a person opens: audit.json, audit.html and its charts as files.

In: an `Audit`. Out: HTML text, or files.
It does not know datasets, and computes nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from limbeck.audit.audit import Audit
from limbeck.reporting.audit_charts import audit_charts
from limbeck.reporting.page import need_jinja, render
from limbeck.reporting.picture import Picture
from limbeck.storage import write_json, write_text

JSON_NAME = "audit.json"
PAGE_NAME = "audit.html"
CHARTS_FOLDER = "charts"

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


def audit_page(audit: Audit, charts: dict[str, Picture], *, absent_tokenizers: Sequence[str] = ()) -> str:
    """Return the audit as one HTML page.

    Args:
        audit: what was found.
        charts: as `audit_charts` draws them, in the light theme; the page gives them its own colours.
        absent_tokenizers: a sentence for each tokenizer that could not be measured.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    values = {
        "audit": audit,
        "charts": charts,
        "fault_names": FAULT_NAMES,
        "absent_tokenizers": tuple(absent_tokenizers),
    }
    return render("audit.html.j2", values)


def write_audit(audit: Audit, folder: Path, *, page: bool = True, absent_tokenizers: Sequence[str] = ()) -> list[Path]:
    """Write audit.json and, unless `page` is False, audit.html and the charts as SVG and PNG.

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
        for name, picture in charts.items():
            picture.write(folder / CHARTS_FOLDER, name)
        write_text(folder / PAGE_NAME, audit_page(audit, charts, absent_tokenizers=absent_tokenizers))
        written.append(folder / PAGE_NAME)
    return [*written, folder / JSON_NAME]
