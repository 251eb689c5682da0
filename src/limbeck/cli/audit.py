"""`limbeck audit`: tell the truth about the data before anything is trained."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.settings import AuditSettings, ReadSettings

if TYPE_CHECKING:
    from limbeck.auditing.audit import Audit


@takes(From(kind=AuditSettings), options.MENDING)
def audit(
    data: options.Data,
    out: Annotated[
        Path,
        options.out("Folder for audit.html, charts, audit.json and findings.csv (every row of each finding)."),
    ],
    flags: Flags,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="Preset, hub:OWNER/NAME or folder whose tokenizer and length limit to use; give it again to compare "
            "more. Every preset on this machine is compared. [default: minilm]"
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with status 3 when there are exact leaks or conflicts.")
    ] = False,
    page: Annotated[bool, typer.Option(help="Write audit.html and the charts beside audit.json.")] = True,
    as_json: options.AsJson = False,
) -> None:
    """Audit DATA: shape, lengths, duplicates, conflicts, leaks, faults, tokenizer fit; worst first.

    Nothing is changed. Rows may lack labels.
    """
    from limbeck.api.found_tokenizers import find_tokenizers
    from limbeck.auditing.audit import audit_rows
    from limbeck.cli.audit_screen import show_audit
    from limbeck.errors import DataError
    from limbeck.reading.read import read_with
    from limbeck.reporting.audit_page import write_audit, write_rows
    from limbeck.storage import check_folder

    reading = flags.build(ReadSettings, {"on_bad_row": "mend", "labels": "optional"})
    settings = flags.build(AuditSettings, where="audit")
    check_folder(out, new=False)
    following = screen.following()
    found = find_tokenizers(encoder or [], following)
    dataset = read_with(data, reading, following)
    screen.tell_notes(dataset.notes, following)
    result, rows = audit_rows(dataset, settings, tokenizers=found.tokenizers, shape=found.shape, progress=following)
    today = datetime.now(UTC).astimezone().date()
    files = write_audit(result, out, page=page, absent_tokenizers=found.absent, made_on=today, progress=following)
    files.insert(-1, write_rows(rows, out))
    if as_json:
        screen.show_json(result.to_json())
    else:
        for line in found.absent:
            screen.show_line(line)
        screen.show_line(f"Written: {', '.join(map(str, files))}")
        show_audit(result, files[0] if page else None)
        _show_next(result, data, options.reading_words(flags), is_labelled=dataset.is_labelled)
    if strict and result.has_leaks_or_conflicts:
        raise DataError(
            f"--strict: {_said(result.leaks.exact.texts, 'leaks', 'leak')} between splits and "
            f"{_said(result.conflicts.exact.texts, 'has', 'have')} different labels: clean the data (limbeck clean) or "
            "make new splits (limbeck split)"
        )


def _said(texts: int, one: str, many: str) -> str:
    """Say what texts do, in the number that fits."""
    from limbeck.evaluation.counted import quantity

    return f"{quantity(texts, 'texts')} {one if texts == 1 else many}"


def _show_next(found: "Audit", data: str, how: dict[str, str], *, is_labelled: bool) -> None:
    """Say how to take out what helps nobody, else how to make splits, else how to train."""
    kinds = {
        "empty": bool("empty" in found.faults and found.faults["empty"].rows),
        "leaks": bool(found.leaks.exact.texts),
    }
    if any(kinds.values()):
        drop = ",".join(kind for kind, is_there in kinds.items() if is_there)
        screen.show_next("clean", data, "--drop", drop, "--out", screen.free_place("cleaned"), how=how)
    elif len(found.shape.splits) == 1:
        screen.show_next("split", data, "--out", screen.free_place("splits"), how=how)
    elif is_labelled:
        screen.show_next("train", data, "--out", screen.free_place("RUN"), how=how)
