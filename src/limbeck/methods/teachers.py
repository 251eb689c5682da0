"""Teachers: fine-tuned models, and what they say of texts, computed once and kept.

In: run folders or bundles, and texts. Out: `TeacherAnswers`. It does not know students or losses.

What is kept on disk are the features under the teacher's head, in the feature cache, by content: the head itself takes
no time. Several teachers are an ensemble: their probabilities are averaged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.errors import DataError
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.inference.predictor import find_model, open_bundle
from limbeck.inference.usage import Usage, some_of, validation_texts
from limbeck.methods.distil_losses import softened
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle
from limbeck.model.facts import BundleFacts
from limbeck.model.weights import digest_of_weights
from limbeck.progress import SILENT, Progress
from limbeck.settings import Device, Precision, SplitSettings
from limbeck.task import MULTI


@dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """A model that is learnt from.

    Attributes:
        folder: its bundle.
        digest: SHA-256 of its weights.
        bundle: the model.
        engine: computes its features.
        order_C: its logit of each class of the first teacher.
    """

    folder: Path
    digest: str
    bundle: Bundle
    engine: Engine
    order_C: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """Numbers in its weights, head included."""
        return sum(weight.numel() for weight in self.bundle.network().parameters())

    @property
    def sees_cls(self) -> bool:
        """True when its head sees [CLS] of the last layer and nothing else."""
        return self.bundle.facts.blocks == blocks_for("cls", None, self.bundle.loaded.config.n_layers)


@dataclass(frozen=True, kw_only=True, eq=False)
class TeacherAnswers:
    """What teachers say of N texts.

    Attributes:
        probabilities_NC: averaged over the teachers, float64.
        softened_NC: the same at the temperature that was asked for, float32.
        features_NF: what the first teacher's head saw.
    """

    probabilities_NC: np.ndarray
    softened_NC: Tensor
    features_NF: np.ndarray


def load_teachers(
    folders: Sequence[Path], *, device: Device = "auto", precision: Precision = "auto", progress: Progress = SILENT
) -> list[Teacher]:
    """Load the models to learn from; all must know the same classes.

    Raises:
        BundleError: a folder holds no model.
        DataError: two of them know different classes.
    """
    teachers: list[Teacher] = []
    for folder in folders:
        bundle = open_bundle(folder)
        names = bundle.facts.label_names
        first = teachers[0].bundle.facts.label_names if teachers else names
        if set(names) != set(first):
            raise DataError(
                f"{folder} knows the classes {', '.join(names)}, but {folders[0]} knows {', '.join(first)}: teachers "
                "must answer the same question"
            )
        if teachers and bundle.task != teachers[0].bundle.task:
            raise DataError(
                f"{folder} answers with {bundle.task.words}, but {folders[0]} with {teachers[0].bundle.task.words}: "
                "teachers must answer the same question"
            )
        teachers.append(
            Teacher(
                folder=folder,
                digest=digest_of_weights(find_model(folder)),
                bundle=bundle,
                engine=open_engine(
                    bundle.loaded,
                    usage=Usage(classifier=bundle, texts=some_of(validation_texts(folder))),
                    device=device,
                    precision=precision,
                    progress=progress,
                ),
                order_C=tuple(names.index(name) for name in first),
            )
        )
    return teachers


def ask_teachers(
    teachers: Sequence[Teacher],
    texts: Sequence[str],
    *,
    temperature: float,
    max_tokens: int,
    cache: FeatureCache,
    progress: Progress = SILENT,
) -> TeacherAnswers:
    """Return what teachers say of texts.

    Args:
        teachers: at least one.
        texts: N strings.
        temperature: at which `softened_NC` is.
        max_tokens: longer texts are cut; never above a teacher's own limit.
        cache: where features are kept.
        progress: is told of tokens done.
    """
    found = [
        extract_features(
            texts,
            teacher.engine,
            teacher.bundle.facts.blocks,
            window=replace(teacher.bundle.window, max_tokens=min(max_tokens, teacher.bundle.facts.max_tokens)),
            cache=cache,
            progress=progress,
        ).values_NF
        for teacher in teachers
    ]
    logits = [_logits(teacher, features_NF) for teacher, features_NF in zip(teachers, found, strict=True)]
    is_sets = teachers[0].bundle.task == MULTI
    shares = [one.double().sigmoid() if is_sets else one.double().softmax(dim=1) for one in logits]
    soft = [(one.float() / temperature).sigmoid() if is_sets else softened(one, temperature) for one in logits]
    return TeacherAnswers(
        probabilities_NC=torch.stack(shares).mean(dim=0).numpy(),
        softened_NC=torch.stack(soft).mean(dim=0),
        features_NF=found[0],
    )


def _logits(teacher: Teacher, features_NF: np.ndarray) -> Tensor:
    head = teacher.bundle.head.eval()
    device = next(head.parameters()).device
    with torch.inference_mode():
        logits_NC: Tensor = head(torch.from_numpy(features_NF).to(device)).cpu()
    return logits_NC[:, list(teacher.order_C)].clone()


def split_of_model(facts: BundleFacts, given: SplitSettings) -> SplitSettings:
    """Return how validation rows were taken for a model, whose student may be judged by no others.

    Only data without a validation split of their own are split so. What is given is taken where the model's record does
    not say.
    """
    split = _part(facts, "settings", "split")
    share, seed = split.get("validation_share"), split.get("seed")
    if isinstance(share, float) and 0 < share < 1 and type(seed) is int and seed >= 0:
        return replace(given, validation_share=share, seed=seed)
    return given


def made_of_other_rows(teachers: Sequence[Teacher], fingerprint: str) -> list[str]:
    """Return the folders of the teachers of which nobody knows whether they learned from the validation rows.

    Args:
        teachers: models to learn from.
        fingerprint: of the rows and their splits, `Dataset.fingerprint`.
    """
    return [str(one.folder) for one in teachers if _part(one.bundle.facts, "data").get("fingerprint") != fingerprint]


def _part(facts: BundleFacts, *names: str) -> Mapping[str, Any]:
    """Return a part of the record in a bundle; empty where it is not there, or not what it should be."""
    part: Any = facts.provenance
    for name in names:
        part = part.get(name) if isinstance(part, Mapping) else None
    return part if isinstance(part, Mapping) else {}
