"""The bundle: what goes in comes out, bit for bit, and only whole."""

import json
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from limbeck.errors import BundleError, StorageError
from limbeck.model.blocks import Block
from limbeck.model.bundle import Bundle, load_bundle, save_bundle, set_thresholds
from limbeck.model.facts import parse_facts
from limbeck.settings import HeadKind, WindowName
from limbeck.tokens import Tokenizer, Window
from limbeck.tokens.stated import TruncationSide

MakeBundle = Callable[[HeadKind], Bundle]


@pytest.mark.parametrize("card", ["---\ntags: []\n---\n# A model\n", None])
def test_a_bundle_from_the_hub_can_be_given_thresholds(bundle_folder, card):
    """Its card, git's files and caches are not in its manifest; what is listed stays checked."""
    manifest = json.loads((bundle_folder / "manifest.json").read_text())
    del manifest["files"]["README.md"]
    (bundle_folder / "manifest.json").write_text(json.dumps(manifest))
    (bundle_folder / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    if card is None:
        (bundle_folder / "README.md").unlink()
    else:
        (bundle_folder / "README.md").write_text(card)
    set_thresholds(bundle_folder, (0.5, 0.25, 1.0), chosen={"precision": 0.9})
    assert load_bundle(bundle_folder).facts.thresholds == (0.5, 0.25, 1.0)
    assert "README.md" not in json.loads((bundle_folder / "manifest.json").read_text())["files"]
    (bundle_folder / "stray.txt").write_text("x")
    with pytest.raises(BundleError, match="not in the manifest"):
        set_thresholds(bundle_folder, None, chosen=None)


@pytest.mark.parametrize("kind", ["linear", "classification"])
def test_opening_a_model_draws_nothing(make_bundle, tmp_path, kind):
    """The caller's random numbers are what they were: a notebook gives the same after `limbeck.load`."""
    bundle = make_bundle(kind)
    save_bundle(bundle, tmp_path / "B", card="# A model\n")
    before = torch.get_rng_state()
    loaded = load_bundle(tmp_path / "B")
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(loaded.head.state_dict()[name], one) for name, one in bundle.head.state_dict().items())


def test_a_models_digest_tells_models_apart(make_bundle, bundle_folder):
    """A threshold makes another model; one that lies in no folder has a digest too, of what it holds."""
    before = load_bundle(bundle_folder).digest()
    assert before == load_bundle(bundle_folder).digest()
    set_thresholds(bundle_folder, (0.5, 0.5, 0.5), chosen=None)
    held = {load_bundle(bundle_folder).digest(), *(make_bundle(kind).digest() for kind in ("linear", "classification"))}
    assert len({before, *held}) == 4


@pytest.mark.parametrize("kind", ["linear", "classification"])
def test_a_bundle_comes_back_bit_for_bit(make_bundle: MakeBundle, tmp_path: Path, kind: HeadKind) -> None:
    """Facts, weights, tokenizer and answers are the same after a round trip."""
    bundle = make_bundle(kind)
    bundle = replace(bundle, facts=replace(bundle.facts, folded_temperature=1.5, thresholds=(0.5, 0.25, 1.0)))
    save_bundle(bundle, tmp_path / "model", card="# Card\n")
    back = load_bundle(tmp_path / "model")
    assert back.facts == bundle.facts
    assert back.loaded.fingerprint == bundle.loaded.fingerprint
    assert back.loaded.tokenizer.fingerprint == bundle.loaded.tokenizer.fingerprint
    batch = bundle.loaded.tokenizer.encode(["i feel fine", "sad"]).take([0, 1])
    with torch.inference_mode():
        assert torch.equal(back.network()(batch), bundle.network()(batch))


def test_thresholds_are_written_into_a_finished_bundle(bundle_folder: Path) -> None:
    """Thresholds and how they were chosen are in the facts afterwards; the rest, the weights too, is as it was."""
    before = load_bundle(bundle_folder)
    set_thresholds(bundle_folder, (0.5, 0.25, 1.0), chosen={"precision": 0.9})
    after = load_bundle(bundle_folder)
    assert after.facts.thresholds == (0.5, 0.25, 1.0)
    assert after.facts.provenance["thresholds"] == {"precision": 0.9}
    set_thresholds(bundle_folder, None, chosen=None)
    assert load_bundle(bundle_folder).facts == before.facts


def test_the_card_says_which_rows_are_answered(make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path) -> None:
    """The one line of the card follows the thresholds; every other line, and a card without such a line, stays."""
    card = "# Card\n\n- Answers: every row\n- Texts\n"
    save_bundle(make_bundle("linear"), tmp_path / "one", card=card)
    chosen = {"precision": 0.9, "confidence": 0.95, "rows": 200}
    for values, chosen_for, says in (
        ((0.75, 0.75, 0.75), chosen, "above 0.75 (a precision of 0.9 is promised, confidence 0.95; chosen on 200 rows"),
        ((0.5, 0.25, 1.0), {"coverage": 0.8, "rows": 9}, "its class's threshold (limbeck.json has them) (0.8 of the"),
        ((0.0, 0.0, 0.0), None, "above 0; others are “unsure”"),
    ):
        set_thresholds(tmp_path / "one", values, chosen=chosen_for)
        said = (tmp_path / "one" / "README.md").read_text("utf-8")
        assert says in said
        assert [line for line in said.split("\n") if "Answers" not in line] == ["# Card", "", "- Texts", ""]
    set_thresholds(tmp_path / "one", None, chosen=None)
    assert (tmp_path / "one" / "README.md").read_text("utf-8") == card
    save_bundle(make_bundle("linear"), tmp_path / "other", card="# Mine\n")
    set_thresholds(tmp_path / "other", (0.5, 0.5, 0.5), chosen=None)
    assert (tmp_path / "other" / "README.md").read_text("utf-8") == "# Mine\n"


def test_thresholds_that_do_not_fit_are_refused(bundle_folder: Path) -> None:
    """Too few, or no probabilities: an error, and the bundle stays as it was."""
    before = (bundle_folder / "limbeck.json").read_bytes()
    for wrong in ((0.5,), (0.5, 0.5, 2.0)):
        with pytest.raises(BundleError, match="thresholds"):
            set_thresholds(bundle_folder, wrong, chosen=None)
    assert (bundle_folder / "limbeck.json").read_bytes() == before


def test_the_folder_holds_what_the_design_says(bundle_folder: Path) -> None:
    """Seven files, Hugging Face's names, Hangul as Hangul, no pickle."""
    assert sorted(path.name for path in bundle_folder.iterdir()) == [
        "README.md", "config.json", "limbeck.json", "manifest.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip
    config = json.loads((bundle_folder / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["DistilBertForSequenceClassification"]
    assert config["id2label"] == {"0": "joy", "1": "sadness", "2": "슬픔"}
    assert "슬픔" in (bundle_folder / "limbeck.json").read_text("utf-8")
    assert (bundle_folder / "README.md").read_text() == "# A tiny model\n"


def test_the_same_bundle_is_the_same_bytes(make_bundle: MakeBundle, tmp_path: Path) -> None:
    """Two saves of one model differ in nothing."""
    for name in ("one", "two"):
        save_bundle(make_bundle("linear"), tmp_path / name, card="")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_texts_are_limited_as_the_facts_say(bundle_folder: Path) -> None:
    """The loaded tokenizer's maximum is the model's, so that transformers cuts in the same place."""
    assert load_bundle(bundle_folder).loaded.tokenizer.max_tokens == 12


def test_a_folder_that_exists_is_not_overwritten(make_bundle: MakeBundle, bundle_folder: Path) -> None:
    """Saving over a model is refused, and the model is untouched."""
    with pytest.raises(StorageError, match="exists already"):
        save_bundle(make_bundle("linear"), bundle_folder, card="")
    load_bundle(bundle_folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_names": ("a", "b")}, "with 3 classes is not the classification head with 2 label names"),
        ({"label_names": ("a", "b", "a")}, "names a class twice"),
        ({"label_names": ("only",)}, "at least 2 were expected"),
        ({"max_tokens": 25}, "above the encoder's 24 positions"),
        ({"max_tokens": 2}, "whole number from 3"),
        ({"blocks": (Block(layer=9, pooling="cls"),)}, "pools layer 9, but the encoder has 2 layers"),
        ({"blocks": (Block(layer=1, pooling="cls"),)}, r"sees \[CLS\] of the last layer and nothing else"),
        ({"blocks": ()}, "at least one block"),
        ({"head": "linear"}, "classification head with 3 classes is not the linear head"),
        ({"thresholds": (0.5,)}, "1 values for 3 classes"),
        ({"thresholds": (0.5, 2.0, 0.1)}, "not a list of probabilities"),
        ({"folded_temperature": 0.0}, "finite number above 0"),
    ],
)
def test_parts_that_do_not_fit_are_not_written(
    make_bundle: MakeBundle, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    """A contradiction is found before anything is written."""
    bundle = make_bundle("classification")
    broken = replace(bundle, facts=replace(bundle.facts, **changes))  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=message):
        save_bundle(broken, tmp_path / "model", card="")
    assert not (tmp_path / "model").exists()


def test_a_full_disk_is_told_as_such(make_bundle: MakeBundle, tmp_path: Path) -> None:
    """Weights that do not fit on the disk leave nothing behind, and the error says what the system said."""
    bundle = make_bundle("linear")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StorageError, match=r"bundle/model\.safetensors: .*\(ulimit -f unlimited\)"):
            save_bundle(bundle, tmp_path / "bundle", card="card")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("side", "window"), [("right", "head"), ("left", "tail")])
def test_a_bundle_of_before_reads_what_its_tokenizer_says(
    make_bundle: MakeBundle, tmp_path: Path, side: TruncationSide, window: WindowName
) -> None:
    """A model without the fact opens as it did, and is written again without it, also with thresholds."""
    bundle = make_bundle("classification")
    definition = json.loads(bundle.loaded.tokenizer.content)
    tokenizer = Tokenizer(definition, max_tokens=24, where="test", truncation_side=side)
    save_bundle(replace(bundle, loaded=replace(bundle.loaded, tokenizer=tokenizer)), tmp_path / "B", card="# A model\n")
    set_thresholds(tmp_path / "B", (0.5, 0.25, 1.0), chosen=None)
    assert "window" not in json.loads((tmp_path / "B" / "limbeck.json").read_text("utf-8"))
    opened = load_bundle(tmp_path / "B")
    assert (opened.facts.window, opened.window) == (None, Window(name=window, max_tokens=12))


@pytest.mark.parametrize(
    ("window", "side"), [("head", "right"), ("tail", "left"), ("both", "right"), ("all", "right"), (None, "right")]
)
def test_what_transformers_can_say_of_a_window_it_is_told(
    make_bundle: MakeBundle, tmp_path: Path, window: WindowName | None, side: str
) -> None:
    """tokenizer_config.json beside the model cuts where the model does, where there is a word for it."""
    bundle = make_bundle("classification")
    save_bundle(replace(bundle, facts=replace(bundle.facts, window=window)), tmp_path / "B", card="# A model\n")
    said = json.loads((tmp_path / "B" / "tokenizer_config.json").read_text("utf-8"))
    assert (said["truncation_side"], said["model_max_length"]) == (side, 12)
    assert load_bundle(tmp_path / "B").facts.window == window


def test_a_window_that_nobody_knows_is_refused(bundle_folder: Path) -> None:
    """A fact that this limbeck does not know is no reason to read something else."""
    with pytest.raises(BundleError, match="window = 'middle' is not one of head, tail, both, all"):
        parse_facts({**json.loads((bundle_folder / "limbeck.json").read_text()), "window": "middle"}, where="x")


def test_label_sets_come_back(make_bundle: MakeBundle, tmp_path: Path) -> None:
    """Task and thresholds are facts of the bundle; its head then gives each label a probability of its own."""
    bundle = make_bundle("linear")
    facts = replace(bundle.facts, task="multi", label_thresholds=(0.25, 1.0, 2.0))
    save_bundle(replace(bundle, facts=facts), tmp_path / "model", card="# Card\n")
    back = load_bundle(tmp_path / "model")
    assert back.facts == facts
    features_NF = np.random.default_rng(0).normal(size=(5, back.head.n_features)).astype(np.float32)
    logits_NC = features_NF @ back.head.weight.detach().numpy().T + back.head.bias.detach().numpy()
    np.testing.assert_allclose(back.answers(features_NF), 1 / (1 + np.exp(-logits_NC)), rtol=1e-5)
    assert json.loads((tmp_path / "model" / "config.json").read_text())["problem_type"] == "multi_label_classification"


def test_one_label_per_row_is_written_as_ever(bundle_folder: Path) -> None:
    """An older limbeck opens it: nothing that it does not know is said."""
    written = json.loads((bundle_folder / "limbeck.json").read_text())
    assert not {"task", "label_thresholds"} & written.keys()
    assert load_bundle(bundle_folder).task.name == "single"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "several"}, "'several' is not one of single, multi, ordinal, regression"),
        ({"task": ["multi"]}, "is not one of single"),
        ({"label_thresholds": [0.5, 0.5, 0.5]}, "label_thresholds is for any number of labels per row"),
        ({"task": "multi", "label_thresholds": [0.5]}, "label_thresholds has 1 values for 3 classes"),
        ({"task": "multi", "label_thresholds": [0.5, 3.0, 0.5]}, "numbers from 0 to 2"),
        ({"task": "multi", "thresholds": [0.5, 0.5, 0.5]}, "thresholds is for one label per row"),
        ({"task": "regression"}, "none, as the answer is a number"),
    ],
)
def test_facts_that_do_not_go_with_the_task_are_refused(bundle_folder: Path, changes, message: str) -> None:
    """Each is named, and what was expected."""
    values = {**json.loads((bundle_folder / "limbeck.json").read_text()), **changes}
    with pytest.raises(BundleError, match=message):
        parse_facts(values, where="limbeck.json")
