"""Ranges of the settings of training; types were checked when they were built.

In: settings. Out: nothing, or every fault at once. It does not know data.
"""

from collections.abc import Iterator
from dataclasses import fields
from math import isfinite
from typing import TYPE_CHECKING, Any

from limbeck.errors import FaultLog, SettingsError
from limbeck.settings import FinetuneSettings, LoopSettings

if TYPE_CHECKING:
    from limbeck.task import Task

HIGHEST_SEED = 2**32 - 1


def check_training(settings: LoopSettings, *, n_labels: int | None = None, task: "Task | None" = None) -> None:
    """Refuse values that no training can use.

    Args:
        settings: of the loop.
        n_labels: number of classes; not given before data is read.
        task: the shape of an answer; one label per row when not given.

    Raises:
        SettingsError: gathers every fault.
    """
    faults, rate, every_s = FaultLog(), settings.learning_rate, settings.checkpoint_every_s
    rules: list[tuple[str, bool, str]] = [
        ("epochs", settings.epochs >= 1, "at least 1"),
        ("batch_rows", settings.batch_rows >= 1, "at least 1"),
        ("warmup_share", 0 <= settings.warmup_share <= 1, "from 0 to 1"),
        ("weight_decay", settings.weight_decay >= 0, "0 or more"),
        ("clip_norm", settings.clip_norm is None or settings.clip_norm > 0, "above 0, or off (None)"),
        ("label_smoothing", 0 <= settings.label_smoothing < 1, "from 0 to below 1"),
        ("patience", settings.patience is None or settings.patience >= 1, "at least 1 epoch"),
        ("checkpoint_every_s", every_s is None or every_s >= 0, "of 0 seconds or more, or off (None)"),
        ("keep_checkpoints", settings.keep_checkpoints >= 1, "at least 1"),
        ("seed", 0 <= settings.seed <= HIGHEST_SEED, f"from 0 to {HIGHEST_SEED}"),
        (
            "seeds",
            1 <= settings.seeds <= HIGHEST_SEED + 1 - settings.seed,
            f"from 1 to {HIGHEST_SEED + 1 - settings.seed}",
        ),
        ("learning_rate", rate is None or rate == "auto" or 0 < rate < 1, "between 0 and 1, or auto"),
    ]
    if isinstance(settings, FinetuneSettings):
        rules += [
            ("token_budget", settings.token_budget >= 1, "at least 1"),
            ("layer_decay", 0 < settings.layer_decay <= 1, "above 0, at most 1"),
            ("dropout", settings.dropout is None or 0 <= settings.dropout < 1, "from 0 to below 1"),
        ]
    is_single = task is None or task.name == "single"
    endless = _endless(settings)
    faults.extend(f"{name} = {value} is not possible: give a finite number" for name, value in endless.items())
    faults.extend(
        f"{name} = {getattr(settings, name)} is not possible: give a value {wanted}"
        for name, holds, wanted in rules
        if not holds and name not in endless
    )
    if settings.loss == "binary" and is_single and n_labels not in (2, None):
        faults.add(f"loss = 'binary' is for two classes, and there are {n_labels}: use cross-entropy")
    if settings.balance == "focal" and (settings.loss == "binary" or settings.label_smoothing):
        faults.add("balance = 'focal' is a loss of its own: it goes with neither binary loss nor label smoothing")
    if settings.loss == "binary" and task is not None and not is_single:
        faults.add(f"loss = 'binary' is for two classes, one per row; here a row has {task.words}: leave --loss out")
    faults.extend(_faults_of_order(settings, task))
    faults.raise_as(SettingsError, what="the settings of training are wrong", todo="correct them and run it again")


def _faults_of_order(settings: LoopSettings, task: "Task | None") -> Iterator[str]:
    """Say which settings mean nothing for ordered classes, or for numbers, or only for them."""
    if task is None:
        return
    if settings.loss == "huber" and task.name != "regression":
        yield f"loss = 'huber' is for a number per row; here it is {task.words}: leave --loss out"
    if task.name not in ("ordinal", "regression"):
        return
    if settings.label_smoothing:
        yield f"label_smoothing is for classes without an order; here it is {task.words}: leave it out"
    if settings.balance == "focal" or (settings.balance != "none" and task.name == "regression"):
        yield f"balance = {settings.balance!r} is not possible with {task.words}: leave it out"
    if settings.best_by in ("f1_weighted", "f1_macro"):
        yield f"best_by = {settings.best_by!r} is for classes without an order; here it is {task.words}: give loss"


def _endless(settings: Any) -> dict[str, float]:
    """Return the settings that are infinite or no number: nothing can be computed with them, or written of them."""
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return {name: value for name, value in values.items() if isinstance(value, float) and not isfinite(value)}
