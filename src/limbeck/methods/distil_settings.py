"""The settings of a distillation, and the ranges that they must keep to.

In: plain values. Out: frozen settings, checked. It does not know what a distillation does with them.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from limbeck.errors import FaultLog, SettingsError
from limbeck.methods.knobs import Knob
from limbeck.methods.trainings import Training
from limbeck.settings import Device, EngineName, FinetuneSettings, StudentStart
from limbeck.training.setting_checks import check_training

if TYPE_CHECKING:
    from limbeck.model.student import StudentShape


@dataclass(frozen=True, kw_only=True)
class DistillationSettings(FinetuneSettings):
    """How a student learns from a fine-tuned teacher.

    A row costs α T² KL(teacher ‖ student) + (1 - α) cross-entropy with the label + β (1 - cos of the two [CLS]
    states), α = `teacher_weight`, β = `hidden_weight`. A row without a label costs the first and the last.

    Attributes:
        learning_rate: maximum learning rate, or "auto" to look for it in a short training first. Default: by the
            width, 2e-4 at 384, 5e-5 at 768.
        layers: number of layers of the student. Default: as many as the teacher.
        take: layers of the teacher that the student begins with, counted from 0. Default: spread evenly.
        width: width of the student's hidden states. Default: the teacher's.
        start: weights that the student begins with: "teacher" for the teacher's, "nothing" for random ones.
        prune_vocabulary: keep only tokens that the training texts use, and single characters; the tokens of
            these texts do not change.
        min_token_uses: minimum number of uses of a token in the training texts for it to be kept, with a pruned
            vocabulary; above 1, rarer words are spelt in smaller pieces.
        teacher_weight: weight α, 0 to 1, of the teacher's answers against the labels.
        temperature: temperature T at which the answers of teacher and student are compared.
        hidden_weight: weight β of the angle between the [CLS] states of teacher and student; above 0 only for a
            teacher whose head sees [CLS].
        max_tokens: maximum length of a text in tokens; longer texts are cut. Default: the teacher's limit.
        device: device to compute on; "auto" takes a GPU where there is one.
        engine: what trains the student, whether it is fast or not: torch-float32, torch-bfloat16, or the compiled
            kernels of an instruction set, such as native-avx2. Default: the one that precision means.
    """

    FIXED: ClassVar = frozenset({"loss", "balance", "unfreeze"})

    epochs: int = 6
    layers: int | None = None
    take: tuple[int, ...] | None = None
    width: int | None = None
    start: StudentStart = "teacher"
    prune_vocabulary: bool = False
    min_token_uses: int = 1
    teacher_weight: float = 0.9
    temperature: float = 2.0
    hidden_weight: float = 0.0
    max_tokens: int | None = None
    device: Device = "auto"
    engine: EngineName | None = None

    @property
    def shape(self) -> "StudentShape":
        """How the student differs from its teacher."""
        from limbeck.model.student import StudentShape

        return StudentShape(layers=self.layers, take=self.take, width=self.width, start=self.start)


@dataclass(frozen=True, kw_only=True)
class Distillation(Training):
    """The settings of every stage of a distillation."""

    method: ClassVar[str] = "distil"

    distil: DistillationSettings = field(default_factory=DistillationSettings)

    def knobs(self, rate: float) -> tuple[Knob, ...]:
        """Return the loop's, and how much the teacher says."""
        return (
            Knob(stage="distil", name="learning_rate", low=rate / 4, high=rate * 4, log=True),
            Knob(stage="distil", name="batch_rows", choices=(16, 32, 64)),
            Knob(stage="distil", name="temperature", choices=(1.0, 2.0, 4.0)),
            Knob(stage="distil", name="teacher_weight", low=0.5, high=1.0),
        )


def check_distillation(settings: DistillationSettings) -> None:
    """Refuse values that no distillation can use.

    Raises:
        SettingsError: gathers every fault.
    """
    check_training(settings)
    faults = FaultLog()
    if not 0 <= settings.teacher_weight <= 1:
        faults.add(f"teacher_weight = {settings.teacher_weight} is not possible: give a value from 0 to 1")
    if not 0 < settings.temperature < float("inf"):
        faults.add(f"temperature = {settings.temperature} is not possible: give a finite value above 0")
    if not 0 <= settings.hidden_weight < float("inf"):
        faults.add(f"hidden_weight = {settings.hidden_weight} is not possible: give a value of 0 or more")
    if settings.min_token_uses < 1:
        faults.add(f"min_token_uses = {settings.min_token_uses} is not possible: give 1 or more")
    if settings.min_token_uses > 1 and not settings.prune_vocabulary:
        faults.add(f"min_token_uses = {settings.min_token_uses} says which tokens to keep: give --prune-vocabulary too")
    if settings.loss != "cross-entropy" or settings.balance != "none":
        faults.add(
            f"loss = {settings.loss!r}, balance = {settings.balance!r}: a student answers as its teacher does; leave "
            "--loss and --balance out, and give them to the teacher's training"
        )
    faults.raise_as(SettingsError, what="the settings of distilling are wrong", todo="correct them and run it again")
