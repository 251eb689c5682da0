"""A student beside its teachers: what both cost, how right both are, and how fast.

In: teachers, and a student's encoder or bundle. Out: lines to say, and figures. It does not know how a student learns.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from limbeck.data.dataset import Dataset
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.comparison import accuracy_kept
from limbeck.evaluation.multi_evaluation import MultiEvaluation
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.inference.answers import classes_of, evaluation_of
from limbeck.inference.predictor import Predictor
from limbeck.inference.timing import Speedup, measure_speedup
from limbeck.methods.distil_settings import DistillationSettings
from limbeck.methods.teachers import Teacher
from limbeck.model.bundle import Bundle
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.student import count_costs, taken_layers
from limbeck.training.session import Session


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """Teacher and student on the validation rows.

    Attributes:
        student: its answers.
        teacher: how right the teachers are.
        teacher_right_N: bool (N,), the rows that they got right; None where a row has any number of labels.
        speed: of both; None in a process that leaves measuring to another.
    """

    student: AnyPredictions
    teacher: AnyEvaluation
    teacher_right_N: np.ndarray | None
    speed: Speedup | None


def told_sizes(
    teachers: Sequence[Teacher], student: LoadedEncoder, settings: DistillationSettings, tokens: float
) -> list[str]:
    """Say what both cost, by counting, before anything is trained."""
    config = teachers[0].bundle.loaded.config
    large, small = count_costs(config, tokens=tokens), count_costs(student.config, tokens=tokens)
    ratio = len(teachers) * large.multiplications_per_token / small.multiplications_per_token
    begins = (
        "layers " + ", ".join(map(str, taken_layers(config, settings.shape))) + " of the teacher"
        if settings.start == "teacher"
        else f"{student.config.n_layers} layers with random weights"
    )
    return [
        f"teacher: {config.n_layers} layers, {config.dim} wide, {config.vocab_size:,} tokens: "
        f"{large.parameters / 1e6:.1f} M parameters, {large.embedding_parameters / 1e6:.1f} M of them word embeddings"
        + (f"; {len(teachers)} of them, averaged" if len(teachers) > 1 else ""),
        f"student: {begins}, {student.config.dim} wide, {student.config.vocab_size:,} tokens: "
        f"{small.parameters / 1e6:.1f} M parameters, {small.embedding_parameters / 1e6:.1f} M of them word embeddings "
        f"({1 - small.parameters / large.parameters:.0%} fewer)",
        f"(heads left out); by counting, its layers are {ratio:.2f} times as fast on texts of {tokens:.0f} tokens",
    ]


def compare_with_teachers(
    teachers: Sequence[Teacher], bundle: Bundle, validation: Dataset, settings: DistillationSettings, session: Session
) -> Compared:
    """Score teachers and student on the validation rows, and time both as whoever loads them will have them."""
    progress = session.progress
    slow = [Predictor(teacher.bundle, device=settings.device, progress=progress) for teacher in teachers]
    fast = Predictor(bundle, device=settings.device, progress=progress)
    answers = [predictor.predict_dataset(validation, progress=progress) for predictor in slow]
    averaged_NC = np.mean(
        [_shares(found)[:, list(teacher.order_C)] for found, teacher in zip(answers, teachers, strict=True)],
        axis=0,
    )
    student = fast.predict_dataset(validation, progress=progress)
    together = replace(student, probabilities=averaged_NC)
    if isinstance(together, MultiPredictions):
        together = replace(together, thresholds=_mean_thresholds(teachers))
    session.team.wait()  # so that no other process computes while one is timed
    speed = None
    if session.team.is_first:
        progress.say("measuring the speed of both, in turn")
        speed = measure_speedup(slow, fast, validation.texts, seed=settings.seed)
    return Compared(
        student=student,
        teacher=evaluation_of(together, bundle.facts, seed=settings.seed),
        teacher_right_N=together.predicted == together.known_labels if isinstance(together, Predictions) else None,
        speed=speed,
    )


def figures_of(
    teachers: Sequence[Teacher], bundle: Bundle, compared: Compared, strangers: list[str], scored: AnyEvaluation
) -> dict[str, Any]:
    """Return what a distillation says beside what every training says."""
    config, teacher = bundle.loaded.config, teachers[0].bundle.loaded.config
    return {
        "teacher": {
            "folders": [str(teacher.folder) for teacher in teachers],
            "made_of_other_rows": strangers,
            "parameters": sum(teacher.parameters for teacher in teachers),
            "layers": teacher.n_layers,
            "width": teacher.dim,
            "vocabulary": teacher.vocab_size,
            "validation": compared.teacher.to_dict(),
        },
        "student": {
            "parameters": sum(weight.numel() for weight in bundle.network().parameters()),
            "layers": config.n_layers,
            "width": config.dim,
            "vocabulary": config.vocab_size,
            "validation": scored.to_dict(),
        },
        **_kept(compared, scored),
        **({} if compared.speed is None else {"speedup": compared.speed.speedup, "speed": asdict(compared.speed)}),
    }


def _kept(compared: Compared, scored: AnyEvaluation) -> dict[str, Any]:
    """Return how much of what the teachers reach the student keeps: of their accuracy, or of their macro F1."""
    student = compared.student
    if isinstance(student, Predictions) and compared.teacher_right_N is not None:
        kept = accuracy_kept(student.predicted == student.known_labels, compared.teacher_right_N)
        interval = {"low": kept.low, "high": kept.high, "rows": len(student)}
        return {"accuracy_kept": kept.value, "accuracy_kept_interval": interval}
    if isinstance(scored, MultiEvaluation) and isinstance(compared.teacher, MultiEvaluation):
        return {"f1_macro_kept": scored.f1_macro.value / max(compared.teacher.f1_macro.value, 1e-9)}
    return {}


def _mean_thresholds(teachers: Sequence[Teacher]) -> np.ndarray | None:
    """Return what each label is given from on by the teachers together; None where one of them has no thresholds."""
    own = [(teacher.bundle.facts.label_thresholds, teacher.order_C) for teacher in teachers]
    found = [np.array(values)[list(order_C)] for values, order_C in own if values is not None]
    return np.mean(found, axis=0) if len(found) == len(own) else None


def _shares(found: AnyPredictions) -> np.ndarray:
    """Return the probabilities, of classes or of each label by itself."""
    return (found if isinstance(found, MultiPredictions) else classes_of(found)).probabilities
