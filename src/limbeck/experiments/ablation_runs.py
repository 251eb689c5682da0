"""A distillation and its ablation, from end to end, going on from whatever of both is there.

In: what `distil` takes, and a number of seeds. Out: an `AblatedRun`. It does not know how arms are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.errors import FaultLog, SettingsError
from limbeck.experiments.ablation import SEEDS, Ablation, arms_of, run_ablation
from limbeck.features.cache import FeatureCache
from limbeck.inference.predictor import find_model
from limbeck.methods.distil import Curriculum, distil
from limbeck.methods.distil_settings import Distillation, DistillationSettings
from limbeck.model.weights import digest_of_weights
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runs.run_record import differences
from limbeck.settings import SplitSettings, to_plain
from limbeck.training.session import ACCEPTING, Start


@dataclass(frozen=True, kw_only=True, eq=False)
class AblatedRun:
    """What was made.

    Attributes:
        folder: of the run with everything that helps.
        metrics: of that run.
        ablation: what comparing it came to.
    """

    folder: RunFolder
    metrics: Mapping[str, Any]
    ablation: Ablation


def ablate(
    curriculum: Curriculum,
    out: str | Path,
    settings: Distillation = Distillation(),
    *,
    cache: FeatureCache | None = None,
    start: Start = "new",
    progress: Progress = SILENT,
) -> AblatedRun:
    """Distil, then train the same student without each part, over three seeds, and compare.

    Args:
        curriculum: teachers and texts.
        out: the run folder; the further runs are in its folder `ablation`.
        settings: of every stage.
        cache: where what the teachers say is kept; the user's cache folder when not given.
        start: what to do with what is in `out`; "resume" goes on with a finished run too.
        progress: is told what is being done.

    Raises:
        SettingsError: `out` holds another run, or the settings have no teacher to leave out.
        LimbeckError: as `distil` does.
    """
    arms_of(settings.distil)
    folder = RunFolder(Path(out))

    def train(own: DistillationSettings, place: RunFolder) -> Mapping[str, Any]:
        progress.say(f"ablation: {place.path.name}")
        own_settings = replace(settings, distil=own)
        return distil(curriculum, place.path, own_settings, cache=cache, start="resume", progress=progress).metrics

    if start in ("resume", ACCEPTING) and folder.metrics.exists():
        _require_same(folder, curriculum, settings)
    else:
        distil(curriculum, folder.path, settings, cache=cache, start=start, progress=progress)
    ablation = run_ablation(folder, settings.distil, train, seeds=SEEDS)
    return AblatedRun(folder=folder, metrics=storage.read_json(folder.metrics), ablation=ablation)


def _require_same(folder: RunFolder, curriculum: Curriculum, settings: Distillation) -> None:
    """Refuse a finished run of other settings or teachers.

    Raises:
        SettingsError: gathers what differs.
    """
    before = storage.read_json(folder.record)
    # The learning rate is decided by the student where none was given, the split by the teacher.
    given = settings.distil.learning_rate
    rate = before["settings"]["distil"]["learning_rate"] if given is None else given
    split = SplitSettings(**before["settings"]["split"])
    resolved = replace(settings, split=split, distil=replace(settings.distil, learning_rate=rate))
    now = {name: to_plain(stage) for name, stage in resolved.stages().items()}
    digests = [digest_of_weights(find_model(Path(folder))) for folder in curriculum.teachers]
    faults = FaultLog()
    faults.extend(differences(before["settings"], now, "settings"))
    faults.extend(differences([one["weights"] for one in before["encoder"]["teachers"]], digests, "teachers"))
    faults.raise_as(
        SettingsError,
        what=f"{folder.path} holds another run than the one to compare with",
        todo="give the settings and the teachers that it was made with, or --overwrite to begin again",
    )
