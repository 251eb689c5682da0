"""Seen texts: what the keys of texts tell of equal ones, added up a range of keys at a time.

In: keys of texts (`row_counts.TEXT_KEYS`), all rows of a text in one table. Out: `SeenTexts`: repeats, leaks and
conflicts of texts that are equal character for character. It does not know the texts.
"""

import json
from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.grouping import distinct_within


class SeenTexts:
    """What the keys of texts tell, added up.

    Attributes:
        texts: different ones.
        repeats, repeats_in: texts and rows of texts in more than one row, in all and inside each split.
        conflicts, leaks: texts and rows of texts with several labels, and in several splits.
        label_pairs: see `CountedConflicts`.
        pairs: texts that two splits share.

    Args:
        splits: their names.
        several: whether a label is a set of labels, as JSON.
    """

    def __init__(self, splits: tuple[str, ...], *, several: bool) -> None:
        self.texts = 0
        self.repeats: Counter[str] = Counter()
        self.repeats_in: dict[str, Counter[str]] = {name: Counter() for name in splits}
        self.conflicts: Counter[str] = Counter()
        self.leaks: Counter[str] = Counter()
        self.label_pairs: Counter[str] = Counter()
        self.pairs: Counter[str] = Counter({f"{one}/{other}": 0 for one, other in combinations(splits, 2)})
        self._splits, self._several = splits, several

    def add(self, table: pa.Table) -> None:
        """Look at some texts, with all of their rows."""
        if not table.num_rows:
            return
        high, low, rows = (table[name].to_numpy() for name in ("high", "low", "rows"))
        order = np.lexsort((low, high))
        is_new = np.append(True, (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0))
        text_N = np.empty(len(order), np.int64)
        text_N[order] = np.cumsum(is_new) - 1
        self.texts += int(is_new.sum())
        _add_repeats(self.repeats, text_N, rows)
        splits = pa.array(self._splits, pa.string())
        split_N = pc.index_in(table["split"], value_set=splits).to_numpy()
        for place, name in enumerate(self._splits):
            _add_repeats(self.repeats_in[name], text_N[split_N == place], rows[split_N == place])
        leaking = distinct_within(text_N, split_N) > 1
        _add_chosen(self.leaks, text_N, rows, leaking)
        texts_in = [np.unique(text_N[leaking & (split_N == place)]) for place in range(len(self._splits))]
        for one, other in combinations(range(len(self._splits)), 2):
            shared = np.intersect1d(texts_in[one], texts_in[other], assume_unique=True)
            self.pairs[f"{self._splits[one]}/{self._splits[other]}"] += len(shared)
        coded = table["label"].combine_chunks().dictionary_encode()
        label_N = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        conflicting = distinct_within(text_N, label_N) > 1
        _add_chosen(self.conflicts, text_N, rows, conflicting)
        self._name_labels(text_N, label_N, conflicting & (label_N >= 0), coded.dictionary.to_pylist())

    def _name_labels(self, text_N: np.ndarray, label_N: np.ndarray, chosen_N: np.ndarray, names: list[str]) -> None:
        labels: dict[int, set[str]] = {}
        for text, label in zip(text_N[chosen_N].tolist(), label_N[chosen_N].tolist(), strict=True):
            labels.setdefault(text, set()).add(names[label])
        for one in labels.values():
            self.label_pairs.update(_differing(one) if self._several else ["/".join(sorted(one))])


def _differing(sets: Iterable[str]) -> set[str]:
    """Return the labels that some sets have and others have not; sets are JSON."""
    found = [set(json.loads(one)) for one in sets]
    return set.union(*found) - set.intersection(*found)


def _add_repeats(found: Counter[str], text_N: np.ndarray, rows_N: np.ndarray) -> None:
    rows_T = np.bincount(text_N, weights=rows_N).astype(np.int64) if len(text_N) else np.zeros(0, np.int64)
    repeated = rows_T[rows_T > 1]
    found.update(texts=len(repeated), rows=int(repeated.sum()))


def _add_chosen(found: Counter[str], text_N: np.ndarray, rows_N: np.ndarray, chosen_N: np.ndarray) -> None:
    found.update(texts=len(np.unique(text_N[chosen_N])), rows=int(rows_N[chosen_N].sum()))
