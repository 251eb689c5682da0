"""How an audit looks on a terminal: the figures that people ask for, then the findings, worst first."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from limbeck.auditing.audit import Audit
from limbeck.auditing.counted_audit import CountedAudit
from limbeck.auditing.findings import SEVERITIES, Finding
from limbeck.auditing.token_limits import WindowCost
from limbeck.cli import screen
from limbeck.cli.figures_screen import show_given_table
from limbeck.cli.screen import printable_line
from limbeck.evaluation.counted import counted as number
from limbeck.evaluation.counted import percent, quantity

_STYLES = {"high": "bold red", "medium": "bold yellow", "low": "bold blue"}


SCREEN_CLASSES = 15
"""Classes that the table shows, those with the most rows."""
SCREEN_PAIRS = 10
"""Pairs of labels that the table shows, those that chance explains least."""
SCREEN_SIZES = 6
"""Numbers of labels per row that are told one by one."""


def show_audit(audit: Audit, page: Path | None) -> None:
    """Print an audit's summary; the findings last, so that they are what is left on a small screen.

    Args:
        audit: what was found.
        page: where it can be read whole, when a page was written.
    """
    splits = ", ".join(f"{name} {split.rows:,}" for name, split in audit.shape.splits.items())
    screen.show_line(printable_line(f"{audit.source}: {audit.shape.rows:,} rows ({splits})"))
    screen.show_line()
    _show_classes(audit)
    _show_limits(audit)
    _show_tokenizers(audit)
    screen.show_line()
    for finding in audit.findings:
        _show_finding(finding)
    if not audit.settings.near:
        screen.show_line("Near-duplicates were not looked for, as --no-near says.")
    tally = [(sum(one.severity == severity for one in audit.findings), severity) for severity in SEVERITIES]
    found = ", ".join(f"{count} {severity}" for count, severity in tally) if audit.findings else "Nothing was found"
    screen.show_line(f"{found}{f': open {page}' if page else ''}")


def show_counted_audit(audit: CountedAudit, source: str) -> None:
    """Print what was counted of more rows than memory holds, and what was not."""
    splits = ", ".join(f"{name} {split.rows:,}" for name, split in audit.splits.items())
    screen.show_line(printable_line(f"{source}: {audit.rows:,} rows ({splits})"))
    screen.show_line()
    if audit.classes:
        show_given_table(audit.class_table().first(SCREEN_CLASSES, "classes"))
    pairs = list(audit.conflicts.label_pairs.items())[:SCREEN_PAIRS]
    if pairs:
        rows = [[printable_line(name), number(texts)] for name, texts in pairs]
        title = "Labels that differ on one text" if audit.labels_per_row else "Labels of one text"
        screen.show_table(title, ["labels", "texts"], rows)
    show_given_table(audit.figure_table())
    if audit.labels_per_row:
        screen.show_line(_said_per_row(audit.labels_per_row))
    screen.show_line(textwrap.fill(f"Not counted: {'; '.join(audit.not_counted)}.", max(40, Console().width)))


def _show_finding(finding: Finding) -> None:
    console = Console(highlight=False)
    width = max(40, console.width)
    share = f", {percent(finding.share)} of the rows" if finding.share else ""
    line = f"{finding.severity.upper():<7}{finding.counted}{share}: {printable_line(finding.title)}"
    head = Text(textwrap.fill(line, width, subsequent_indent=" " * 7), style="bold")
    head.stylize(_STYLES[finding.severity], 0, len(finding.severity))
    console.print(head, soft_wrap=True)
    for mark, line in (("e.g. ", finding.example), ("  do ", finding.advice)):
        if line:
            filled = textwrap.fill(printable_line(line), width, initial_indent=f"  {mark}", subsequent_indent=" " * 7)
            screen.show_line(filled)
    screen.show_line()


def _show_classes(audit: Audit) -> None:
    if not audit.shape.classes:
        return
    classes = sorted(audit.shape.classes.items(), key=lambda item: -item[1].rows)
    shown, others = classes[:SCREEN_CLASSES], classes[SCREEN_CLASSES:]
    rows = [
        [printable_line(name), number(count.rows), percent(count.share), *map(number, count.by_split.values())]
        for name, count in shown
    ]
    several = audit.shape.task == "multi"
    title, head = ("Labels; a row may have several", "label") if several else ("Classes", "class")
    screen.show_table(title, [head, "rows", "share", *map(printable_line, audit.shape.splits)], rows)
    if others:
        more = quantity(len(others), "more labels" if several else "more classes")
        held = quantity(sum(one.rows for _, one in others), "rows")
        screen.show_line(f"And {more} with {held} {'in all' if several else 'together'}: audit.json has them all.")
    _show_together(audit)


def _show_together(audit: Audit) -> None:
    """Print how many labels rows have, and which stand together."""
    if audit.shape.labels_per_row:
        screen.show_line(_said_per_row(audit.shape.labels_per_row))
    rows = [
        [
            printable_line(f"{pair.one} + {pair.other}"),
            number(pair.rows),
            f"{pair.expected:,.1f}",
            percent(pair.share_of_one),
            f"{pair.phi:+.2f}",
        ]
        for pair in audit.shape.together[:SCREEN_PAIRS]
    ]
    if rows:
        head = ["labels", "rows", "by chance", "of the rarer one's rows", "correlation"]
        screen.show_table("Labels that stand together, or avoid each other", head, rows)


def _said_per_row(per_row: dict[int, int]) -> str:
    said = ", ".join(f"{size} in {number(rows)}" for size, rows in list(per_row.items())[:SCREEN_SIZES])
    more = f", more in {number(sum(list(per_row.values())[SCREEN_SIZES:]))}" if len(per_row) > SCREEN_SIZES else ""
    return f"Labels per row: {said}{more} (rows)."


def _show_limits(audit: Audit) -> None:
    if audit.tokens is None:
        return
    recommended = audit.tokens.recommended
    if not recommended.needed:
        screen.show_line(recommended.advice)
        _show_windows(audit.tokens.windows)
        return
    rows = [
        [str(limit.limit), percent(limit.texts_cut), percent(limit.tokens_lost), percent(limit.compute)]
        for limit in audit.tokens.limits
    ]
    screen.show_table(
        f"Length limits ({printable_line(audit.tokens.tokenizer)})",
        ["most tokens", "texts cut", "tokens lost", "compute, of 512's"],
        rows,
    )
    screen.show_line(textwrap.fill(recommended.advice, max(40, Console().width)))
    _show_windows(audit.tokens.windows)


def _show_windows(windows: Sequence[WindowCost]) -> None:
    """Show what may be read of texts that are too long, where there are any."""
    if windows:
        screen.show_table(
            f"What is read of texts of more than {windows[0].limit} tokens (--window)",
            ["window", "not read", "tokens lost", "compute, of head's"],
            [[one.window, one.not_read, percent(one.tokens_lost), percent(one.compute)] for one in windows],
        )


def _show_tokenizers(audit: Audit) -> None:
    rows = [
        [
            printable_line(fit.name),
            number(fit.tokens_per_word),
            percent(fit.unknown_share),
            number(fit.texts_with_unknown),
        ]
        for fit in audit.tokenizer_fit
    ]
    if rows:
        screen.show_table("Tokenizers", ["tokenizer", "tokens per word", "[UNK]", "texts with [UNK]"], rows)
