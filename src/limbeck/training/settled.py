"""Settled: a trained model's answers, with everything decided that is decided after training.

In: a model's facts, its head, and answers to rows that it did not learn from. Out: a `Settled`: one label per row has a
temperature, folded into the head; any number of labels have a threshold each, and beside a probe one temperature for
all (see `outcome`); numbers have the reach of their intervals. It does not know how it was trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.conformal import find_conformal_width
from limbeck.evaluation.label_thresholds import FOLDS, choose_label_thresholds, decide_cross_fitted
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.value_evaluation import ValueEvaluation
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.inference.answers import evaluation_of
from limbeck.model.facts import BundleFacts
from limbeck.task import DEFAULT_THRESHOLD


@dataclass(frozen=True, kw_only=True, eq=False)
class Settled:
    """What a run leaves of its answers.

    Attributes:
        facts: of the model, with what was decided.
        answers: as the model now gives them, by the names of the rows ("validation", "out_of_fold").
        scored: their evaluations, by the same names.
        record: what was decided and why, for metrics.json.
    """

    facts: BundleFacts
    answers: Mapping[str, AnyPredictions]
    scored: Mapping[str, AnyEvaluation]
    record: Mapping[str, Any]


def settle_label_sets(
    facts: BundleFacts, answers: Mapping[str, MultiPredictions], *, chosen_on: str, seed: int
) -> Settled:
    """Choose a threshold for each label, for F1, and judge all answers with them.

    The rows that the thresholds are chosen on are themselves judged by cross-fitting, each part with the thresholds of
    the others, so that no figure is flattered.

    Args:
        facts: of the model.
        answers: to rows that it did not learn from, by name.
        chosen_on: the name of those that the thresholds are chosen on.
        seed: of the parts, and of the bootstrap.
    """
    chosen = answers[chosen_on]
    found = choose_label_thresholds(chosen.probabilities, chosen.known_targets, facts.label_names)
    decided_NC = None
    if len(chosen) > 1:
        folds = min(FOLDS, len(chosen))
        decided_NC = decide_cross_fitted(chosen.probabilities, chosen.known_targets, folds=folds, seed=seed)
    facts = replace(facts, label_thresholds=tuple(found.values.tolist()))
    settled = {
        name: replace(one, thresholds=found.values, decided=decided_NC if name == chosen_on else None)
        for name, one in answers.items()
    }
    return Settled(
        facts=facts,
        answers=settled,
        scored={name: evaluation_of(one, facts, seed=seed) for name, one in settled.items()},
        record={
            "thresholds": {
                "chosen_on": chosen_on,
                "rows": len(chosen.labelled_rows),
                **found.to_dict(),
                # What a threshold of 0.5 for every label would come to, beside what they come to.
                "at_half": {name: _figures_at_half(one) for name, one in answers.items()},
            }
        },
    )


def settle_numbers(
    facts: BundleFacts,
    answers: Mapping[str, ValuePredictions],
    *,
    found_on: Literal["out_of_fold", "validation"],
    seed: int,
) -> Settled:
    """Find how far the interval of an answer reaches, and judge all answers with it.

    Nine of ten of the rows that it was found on lie inside by its making, so of these no share is told.

    Args:
        facts: of the model.
        answers: to rows that it did not learn from, by name.
        found_on: the name of those that the reach is found on.
        seed: of the bootstrap.
    """
    width = replace(find_conformal_width(answers[found_on].known_errors), found_on=found_on)
    record = {"value_width": width.to_dict()}
    if width.is_promised:
        facts = replace(facts, value_width=width)
        answers = {name: replace(one, width=width) for name, one in answers.items()}
    scored = {name: evaluation_of(one, facts, seed=seed) for name, one in answers.items()}
    found = scored[found_on]
    if isinstance(found, ValueEvaluation):
        scored[found_on] = replace(found, inside=None)
    return Settled(facts=facts, answers=answers, scored=scored, record=record)


def _figures_at_half(found: MultiPredictions) -> dict[str, float]:
    known = found.probabilities[found.labelled_rows]
    tally = label_metrics.tally_of_labels(found.known_targets, known >= np.float32(DEFAULT_THRESHOLD))
    return {"f1_micro": float(metrics.f1_micro(tally)), "f1_macro": float(metrics.f1_macro(tally))}
