"""Hostile bundles: a flipped bit anywhere, and contradictions behind a manifest that fits."""

# ruff: noqa: E501  # one case a line reads as a table

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from limbeck.errors import BundleError, ModelError
from limbeck.model.bundle import load_bundle
from limbeck.storage import write_manifest

Damage = Callable[[Path], None]
FILES = ("README.md", "config.json", "limbeck.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def facts(**changes: Any) -> Damage:
    return _json("limbeck.json", changes)


def config(**changes: Any) -> Damage:
    return _json("config.json", changes)


def _json(name: str, changes: dict[str, Any]) -> Damage:
    def damage(folder: Path) -> None:
        values = json.loads((folder / name).read_text("utf-8")) | changes
        (folder / name).write_text(json.dumps({key: value for key, value in values.items() if value is not ...}))

    return damage


def text(name: str, content: str) -> Damage:
    return lambda folder: (folder / name).write_text(content) and None


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    def damage(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        change(held)
        save_file(held, folder / "model.safetensors")

    return damage


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_flipped_bit_is_found(bundle_folder: Path, name: str, place: float) -> None:
    """At the beginning, in the middle or at the end of any file."""
    path = bundle_folder / name
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} differs from its SHA-256 in manifest\.json"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(bundle_folder: Path, name: str) -> None:
    """Each file is needed."""
    (bundle_folder / name).unlink()
    with pytest.raises(BundleError, match=rf"has no {name}" if name == "limbeck.json" else rf"{name} is missing"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("name", ["extra.txt", "pytorch_model.bin", "code/modeling.py"])
def test_an_added_file_is_named(bundle_folder: Path, name: str) -> None:
    """Nothing that was not written with the model is there, in folders neither."""
    (bundle_folder / name).parent.mkdir(exist_ok=True)
    (bundle_folder / name).write_text("x")
    with pytest.raises(BundleError, match=rf"{name} is not in the manifest"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"has no manifest\.json"),
        ("{", r"manifest\.json is damaged"),
        ("[]", r"manifest\.json is damaged"),
        ('{"files": {"config.json": {}}}', r"manifest\.json is damaged"),
        ('{"files": {"../../etc/passwd": {"sha256": "", "bytes": 0}}}', r"passwd is missing"),
    ],
)
def test_a_bad_manifest_is_refused(bundle_folder: Path, content: str | None, message: str) -> None:
    """Without a whole manifest nothing else is believed, and it leads to no file outside."""
    (bundle_folder / "manifest.json").unlink()
    if content is not None:
        (bundle_folder / "manifest.json").write_text(content)
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle_folder)


CASES: dict[str, tuple[Damage, str]] = {
    "a newer format": (facts(format_version=2), "has format_version 2; this limbeck reads 1"),
    "no format": (facts(format_version=...), "has format_version None"),
    "a format that is true": (facts(format_version=True), "has format_version True"),
    "facts that are no JSON": (text("limbeck.json", "{"), r"limbeck\.json: it is not valid JSON"),
    "facts that are a list": (text("limbeck.json", "[1]"), "an object of JSON was expected"),
    "an unknown fact": (facts(colour="red"), "colour is unknown"),
    "a missing fact": (facts(blocks=...), "blocks is missing"),
    "an unknown head": (facts(head="lambda"), "head = 'lambda' is not one of linear, classification"),
    "a head that is a list": (facts(head=[]), r"head = \[\] is not one of"),
    "another head than the weights": (facts(head="linear"), r"head\.weight is missing"),
    "blocks that are no blocks": (facts(blocks=["cls"]), "'cls', which is not a layer and a pooling"),
    "an unknown pooling": (facts(blocks=[{"layer": 2, "pooling": "eval"}]), "a layer from 0 and one of cls, mean, max"),
    "a layer that is not there": (facts(blocks=[{"layer": 7, "pooling": "cls"}]), "pools layer 7, but the encoder has 2"),
    "a negative layer": (facts(blocks=[{"layer": -1, "pooling": "cls"}]), "a layer from 0"),
    "fewer names than classes": (facts(label_names=["joy", "sadness"]), "but .* names the classes joy, sadness"),
    "swapped names": (facts(label_names=["sadness", "joy", "슬픔"]), "names the classes sadness, joy, 슬픔"),
    "a name twice": (facts(label_names=["joy", "joy", "슬픔"]), "label_names names a class twice"),
    "names that are numbers": (facts(label_names=[0, 1, 2]), "label_names is not a list of names"),
    "names swapped for transformers": (config(id2label={"0": "sadness", "1": "joy", "2": "슬픔"}), r"id2label of config\.json"),
    "no names for transformers": (config(id2label=...), r"id2label of config\.json is None"),
    "more tokens than positions": (facts(max_tokens=25), "max_tokens = 25 is above the encoder's 24 positions"),
    "more tokens than the tokenizer": (facts(max_tokens=13), r"model_max_length = 12"),
    "tokens that are text": (facts(max_tokens="12"), "max_tokens = '12' is not a whole number"),
    "a temperature of zero": (facts(folded_temperature=0), "folded_temperature = 0 is not a finite number above 0"),
    "a temperature of NaN": (facts(folded_temperature=float("nan")), "folded_temperature = nan"),
    "a temperature beyond the floats": (facts(folded_temperature=10**400), "is not a finite number above 0"),
    "a name that is no Unicode": (facts(label_names=["joy", "\ud800", "x"]), "is not valid Unicode"),
    "too few thresholds": (facts(thresholds=[0.5]), "thresholds has 1 values for 3 classes"),
    "thresholds above 1": (facts(thresholds=[0.5, 2, 0.5]), "thresholds is not a list of probabilities"),
    "provenance that is text": (facts(provenance="mine"), "provenance is not an object"),
    "code of its own": (config(auto_map={"AutoModel": "evil.Model"}), "limbeck never runs code of a model"),
    "a head with NaN": (tensors(lambda held: held["classifier.bias"].fill_(float("nan"))), r"classifier\.bias has 3 values that are NaN"),
    "a head of another width": (tensors(lambda held: held.update({"classifier.weight": torch.zeros(3, 8)})), r"classifier\.weight has shape \(3, 8\); \(3, 16\) was expected"),
    "a head with more classes": (tensors(lambda held: held.update({"classifier.bias": torch.zeros(4)})), r"classifier\.bias has shape \(4\); \(3\) was expected"),
    "a head without its first map": (tensors(lambda held: held.pop("pre_classifier.weight")), r"pre_classifier\.weight is missing"),
    "a tensor too many": (tensors(lambda held: held.update(backdoor=torch.zeros(1))), "backdoor is not a weight of this model"),
    "an encoder tensor missing": (tensors(lambda held: held.pop("distilbert.embeddings.LayerNorm.bias")), r"embeddings\.LayerNorm\.bias is missing"),
    "a pickle called safetensors": (text("model.safetensors", "cposix\nsystem\n" * 9), "is not a whole safetensors file"),
    "a tokenizer that is none": (text("tokenizer.json", "{}"), "is not a usable tokenizer"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_contradiction_is_refused_whatever_the_manifest_says(bundle_folder: Path, case: str) -> None:
    """The manifest is rewritten to fit, as somebody would who means harm; each part is still checked on its own."""
    damage, message = CASES[case]
    damage(bundle_folder)
    (bundle_folder / "manifest.json").unlink()
    write_manifest(bundle_folder)
    with pytest.raises(ModelError, match=message) as caught:
        load_bundle(bundle_folder)
    assert str(bundle_folder) in str(caught.value)


@pytest.mark.slow
@given(name=st.sampled_from(FILES), place=st.floats(0, 1), replacement=st.binary(max_size=12))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_damage_is_never_a_crash(bundle_folder: Path, name: str, place: float, replacement: bytes) -> None:
    """Bytes overwritten anywhere, under a manifest that fits: an error of the model, or a bundle that works."""
    whole = (bundle_folder / name).read_bytes()
    start = int(place * len(whole))
    (bundle_folder / name).write_bytes(whole[:start] + replacement + whole[start + len(replacement) :])
    write_manifest(bundle_folder)
    try:
        bundle = load_bundle(bundle_folder)
    except ModelError:
        return
    else:
        tokenized = bundle.loaded.tokenizer.encode(["i feel fine"], max_tokens=bundle.facts.max_tokens)
        assert bundle.network()(tokenized.take([0])).shape == (1, len(bundle.facts.label_names))
    finally:
        (bundle_folder / name).write_bytes(whole)


def test_what_is_no_bundle_is_told_apart(bundle_folder: Path, tiny_folder: Path) -> None:
    """Nothing, a file, and an encoder without a head each have their own words."""
    with pytest.raises(BundleError, match="does not exist: give the folder of a trained model"):
        load_bundle(bundle_folder / "nothing")
    with pytest.raises(BundleError, match="is a file"):
        load_bundle(bundle_folder / "config.json")
    with pytest.raises(BundleError, match="is not a model that limbeck trained; an encoder alone is loaded"):
        load_bundle(tiny_folder)


def test_a_moved_bundle_is_still_a_bundle(bundle_folder: Path, tmp_path: Path) -> None:
    """Nothing in the folder depends on where it is."""
    before = load_bundle(bundle_folder)
    shutil.move(bundle_folder, tmp_path / "elsewhere")
    moved = load_bundle(tmp_path / "elsewhere")
    assert moved.loaded.fingerprint == before.loaded.fingerprint
    assert moved.facts == before.facts
