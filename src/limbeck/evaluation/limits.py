"""Limits: what a person should know before relying on a classifier, found in its figures.

In: an `Evaluation` and what is known beside it. Out: `Limit` values, each a kind and what to fill its sentence with.
It does not know models, nor what anybody wants to do with one. The English sentences stand here; a page in another
language has its own for the same kinds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from limbeck.evaluation.class_scores import ClassScores
from limbeck.evaluation.counted import counted
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.multi_evaluation import MultiEvaluation
from limbeck.evaluation.ordinal_evaluation import OrdinalEvaluation
from limbeck.evaluation.proportions import Share
from limbeck.evaluation.slices import FEWEST_SLICE_ROWS, Slices
from limbeck.evaluation.value_evaluation import ValueEvaluation
from limbeck.settings import WindowName

NAMED_SLICES = 5
"""Slices that are named, worst first."""
MOST_LABELS = 10
"""Classes that are named in one sentence; the others are counted."""
FEW_ROWS = 500
LEAST_CONFUSION = 0.05
"""Low end of a confusion's share from which it is named."""
LEAST_DOUBTFUL = 0.01
"""Share of training labels that look wrong from which it is told."""

SENTENCES = {
    "not_better": "The figures do not show that it is better than always answering {label}: accuracy {low}–{high}, "
    "against {baseline}.",
    "data_share": "In the data, of high severity: {finding} ({count}; {share} of the rows).",
    "data_count": "In the data, of high severity: {finding} ({count}).",
    "warning": "While training: {text}",
    "loss_falling": "The validation loss was still falling in the last epoch: more epochs may make it better.",
    "few_updates": "It was trained in few optimizer steps: more epochs may make it better.",
    "vocabulary": "The vocabulary of its encoder does not fit these texts: many of their tokens are unknown to it "
    "([UNK]), so it reads them badly. Choose an encoder of their language.",
    "validation_only": "The figures are for validation rows. No test row was used: score it on rows that "
    "were never used.",
    "chosen_here": "The same validation rows chose the epoch that was kept and the temperature, so the "
    "figures are a little too good.",
    "labels_chosen_here": "The same validation rows chose the epoch that was kept and the threshold of each label. "
    "Each row is judged by thresholds of other rows, but the epoch makes the figures a little too good.",
    "epoch_chosen_here": "The same validation rows chose the epoch that was kept, so the figures are a little too "
    "good.",
    "few_rows": "There {rows:is|are} only {rows} validation {rows:row|rows}, so every interval is wide.",
    "never_said": "It never answers {labels}, so {rows} validation {rows:row|rows} of {count:this class|these classes} "
    "{rows:is|are} answered wrongly.",
    "weak_class": "Weakest class: {label}, F1 {f1} ({ends}) on {rows} {rows:row|rows}.",
    "rare_classes": "Of {labels} there are fewer than {fewest} validation rows: their figures are very uncertain.",
    "confusion": "{true} is mistaken for {said} in {share} of its rows.",
    "calibration": "Its probabilities are wrong by more than chance explains: calibration error {ece}.",
    "cut": "{rows} of {all} validation texts {rows:was|were} longer than {limit} tokens; the model did not "
    "read their ends.",
    "cut_tail": "{rows} of {all} validation texts {rows:was|were} longer than {limit} tokens; the model did not "
    "read their beginnings.",
    "cut_both": "{rows} of {all} validation texts {rows:was|were} longer than {limit} tokens; the model did not "
    "read their middles.",
    "noise": "{count} of {rows} training labels look wrong to the model ({share}). Until they are reviewed, do not "
    "trust a score that is closer to perfect than that.",
    "slice": "It is worse on some rows: {grouping}, {name}: accuracy {value} ({low}–{high}) on {rows} rows.",
    "unlike": "It answers any text, even one that differs from its training texts (another language, another "
    "subject), and may be very certain there. No figure here says how good it is on such texts.",
}
"""By kind; braces stand for the values of the limit."""

_WARNED = {"still_falling": "loss_falling", "few_updates": "few_updates", "vocabulary": "vocabulary"}
"""Kind of a training's warning → kind of the limit that says it in every language."""
_IN_FIGURES = ("never_answered",)
_CUT_BY_WINDOW: Mapping[str, str] = {"tail": "cut_tail", "both": "cut_both"}
"""Window → kind of the limit that says what was not read, where it is not the end."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What is known beside the figures.

    Attributes:
        method: that trained it.
        max_tokens: longer texts were cut.
        texts_cut: validation texts that were.
        window: what was read of these.
        doubtful: training labels that look wrong; None where nobody looked, or the model is too weak to tell.
        told: what others found in the data or while training, each a kind of `SENTENCES`.
        slices: of the validation rows; None where nobody looked.
    """

    method: str
    max_tokens: int
    texts_cut: int
    window: WindowName = "head"
    doubtful: Share | None = None
    told: tuple["Limit", ...] = ()
    slices: Slices | None = None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One thing to know.

    Attributes:
        kind: a key of `SENTENCES`.
        values: what its sentence is filled with; of a slice the terms, which other languages say by their kinds.
    """

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)

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
    limits += known.told
    limits.append(_limit("validation_only"))
    if known.method != "probe":
        limits.append(_limit("chosen_here"))
    if found.rows < FEW_ROWS:
        limits.append(_limit("few_rows", rows=counted(found.rows)))
    if known.doubtful is not None and known.doubtful.value >= LEAST_DOUBTFUL:
        share, rows = f"{100 * known.doubtful.value:.1f} %", known.doubtful.rows
        limits.append(_limit("noise", count=counted(known.doubtful.count), rows=counted(rows), share=share))
    limits += _class_limits(found)
    if found.calibration.is_shown:
        limits.append(_limit("calibration", ece=f"{found.calibration.ece.value:.3f}"))
    if known.texts_cut:
        limits.append(_cut_limit(known, found.rows))
    return (*limits, *_slice_limits(known.slices), _limit("unlike"))


def find_label_limits(found: MultiEvaluation, known: Circumstances) -> tuple[Limit, ...]:
    """Return what should be known before relying on a classifier of any number of labels, what weighs most first."""
    limits = [*known.told, _limit("validation_only")]
    if known.method != "probe":
        limits.append(_limit("labels_chosen_here"))
    if found.rows < FEW_ROWS:
        limits.append(_limit("few_rows", rows=counted(found.rows)))
    limits += _counted_limits([one.counted for one in found.per_label])
    if known.texts_cut:
        limits.append(_cut_limit(known, found.rows))
    return (*limits, _limit("unlike"))


def find_ordered_limits(found: OrdinalEvaluation | ValueEvaluation, known: Circumstances) -> tuple[Limit, ...]:
    """Return what should be known before relying on a model of ordered classes, or of numbers."""
    limits = [*known.told, _limit("validation_only")]
    if known.method != "probe":
        limits.append(_limit("epoch_chosen_here"))
    if found.rows < FEW_ROWS:
        limits.append(_limit("few_rows", rows=counted(found.rows)))
    if isinstance(found, OrdinalEvaluation):
        limits += _counted_limits(found.per_class)
    if known.texts_cut:
        limits.append(_cut_limit(known, found.rows))
    return (*limits, _limit("unlike"))


def told_of(warnings: Sequence[Mapping[str, str]]) -> tuple[Limit, ...]:
    """Return what training warned of, as metrics.json has it; classes never answered are found in the figures."""
    found = []
    for one in warnings:
        if kind := _WARNED.get(one["kind"]):
            found.append(_limit(kind))
        elif one["kind"] not in _IN_FIGURES:
            found.append(_limit("warning", text=one["text"]))
    return tuple(found)


def _cut_limit(known: Circumstances, rows: int) -> Limit:
    kind = _CUT_BY_WINDOW.get(known.window, "cut")
    return _limit(kind, rows=counted(known.texts_cut), all=counted(rows), limit=counted(known.max_tokens))


def _class_limits(found: Evaluation) -> list[Limit]:
    limits = _counted_limits(found.per_class)
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


def _counted_limits(classes: Sequence[ClassScores]) -> list[Limit]:
    """Name the classes, or labels, that are never answered, answered worst, or too rare to be judged."""
    limits = []
    there = [one for one in classes if one.support]
    never = [one for one in there if not one.predicted]
    if never:
        rows = sum(one.support for one in never)
        labels = _listed([one.name for one in never])
        limits.append(_limit("never_said", labels=labels, rows=counted(rows), count=counted(len(never))))
    said = [one for one in there if one.predicted]
    if len(said) > 1:
        weak = min(said, key=lambda one: one.f1.value)
        limits.append(
            _limit(
                "weak_class",
                label=weak.name,
                f1=f"{weak.f1.value:.3f}",
                ends=weak.f1.between(3),
                rows=counted(weak.support),
            )
        )
    if rare := [one.name for one in classes if one.support < FEWEST_SLICE_ROWS]:
        limits.append(_limit("rare_classes", labels=_listed(rare), fewest=str(FEWEST_SLICE_ROWS)))
    return limits


def _slice_limits(slices: Slices | None) -> list[Limit]:
    """Name the slices that are worse than the rest by more than chance; the label is told by class already."""
    if slices is None:
        return []
    worse = [
        (group, one)
        for group, one in slices.different
        if one.difference is not None and one.difference < 0 and group.kind != "label"
    ]
    return [
        _limit(
            "slice",
            grouping=group,
            name=one.term,
            value=f"{one.accuracy.value:.3f}",
            low=f"{one.accuracy.low:.3f}",
            high=f"{one.accuracy.high:.3f}",
            rows=f"{one.accuracy.rows:,}",
        )
        for group, one in worse[:NAMED_SLICES]
    ]


def _listed(names: Sequence[str]) -> str:
    rest = f" … (+{len(names) - MOST_LABELS:,})" if len(names) > MOST_LABELS else ""
    return ", ".join(names[:MOST_LABELS]) + rest


def _limit(kind: str, **values: Any) -> Limit:
    return Limit(kind=kind, values=values)
