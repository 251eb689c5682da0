"""A model that `transformers` saved, its Trainer's checkpoints included, becomes a `Bundle`.

In: a folder with `config.json`, `model.safetensors` and `tokenizer.json` of a DistilBertForSequenceClassification.
Out: a `Bundle` that gives the same probabilities, or the same numbers, as its `problem_type` says. It does not know
limbeck's own folders, and opens nothing pickled: of a checkpoint, the optimizer and the training arguments are left
alone.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from limbeck.errors import BundleError, FaultLog
from limbeck.model.blocks import Block
from limbeck.model.bundle import Bundle
from limbeck.model.config import EncoderConfig, parse_config
from limbeck.model.conversion import ENCODER_BUFFERS
from limbeck.model.facts import FEWEST_LABELS, BundleFacts, parse_facts
from limbeck.model.heads import ClassificationHead
from limbeck.model.loaded_encoder import LoadedEncoder, require_same_vocabulary
from limbeck.model.weights import (
    CONFIG_NAME,
    WEIGHTS_NAME,
    build_encoder,
    check_shapes,
    fingerprint_of,
    read_config,
    read_weights,
    require_model_folder,
)
from limbeck.task import MULTI, REGRESSION, SINGLE, Task
from limbeck.tokens import Tokenizer

ARCHITECTURE = "DistilBertForSequenceClassification"
_TASKS = {
    "single_label_classification": SINGLE,
    "multi_label_classification": MULTI,
    "regression": REGRESSION,
}
_PREFIX = "distilbert."
_LOGITS_BIAS = "classifier.bias"


def is_transformers_folder(folder: Path) -> bool:
    """Tell whether a folder holds a model as `transformers` saves it, of whatever kind."""
    return (folder / CONFIG_NAME).is_file()


def load_transformers_classifier(folder: Path) -> Bundle:
    """Read a DistilBERT classifier that `transformers` saved.

    Texts are cut where `transformers.pipeline(..., truncation=True)` cuts them.

    Raises:
        BundleError: gathers why the model is none that limbeck can compute.
        WeightsError: weights or configuration are unusable.
        TokenizerError: the tokenizer is unusable.
    """
    values = read_config(folder)
    where = str(folder / CONFIG_NAME)
    task = _task_of(values, where=where)
    require_model_folder(folder)
    config = parse_config(values, where=where)
    tensors = read_weights(folder, unread=_is_buffer)
    _require_head(values, tensors, where=where)
    logit_names = _logit_names(values, tensors, where=where)
    _require_logits(task, len(logit_names), where=where)
    encoder = build_encoder(config, _encoder_tensors(tensors), where=str(folder / WEIGHTS_NAME))
    tokenizer = Tokenizer.from_folder(folder, positions=config.max_position_embeddings)
    require_same_vocabulary(tokenizer, config, where=str(folder))
    stated = BundleFacts(
        head="classification",
        blocks=(Block(layer=config.n_layers, pooling="cls"),),
        max_tokens=tokenizer.max_tokens,
        label_names=logit_names if task.has_classes else (),
        task=task.name,
        provenance={
            "made_by": "transformers",
            "transformers_version": values.get("transformers_version"),
            "encoder": {"name": str(folder)},
        },
    )
    # The names are somebody else's: they are checked as those of a bundle are.
    facts = parse_facts(json.loads(json.dumps(stated.to_json())), where=where)
    return Bundle(
        loaded=LoadedEncoder(
            name=str(folder), tokenizer=tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder)
        ),
        head=_head(config, tensors, len(logit_names), where=str(folder / WEIGHTS_NAME)),
        facts=facts,
    )


def _task_of(values: Any, *, where: str) -> Task:
    """Return what the logits mean, and refuse every model that is not a DistilBERT with a classifier's head."""
    faults = FaultLog()
    given = values if isinstance(values, Mapping) else {}
    architectures = given.get("architectures")
    if architectures not in (None, [], [ARCHITECTURE]):
        faults.add(f"architectures = {architectures!r}; [{ARCHITECTURE!r}] was expected")
    if not architectures and given.get("model_type") != "distilbert":
        faults.add(f"model_type = {given.get('model_type')!r}; 'distilbert' was expected")
    problem = given.get("problem_type")
    if problem is not None and not (isinstance(problem, str) and problem in _TASKS):
        faults.add(f"problem_type = {problem!r}; one of {', '.join(map(repr, _TASKS))} was expected")
    faults.raise_as(
        BundleError,
        what=f"{where} is not of a text classifier that limbeck can open",
        todo="give a model that limbeck trained, or a DistilBERT classifier that transformers saved; an encoder alone "
        "is opened with load_encoder",
    )
    return SINGLE if problem is None else _TASKS[problem]


def _require_head(values: Mapping[str, Any], tensors: Mapping[str, Tensor], *, where: str) -> None:
    """Refuse a model that does not say what it is, and whose weights are not a classifier's either."""
    if not values.get("architectures") and not {"pre_classifier.weight", "classifier.weight"} <= tensors.keys():
        raise BundleError(
            f"{where} names no architectures, and {WEIGHTS_NAME} beside it has no classifier: it is an encoder alone, "
            f'which is opened with load_encoder; or write "architectures": ["{ARCHITECTURE}"] into {where} and save '
            "the weights of the whole model"
        )


def _require_logits(task: Task, n_logits: int, *, where: str) -> None:
    """Refuse numbers of logits that mean nothing, and one logit that nobody says the meaning of."""
    if task == SINGLE and n_logits < FEWEST_LABELS:
        raise BundleError(
            f'{where}: {n_logits} logit is not of one label per text; write "problem_type": "regression" into it where '
            'the logit is a number, or "multi_label_classification" where it says yes or no to one label'
        )
    if task == REGRESSION and n_logits != 1:
        raise BundleError(
            f"{where}: problem_type is 'regression' with {n_logits} logits; limbeck computes one number per text"
        )


def _logit_names(values: Mapping[str, Any], tensors: Mapping[str, Tensor], *, where: str) -> tuple[str, ...]:
    """Return what the logits are called, in their order; `LABEL_n`, as `transformers` says, where none are given."""
    n_labels = len(tensors[_LOGITS_BIAS]) if _LOGITS_BIAS in tensors else None
    stated = values.get("id2label")
    if stated is None:
        stated = {str(label): f"LABEL_{label}" for label in range(n_labels or FEWEST_LABELS)}
    expected = {str(label) for label in range(len(stated))} if isinstance(stated, dict) else None
    if expected is None or stated.keys() != expected or (n_labels is not None and len(stated) != n_labels):
        raise BundleError(
            f"{where}: id2label = {stated!r} does not name the {n_labels} logits of {WEIGHTS_NAME} from 0 on: correct "
            "it, or save the model again"
        )
    return tuple(_as_name(stated[str(label)]) for label in range(len(stated)))


def _as_name(name: Any) -> Any:
    """Return a class name; numbers, which `transformers` passes on as they are, become their digits."""
    return str(name) if isinstance(name, int | float) and not isinstance(name, bool) else name


def _encoder_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items() if name.startswith(_PREFIX)}


def _head(config: EncoderConfig, tensors: Mapping[str, Tensor], n_labels: int, *, where: str) -> ClassificationHead:
    head = ClassificationHead(dim=config.dim, n_labels=n_labels, dropout=config.seq_classif_dropout)
    given = {name: tensor for name, tensor in tensors.items() if not name.startswith(_PREFIX)}
    check_shapes({name: tuple(weight.shape) for name, weight in head.state_dict().items()}, given, where=where)
    head.load_state_dict(given)
    return head.eval()


def _is_buffer(name: str) -> bool:
    return name.removeprefix(_PREFIX) in ENCODER_BUFFERS
