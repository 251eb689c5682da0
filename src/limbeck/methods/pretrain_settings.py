"""The settings of a pretraining: masked language modelling, or the triple loss of DistilBERT.

In: plain values. Out: frozen settings, checked. It does not know what a pretraining does with them.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from limbeck.errors import FaultLog, SettingsError
from limbeck.methods.knobs import Knob
from limbeck.methods.trainings import Stages
from limbeck.settings import Device, EngineName, LoopSettings, Precision, StudentStart
from limbeck.training.setting_checks import check_training

if TYPE_CHECKING:
    from limbeck.methods.distil_losses import TripleWeights
    from limbeck.model.student import StudentShape

Objective = Literal["triple", "mlm"]


@dataclass(frozen=True, kw_only=True)
class PretrainingSettings(LoopSettings):
    """How an encoder learns from raw text.

    Attributes:
        objective: what the student learns from: "triple" from the teacher's answers at masked tokens, the
            masked tokens, and the teacher's hidden states; "mlm" from the masked tokens alone.
        teacher: encoder that the student is made of and learns from: a preset or a folder.
        layers: number of layers of the student. Default: as many as the teacher.
        take: layers of the teacher that the student begins with, counted from 0. Default: spread evenly.
        width: width of the student's hidden states. Default: the teacher's.
        start: weights that the student begins with: "teacher" for the teacher's, "nothing" for random ones.
        epochs: number of stretches that the training is divided into; the model is judged after each.
        steps: number of optimizer steps. Default: one pass over the texts.
        budget_minutes: minutes to train; a few steps are measured to know how many these are. Default: no
            limit.
        batch_rows: rows per optimizer step.
        learning_rate: maximum learning rate.
        max_tokens: maximum length of a row in tokens; a longer text becomes several rows.
        masked_share: share of the tokens that are masked, above 0 and below 1.
        whole_words: mask whole words instead of tokens.
        soft_weight: weight of the teacher's answers, in the triple loss.
        masked_weight: weight of the masked tokens, in the triple loss.
        cosine_weight: weight of the angle between the hidden states of teacher and student, in the triple loss.
        temperature: temperature at which the answers of teacher and student are compared.
        head_steps: number of steps that train the teacher's language head first, where it has none.
        token_budget: maximum number of tokens that are computed at a time; it bounds the memory.
        precision: arithmetic to compute in: "float32", "bfloat16", or "auto", bfloat16 where the processor
            multiplies it; weights stay in float32.
        device: device to compute on; "auto" takes a GPU where there is one.
        engine: what trains the student, whether it is fast or not: torch-float32, torch-bfloat16, or the compiled
            kernels of an instruction set, such as native-avx2. Default: the one that precision means.
    """

    FIXED: ClassVar = frozenset({"loss", "label_smoothing", "balance", "best_by", "calibrate"})

    objective: Objective = "triple"
    teacher: str = "minilm"
    layers: int | None = None
    take: tuple[int, ...] | None = None
    width: int | None = None
    start: StudentStart = "teacher"
    epochs: int = 10
    steps: int | None = None
    budget_minutes: float | None = None
    batch_rows: int = 32
    learning_rate: float = 5e-4
    max_tokens: int = 256
    masked_share: float = 0.15
    whole_words: bool = False
    soft_weight: float = 5.0
    masked_weight: float = 2.0
    cosine_weight: float = 1.0
    temperature: float = 2.0
    head_steps: int = 300
    token_budget: int = 4096
    precision: Precision = "auto"
    device: Device = "auto"
    engine: EngineName | None = None

    @property
    def shape(self) -> "StudentShape":
        """How the student differs from its teacher."""
        from limbeck.model.student import StudentShape

        return StudentShape(layers=self.layers, take=self.take, width=self.width, start=self.start)

    @property
    def weights(self) -> "TripleWeights":
        """Weights of the three losses."""
        from limbeck.methods.distil_losses import TripleWeights

        return TripleWeights(soft=self.soft_weight, masked=self.masked_weight, cosine=self.cosine_weight)


@dataclass(frozen=True, kw_only=True)
class Pretraining(Stages):
    """The settings of every stage of a pretraining, of which there is one."""

    method: ClassVar[str] = "pretrain"

    pretrain: PretrainingSettings = field(default_factory=PretrainingSettings)

    def knobs(self, rate: float) -> tuple[Knob, ...]:
        """Return the loop's and the masks'; the weights of the losses only where there are several."""
        weights = Knob(stage="pretrain", name="cosine_weight", choices=(0.0, 1.0, 2.0))
        return (
            Knob(stage="pretrain", name="learning_rate", low=rate / 4, high=rate * 4, log=True),
            Knob(stage="pretrain", name="batch_rows", choices=(16, 32, 64)),
            Knob(stage="pretrain", name="masked_share", low=0.1, high=0.3),
            *([] if self.pretrain.objective == "mlm" else [weights]),
        )


def check_pretraining(settings: PretrainingSettings) -> None:
    """Refuse values that no pretraining can use.

    Raises:
        SettingsError: gathers every fault.
    """
    check_training(settings, n_labels=2)
    weights = (settings.soft_weight, settings.masked_weight, settings.cosine_weight)
    faults = FaultLog()
    rules = [
        ("steps", settings.steps is None or settings.steps >= 1, "of at least 1"),
        ("budget_minutes", settings.budget_minutes is None or settings.budget_minutes > 0, "above 0"),
        ("masked_share", 0 < settings.masked_share < 1, "between 0 and 1"),
        ("soft_weight", 0 <= settings.soft_weight < float("inf"), "of 0 or more"),
        ("masked_weight", 0 <= settings.masked_weight < float("inf"), "of 0 or more"),
        ("cosine_weight", 0 <= settings.cosine_weight < float("inf"), "of 0 or more"),
        ("temperature", 0 < settings.temperature < float("inf"), "above 0"),
        ("head_steps", settings.head_steps >= 1, "of at least 1"),
        ("token_budget", settings.token_budget >= 1, "of at least 1"),
        ("learning_rate", isinstance(settings.learning_rate, float), "between 0 and 1, as a number"),
    ]
    faults.extend(
        f"{name} = {getattr(settings, name)} is not possible: give a value {wanted}"
        for name, holds, wanted in rules
        if not holds
    )
    if settings.steps is not None and settings.budget_minutes is not None:
        faults.add("steps and budget_minutes both decide how long to train: give one of them")
    if settings.objective == "triple" and not any(weights):
        faults.add("soft_weight, masked_weight and cosine_weight are all 0: nothing would be learnt")
    faults.raise_as(SettingsError, what="the settings of pretraining are wrong", todo="correct them and run it again")
