"""The loop: gradients, averages, the best epoch, faults, and the same bits after any interruption."""

import copy
import json
import math
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from limbeck import storage
from limbeck.errors import Interrupted, StorageError, Terminated, TrainingError
from limbeck.model import weights
from limbeck.model.blocks import blocks_for
from limbeck.model.heads import ClassificationHead, LinearHead
from limbeck.model.network import Network
from limbeck.runs.run_folder import RunFolder
from limbeck.settings import FinetuneSettings, HeadSettings
from limbeck.training.checkpoint import SaveTimes
from limbeck.training.examples import FeatureExamples, Labelled, TextExamples
from limbeck.training.journal import read_epochs
from limbeck.training.judge import LabelJudge
from limbeck.training.loop import Loop
from limbeck.training.losses import LabelLosses
from limbeck.training.plan import Plan
from limbeck.training.signals import SAME_S, StopSignal

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = ["i feel fine", "so sad", "it is rain today", "sun", "i feel so very sad today .", "today it is fine !"] * 8
LABELS = np.array([0, 1, 1, 0, 1, 0] * 8)
OFTEN = {"checkpoint_every_s": 0.0}
"""A checkpoint after every step, for the tests that ask for one; writing them takes longer than the steps."""


class Counted:
    """Examples that do something at a certain call for logits."""

    def __init__(self, inner, at, what):
        self.facts = inner.facts
        self.inner, self.at, self.what, self.calls = inner, at, what, 0

    def logits(self, rows):
        self.calls += 1
        found = self.inner.logits(rows)
        return self.what(found) if self.calls == self.at else found


def settings_of(**changes):
    return FinetuneSettings(
        **{"epochs": 3, "batch_rows": 8, "learning_rate": 1e-3, "checkpoint_every_s": None, **changes}
    )


def make_loop(loaded, place, *, bf16=False, n_logits=2, **changes):
    """A network on texts, every time from the same weights."""
    settings = settings_of(**changes)
    torch.manual_seed(settings.seed)
    encoder = copy.deepcopy(loaded.encoder)
    network = Network(
        encoder=encoder, blocks=blocks_for("cls", None, 2), head=ClassificationHead(dim=16, n_labels=n_logits)
    )
    tokenized = loaded.tokenizer.encode(TEXTS)
    facts = Labelled(labels_N=LABELS, tokens_N=tokenized.lengths, row_ids=[f"train:{n + 1}" for n in range(len(TEXTS))])
    examples = TextExamples(network, tokenized, facts, use_bf16=bf16)
    plan = Plan(settings=settings, learning_rate=1e-3, token_budget=settings.token_budget)
    place.mkdir(exist_ok=True)
    losses = LabelLosses(examples, settings, 2, torch.device("cpu"))
    return Loop(network, losses, LabelJudge(network, examples, settings, 2), plan, RunFolder(place))


def watch(loop, at, what):
    """Let something happen at a certain call for logits, in training or evaluation."""
    counted = Counted(loop.judge.examples, at, what)
    loop.losses = LabelLosses(counted, loop.plan.settings, 2, torch.device("cpu"))
    loop.judge = LabelJudge(loop.module, counted, loop.plan.settings, 2)


def tell(loop, losses, seen):
    """Let the judge say these losses, one an epoch; `seen` takes the weights of each."""
    told = iter(losses)
    honest = loop.judge.score

    def score(epoch, check, progress):
        seen.append(bits(loop))
        return replace(honest(epoch, check, progress), log_loss=next(told))

    loop.judge.score = score


def bits(loop):
    return {name: weight.detach().clone() for name, weight in loop.module.state_dict().items()}


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_plain_torch_loop_gives_the_same_head(tmp_path):
    """Adam on mean cross-entropy, batch after batch: ours is the textbook's loop, to the last bits of float32."""
    random = np.random.default_rng(3)
    features_NF = random.normal(size=(40, 5)).astype(np.float32)
    labels_N = random.integers(0, 3, 40)
    facts = Labelled(labels_N=labels_N, tokens_N=np.ones(40, np.int64), row_ids=[str(n) for n in range(40)])
    settings = HeadSettings(epochs=2, batch_rows=8, clip_norm=None, best_by="loss")
    head = LinearHead.zeros(3, 5)
    loop = Loop(
        head,
        LabelLosses(FeatureExamples(head, features_NF, facts), settings, 3, torch.device("cpu")),
        LabelJudge(head, FeatureExamples(head, features_NF, facts), settings, 3),
        Plan(settings=settings, learning_rate=1e-3, token_budget=8),
        RunFolder(tmp_path),
    )
    loop.run(StopSignal())

    from limbeck.training.batches import plan_epoch

    plain = torch.nn.Linear(5, 3)
    torch.nn.init.zeros_(plain.weight)
    torch.nn.init.zeros_(plain.bias)
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3)
    for epoch in range(2):
        for update in plan_epoch(facts.tokens_N, batch_rows=8, token_budget=8, seed=0, epoch=epoch):
            adam.zero_grad()
            logits = plain(torch.from_numpy(features_NF[update.rows]))
            functional.cross_entropy(logits, torch.from_numpy(labels_N[update.rows])).backward()
            adam.step()
    torch.testing.assert_close(head.weight, plain.weight, atol=1e-7, rtol=1e-5)
    torch.testing.assert_close(head.bias, plain.bias, atol=1e-7, rtol=1e-5)


def test_the_training_loss_is_a_mean_over_rows(tiny_loaded, tmp_path):
    """Neither a sum, nor a mean of means of unequal batches: the steps' losses, weighted by their rows."""
    loop = make_loop(tiny_loaded, tmp_path, epochs=1, batch_rows=7)
    result = loop.run(StopSignal())
    lines = [json.loads(line) for line in loop.folder.journal.read_text().splitlines()]
    steps = [line for line in lines if line["what"] == "step"]
    by_hand = sum(line["loss"] * line["rows"] for line in steps) / sum(line["rows"] for line in steps)
    assert sum(line["rows"] for line in steps) == len(TEXTS)
    assert result.epochs[0].train_loss == pytest.approx(by_hand, abs=1e-12)
    assert 0.1 < result.epochs[0].train_loss < 3


def test_micro_batches_do_not_change_the_gradient(tiny_loaded, tmp_path):
    """One update in one part or in many: the same step within rounding."""
    whole = make_loop(tiny_loaded, tmp_path / "a", epochs=1, batch_rows=48, dropout=None)
    parts = make_loop(tiny_loaded, tmp_path / "b", epochs=1, batch_rows=48, token_budget=12)
    for loop in (whole, parts):
        for module in loop.module.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            elif hasattr(module, "dropout") and isinstance(module.dropout, float):
                module.dropout = 0.0
        loop.run(StopSignal())
    assert whole.folder.journal.read_text().count('"step"') == parts.folder.journal.read_text().count('"step"')
    one, other = (
        [json.loads(line) for line in loop.folder.journal.read_text().splitlines()] for loop in (whole, parts)
    )
    assert one[0]["loss"] == pytest.approx(other[0]["loss"], abs=1e-5)
    assert one[0]["gradient_norm"] == pytest.approx(other[0]["gradient_norm"], rel=1e-4)


@pytest.mark.parametrize("at", [*(pytest.param(at, marks=pytest.mark.slow) for at in (1, 2, 13)), 7])
@pytest.mark.parametrize("bf16", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_interrupted_run_ends_with_the_same_bits(tiny_loaded, tmp_path, at, bf16):
    """Interrupted before, within or after any step, in training or evaluation: weights, table and journal agree."""
    whole = make_loop(tiny_loaded, tmp_path / "whole", bf16=bf16, token_budget=40)
    expected = whole.run(StopSignal())

    broken = make_loop(tiny_loaded, tmp_path / "broken", bf16=bf16, token_budget=40, **OFTEN)
    stop = StopSignal()

    def interrupt(logits):
        stop.note(signal.SIGINT)
        return logits

    watch(broken, at, interrupt)
    with pytest.raises(Interrupted, match="--resume"):
        broken.run(stop)

    torch.manual_seed(999)
    again = make_loop(tiny_loaded, tmp_path / "broken", bf16=bf16, token_budget=40)
    found = again.run(StopSignal())
    assert_same_bits(bits(whole), bits(again))
    assert found.steps == expected.steps == 18
    assert found.resumed_at is not None
    figures = [(line.train_loss, line.validation_loss, line.accuracy) for line in found.epochs]
    assert figures == [(line.train_loss, line.validation_loss, line.accuracy) for line in expected.epochs]
    steps = [line for line in again.folder.journal.read_text().splitlines() if '"step"' in line]
    assert steps == [line for line in whole.folder.journal.read_text().splitlines() if '"step"' in line]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_others(tiny_loaded, tmp_path):
    """Nothing but the seed decides."""
    runs = [make_loop(tiny_loaded, tmp_path / str(n), seed=seed) for n, seed in enumerate([1, 1, 2])]
    for loop in runs:
        loop.run(StopSignal())
    assert_same_bits(bits(runs[0]), bits(runs[1]))
    assert not torch.equal(runs[0].module.head.classifier.weight, runs[2].module.head.classifier.weight)


def test_sigterm_has_its_own_status(tiny_loaded, tmp_path):
    """143 for SIGTERM, 130 for Ctrl-C."""
    loop = make_loop(tiny_loaded, tmp_path, **OFTEN)
    stop = StopSignal()

    def terminate(logits):
        stop.note(signal.SIGTERM)
        return logits

    watch(loop, 2, terminate)
    with pytest.raises(Terminated):
        loop.run(stop)


def test_a_second_signal_is_obeyed_on_the_spot(tiny_loaded, tmp_path):
    """Who presses Ctrl-C twice does not wait."""
    stop = StopSignal()
    with stop.patient():
        stop.note(signal.SIGINT)
        stop.note(signal.SIGINT)  # the same once more, by way of torchrun
        time.sleep(SAME_S)
        with pytest.raises(Interrupted):
            stop.note(signal.SIGINT)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_at_once(tiny_loaded, tmp_path, bad):
    """The error names the epoch, the step and the rows; the checkpoint before it is whole."""
    loop = make_loop(tiny_loaded, tmp_path, **OFTEN)

    def spoil(logits):
        spoilt = logits.clone()
        spoilt[1] = bad
        return spoilt

    watch(loop, 3, spoil)
    with pytest.raises(TrainingError, match=r"epoch 1, update 3 of 6 \(step 3\), rows train:\d+: look at") as caught:
        loop.run(StopSignal())
    assert str(caught.value).count("train:") == 1
    assert loop.checkpoints.newest().position.step == 2


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_the_reason(tiny_loaded, tmp_path, monkeypatch):
    """And the run goes on from the last good checkpoint when there is room again."""
    whole = make_loop(tiny_loaded, tmp_path / "whole")
    whole.run(StopSignal())
    loop = make_loop(tiny_loaded, tmp_path / "full", **OFTEN)
    saved = []
    honest = weights.save_file

    def nearly_full(tensors, path, metadata):
        saved.append(path)
        if len(saved) > 10:
            raise OSError(28, "No space left on device")
        honest(tensors, path, metadata)

    with monkeypatch.context() as patched:
        patched.setattr(weights, "save_file", nearly_full)
        with pytest.raises(StorageError, match="the disk is full"):
            loop.run(StopSignal())
    again = make_loop(tiny_loaded, tmp_path / "full")
    again.run(StopSignal())
    assert_same_bits(bits(whole), bits(again))


@pytest.mark.slow
def test_the_best_epoch_is_restored(tiny_loaded, tmp_path):
    """The module ends with the weights whose figure was the best, not with the last."""
    loop = make_loop(tiny_loaded, tmp_path, epochs=4, best_by="loss")
    seen = []
    tell(loop, [0.9, 0.5, 0.7, 0.8], seen)
    result = loop.run(StopSignal())
    assert result.best_epoch == 2
    assert_same_bits(seen[1], bits(loop))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figures", "losses", "best"),
    [
        ([0.5, 0.5, 0.5], [0.9, 0.5, 0.7], 2),
        ([0.5, 0.5, 0.5], [0.9, 0.8, 0.7], 3),
        ([0.5, 0.6, 0.5], [0.9, 0.8, 0.1], 2),
        ([0.5, 0.6, 0.6], [0.1, 0.8, 0.8], 2),
    ],
)
def test_of_equal_figures_the_lower_loss_is_kept(tiny_loaded, tmp_path, figures, losses, best):
    """With few validation rows the accuracy stands still while the loss falls: the best of those epochs is kept."""
    loop = make_loop(tiny_loaded, tmp_path, epochs=3, best_by="accuracy")
    seen, told = [], iter(figures)
    tell(loop, losses, seen)
    honest = loop.judge.score
    loop.judge.score = lambda *given: replace(honest(*given), accuracy=next(told))
    assert loop.run(StopSignal()).best_epoch == best
    assert_same_bits(seen[best - 1], bits(loop))


@pytest.mark.slow
def test_a_lower_loss_at_an_equal_figure_is_no_worse_epoch(tiny_loaded, tmp_path):
    """Patience counts epochs that are better in nothing."""
    loop = make_loop(tiny_loaded, tmp_path, epochs=9, best_by="accuracy", patience=2)
    tell(loop, [0.9, 0.8, 0.7, 0.7, 0.8, 0.1], [])
    honest = loop.judge.score
    loop.judge.score = lambda *given: replace(honest(*given), accuracy=0.5)
    assert len(loop.run(StopSignal()).epochs) == 5


def test_the_first_checkpoints_come_soon(monkeypatch):
    """So that a kill loses little; then ever more seldom, up to what was asked for; none where that is off."""
    now = [0.0]
    monkeypatch.setattr("limbeck.training.loop.time.monotonic", lambda: now[0])

    def moments(every_s):
        now[0] = 0.0
        times, found = SaveTimes(every_s), []
        for second in range(600):
            now[0] = float(second)
            if times.is_due():
                times.note()
                found.append(second)
        return found

    assert moments(120.0) == [20, 60, 140, 260, 380, 500]
    assert moments(5.0)[:3] == [5, 10, 15]
    assert moments(0.0)[:3] == [0, 1, 2]
    assert moments(None) == []


def test_a_signal_is_answered_at_once():
    """One word while the work comes to its orderly end, for the first signal only, and none when it is over."""
    stop, said = StopSignal(), []
    with stop.patient(said.append):
        stop.note(signal.SIGINT)
        stop.note(signal.SIGINT)
    assert len(said) == 1
    assert "checkpoint" in said[0]


@pytest.mark.slow
def test_a_checkpoint_of_an_older_version_is_gone_on_with(tiny_loaded, tmp_path):
    """One without the loss of the best epoch."""
    loop = make_loop(tiny_loaded, tmp_path, **OFTEN)
    stop = StopSignal()
    watch(loop, 9, lambda logits: stop.note(signal.SIGINT) or logits)
    with pytest.raises(Interrupted):
        loop.run(stop)
    newest = max(loop.folder.checkpoints.glob("step-*"))
    state = storage.read_json(newest / "state.json")
    assert state.pop("best_loss") is not None
    storage.write_json(newest / "state.json", state)
    storage.write_manifest(newest)
    assert make_loop(tiny_loaded, tmp_path).run(StopSignal()).resumed_at == state["step"]


def test_patience_ends_a_run_early(tiny_loaded, tmp_path):
    """Two epochs without a better figure are enough."""
    loop = make_loop(tiny_loaded, tmp_path, epochs=9, best_by="loss", patience=2)
    tell(loop, [0.9, 0.5, 0.7, 0.8, 0.1], [])
    result = loop.run(StopSignal())
    assert [line.epoch for line in result.epochs] == [1, 2, 3, 4]
    assert [line.epoch for line in read_epochs(loop.folder.journal)] == [1, 2, 3, 4]
    assert result.best_epoch == 2


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"balance": "weights"}, {"balance": "focal"}, {"label_smoothing": 0.1}])
def test_every_objective_learns(tiny_loaded, tmp_path, changes):
    """The loss falls from the first epoch to the last."""
    result = make_loop(tiny_loaded, tmp_path, epochs=6, **changes).run(StopSignal())
    assert result.epochs[-1].train_loss < result.epochs[0].train_loss


@pytest.mark.slow
def test_one_logit_learns_two_classes(tiny_loaded, tmp_path):
    """Binary cross-entropy trains a head of one output."""
    result = make_loop(tiny_loaded, tmp_path, epochs=6, n_logits=1, loss="binary").run(StopSignal())
    assert result.epochs[-1].validation_loss < result.epochs[0].validation_loss


def test_filling_up_changes_no_logit(tiny_loaded, tmp_path):
    """The padding text at the end of a micro-batch is seen by nobody."""
    loop = make_loop(tiny_loaded, tmp_path)
    loop.module.eval()
    rows = np.array([0, 4, 5])
    with torch.inference_mode():
        found = loop.judge.examples.logits(rows)
        expected = loop.module(tiny_loaded.tokenizer.encode(TEXTS).take(rows))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
