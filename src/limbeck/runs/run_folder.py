"""The run folder: where one training leaves everything that it made.

    RUN/
    ├── run.json          settings, seeds, data fingerprint, versions, seconds a stage
    ├── settings.toml     the resolved settings; `limbeck train --config RUN/settings.toml` repeats the run
    ├── metrics.json      the figures; written last: a run without it did not finish
    ├── metrics.jsonl     one line a step and an epoch, as training goes on (head, finetune)
    ├── lr_finder.json    the loss at each learning rate that was tried (`--lr auto`)
    ├── checkpoints/      what `--resume` goes on from (head, finetune)
    ├── predictions/      validation.parquet, out_of_fold.parquet; learned.npy, digests of the training texts
    ├── pictures/         PNG and SVG
    ├── events/           the journal once more, for TensorBoard (`--tensorboard`)
    ├── seeds/            0, 1, …: a whole run folder for each seed (`--seeds`)
    ├── ablation/         further runs to compare with, their table in ablation.json (`distil --ablation`)
    ├── cross_fit/        answers to every training row by models that did not see it (`labels --cross-fit`)
    ├── second_fit.safetensors  what `labels` and reports answered the training rows with, kept for the next one
    ├── texts/            token ids of a stream of texts; budget.json, teacher_head/, encoder/ beside it (pretrain)
    ├── report.html       the report of it all, and learning_curve.json (`limbeck report`)
    └── bundle/           the model

In: a path. Out: a folder held by this process. It does not know what is trained.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from limbeck import storage
from limbeck.data.learned import NAME as LEARNED_NAME
from limbeck.errors import SettingsError
from limbeck.folder_lock import patient_lock

_MADE_HERE = (
    "run.json",
    "settings.toml",
    "metrics.json",
    "metrics.jsonl",
    "lr_finder.json",
    "checkpoints",
    "predictions",
    "pictures",
    "events",
    "seeds",
    "bundle",
    "ablation",
    "ablation.json",
    "cross_fit",
    "texts",
    "budget.json",
    "teacher_head",
    "encoder",
    "report.html",
    "learning_curve.json",
    "second_fit.safetensors",
)
_GONE_ON_WITH = (
    "run.json",
    "metrics.jsonl",
    "lr_finder.json",
    "checkpoints",
    "seeds",
    "ablation",
    "texts",
    "budget.json",
    "teacher_head",
)
"""What an unfinished run has to go on from."""


@dataclass(frozen=True)
class RunFolder:
    """The places inside a run folder."""

    path: Path

    @property
    def record(self) -> Path:
        """How the run was made."""
        return self.path / "run.json"

    @property
    def settings(self) -> Path:
        """The resolved settings."""
        return self.path / "settings.toml"

    @property
    def metrics(self) -> Path:
        """The figures; present only when the run finished."""
        return self.path / "metrics.json"

    @property
    def second_fit(self) -> Path:
        """Answers to the training rows by fits that learned little from suspect labels (`review.search`)."""
        return self.path / "second_fit.safetensors"

    @property
    def journal(self) -> Path:
        """What happened in each step and epoch."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def learned(self) -> Path:
        """Digests of the training texts."""
        return self.path / "predictions" / LEARNED_NAME

    @property
    def rate_curve(self) -> Path:
        """What the learning-rate finder saw."""
        return self.path / "lr_finder.json"

    @property
    def events(self) -> Path:
        """The folder of TensorBoard's events."""
        return self.path / "events"

    @property
    def seeds(self) -> Path:
        """The folder of runs, one a seed."""
        return self.path / "seeds"

    @property
    def bundle(self) -> Path:
        """The model."""
        return self.path / "bundle"

    @property
    def cross_fit(self) -> Path:
        """The folder of cross-fitted runs, one a fold."""
        return self.path / "cross_fit"

    @property
    def ablation(self) -> Path:
        """Further runs to compare with."""
        return self.path / "ablation"

    @property
    def ablation_table(self) -> Path:
        """What comparing them came to."""
        return self.path / "ablation.json"

    @property
    def texts(self) -> Path:
        """Token ids of a stream of texts."""
        return self.path / "texts"

    @property
    def budget(self) -> Path:
        """How many steps a budget of time was found to allow."""
        return self.path / "budget.json"

    @property
    def teacher_head(self) -> Path:
        """The run that trained the teacher's language-model head, and what it made."""
        return self.path / "teacher_head"

    @property
    def encoder(self) -> Path:
        """An encoder without a classifier's head."""
        return self.path / "encoder"

    @property
    def report(self) -> Path:
        """The page that tells of the run."""
        return self.path / "report.html"

    @property
    def share_curve(self) -> Path:
        """What parts of the training rows were enough for."""
        return self.path / "learning_curve.json"

    def predictions(self, name: str) -> Path:
        """The predictions of a split, or of the cross-validation ("out_of_fold")."""
        return self.path / "predictions" / f"{name}.parquet"

    @property
    def pictures(self) -> Path:
        """The folder of charts."""
        return self.path / "pictures"


def require_finished(path: Path) -> None:
    """Refuse a folder that is no finished run, and say what to do with an unfinished one.

    Raises:
        SettingsError: see above.
    """
    run = RunFolder(path)
    if run.metrics.is_file() and run.record.is_file():
        return
    if run.record.is_file() or _is_unfinished(run):
        raise SettingsError(
            f"{path} holds an unfinished run: go on with it by the command that began it, with --resume"
        )
    raise SettingsError(f"{path} is no finished run: give the folder of a finished `limbeck train --out`")


@contextmanager
def opened_run(
    path: Path, *, overwrite: bool = False, resume: bool = False, patience_s: float = 0.0
) -> Iterator[RunFolder]:
    """Hold a run folder for this process, empty of what an earlier, unfinished run left.

    Args:
        path: of the folder.
        overwrite: replace a finished run, or an unfinished one that has something to go on from.
        resume: leave an unfinished run's checkpoints, record and journal in place, to go on from them.
        patience_s: how long another process that works in it is waited for.

    Raises:
        SettingsError: the folder holds a finished run, or one that can go on, and neither `overwrite` nor `resume`
            says what to do with it; or it holds files that are not a run's.
        LockedError: another process works in it.
    """
    if overwrite and resume:
        raise SettingsError("--overwrite and --resume exclude each other: begin again, or go on")
    run = RunFolder(path)
    _require_own(run, resume=resume)
    _require_free(run, overwrite=overwrite, resume=resume)
    with patient_lock(path, patience_s=patience_s):
        # Another process may have finished a run here while this one had not locked the folder yet.
        _require_free(run, overwrite=overwrite, resume=resume)
        _clear(run, kept=_GONE_ON_WITH if resume else ())
        yield run


def _require_own(run: RunFolder, *, resume: bool) -> None:
    """Refuse a folder in which anything lies that no run put there: what is in a run folder may be removed."""
    if not run.path.is_dir():
        return
    names = [item.name for item in run.path.iterdir() if not item.name.startswith(storage.STAGED_PREFIX)]
    foreign = [name for name in names if name not in (*_MADE_HERE, storage.LOCK_NAME)]
    # The lock is made before anything else, so a folder without one was copied, or is somebody's own pictures/.
    is_copy = run.metrics.exists() or (resume and run.record.exists() and _is_unfinished(run))
    if not foreign and storage.LOCK_NAME not in names and not is_copy:
        foreign = names
    if foreign:
        raise SettingsError(
            f"{run.path} holds files that are not a run's ({', '.join(sorted(foreign)[:3])}): choose another --out"
        )


def _require_free(run: RunFolder, *, overwrite: bool, resume: bool) -> None:
    """Refuse a folder with a run that nobody said what to do with."""
    if run.metrics.exists() and not overwrite:
        raise SettingsError(
            f"{run.path} holds a finished run: choose another --out, or give --overwrite to replace that run"
        )
    if _is_unfinished(run) and not (overwrite or resume):
        raise SettingsError(
            f"{run.path} holds an unfinished run: give --resume to go on with it, or --overwrite to begin again"
        )


def _is_unfinished(run: RunFolder) -> bool:
    """Tell whether a run that did not end has something to go on from."""
    if run.metrics.exists():
        return False
    left = (run.path / name for name in _GONE_ON_WITH if name != run.record.name)
    # An empty folder was made by a run that ended before it had anything to lose.
    return any(item.is_file() or (item.is_dir() and any(item.iterdir())) for item in left)


def _clear(run: RunFolder, *, kept: tuple[str, ...]) -> None:
    """Remove what an earlier run left, its mark of completeness first, so that a kill cannot leave a mixture."""
    with storage.explained(run.path, doing="clear"):
        run.metrics.unlink(missing_ok=True)
        for item in run.path.iterdir():
            if item.name in kept:
                continue
            if item.is_dir():
                shutil.rmtree(item)
            elif item.name != storage.LOCK_NAME:
                item.unlink()
