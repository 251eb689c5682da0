"""Heads: features become one logit a class.

In: pooled features. Out: logits, or probabilities. A head does not know what pooled its features.

Shapes: B texts (N of them in arrays), F features, C classes, D width of the encoder.
"""

from abc import ABC, abstractmethod
from typing import Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.evaluation.temperature import check_temperature
from limbeck.model.encoder import draw_linear
from limbeck.settings import HeadKind

_ROWS_AT_ONCE = 1_024
_COLUMNS_AT_ONCE = 8_192
"""BLAS shares a longer dot product out to threads, as many as there are."""


def softmax_of(logits_NC: np.ndarray) -> np.ndarray:
    """Return the probability of each class, (N, C) float64; rows sum to 1."""
    probabilities_NC: np.ndarray = torch.from_numpy(logits_NC).softmax(dim=1).numpy()
    return probabilities_NC


def row_by_row(values_NF: np.ndarray, weight_CF: np.ndarray) -> np.ndarray:
    """Return values @ weight.T, (N, C) float64: each entry a dot product of its own, added in an order of F alone.

    A matrix product adds in an order that depends on N, and a probe of 8,064 features, whose large terms cancel, then
    answers a text otherwise among others than alone: by 0.02 in a float32 logit, seen.
    """
    rows, features = values_NF.shape
    sums_NC = np.zeros((rows, len(weight_CF)))
    for start in range(0, rows, _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        for first in range(0, features, _COLUMNS_AT_ONCE):
            columns = slice(first, first + _COLUMNS_AT_ONCE)
            values_BX = np.ascontiguousarray(values_NF[block, columns], dtype=np.float64)
            weight_CX = np.ascontiguousarray(weight_CF[:, columns], dtype=np.float64)
            sums_NC[block] += np.matmul(values_BX[:, None, None, :], weight_CX[None, :, :, None])[..., 0, 0]
    return sums_NC


class Head(nn.Module, ABC):
    """What every head does: features_BF in, logits_BC out."""

    @property
    @abstractmethod
    def n_labels(self) -> int:
        """Number of classes, C."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number of features, F."""

    @property
    @abstractmethod
    def kind(self) -> HeadKind:
        """Which head this is, as a bundle names it."""

    @abstractmethod
    def _maps(self) -> tuple[tuple[nn.Parameter, nn.Parameter], ...]:
        """Weight and bias of each linear map, the last of which makes the logits; ReLU stands between them."""

    def logits(self, features_NF: np.ndarray) -> np.ndarray:
        """Return the logit of each class, (N, C) float64.

        On a CPU a text has the same bits alone and among others.
        """
        maps = self._maps()
        if maps[-1][0].device.type != "cpu":
            with torch.inference_mode():
                features = torch.from_numpy(np.ascontiguousarray(features_NF, dtype=np.float32))
                logits_NC: np.ndarray = self.eval()(features.to(maps[-1][0].device)).cpu().double().numpy()
            return logits_NC
        values_NX = features_NF
        for place, (weight, bias) in enumerate(maps):
            if place:
                values_NX = np.maximum(values_NX, 0)
            values_NX = row_by_row(values_NX, weight.detach().numpy()) + bias.detach().numpy()
        return values_NX

    def probabilities(self, features_NF: np.ndarray) -> np.ndarray:
        """Return the probability of each class, (N, C) float64; rows sum to 1."""
        return softmax_of(self.logits(features_NF))

    @torch.no_grad()
    def fold_temperature(self, temperature: float) -> Self:
        """Divide the logits by a temperature, once and for all, in the weights; return the head itself.

        Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks" (2017), section 4.2.

        Raises:
            SettingsError: the temperature is not a finite number above 0.
        """
        check_temperature(temperature)
        for parameter in self._maps()[-1]:
            parameter.div_(temperature)
        return self


class LinearHead(Head):
    """One linear map from any features.

    Args:
        weight: (C, F).
        bias: (C,).
    """

    def __init__(self, weight: np.ndarray | Tensor, bias: np.ndarray | Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(weight).to(torch.float32, copy=True))
        self.bias = nn.Parameter(torch.as_tensor(bias).to(torch.float32, copy=True))

    @classmethod
    def zeros(cls, n_labels: int, n_features: int) -> "LinearHead":
        """Make a head that knows nothing: every class equally likely."""
        return cls(torch.zeros(n_labels, n_features), torch.zeros(n_labels))

    @property
    def n_labels(self) -> int:
        """Number of classes, C."""
        return self.weight.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features, F."""
        return self.weight.shape[1]

    @property
    def kind(self) -> HeadKind:
        """Which head this is."""
        return "linear"

    def forward(self, features_BF: Tensor) -> Tensor:
        """Return logits_BC."""
        return nn.functional.linear(features_BF, self.weight, self.bias)

    def _maps(self) -> tuple[tuple[nn.Parameter, nn.Parameter], ...]:
        return ((self.weight, self.bias),)


class ClassificationHead(Head):
    """The head of Hugging Face's DistilBertForSequenceClassification, on [CLS] of the last layer, under its names.

    D → D, ReLU, dropout, D → C.
    """

    def __init__(self, *, dim: int, n_labels: int, dropout: float = 0.2, initializer_range: float = 0.02) -> None:
        super().__init__()
        self.pre_classifier = nn.Linear(dim, dim)
        self.classifier = nn.Linear(dim, n_labels)
        self.dropout = nn.Dropout(dropout)
        for linear in (self.pre_classifier, self.classifier):
            draw_linear(linear, std=initializer_range)

    @property
    def n_labels(self) -> int:
        """Number of classes, C."""
        return self.classifier.out_features

    @property
    def n_features(self) -> int:
        """Number of features: the encoder's width."""
        return self.pre_classifier.in_features

    @property
    def kind(self) -> HeadKind:
        """Which head this is."""
        return "classification"

    def forward(self, features_BF: Tensor) -> Tensor:
        """Return logits_BC of [CLS] features (B, D)."""
        logits_BC: Tensor = self.classifier(self.dropout(self.pre_classifier(features_BF).relu()))
        return logits_BC

    def _maps(self) -> tuple[tuple[nn.Parameter, nn.Parameter], ...]:
        return tuple((cast("nn.Parameter", one.weight), one.bias) for one in (self.pre_classifier, self.classifier))
