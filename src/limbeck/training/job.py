"""A training by gradients from end to end, whatever the method: a recipe in, a run folder out.

In: a `Recipe`, which knows what is trained and on what. Out: the run that its job makes. It does not read files of
data, and does not know what is trained.
"""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from limbeck.progress import SILENT, Progress
from limbeck.runs.run_record import recorded_numerics
from limbeck.runs.stopwatch import Stopwatch
from limbeck.training.chance import own_chance
from limbeck.training.journal import AfterEpoch
from limbeck.training.judge import AnswerJudge
from limbeck.training.loop import Loop
from limbeck.training.plan import Recipe
from limbeck.training.seeds import train_seeds
from limbeck.training.session import Session, Start, opened
from limbeck.training.signals import noticed_signals
from limbeck.training.team import joined_team

RunT = TypeVar("RunT")


def train(
    recipe: Recipe[RunT],
    out: str | Path,
    start: Start = "new",
    *,
    progress: Progress = SILENT,
    after_epoch: AfterEpoch | None = None,
) -> RunT:
    """Train once, or once per seed where the settings ask for several; in one process, or in those of torchrun.

    Args:
        recipe: a method with its settings and its data.
        out: the run folder.
        start: what to do with a run that is in `out`.
        progress: is told what is being done.
        after_epoch: is told of every epoch.

    Raises:
        DataError: the rows cannot be learnt from.
        SettingsError: `out` holds another run, or the settings do not fit the encoder.
        TrainingError: the loss is not finite, or another process of the training ended.
        Interrupted: a signal came; a checkpoint is saved.
    """
    recipe.check()
    with noticed_signals() as stop, joined_team() as team, own_chance():

        def once(one: Recipe[RunT], out: Path, start: Start, numerics: str | None = None) -> RunT:
            watch = Stopwatch()
            with opened(out, start, team) as folder:
                session = Session(
                    folder=folder,
                    start=start,
                    stop=stop,
                    team=team,
                    progress=progress if team.is_first else SILENT,
                    after_epoch=after_epoch,
                    numerics=team.tell(recorded_numerics(folder) or numerics or "") or None,
                    watch=watch,
                )
                return train_once(one, session)

        if recipe.loop.seeds > 1:
            return train_seeds(recipe, Path(out), start, once, team=team, progress=progress)
        return once(recipe, Path(out), start)


def train_once(recipe: Recipe[RunT], session: Session) -> RunT:
    """Train one model, from its first update or its newest checkpoint to a whole run folder."""
    job = recipe.prepare(session)
    if isinstance(job.judge, AnswerJudge):
        job.judge.say_deciding(session.progress)
    loop = Loop(job.module, job.losses, job.judge, job.plan, session.folder, team=session.team)
    result = loop.run(session.stop, session.progress, after_epoch=session.after_epoch)
    session.watch.lap("train")
    own = replace(job.stages[recipe.name], learning_rate=result.learning_rate)
    return job.finish(result, {**job.stages, recipe.name: own})
