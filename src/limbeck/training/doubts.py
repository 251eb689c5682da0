"""Doubts: what a training's own figures say against it, in words, with what to do.

In: texts, figures on validation rows, the table of epochs. Out: warnings for `metrics.json`, each a kind and a text.
It does not know how anything was trained, and changes nothing: what is trained is what was asked for.
"""

from collections.abc import Sequence

from limbeck.auditing.tokenizer_fit import look_at_vocabulary, say_misfit
from limbeck.data.names import shown
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.class_scores import ClassScores
from limbeck.evaluation.multi_evaluation import MultiEvaluation
from limbeck.evaluation.value_evaluation import ValueEvaluation
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.progress import Progress
from limbeck.training.journal import EpochLine

FEW_UPDATES = 200
"""Optimizer steps below which weights have hardly moved: a few batches, whatever the number of epochs."""
STILL_FALLING = 0.02
"""Share of the validation loss by which the last epoch must have brought it down."""
MOST_NAMED = 10

_HAS_A_MODEL = frozenset({"distil"})
"""A student is asked for after its teacher; whoever trains a first model may not know what is quick."""

Warnings = list[dict[str, str]]
"""Each has `kind` and `text`."""


def doubts_of_texts(loaded: LoadedEncoder, texts: Sequence[str]) -> Warnings:
    """Return what the encoder's vocabulary makes of texts that it is to read."""
    sentence = say_misfit(look_at_vocabulary(loaded.tokenizer, texts), loaded.name)
    return [] if sentence is None else [{"kind": "vocabulary", "text": sentence}]


def say_doubts_of_texts(loaded: LoadedEncoder, texts: Sequence[str], progress: Progress) -> None:
    """Say it before anything is computed: what an encoder cannot read, hours do not teach it."""
    for doubt in doubts_of_texts(loaded, texts):
        progress.say(doubt["text"])


def doubts_of(scored: AnyEvaluation, *, method: str) -> Warnings:
    """Return what the answers to the validation rows say."""
    never = [one.name for one in _counted(scored) if one.support and not one.predicted]
    if not never or isinstance(scored, ValueEvaluation):
        return []
    named = ", ".join(map(shown, never[:MOST_NAMED]))
    if more := never[MOST_NAMED:]:
        named += f" and {len(more):,} more"
    todo = "it needs more rows of them, or --balance weights"
    if method != "probe":
        todo = f"more --epochs may help{_probe_first(method)}"
    which = f"{len(never):,} of {len(scored.label_names):,} classes are never answered on the validation rows"
    text = f"{which} ({named}): {todo}"
    return [{"kind": "never_answered", "text": text}]


def doubts_of_epochs(epochs: Sequence[EpochLine], *, method: str, steps: int, planned_epochs: int) -> Warnings:
    """Return what the table of epochs says.

    Args:
        epochs: the table.
        method: "head", "finetune" or "distil".
        steps: updates that were done.
        planned_epochs: that the training was to have; one that had fewer ended because nothing got better.
    """
    found: Warnings = []
    if steps < FEW_UPDATES and len(epochs) == planned_epochs:
        text = (
            f"only {steps:,} optimizer steps were taken, in {len(epochs):,} epochs, and {FEW_UPDATES} at least are "
            f"usual: give more --epochs or a smaller --batch-size{_probe_first(method)}"
        )
        found.append({"kind": "few_updates", "text": text})
    if len(epochs) > 1 and len(epochs) == planned_epochs:
        before, last = (line.validation_loss for line in epochs[-2:])
        if last < before * (1 - STILL_FALLING) and last < min(line.validation_loss for line in epochs[:-1]):
            text = (
                f"the validation loss was still falling in the last epoch, from {before:.4f} to {last:.4f}: more "
                "--epochs may help"
            )
            found.append({"kind": "still_falling", "text": text})
    return found


def _counted(scored: AnyEvaluation) -> Sequence[ClassScores]:
    """Return each class or label with the rows that have it and those that are given it; numbers have none."""
    if isinstance(scored, ValueEvaluation):
        return ()
    return [one.counted for one in scored.per_label] if isinstance(scored, MultiEvaluation) else scored.per_class


def _probe_first(method: str) -> str:
    return "" if method in _HAS_A_MODEL else "; try the probe first"
