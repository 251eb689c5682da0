"""A language head for a teacher that has none, trained on the stream while the teacher stays as it is.

In: a teacher with a new head, rows. Out: the head, trained, and kept in the run folder. It does not know students.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from limbeck import storage
from limbeck.errors import DataError, StorageError
from limbeck.methods.language import LanguageJudge, LanguageLosses, LanguageModel, Reading
from limbeck.methods.pretrain_settings import PretrainingSettings
from limbeck.methods.token_store import TokenStore
from limbeck.model.weights import write_tensors
from limbeck.runs.run_folder import RunFolder
from limbeck.training.examples import Int64
from limbeck.training.loop import Loop
from limbeck.training.plan import Plan
from limbeck.training.session import Session

TEACHER_HEAD_RATE = 1e-3
HEAD_NAME = "head.safetensors"
HELD_OUT_EVERY = 50
"""One text in this many may be held out."""
VALIDATION_TOKENS = 50_000
"""Held out at most; further texts are learnt from."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """What is read, and how.

    Attributes:
        store: all rows.
        train: numbers of rows to learn from.
        validation: numbers of rows to judge by; no text has rows in both.
        reading: how.
    """

    store: TokenStore
    train: Int64
    validation: Int64
    reading: Reading


def split_rows(store: TokenStore, reading: Reading) -> Material:
    """Hold every 50th text out, until there are tokens enough to judge by; of a small stream every second at most.

    Raises:
        DataError: there are fewer than two texts.
    """
    if store.facts.texts < 2 or len(store) < 2:
        raise DataError("one text is not enough: one is learnt from and another held out")
    every = min(HELD_OUT_EVERY, max(2, store.facts.texts // 2))
    is_out_N = store.texts % every == every - 1
    is_out_N &= np.cumsum(store.lengths * is_out_N) - store.lengths * is_out_N < VALIDATION_TOKENS
    train, validation = np.flatnonzero(~is_out_N), np.flatnonzero(is_out_N)
    if not len(train) or not len(validation):
        raise DataError("there are too few texts to hold any out: give more")
    return Material(store=store, train=train, validation=validation, reading=reading)


def language_judge_of(model: LanguageModel, material: Material, *, seed: int) -> LanguageJudge:
    """Return what judges a model by the rows that are held out; any model by the same masks."""
    return LanguageJudge(model, material.store, material.validation, material.reading, seed=seed)


class _HeadOnly(LanguageModel):
    """A language model whose encoder is neither trained nor dropped from."""

    def train(self, mode: bool = True) -> "_HeadOnly":
        """Set the head alone to training."""
        super().train(mode)
        self.encoder.eval()
        return self


def train_head_first(
    teacher: LanguageModel, material: Material, settings: PretrainingSettings, session: Session
) -> None:
    """Train the head of a teacher in place, or take the one that was trained for this run before.

    Raises:
        TrainingError: the loss is not finite.
        Interrupted: a signal came; a checkpoint is saved.
    """
    team, progress, place = session.team, session.progress, RunFolder(session.folder.teacher_head)
    kept = place.path / HEAD_NAME
    device = next(teacher.head.parameters()).device
    if not team.tell("kept" if kept.exists() else ""):
        progress.say(f"the teacher has no language head: one is trained first, {settings.head_steps:,} steps")
        encoder, head = teacher.encoder.requires_grad_(False), teacher.head.requires_grad_(True)
        model = _HeadOnly(encoder, head, native=teacher.native)
        plan = Plan(
            settings=replace(settings, epochs=1),
            learning_rate=TEACHER_HEAD_RATE,
            token_budget=settings.token_budget,
            stretch_rows=settings.head_steps * settings.batch_rows,
        )
        losses = LanguageLosses(model, material.store, material.train, material.reading)
        judge = language_judge_of(model, material, seed=settings.seed)
        Loop(model, losses, judge, plan, place, team=team).run(session.stop, progress)
        if team.is_first:
            with storage.staged_file(kept) as staged:
                write_tensors(
                    {name: values.cpu().contiguous() for name, values in teacher.head.state_dict().items()}, staged
                )
            storage.write_json(kept.with_suffix(".json"), {"sha256": storage.sha256_of(kept)})
            with storage.explained(place.checkpoints, doing="remove"):
                shutil.rmtree(place.checkpoints)
        team.wait()
    _require_whole(kept)
    teacher.head.load_state_dict({name: values.to(device) for name, values in load_file(kept).items()})


def _require_whole(kept: Path) -> None:
    """Refuse a head that was changed since it was written; one of an older version says no digest.

    Raises:
        StorageError: it was.
    """
    told = kept.with_suffix(".json")
    if told.exists() and storage.read_json(told)["sha256"] != storage.sha256_of(kept):
        raise StorageError(f"{kept} was changed or damaged since it was written: begin again with --overwrite")
