"""Hostile encoder folders: each is refused, with a message that names what is wrong and says what to do."""

# ruff: noqa: E501  # one case a line reads as a table

import contextlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from limbeck.catalog.presets import load_encoder_folder
from limbeck.errors import ModelError, TokenizerError, WeightsError

Damage = Callable[[Path], None]
QUERY = "transformer.layer.0.attention.q_lin.weight"


def config(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        kept = {key: value for key, value in (values | changes).items() if value is not ...}
        (folder / "config.json").write_text(json.dumps(kept))

    return damage


def config_text(content: str) -> Damage:
    return lambda folder: (folder / "config.json").write_bytes(content.encode("utf-8", "surrogatepass")) and None


def tensors(**changes: Any) -> Damage:
    """Replace, add or (with ...) remove tensors; a dot in a name is written `__`."""

    def damage(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        for name, change in changes.items():
            key = name.replace("__", ".")
            if change is ...:
                del held[key]
            else:
                held[key] = change(held.get(key))
        save_file({name: tensor.contiguous() for name, tensor in held.items()}, folder / "model.safetensors")

    return damage


def content(change: Callable[[bytes], bytes], name: str = "model.safetensors") -> Damage:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes())) and None


def header(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Rewrite the header of the safetensors file and leave the data as they are."""

    def rewrite(whole: bytes) -> bytes:
        (size,) = struct.unpack("<Q", whole[:8])
        described = json.loads(whole[8 : 8 + size])
        change(described)
        encoded = json.dumps(described).encode()
        return struct.pack("<Q", len(encoded)) + encoded + whole[8 + size :]

    return content(rewrite)


def instead_of_weights(*names: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        for name in names:
            (folder / name).write_bytes(b"\x80\x04cposix\nsystem\n")

    return damage


def remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def tokenizer(change: Callable[[dict[str, Any]], object]) -> Damage:
    def rewrite(whole: bytes) -> bytes:
        definition = json.loads(whole)
        change(definition)
        return json.dumps(definition).encode()

    return content(rewrite, "tokenizer.json")


def spoiled(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def spoil(tensor: torch.Tensor) -> torch.Tensor:
        tensor[0, 1] = value
        return tensor

    return spoil


def directory_for_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()


def a_level_too_high(folder: Path) -> None:
    (folder / "bundle").mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).rename(folder / "bundle" / name)


def bert_without_token_types(folder: Path) -> None:
    bert = {
        "model_type": "bert", "vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 32, "max_position_embeddings": 24,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(bert))


LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


def shards(index: object) -> Damage:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    return damage


CASES: dict[str, tuple[Damage, str]] = {
    # Formats that are never opened
    "pickled .bin only": (instead_of_weights("pytorch_model.bin"), r"has pytorch_model\.bin but no model\.safetensors: reading a pickled file can run code"),
    "pickled .pt only": (instead_of_weights("model.pt"), r"model\.pt .* never opened here; convert it"),
    "pickled .pkl only": (instead_of_weights("model.pkl"), r"model\.pkl .* can run code"),
    "checkpoint .ckpt only": (instead_of_weights("epoch3.ckpt"), r"epoch3\.ckpt .* can run code"),
    "Keras .h5 only": (instead_of_weights("tf_model.h5"), r"has tf_model\.h5 but no model\.safetensors: only safetensors is read"),
    "a list of shards that is none": (instead_of_weights("model.safetensors.index.json"), "it is not valid JSON"),
    "a list of shards without names": (shards({"weight_map": []}), "does not say which file holds which tensor"),
    "a shard that is missing": (shards({"weight_map": {"a": "model-00001.safetensors"}}), r"lacks model-00001\.safetensors, which"),
    "a shard outside the folder": (shards({"weight_map": {"a": "../model.safetensors"}}), "which is not inside"),
    "an adapter alone": (instead_of_weights("adapter_model.safetensors"), r"it is an adapter .*merge_and_unload\(\)"),
    "weights that Git LFS kept": (content(lambda whole: LFS_POINTER), r"model\.safetensors is a Git LFS pointer.*git lfs pull"),
    "a tokenizer that Git LFS kept": (content(lambda whole: LFS_POINTER, "tokenizer.json"), r"tokenizer\.json: it is a Git LFS pointer.*git lfs pull"),
    "no weights at all": (remove("model.safetensors"), r"has no model\.safetensors: give a folder with"),
    "the folder of a run": (a_level_too_high, r"has no model\.safetensors, but a folder inside it has: give .*bundle"),
    "a folder in place of the weights": (directory_for_weights, r"has no model\.safetensors"),
    # A pickle under the right name
    "a pickle called safetensors": (content(lambda whole: b"\x80\x04cposix\nsystem\n" * 9), "is not a whole safetensors file"),
    "an empty file": (content(lambda whole: b""), "is not a whole safetensors file"),
    "cut in the header": (content(lambda whole: whole[:100]), "cut off or damaged; copy or download it again"),
    "cut in the data": (content(lambda whole: whole[:-1]), "cut off or damaged"),
    "data at the end that nobody owns": (content(lambda whole: whole + b"\0" * 64), "is not a whole safetensors file"),
    "a header of 2**63 bytes": (content(lambda whole: struct.pack("<Q", 2**63) + whole[8:]), "is not a whole safetensors file"),
    "a header that is no JSON": (content(lambda whole: whole[:8] + b"x" + whole[9:]), "is not a whole safetensors file"),
    "a header that lies about a shape": (header(lambda held: held[QUERY].update(shape=[4096, 4096])), "is not a whole safetensors file"),
    "a header with offsets outside the file": (header(lambda held: held[QUERY].update(data_offsets=[0, 2**40])), "is not a whole safetensors file"),
    "a header with overlapping tensors": (header(lambda held: held[QUERY].update(data_offsets=[0, 1024])), "is not a whole safetensors file"),
    "a header with a type that is none": (header(lambda held: held[QUERY].update(dtype="F33")), "is not a whole safetensors file"),
    # Tensors that do not fit
    "a tensor missing": (tensors(transformer__layer__1__ffn__lin1__bias=...), r"transformer\.layer\.1\.ffn\.lin1\.bias is missing; shape \(32\) was expected"),
    "a tensor too many": (tensors(backdoor=lambda none: torch.ones(2)), "backdoor is not a weight of this model"),
    "a transposed tensor": (tensors(transformer__layer__0__ffn__lin1__weight=lambda held: held.T), r"has shape \(16, 32\); \(32, 16\) was expected"),
    "a scalar in place of a matrix": (tensors(embeddings__word_embeddings__weight=lambda held: torch.tensor(1.0)), r"has shape \(\); \(20, 16\) was expected"),
    "integers": (tensors(transformer__layer__0__ffn__lin1__weight=lambda held: held.to(torch.int8)), r"ffn\.lin1\.weight is of type I8; one of F32, F16, BF16 was expected"),
    "doubles": (tensors(embeddings__word_embeddings__weight=lambda held: held.double()), "is of type F64"),
    "NaN": (tensors(embeddings__word_embeddings__weight=spoiled(float("nan"))), r"embeddings\.word_embeddings\.weight has 1 values that are NaN or infinite"),
    "infinity": (tensors(embeddings__word_embeddings__weight=spoiled(float("-inf"))), "has 1 values that are NaN or infinite"),
    "a BERT without token types": (bert_without_token_types, r"token_type_embeddings\.weight is missing; without it a BERT cannot be converted exactly"),
    # Configurations
    "no config": (remove("config.json"), r"config\.json: no such file.*an encoder's folder has config\.json beside"),
    "a config that is no JSON": (config_text("{"), "is not valid JSON"),
    "a config nested without end": (config_text("[" * 200_000), "is not valid JSON"),
    "a config that is no text": (config_text("\ud800"), "is not valid JSON"),
    "a config that is a list": (config_text("[]"), "an object of JSON was expected"),
    "a config with code of its own": (config(auto_map={"AutoModel": "evil.Model"}), "auto_map asks for Python code from the model's author to be run; limbeck never runs code"),
    "another architecture": (config(model_type="gpt2"), "model_type = 'gpt2' cannot be read; known: distilbert, bert"),
    "another activation": (config(activation="silu"), "activation = 'silu' cannot be computed; known: gelu, relu"),
    "relative positions": (config(position_embedding_type="relative_key"), "position_embedding_type = 'relative_key' cannot be computed"),
    "another epsilon": (config(layer_norm_eps=1e-5), "layer_norm_eps = 1e-05 differs from DistilBERT's 1e-12"),
    "a decoder": (config(is_decoder=True), "is_decoder = True cannot be computed"),
    "pruned heads": (config(pruned_heads={"0": [1]}), "pruned_heads = .* cannot be computed"),
    "a quantised model": (config(quantization_config={"bits": 4}), "quantization_config = .* cannot be computed"),
    "a size missing": (config(dim=...), "dim is missing"),
    "a size that is text": (config(n_layers="two"), "n_layers = 'two' is not a whole number from 1 to 200"),
    "a size that is true": (config(n_layers=True), "n_layers = True is not a whole number"),
    "a size that would fill the memory": (config(vocab_size=10**12), "vocab_size = 1000000000000 is not a whole number from 1 to 5,000,000"),
    "no layers": (config(n_layers=0), "n_layers = 0 is not a whole number from 1"),
    "heads that do not divide": (config(n_heads=5), "n_heads = 5 does not divide dim = 16"),
    "a dropout above 1": (config(dropout=1.5), "dropout = 1.5 is not a number from 0 to below 1"),
    "a padding id outside the vocabulary": (config(pad_token_id=20), "pad_token_id = 20 is not an id of the vocabulary of 20 tokens"),
    "more layers than the weights have": (config(n_layers=3), r"transformer\.layer\.2\..* is missing"),
    "fewer layers than the weights have": (config(n_layers=1), r"transformer\.layer\.1\..* is not a weight of this model"),
    # Tokenizers
    "no tokenizer": (remove("tokenizer.json"), r"has no tokenizer\.json: save it there with"),
    "a tokenizer that is no JSON": (content(lambda whole: whole[:-9], "tokenizer.json"), r"tokenizer\.json: it is not valid JSON"),
    "a tokenizer that is a list": (content(lambda whole: b"[1]", "tokenizer.json"), "an object of JSON was expected"),
    "a tokenizer without a model": (tokenizer(lambda held: held.pop("model")), "is not a usable tokenizer"),
    "a tokenizer without [CLS] and [SEP]": (tokenizer(lambda held: held.update(post_processor=None)), r"does not wrap a text as \[CLS\] … \[SEP\]"),
    "a tokenizer without [MASK]": (tokenizer(lambda held: (held["model"]["vocab"].pop("[MASK]"), held.update(added_tokens=[]))), r"lacks the special tokens \[MASK\]"),
    "a template without its ids": (tokenizer(lambda held: held["post_processor"].update(special_tokens={})), r"its template names '\[CLS\]' without giving its id"),
    "an unknown token that is unknown": (tokenizer(lambda held: held["model"].update(unk_token="x")), "Missing .* from the vocabulary"),  # noqa: S106
    "a tokenizer larger than the encoder": (tokenizer(lambda held: held["model"]["vocab"].update(snow=20)), "has ids up to 20 but the encoder has embeddings for 20 tokens only"),
    "a capital rule that is no rule": (content(lambda whole: b'{"do_lower_case": "no"}', "tokenizer_config.json"), "do_lower_case = 'no' is neither true nor false"),
    "a side that is none": (content(lambda whole: b'{"truncation_side": "top"}', "tokenizer_config.json"), "truncation_side = 'top' is neither 'right' nor 'left'"),
    "two names of one size": (config(hidden_size=24), "hidden_size = 24 and dim = 16 are two names of one size"),
    "a maximum length that is text": (content(lambda whole: b'{"model_max_length": "long"}', "tokenizer_config.json"), "model_max_length = 'long' is not a number of at least 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_folder_is_refused_by_name(tiny_folder: Path, case: str) -> None:
    """The error is one of the model's, names the file or the tensor, and says what was expected."""
    damage, message = CASES[case]
    damage(tiny_folder)
    with pytest.raises(ModelError, match=message) as caught:
        load_encoder_folder(tiny_folder)
    assert str(tiny_folder) in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_any_json_opens_or_is_refused(tiny_folder: Path, name: str, data: st.DataObject) -> None:
    """Whatever stands under any key of a model's JSON files, the folder opens or one of our errors names what is wrong."""
    path = tiny_folder / name
    whole = path.read_bytes()
    values = json.loads(whole)
    key = data.draw(st.sampled_from(sorted({*values, "id2label", "do_lower_case", "truncation_side", "auto_map"})))
    try:
        path.write_text(json.dumps({**values, key: data.draw(JSON)}))
        with contextlib.suppress(ModelError):
            load_encoder_folder(tiny_folder)
    finally:
        path.write_bytes(whole)


def test_faults_are_gathered(tiny_folder: Path) -> None:
    """Several wrong tensors are named at once, with their number."""
    tensors(
        transformer__layer__0__ffn__lin1__bias=...,
        transformer__layer__1__ffn__lin1__bias=...,
        backdoor=lambda none: torch.ones(2),
    )(tiny_folder)
    with pytest.raises(WeightsError, match=r"does not fit the config\.json beside it \(3 faults\)"):
        load_encoder_folder(tiny_folder)


def test_a_file_or_nothing_in_place_of_a_folder(tiny_folder: Path) -> None:
    """A path to the weights themselves is told apart from a path to nothing."""
    with pytest.raises(ModelError, match="is a file: give a folder"):
        load_encoder_folder(tiny_folder / "model.safetensors")
    with pytest.raises(WeightsError, match="neither a preset nor a folder"):
        load_encoder_folder(tiny_folder / "nothing")


def test_an_old_vocabulary_file_is_pointed_out(tiny_folder: Path) -> None:
    """vocab.txt alone is the older form; the message says how to make the newer one."""
    (tiny_folder / "tokenizer.json").rename(tiny_folder / "vocab.txt")
    with pytest.raises(TokenizerError, match=r"it has vocab\.txt, the older form"):
        load_encoder_folder(tiny_folder)


def test_a_pickle_beside_the_weights_is_never_opened(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With safetensors present, a pickled twin is not even read."""
    before = load_encoder_folder(tiny_folder).fingerprint
    monkeypatch.setattr(torch, "load", None)
    (tiny_folder / "pytorch_model.bin").write_bytes(b"\x80\x04cposix\nsystem\n")
    (tiny_folder / "pytorch_model.bin").chmod(0)
    assert load_encoder_folder(tiny_folder).fingerprint == before


def test_links_into_a_download_cache_are_followed(tiny_folder: Path, tmp_path: Path) -> None:
    """The hub's own cache is made of links: they are files like others."""
    linked = tmp_path / "snapshot"
    linked.mkdir()
    for file in tiny_folder.iterdir():
        (linked / file.name).symlink_to(file)
    assert load_encoder_folder(linked).fingerprint == load_encoder_folder(tiny_folder).fingerprint
