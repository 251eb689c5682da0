"""`limbeck audit`: tell the truth about the data before anything is trained."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.parts_options import (
    IN_PARTS,
    compute_parts,
    means_parts_in_folder,
    parts_facts,
    parts_request,
    require_none_given,
    say_rows,
)
from limbeck.cli.settings_options import Flags, From, option_names, takes
from limbeck.scale.work import AuditCounts
from limbeck.settings import AuditSettings, ReadSettings

if TYPE_CHECKING:
    from limbeck.auditing.audit import Audit
    from limbeck.errors import DataError

OF_TEXTS = From(kind=AuditSettings)


@takes(OF_TEXTS, options.MENDING, IN_PARTS)
def audit(
    data: options.Data,
    out: Annotated[
        Path,
        options.out(
            "Folder for audit.html, charts, audit.json and findings.csv (every row of each finding). Where DATA is a "
            "pattern such as 'texts/*.parquet' or lies in a store (s3://, gs://, hdfs://), or with an option about "
            "parts, a folder of parts, for more rows than memory holds: then rows, labels, lengths, faults, equal "
            "texts and their labels are counted, and shown when all parts are there."
        ),
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
    from limbeck.reading.read import read_with
    from limbeck.reporting.audit_page import write_audit, write_rows
    from limbeck.storage import check_folder

    if means_parts_in_folder(data, out, flags):
        given = {option_names(name)[0]: True for name in flags.of(OF_TEXTS)}
        unused = {"--encoder": encoder or None, "--no-page": not page, **given}
        require_none_given(unused, "its parts hold counts; audit as many rows as memory holds, in one file, for more")
        _count_in_parts(data, out, flags, strict=strict, as_json=as_json)
        return
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
        raise _leaks_or_conflicts(result.leaks.exact.texts, result.conflicts.exact.texts)


def _count_in_parts(data: str, out: Path, flags: Flags, *, strict: bool, as_json: bool) -> None:
    """Count rows into a folder of parts, or go on with it; tell what was counted when it is whole."""
    from limbeck.cli.audit_screen import show_counted_audit
    from limbeck.scale.audited_parts import audit_parts

    parts = compute_parts(parts_request("", data, out, flags, reading=options.MENDING, work=AuditCounts()))
    parts.require_whole(out)
    found = audit_parts(out)
    if as_json:
        screen.show_json({"data": data, **parts_facts(parts, out), **found.to_json()})
    else:
        show_counted_audit(found, data)
        screen.show_line(say_rows(parts, out))
    if strict and found.has_leaks_or_conflicts:
        raise _leaks_or_conflicts(found.leaks.texts, found.conflicts.texts)


def _leaks_or_conflicts(leaks: int, conflicts: int) -> "DataError":
    """Return what `--strict` ends with."""
    from limbeck.errors import DataError

    return DataError(
        f"--strict: {_said(leaks, 'leaks', 'leak')} between splits and {_said(conflicts, 'has', 'have')} different "
        "labels: clean the data (limbeck clean) or make new splits (limbeck split)"
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
