"""Slices: where a classifier is better or worse than elsewhere, and whether that is more than chance.

In: whether each row is right, its loss, and for each way to group rows a name a row, (N,). Out: accuracy and loss of
each slice with intervals, and which differ from the rest.
It does not know texts or models; groupings of texts are made in `auditing.row_slices`.

A slice is shown with at least 30 rows; those of smaller ones are counted. Each slice shown is tested against all other
rows (Fisher's exact test of right and wrong, inside and outside), and a slice is called different only when that holds
after correction for all tests made (Holm): of twenty slices one would look different by chance. Two slices that share
out the rows between them are one test.

Source: Fisher (1922); Holm (1979); Wilson (1927) for the interval of the accuracy. That of the mean loss is Student's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.comparison import LEAST_P, holm
from limbeck.evaluation.intervals import LEVEL
from limbeck.evaluation.measured import Measured, measured
from limbeck.evaluation.proportions import Share, share_of

FEWEST_SLICE_ROWS = 30
"""Of a slice that is shown."""
MOST_SLICES = 20
"""Shown of one grouping, the largest; the rest is counted."""
GROUPING_NAMES = {
    "label": "label",
    "tokens": "tokens",
    "truncation": "truncation",
    "elsewhere": "text elsewhere",
    "script": "script",
    "negation": "negation",
}
"""limbeck's own ways to group rows, in English by kind. A page in another language has its own words for the kinds."""
SLICE_NAMES = {
    "quarter_1": "1st quarter ({0}–{1})",
    "quarter_2": "2nd quarter ({0}–{1})",
    "quarter_3": "3rd quarter ({0}–{1})",
    "quarter_4": "4th quarter ({0}–{1})",
    "cut": "cut to the limit",
    "whole": "whole",
    "equal_in_train": "equal text in train",
    "similar_in_train": "similar text in train",
    "repeated": "repeated in this split",
    "nowhere_else": "nowhere else",
    "negation": "negation",
    "no_negation": "no negation",
    "script": "{0}",
    "scripts": "{0} and {1}",
    "no_letters": "no letters",
    "no_value": "no value",
}
"""What limbeck itself calls slices, in English by kind; braces stand for the parts of the term."""


@dataclass(frozen=True)
class Term:
    """What a grouping or a slice is called.

    Attributes:
        name: in English; or data, such as a class or a value of a column.
        kind: by which other languages say it, a key of `GROUPING_NAMES` or `SLICE_NAMES`; None for data.
        parts: what the braces of its sentence stand for.
    """

    name: str
    kind: str | None = None
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def grouping_term(kind: str) -> Term:
    """Return what one of limbeck's own groupings is called."""
    return Term(GROUPING_NAMES[kind], kind)


def slice_term(kind: str, *parts: str) -> Term:
    """Return what a slice of one of limbeck's own kinds is called.

    Example:
        >>> str(slice_term("scripts", "Latin", "Hangul"))
        'Latin and Hangul'
    """
    return Term(SLICE_NAMES[kind].format(*parts), kind, parts)


Groupings = Mapping[Term, Sequence[Term]]
"""By what rows are grouped, the slice of each row, (N,)."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Some rows that have something in common.

    Attributes:
        term: what they have.
        accuracy: share of them that are right, with a Wilson interval.
        loss: their mean loss in nats, with Student's interval.
        difference: their accuracy minus that of all other rows; None when there are no others.
        p_value: of the difference, corrected for all slices tested; None when there are no others.
    """

    term: Term
    accuracy: Share
    loss: Measured
    difference: float | None
    p_value: float | None

    @property
    def name(self) -> str:
        """What they have in common, in English, or as the data have it."""
        return self.term.name

    @property
    def is_different(self) -> bool:
        """Whether the difference is more than chance, all slices considered."""
        return self.p_value is not None and self.p_value < LEAST_P


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """One way to group the rows.

    Attributes:
        term: what the way is called.
        slices: those shown, in their own order where they have one (lengths), else the largest first.
        left_out: slices that are not shown, being too small or too many.
        left_out_rows: rows in them.
    """

    term: Term
    slices: tuple[Slice, ...]
    left_out: int
    left_out_rows: int

    @property
    def name(self) -> str:
        """What rows are grouped by, in English, or as the data have it."""
        return self.term.name


@dataclass(frozen=True, kw_only=True)
class Slices:
    """How a classifier does on parts of the rows.

    Attributes:
        rows: N.
        accuracy: of all rows.
        groupings: in the order they were given, but for those that put every row into one slice.
        uniform: these: the grouping and its one slice.
        tests: how many the p-values are corrected for.
        fewest_rows: of a slice that is shown.
    """

    rows: int
    accuracy: Share
    groupings: tuple[Grouping, ...]
    uniform: tuple[tuple[Term, Term], ...]
    tests: int
    fewest_rows: int

    @property
    def different(self) -> tuple[tuple[Term, Slice], ...]:
        """Slices that differ from the rest by more than chance with their grouping, worst accuracy first."""
        found = [(group.term, one) for group in self.groupings for one in group.slices if one.is_different]
        return tuple(sorted(found, key=lambda named: named[1].accuracy.value))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; keys and their order are stable."""
        return {
            "rows": self.rows,
            "accuracy": self.accuracy.to_dict(),
            "tests": self.tests,
            "fewest_rows": self.fewest_rows,
            "uniform": {grouping.name: one.name for grouping, one in self.uniform},
            "groupings": [
                {
                    "name": group.name,
                    "kind": group.term.kind,
                    "left_out": group.left_out,
                    "left_out_rows": group.left_out_rows,
                    "slices": [
                        {
                            "name": one.name,
                            "kind": one.term.kind,
                            "rows": one.accuracy.rows,
                            "accuracy": one.accuracy.to_dict(),
                            "loss": {"value": one.loss.value, **one.loss.ends},
                            "difference": one.difference,
                            "p_value": one.p_value,
                            "different": one.is_different,
                        }
                        for one in group.slices
                    ],
                }
                for group in self.groupings
            ],
        }


def slice_rows(
    right_N: np.ndarray,
    losses_N: np.ndarray,
    groupings: Groupings,
    *,
    fewest_rows: int = FEWEST_SLICE_ROWS,
) -> Slices:
    """Score each slice of each grouping.

    Args:
        right_N: whether the row's answer is right.
        losses_N: its loss in nats.
        groupings: limbeck's own (`auditing.row_slices`), or of any other terms.
        fewest_rows: of a slice that is shown, at least 2.

    Raises:
        DataError: there is no row, or not one value a row.
        SettingsError: `fewest_rows` is below 2.
    """
    rows = len(right_N)
    if fewest_rows < 2:
        raise SettingsError(f"a slice of {fewest_rows} rows has no interval: give at least 2")
    if not rows or len(losses_N) != rows:
        raise DataError(f"{rows:,} answers and {len(losses_N):,} losses: give one of each a row")
    if wrong := [name for name, values in groupings.items() if len(values) != rows]:
        raise DataError(f"the grouping {wrong[0].name!r} has {len(groupings[wrong[0]]):,} values for {rows:,} rows")
    right_N = np.asarray(right_N, dtype=bool)
    uniform = {term: values[0] for term, values in groupings.items() if len(set(values)) == 1}
    drawn = [
        _group(term, values, right_N, losses_N, fewest_rows)
        for term, values in groupings.items()
        if term not in uniform
    ]
    found, tests = _corrected(drawn)
    return Slices(
        rows=rows,
        accuracy=share_of(int(right_N.sum()), rows),
        groupings=found,
        uniform=tuple(uniform.items()),
        tests=tests,
        fewest_rows=fewest_rows,
    )


def quarters(values: np.ndarray) -> list[Term]:
    """Return the quarter of each row by a number, the lowest first, with its ends; equal numbers share a quarter.

    Example:
        >>> [str(one) for one in quarters(np.array([1, 2, 3, 4]))]
        ['1st quarter (1–1)', '2nd quarter (2–2)', '3rd quarter (3–3)', '4th quarter (4–4)']
    """
    edges = np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf")
    place_N = np.searchsorted(edges, values, side="left")
    terms = {}
    for place in np.unique(place_N):
        inside = values[place_N == place]
        terms[place] = slice_term(f"quarter_{place + 1}", f"{inside.min():g}", f"{inside.max():g}")
    return [terms[place] for place in place_N]


def _group(term: Term, values: Sequence[Term], right_N: np.ndarray, losses_N: np.ndarray, fewest_rows: int) -> Grouping:
    """Score the slices of one grouping; their p-values are not corrected yet."""
    by_name = {one.name: one for one in values}
    names, place_N = np.unique([one.name for one in values], return_inverse=True)
    terms = [by_name[str(name)] for name in names]
    counts = np.bincount(place_N)
    largest = np.argsort(-counts, kind="stable")
    shown = [place for place in largest if counts[place] >= fewest_rows][:MOST_SLICES]
    if all((terms[place].kind or "").startswith("quarter_") for place in shown):
        shown.sort(key=lambda place: str(terms[place].kind))
    return Grouping(
        term=term,
        slices=tuple(_slice(terms[place], place_N == place, right_N, losses_N) for place in shown),
        left_out=len(terms) - len(shown),
        left_out_rows=int(counts.sum() - counts[shown].sum()),
    )


def _slice(term: Term, inside_N: np.ndarray, right_N: np.ndarray, losses_N: np.ndarray) -> Slice:
    from scipy.stats import fisher_exact, t  # late: it takes long, and answers need none of it

    rows, right = int(inside_N.sum()), int(right_N[inside_N].sum())
    losses = np.asarray(losses_N, dtype=np.float64)[inside_N]
    half = float(t.ppf(0.5 + LEVEL / 2, rows - 1) * losses.std(ddof=1) / np.sqrt(rows))
    others, others_right = len(right_N) - rows, int(right_N.sum()) - right
    table = [[right, rows - right], [others_right, others - others_right]]
    return Slice(
        term=term,
        accuracy=share_of(right, rows),
        loss=measured(losses.mean(), max(0.0, losses.mean() - half), losses.mean() + half),
        difference=right / rows - others_right / others if others else None,
        p_value=float(fisher_exact(table).pvalue) if others else None,
    )


def _corrected(groupings: Sequence[Grouping]) -> tuple[tuple[Grouping, ...], int]:
    """Correct every p-value for the number of tests, and return it; the two halves of a grouping are one test."""
    tests: list[float] = []
    test_of: dict[tuple[int, int], int] = {}
    for place, group in enumerate(groupings):
        is_halved = len(group.slices) == 2 and not group.left_out
        for number, one in enumerate(group.slices):
            if one.p_value is not None:
                if not (is_halved and number):
                    tests.append(one.p_value)
                test_of[place, number] = len(tests) - 1
    corrected = holm(tests)
    found = tuple(
        replace(
            group,
            slices=tuple(
                replace(one, p_value=corrected[test_of[place, number]]) if (place, number) in test_of else one
                for number, one in enumerate(group.slices)
            ),
        )
        for place, group in enumerate(groupings)
    )
    return found, len(tests)
