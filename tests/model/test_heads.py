"""Heads and the network they make: logits by hand, probabilities that sum to 1, temperature in the weights."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from limbeck.errors import SettingsError
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle
from limbeck.model.heads import ClassificationHead, LinearHead
from limbeck.model.network import Network
from limbeck.settings import HeadKind


def test_a_linear_head_is_weight_times_features_plus_bias() -> None:
    """Hand-computed logits and their softmax."""
    head = LinearHead(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0.0, -1.0]))
    assert head(torch.tensor([[3.0, 2.0]])).tolist() == [[3.0, 3.0]]
    assert (head.n_labels, head.n_features, head.kind) == (2, 2, "linear")
    probabilities = head.probabilities(np.array([[3.0, 2.0], [0.0, 0.5]]))
    np.testing.assert_allclose(probabilities, [[0.5, 0.5], [0.5, 0.5]])


def test_a_head_keeps_its_own_copy() -> None:
    """Changing the array afterwards does not change the head."""
    weight = np.ones((2, 3), dtype=np.float32)
    head = LinearHead(weight, np.zeros(2, dtype=np.float32))
    weight[:] = 9
    assert (head.weight == 1).all()


def test_a_head_of_zeros_finds_every_class_equally_likely() -> None:
    """Nothing known, nothing preferred."""
    np.testing.assert_allclose(LinearHead.zeros(4, 3).probabilities(np.ones((2, 3))), np.full((2, 4), 0.25))


def test_the_classification_head_is_two_maps_with_relu() -> None:
    """Hand-computed: negative values are cut between the maps; no dropout outside training."""
    head = ClassificationHead(dim=2, n_labels=2)
    with torch.no_grad():
        head.pre_classifier.weight.copy_(torch.eye(2))
        head.classifier.weight.copy_(torch.tensor([[1.0, 1.0], [2.0, 0.0]]))
    assert head.eval()(torch.tensor([[3.0, -5.0]])).tolist() == [[3.0, 6.0]]
    assert sorted(head.state_dict()) == [
        "classifier.bias", "classifier.weight", "pre_classifier.bias", "pre_classifier.weight",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["linear", "classification"])
def test_a_folded_temperature_divides_the_logits(make_bundle: Callable[[HeadKind], Bundle], kind: HeadKind) -> None:
    """The weights carry it, so whoever reads them gives calibrated probabilities."""
    head = make_bundle(kind).head
    features = torch.randn(5, head.n_features)
    before = head(features)
    torch.testing.assert_close(head.fold_temperature(2.5)(features), before / 2.5)


@pytest.mark.parametrize("head", [LinearHead, ClassificationHead])
@pytest.mark.parametrize(("features", "labels"), [(3, 1), (384, 6), (9_000, 28)])
def test_a_text_has_the_same_logits_alone_and_among_others(head: type, features: int, labels: int) -> None:
    """To the bit, however many stand beside it and whatever order a matrix product would add in; and near the truth."""
    drawn = np.random.default_rng(features)
    weight = drawn.standard_normal((labels, features)).astype(np.float32)
    if head is LinearHead:
        made = LinearHead(weight, drawn.standard_normal(labels))
    else:
        features = min(features, 768)
        made = ClassificationHead(dim=features, n_labels=labels)
    values_NF = drawn.standard_normal((1_030, features)).astype(np.float32)
    together_NC = made.logits(values_NF)
    for start, count in ((0, 1), (7, 1), (1_029, 1), (3, 2), (11, 5), (40, 31), (1_020, 9)):
        assert np.array_equal(made.logits(values_NF[start : start + count]), together_NC[start : start + count])
    with torch.no_grad():
        truth_NC = made.double().eval()(torch.from_numpy(values_NF.astype(np.float64))).numpy()
    np.testing.assert_allclose(together_NC, truth_NC, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_an_impossible_temperature_is_refused(temperature: float) -> None:
    """Zero, negative and not finite are no temperatures."""
    with pytest.raises(SettingsError, match="finite number above 0"):
        LinearHead.zeros(2, 2).fold_temperature(temperature)


@pytest.mark.parametrize("kind", ["linear", "classification"])
def test_the_network_is_encoder_pooling_and_head(make_bundle: Callable[[HeadKind], Bundle], kind: HeadKind) -> None:
    """Logits of the module and probabilities of the head on its features agree; gradients reach the encoder."""
    bundle = make_bundle(kind)
    network = bundle.network()
    batch = bundle.loaded.tokenizer.encode(["i feel fine", "so very sad", ""]).take([0, 1, 2])
    logits = network(batch)
    assert logits.shape == (3, 3)
    expected = bundle.head.probabilities(network.features(batch).detach().numpy())
    np.testing.assert_allclose(logits.detach().double().softmax(1).numpy(), expected, atol=1e-6)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
    gradient = network.encoder.embeddings.word_embeddings.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_a_head_of_another_width_is_refused(make_bundle: Callable[[HeadKind], Bundle]) -> None:
    """The message says both numbers of features."""
    bundle = make_bundle("linear")
    with pytest.raises(SettingsError, match="takes 144 features, but 1 blocks of 16 give 16"):
        Network(encoder=bundle.loaded.encoder, blocks=blocks_for("mean", None, 2), head=bundle.head)
