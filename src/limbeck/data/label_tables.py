"""How labels of any shape show themselves in two lines and in tables.

In: an Arrow table with `split` and `label`, the label names, the task. Out: words, and a `Table` of rows per label or
of numbers per split. It does not know datasets.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.display.tables import Table
from limbeck.display.views import listed
from limbeck.task import MULTI, Task

NO_LABEL = "(no label)"
"""A row that is not labelled, in a table of labels."""
NONE_OF_THEM = "(none of them)"
"""A row that is labelled with no label, in a table of labels."""


def label_words(task: Task, label: pa.ChunkedArray, names: Sequence[str]) -> str:
    """Say in a few words which labels there are."""
    known = label.drop_null()
    if not task.has_classes:
        if not len(known):
            return "numbers"
        ends = pc.min_max(known).as_py()
        return f"numbers from {ends['min']:g} to {ends['max']:g}, mean {pc.mean(known).as_py():.3g} ({task})"
    if task == MULTI:
        sizes = pc.list_value_length(known)
        per_row = f", {pc.mean(sizes).as_py():.2g} per row on average" if len(known) else ""
        return f"{listed(names)}{per_row} ({task})"
    return listed(names) if task.name == "single" else f"{' < '.join(names)} ({task})"


def label_table(task: Task, table: pa.Table, names: Sequence[str], splits: Sequence[str]) -> Table:
    """Return the rows per label and split, the most frequent label first; of numbers, where they lie in each split."""
    split = table["split"].cast(pa.string())
    if not task.has_classes:
        return _number_table(np.asarray(table["label"], np.float64), np.asarray(split), splits)
    return _class_table(task, split.to_pylist(), table["label"].to_pylist(), names, splits)


def _class_table(
    task: Task, split: Iterable[str], label: Iterable[object], names: Sequence[str], splits: Sequence[str]
) -> Table:
    pairs = Counter(
        (where, one)
        for where, cell in zip(split, label, strict=True)
        for one in (cell or [NONE_OF_THEM] if isinstance(cell, list) else [cell])
        if isinstance(one, Hashable)
    )
    present = {one for _, one in pairs}
    order = task.name == "ordinal"
    kinds: list[object] = [*range(len(names)), *([NONE_OF_THEM] if NONE_OF_THEM in present else [])]
    totals = {kind: sum(pairs[where, kind] for where in splits) for kind in (*kinds, None)}
    kinds.sort(key=lambda kind: (not isinstance(kind, int), 0 if order else -totals[kind]))
    kinds += [None] if None in present else []
    return Table(
        title="Rows per label" if task == MULTI else "Rows per class",
        header=("label", *splits, *(["all splits"] if len(splits) > 1 else [])),
        rows=tuple(
            (
                names[kind] if isinstance(kind, int) else NO_LABEL if kind is None else NONE_OF_THEM,
                *(f"{pairs[where, kind]:,}" for where in splits),
                *([f"{totals[kind]:,}"] if len(splits) > 1 else []),
            )
            for kind in kinds
        ),
    )


def _number_table(values: np.ndarray, split: np.ndarray, splits: Sequence[str]) -> Table:
    rows = []
    for name in splits:
        known = values[(split == name) & ~np.isnan(values)]
        figures = [known.min(), np.median(known), known.mean(), known.max(), known.std()] if len(known) else []
        rows.append((name, f"{len(known):,}", *(f"{figure:.4g}" for figure in figures or [np.nan] * 5)))
    return Table(
        title="Numbers",
        header=("split", "rows with a number", "lowest", "median", "mean", "highest", "standard deviation"),
        rows=tuple(rows),
    )
