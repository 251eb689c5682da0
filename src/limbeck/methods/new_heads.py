"""Heads that the loop trains: how many logits they give meanwhile, and afterwards.

In: settings and sizes. Out: a new head; a trained head with one logit a class. It does not know encoders.
"""

import torch

from limbeck.data.dataset import Dataset
from limbeck.model.config import EncoderConfig
from limbeck.model.heads import ClassificationHead, Head, LinearHead
from limbeck.model.number_head import NumberHead
from limbeck.settings import LoopSettings
from limbeck.task import REGRESSION
from limbeck.training.losses import unit_of


def count_logits(settings: LoopSettings, n_logits: int) -> int:
    """Return how many logits a head gives while it is trained: one with the binary loss, its task's otherwise."""
    return 1 if settings.loss == "binary" else n_logits


def hugging_face_head(config: EncoderConfig, n_logits: int) -> ClassificationHead:
    """Draw Hugging Face's head, as wide and as dropped as the encoder's configuration says."""
    return ClassificationHead(
        dim=config.dim,
        n_labels=n_logits,
        dropout=config.seq_classif_dropout,
        initializer_range=config.initializer_range,
    )


def in_units_of(head: Head, rows: Dataset) -> Head:
    """Return the head as it is trained on rows: one of numbers in their unit, around their mean; others as they are."""
    if rows.task != REGRESSION or not isinstance(head, LinearHead | ClassificationHead):
        return head
    return NumberHead(head, mean=float(rows.targets.mean()), unit=unit_of(rows.targets))


@torch.no_grad()
def with_all_logits(head: Head, n_labels: int) -> Head:
    """Return the head, on the CPU and in evaluation mode, with every logit of its task.

    One that was trained on a single logit gets a first logit that is always 0: see `objectives.two_logits`.
    """
    if isinstance(head, NumberHead):
        return head.expanded()
    head = head.cpu().eval()
    if head.n_labels == n_labels:
        return head
    if isinstance(head, ClassificationHead):
        wide = ClassificationHead(dim=head.n_features, n_labels=2, dropout=head.dropout.p)
        wide.pre_classifier.load_state_dict(head.pre_classifier.state_dict())
        for name, values in head.classifier.state_dict().items():
            wide.classifier.state_dict()[name].copy_(torch.cat([torch.zeros_like(values), values]))
        return wide.eval()
    weights = head.state_dict()
    return LinearHead(*(torch.cat([torch.zeros_like(weights[name]), weights[name]]) for name in ("weight", "bias")))
