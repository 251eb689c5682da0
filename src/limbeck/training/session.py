"""What a training runs in: its folder, its processes, who is told, who may stop it.

In: a path, and what to do with a run that is there. Out: a `Session`. It does not know what is trained.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import uuid4

from limbeck import storage
from limbeck.errors import SettingsError
from limbeck.progress import Progress
from limbeck.runs.run_folder import RunFolder, opened_run
from limbeck.runs.run_record import claim_run
from limbeck.runs.stopwatch import Stopwatch
from limbeck.training.journal import AfterEpoch
from limbeck.training.signals import StopSignal
from limbeck.training.team import Team

MadeT = TypeVar("MadeT")

Start = Literal["new", "overwrite", "resume", "resume-with-any-engine", "elastic"]
"""What to do with a run that is in the folder already: refuse it, replace it, or go on with it; by the last two also
where this machine computes in another arithmetic than the one that the run was begun in. By the last torchrun begins
the same command again and again, with the hosts that are there."""

ELASTIC: Start = "elastic"
ACCEPTING: tuple[Start, ...] = ("resume-with-any-engine", ELASTIC)
RESUMING: tuple[Start, ...] = ("resume", *ACCEPTING)
ELASTIC_PATIENCE_S = 120.0
"""How long the run folder is waited for that a lost process holds still: torchrun ends one that hangs after 30 s, and a
disk that hosts share lets go of the locks of a host that is gone after some 90."""


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
        return claim_run(self.folder, record, self.progress, accepts_engine=self.start in ACCEPTING)

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
    """Hold the run folder as `start` says in the first process of a team, and only then let the others go on.

    Raises:
        SettingsError: as `opened_run` says; or the team is to go on with any of its hosts, and they do not share `out`.
        LockedError: another process works in it.
    """
    if not team.is_first:
        team.wait()
        if start == ELASTIC:
            _require_shared(RunFolder(out), team)
        yield RunFolder(out)
        return
    patience_s = ELASTIC_PATIENCE_S if start == ELASTIC else 0.0
    with opened_run(out, overwrite=start == "overwrite", resume=start in RESUMING, patience_s=patience_s) as folder:
        team.wait()
        if start == ELASTIC:
            _require_shared(folder, team)
        yield folder


def _require_shared(folder: RunFolder, team: Team) -> None:
    """Refuse a run folder that is not one and the same on all hosts: any of them may have to go on with it."""
    sign = folder.path / f"{storage.STAGED_PREFIX}{team.tell(uuid4().hex)}"
    if team.is_first:
        storage.write_bytes(sign, b"")
    team.wait()
    is_blind = not sign.exists()
    others = team.any(is_blind)
    if team.is_first:
        with storage.explained(sign, doing="remove"):
            sign.unlink()
    if others:
        who = f"here, on {socket.gethostname()}," if is_blind else "on another host"
        raise SettingsError(
            f"--elastic needs a run folder on a disk that all hosts share, as any of them may have to go on with it: "
            f"{folder.path} {who} is not that of the first process"
        )
