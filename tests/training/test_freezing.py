"""Gradual unfreezing: which weights follow the gradient when, interrupted or not."""

import signal

import pytest
import torch

from limbeck.errors import Interrupted
from limbeck.training.freezing import Thaw, stage_steps
from limbeck.training.optim import depth_of
from limbeck.training.signals import StopSignal


def test_one_layer_an_epoch_or_half_of_a_short_training():
    """As the paper has it; in three epochs of 50 steps, 8 stages are through after 70 of 150."""
    assert stage_steps(total_steps=20 * 50, per_epoch=50, stages=8) == 50
    assert stage_steps(total_steps=150, per_epoch=50, stages=8) == 10
    assert stage_steps(total_steps=3, per_epoch=3, stages=8) == 1


def test_layers_come_from_the_top_down(make_loop, tmp_path):
    """Head, layer 1, layer 0, embeddings; a step says alone what is trained."""
    loop = make_loop(tmp_path / "run", unfreeze="gradual", epochs=4)
    thaw = Thaw(loop.named, n_layers=2, total_steps=24, per_epoch=6)

    def open_depths():
        return {depth_of(name, 2) for name, weight in loop.named.items() if weight.requires_grad}

    found = {}
    for step in (0, 3, 4, 8, 12, 23):
        assert thaw.at(step) == len(open_depths())
        found[step] = open_depths()
    assert found == {0: {3}, 3: {3}, 4: {3, 2}, 8: {3, 2, 1}, 12: {3, 2, 1, 0}, 23: {3, 2, 1, 0}}
    thaw.at(0)
    assert open_depths() == {3}


@pytest.mark.slow
def test_what_is_frozen_stays(make_loop, tmp_path):
    """After the first epoch of many the embeddings have the bits that they began with, and the head has not."""
    loop = make_loop(tmp_path / "run", unfreeze="gradual", epochs=8, checkpoint_every_s=None)
    before = {name: weight.detach().clone() for name, weight in loop.named.items()}
    seen = []
    honest = loop.judge.judge

    def watched(*values, **options):
        seen.append({depth_of(n, 2) for n, w in loop.named.items() if not torch.equal(before[n], w)})
        return honest(*values, **options)

    loop.judge.judge = watched
    loop.run(StopSignal())
    assert seen[:4] == [{3}, {3, 2}, {3, 2, 1}, {3, 2, 1, 0}]


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2])
def test_a_resumed_run_ends_with_the_same_bits(make_loop, tmp_path, at):
    """Moments of weights that were still frozen begin when they would have begun."""
    whole = make_loop(tmp_path / "whole", unfreeze="gradual", epochs=4, layer_decay=0.8, checkpoint_every_s=None)
    whole.run(StopSignal())
    broken = make_loop(tmp_path / "broken", unfreeze="gradual", epochs=4, layer_decay=0.8)
    stop, calls, honest = StopSignal(), [], broken.judge.judge

    def interrupted(*values, **options):
        calls.append(1)
        if len(calls) == at:
            stop.note(signal.SIGINT)
        return honest(*values, **options)

    broken.judge.judge = interrupted
    with pytest.raises(Interrupted):
        broken.run(stop)
    again = make_loop(tmp_path / "broken", unfreeze="gradual", epochs=4, layer_decay=0.8)
    again.run(StopSignal())
    expected = whole.module.state_dict()
    assert all(torch.equal(expected[name], weight) for name, weight in again.module.state_dict().items())
