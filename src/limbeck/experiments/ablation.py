"""Ablation: did the teacher help? The same student without it, and without each part, over several seeds.

In: settings, and a way to train with them. Out: an `Ablation`, and one run folder an arm and seed under RUN/ablation/,
so that what is done is not done again. It does not know how a student is trained.

All arms of a seed begin with the same weights, see the same rows in the same order and take as many steps. Two arms
are compared seed by seed with a paired t-test, two-sided: the differences between seeds are the noise that a help has
to be larger than.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scipy import stats

from limbeck import storage
from limbeck.errors import FaultLog, SettingsError
from limbeck.features.cache import FeatureCache
from limbeck.inference.predictor import find_model
from limbeck.methods.distil import Curriculum, distil
from limbeck.methods.distil_settings import Distillation, DistillationSettings
from limbeck.model.weights import digest_of_weights
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runs.run_record import differences
from limbeck.setting_tables import to_plain
from limbeck.settings import SplitSettings
from limbeck.training.session import RESUMING, Start

WHOLE = "whole"
NO_TEACHER = "without the teacher"
NO_LABELS = "without the labels"
NO_HIDDEN = "without the hidden states"
NO_START = "without the teacher's weights"
ARM_KINDS = {
    WHOLE: "whole",
    NO_TEACHER: "no_teacher",
    NO_LABELS: "no_labels",
    NO_HIDDEN: "no_hidden",
    NO_START: "no_start",
}
"""By name: what ablation.json and other languages know an arm by."""
VERDICTS = {"within_noise": "within noise", "helps": "the part helps", "harms": "the part harms"}
"""In English by kind."""
SIGNIFICANCE = 0.05
"""A difference counts as more than noise below this p."""
SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to train, over the seeds.

    Attributes:
        name: what is left out, in English.
        kind: the same as a stable word, one of `ARM_KINDS`.
        accuracies: on the validation rows, one a seed, 0 to 1.
        mean: of them.
        kept: the mean as a share of the teacher's accuracy.
        gain: mean of whole less this arm; None for the whole itself.
        p: of the paired t-test of that; None where there is nothing to test.
        verdict: in English; empty for the whole.
        verdict_kind: the same as a stable word, a key of `VERDICTS`.
    """

    name: str
    kind: str
    accuracies: tuple[float, ...]
    mean: float
    kept: float
    gain: float | None
    p: float | None
    verdict: str
    verdict_kind: str


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """What comparing came to.

    Attributes:
        seeds: of the runs.
        teacher_accuracy: on the same rows.
        teacher_parameters: numbers in the teachers' weights.
        student_parameters: in the student's.
        speedup: of the whole student, the median over its seeds.
        test: how arms were compared, in words.
        arms: the whole first.
    """

    seeds: tuple[int, ...]
    teacher_accuracy: float
    teacher_parameters: int
    student_parameters: int
    speedup: float
    test: str
    arms: tuple[Arm, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def arms_of(settings: DistillationSettings) -> dict[str, DistillationSettings]:
    """Return the settings of each arm by its name; a part that the settings do not have is not left out.

    Raises:
        SettingsError: the settings have no teacher to leave out.

    Example:
        >>> list(arms_of(DistillationSettings(layers=3)))
        ['whole', 'without the teacher', 'without the labels', "without the teacher's weights"]
    """
    if settings.teacher_weight == 0 and settings.hidden_weight == 0:
        raise SettingsError("an ablation leaves the teacher out, but the settings have none: give --teacher-weight")
    arms = {WHOLE: settings, NO_TEACHER: replace(settings, teacher_weight=0.0, hidden_weight=0.0)}
    if 0 < settings.teacher_weight < 1:
        arms[NO_LABELS] = replace(settings, teacher_weight=1.0)
    if settings.hidden_weight > 0:
        arms[NO_HIDDEN] = replace(settings, hidden_weight=0.0)
    if settings.start == "teacher":
        arms[NO_START] = replace(settings, start="nothing")
    return arms


def run_ablation(
    folder: RunFolder,
    settings: DistillationSettings,
    train: Callable[[DistillationSettings, RunFolder], Mapping[str, Any]],
    *,
    seeds: int = SEEDS,
) -> Ablation:
    """Train every arm with every seed, compare them, and write RUN/ablation.json.

    Args:
        folder: of the run that is the whole with its first seed, finished.
        settings: of that run; further seeds count on from its seed.
        train: trains with settings into a folder, or goes on with what is there; returns its metrics.
        seeds: how many.

    Raises:
        SettingsError: fewer than two seeds.
    """
    if seeds < 2:
        raise SettingsError(f"seeds = {seeds} is not possible: noise shows from two seeds on")
    numbers = tuple(settings.seed + number for number in range(seeds))
    found: dict[str, list[Mapping[str, Any]]] = {}
    for seed in numbers:
        for name, arm in arms_of(settings).items():
            if name == WHOLE and seed == settings.seed:
                metrics = storage.read_json(folder.metrics)
            else:
                place = RunFolder(folder.ablation / f"{name.replace(' ', '-').replace(chr(39), '')}-{seed}")
                done = place.metrics.exists()
                metrics = storage.read_json(place.metrics) if done else train(replace(arm, seed=seed), place)
            found.setdefault(name, []).append(metrics)
    ablation = compare_arms(found, numbers)
    storage.write_json(folder.ablation_table, ablation.to_dict())
    return ablation


def compare_arms(found: Mapping[str, Sequence[Mapping[str, Any]]], seeds: tuple[int, ...]) -> Ablation:
    """Compare the metrics of arms, one of each a seed, in the order of the seeds."""
    whole = found[WHOLE]
    teacher = float(whole[0]["teacher"]["validation"]["accuracy"])
    accuracies = {
        name: tuple(float(one["student"]["validation"]["accuracy"]) for one in runs) for name, runs in found.items()
    }
    return Ablation(
        seeds=seeds,
        teacher_accuracy=teacher,
        teacher_parameters=int(whole[0]["teacher"]["parameters"]),
        student_parameters=int(whole[0]["student"]["parameters"]),
        speedup=statistics.median(float(one["speedup"]) for one in whole),
        test=f"paired t-test over {len(seeds)} seeds, two-sided; more than noise where p < {SIGNIFICANCE}",
        arms=tuple(_arm(name, values, accuracies[WHOLE], teacher) for name, values in accuracies.items()),
    )


def paired_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the two-sided p of a paired t-test: how often chance alone would make as large a mean difference.

    Differences that are all equal are no noise at all: p is 0 for them, and 1 when they are all 0.

    Source: Student, "The probable error of a mean" (1908).
    """
    differences = [left - right for left, right in zip(one, other, strict=True)]
    spread = statistics.stdev(differences)
    mean = statistics.fmean(differences)
    if spread == 0:
        return 1.0 if mean == 0 else 0.0
    t = mean / (spread / math.sqrt(len(differences)))
    return float(2 * stats.t.sf(abs(t), len(differences) - 1))


def _arm(name: str, values: tuple[float, ...], whole: tuple[float, ...], teacher: float) -> Arm:
    mean = statistics.fmean(values)
    gain, p, verdict = None, None, ""
    if name != WHOLE:
        gain, p = statistics.fmean(whole) - mean, paired_p(whole, values)
        verdict = "within_noise" if p >= SIGNIFICANCE else "helps" if gain > 0 else "harms"
    return Arm(
        name=name,
        kind=ARM_KINDS[name],
        accuracies=values,
        mean=mean,
        kept=mean / teacher,
        gain=gain,
        p=p,
        verdict=VERDICTS.get(verdict, ""),
        verdict_kind=verdict,
    )


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

    if start in RESUMING and folder.metrics.exists():
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
