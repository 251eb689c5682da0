"""The contract of a `Judge`, run over each: an epoch's figures are those of its rows, however they are asked for."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.conformance.implementers import implementers
from tests.conformance.worlds import JUDGES, MAKERS_OF_JUDGES, SHARED_OUT, World, make_world

from limbeck.errors import TrainingError
from limbeck.evaluation.metrics import Scores
from limbeck.methods import language
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.training import judge as judging
from limbeck.training.judge import Judge
from limbeck.training.team import ALONE, Alone

pytestmark = pytest.mark.usefixtures("one_thread", "no_chance_in_masks")


def nothing() -> None:
    """Nobody asks for the end."""


def line_of(judge: Judge, epoch: int = 3):
    """An epoch's line."""
    return judge.judge(epoch, 0.75, check=nothing)


def figures_of(line) -> dict[str, float]:
    """The numbers of a line."""
    return {field.name: getattr(line, field.name) for field in fields(line)}


@pytest.fixture(params=JUDGES)
def name(request: pytest.FixtureRequest) -> str:
    """A kind of judge."""
    return request.param


def test_every_judge_is_here() -> None:
    """A new judge is put under contract, or this fails."""
    assert implementers("judge(self, epoch") == set(MAKERS_OF_JUDGES)


def test_a_line_is_filled_in(name: str, world: World) -> None:
    """Of the type that is said beforehand, with epoch and training loss as given, and figures that are finite."""
    judge, _ = JUDGES[name](world, ALONE)
    assert isinstance(judge, Judge)
    line = line_of(judge)
    assert type(line) is judge.line_type
    assert (line.epoch, line.train_loss, line.seconds) == (3, 0.75, 0.0)
    assert all(np.isfinite(value) for value in figures_of(line).values())
    assert len(line.cells()) == len(line.head)


def test_the_same_weights_give_the_same_bits(name: str, world: World) -> None:
    """In every epoch, whatever was drawn meanwhile and whether the module was training."""
    judge, module = JUDGES[name](world, ALONE)
    first = line_of(judge)
    torch.manual_seed(99)
    module.train()
    assert line_of(judge) == first


@pytest.mark.parametrize("most_tokens", [9, *(pytest.param(most, marks=pytest.mark.slow) for most in (1, 30))])
def test_parts_have_the_figures_of_the_whole(
    name: str, world: World, most_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few tokens are computed at a time."""
    expected = figures_of(line_of(JUDGES[name](world, ALONE)[0]))
    for module in (judging, language):
        monkeypatch.setattr(module, "EVALUATION_TOKENS", most_tokens)
    # A correlation is of order 1, however near to 0 it is: its rounding is absolute.
    rounding = 1e-6 if name == "numbers by loss" else None
    assert figures_of(line_of(JUDGES[name](world, ALONE)[0])) == pytest.approx(expected, rel=1e-5, abs=rounding)


def test_the_order_of_rows_does_not_matter(name: str, world: World, tiny_loaded: LoadedEncoder, tmp_path: Path) -> None:
    """Other places, same rows, same figures."""
    order = np.random.default_rng(0).permutation(len(world.texts))
    moved = make_world(tiny_loaded, tmp_path / "moved", order)
    one, other = (figures_of(line_of(JUDGES[name](rows, ALONE)[0])) for rows in (world, moved))
    assert other == pytest.approx(one, rel=1e-5)


def test_a_better_line_has_the_larger_figure(name: str, world: World) -> None:
    """Less loss and more rows right are never the smaller figure, and one of both is the larger."""
    judge, _ = JUDGES[name](world, ALONE)
    line = line_of(judge)
    better = {"validation_loss": line.validation_loss / 2} | {
        one: value + (1 - value) / 2
        for one, value in figures_of(line).items()
        if one in ("accuracy", "f1_macro", "f1_weighted")
    }
    assert all(judge.figure(replace(line, **{one: value})) >= judge.figure(line) for one, value in better.items())
    assert judge.figure(replace(line, **better)) > judge.figure(line)


def test_nothing_of_the_model_changes(name: str, world: World) -> None:
    """Weights and their gradients are as they were; torch draws what it would have drawn."""
    judge, module = JUDGES[name](world, ALONE)
    before = [weight.clone() for weight in module.parameters()]
    torch.manual_seed(5)
    line_of(judge)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)
    assert all(torch.equal(one, other) for one, other in zip(module.parameters(), before, strict=True))
    assert all(weight.grad is None for weight in module.parameters())


def test_it_can_be_stopped(name: str, world: World) -> None:
    """What `check` raises ends the judging."""

    class AskedError(Exception):
        pass

    def stop() -> None:
        raise AskedError

    with pytest.raises(AskedError):
        JUDGES[name](world, ALONE)[0].judge(1, 0.5, check=stop)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_answers_that_are_no_numbers_are_an_error(name: str, world: World, value: float) -> None:
    """It names the epoch and says what to do; no line is made of them."""
    judge, module = JUDGES[name](world, ALONE)
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(value)
    with pytest.raises(TrainingError, match=r"after (epoch )?3 .*lower the learning rate"):
        line_of(judge)


class Member(Alone):
    """One process of two; what the other made of its rows is at hand."""

    size = 2

    def __init__(self, place: int, others: list[NDArray[np.float64]]) -> None:
        self._place = place
        self._others = others
        self.made: list[NDArray[np.float64]] = []

    def turns(self, parts: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64] | None]:
        own = list(parts[self._place :: 2])
        return own + [None] * (-(-len(parts) // 2) - len(own))

    def sum_array(self, array: NDArray[np.float64]) -> None:
        self.made.append(array.copy())
        for other in self._others:
            array += other


@pytest.mark.parametrize("most_tokens", [20, *(pytest.param(most, marks=pytest.mark.slow) for most in (1, 4096))])
@pytest.mark.parametrize("shared", SHARED_OUT)
def test_a_team_has_the_figures_of_one(
    shared: str, world: World, most_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes share the rows out, one of them perhaps without any, and both come to the same line."""
    expected = figures_of(line_of(JUDGES[shared](world, ALONE)[0]))
    monkeypatch.setattr(judging, "EVALUATION_TOKENS", most_tokens)
    halves = []
    unknown = Scores(accuracy=0.0, f1_weighted=0.0, f1_macro=0.0, log_loss=0.0)
    for place in (0, 1):
        member = Member(place, [])
        with monkeypatch.context() as patched:  # half of the answers have no score yet
            patched.setattr(judging, "scores", lambda *_: unknown)
            line_of(JUDGES[shared](world, member)[0])
        halves.append(member.made[0])
    for place in (0, 1):
        judge, _ = JUDGES[shared](world, Member(place, [halves[1 - place]]))
        assert figures_of(line_of(judge)) == pytest.approx(expected, rel=1e-5)
