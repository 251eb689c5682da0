"""A budget of time becomes a number of steps, before the first of them, and stays that number.

In: minutes, what rows cost. Out: steps. A schedule needs to know its end, and a resumed run must have the same one, so
the speed is measured once, on a few steps that are not taken, and what follows from it is kept.
"""

import time

import torch

from limbeck import storage
from limbeck.methods.language import LanguageLosses, LanguageModel
from limbeck.methods.pretrain_settings import PretrainingSettings
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.training.batches import plan_epoch

MEASURED = 4
"""Steps that are timed, after one that warms up."""
SHARE = 0.9
"""Of the budget that goes into steps; the rest is for judging and saving."""


def steps_within(
    minutes: float,
    model: LanguageModel,
    losses: LanguageLosses,
    folder: RunFolder,
    settings: PretrainingSettings,
    *,
    progress: Progress = SILENT,
) -> int:
    """Return how many steps fit a budget; what was found for this run before, when it is resumed."""
    if folder.budget.exists():
        return int(storage.read_json(folder.budget)["steps"])
    updates = plan_epoch(
        losses.facts.tokens_N,
        batch_rows=settings.batch_rows,
        token_budget=settings.token_budget,
        seed=settings.seed,
        epoch=0,
        stretch_rows=(MEASURED + 1) * settings.batch_rows,
    )
    model.train()
    began_s = time.perf_counter()
    for number, update in enumerate(updates):
        if number == 1:
            began_s = time.perf_counter()
        for rows in update.parts:
            torch.autograd.backward(losses.losses(rows).sum() / update.size)
        model.zero_grad(set_to_none=True)
    step_s = (time.perf_counter() - began_s) / MEASURED
    steps = max(1, int(minutes * 60 * SHARE / step_s))
    storage.write_json(folder.budget, {"minutes": minutes, "seconds_per_step": step_s, "steps": steps})
    progress.say(f"{minutes:g} minutes are {steps:,} steps of {step_s:.2f} s")
    return steps
