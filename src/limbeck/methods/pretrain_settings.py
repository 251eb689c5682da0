"""The settings of a pretraining: masked language modelling, or the triple loss of DistilBERT.

In: plain values. Out: frozen settings, checked. It does not know what a pretraining does with them.
"""

from dataclasses import dataclass
from typing import Literal

from limbeck.errors import FaultLog, SettingsError
from limbeck.methods.distil_objectives import TripleWeights
from limbeck.model.student import StudentShape, StudentStart
from limbeck.settings import Device, LoopSettings, Precision
from limbeck.training.setting_checks import check_training

Objective = Literal["triple", "mlm"]


@dataclass(frozen=True, kw_only=True)
class PretrainingSettings(LoopSettings):
    """How an encoder learns from raw text.

    Attributes:
        objective: "triple", what a teacher says of masked tokens, the tokens, and its hidden states; or "mlm", masked
            tokens alone.
        teacher: the encoder that the student is made of, and learns from; a preset's name or a folder.
        layers: of the student; as many as the teacher when not given.
        take: the teacher's layers that it begins with; spread evenly when not given.
        width: of its hidden states; the teacher's when not given.
        start: "teacher" to begin with the teacher's weights, "nothing" to draw them.
        epochs: stretches that the training is divided into; the model is judged after each.
        steps: optimizer steps in all; one pass over the texts when neither this nor `budget_minutes` is given.
        budget_minutes: of training; decides the steps by measuring a few.
        batch_rows: rows a step.
        learning_rate: the highest that the schedule reaches.
        max_tokens: of a row; a longer text becomes several rows.
        masked_share: of the tokens.
        whole_words: mask words instead of tokens.
        soft_weight: of the soft cross-entropy with the teacher.
        masked_weight: of the masked tokens.
        cosine_weight: of the angle between hidden states.
        temperature: at which both are compared.
        head_steps: in which the teacher's language head is trained first, where it has none.
        token_budget: tokens computed at a time.
        precision: of the arithmetic; weights are kept in float32.
        device: where to compute.
    """

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

    @property
    def shape(self) -> StudentShape:
        """How the student differs from its teacher."""
        return StudentShape(layers=self.layers, take=self.take, width=self.width, start=self.start)

    @property
    def weights(self) -> TripleWeights:
        """Of the three losses."""
        return TripleWeights(soft=self.soft_weight, masked=self.masked_weight, cosine=self.cosine_weight)


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
        ("seeds", settings.seeds == 1, "of 1"),
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
