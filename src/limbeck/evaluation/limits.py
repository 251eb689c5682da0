"""Limits: what a person should know before relying on a classifier, found in its figures.

In: an `Evaluation` and what is known beside it. Out: `Limit` values, each a kind and what to fill its sentence with.
It does not know models, nor what anybody wants to do with one. The English sentences stand here; a page in another
language has its own for the same kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.slices import FEWEST_ROWS, Slices

MOST_SLICES = 5
"""Slices that are named, worst first."""
FEW_ROWS = 500
LEAST_CONFUSION = 0.05
"""Low end of a confusion's share from which it is named."""
LEAST_NOISE = 0.01

SENTENCES = {
    "not_better": "It is not shown to be better than always answering {label}: accuracy {low}–{high}, against "
    "{baseline}.",
    "validation_only": "The figures are of validation rows. No test row was looked at; score one on rows that nobody "
    "has used yet.",
    "chosen_here": "The same validation rows chose the epoch that was kept and the temperature, which flatters the "
    "figures a little.",
    "few_rows": "There are only {rows} validation rows, so every interval is wide.",
    "weak_class": "Weakest class: {label}, F1 {f1} ({low}–{high}) on {rows} rows.",
    "rare_classes": "Of {labels} there are fewer than {fewest} validation rows: their figures mean little.",
    "confusion": "{true} is taken for {said} in {share} of its rows.",
    "calibration": "Its probabilities are off by more than chance explains: calibration error {ece}.",
    "cut": "{rows} validation texts were longer than {limit} tokens; their ends were not read.",
    "noise": "About {share} of the training labels may be wrong (an estimate); scores nearer to perfect than that "
    "cannot be believed.",
    "slice": "It is worse on some rows: {grouping}, {name}: accuracy {value} ({low}–{high}) on {rows} rows.",
    "unlike": "It answers any text, also one unlike its training texts (another language, another subject), and may "
    "be sure of itself there. Nothing measured here tells how good it is on such texts.",
}
"""By kind; braces stand for the values of the limit."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What is known beside the figures.

    Attributes:
        method: that trained it.
        max_tokens: longer texts were cut.
        texts_cut: validation texts that were.
        noise_rate: estimated share of training labels that are wrong; None where nobody looked.
        slices: of the validation rows; None where nobody looked.
    """

    method: str
    max_tokens: int
    texts_cut: int
    noise_rate: float | None = None
    slices: Slices | None = None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One thing to know.

    Attributes:
        kind: a key of `SENTENCES`.
        values: what its sentence is filled with.
    """

    kind: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return SENTENCES[self.kind].format(**self.values)


def find_limits(found: Evaluation, known: Circumstances) -> tuple[Limit, ...]:
    """Return what should be known before relying on a classifier, what weighs most first."""
    limits = []
    if found.accuracy.low <= found.baseline.accuracy:
        limits.append(
            _limit(
                "not_better",
                label=found.baseline.label,
                low=f"{found.accuracy.low:.3f}",
                high=f"{found.accuracy.high:.3f}",
                baseline=f"{found.baseline.accuracy:.3f}",
            )
        )
    limits.append(_limit("validation_only"))
    if known.method != "probe":
        limits.append(_limit("chosen_here"))
    if found.rows < FEW_ROWS:
        limits.append(_limit("few_rows", rows=f"{found.rows:,}"))
    if known.noise_rate is not None and known.noise_rate >= LEAST_NOISE:
        limits.append(_limit("noise", share=f"{100 * known.noise_rate:.1f} %"))
    limits += _class_limits(found)
    if found.calibration.is_shown:
        limits.append(_limit("calibration", ece=f"{found.calibration.ece.value:.3f}"))
    if known.texts_cut:
        limits.append(_limit("cut", rows=f"{known.texts_cut:,} / {found.rows:,}", limit=f"{known.max_tokens:,}"))
    return (*limits, *_slice_limits(known.slices), _limit("unlike"))


def _class_limits(found: Evaluation) -> list[Limit]:
    limits = []
    there = [one for one in found.per_class if one.support >= FEWEST_ROWS]
    if len(there) > 1:
        weak = min(there, key=lambda one: one.f1.value)
        limits.append(
            _limit(
                "weak_class",
                label=weak.name,
                f1=f"{weak.f1.value:.3f}",
                low=f"{weak.f1.low:.3f}",
                high=f"{weak.f1.high:.3f}",
                rows=f"{weak.support:,}",
            )
        )
    if rare := [one.name for one in found.per_class if one.support < FEWEST_ROWS]:
        limits.append(_limit("rare_classes", labels=", ".join(rare), fewest=str(FEWEST_ROWS)))
    limits.extend(
        _limit(
            "confusion",
            true=worst.true_label,
            said=worst.predicted_label,
            share=f"{100 * worst.share.value:.0f} %",
        )
        for worst in sorted(found.worst_confusions, key=lambda one: -one.share.low)[:1]
        if worst.share.low >= LEAST_CONFUSION and worst.count > 1
    )
    return limits


def _slice_limits(slices: Slices | None) -> list[Limit]:
    """Name the slices that are worse than the rest by more than chance; the label is told by class already."""
    if slices is None:
        return []
    worse = [
        (group, one)
        for group, one in slices.different
        if one.difference is not None and one.difference < 0 and group != "label"
    ]
    return [
        _limit(
            "slice",
            grouping=group,
            name=one.name,
            value=f"{one.accuracy.value:.3f}",
            low=f"{one.accuracy.low:.3f}",
            high=f"{one.accuracy.high:.3f}",
            rows=f"{one.accuracy.rows:,}",
        )
        for group, one in worse[:MOST_SLICES]
    ]


def _limit(kind: str, **values: str) -> Limit:
    return Limit(kind=kind, values=values)
