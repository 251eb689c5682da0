"""Work opening: how each kind of work gets its model. A kind of work is one file that implements `OpenedWork`.

In: work by its values, a model by its name. Out: `OpenedWork`. It does not know units.
"""

from collections.abc import Callable, Mapping
from typing import Any

from limbeck.progress import SILENT, Progress
from limbeck.scale.answers_work import open_answers
from limbeck.scale.audit_work import open_audit_counts
from limbeck.scale.label_work import open_label_answers
from limbeck.scale.opened_work import OpenedWork
from limbeck.scale.score_work import open_score_counts
from limbeck.scale.vectors_work import open_vectors
from limbeck.scale.work import Answers, AuditCounts, LabelAnswers, ScoreCounts, Vectors, Work
from limbeck.settings import Device, EngineName

OPENERS: Mapping[type[Work], Callable[..., OpenedWork]] = {
    Answers: open_answers,
    Vectors: open_vectors,
    ScoreCounts: open_score_counts,
    LabelAnswers: open_label_answers,
    AuditCounts: open_audit_counts,
}


def open_work(
    work: Work, model: str, *, device: Device, engine: EngineName | None, progress: Progress = SILENT
) -> OpenedWork:
    """Open what work needs.

    Raises:
        LimbeckError: there is no such model, it is unusable, or the engine is not here.
    """
    opener: Callable[..., Any] = OPENERS[type(work)]
    opened: OpenedWork = opener(work, model, device=device, engine=engine, progress=progress)
    return opened
