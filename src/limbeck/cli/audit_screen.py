"""How an audit looks on a terminal: findings, worst first, then the figures that people ask for."""

import textwrap

from rich.console import Console
from rich.text import Text

from limbeck.audit.audit import Audit
from limbeck.audit.finding import Finding
from limbeck.audit.rows import percent
from limbeck.cli import screen
from limbeck.cli.screen import one_line
from limbeck.reporting.page import number

_STYLES = {"high": "bold red", "medium": "bold yellow", "low": "bold blue"}


def show_audit(audit: Audit) -> None:
    """Print an audit's summary."""
    splits = ", ".join(f"{name} {split.rows:,}" for name, split in audit.shape.splits.items())
    screen.show_line(one_line(f"{audit.source}: {audit.shape.rows:,} rows ({splits})"))
    screen.show_line()
    for finding in audit.findings:
        _show_finding(finding)
    if not audit.findings:
        screen.show_line("Nothing was found.")
    _show_classes(audit)
    _show_limits(audit)
    _show_tokenizers(audit)


def _show_finding(finding: Finding) -> None:
    console = Console(highlight=False)
    width = max(40, console.width)
    head = Text(f"{finding.severity.upper():<7}", style=_STYLES[finding.severity])
    share = f", {percent(finding.share)} of the rows" if finding.share else ""
    head.append(f"{finding.counted}{share}: ", style="bold")
    head.append(one_line(finding.title), style="bold")
    console.print(head, soft_wrap=True)
    for mark, line in (("e.g. ", finding.example), ("  do ", finding.advice)):
        if line:
            filled = textwrap.fill(one_line(line), width, initial_indent=f"  {mark}", subsequent_indent=" " * 7)
            screen.show_line(filled)
    screen.show_line()


def _show_classes(audit: Audit) -> None:
    if not audit.shape.classes:
        return
    rows = [
        [one_line(name), number(count.rows), percent(count.share), *map(number, count.by_split.values())]
        for name, count in sorted(audit.shape.classes.items(), key=lambda item: -item[1].rows)
    ]
    screen.show_table("Classes", ["class", "rows", "share", *map(one_line, audit.shape.splits)], rows)


def _show_limits(audit: Audit) -> None:
    if audit.tokens is None:
        return
    rows = [
        [str(limit.limit), percent(limit.texts_cut), percent(limit.tokens_lost), percent(limit.compute)]
        for limit in audit.tokens.limits
    ]
    screen.show_table(
        f"Length limits ({one_line(audit.tokens.tokenizer)})",
        ["most tokens", "texts cut", "tokens lost", "compute, of 512's"],
        rows,
    )
    screen.show_line(f"Recommended: {audit.tokens.recommended.limit} tokens, {audit.tokens.recommended.reason}.")


def _show_tokenizers(audit: Audit) -> None:
    rows = [
        [one_line(fit.name), number(fit.tokens_per_word), percent(fit.unknown_share), number(fit.texts_with_unknown)]
        for fit in audit.tokenizer_fit
    ]
    if rows:
        screen.show_table("Tokenizers", ["tokenizer", "tokens a word", "[UNK]", "texts with [UNK]"], rows)
