"""Counted audit: what an audit tells of rows that were counted, and not held.

In: `RowCounts` of all rows, and the keys of all texts, some texts at a time. Out: `CountedAudit`, plain values for
JSON, each equal to that of `audit` for the same rows. What `audit` tells beyond is named in `NOT_COUNTED`. It does not
know files, nor how rows were counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from limbeck.auditing.audit import Lengths
from limbeck.auditing.duplicates import Repeats
from limbeck.auditing.profile import ClassCount, SplitCount
from limbeck.auditing.row_counts import (
    CLASS,
    FAULT,
    LABELLED,
    LABELS_PER_ROW,
    SPLIT,
    WORDS,
    WORDS_OF_CLASS,
    RowCounts,
)
from limbeck.auditing.seen_texts import SeenTexts
from limbeck.auditing.token_limits import box_of_counts
from limbeck.data.dataset import SPLIT_ORDER
from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError
from limbeck.evaluation.counted import percent

NOT_COUNTED = (
    "nearly equal texts",
    "texts that differ in case, white space or Unicode form alone",
    "tokens and length limits",
    "writing systems",
    "labels that look alike or stand together, and rows sorted by label",
    "what memory alone would score",
    "examples and the rows of each finding",
)
"""What `limbeck audit` tells of rows that it holds, and not of rows that it counts."""
MOST_COUNTED_LABELS = 100_000
"""With more labels than this, labels are ids, and counting them takes the memory that counting should save."""


@dataclass(frozen=True, kw_only=True)
class CountedDuplicates(Repeats):
    """Texts equal character for character; `by_split` looks inside each split alone."""

    by_split: dict[str, Repeats]


@dataclass(frozen=True, kw_only=True)
class CountedConflicts:
    """Texts that stand there with two or more labels.

    `label_pairs` counts the sets of labels on one text; where a row may have several, each label that some of the
    text's rows have and others have not.
    """

    texts: int
    rows: int
    label_pairs: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class CountedLeaks:
    """Texts that stand in more than one split; `pairs` counts the texts that two splits share."""

    texts: int
    rows: int
    pairs: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class CountedFault:
    """One kind of fault of single texts: rows that have it, their share of all, and those of each split."""

    rows: int
    share: float
    by_split: dict[str, int]


@dataclass(frozen=True, kw_only=True, repr=False)
class CountedAudit(View):
    """What was counted of all rows.

    Attributes:
        rows: in all.
        texts: different ones, character for character.
        splits: rows of each split.
        classes: rows of each class, in the order of their names.
        unlabelled_rows: rows without a label.
        labels_per_row: number of labels → rows that have as many; where a row may have several, else empty.
        words: words a text.
        duplicates, conflicts, leaks: of texts that are equal character for character.
        faults: by kind, texts that are wrong by themselves; `empty` among them.
        not_counted: what was not looked at.
    """

    rows: int
    texts: int
    splits: dict[str, SplitCount]
    classes: dict[str, ClassCount]
    unlabelled_rows: int
    labels_per_row: dict[int, int]
    words: Lengths
    duplicates: CountedDuplicates
    conflicts: CountedConflicts
    leaks: CountedLeaks
    faults: dict[str, CountedFault]
    not_counted: tuple[str, ...] = NOT_COUNTED

    @property
    def has_leaks_or_conflicts(self) -> bool:
        """True when an equal text stands in two splits or with two labels: what `--strict` refuses."""
        return bool(self.leaks.texts or self.conflicts.texts)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; keys are those of audit.json where there are such, always in the same order."""
        return asdict(self)

    def figure_table(self) -> Table:
        """Return what was counted of texts and labels, as a table."""
        box = self.words.overall
        faults = {kind: one.rows for kind, one in self.faults.items() if one.rows or kind == "empty"}
        counted = {
            "different texts": self.texts,
            "rows without a label": self.unlabelled_rows,
            "texts that stand in more than one row": self.duplicates.texts,
            "rows that would go if each text were kept once": self.duplicates.surplus,
            "texts with different labels": self.conflicts.texts,
            "texts in more than one split": self.leaks.texts,
            **{f"rows: {kind.replace('_', ' ')}": rows for kind, rows in faults.items()},
        }
        words = f"{box.least:,} to {box.most:,}; half of the texts {box.q1:,g} to {box.q3:,g}; median {box.median:,g}"
        return Table(
            title="Counted",
            header=("", "of all rows"),
            rows=(*((name, f"{count:,}") for name, count in counted.items()), ("words per text", words)),
        )

    def class_table(self) -> Table:
        """Return the rows of each class, the most first."""
        title = "Labels; a row may have several" if self.labels_per_row else "Classes"
        classes = sorted(self.classes.items(), key=lambda item: -item[1].rows)
        return Table(
            title=title,
            header=("label", "rows", "share", *self.splits),
            rows=tuple(
                (name, f"{one.rows:,}", percent(one.share), *(f"{rows:,}" for rows in one.by_split.values()))
                for name, one in classes
            ),
        )

    def _lines(self) -> tuple[str, str]:
        splits = listed([f"{name} {split.rows:,}" for name, split in self.splits.items()])
        kind = "labels (any number per row)" if self.labels_per_row else "classes"
        return (
            f"Counts of {self.rows:,} rows ({splits}): {self.texts:,} different texts, {len(self.classes):,} {kind}",
            f"texts more than once {self.duplicates.texts:,}, with different labels {self.conflicts.texts:,}, in more "
            f"than one split {self.leaks.texts:,}; not counted: {listed(self.not_counted)}",
        )

    def _tables(self) -> Iterator[Table]:
        yield self.figure_table()
        if self.classes:
            yield self.class_table()


def audit_of_counts(counts: RowCounts, keys: Iterable[pa.Table]) -> CountedAudit:
    """Return the audit of rows that were counted.

    Args:
        counts: of all rows.
        keys: of all rows, `row_counts.TEXT_KEYS`; all rows of a text stand in one table.

    Raises:
        DataError: there are no rows, or so many labels that they must be ids.
    """
    rows_of = {str(name): rows for (name, _), rows in counts.of(SPLIT).items()}
    if not rows_of:
        raise DataError("no row was counted: there is nothing to audit")
    by_class = counts.of(CLASS)
    names = sorted({name for name, _ in by_class})
    if len(names) > MOST_COUNTED_LABELS:
        raise DataError(
            f"there are {len(names):,} different labels, which must be ids: give --label-column, or a file without them"
        )
    splits = _usual_order(rows_of)
    labelled = {str(name): rows for (name, _), rows in counts.of(LABELLED).items()}
    rows, labelled_rows = sum(rows_of.values()), sum(labelled.values())
    per_row = {int(labels): count for (_, labels), count in counts.of(LABELS_PER_ROW).items()}
    seen = SeenTexts(splits, several=bool(per_row))
    for table in keys:
        seen.add(table)
    return CountedAudit(
        rows=rows,
        texts=seen.texts,
        splits={name: SplitCount(rows=rows_of[name], labelled=labelled.get(name, 0)) for name in splits},
        classes={name: _class_count(by_class, name, splits, labelled_rows) for name in names},
        unlabelled_rows=rows - labelled_rows,
        labels_per_row=dict(sorted(per_row.items())),
        words=_lengths(counts),
        duplicates=CountedDuplicates(
            **vars(_repeats(seen.repeats)), by_split={name: _repeats(seen.repeats_in[name]) for name in splits}
        ),
        conflicts=CountedConflicts(
            texts=seen.conflicts["texts"],
            rows=seen.conflicts["rows"],
            label_pairs=dict(sorted(seen.label_pairs.items(), key=lambda item: (-item[1], item[0]))),
        ),
        leaks=CountedLeaks(texts=seen.leaks["texts"], rows=seen.leaks["rows"], pairs=dict(seen.pairs)),
        faults=_faults(counts, splits, rows),
    )


def _usual_order(names: Iterable[str]) -> tuple[str, ...]:
    order = {name: place for place, name in enumerate(SPLIT_ORDER)}
    return tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))


def _repeats(found: Counter[str]) -> Repeats:
    return Repeats(texts=found["texts"], rows=found["rows"], surplus=found["rows"] - found["texts"])


def _class_count(
    by_class: dict[tuple[str, str | int], int], name: str, splits: tuple[str, ...], labelled_rows: int
) -> ClassCount:
    by_split = {split: by_class.get((name, split), 0) for split in splits}
    rows = sum(by_split.values())
    return ClassCount(rows=rows, share=rows / max(1, labelled_rows), by_split=by_split)


def _lengths(counts: RowCounts) -> Lengths:
    of_class: dict[str, dict[int, int]] = {}
    for (name, words), rows in counts.of(WORDS_OF_CLASS).items():
        of_class.setdefault(name, {})[int(words)] = rows
    overall = {int(words): rows for (_, words), rows in counts.of(WORDS).items()}
    by_class = {name: box_of_counts(of_class[name]) for name in sorted(of_class)}
    return Lengths(overall=box_of_counts(overall), by_class=by_class)


def _faults(counts: RowCounts, splits: tuple[str, ...], rows: int) -> dict[str, CountedFault]:
    found = counts.of(FAULT)
    faults = {}
    for kind in dict.fromkeys(kind for kind, _ in found):
        by_split = {split: found.get((kind, split), 0) for split in splits}
        count = sum(by_split.values())
        faults[kind] = CountedFault(rows=count, share=count / rows, by_split=by_split)
    return faults
