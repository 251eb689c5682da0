"""The line of a model card that says which rows are answered: thresholds may be chosen long after a card was written.

In: a bundle's facts, and a card. Out: the line, and the card with it. It does not know how thresholds are chosen.
"""

from collections.abc import Mapping

from limbeck.model.facts import FACTS_NAME, BundleFacts
from limbeck.task import DEFAULT_THRESHOLD, MULTI

_BEGINS = "- Answers: "


def answers_line(facts: BundleFacts) -> str:
    """Return the line."""
    if facts.shape == MULTI:
        return f"{_BEGINS}{_labels_given(facts)}"
    if facts.thresholds is None:
        return f"{_BEGINS}every row"
    values = set(facts.thresholds)
    above = f"{values.pop():.4g}" if len(values) == 1 else f"its class's threshold ({FACTS_NAME} has them)"
    return f"{_BEGINS}a row whose highest probability is above {above}{_promise(facts)}; others are “unsure”"


def with_answers(card: str, facts: BundleFacts) -> str:
    """Return a card whose line is of today; a card that has none stays as it is."""
    lines = card.split("\n")
    return "\n".join(answers_line(facts) if line.startswith(_BEGINS) else line for line in lines)


def _labels_given(facts: BundleFacts) -> str:
    """Say from where on a row is given a label, and what that was chosen for."""
    if facts.label_thresholds is None:
        return f"the labels with a probability of {DEFAULT_THRESHOLD} or more"
    given = f"the labels at or above their own thresholds ({FACTS_NAME} has them)"
    chosen = facts.provenance.get("label_thresholds")
    if not isinstance(chosen, Mapping):
        return f"{given}, chosen for the largest F1 on rows that it did not learn from"
    goal = "the largest F1"
    if chosen.get("precision") is not None:
        goal = f"a precision of {chosen['precision']}, promised with confidence {chosen.get('confidence')}"
    return (
        f"{given}, chosen for {goal} on {chosen.get('rows')} rows that it did not learn from; the figures below are of "
        "the thresholds that the training chose"
    )


def _promise(facts: BundleFacts) -> str:
    """Say what the thresholds were chosen for."""
    chosen = facts.provenance.get("thresholds")
    if not isinstance(chosen, Mapping):
        return ""
    on = f"chosen on {chosen.get('rows')} rows that it did not learn from"
    if chosen.get("precision") is not None:
        return f" (a precision of {chosen['precision']} is promised, confidence {chosen.get('confidence')}; {on})"
    return f" ({chosen.get('coverage')} of the rows are answered; {on})"
