"""The learning-rate finder: what it chooses, and that it leaves nothing behind but that."""

import json
import math
import signal
from itertools import pairwise

import pytest
import torch

from limbeck.errors import Interrupted, TrainingError
from limbeck.runs.run_folder import RunFolder
from limbeck.training.rate_finder import UPDATES, choose_rate, find_rate, rising_rates, smooth
from limbeck.training.signals import StopSignal


def test_the_rate_is_a_quarter_of_that_with_the_lowest_loss():
    """The lowest point of the smoothed curve decides."""
    assert choose_rate([1e-5, 1e-4, 1e-3, 1e-2], [1.6, 1.5, 1.1, 1.9]) == 2.5e-4
    assert choose_rate([1e-5, 2.345e-3], [1.0, 0.5]) == 5.9e-4


def test_a_loss_that_never_falls_is_said():
    """No rate is made up."""
    with pytest.raises(TrainingError, match="fall at no rate"):
        choose_rate([1e-5, 1e-4], [1.6, 1.59])


def test_smoothing_forgets_and_is_not_biased():
    """By hand, with a share of 0.9 of the past."""
    assert smooth([1.0, 2.0])[1] == pytest.approx((0.9 * 0.1 * 1.0 + 0.1 * 2.0) / (1 - 0.81))


def test_rates_rise_by_one_factor():
    """From a hundred-thousandth to one."""
    rates = rising_rates()
    assert len(rates) == UPDATES
    assert (rates[0], rates[-1]) == (1e-5, pytest.approx(1.0))
    assert {round(math.log(b / a), 9) for a, b in pairwise(rates)} == {round(math.log(1e5) / (UPDATES - 1), 9)}


@pytest.mark.slow
def test_weights_and_chance_are_put_back(make_loop, tmp_path):
    """A training after the finder has the bits of one that was given its rate; and the finder is repeatable."""
    looked = make_loop(tmp_path / "looked", rate=None, checkpoint_every_s=None)
    before = {name: weight.clone() for name, weight in looked.module.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    curves = [find_rate(looked._trial(), StopSignal()) for _ in range(2)]
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], weight) for name, weight in looked.module.state_dict().items())
    assert curves[0].losses == curves[1].losses
    assert all(weight.grad is None for weight in looked.module.parameters())
    result = looked.run(StopSignal())
    assert result.learning_rate == curves[0].learning_rate
    given = make_loop(tmp_path / "given", rate=result.learning_rate, checkpoint_every_s=None)
    given.run(StopSignal())
    assert all(
        torch.equal(given.module.state_dict()[name], weight) for name, weight in looked.module.state_dict().items()
    )


@pytest.mark.slow
def test_a_resumed_run_takes_the_rate_that_was_found(make_loop, tmp_path, monkeypatch):
    """What the finder saw is in the run; it does not run twice."""
    loop = make_loop(tmp_path / "run", rate=None)
    stop = StopSignal()
    honest = loop.judge.judge

    def interrupted(*values, **options):
        stop.note(signal.SIGTERM)
        return honest(*values, **options)

    loop.judge.judge = interrupted
    with pytest.raises(Interrupted):
        loop.run(stop)
    written = json.loads(RunFolder(tmp_path / "run").rate_curve.read_text("utf-8"))
    assert len(written["rates"]) == len(written["losses"]) == len(written["smoothed"]) > 10

    from limbeck.training import rate_finder

    monkeypatch.setattr(rate_finder, "find_rate", None)
    assert make_loop(tmp_path / "run", rate=None).run(StopSignal()).learning_rate == written["learning_rate"]


def test_a_signal_ends_the_search(make_loop, tmp_path):
    """Nothing is written, weights are as they were."""
    loop = make_loop(tmp_path / "run", rate=None)
    before = {name: weight.clone() for name, weight in loop.module.state_dict().items()}
    stop = StopSignal()
    with stop.patient():
        stop.note(signal.SIGINT)
        with pytest.raises(Interrupted, match="--resume"):
            loop.stop = stop
            find_rate(loop._trial(), stop)
    assert all(torch.equal(before[name], weight) for name, weight in loop.module.state_dict().items())
