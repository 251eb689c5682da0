"""A model is one folder: safetensors and JSON, never pickle.

    config.json            the encoder's sizes and the class names, as Hugging Face has them
    model.safetensors      distilbert.*; pre_classifier.* and classifier.* (fine-tuned) or head.* (linear)
    tokenizer.json         with tokenizer_config.json beside it
    limbeck.json           what `BundleFacts` says
    README.md              the model card
    manifest.json          SHA-256 and size of each of the others

In: a `Bundle` and a card, or a folder. Out: a folder that is whole, or a `Bundle`.
It does not know how a model is trained. A fine-tuned bundle opens in `transformers` as it is; one with a linear head
opens there as an encoder, and as a classifier not at all.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.errors import BundleError, StorageError
from limbeck.model.answers_line import with_answers
from limbeck.model.blocks import Block
from limbeck.model.config import EncoderConfig, parse_config
from limbeck.model.facts import FACTS_NAME, BundleFacts, parse_facts
from limbeck.model.heads import ClassificationHead, Head, LinearHead, softmax_of
from limbeck.model.loaded_encoder import LoadedEncoder, require_same_vocabulary
from limbeck.model.network import Network
from limbeck.model.weights import (
    CONFIG_NAME,
    WEIGHTS_NAME,
    build_encoder,
    check_shapes,
    fingerprint_of,
    fingerprint_of_tensors,
    read_config,
    read_tensors,
    require_model_folder,
    write_tensors,
)
from limbeck.settings import TaskKind
from limbeck.storage import (
    MANIFEST_NAME,
    check_manifest,
    explained,
    json_bytes,
    read_json,
    replace_listed,
    sha256_of,
    staged_folder,
    write_json,
    write_manifest,
    write_text,
)
from limbeck.task import SINGLE, Task
from limbeck.tokens import TOKENIZER_CONFIG_NAME, TOKENIZER_NAME, Tokenizer, Window

BUNDLE_NAME = "bundle"
"""The bundle's folder inside a run folder."""
CARD_NAME = "README.md"
_HOSTED = (CARD_NAME, ".gitattributes", ".git", ".cache")
"""What the hub, git and the hub's client put into a published bundle, whose manifest does not list its card."""
PROBLEM_TYPES: dict[TaskKind, str] = {
    "single": "single_label_classification",
    "multi": "multi_label_classification",
    "ordinal": "multi_label_classification",
    "regression": "regression",
}
"""What Hugging Face calls each shape of answer; ordered classes are there what their logits are, one yes or no each."""
_ENCODER_PREFIX = "distilbert."
_LINEAR_PREFIX = "head."
_NO_CLASSIFIER = "pre_classifier.weight"
"""A tensor of a shape that fits nothing, beside a linear head. `transformers` opens such a folder as the encoder that
it holds; as a classifier it would draw a random head and answer: with this name it says that sizes do not match."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """A model that answers texts.

    Attributes:
        loaded: encoder and tokenizer.
        head: on the features of `facts.blocks`.
        facts: everything else.
    """

    loaded: LoadedEncoder
    head: Head
    facts: BundleFacts

    @property
    def task(self) -> Task:
        """The shape of an answer."""
        return self.facts.shape

    def answers(self, features_NF: np.ndarray) -> np.ndarray:
        """Return what the head says of features, float32: probabilities (N, C), or numbers (N, 1).

        Rounded as they are kept and written: a threshold must say the same of a row and of the file it is read from.
        """
        return self.answers_of_logits(self.head.logits(features_NF))

    def answers_of_logits(self, logits_NC: np.ndarray) -> np.ndarray:
        """Return what logits mean, float32."""
        return softmax_of(logits_NC).astype(np.float32) if self.task == SINGLE else self.task.answers(logits_NC)

    def network(self) -> Network:
        """Return encoder, pooling and head as one module, sharing their weights."""
        return Network(encoder=self.loaded.encoder, blocks=self.facts.blocks, head=self.head)

    @property
    def window(self) -> Window:
        """What is read of a text."""
        return Window(name=self.facts.window or self.loaded.tokenizer.own_window, max_tokens=self.facts.max_tokens)

    @property
    def is_frozen(self) -> bool:
        """True when the encoder is as it was before training: the head learned from its features."""
        encoder = self.facts.provenance.get("encoder")
        return isinstance(encoder, Mapping) and encoder.get("weights") == self.loaded.fingerprint

    @property
    def feature_numerics(self) -> str | None:
        """The engine that made the features which the head learned from; None where the encoder was trained too."""
        encoder = self.facts.provenance.get("encoder")
        numerics = encoder.get("numerics") if self.is_frozen and isinstance(encoder, Mapping) else None
        return numerics if isinstance(numerics, str) else None

    def head_fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of what the head sees and of its weights."""
        return fingerprint_of_tensors(" ".join(map(str, self.facts.blocks)), self.head.state_dict())

    def digest(self) -> str:
        """Return the SHA-256 of the manifest, which lists every file's; without one, of what the model holds."""
        manifest = Path(self.loaded.name) / MANIFEST_NAME
        if manifest.is_file():
            return sha256_of(manifest)
        facts = json.dumps(self.facts.to_json(), sort_keys=True, default=str)
        parts = [self.loaded.fingerprint, self.loaded.tokenizer.fingerprint, self.head_fingerprint(), facts]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def save_bundle(bundle: Bundle, folder: Path, *, card: str) -> None:
    """Write a bundle, whole or not at all.

    Args:
        bundle: the model.
        folder: does not exist yet, or is empty.
        card: the model card, Markdown.

    Raises:
        BundleError: head, label names, blocks and sizes do not fit each other.
        StorageError: the folder exists, or cannot be written.
    """
    config = bundle.loaded.config
    facts = parse_facts(_as_json(bundle.facts), where="the bundle's facts")
    _require_fit(facts, config, where=str(folder))
    if bundle.head.kind != facts.head or bundle.head.n_labels != _n_logits(facts):
        raise BundleError(
            f"the {bundle.head.kind} head with {bundle.head.n_labels} classes is not the {facts.head} head with "
            f"{len(facts.label_names)} label names that the facts state"
        )
    weights = {
        name: weight.detach().to("cpu", torch.float32).contiguous()
        for name, weight in bundle.network().hugging_face_state().items()
    }
    if facts.head == "linear":
        weights[_NO_CLASSIFIER] = torch.zeros(1)
    with staged_folder(folder) as staged:
        write_json(staged / CONFIG_NAME, _hugging_face_config(config, facts))
        write_tensors(weights, staged / WEIGHTS_NAME)
        write_text(staged / TOKENIZER_NAME, bundle.loaded.tokenizer.content)
        stated = bundle.loaded.tokenizer.config(max_tokens=facts.max_tokens, window=facts.window)
        write_json(staged / TOKENIZER_CONFIG_NAME, stated)
        write_json(staged / FACTS_NAME, facts.to_json())
        write_text(staged / CARD_NAME, card)
        write_manifest(staged)


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle, after checking that it is what was written.

    Raises:
        BundleError: a file is missing, was added or changed, the format is unknown, or parts do not fit each other.
        WeightsError: weights or configuration are unusable.
        TokenizerError: the tokenizer is unusable.
    """
    if not folder.is_dir():
        raise BundleError(
            f"{folder} {'is a file' if folder.exists() else 'does not exist'}: give the folder of a trained model"
        )
    if not (folder / FACTS_NAME).is_file():
        raise BundleError(
            f"{folder} has no {FACTS_NAME}: it is not a model that limbeck trained; an encoder alone is loaded with "
            "load_encoder"
        )
    check_manifest(folder, may_be_added=_HOSTED)
    try:
        facts = parse_facts(read_json(folder / FACTS_NAME), where=str(folder / FACTS_NAME))
    except StorageError as error:
        raise BundleError(str(error)) from error
    require_model_folder(folder)
    values = read_config(folder)
    config = parse_config(values, where=str(folder / CONFIG_NAME))
    _require_fit(facts, config, where=str(folder))
    _require_same_labels(values, facts, where=str(folder))
    tensors = read_tensors(folder / WEIGHTS_NAME)
    encoder_tensors = {
        name.removeprefix(_ENCODER_PREFIX): tensor
        for name, tensor in tensors.items()
        if name.startswith(_ENCODER_PREFIX)
    }
    head_tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_ENCODER_PREFIX)}
    encoder = build_encoder(config, encoder_tensors, where=str(folder / WEIGHTS_NAME))
    head = _build_head(facts, config, head_tensors, where=str(folder / WEIGHTS_NAME))
    tokenizer = Tokenizer.from_folder(folder, positions=config.max_position_embeddings)
    require_same_vocabulary(tokenizer, config, where=str(folder))
    if tokenizer.max_tokens < facts.max_tokens:
        raise BundleError(
            f"{folder}: {FACTS_NAME} says max_tokens = {facts.max_tokens} but {TOKENIZER_CONFIG_NAME} says "
            f"model_max_length = {tokenizer.max_tokens}: copy the model folder again"
        )
    loaded = LoadedEncoder(name=str(folder), tokenizer=tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder))
    return Bundle(loaded=loaded, head=head, facts=facts)


def set_thresholds(folder: Path, thresholds: tuple[float, ...] | None, *, chosen: Mapping[str, Any] | None) -> None:
    """Write the thresholds of a bundle of one label per row into it, and then into the line of its card that says so.

    After a kill at any moment the bundle is whole, with the old or the new ones; the card is changed last.

    Args:
        folder: of the bundle.
        thresholds: one a class; None to answer every row.
        chosen: how they were chosen, for the provenance.

    Raises:
        BundleError: the bundle was changed since it was written, or the thresholds do not fit it.
        StorageError: the folder cannot be written.
    """
    facts = _facts_to_change(folder)
    _write_facts(folder, replace(facts, thresholds=thresholds, provenance=_provenance(facts, "thresholds", chosen)))


def set_label_thresholds(
    folder: Path, thresholds: tuple[float, ...] | None, *, chosen: Mapping[str, Any] | None
) -> None:
    """Write the thresholds of a bundle of any number of labels per row into it, and then into the line of its card.

    Args:
        folder: of the bundle.
        thresholds: one a label; None to give every label from 0.5 on.
        chosen: how they were chosen, for the provenance.

    Raises:
        BundleError: the bundle was changed since it was written, or the thresholds do not fit it.
        StorageError: the folder cannot be written.
    """
    facts = _facts_to_change(folder)
    provenance = _provenance(facts, "label_thresholds", chosen)
    _write_facts(folder, replace(facts, label_thresholds=thresholds, provenance=provenance))


def _facts_to_change(folder: Path) -> BundleFacts:
    check_manifest(folder, may_be_added=_HOSTED)
    return parse_facts(read_json(folder / FACTS_NAME), where=str(folder / FACTS_NAME))


def _provenance(facts: BundleFacts, name: str, chosen: Mapping[str, Any] | None) -> dict[str, Any]:
    kept = {key: value for key, value in facts.provenance.items() if key != name}
    return kept if chosen is None else {**kept, name: chosen}


def _write_facts(folder: Path, changed: BundleFacts) -> None:
    parse_facts(_as_json(changed), where="the changed facts")
    replace_listed(folder, FACTS_NAME, json_bytes(changed.to_json()), may_be_added=_HOSTED)
    if not (folder / CARD_NAME).exists():
        return
    with explained(folder / CARD_NAME, doing="read"):
        card = (folder / CARD_NAME).read_text("utf-8")
    replace_listed(folder, CARD_NAME, with_answers(card, changed).encode(), may_be_added=_HOSTED)


def _as_json(facts: BundleFacts) -> Any:
    """Give facts the form that they have once they were written and read."""
    values = facts.to_json()
    values["blocks"] = [dict(block) for block in values["blocks"]]
    values["label_names"] = list(facts.label_names)
    for key in ("thresholds", "label_thresholds"):
        if values.get(key) is not None:
            values[key] = list(values[key])
    values["provenance"] = dict(facts.provenance)
    if facts.pair is not None:
        values["pair"] = list(facts.pair)
    return values


def _hugging_face_config(config: EncoderConfig, facts: BundleFacts) -> dict[str, Any]:
    # Without architectures, pipelines of `transformers` try the classifier and nothing else.
    named = {"architectures": ["DistilBertForSequenceClassification"]} if facts.head == "classification" else {}
    return {
        **named,
        **config.to_hugging_face(),
        "problem_type": PROBLEM_TYPES[facts.task],
        "id2label": {str(label): name for label, name in enumerate(_logit_names(facts))},
        "label2id": {name: label for label, name in enumerate(_logit_names(facts))},
    }


def _n_logits(facts: BundleFacts) -> int:
    return facts.shape.n_logits(len(facts.label_names))


def _logit_names(facts: BundleFacts) -> tuple[str, ...]:
    """Return what `transformers` is to call each logit."""
    if facts.task == "ordinal":
        return tuple(f"above {name}" for name in facts.label_names[:-1])
    return facts.label_names if facts.shape.has_classes else ("number",)


def _require_fit(facts: BundleFacts, config: EncoderConfig, *, where: str) -> None:
    """Refuse facts that the encoder cannot have."""
    advice = "copy the model folder again, or train again"
    if highest := [block.layer for block in facts.blocks if block.layer > config.n_layers]:
        raise BundleError(
            f"{where}: the head pools layer {highest[0]}, but the encoder has {config.n_layers} layers: {advice}"
        )
    if facts.max_tokens > config.max_position_embeddings:
        raise BundleError(
            f"{where}: max_tokens = {facts.max_tokens} is above the encoder's {config.max_position_embeddings} "
            f"positions: {advice}"
        )
    if facts.head == "classification" and facts.blocks != (Block(layer=config.n_layers, pooling="cls"),):
        raise BundleError(f"{where}: a classification head sees [CLS] of the last layer and nothing else: {advice}")


def _require_same_labels(values: Any, facts: BundleFacts, *, where: str) -> None:
    expected = {str(label): name for label, name in enumerate(_logit_names(facts))}
    if values.get("id2label") != expected:
        raise BundleError(
            f"{where}: id2label of {CONFIG_NAME} is {values.get('id2label')!r}, but {FACTS_NAME} names the classes "
            f"{', '.join(facts.label_names)}: copy the model folder again"
        )


def _build_head(facts: BundleFacts, config: EncoderConfig, tensors: dict[str, Tensor], *, where: str) -> Head:
    n_labels = _n_logits(facts)
    head: Head
    if facts.head == "classification":
        prefix = ""
        # On "meta" nothing is drawn: opening a model leaves the caller's random numbers alone.
        with torch.device("meta"):
            head = ClassificationHead(dim=config.dim, n_labels=n_labels, dropout=config.seq_classif_dropout)
    else:
        prefix = _LINEAR_PREFIX
        tensors = {name: tensor for name, tensor in tensors.items() if name != _NO_CLASSIFIER}
        head = LinearHead.zeros(n_labels, config.dim * len(facts.blocks))
    expected = {f"{prefix}{name}": tuple(weight.shape) for name, weight in head.state_dict().items()}
    check_shapes(expected, tensors, where=where)
    values = {name.removeprefix(prefix): tensor.float() for name, tensor in tensors.items()}
    head.load_state_dict(values, assign=True)
    return head.eval()
