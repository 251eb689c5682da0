"""The audit: one pass over a dataset that tells what is wrong with it.

In: a Dataset, settings, tokenizers by name. Out: one frozen `Audit`, whose fields are the keys of audit.json.
It does not know files, pages or models; it changes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.characters import script_counts
from limbeck.auditing.duplicates import Duplicates, find_duplicates
from limbeck.auditing.faults import Fault, describe_faults, fault_masks
from limbeck.auditing.findings import SEVERITIES, Evidence, Finding, about_labels, about_reading
from limbeck.auditing.findings_of_texts import about_conflicts, about_duplicates, about_leaks, about_texts, about_tokens
from limbeck.auditing.flagged import Mark, flagged_rows, marks_of_labels, marks_of_repeats
from limbeck.auditing.grouping import group_equal
from limbeck.auditing.leaks_and_conflicts import Conflicts, Leaks, find_conflicts, find_leaks
from limbeck.auditing.lengths import TextWords, TokenCounts, count_tokens, split_words
from limbeck.auditing.near import find_near_duplicates
from limbeck.auditing.profile import Shape, describe_shape
from limbeck.auditing.rows import RowColumns, row_columns_of
from limbeck.auditing.token_limits import (
    Box,
    EncoderShape,
    Recommendation,
    TokenLimit,
    WindowCost,
    box_of,
    boxes_by_class,
    limit_table,
    recommend,
    window_table,
)
from limbeck.auditing.tokenizer_fit import Scripts, TokenizerFit, describe_fit, describe_scripts
from limbeck.data.dataset import Dataset, ReadNote
from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.counted import percent
from limbeck.progress import SILENT, Progress, Steps
from limbeck.settings import AuditSettings
from limbeck.tokens import Tokenizer

AUDIT_FORMAT = 1
"""Version of audit.json: raised when a key changes its meaning or goes; new keys may come without."""
_NEAR_STEPS = 2
"""Steps that progress follows: near-duplicates sketched and checked; beside them words, and one for each tokenizer."""
LEAST_THRESHOLD = 0.5
"""Below this, MinHash misses too many pairs (see benchmarks/results/audit_planted.json) and the groups mean little."""


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Words or tokens of the texts: over all, and by class."""

    overall: Box
    by_class: dict[str, Box]


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens of the texts with the chosen tokenizer, and what length limits do to them.

    Attributes:
        tokenizer: its name.
        model_limit: the most tokens that its model reads, [CLS] and [SEP] included.
        total: tokens of all texts, [CLS] and [SEP] included.
        lengths: tokens a text.
        over_model_limit: texts that are longer than the model reads.
        encoder_width, encoder_feed_forward: the sizes that the column `compute` of the limits is for.
        limits: the candidates.
        recommended: the one to take, and why.
        windows: what may be read of texts that are longer than that; empty where none is.
    """

    tokenizer: str
    model_limit: int
    total: int
    lengths: Lengths
    over_model_limit: int
    encoder_width: int
    encoder_feed_forward: int
    limits: tuple[TokenLimit, ...]
    recommended: Recommendation
    windows: tuple[WindowCost, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class Audit(View):
    """Everything that an audit found; plain values only, audit.json has these fields as keys, in this order.

    Attributes:
        format: version of these keys.
        source: where the dataset came from.
        fingerprint: SHA-256 of texts, labels, row ids and splits.
        settings: what was looked for.
        findings: worst first.
        reading: what reading changed or left out.
        shape: rows, splits, classes.
        words: words a text.
        tokens: tokens a text and limits; None when no tokenizer was given.
        duplicates: the same text more than once.
        conflicts: the same text with different labels.
        leaks: the same text in more than one split.
        faults: by kind, texts that are wrong by themselves.
        scripts: writing systems.
        tokenizer_fit: every tokenizer that was given, the chosen one first.
    """

    format: int
    source: str
    fingerprint: str
    settings: AuditSettings
    findings: tuple[Finding, ...]
    reading: tuple[ReadNote, ...]
    shape: Shape
    words: Lengths
    tokens: Tokens | None
    duplicates: Duplicates
    conflicts: Conflicts
    leaks: Leaks
    faults: dict[str, Fault]
    scripts: Scripts
    tokenizer_fit: tuple[TokenizerFit, ...]

    @property
    def has_leaks_or_conflicts(self) -> bool:
        """True when an equal text stands in two splits or with two labels, not numbers: what `--strict` refuses."""
        conflicts = self.shape.task != "regression" and self.conflicts.exact.texts
        return bool(self.leaks.exact.texts or conflicts)

    def _lines(self) -> tuple[str, str]:
        tally = {severity: sum(one.severity == severity for one in self.findings) for severity in SEVERITIES}
        found = ", ".join(f"{count} {severity}" for severity, count in tally.items() if count) or "none"
        worst = f"; first: {self.findings[0].title} ({self.findings[0].counted})" if self.findings else ""
        splits = listed([f"{name} {split.rows:,}" for name, split in self.shape.splits.items()])
        return (
            f"Audit of {self.shape.rows:,} rows ({splits}), {self._said_classes()}",
            f"findings: {found}{worst}",
        )

    def _tables(self) -> Iterator[Table]:
        if self.findings:
            yield Table(
                title="Findings, worst first",
                header=("finding", "severity", "how many", "share of rows", "example", "what to do"),
                rows=tuple(
                    (
                        one.title,
                        one.severity,
                        one.counted,
                        percent(one.share) if one.share else "–",
                        one.example,
                        one.advice,
                    )
                    for one in self.findings
                ),
                prose=("severity", "example", "what to do"),
                most_chars=90,
            ).first(8, "findings")
        if self.shape.classes:
            classes = sorted(self.shape.classes.items(), key=lambda item: -item[1].rows)
            yield Table(
                title="Labels" if self.shape.task == "multi" else "Classes",
                header=("label", "rows", "share", *self.shape.splits),
                rows=tuple(
                    (name, f"{one.rows:,}", percent(one.share), *(f"{rows:,}" for rows in one.by_split.values()))
                    for name, one in classes
                ),
            )
        if self.shape.together:
            yield Table(
                title="Labels that stand together, or avoid each other",
                header=("labels", "rows", "by chance", "of the rarer one's rows", "correlation"),
                rows=tuple(
                    (
                        f"{one.one} + {one.other}",
                        f"{one.rows:,}",
                        f"{one.expected:,.1f}",
                        percent(one.share_of_one),
                        f"{one.phi:+.2f}",
                    )
                    for one in self.shape.together
                ),
            ).first(8, "pairs")
        if self.tokens is not None and self.tokens.recommended.needed:
            yield Table(
                title="Length limits in tokens",
                header=("limit", "texts cut", "tokens lost"),
                rows=tuple(
                    (f"{one.limit:,}", percent(one.texts_cut), percent(one.tokens_lost)) for one in self.tokens.limits
                ),
            )

    def _said_classes(self) -> str:
        if self.shape.task == "regression":
            return "labels are numbers"
        several = " (any number per row)" if self.shape.task == "multi" else ""
        return f"{len(self.shape.classes):,} {'labels' if several else 'classes'}{several}"

    def to_json(self) -> dict[str, Any]:
        """Return the value of audit.json: keys as documented in docs/audit.md, always in the same order."""
        return asdict(self)


def audit(
    dataset: Dataset,
    settings: AuditSettings | None = None,
    *,
    tokenizers: Mapping[str, Tokenizer] | None = None,
    shape: EncoderShape | None = None,
    progress: Progress = SILENT,
) -> Audit:
    """Look at a dataset and tell what is wrong with it; as `audit_rows`, without the rows."""
    return audit_rows(dataset, settings, tokenizers=tokenizers, shape=shape, progress=progress)[0]


def audit_rows(
    dataset: Dataset,
    settings: AuditSettings | None = None,
    *,
    tokenizers: Mapping[str, Tokenizer] | None = None,
    shape: EncoderShape | None = None,
    progress: Progress = SILENT,
) -> tuple[Audit, pa.Table]:
    """Look at a dataset and tell what is wrong with it, and list every row that a finding is about.

    Args:
        dataset: any; labels may be missing, texts may be empty.
        settings: what to look for.
        tokenizers: by name; the first is the chosen one. Without any, nothing is said about tokens.
        shape: sizes of the encoder, for the compute of length limits; DistilBERT's when not given.
        progress: follows the long steps.

    Returns:
        the audit, and its rows as `flagged.FLAGGED_SCHEMA`.

    Raises:
        DataError: the dataset has no rows.
        SettingsError: the threshold is out of range, or the limits do not rise.
    """
    settings = settings or AuditSettings()
    _check(dataset, settings)
    columns = row_columns_of(dataset)
    given = tokenizers or {}
    parts = (_NEAR_STEPS if settings.near else 0) + 1 + len(given)
    with progress.track("Auditing", total=Steps.UNITS * parts, unit="parts") as advance:
        steps = Steps(advance, progress)
        near = None
        if settings.near:
            near = find_near_duplicates(columns.plain, threshold=settings.near_threshold, progress=steps)
        words = split_words(columns.plain, steps)
        counts = {name: count_tokens(tokenizer, columns.plain, words, steps) for name, tokenizer in given.items()}
    exact = group_equal(columns.text)
    fits = _fits(columns, given, counts, words)
    per_text = words.per_text
    masks = fault_masks(columns, per_text, counts[fits[0].name].tokens if fits else None)
    if dataset.pair is not None:
        # Behind the first text stands a [SEP] too.
        counts = {name: replace(found, tokens=found.tokens + 1) for name, found in counts.items()}
    tokens = _describe_tokens(columns, fits, counts, settings, shape or EncoderShape())
    evidence = Evidence(
        reading=dataset.notes,
        shape=describe_shape(columns),
        duplicates=find_duplicates(columns, exact, near),
        conflicts=find_conflicts(columns, exact, near),
        leaks=find_leaks(columns, exact, near),
        faults=describe_faults(columns, masks),
        scripts=describe_scripts(script_counts(columns.plain)),
        tokenizer_fit=fits,
        limits=tokens.limits if tokens else (),
        recommended=tokens.recommended if tokens else None,
    )
    found = Audit(
        format=AUDIT_FORMAT,
        source=dataset.source,
        fingerprint=dataset.fingerprint(),
        settings=settings,
        findings=_worst_first(evidence),
        reading=evidence.reading,
        shape=evidence.shape,
        words=_lengths(per_text, columns),
        tokens=tokens,
        duplicates=evidence.duplicates,
        conflicts=evidence.conflicts,
        leaks=evidence.leaks,
        faults=evidence.faults,
        scripts=evidence.scripts,
        tokenizer_fit=fits,
    )
    marks = {
        **marks_of_repeats(columns, exact, None if near is None else near.group),
        **marks_of_labels(columns, found.shape),
        **{f"faults.{kind}": Mark(rows=mask) for kind, mask in masks.items()},
    }
    if tokens:
        chosen = counts[tokens.tokenizer]
        marks["tokens.misfit"] = Mark(rows=chosen.unknown > 0)
        marks["tokens.truncation"] = Mark(rows=chosen.tokens > tokens.recommended.limit)
    return found, flagged_rows(columns, found.findings, marks)


def _worst_first(evidence: Evidence) -> tuple[Finding, ...]:
    found = [
        *about_reading(evidence),
        *about_leaks(evidence),
        *about_conflicts(evidence),
        *about_labels(evidence.shape),
        *about_duplicates(evidence),
        *about_texts(evidence),
        *about_tokens(evidence),
    ]
    return tuple(sorted(found, key=lambda finding: (SEVERITIES.index(finding.severity), -finding.share)))


def check_threshold(threshold: float) -> None:
    """Refuse a near-duplicate threshold that is out of range.

    Raises:
        SettingsError: it is below `LEAST_THRESHOLD` or above 1.
    """
    if not LEAST_THRESHOLD <= threshold <= 1:
        raise SettingsError(
            f"near_threshold = {threshold} is not possible: give a Jaccard similarity from {LEAST_THRESHOLD} to 1 "
            "(0.7 finds copies with a few words changed, 1 only differences of case, white space and punctuation)"
        )


def _check(dataset: Dataset, settings: AuditSettings) -> None:
    if not len(dataset):
        raise DataError(f"{dataset.source} has no rows: there is nothing to audit")
    check_threshold(settings.near_threshold)
    limits = settings.limits
    if not limits or min(limits) < 3 or list(limits) != sorted(set(limits)):
        raise SettingsError(f"limits = {list(limits)} is not possible: give rising numbers of tokens of at least 3")


def _fits(
    columns: RowColumns, tokenizers: Mapping[str, Tokenizer], counts: Mapping[str, TokenCounts], words: TextWords
) -> tuple[TokenizerFit, ...]:
    characters = pc.sum(pc.utf8_length(columns.plain)).as_py()
    return tuple(
        describe_fit(name, tokenizer, counts[name], words=len(words.index), characters=characters)
        for name, tokenizer in tokenizers.items()
    )


def _lengths(values: Any, columns: RowColumns) -> Lengths:
    return Lengths(overall=box_of(values), by_class=boxes_by_class(values, columns.classes.rows()))


def _describe_tokens(
    columns: RowColumns,
    fits: tuple[TokenizerFit, ...],
    counts: Mapping[str, TokenCounts],
    settings: AuditSettings,
    shape: EncoderShape,
) -> Tokens | None:
    if not fits:
        return None
    chosen = fits[0]
    tokens = counts[chosen.name].tokens
    table = limit_table(tokens, columns.classes.rows(), limits=settings.limits, shape=shape)
    recommended = recommend(table, int(tokens.max()), chosen.model_limit)
    return Tokens(
        tokenizer=chosen.name,
        model_limit=chosen.model_limit,
        total=int(tokens.sum()),
        lengths=_lengths(tokens, columns),
        over_model_limit=int((tokens > chosen.model_limit).sum()),
        encoder_width=shape.width,
        encoder_feed_forward=shape.feed_forward,
        limits=table,
        recommended=recommended,
        windows=window_table(tokens, min(recommended.limit, chosen.model_limit), shape),
    )
