"""Findings about labels: names, frequencies, order.

In: the shape of a dataset. Out: findings, in no order.
It does not know texts.
"""

from collections.abc import Iterator

from limbeck.audit.finding import Finding, Severity
from limbeck.audit.profile import TOO_FEW_TO_LEARN, TOO_FEW_TO_SPLIT, Shape
from limbeck.audit.rows import excerpt

UNBALANCED = 3.0
"""From this imbalance ratio on, accuracy hides the small classes."""
VERY_UNBALANCED = 20.0


def about_labels(shape: Shape) -> Iterator[Finding]:
    """Tell what is odd about the labels."""

    def finding(kind: str, severity: Severity, title: str, names: tuple[str, ...], advice: str) -> Finding:
        touched = sum(shape.classes[name].rows for name in names if name in shape.classes)
        return Finding(
            kind=kind,
            severity=severity,
            title=title,
            count=len(names),
            unit="classes",
            share=touched / max(1, shape.rows),
            example=", ".join(
                f"{excerpt(name, 40)} ({shape.classes[name].rows:,} rows)" if name in shape.classes else name
                for name in names[:5]
            ),
            advice=advice,
        )

    if shape.lookalike_labels:
        pair = shape.lookalike_labels[0]
        yield Finding(
            kind="labels.lookalike",
            severity="high",
            title="Label names look like one and the same",
            count=len(shape.lookalike_labels),
            unit="pairs",
            share=sum(shape.classes[pair.other].rows for pair in shape.lookalike_labels) / max(1, shape.rows),
            example=f"{pair.one!r} and {pair.other!r}: {pair.why}",
            advice="Give them one name in the data, or the model must tell apart what is the same.",
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
    if rare := tuple(name for name in shape.too_rare_to_learn if name not in shape.too_rare_to_split):
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
            f"{smallest[1].rows:,} rows",
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
