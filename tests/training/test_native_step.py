"""The native step against the plain encoder, on every library that runs here.

Gradients: of float32 products within rounding of torch's, of bfloat16 ones as near to float32 as torch's bfloat16; and
the same bits again.
"""

from itertools import product

import numpy as np
import pytest
import torch
from tests.training.drawn_steps import LENGTHS, SHAPES, drawn_loss, gradients, make_batch, make_encoder
from torch import Tensor

from limbeck.model.blocks import blocks_for
from limbeck.model.encoder import Encoder
from limbeck.model.heads import ClassificationHead
from limbeck.model.network import Network
from limbeck.native.kernels import Kernels
from limbeck.tokens import TokenBatch
from limbeck.training.native_step import NativeStep

pytestmark = pytest.mark.usefixtures("one_thread")

REAL_SHAPES = {
    "MiniLM": {"dim": 384, "n_heads": 12, "hidden_dim": 1536},
    "DistilBERT": {"dim": 768, "n_heads": 12, "hidden_dim": 3072, "n_layers": 1},
}
WIDE = "wider than a slice"
EVERYWHERE = [
    *((shape, "edges of tiles") for shape in SHAPES if shape != WIDE),
    pytest.param(WIDE, "few tokens", marks=pytest.mark.slow),
    *(("narrow heads", name) for name in [*LENGTHS][1:]),
]
"""What the slow references compute too: each shape over the edges (the wide one: few tokens), other lengths once."""
ELSEWHERE = [
    *(pair for pair in product(SHAPES, LENGTHS) if pair not in EVERYWHERE and pair[0] != WIDE),
    *((shape, "edges of tiles") for shape in (WIDE, *REAL_SHAPES)),
    ("MiniLM", "one long text"),
    ("DistilBERT", "few tokens"),
]
"""The rest; what takes seconds, over the edges and one more."""
FARTHER = 1.1
"""All gradients together are at most so much farther from float32's than those of torch's bfloat16 autocast."""
FARTHER_ALONE = 1.6
"""The same for the gradient of one weight: some have few numbers, so chance decides."""
BF16_STEP = 2.0**-8
FLOAT_APART = 1e-5
"""Relative distance of all gradients together from torch's float32 ones, with products of float32 numbers."""


def torch_states(encoder: Encoder, batch: TokenBatch, *, firsts: bool) -> Tensor:
    """What plain torch says."""
    states = encoder(batch)
    return states[torch.from_numpy(batch.offsets[:-1]).long()] if firsts else states


def torch_bf16_states(encoder: Encoder, batch: TokenBatch, *, firsts: bool) -> Tensor:
    """What torch's bfloat16 autocast says."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return torch_states(encoder, batch, firsts=firsts)


def norm(values: dict[str, Tensor]) -> float:
    """Norm of all gradients together."""
    return sum(float(one.double().square().sum()) for one in values.values()) ** 0.5


def distance(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    """Norm of the difference of all gradients over the norm of `right`."""
    return norm({name: left[name] - right[name] for name in right}) / norm(right)


@pytest.mark.parametrize("firsts", [True, False], ids=["first tokens", "all tokens"])
@pytest.mark.parametrize(("shape", "lengths"), EVERYWHERE)
def test_gradients_are_those_of_torch(library: Kernels, shape: str, lengths: str, firsts: bool) -> None:
    """States and gradients, over shapes and lengths around the edges of blocks."""
    require_torchs_gradients(library, SHAPES[shape], LENGTHS[lengths], firsts=firsts)


@pytest.mark.slow
@pytest.mark.parametrize("firsts", [True, False], ids=["first tokens", "all tokens"])
@pytest.mark.parametrize(("shape", "lengths"), ELSEWHERE)
def test_gradients_of_every_shape_and_length_are_those_of_torch(
    quick_library: Kernels, shape: str, lengths: str, firsts: bool
) -> None:
    """The rest, and encoders that are in use, where no reference has to compute them."""
    require_torchs_gradients(quick_library, {**SHAPES, **REAL_SHAPES}[shape], LENGTHS[lengths], firsts=firsts)


def require_torchs_gradients(
    library: Kernels, sizes: dict[str, object], lengths: tuple[int, ...], *, firsts: bool
) -> None:
    """Compare states and gradients with torch's float32, by the library's arithmetic."""
    encoder, batch = make_encoder(**sizes), make_batch(lengths)
    step = NativeStep(encoder, library)
    ours = step.first_states if firsts else step.last_states
    exact = gradients(encoder, lambda: torch_states(encoder, batch, firsts=firsts))
    found = gradients(encoder, lambda: ours(batch))
    assert found.keys() == exact.keys()
    with torch.no_grad():
        plain, states = torch_states(encoder, batch, firsts=firsts), ours(batch)
    if library.about.is_bf16:
        rounded = gradients(encoder, lambda: torch_bf16_states(encoder, batch, firsts=firsts))
        require_near_in_bf16(found, exact, rounded, has_jumps=encoder.config.activation == "relu")
        assert (states - plain).norm() <= 2 * BF16_STEP * plain.norm()
        return
    assert (states - plain).norm() <= FLOAT_APART * plain.norm()
    assert distance(found, exact) <= FLOAT_APART
    for name, values in exact.items():
        # A key's bias moves no attention: its gradient is nothing but rounding.
        least = norm(exact) * 1e-6
        assert (found[name] - values).norm() <= 3 * FLOAT_APART * values.norm() + least, name


def require_near_in_bf16(
    found: dict[str, Tensor], exact: dict[str, Tensor], rounded: dict[str, Tensor], *, has_jumps: bool
) -> None:
    """Autocast rounds in the same places as the kernels, and in more."""
    if has_jumps:
        # The slope of relu jumps at 0: how many units rounding takes across is chance, for torch as for us.
        assert distance(found, exact) < 0.08
        return
    assert distance(found, exact) <= FARTHER * distance(rounded, exact)
    for name, values in exact.items():
        apart, theirs = ((one[name] - values).norm() for one in (found, rounded))
        assert apart <= FARTHER_ALONE * theirs + 1e-3 * BF16_STEP * norm(exact), name


def test_the_same_seed_gives_the_same_bits(library: Kernels) -> None:
    """Dropout is a function of torch's seed; a step again, or in another instance, gives the same gradients."""
    encoder, batch = make_encoder(dropout=0.1, attention_dropout=0.2).train(), make_batch(LENGTHS["edges of tiles"])
    found = []
    for step in (NativeStep(encoder, library), NativeStep(encoder, library)):
        for seed in (5, 6, 5):
            torch.manual_seed(seed)
            found.append(gradients(encoder, lambda step=step: step.first_states(batch)))
    for other in (2, 3, 5):
        for name in found[0]:
            assert torch.equal(found[0][name], found[other][name]), name
    assert not torch.equal(found[0]["embeddings.word_embeddings.weight"], found[1]["embeddings.word_embeddings.weight"])


@pytest.mark.parametrize("firsts", [True, False], ids=["first tokens", "all tokens"])
def test_any_number_of_threads_gives_the_same_bits(library: Kernels, firsts: bool) -> None:
    """States and gradients, dropout and all, of more threads than there are texts, cores or blocks too."""
    encoder, batch = make_encoder(dropout=0.1, attention_dropout=0.2).train(), make_batch((2, 33, 130, 1, 64, 17))
    found = []
    for threads in (1, 2, 3, 7):
        torch.set_num_threads(threads)
        step = NativeStep(encoder, library)
        torch.manual_seed(5)
        states = (step.first_states if firsts else step.last_states)(batch)
        found.append({"states": states.detach(), **gradients(encoder, lambda states=states: states)})
    for other in found[1:]:
        for name, values in found[0].items():
            assert torch.equal(other[name], values), name


@pytest.mark.parametrize(("where", "rate"), [("dropout", 0.25), ("attention_dropout", 0.25), ("dropout", 0.0)])
def test_backward_drops_what_forward_dropped(library: Kernels, where: str, rate: float) -> None:
    """The slope along a direction is the difference quotient under the same masks, which a wrong mask misses by far."""
    encoder = make_encoder(**{where: rate}).train()
    batch, step = make_batch((40, 7, 22, 61, 3, 90)), NativeStep(encoder, library)

    def loss() -> Tensor:
        torch.manual_seed(11)
        return drawn_loss(step.last_states(batch))

    encoder.zero_grad(set_to_none=True)
    loss().backward()
    weights = {name: weight for name, weight in encoder.named_parameters() if "weight" in name}
    slope, before = 0.0, {}
    for name, weight in weights.items():
        before[name] = weight.detach().clone()
        slope += float((weight.grad * weight.grad).sum())
    stride = 20 / slope  # the loss changes by 20 each way, far more than its rounding
    ends = []
    with torch.no_grad():
        for sign in (1, -1):
            for name, weight in weights.items():
                weight.copy_(before[name] + sign * stride * weight.grad)
            ends.append(float(loss()))
    assert (ends[0] - ends[1]) / (2 * stride) == pytest.approx(slope, rel=0.04)


def test_the_share_that_is_dropped_is_the_rate(library: Kernels) -> None:
    """A row of ones after the embeddings' dropout, then normalised: what is below 0 was dropped."""
    encoder = make_encoder(dim=64, n_heads=2, hidden_dim=64, n_layers=1, dropout=0.3).train()
    silence(encoder)
    states = NativeStep(encoder, library).last_states(make_batch((500,) * 8)).detach()
    assert float((states < 0).float().mean()) == pytest.approx(0.3, abs=0.005)
    assert float((states < 0).float().mean(0).sub(0.3).abs().max()) < 0.04
    assert float((states < 0).float().mean(1).sub(0.3).abs().max()) < 0.25


def test_attention_drops_its_rate_in_each_head(library: Kernels) -> None:
    """A lone token sees only itself: its mixed values are 0 or not, in each head by itself."""
    rate = 0.3
    encoder = make_encoder(dim=64, n_heads=2, hidden_dim=64, n_layers=1, attention_dropout=rate).train()
    silence(encoder)
    with torch.no_grad():
        attention = encoder.transformer.layer[0].attention
        attention.v_lin.weight.zero_()
        attention.v_lin.bias.fill_(1.0)
        attention.out_lin.weight.copy_(torch.eye(64))
    states = NativeStep(encoder, library).last_states(make_batch((1,) * 8000)).detach()
    heads = states.view(8000, 2, 32).mean(2)
    apart = heads[:, 0] - heads[:, 1]
    for share in ((apart > 1).float().mean(), (apart < -1).float().mean()):
        assert float(share) == pytest.approx(rate * (1 - rate), abs=0.02)


@torch.no_grad()
def silence(encoder: Encoder) -> None:
    """Let a layer pass on what it gets, and the embeddings say 1 everywhere."""
    layer = encoder.transformer.layer[0]
    for linear in (layer.attention.out_lin, layer.ffn.lin2):
        linear.weight.zero_()
        linear.bias.zero_()
    for norm in (layer.sa_layer_norm, layer.output_layer_norm):
        norm.weight.fill_(1.0)
        norm.bias.zero_()
    encoder.embeddings.LayerNorm.weight.zero_()
    encoder.embeddings.LayerNorm.bias.fill_(1.0)


@pytest.mark.slow
def test_a_training_goes_as_in_torch(library: Kernels) -> None:
    """The loss falls over 30 steps as in torch's arithmetic of the same kind; step by step where dropout is off."""
    dropout = 0.1 if library.about.is_bf16 else 0.0
    losses = {name: train_a_little(library, name == "native", dropout=dropout) for name in ("torch", "native")}
    ends = {name: float(np.mean(values[-5:])) for name, values in losses.items()}
    assert ends["native"] < 0.8 * np.mean(losses["native"][:5])
    assert ends["native"] == pytest.approx(ends["torch"], abs=0.12)
    if not library.about.is_bf16:
        np.testing.assert_allclose(losses["native"], losses["torch"], atol=1e-3)
        losses = train_a_little(library, True, dropout=0.1)
        assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def train_a_little(library: Kernels, is_native: bool, *, dropout: float) -> list[float]:
    """Return the losses of 30 steps from the same weights, over the same texts."""
    encoder = make_encoder(**SHAPES["wide heads"], dropout=dropout, attention_dropout=dropout)
    torch.manual_seed(0)
    head = ClassificationHead(dim=128, n_labels=2, dropout=dropout)
    network = Network(encoder=encoder, blocks=blocks_for("cls", None, 2), head=head).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    step, losses = NativeStep(encoder, library), []
    for number in range(30):
        batch = make_batch((12,) * 16, seed=number)
        labels_B = torch.from_numpy(batch.ids.reshape(16, 12)[:, 0] < 25).long()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=library.about.is_bf16):
            logits_BC = head(step.first_states(batch)) if is_native else network(batch)
        loss = torch.nn.functional.cross_entropy(logits_BC.float(), labels_B)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses
