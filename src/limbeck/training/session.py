"""What a training runs in: its folder, its processes, who is told, who may stop it.

In: a path, and what to do with a run that is there. Out: a `Session`. It does not know what is trained.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from limbeck.progress import Progress
from limbeck.runs.run_folder import RunFolder, opened_run
from limbeck.runs.run_record import claim_run
from limbeck.runs.stopwatch import Stopwatch
from limbeck.training.journal import AfterEpoch
from limbeck.training.signals import StopSignal
from limbeck.training.team import Team

MadeT = TypeVar("MadeT")

Start = Literal["new", "overwrite", "resume", "resume-with-any-engine"]
"""What to do with a run that is in the folder already: refuse it, replace it, or go on with it; by the last also where
this machine computes in another arithmetic than the one that the run was begun in."""

ACCEPTING: Start = "resume-with-any-engine"


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """What a training runs in.

    Attributes:
        folder: of the run, held by the first process.
        start: what to do with a run that was in it.
        stop: signals.
        team: the processes that train.
        progress: is told what is being done.
        after_epoch: is told of every epoch.
        numerics: the arithmetic to compute in where there is a choice, as a record has it.
        watch: of the seconds of each stage.
    """

    folder: RunFolder
    start: Start
    stop: StopSignal
    team: Team
    progress: Progress
    after_epoch: AfterEpoch | None
    numerics: str | None
    watch: Stopwatch

    def claim(self, record: dict[str, Any]) -> dict[str, Any]:
        """Write what the run is made of, or refuse to go on with another run than the one in the folder.

        Returns:
            What the run is recorded as.

        Raises:
            SettingsError: gathers what differs.
        """
        if not self.team.is_first:
            return record
        return claim_run(self.folder, record, self.progress, accepts_engine=self.start == ACCEPTING)

    def team_in_turn(self, make: Callable[[], MadeT]) -> MadeT:
        """Let the first process make something, and only then the others, which find it made."""
        if not self.team.is_first:
            self.team.wait()
        made = make()
        if self.team.is_first:
            self.team.wait()
        return made

    def team_told(self, count: Callable[[], int]) -> int:
        """Return what the first process counts."""
        return int(self.team.tell(str(count()) if self.team.is_first else ""))


@contextmanager
def opened(out: Path, start: Start, team: Team) -> Iterator[RunFolder]:
    """Hold the run folder as `start` says in the first process of a team, and only then let the others go on."""
    if not team.is_first:
        team.wait()
        yield RunFolder(out)
        return
    with opened_run(out, overwrite=start == "overwrite", resume=start in ("resume", ACCEPTING)) as folder:
        team.wait()
        yield folder
