"""Weights: names with and without prefix, halves made whole, a fingerprint of what counts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from limbeck.model.config import EncoderConfig, parse_config
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.weights import fingerprint_of, load_weights


def rewrite(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_prefix_and_heads_do_not_matter(tiny_folder: Path, tiny_loaded: LoadedEncoder) -> None:
    """Weights of a model with a head give the same encoder; what was left out is told."""
    tensors = {f"distilbert.{name}": tensor for name, tensor in load_file(tiny_folder / "model.safetensors").items()}
    heads = {"vocab_transform.weight": torch.zeros(16, 16), "classifier.bias": torch.zeros(3)}
    ids = {"distilbert.embeddings.position_ids": torch.arange(24)}
    rewrite(tiny_folder, tensors | heads | ids)
    loaded = load_weights(tiny_folder)
    assert fingerprint_of(loaded.encoder) == tiny_loaded.fingerprint
    assert loaded.left_out == ("classifier.bias", "vocab_transform.weight")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32(tiny_folder: Path, dtype: torch.dtype) -> None:
    """The float32 values are exactly those of the halves."""
    halves = {name: tensor.to(dtype) for name, tensor in load_file(tiny_folder / "model.safetensors").items()}
    rewrite(tiny_folder, halves)
    for name, tensor in load_weights(tiny_folder).encoder.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, halves[name].float())


def test_fixed_positions_may_be_absent(tiny_folder: Path) -> None:
    """Sinusoidal positions are computed when the file has none."""
    config = json.loads((tiny_folder / "config.json").read_text())
    (tiny_folder / "config.json").write_text(json.dumps(config | {"sinusoidal_pos_embds": True}))
    tensors = load_file(tiny_folder / "model.safetensors")
    del tensors["embeddings.position_embeddings.weight"]
    rewrite(tiny_folder, tensors)
    encoder = load_weights(tiny_folder).encoder
    assert encoder.embeddings.position_embeddings.weight[0, :4].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert not encoder.embeddings.position_embeddings.weight.requires_grad


def test_weights_do_not_hang_on_their_file(tiny_folder: Path) -> None:
    """After loading, the file may be overwritten without a change to the encoder."""
    encoder = load_weights(tiny_folder).encoder
    before = fingerprint_of(encoder)
    path = tiny_folder / "model.safetensors"
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    assert fingerprint_of(encoder) == before


def test_loaded_weights_can_be_trained(tiny_folder: Path) -> None:
    """Parameters are float32 leaves that want gradients."""
    assert all(
        parameter.requires_grad and parameter.is_leaf for parameter in load_weights(tiny_folder).encoder.parameters()
    )


def test_the_fingerprint_sees_values_and_sizes(tiny_loaded: LoadedEncoder) -> None:
    """One changed value, or another number of heads over the same tensors, is another encoder."""
    before = fingerprint_of(tiny_loaded.encoder)
    other = Encoder(replace(tiny_loaded.config, n_heads=2))
    other.load_state_dict(tiny_loaded.encoder.state_dict())
    assert fingerprint_of(other) != before
    with torch.no_grad():
        tiny_loaded.encoder.embeddings.word_embeddings.weight[3, 3] += 1e-3
    assert fingerprint_of(tiny_loaded.encoder) != before


def test_a_config_comes_back_as_it_was_written() -> None:
    """Through Hugging Face's keys and back."""
    config = EncoderConfig(vocab_size=30, dim=8, n_heads=2, activation="relu", dropout=0.0, seq_classif_dropout=0.3)
    assert parse_config(json.loads(json.dumps(config.to_hugging_face())), where="here") == config


def test_a_bert_config_is_translated() -> None:
    """BERT's names become DistilBERT's."""
    bert = {
        "model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6,
        "num_attention_heads": 12,
        "intermediate_size": 1536, "max_position_embeddings": 512, "hidden_act": "gelu", "hidden_dropout_prob": 0.2,
        "attention_probs_dropout_prob": 0.3, "layer_norm_eps": 1e-12, "pad_token_id": None,
    }  # fmt: skip
    expected = EncoderConfig(dim=384, hidden_dim=1536, dropout=0.2, attention_dropout=0.3)
    assert parse_config(bert, where="here") == expected
