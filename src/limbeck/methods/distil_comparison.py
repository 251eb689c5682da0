"""A student beside its teachers: what both cost, how right both are, and how fast.

In: teachers, and a student's encoder or bundle. Out: lines to say, and figures. It does not know how a student learns.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from limbeck.data.dataset import Dataset
from limbeck.evaluation.comparison import accuracy_kept
from limbeck.evaluation.evaluation import Evaluation, evaluate
from limbeck.evaluation.predictions import Predictions
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
        teacher_right_N: bool (N,), the rows that they got right.
        speed: of both; None in a process that leaves measuring to another.
    """

    student: Predictions
    teacher: Evaluation
    teacher_right_N: np.ndarray
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
        [found.probabilities[:, list(teacher.order_C)] for found, teacher in zip(answers, teachers, strict=True)],
        axis=0,
    )
    student = fast.predict_dataset(validation, progress=progress)
    session.team.wait()  # so that no other process computes while one is timed
    speed = None
    if session.team.is_first:
        progress.say("measuring the speed of both, in turn")
        speed = measure_speedup(slow, fast, validation.texts, seed=settings.seed)
    return Compared(
        student=student,
        teacher=evaluate(
            averaged_NC,
            validation.labels,
            bundle.facts.label_names,
            majority_label=fast.majority_label,
            seed=settings.seed,
        ),
        teacher_right_N=averaged_NC.argmax(axis=1) == validation.labels,
        speed=speed,
    )


def figures_of(
    teachers: Sequence[Teacher], bundle: Bundle, compared: Compared, strangers: list[str], scored: Evaluation
) -> dict[str, Any]:
    """Return what a distillation says beside what every training says."""
    config, teacher = bundle.loaded.config, teachers[0].bundle.loaded.config
    student_right_N = compared.student.probabilities.argmax(axis=1) == compared.student.known_labels
    kept = accuracy_kept(student_right_N, compared.teacher_right_N)
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
        "accuracy_kept": kept.value,
        "accuracy_kept_interval": {"low": kept.low, "high": kept.high, "rows": len(compared.student)},
        **({} if compared.speed is None else {"speedup": compared.speed.speedup, "speed": asdict(compared.speed)}),
    }
