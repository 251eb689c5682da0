"""Tag passes: missing and superfluous labels of more rows than memory holds, found in passes over their probabilities.

In: batches of probabilities and targets, which can be had again as often as they are asked for. Out: `PassedTags`: how
many labels look wrong, how labels go wrong, and the places of the worst pairs. Each is what `find_tag_issues` finds of
the same rows at once, to the last bit, and no more than a block and the worst pairs is held. It does not know texts or
files.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from limbeck.review.tag_chances import Blocks, block_rows, find_tag_chances
from limbeck.review.tag_doubts import TagMistake


@dataclass(frozen=True, kw_only=True)
class RankedTag:
    """One of the worst pairs of row and label.

    Attributes:
        place: the row's number among all rows, from 0.
        label: the label's number.
        wrong: probability that the pair is wrong, 0 to 1.
        share: what the model gives to the label.
        given: what the label gets with the row's other labels, where these were looked at.
    """

    place: int
    label: int
    wrong: float
    share: float
    given: float


@dataclass(frozen=True, kw_only=True, eq=False)
class PassedTags:
    """What passes over all rows found.

    Attributes:
        rows: that were judged.
        given: labels that they have together.
        missing_C: rows from which each label is missing more probably than not, int64.
        superfluous: pairs that are too many more probably than not.
        rates: see `TagDoubts.rates`.
        in_context: whether a row's other labels were looked at.
        worst: the pairs that are most probably each mistake, worst first; of equals, the first pair first.
    """

    rows: int
    given: int
    missing_C: np.ndarray
    superfluous: int
    rates: dict[TagMistake, float]
    in_context: bool
    worst: dict[TagMistake, tuple[RankedTag, ...]]


def pass_over_tags(batches: Blocks, classes: int, *, most: int, incomplete: bool) -> PassedTags:
    """Judge label sets by the answers of a model that did not learn from the rows.

    Args:
        batches: of all rows, in order: probabilities, 0 to 1, and targets; of one row at least.
        classes: C.
        most: worst pairs of each mistake to keep.
        incomplete: a missing label says little; what is given is mostly right.
    """

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return in_blocks(batches(), block_rows(classes))

    chances = find_tag_chances(blocks, classes, incomplete=incomplete, kept=False)
    missing_C, superfluous = np.zeros(classes, np.int64), 0
    worst: dict[TagMistake, _WorstTags] = {"missing": _WorstTags(most), "superfluous": _WorstTags(most)}
    first = 0
    for (shares_BC, _), (given_BC, has_BC) in zip(blocks(), chances.blocks(), strict=True):
        wrong_BC = chances.wrong(given_BC, has_BC)
        missing_C += np.count_nonzero(~has_BC & (wrong_BC > 0.5), axis=0)
        superfluous += int(np.count_nonzero(has_BC & (wrong_BC > 0.5)))
        judged = (given_BC, wrong_BC, shares_BC)
        worst["missing"].look_at(~has_BC, -given_BC, judged, first=first)
        worst["superfluous"].look_at(has_BC, given_BC, judged, first=first)
        first += len(has_BC)
    return PassedTags(
        rows=chances.rows,
        given=int(chances.has_C.sum()),
        missing_C=missing_C,
        superfluous=superfluous,
        rates={"missing": chances.missing, "superfluous": chances.superfluous},
        in_context=chances.in_context,
        worst={mistake: tuple(found.tags) for mistake, found in worst.items()},
    )


def in_blocks(batches: Iterable[tuple[np.ndarray, np.ndarray]], rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the rows of batches again, so many at a time; the last block may have fewer."""
    held: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += len(batch[0])
        if count < rows:
            continue
        one, other = _together(held)
        whole = count - count % rows
        for start in range(0, whole, rows):
            yield one[start : start + rows], other[start : start + rows]
        held, count = [(one[whole:], other[whole:])], count - whole
    if count:
        yield _together(held)


def _together(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    ones, others = zip(*pairs, strict=True)
    return np.concatenate(ones), np.concatenate(others)


class _WorstTags:
    """The pairs that are most probably one mistake.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self.tags: list[RankedTag] = []
        self._most = most
        self._keys = np.zeros(0, np.float32)

    def look_at(
        self,
        asked_BC: np.ndarray,
        keys_BC: np.ndarray,
        judged: tuple[np.ndarray, np.ndarray, np.ndarray],
        *,
        first: int,
    ) -> None:
        """Take the worst pairs of the next block.

        Args:
            asked_BC: which pairs may be the mistake.
            keys_BC: the lower, the worse.
            judged: `RankedTag.given`, `wrong` and `share` of all pairs.
            first: the number of the block's first row.
        """
        places = np.flatnonzero(asked_BC)
        keys = keys_BC.ravel()[places]
        if len(self.tags) == self._most:
            # Of equals the first pair stays, so a later one must be worse.
            worse = np.flatnonzero(keys < self._keys[-1])
            places, keys = places[worse], keys[worse]
        chosen = np.argsort(keys, kind="stable")[: self._most]
        rows, labels = np.unravel_index(places[chosen], asked_BC.shape)
        given, wrong, share = (one_BC[rows, labels].tolist() for one_BC in judged)
        found = [
            RankedTag(place=first + row, label=label, given=one_given, wrong=one_wrong, share=one_share)
            for row, label, one_given, one_wrong, one_share in zip(
                rows.tolist(), labels.tolist(), given, wrong, share, strict=True
            )
        ]
        both = np.concatenate([self._keys, keys[chosen]])
        order = np.argsort(both, kind="stable")[: self._most]
        together = self.tags + found
        self.tags, self._keys = [together[place] for place in order], both[order]
