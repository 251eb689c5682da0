"""Parity: a fine-tuned bundle opens unchanged in transformers and says the same; so do its tokens."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers  # its parts are loaded when a test asks for them

from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle, load_bundle, save_bundle
from limbeck.model.heads import LinearHead
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.weights import load_weights
from limbeck.settings import HeadKind

TEXTS = ["i feel fine", "so very sad today . it is rain", "sunny !", "", "unheard-of word", "it is so " * 9]
MakeBundle = Callable[[HeadKind], Bundle]


def our_probabilities(folder: Path) -> np.ndarray:
    bundle = load_bundle(folder)
    tokenized = bundle.loaded.tokenizer.encode(TEXTS, max_tokens=bundle.facts.max_tokens)
    with torch.inference_mode():
        features = bundle.network().features(tokenized.take(range(len(TEXTS))))
    return bundle.head.probabilities(features.numpy())


@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_the_pipeline_gives_our_probabilities(make_bundle: MakeBundle, tmp_path: Path, temperature: float) -> None:
    """Same label names, probabilities within 1e-5, calibrated or not, long texts cut in the same place."""
    bundle = make_bundle("classification")
    bundle.head.fold_temperature(temperature)
    facts = replace(bundle.facts, folded_temperature=temperature)
    save_bundle(replace(bundle, facts=facts), tmp_path / "model", card="")
    classify = transformers.pipeline("text-classification", model=str(tmp_path / "model"), device="cpu")
    answers = classify(TEXTS, top_k=None, truncation=True)
    expected = our_probabilities(tmp_path / "model")
    for row, answer in enumerate(answers):
        found = {item["label"]: item["score"] for item in answer}
        np.testing.assert_allclose([found[name] for name in facts.label_names], expected[row], atol=1e-5)


def test_the_model_class_gives_our_probabilities(bundle_folder: Path) -> None:
    """AutoModelForSequenceClassification and AutoTokenizer open the folder; a padded batch says the same."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(bundle_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(bundle_folder)
    inputs = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    assert set(inputs) == {"input_ids", "attention_mask"}
    assert inputs["input_ids"].shape[1] == 12
    with torch.inference_mode():
        found = model(**inputs).logits.softmax(dim=1).numpy()
    np.testing.assert_allclose(found, our_probabilities(bundle_folder), atol=1e-5)
    assert model.config.id2label == {0: "joy", 1: "sadness", 2: "슬픔"}


def test_a_linear_bundle_opens_as_an_encoder(make_bundle: MakeBundle, tmp_path: Path) -> None:
    """A probe's folder gives transformers the encoder it stands on."""
    bundle = make_bundle("linear")
    save_bundle(bundle, tmp_path / "model", card="")
    theirs = transformers.AutoModel.from_pretrained(tmp_path / "model").eval()
    batch = bundle.loaded.tokenizer.encode(["i feel fine"]).take([0])
    with torch.inference_mode():
        found = theirs(input_ids=torch.from_numpy(batch.padded(0).input_ids)).last_hidden_state[0]
        torch.testing.assert_close(found, bundle.loaded.encoder(batch), atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooling", ["cls", "layers"])
def test_a_linear_bundle_is_no_classifier_there(make_bundle: MakeBundle, tmp_path: Path, pooling: str) -> None:
    """The pipeline refuses a probe's folder as a classifier; it never answers with a head that it drew."""
    bundle = make_bundle("linear")
    if pooling == "cls":
        blocks = blocks_for("cls", None, 2)
        head = LinearHead(torch.randn(3, 16), torch.randn(3))
        bundle = replace(bundle, head=head.eval(), facts=replace(bundle.facts, blocks=blocks))
    save_bundle(bundle, tmp_path / "model", card="")
    with pytest.raises((RuntimeError, ValueError, OSError)):
        transformers.pipeline("text-classification", model=str(tmp_path / "model"), device="cpu")
    with pytest.raises(RuntimeError, match="mismatch"):
        transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert (load_bundle(tmp_path / "model").head.weight == bundle.head.weight).all()


def test_a_folder_that_transformers_saved_is_read(tmp_path: Path) -> None:
    """A model with a head, saved by transformers: the encoder is read, the head is left out and named."""
    config = transformers.DistilBertConfig(vocab_size=30, dim=16, n_heads=2, n_layers=2, hidden_dim=24, num_labels=3)
    theirs = transformers.DistilBertForSequenceClassification(config)
    theirs.save_pretrained(tmp_path)
    loaded = load_weights(tmp_path)
    assert loaded.left_out == (
        "classifier.bias", "classifier.weight", "pre_classifier.bias", "pre_classifier.weight",
    )  # fmt: skip
    for name, tensor in loaded.encoder.state_dict().items():
        assert torch.equal(tensor, theirs.distilbert.state_dict()[name])


@pytest.mark.encoder
def test_tokens_are_those_of_transformers(minilm: LoadedEncoder, tmp_path: Path) -> None:
    """Ids, truncation and padding agree with AutoTokenizer on odd texts, with the configuration that we write."""
    import json

    (tmp_path / "tokenizer.json").write_text(minilm.tokenizer.content, "utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(minilm.tokenizer.config(max_tokens=16)))
    (tmp_path / "config.json").write_text(json.dumps(minilm.config.to_hugging_face()))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    texts = [
        "",
        " ",
        "I didn't feel humiliated",
        "슬픔과 기쁨",
        "a" * 300,
        "x [SEP] y",
        "naïve café\x00\ufffd",
        "1,000 € 😀 " * 20,
    ]
    inputs = theirs(texts, padding=True, truncation=True)
    tokenized = minilm.tokenizer.encode(texts, max_tokens=16)
    view = tokenized.take(range(len(texts))).padded(minilm.tokenizer.pad_id)
    assert view.input_ids.tolist() == inputs["input_ids"]
    assert view.attention_mask.tolist() == inputs["attention_mask"]
    full = theirs(texts, truncation=False, verbose=False)["input_ids"]
    assert (tokenized.lengths + tokenized.cut_tokens).tolist() == [len(ids) for ids in full]
