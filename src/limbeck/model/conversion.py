"""A BERT is a DistilBERT with token types: the exact conversion.

In: BERT's tensors by Hugging Face's names, without prefix. Out: DistilBERT's tensors that compute the same hidden
states for one text at a time. It does not know files.

BERT adds three embeddings to each token: word, position and token type. A single text is of type 0 throughout, so row
0 of the token types can be added into every position once and for all. The layers are the same under other names; the
pooler lies behind the last hidden state and is left out.
"""

from collections.abc import Mapping

from torch import Tensor

from limbeck.errors import FaultLog, WeightsError

ENCODER_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
"""Counting tensors that older files carry; they follow from the configuration."""
HEADS = ("pooler.", "cls.", "classifier.", "pre_classifier.", "qa_outputs.", "vocab_")
"""How the names of heads and poolers begin, for one task or another; an encoder has no use for them."""

_TYPES_NAME = "embeddings.token_type_embeddings.weight"
_POSITIONS_NAME = "embeddings.position_embeddings.weight"
_LAYER_NAMES = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
OLD_ENDINGS = {".gamma": ".weight", ".beta": ".bias"}
"""The names that the first TensorFlow BERT gave a norm's parameters."""


def convert_bert(tensors: Mapping[str, Tensor], *, where: str) -> dict[str, Tensor]:
    """Rename BERT's tensors to DistilBERT's and add token type 0 into the positions.

    A name without a counterpart is passed on as it is, for the check of names that follows.

    Raises:
        WeightsError: token types are absent or do not fit the positions.
    """
    converted = {_renamed(name): tensor for name, tensor in tensors.items() if name != _TYPES_NAME}
    faults = FaultLog()
    types_KD = tensors.get(_TYPES_NAME)
    positions_PD = converted.get(_POSITIONS_NAME)
    if types_KD is None:
        faults.add(f"{_TYPES_NAME} is missing; without it a BERT cannot be converted exactly")
    elif positions_PD is not None and (
        types_KD.ndim != 2 or positions_PD.ndim != 2 or types_KD.shape[1] != positions_PD.shape[1] or not len(types_KD)
    ):
        faults.add(
            f"{_TYPES_NAME} has shape {tuple(types_KD.shape)}, which does not fit positions of shape "
            f"{tuple(positions_PD.shape)}"
        )
    faults.raise_as(WeightsError, what=f"{where} is not a whole BERT", todo="copy or download the model again")
    if types_KD is not None and positions_PD is not None:
        converted[_POSITIONS_NAME] = positions_PD + types_KD[0]
    return converted


def _renamed(name: str) -> str:
    if not name.startswith("encoder.layer."):
        return name
    number, _, rest = name.removeprefix("encoder.layer.").partition(".")
    module, _, parameter = rest.rpartition(".")
    return f"transformer.layer.{number}.{_LAYER_NAMES.get(module, module)}.{parameter}"
