"""Findings about texts that stand there twice: leaks, conflicts, duplicates.

In: an audit's evidence. Out: findings, in no order.
It does not know labels' names nor single texts.
"""

from collections.abc import Iterator

from limbeck.auditing.finding import Evidence, Finding, example_of
from limbeck.auditing.leaks import FreeScore
from limbeck.evaluation.counted import quantity


def about_leaks(evidence: Evidence) -> Iterator[Finding]:
    """Tell of texts in more than one split."""
    leaks, rows = evidence.leaks, evidence.shape.rows
    if leaks.exact.texts:
        pairs = ", ".join(f"{pair} {count:,}" for pair, count in leaks.exact.pairs.items() if count)
        yield Finding(
            kind="leaks.exact",
            severity="high",
            title=f"The same text stands in more than one split ({pairs})",
            count=leaks.exact.texts,
            unit="texts",
            share=leaks.exact.rows / rows,
            example=example_of(leaks.exact.examples),
            advice=_free(leaks.free_exact)
            + "Run `limbeck clean DATA --drop leaks`, or `limbeck split DATA` for new splits.",
        )
    if leaks.near.groups:
        pairs = ", ".join(f"{pair} {count:,}" for pair, count in leaks.near.pairs.items() if count)
        yield Finding(
            kind="leaks.near",
            severity="high",
            title=f"Nearly the same text stands in more than one split ({pairs})",
            count=leaks.near.groups,
            unit="groups",
            share=leaks.near.rows / rows,
            example=example_of(leaks.near.examples),
            advice=_free(leaks.free_near)
            + "Run `limbeck clean DATA --drop leaks,near-leaks`, or `limbeck split DATA`.",
        )


def about_conflicts(evidence: Evidence) -> Iterator[Finding]:
    """Tell of texts with more than one label."""
    conflicts, rows = evidence.conflicts, evidence.shape.rows
    if conflicts.exact.texts:
        most = next(iter(conflicts.exact.label_pairs.items()), None)
        yield Finding(
            kind="conflicts.exact",
            severity="high",
            title="The same text has different labels" + (f" (most often {most[0]}, {most[1]:,})" if most else ""),
            count=conflicts.exact.texts,
            unit="texts",
            share=conflicts.exact.rows / rows,
            example=example_of(conflicts.exact.examples, by_label=True),
            advice="At least one label of each is wrong. Decide them (findings.csv has every row), or run "
            "`limbeck clean DATA --drop conflicts`: with --keep-majority the rows with the most "
            "frequent label stay, without it none.",
        )
    if conflicts.near.groups:
        yield Finding(
            kind="conflicts.near",
            severity="medium",
            title="Nearly the same text has different labels",
            count=conflicts.near.groups,
            unit="groups",
            share=conflicts.near.rows / rows,
            example=example_of(conflicts.near.examples),
            advice="Look at them: a changed word may change the meaning, or a label may be wrong.",
        )


def about_duplicates(evidence: Evidence) -> Iterator[Finding]:
    """Tell of texts that stand there more than once."""
    duplicates, rows = evidence.duplicates, evidence.shape.rows
    if duplicates.exact.texts:
        yield Finding(
            kind="duplicates.exact",
            severity="medium",
            title=f"The same text stands there more than once ({quantity(duplicates.exact.surplus, 'rows')} too many)",
            count=duplicates.exact.texts,
            unit="texts",
            share=duplicates.exact.rows / rows,
            example=example_of(duplicates.exact.examples),
            advice="Run `limbeck clean DATA --drop exact-duplicates`, unless repeats are meant as weight.",
        )
    if duplicates.near.groups:
        yield Finding(
            kind="duplicates.near",
            severity="medium" if duplicates.near.rows > 0.01 * rows else "low",
            title=f"Texts are nearly the same (similarity of {duplicates.near.threshold:g} or more)",
            count=duplicates.near.groups,
            unit="groups",
            share=duplicates.near.rows / rows,
            example=example_of(duplicates.near.examples),
            advice="Keep each group in one split (limbeck split does), or run "
            "`limbeck clean DATA --drop near-duplicates`.",
        )
    if duplicates.folded.groups:
        parts = (
            ("Unicode form", duplicates.unicode),
            ("white space", duplicates.white_space),
            ("case", duplicates.case),
        )
        by_itself = ", ".join(f"{name} {part.groups:,}" for name, part in parts if part.groups)
        yield Finding(
            kind="duplicates.folded",
            severity="low",
            title="Texts differ only in Unicode form, white space or case" + (f" ({by_itself})" if by_itself else ""),
            count=duplicates.folded.groups,
            unit="groups",
            share=duplicates.folded.rows / rows,
            example=example_of(duplicates.folded.examples),
            advice="To an uncased model they are one text: treat them as duplicates.",
        )


def _free(scores: dict[str, FreeScore]) -> str:
    """Say what memory alone gets right."""
    told = [
        f"In {name}, training has the texts of {score.seen:,} of {score.rows:,} rows, and "
        + (
            f"memory alone gets {score.right:,} of them right: {100 * score.accuracy:.2f} points of accuracy for free"
            if score.right
            else "their labels differ, so that memory gets none of them right"
        )
        for name, score in scores.items()
        if score.seen
    ]
    return ". ".join(told) + ". " if told else ""
