"""The shape of an encoder: `config.json` in and out.

In: the values of a Hugging Face `config.json`, of DistilBERT or of BERT. Out: one `EncoderConfig`, checked.
It does not know weights. What limbeck cannot compute exactly is refused here, with the reason.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from limbeck.errors import FaultLog, WeightsError

Activation = Literal["gelu", "relu"]
ACTIVATIONS = ("gelu", "relu")
LAYOUTS = ("distilbert", "bert")
"""The values of `model_type` that can be read."""

_MOST = {"vocab_size": 5_000_000, "max_position_embeddings": 100_000, "n_layers": 200, "n_heads": 1_000}
_MOST_WIDTH = 100_000

_BERT_KEYS = {
    "vocab_size": "vocab_size",
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "hidden_dim": "intermediate_size",
    "max_position_embeddings": "max_position_embeddings",
    "activation": "hidden_act",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
}
"""Our name → BERT's."""
_ALIASES = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}
"""Other names that `transformers` takes for DistilBERT's own (its `attribute_map`)."""
_OPTIONAL = ("activation", "dropout", "attention_dropout")


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Sizes and rates of a DistilBERT, under Hugging Face's names.

    Attributes:
        vocab_size: tokens in the vocabulary, V.
        dim: width of a hidden state, D.
        n_layers: transformer layers.
        n_heads: attention heads, H; divides `dim`.
        hidden_dim: width inside the feed-forward net.
        max_position_embeddings: the most tokens of one text.
        sinusoidal_pos_embds: positions are fixed waves instead of learned.
        activation: of the feed-forward net.
        dropout: rate after embeddings and feed-forward nets, in training.
        attention_dropout: rate on attention weights, in training.
        seq_classif_dropout: rate inside the classification head, in training.
        initializer_range: standard deviation of newly drawn weights.
        pad_token_id: id that fills padded views; never computed.
    """

    vocab_size: int = 30522
    dim: int = 768
    n_layers: int = 6
    n_heads: int = 12
    hidden_dim: int = 3072
    max_position_embeddings: int = 512
    sinusoidal_pos_embds: bool = False
    activation: Activation = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    seq_classif_dropout: float = 0.2
    initializer_range: float = 0.02
    pad_token_id: int = 0

    @property
    def head_width(self) -> int:
        """Columns of a hidden state that one attention head sees."""
        return self.dim // self.n_heads

    def to_hugging_face(self) -> dict[str, Any]:
        """Return what `config.json` says, without `architectures`."""
        return {"model_type": "distilbert", **asdict(self)}


def parse_config(values: Any, *, where: str) -> EncoderConfig:
    """Check the values of a `config.json` and return the DistilBERT they describe; a BERT is translated.

    Args:
        values: the decoded JSON.
        where: the file, for messages.

    Raises:
        WeightsError: gathers everything that is missing, of a wrong type, or cannot be computed exactly.
    """
    if not isinstance(values, dict):
        raise WeightsError(f"{where} is not an encoder's configuration: an object of JSON was expected")
    faults = FaultLog()
    layout = values.get("model_type")
    if "auto_map" in values:
        faults.add(
            "auto_map asks for Python code from the model's author to be run; limbeck never runs code of a model"
        )
    if layout not in LAYOUTS:
        faults.add(f"model_type = {layout!r} cannot be read; known: {', '.join(LAYOUTS)}")
    else:
        _note_unsupported(values, faults)
    if layout == "distilbert":
        values = _by_own_names(values, faults)
    names = _BERT_KEYS if layout == "bert" else {name: name for name in _BERT_KEYS}
    given = _checked(values, names, faults)
    faults.raise_as(
        WeightsError,
        what=f"{where} does not describe an encoder that limbeck can compute",
        todo="use a DistilBERT or BERT encoder as Hugging Face's transformers saves it",
    )
    return EncoderConfig(**given)


def _by_own_names(values: Mapping[str, Any], faults: FaultLog) -> dict[str, Any]:
    """Return a DistilBERT's values with its own names in the place of aliases; note where two names disagree."""
    named = dict(values)
    for alias, name in _ALIASES.items():
        if alias in named and named.setdefault(name, named[alias]) != named[alias]:
            faults.add(f"{alias} = {named[alias]!r} and {name} = {named[name]!r} are two names of one size")
    return named


def _note_unsupported(values: Mapping[str, Any], faults: FaultLog) -> None:
    """Note every setting that would change the arithmetic."""
    kind = values.get("position_embedding_type", "absolute")
    if kind != "absolute":
        faults.add(f"position_embedding_type = {kind!r} cannot be computed; 'absolute' was expected")
    for key in ("is_decoder", "add_cross_attention", "pruned_heads", "quantization_config"):
        if values.get(key):
            faults.add(f"{key} = {values[key]!r} cannot be computed; a plain encoder was expected")
    epsilon = values.get("layer_norm_eps", 1e-12)
    if epsilon != 1e-12:
        faults.add(f"layer_norm_eps = {epsilon!r} differs from DistilBERT's 1e-12, so conversion would not be exact")


def _checked(values: Mapping[str, Any], names: Mapping[str, str], faults: FaultLog) -> dict[str, Any]:
    """Return the values under our names; note what is missing or out of range."""
    given = {ours: values[theirs] for ours, theirs in names.items() if theirs in values}
    for ours, theirs in names.items():
        if ours in given:
            _note_bad_value(ours, theirs, given[ours], faults)
        elif ours not in _OPTIONAL:
            faults.add(f"{theirs} is missing")
    for name in ("seq_classif_dropout", "initializer_range"):
        if name in values:
            _note_bad_rate(name, values[name], faults)
            given[name] = values[name]
    sinusoidal = values.get("sinusoidal_pos_embds", False)
    if not isinstance(sinusoidal, bool):
        faults.add(f"sinusoidal_pos_embds = {sinusoidal!r} is not true or false")
    given["sinusoidal_pos_embds"] = sinusoidal
    # Hugging Face writes null for "no padding token": nothing is padded here, so 0 serves.
    pad_id = values.get("pad_token_id")
    given["pad_token_id"] = 0 if pad_id is None else pad_id
    if not faults.count:
        if given["dim"] % given["n_heads"]:
            faults.add(f"{names['n_heads']} = {given['n_heads']} does not divide {names['dim']} = {given['dim']}")
        if not _is_whole(given["pad_token_id"], least=0, most=given["vocab_size"] - 1):
            faults.add(f"pad_token_id = {pad_id!r} is not an id of the vocabulary of {given['vocab_size']:,} tokens")
    return given


def _note_bad_value(ours: str, theirs: str, value: Any, faults: FaultLog) -> None:
    if ours == "activation":
        if value not in ACTIVATIONS:
            faults.add(f"{theirs} = {value!r} cannot be computed; known: {', '.join(ACTIVATIONS)}")
    elif ours in _OPTIONAL:
        _note_bad_rate(theirs, value, faults)
    elif not _is_whole(value, least=1, most=_MOST.get(ours, _MOST_WIDTH)):
        faults.add(f"{theirs} = {value!r} is not a whole number from 1 to {_MOST.get(ours, _MOST_WIDTH):,}")


def _note_bad_rate(name: str, value: Any, faults: FaultLog) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        faults.add(f"{name} = {value!r} is not a number from 0 to below 1")


def _is_whole(value: Any, *, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
