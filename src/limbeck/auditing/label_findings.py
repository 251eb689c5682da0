"""Findings about labels: names, frequencies, order.

In: the shape of a dataset. Out: findings, in no order.
It does not know texts.
"""

from collections.abc import Iterator

from limbeck.auditing.finding import Finding, Severity
from limbeck.auditing.lookalikes import MOST_LOOKALIKES
from limbeck.auditing.profile import TOO_FEW_TO_LEARN, TOO_FEW_TO_SPLIT, Shape
from limbeck.auditing.rows import excerpt
from limbeck.data.names import shown, told_apart
from limbeck.evaluation.counted import quantity

UNBALANCED = 3.0
"""From this imbalance ratio on, accuracy hides the small classes."""
VERY_UNBALANCED = 20.0
_SHOWN_PAIRS = 5
"""Pairs of names that a finding shows; the page lists all that were found."""


def about_labels(shape: Shape) -> Iterator[Finding]:
    """Tell what is odd about the labels."""
    labelled = shape.rows - shape.unlabelled_rows

    def finding(kind: str, severity: Severity, title: str, names: tuple[str, ...], advice: str) -> Finding:
        touched = sum(shape.classes[name].rows for name in names)
        return Finding(
            kind=kind,
            severity=severity,
            title=title,
            count=len(names),
            unit="classes",
            share=touched / max(1, shape.rows),
            example=", ".join(
                f"{shown(excerpt(name, 40))} ({quantity(shape.classes[name].rows, 'rows')})" for name in names[:5]
            ),
            advice=advice,
        )

    if shape.like_ids:
        yield Finding(
            kind="labels.like_ids",
            severity="high",
            title="Nearly every row has a label of its own: is the label column an id, or the text itself?",
            count=sum(1 for one in shape.classes.values() if one.rows),
            unit="classes",
            share=labelled / max(1, shape.rows),
            example=", ".join(excerpt(name, 40) for name in list(shape.classes)[:5]),
            advice="Name the column that holds the classes: --label-column NAME.",
        )
    if shape.lookalike_labels:
        yield _about_lookalikes(shape)
    if shape.like_missing:
        yield finding(
            "labels.like_missing",
            "medium",
            "Class names that look like a missing label",
            shape.like_missing,
            "If these rows have no label, empty the cell at the source: as it stands a model learns it as a class.",
        )
    lacking = sum(split.rows - split.labelled for split in shape.splits.values() if split.labelled)
    if lacking:
        where = ", ".join(
            f"{name} {split.rows - split.labelled:,}"
            for name, split in shape.splits.items()
            if split.rows > split.labelled and split.labelled
        )
        yield Finding(
            kind="labels.unlabelled",
            severity="medium",
            title="Rows without a label stand among labelled ones",
            count=lacking,
            unit="rows",
            share=lacking / max(1, shape.rows),
            example=where,
            advice="`limbeck train` refuses them: label them, or leave them out with --on-bad-row skip.",
        )
    if shape.unused:
        yield finding(
            "labels.unused",
            "medium",
            "Classes without any row",
            shape.unused,
            "`limbeck train` cannot learn them. In pandas, `column.cat.remove_unused_categories()` takes them out.",
        )
    if shape.missing_in_training:
        yield finding(
            "labels.missing_in_training",
            "high",
            "Classes that the training split does not have",
            shape.missing_in_training,
            "No model can learn them: make new splits with `limbeck split DATA`, or add rows.",
        )
    if shape.too_rare_to_split:
        yield finding(
            "labels.too_rare_to_split",
            "high",
            f"Classes with fewer than {TOO_FEW_TO_SPLIT} rows, too few for train, validation and test",
            shape.too_rare_to_split,
            "Add rows, join them with another class, or take the class out.",
        )
    rarest = set(shape.too_rare_to_split)
    if rare := tuple(name for name in shape.too_rare_to_learn if name not in rarest):
        yield finding(
            "labels.too_rare_to_learn",
            "medium",
            f"Classes with fewer than {TOO_FEW_TO_LEARN} rows to learn from",
            rare,
            "Add rows or join them with another class; their scores are luck.",
        )
    ratio = shape.imbalance_ratio
    if ratio is not None and ratio >= UNBALANCED:
        classes = sorted(shape.classes.items(), key=lambda item: -item[1].rows)
        smallest = next(item for item in reversed(classes) if item[1].rows)
        yield Finding(
            kind="labels.unbalanced",
            severity="medium" if ratio >= VERY_UNBALANCED else "low",
            title=f"Classes are unequal: the largest has {ratio:,.1f} times the rows of the smallest",
            count=len(shape.classes),
            unit="classes",
            share=smallest[1].share,
            example=f"{excerpt(classes[0][0], 40)} {classes[0][1].rows:,}, {excerpt(smallest[0], 40)} "
            f"{quantity(smallest[1].rows, 'rows')}",
            advice="Read macro F1 beside accuracy; --balance weights is worth a try.",
        )
    if shape.sorted_by_label:
        yield Finding(
            kind="labels.sorted",
            severity="low",
            title="Rows stand sorted by label",
            count=len(shape.sorted_by_label),
            unit="splits",
            share=sum(shape.splits[name].rows for name in shape.sorted_by_label) / max(1, shape.rows),
            example=", ".join(shape.sorted_by_label),
            advice="The first rows are all of one class: shuffle before taking a part (limbeck train shuffles).",
        )


def _about_lookalikes(shape: Shape) -> Finding:
    """Tell of names that may be one: high where that is sure, medium where it may be a slip or meant."""
    pairs = shape.lookalike_labels
    sure = sum(pair.is_sure for pair in pairs)
    names = {name for pair in pairs for name in (pair.one, pair.other)}
    listed = []
    for pair in pairs[:_SHOWN_PAIRS]:
        one, other = told_apart(*_cut_alike(pair.one, pair.other))
        listed.append(f"{one} and {other}: {pair.why}")
    more = f"; and {len(pairs) - _SHOWN_PAIRS:,} more" if len(pairs) > _SHOWN_PAIRS else ""
    bound = f" (the first {MOST_LOOKALIKES:,} pairs)" if len(pairs) == MOST_LOOKALIKES else ""
    return Finding(
        kind="labels.lookalike",
        severity="high" if sure else "medium",
        title=f"Label names {'look like one and the same' if sure else 'are nearly the same'}{bound}",
        count=len(pairs),
        unit="pairs",
        share=sum(shape.classes[name].rows for name in names) / max(1, shape.rows),
        example="; ".join(listed) + more,
        advice="Give them one name in the data, or the model must tell apart what is the same.",
    )


def _cut_alike(one: str, other: str, characters: int = 40) -> tuple[str, str]:
    """Cut two long names to a part in which they differ."""
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    start = max(0, start - characters // 2) if max(len(one), len(other)) > characters else 0
    cut, cut_other = (("…" if start else "") + excerpt(name[start:], characters) for name in (one, other))
    return cut, cut_other
