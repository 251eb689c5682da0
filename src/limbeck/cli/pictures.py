"""The pictures of a run, drawn after it: a run is whole without them."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limbeck.methods.probe import ProbeRun
    from limbeck.progress import Progress
    from limbeck.training.outcome import LoopRun


def draw_pictures(run: "LoopRun | ProbeRun", following: "Progress") -> list[Path]:
    """Draw what a run can be seen by; where matplotlib or a font is missing, say so, and what to install."""
    from limbeck.errors import MissingExtraError
    from limbeck.reporting.run_pictures import write_learning_curves, write_rate_curve, write_run_pictures
    from limbeck.storage import read_json

    try:
        pictures = write_run_pictures(run.dataset, run.validation, run.folder.pictures, following)
        if "epochs" in run.metrics:
            pictures.append(write_learning_curves(run.metrics, run.folder.pictures))
        if run.folder.rate_curve.exists():
            pictures.append(write_rate_curve(read_json(run.folder.rate_curve), run.folder.pictures))
    except MissingExtraError as error:
        following.say(f"no pictures were drawn, the run is whole without them: {error}")
        return []
    return pictures
