"""Frozen, keyword-only settings for every stage, with their defaults and what each means.

In: plain values, as `setting_tables` reads them. Out: one frozen value a stage. None means off or not given.
It does not know what a stage does with them.
"""

from dataclasses import dataclass
from typing import Literal

from limbeck.errors import SettingsError

TaskKind = Literal["single", "multi", "ordinal", "regression"]
"""What a row's label is: see `limbeck.task`."""
HeadKind = Literal["linear", "classification"]
"""Which head a bundle has: see `limbeck.model.heads`."""
OnBadRow = Literal["error", "keep-replacement", "skip", "mend"]
Pooling = Literal["cls", "mean", "max", "layers", "auto"]
WindowName = Literal["head", "tail", "both", "all"]
WindowChoice = WindowName | Literal["auto"]
Balance = Literal["none", "weights", "oversample", "smote"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
EngineName = Literal[
    "torch-float32",
    "torch-bfloat16",
    "torch-float16",
    "native-amx",
    "native-avx512bf16",
    "native-avx512",
    "native-avx2",
    "native-neonbf16",
    "native-neon",
    "native-portable",
    "native-soft",
]
Schedule = Literal["linear", "cosine", "constant"]
BestBy = Literal["accuracy", "f1_weighted", "f1_macro", "loss"]
LearningRate = float | Literal["auto"]
StudentStart = Literal["teacher", "nothing"]

NEAR_THRESHOLD = 0.7
"""Two texts of this similarity, or more, are near-duplicates unless something else is said."""
TOKEN_LIMITS = (64, 128, 256, 400, 512)
"""Length limits that an audit compares."""


@dataclass(frozen=True, kw_only=True)
class ReadSettings:
    """How files become a `Dataset`.

    Attributes:
        text_column: name of the column of texts; or of two columns, a,b, whose texts are one row's pair that a model
            reads together. Default: found by its usual names.
        label_column: name of the column of labels. Default: found by its usual names.
        label_columns: names of columns that hold 1 where a row has the label that the column is named for, and 0
            where it does not; several labels per row. Default: the labels stand in one column.
        label_separator: what stands between the labels of one row in a column of texts, such as ";" or "|"; several
            labels per row. Default: such a text is one label.
        label_names: names of the classes in the order of their integers. Default: found in the data.
        label_order: the classes from the lowest to the highest, where they have an order; the task is "ordinal" then.
            Default: the order of numbers.
        min_label_rows: number of rows that a label of several must have at least; rarer ones are left out, which is
            noted. Default: every label is read.
        label_parents: give each row the parents that the names of its labels state: a row with role::program gets role,
            which becomes a label; several labels per row. A model that learns from such rows answers so, too.
        empty_labels: "unlabelled" if an empty set of labels means that nobody labelled the row, as where tags are
            incomplete; where labels are needed such rows are left out, which is noted. Default: the row has none of
            the labels.
        task: what the label of a row is: "single", one of several classes; "multi", any number of labels, also none;
            "ordinal", one of ordered classes; "regression", a number. Default: told from the data, and noted where
            it is not "single".
        encoding: encoding of text files, by the name of a Python codec: utf-8, cp949, euc-kr, utf-16, latin-1,
            …
        on_bad_row: what to do with rows that are at fault: "error" lists them and stops, "keep-replacement"
            keeps bytes that cannot be decoded as U+FFFD, "skip" leaves the rows out, "mend" keeps every row
            whose text can be recovered, even a broken or empty one (as audits read). What was done is counted
            and recorded.
        labels: whether every row must have a label ("required"), may have one ("optional"), or labels are not
            looked at ("ignored").
    """

    text_column: str | None = None
    label_column: str | None = None
    label_columns: tuple[str, ...] | None = None
    label_separator: str | None = None
    label_names: tuple[str, ...] | None = None
    label_order: tuple[str, ...] | None = None
    min_label_rows: int | None = None
    label_parents: bool = False
    empty_labels: Literal["unlabelled"] | None = None
    task: TaskKind | None = None
    encoding: str = "utf-8"
    on_bad_row: OnBadRow = "error"
    labels: Literal["required", "optional", "ignored"] = "required"


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """How rows without a split get one.

    Attributes:
        validation_share: share of the rows, 0 to 1, for the validation split.
        test_share: share of the rows, 0 to 1, for the test split.
        seed: seed of every random choice.
    """

    validation_share: float = 0.1
    test_share: float = 0.1
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class FeatureSettings:
    """How texts become vectors.

    Attributes:
        encoder: a preset (minilm, distilbert-base-uncased, …), an encoder of the hub (hub:OWNER/NAME@REVISION),
            or a folder.
        pooling: how the hidden states of a text become one vector: "cls", "mean" or "max" of one layer;
            "layers" puts all three of every layer side by side; "auto" chooses by cross-validation.
        layer: hidden state to pool: 0 for the embeddings, 1 for the output of the first layer, …; not with
            "layers". Default: the last.
        max_tokens: maximum length of a text in tokens, [CLS] and [SEP] included; of a longer one, `window` is read.
            Default: the model's maximum.
        window: what is read of a text that is longer than that: its "head" (the first tokens), its "tail" (the last
            ones), "both" (half of each), or "all" of it, in windows that overlap by a quarter, whose features are
            averaged (logits, where the encoder is trained); "auto" chooses head, tail or both by cross-validation on
            training rows. Default: head, or tail where the encoder's tokenizer cuts on the left.
        device: device to compute on; "auto" takes a GPU where there is one.
        precision: arithmetic to compute in: "float32" by torch, exact; "bfloat16"; or "auto", the fastest that is
            certified on this machine.
        engine: engine to compute with, whether it is fast or not: torch-float32, torch-bfloat16, or the compiled
            kernels of an instruction set, such as native-avx2. `limbeck doctor` lists those of a machine. What
            computes a fine-tuning, too. Default: the one that precision means.
    """

    encoder: str = "minilm"
    pooling: Pooling = "mean"
    layer: int | None = None
    max_tokens: int | None = None
    window: WindowChoice | None = None
    device: Device = "auto"
    precision: Precision = "auto"
    engine: EngineName | None = None


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """How a linear probe is fitted on features.

    Attributes:
        balance: how unequal class sizes are met, in training rows only: "weights" gives every class the same
            weight, "oversample" repeats rows of small classes, "smote" adds new rows between them.
        penalties: values of C to choose from, the inverse of the L2 penalty, as in scikit-learn's
            LogisticRegression.
        folds: number of cross-validation folds.
        calibrate: fit a temperature on rows that the model did not learn from, so that a probability can be
            taken at its word; no label changes.
        seed: seed of every random choice.
    """

    balance: Balance = "none"
    penalties: tuple[float, ...] = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
    folds: int = 5
    calibrate: bool = True
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How a loop of gradient steps runs, whatever it trains.

    Attributes:
        epochs: how often every training row is seen.
        learning_rate: maximum learning rate, or "auto" to look for it in a short training first. Default: what
            suits the method.
        batch_rows: rows per optimizer step.
        schedule: course of the learning rate after the warm-up: "linear" or "cosine" fall to 0, "constant"
            stays.
        warmup_share: share of all steps, 0 to 1, in which the learning rate rises to its maximum.
        weight_decay: weight decay of AdamW, on all weights but biases and norms.
        clip_norm: maximum norm of the gradient; "off" for no clipping.
        loss: loss to bring down: "cross-entropy" (of numbers the squared error), for two classes also "binary",
            one logit with binary cross-entropy, and for numbers "huber", to which few far-off numbers matter less.
        label_smoothing: share of a label, 0 to 1, that is spread over all classes.
        balance: how unequal class sizes are met: "weights" gives every class the same weight, "focal" gives
            hard rows more weight.
        best_by: figure on the validation rows that decides which epoch is kept. Of any number of labels per row,
            "accuracy" means macro F1; of numbers, every figure means the loss.
        patience: number of epochs in a row without a better figure after which training ends. Default: all
            epochs are run.
        checkpoint_every_s: seconds between two checkpoints (the first ones come sooner); 0 for one after every
            step, "off" for one per epoch.
        keep_checkpoints: number of checkpoints that are kept.
        tensorboard: write events for TensorBoard into RUN/events, epoch by epoch.
        calibrate: fit a temperature on rows that the model did not learn from, so that a probability can be
            taken at its word; where a row has one label, no label changes.
        seed: seed of every random choice.
        seeds: number of models to train, each with the next seed; the best on the validation rows is kept, mean
            and spread are reported.
    """

    epochs: int
    learning_rate: LearningRate | None = None
    batch_rows: int = 64
    schedule: Schedule = "linear"
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float | None = 1.0
    loss: Literal["cross-entropy", "binary", "huber"] = "cross-entropy"
    label_smoothing: float = 0.0
    balance: Literal["none", "weights", "focal"] = "none"
    best_by: BestBy = "accuracy"
    patience: int | None = None
    checkpoint_every_s: float | None = 120.0
    keep_checkpoints: int = 2
    tensorboard: bool = False
    calibrate: bool = True
    seed: int = 0
    seeds: int = 1


@dataclass(frozen=True, kw_only=True)
class HeadSettings(LoopSettings):
    """How a head is trained on a frozen encoder.

    Attributes:
        learning_rate: maximum learning rate, or "auto" to look for it in a short training first. Default: 1e-3.
        head: kind of head: "linear", or "mlp", Hugging Face's head of two layers on [CLS] of the last layer.
    """

    epochs: int = 10
    schedule: Schedule = "constant"
    warmup_share: float = 0.0
    weight_decay: float = 0.0
    head: Literal["linear", "mlp"] = "linear"


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings(LoopSettings):
    """How an encoder and its head are trained together.

    Attributes:
        learning_rate: maximum learning rate, or "auto" to look for it in a short training first. Default: by
            the encoder's width, 2e-4 at 384, 5e-5 at 768.
        token_budget: maximum number of tokens that are computed at a time; it bounds the memory.
        precision: arithmetic to compute in: "float32", "bfloat16", or "auto", bfloat16 where the processor
            has units for it; weights stay in float32.
        top_layers: number of layers to train, from the uppermost down, and the head. Default: everything.
        layer_decay: factor by which the learning rate falls from each layer to the one below.
        unfreeze: when layers are trained: "all" from the first step, or "gradual", the head first and then one
            more layer per epoch.
        freeze_words: leave the word embeddings unchanged.
        dropout: rate of every dropout inside the encoder. Default: the encoder's own.
    """

    epochs: int = 3
    token_budget: int = 4096
    precision: Precision = "auto"
    top_layers: int | None = None
    layer_decay: float = 1.0
    unfreeze: Literal["all", "gradual"] = "all"
    freeze_words: bool = False
    dropout: float | None = None


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """How a sweep looks for settings.

    Attributes:
        budget_minutes: minutes for all trials; the one that is under way then ends with its epoch.
        most_trials: maximum number of trials. Default: as the time allows.
        by: figure on the validation rows that decides which trial is the best, and within a trial which epoch.
        seed: seed of every random choice.
    """

    budget_minutes: float = 30.0
    most_trials: int | None = None
    by: BestBy = "accuracy"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """What an audit looks for.

    Attributes:
        near: look for near-duplicates too, however many texts there are.
        near_threshold: minimum Jaccard similarity, 0.5 to 1, of the five-character runs of two near-duplicates.
        limits: length limits in tokens to compare, rising.
    """

    near: bool = True
    near_threshold: float = NEAR_THRESHOLD
    limits: tuple[int, ...] = TOKEN_LIMITS


@dataclass(frozen=True, kw_only=True)
class CleanSettings:
    """What is removed from a dataset.

    Attributes:
        drop: kinds of rows to remove: see `limbeck.auditing.clean.KINDS`.
        on_conflict: which of equal texts with different labels go: all of them ("drop"), all but those with the
            first row's label, or all but those with the most frequent label (all, where no label is the most
            frequent).
        near_threshold: minimum Jaccard similarity, 0.5 to 1, of the five-character runs of two near-duplicates.
    """

    drop: tuple[str, ...] = ()
    on_conflict: Literal["drop", "keep-first", "keep-majority"] = "drop"
    near_threshold: float = NEAR_THRESHOLD


def check_seed(seed: int) -> None:
    """Refuse a seed that some generator of random numbers cannot take.

    Raises:
        SettingsError: the seed is not from 0 to 2**32 - 1.
    """
    if not 0 <= seed < 2**32:
        raise SettingsError(f"seed = {seed} is not possible: give a whole number from 0 to {2**32 - 1}")
