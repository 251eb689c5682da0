"""New splits of a dataset that nothing leaks between.

In: a Dataset. Out: the same rows under new split names, with no near-duplicate group in two splits.
Pairs that share one of their two texts are kept together too, as far as the shares allow.
It does not know files; how rows are dealt out is `data.split`'s.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from limbeck.auditing.audit import check_threshold
from limbeck.auditing.grouping import repeated
from limbeck.auditing.near import find_near_duplicates
from limbeck.auditing.rows import plain_text
from limbeck.data.dataset import Dataset
from limbeck.data.label_tables import NO_LABEL, NONE_OF_THEM
from limbeck.data.pair_halves import half_notes, strictest_first
from limbeck.data.split import has_its_shares, split
from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError
from limbeck.progress import SILENT, Progress, Steps
from limbeck.settings import NEAR_THRESHOLD, SplitSettings


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Resplit(View):
    """New splits.

    Attributes:
        dataset: the rows under their new splits, in the order of the splits.
        groups: groups of two rows or more that were kept together.
        counts: split → label → rows; a row with several labels counts for each. Of numbers: split → "rows" → rows.
    """

    dataset: Dataset
    groups: int
    counts: dict[str, dict[str, int]]

    def _lines(self) -> tuple[str, str]:
        sizes = listed([f"{name} {count:,}" for name, count in self.dataset.split_sizes().items()])
        return (
            f"New splits of {len(self.dataset):,} rows: {sizes}",
            f"groups of equal or nearly equal texts, each kept in one split: {self.groups:,}",
        )

    def _tables(self) -> Iterator[Table]:
        labels = list(dict.fromkeys(label for counts in self.counts.values() for label in counts))
        yield Table(
            title="Rows per class",
            header=("label", *self.counts),
            rows=tuple((label, *(f"{counts.get(label, 0):,}" for counts in self.counts.values())) for label in labels),
        )


def resplit(
    dataset: Dataset,
    settings: SplitSettings,
    *,
    near_threshold: float = NEAR_THRESHOLD,
    progress: Progress = SILENT,
) -> Resplit:
    """Give rows new splits, stratified, with equal and nearly equal texts together.

    Pairs that share one of their texts stay together too, as far as that leaves every split half of its share: by
    either text, or else by the first, or else by the second. The notes say how many did, and how many did not.

    Raises:
        SettingsError: a share or the threshold is out of range.
        DataError: a class has too few different texts for every split.
    """
    check_threshold(near_threshold)
    with progress.track("Splitting", total=3 * Steps.UNITS, unit="parts") as advance:
        steps = Steps(advance, progress)
        group = find_near_duplicates(plain_text(dataset), threshold=near_threshold, progress=steps).group
        with steps.track("Dealing out the groups", total=1, unit="split"):
            parted = _parted(dataset, settings, group)
    parted = replace(parted, notes=(*parted.notes, *half_notes(parted)))
    names = parted.split_names
    counts = {name: _counts(parted.split(name)) for name in names}
    place = {name: position for position, name in enumerate(names)}
    order = np.argsort([place[name] for name in parted.table["split"].to_pylist()], kind="stable")
    return Resplit(dataset=parted.select(order), groups=repeated(group).groups, counts=counts)


def _parted(dataset: Dataset, settings: SplitSettings, group: np.ndarray) -> Dataset:
    """Split by the strictest groups that leave every split half of its share at least."""
    *stricter, last = strictest_first(dataset.texts, group)
    for one in stricter:
        with suppress(DataError):
            parted = split(dataset, settings, one)
            if has_its_shares(parted, settings):
                return parted
    return split(dataset, settings, last)


def _counts(dataset: Dataset) -> dict[str, int]:
    """Count the rows of each label."""
    if not dataset.task.has_classes:
        return {"rows": len(dataset)}
    sets = dataset.label_name_sets()
    return dict(
        Counter(label for names in sets for label in ((NO_LABEL,) if names is None else names or (NONE_OF_THEM,)))
    )
