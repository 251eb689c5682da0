"""How weights follow gradients: the rate as a function of the step, groups, AdamW by hand, clipping, saved state."""

import math

import pytest
import torch
from torch import nn

from limbeck.errors import TrainingError
from limbeck.model.encoder import Encoder
from limbeck.training.optim import (
    clip_gradients,
    default_learning_rate,
    make_adamw,
    optimizer_state,
    parameter_groups,
    rate_factor,
    restore_optimizer,
    set_learning_rate,
    warmup_steps,
)


def factors(steps, warmup, schedule):
    return [rate_factor(step, total_steps=steps, warmup=warmup, schedule=schedule) for step in range(steps)]


def test_the_warm_up_rises_in_equal_steps_and_loses_none():
    """No step has a rate of 0, and the first after the warm-up has the whole."""
    assert factors(10, 4, "linear")[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_linear_falls_to_the_last_step():
    """Equal steps down, the last one above 0."""
    assert factors(6, 2, "linear")[2:] == pytest.approx([1.0, 0.75, 0.5, 0.25])


def test_cosine_is_half_at_half_the_way():
    """½ (1 + cos πt)."""
    found = factors(8, 0, "cosine")
    assert found[0] == 1
    assert found[4] == pytest.approx(0.5)
    assert found[2] == pytest.approx(0.5 + math.sqrt(2) / 4)


def test_constant_stays():
    """After the warm-up nothing changes."""
    assert factors(5, 1, "constant") == [0.5, 1, 1, 1, 1]


def test_a_run_of_warm_up_alone_is_possible():
    """Nothing is divided by zero."""
    assert factors(3, 3, "linear") == pytest.approx([0.25, 0.5, 0.75])
    assert warmup_steps(750, 0.1) == 75


def test_small_encoders_get_a_larger_rate():
    """The two measured points, and a ceiling."""
    assert default_learning_rate(384) == pytest.approx(2e-4)
    assert default_learning_rate(768) == pytest.approx(5e-5)
    assert default_learning_rate(16) == 1e-3


def test_biases_and_norms_are_not_decayed(tiny_loaded):
    """Only matrices are."""
    encoder = tiny_loaded.encoder
    groups = parameter_groups(encoder.named_parameters(), weight_decay=0.1)
    by_decay = {group["weight_decay"]: group["params"] for group in groups}
    assert {weight.ndim for weight in by_decay[0.0]} == {1}
    assert {weight.ndim for weight in by_decay[0.1]} == {2}
    assert sum(map(len, by_decay.values())) == len(list(encoder.parameters()))


def test_rates_fall_from_layer_to_layer(tiny_loaded):
    """Head 1, upper layer ½, lower ¼, embeddings ⅛."""
    named = [(f"encoder.{name}", weight) for name, weight in tiny_loaded.encoder.named_parameters()]
    named.append(("head.weight", nn.Parameter(torch.zeros(2, 2))))
    groups = parameter_groups(named, weight_decay=0.0, layer_decay=0.5, n_layers=2)
    scale_of = {id(weight): group["scale"] for group in groups for weight in group["params"]}
    found = {name.replace("encoder.", "").split(".lin")[0].split(".att")[0]: scale_of[id(w)] for name, w in named}
    assert found["head.weight"] == 1
    assert found["transformer.layer.1"] == 0.5
    assert found["transformer.layer.0"] == 0.25
    assert found["embeddings.word_embeddings.weight"] == 0.125


def test_frozen_weights_are_in_no_group(tiny_loaded):
    """What does not require gradients is not the optimizer's."""
    encoder: Encoder = tiny_loaded.encoder
    encoder.embeddings.requires_grad_(False)
    groups = parameter_groups(encoder.named_parameters(), weight_decay=0.1)
    held = {id(weight) for group in groups for weight in group["params"]}
    assert not held & {id(weight) for weight in encoder.embeddings.parameters()}


def test_adamw_by_hand():
    """Two steps of one weight: moments, their correction, decay that is no part of the gradient."""
    weight = nn.Parameter(torch.tensor([[1.0]]))
    optimizer = make_adamw(parameter_groups([("w", weight)], weight_decay=0.1))
    value, first, second = 1.0, 0.0, 0.0
    for step, (gradient, rate) in enumerate([(0.5, 0.01), (-0.2, 0.02)], 1):
        set_learning_rate(optimizer, rate)
        weight.grad = torch.tensor([[gradient]])
        optimizer.step()
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        moved = (first / (1 - 0.9**step)) / (math.sqrt(second / (1 - 0.999**step)) + 1e-8)
        value -= rate * (moved + 0.1 * value)
        assert weight.item() == pytest.approx(value, abs=1e-6)


def test_clipping_keeps_the_direction():
    """A gradient of length 5 becomes one of length 1; a shorter one is left alone."""
    weights = [nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))]
    weights[0].grad, weights[1].grad = torch.tensor([3.0]), torch.tensor([4.0])
    assert clip_gradients(weights, 1.0) == pytest.approx(5)
    assert [weight.grad.item() for weight in weights] == pytest.approx([0.6, 0.8], abs=1e-4)
    assert clip_gradients(weights, None) == pytest.approx(1, abs=1e-4)


def test_any_device_can_be_clipped(monkeypatch):
    """How the norm is computed is left to torch: the fast way of CPUs and CUDA is an error on an Apple GPU."""
    asked = {}
    monkeypatch.setattr(
        nn.utils, "clip_grad_norm_", lambda weights, most, **how: asked.update(how) or torch.tensor(1.0)
    )
    clip_gradients([nn.Parameter(torch.zeros(1))], 1.0)
    assert not asked.get("foreach")


def test_a_gradient_that_is_not_finite_is_an_error():
    """It would poison every weight."""
    weight = nn.Parameter(torch.zeros(1))
    weight.grad = torch.tensor([float("inf")])
    with pytest.raises(TrainingError, match="norm is inf"):
        clip_gradients([weight], 1.0)


def test_a_restored_optimizer_goes_on_to_the_same_bits():
    """Moments and step counter are all that it remembers."""

    def steps(optimizer, weight, gradients):
        for gradient in gradients:
            set_learning_rate(optimizer, 0.01)
            weight.grad = torch.full_like(weight, gradient)
            optimizer.step()

    whole = nn.Parameter(torch.ones(3, 2))
    steps(make_adamw(parameter_groups([("w", whole)], weight_decay=0.1)), whole, [0.3, -0.7, 0.2, 0.9])

    first = nn.Parameter(torch.ones(3, 2))
    before = make_adamw(parameter_groups([("w", first)], weight_decay=0.1))
    steps(before, first, [0.3, -0.7])
    state = {name: values.clone() for name, values in optimizer_state(before, {"w": first}).items()}
    second = nn.Parameter(first.detach().clone())
    after = make_adamw(parameter_groups([("w", second)], weight_decay=0.1))
    restore_optimizer(after, {"w": second}, state)
    steps(after, second, [0.2, 0.9])
    assert torch.equal(whole, second)
