"""Twelve rows and whatever has a cost or is judged by them, made anew for each test from the same draw."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from limbeck.methods.distil_losses import DistilledModule, DistilLosses, Lesson, TripleWeights
from limbeck.methods.distil_settings import DistillationSettings
from limbeck.methods.language import (
    LanguageJudge,
    LanguageLosses,
    LanguageModel,
    Reading,
    Triple,
    masking_vocabulary,
)
from limbeck.methods.token_store import TokenStore, make_store
from limbeck.model.blocks import blocks_for
from limbeck.model.heads import ClassificationHead, LinearHead
from limbeck.model.language_head import LanguageHead
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.network import Network
from limbeck.reading.text_stream import open_stream
from limbeck.settings import FinetuneSettings
from limbeck.training.examples import FeatureExamples, Labelled, TextExamples
from limbeck.training.judge import Judge, LabelJudge, LabelSetJudge, NumberJudge, OrderedJudge
from limbeck.training.losses import LabelLosses, LabelSetLosses, Losses, NumberLosses, StepLosses
from limbeck.training.team import ALONE, Team

TEXTS = (
    "i feel fine", "so sad", "it is rain today", "sun", "i feel so very sad today .", "today it is fine !",
    "rainy", "very very sunny", "i feel", "is it so ?", "sad rain . sad rain .", "fine fine fine",
)  # fmt: skip
CPU = torch.device("cpu")
TARGETS = np.array([[row % 2, row % 3 == 0, row in (0, 4, 7)] for row in range(11)] + [[1, 1, 1]], dtype=bool)
TARGETS[2] = False


@dataclass(frozen=True, eq=False)
class World:
    """The rows.

    Attributes:
        loaded: a tiny encoder.
        texts: of the rows.
        labels_N: of three classes, unlike in number.
        targets_NC: which of three labels each has; one has none, one has all.
        is_labelled_N: which of them are known where some are not.
        row_ids: stay with the rows, whatever their order.
        folder: where the store is.
    """

    loaded: LoadedEncoder
    texts: tuple[str, ...]
    labels_N: NDArray[np.int64]
    targets_NC: NDArray[np.bool_]
    row_ids: tuple[str, ...]
    is_labelled_N: NDArray[np.bool_]
    folder: Path

    @cached_property
    def store(self) -> TokenStore:
        """The same texts as a `TokenStore`."""
        self.folder.mkdir()
        path = self.folder / "texts.txt"
        path.write_text("\n".join(self.texts), "utf-8")
        return make_store(open_stream(path), self.loaded.tokenizer, self.folder / "store", max_tokens=24)

    def facts(self, labels_N: NDArray[Any] | None = None) -> Labelled:
        """What the loop knows of the rows."""
        return Labelled(
            labels_N=self.labels_N if labels_N is None else labels_N,
            tokens_N=self.loaded.tokenizer.encode(self.texts).lengths,
            row_ids=self.row_ids,
        )

    @property
    def numbers_N(self) -> NDArray[np.float64]:  # noqa: N802  # an array ends in its shape letters
        """A number of each row."""
        return 100.0 + 10 * self.labels_N

    def network(self, n_labels: int = 3, seed: int = 1) -> Network:
        """An encoder of its own, and a head that is drawn."""
        torch.manual_seed(seed)
        head = ClassificationHead(dim=16, n_labels=n_labels, initializer_range=0.5)
        encoder = copy.deepcopy(self.loaded.encoder)
        return Network(encoder=encoder, blocks=blocks_for("cls", None, 2), head=head).eval()

    def language_model(self, seed: int = 1) -> LanguageModel:
        """An encoder of its own, and a language head that is drawn."""
        torch.manual_seed(seed)
        return LanguageModel(copy.deepcopy(self.loaded.encoder), LanguageHead(self.loaded.config)).eval()

    def reading(self) -> Reading:
        """Every token is masked."""
        return Reading(vocabulary=masking_vocabulary(self.loaded.tokenizer), share=1.0)


def make_world(loaded: LoadedEncoder, folder: Path, order: NDArray[np.int64] | None = None) -> World:
    """Make the world, its rows in an order if one is given."""
    order = np.arange(len(TEXTS)) if order is None else order
    texts = tuple(TEXTS[row] for row in order)
    labels_N = np.array([0, 1, 1, 0, 1, 0, 2, 0, 0, 1, 2, 0])[order]
    known_N = np.array([True, True, False] * 4)[order]
    return World(
        loaded=loaded,
        texts=texts,
        labels_N=labels_N,
        targets_NC=TARGETS[order],
        row_ids=tuple(f"train:{row + 1}" for row in order),
        is_labelled_N=known_N,
        folder=folder,
    )


def settings_of(**changes: object) -> FinetuneSettings:
    """Settings of a fine-tuning."""
    return FinetuneSettings(**{"epochs": 1, "precision": "float32", **changes})


def _labels(**changes: object) -> Callable[[World], tuple[Losses, nn.Module]]:
    def make(world: World) -> tuple[Losses, nn.Module]:
        settings = settings_of(**changes)
        binary = settings.loss == "binary"
        network = world.network(1 if binary else 3)
        facts = world.facts(world.labels_N % 2 if binary else None)
        examples = TextExamples(network, world.loaded.tokenizer.encode(world.texts), facts, use_bf16=False)
        return LabelLosses(examples, settings, 2 if binary else 3, CPU), network

    return make


def _label_sets(**changes: object) -> Callable[[World], tuple[Losses, nn.Module]]:
    def make(world: World) -> tuple[Losses, nn.Module]:
        network, facts = world.network(), world.facts(world.targets_NC)
        examples = TextExamples(network, world.loaded.tokenizer.encode(world.texts), facts, use_bf16=False)
        return LabelSetLosses(examples, settings_of(**changes), 3, CPU), network

    return make


def _labels_of_features(world: World) -> tuple[Losses, nn.Module]:
    random = torch.Generator().manual_seed(2)
    features_NF = torch.randn(len(world.texts), 6, generator=random).numpy()
    head = LinearHead(torch.randn(3, 6, generator=random), torch.randn(3, generator=random))
    return LabelLosses(FeatureExamples(head, features_NF, world.facts()), settings_of(), 3, CPU), head


def _steps(**changes: object) -> Callable[[World], tuple[Losses, nn.Module]]:
    def make(world: World) -> tuple[Losses, nn.Module]:
        network, facts = world.network(2), world.facts()
        examples = TextExamples(network, world.loaded.tokenizer.encode(world.texts), facts, use_bf16=False)
        return StepLosses(examples, settings_of(**changes), 3, CPU), network

    return make


def _numbers(**changes: object) -> Callable[[World], tuple[Losses, nn.Module]]:
    def make(world: World) -> tuple[Losses, nn.Module]:
        network, facts = world.network(1), world.facts(world.numbers_N)
        examples = TextExamples(network, world.loaded.tokenizer.encode(world.texts), facts, use_bf16=False)
        return NumberLosses(examples, settings_of(**changes), 0, CPU), network

    return make


def _distillation(
    width: int | None = None, *, is_sets: bool = False, **changes: object
) -> Callable[[World], tuple[Losses, nn.Module]]:
    def make(world: World) -> tuple[Losses, nn.Module]:
        torch.manual_seed(4)
        module = DistilledModule(world.network(), width)
        examples = TextExamples(
            module.network, world.loaded.tokenizer.encode(world.texts), world.facts(), use_bf16=False
        )
        random = torch.Generator().manual_seed(3)
        softened = torch.randn(len(world.texts), 3, generator=random)
        lesson = Lesson(
            rows=world.facts(),
            labels_N=world.targets_NC if is_sets else np.where(world.is_labelled_N, world.labels_N, 0),
            is_labelled_N=world.is_labelled_N,
            softened_NC=softened.sigmoid() if is_sets else softened.softmax(dim=1),
            features_NF=torch.randn(len(world.texts), width or 16, generator=random),
        )
        return DistilLosses(module, examples, lesson, DistillationSettings(**changes)), module

    return make


def _language(*, taught: bool) -> Callable[[World], tuple[Losses, nn.Module]]:
    def make(world: World) -> tuple[Losses, nn.Module]:
        model, rows = world.language_model(), np.arange(len(world.texts))
        teacher = world.language_model(seed=9)
        triple = Triple(teacher=teacher, weights=TripleWeights(), temperature=2.0) if taught else None
        return LanguageLosses(model, world.store, rows, world.reading(), triple), model

    return make


COSTS: dict[str, Callable[[World], tuple[Losses, nn.Module]]] = {
    "labels": _labels(),
    "labels, smoothing": _labels(label_smoothing=0.1),
    "labels, binary": _labels(loss="binary"),
    "labels, weights": _labels(balance="weights"),
    "labels, focal": _labels(balance="focal"),
    "ordered classes": _steps(),
    "ordered classes, weights": _steps(balance="weights"),
    "numbers": _numbers(),
    "numbers, Huber": _numbers(loss="huber"),
    "label sets": _label_sets(),
    "label sets, smoothing": _label_sets(label_smoothing=0.1),
    "label sets, weights": _label_sets(balance="weights"),
    "label sets, focal": _label_sets(balance="focal"),
    "labels of features": _labels_of_features,
    "distillation": _distillation(teacher_weight=0.5),
    "distillation, labels alone": _distillation(teacher_weight=0.0),
    "distillation, states": _distillation(teacher_weight=0.9, hidden_weight=1.0),
    "distillation, wider states": _distillation(24, teacher_weight=0.9, hidden_weight=1.0),
    "distillation, label sets": _distillation(is_sets=True, teacher_weight=0.5),
    "masked tokens": _language(taught=False),
    "the triple loss": _language(taught=True),
}
MAKERS_OF_COSTS = ("LabelLosses", "LabelSetLosses", "StepLosses", "NumberLosses", "DistilLosses", "LanguageLosses")


def _label_judge(loss: str, best_by: str) -> Callable[[World, Team], tuple[Judge, nn.Module]]:
    def make(world: World, team: Team = ALONE) -> tuple[Judge, nn.Module]:
        settings = settings_of(loss=loss, best_by=best_by)
        network = world.network(1 if loss == "binary" else 3)
        facts = world.facts(world.labels_N % 2 if loss == "binary" else None)
        examples = TextExamples(network, world.loaded.tokenizer.encode(world.texts), facts, use_bf16=False)
        return LabelJudge(network, examples, settings, 2 if loss == "binary" else 3, team=team), network

    return make


def _ordered_judge(best_by: str) -> Callable[[World, Team], tuple[Judge, nn.Module]]:
    def make(world: World, team: Team = ALONE) -> tuple[Judge, nn.Module]:
        network, facts = world.network(2), world.facts()
        examples = TextExamples(network, world.loaded.tokenizer.encode(world.texts), facts, use_bf16=False)
        return OrderedJudge(network, examples, settings_of(best_by=best_by), 3, team=team), network

    return make


def _number_judge(world: World, team: Team = ALONE) -> tuple[Judge, nn.Module]:
    network, facts = world.network(1), world.facts(world.numbers_N)
    examples = TextExamples(network, world.loaded.tokenizer.encode(world.texts), facts, use_bf16=False)
    return NumberJudge(network, examples, settings_of(), 0, team=team), network


def _label_set_judge(best_by: str) -> Callable[[World, Team], tuple[Judge, nn.Module]]:
    def make(world: World, team: Team = ALONE) -> tuple[Judge, nn.Module]:
        network, facts = world.network(), world.facts(world.targets_NC)
        examples = TextExamples(network, world.loaded.tokenizer.encode(world.texts), facts, use_bf16=False)
        return LabelSetJudge(network, examples, settings_of(best_by=best_by), 3, team=team), network

    return make


def _language_judge(world: World, team: Team = ALONE) -> tuple[Judge, nn.Module]:
    model = world.language_model()
    return LanguageJudge(model, world.store, np.arange(len(world.texts)), world.reading(), seed=5), model


JUDGES: dict[str, Callable[[World, Team], tuple[Judge, nn.Module]]] = {
    "labels by F1": _label_judge("cross-entropy", "f1_macro"),
    "labels by accuracy": _label_judge("cross-entropy", "accuracy"),
    "labels by loss": _label_judge("binary", "loss"),
    "ordered classes by accuracy": _ordered_judge("accuracy"),
    "ordered classes by loss": _ordered_judge("loss"),
    "numbers by loss": _number_judge,
    "label sets by F1": _label_set_judge("f1_macro"),
    "label sets by the default": _label_set_judge("accuracy"),
    "label sets by loss": _label_set_judge("loss"),
    "masked tokens": _language_judge,
}
MAKERS_OF_JUDGES = ("LabelJudge", "LabelSetJudge", "OrderedJudge", "NumberJudge", "LanguageJudge")
SHARED_OUT = ("labels by F1", "labels by accuracy", "labels by loss", "label sets by F1", "label sets by loss")
"""Judges that a team of processes shares the rows of."""
