"""Examples: texts that are read in several rows are trained on and judged as one row each."""

import numpy as np
import pytest
import torch

from limbeck.model.blocks import blocks_for
from limbeck.model.heads import ClassificationHead
from limbeck.model.network import Network
from limbeck.tokens import Window
from limbeck.training import examples
from limbeck.training.examples import Labelled, LongExamples, TextExamples

TEXTS = ["so sad", "i feel so very fine today it is sun . " * 3, "rain ! " * 30, "it is so fine today"]


@pytest.fixture
def world(tiny_loaded):
    """A network, texts in rows of 8 tokens, and examples of them with so many rows at a time."""
    torch.manual_seed(3)
    network = Network(
        encoder=tiny_loaded.encoder,
        blocks=blocks_for("cls", None, 2),
        head=ClassificationHead(dim=16, n_labels=2, initializer_range=0.5),
    ).eval()
    read = tiny_loaded.tokenizer.read(TEXTS, Window(name="all", max_tokens=8))

    def make(most_rows=None):
        facts = Labelled(
            labels_N=np.array([0, 1, 0, 1]), tokens_N=read.tokens_of(most_rows), row_ids=["a", "b", "c", "d"]
        )
        rows = TextExamples(network, read.rows, facts, use_bf16=False)
        return LongExamples(rows, read, facts, most_rows=most_rows)

    return network, read, make


def test_the_gradient_is_that_of_the_mean_of_logits(world):
    """Logits of a text are the mean of its rows', and gradients go through all of them."""
    network, read, make = world
    found = make().logits(np.array([1, 0]))
    expected = torch.stack([network(read.rows.take(read.spread_rows(text, None))).mean(dim=0) for text in (1, 0)])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    weight = network.head.classifier.weight
    (ours,) = torch.autograd.grad(found[:, 0].sum(), weight)
    (theirs,) = torch.autograd.grad(expected[:, 0].sum(), weight)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_judged_in_parts_the_answers_are_the_same(world, monkeypatch):
    """Where nothing is learned, rows are computed a few tokens at a time: memory is bounded, answers stay."""
    _, _, make = world
    with torch.inference_mode():
        whole = make().logits(np.arange(4))
        monkeypatch.setattr(examples, "ANSWERED_TOKENS", 16)
        torch.testing.assert_close(make().logits(np.arange(4)), whole, atol=1e-5, rtol=1e-5)


def test_a_step_reads_no_more_rows_than_it_may(world):
    """With gradients only so many rows of a text are read, spread evenly, first and last among them; all without."""
    network, read, make = world
    few = make(most_rows=2)
    assert few.facts.tokens_N.tolist() == [4, 16, 16, 7]
    first, stop = read.first_N1[2], read.first_N1[3]
    ends = network(read.rows.take([first, stop - 1])).mean(dim=0)
    torch.testing.assert_close(few.logits(np.array([2]))[0], ends, atol=1e-5, rtol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(few.logits(np.array([2])), make().logits(np.array([2])))
