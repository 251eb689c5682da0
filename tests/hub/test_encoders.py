"""Encoders of the hub: fetched, checked, used like any folder's."""

import json

import numpy as np
import pytest

from limbeck.catalog.presets import load_encoder_folder, load_tokenizer
from limbeck.errors import HubUnreachableError, SettingsError, TokenizerError, WeightsError

NAME = "distilbert/distilbert-base-uncased"


@pytest.fixture
def files(tiny_folder) -> dict[str, bytes]:
    """A tiny DistilBERT's files."""
    return {path.name: path.read_bytes() for path in tiny_folder.iterdir()}


@pytest.fixture
def tiny(hub, files):
    """The tiny encoder on the hub, beside files that nobody should want."""
    return hub.add(
        "model", NAME, {**files, "pytorch_model.bin": b"\x80\x02pickle", "tf_model.h5": b"x", "README.md": b"#"}
    )


@pytest.mark.parametrize("name", [f"hub:{NAME}", f"hub:{NAME}@main", "distilbert-base-uncased"])
def test_an_encoder_of_the_hub_is_that_of_the_folder(hub, tiny, tiny_folder, heard, name) -> None:
    """By id, by revision and by preset; only safetensors and JSON are fetched; the name says the commit."""
    loaded = load_encoder_folder(name, progress=heard)
    assert loaded.fingerprint == load_encoder_folder(tiny_folder).fingerprint
    assert loaded.name == f"hub:{NAME}@{tiny.sha(0)}"
    fetched = {path.rpartition("/")[2] for method, path, _ in hub.asked("HEAD .*/resolve/")}
    assert fetched == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert heard.done == heard.total > 0


def test_a_tokenizer_needs_no_weights(hub, tiny, tiny_tokenizer) -> None:
    """Three small files."""
    assert load_tokenizer(f"hub:{NAME}").fingerprint == tiny_tokenizer.fingerprint
    assert hub.asked("safetensors") == []


def test_other_architectures_are_refused_before_the_download(hub, tiny, files) -> None:
    """A RoBERTa's weights are not fetched in order to be refused."""
    hub.add("model", "me/roberta", {**files, "config.json": json.dumps({"model_type": "roberta"}).encode()})
    with pytest.raises(WeightsError, match=r"config.json of hub:me/roberta does not describe an encoder"):
        load_encoder_folder("hub:me/roberta")
    assert hub.asked("safetensors") == []


@pytest.mark.parametrize(
    ("taken", "kind", "said"),
    [
        ("model.safetensors", WeightsError, "it has pytorch_model.bin.*never opened here.*@refs/pr/NUMBER"),
        ("config.json", WeightsError, "has no config.json"),
        ("tokenizer.json", TokenizerError, "has no tokenizer.json: save one"),
    ],
)
def test_a_missing_file_is_told_with_what_there_is(hub, files, taken, kind, said) -> None:
    """Nothing is fetched."""
    kept = {name: content for name, content in files.items() if name != taken}
    hub.add("model", "me/model", {**kept, "pytorch_model.bin": b"\x80\x02"})
    with pytest.raises(kind, match=said):
        load_encoder_folder("hub:me/model")
    assert hub.asked("/resolve/") == []


def test_weights_of_a_pull_request(hub, files, tiny_folder) -> None:
    """The hub's bot offers safetensors as a pull request: its revision is one like any other."""
    repo = hub.add("model", "me/old", {"config.json": files["config.json"]})
    repo.commit(files, "refs/pr/1")
    assert load_encoder_folder("hub:me/old@refs/pr/1").fingerprint == load_encoder_folder(tiny_folder).fingerprint


def test_a_transformer_in_a_folder_of_its_own(hub, files, tiny_folder) -> None:
    """Some models of sentence-transformers keep it in 0_Transformer: only its files are fetched, and it opens."""
    listed = [{"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}]
    inside = {f"0_Transformer/{name}": content for name, content in files.items()}
    hub.add("model", "me/sentences", {**inside, "modules.json": json.dumps(listed).encode(), "1_Dense/w.bin": b"x"})
    assert load_encoder_folder("hub:me/sentences").fingerprint == load_encoder_folder(tiny_folder).fingerprint
    assert hub.asked("1_Dense") == []


@pytest.mark.slow
def test_a_bert_is_converted(hub, tmp_path, heard) -> None:
    """Any BERT with safetensors: the hidden states are those of transformers."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    from limbeck.inference.torch_engine import TorchEngine
    from limbeck.model.blocks import blocks_for

    torch.manual_seed(3)
    sizes = {"vocab_size": 12, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = BertModel(
        BertConfig(**sizes, intermediate_size=32, max_position_embeddings=16, initializer_range=0.4)
    ).eval()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e", "f", "g"]
    model.save_pretrained(tmp_path / "bert")
    tokenizer = BertTokenizerFast(vocab={word: number for number, word in enumerate(words)})
    tokenizer.save_pretrained(tmp_path / "bert")
    hub.add("model", "google/bert", {path.name: path.read_bytes() for path in (tmp_path / "bert").iterdir()})
    loaded = load_encoder_folder("hub:google/bert", progress=heard)
    blocks = blocks_for("cls", None, loaded.config.n_layers)
    found = TorchEngine(loaded).features(loaded.tokenizer.encode(["a b c", "g"]), blocks)
    with torch.no_grad():
        wanted = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 0] for text in ("a b c", "g")]
    assert np.abs(found - torch.stack(wanted).numpy()).max() < 1e-5


def test_offline_with_what_other_libraries_fetched(hub, tiny, tiny_folder, heard, monkeypatch) -> None:
    """The cache is shared: what `snapshot_download` left there serves without a network, and is checked too."""
    from huggingface_hub import snapshot_download

    snapshot_download(NAME, allow_patterns=["*.json", "*.safetensors"])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    loaded = load_encoder_folder("distilbert-base-uncased", progress=heard)
    assert loaded.fingerprint == load_encoder_folder(tiny_folder).fingerprint
    assert "offline" in heard.text


@pytest.mark.slow
def test_presets_that_nobody_asked_for_touch_no_network(hub, tiny) -> None:
    """An audit compares the presets that are on this machine, and asks nobody for the others."""
    from limbeck.api.found_tokenizers import find_tokenizers

    found = find_tokenizers([f"hub:{NAME}"])
    assert next(iter(found.tokenizers)) == f"hub:{NAME}"
    assert "distilbert-base-uncased" in found.tokenizers, "the same files, fetched a moment ago"
    assert any(line.startswith("distilbert-base-multilingual-cased is not on this machine") for line in found.absent)
    assert hub.asked("multilingual") == []


def test_wrong_ids_of_encoders(hub, monkeypatch) -> None:
    """A configuration belongs to data; a name with a slash that is no folder may be meant as the hub's."""
    with pytest.raises(SettingsError, match=r"#x belongs to data sets only"):
        load_encoder_folder("hub:me/model#x")
    with pytest.raises(WeightsError, match=r"one of the hub is written hub:distilbert/distilbert-base-cased"):
        load_encoder_folder("distilbert/distilbert-base-cased")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubUnreachableError, match=r"forbids asking the hub"):
        load_encoder_folder("distilbert-base-uncased")
