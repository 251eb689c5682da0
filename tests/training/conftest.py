"""A small training: texts that say their label, and a loop over them."""

import copy

import numpy as np
import pytest
import torch

from limbeck.model.blocks import blocks_for
from limbeck.model.heads import ClassificationHead
from limbeck.model.network import Network
from limbeck.runs.run_folder import RunFolder
from limbeck.settings import FinetuneSettings
from limbeck.training.examples import Labelled, TextExamples
from limbeck.training.judge import LabelJudge
from limbeck.training.loop import Loop
from limbeck.training.losses import LabelLosses
from limbeck.training.plan import Plan
from limbeck.training.team import ALONE

SAID = ["i feel fine", "so sad", "it is rain today", "sun", "i feel so very sad today .", "today it is fine !"] * 8
MEANT = np.array([0, 1, 1, 0, 1, 0] * 8)


@pytest.fixture
def make_loop(tiny_loaded):
    """Make a loop on one thread, every time from the same weights; `rate` None looks for the learning rate.

    It saves after every step, which takes longer than the steps: tests that end what they begin do without.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)

    def make(place, *, rate=1e-3, unfreeze="all", team=ALONE, **changes):
        settings = FinetuneSettings(
            **{"epochs": 2, "batch_rows": 8, "checkpoint_every_s": 0.0, "unfreeze": unfreeze, **changes}
        )
        torch.manual_seed(settings.seed)
        network = Network(
            encoder=copy.deepcopy(tiny_loaded.encoder),
            blocks=blocks_for("cls", None, 2),
            head=ClassificationHead(dim=16, n_labels=2),
        )
        tokenized = tiny_loaded.tokenizer.encode(SAID)
        facts = Labelled(labels_N=MEANT, tokens_N=tokenized.lengths, row_ids=[f"train:{n + 1}" for n in range(48)])
        examples = TextExamples(network, tokenized, facts, use_bf16=False)
        plan = Plan(
            settings=settings,
            learning_rate=rate,
            token_budget=settings.token_budget,
            layer_decay=settings.layer_decay,
            n_layers=2,
            unfreeze=unfreeze,
        )
        place.mkdir(exist_ok=True)
        losses = LabelLosses(examples, settings, 2, torch.device("cpu"))
        judge = LabelJudge(network, examples, settings, 2, team=team)
        return Loop(network, losses, judge, plan, RunFolder(place), team=team)

    yield make
    torch.set_num_threads(before)
