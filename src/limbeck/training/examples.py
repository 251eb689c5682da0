"""Examples: one split as the training loop sees it, rows that have a label, a cost and logits.

In: token ids and a network, or an array of features and a head. Out: logits of the rows that are asked for.
It does not know losses or optimizers.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limbeck.data.hierarchy import Hierarchy
from limbeck.model.heads import Head
from limbeck.model.network import Network
from limbeck.tokens import ReadTexts, TokenBatch, Tokenized
from limbeck.training.batches import pack_rows
from limbeck.training.native_step import NativeStep

Int64 = NDArray[np.int64]
TOKEN_STEP = 64
"""In torch, micro-batches are filled up to a multiple of this many tokens. Then there are few different shapes: the
kernels made for one are used again, and so is the memory."""
ANSWERED_TOKENS = 4_096
"""Tokens of a long text that are computed at a time where nothing is learned from them."""
_SHOWN_ROWS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """What the loop knows about the rows that it trains on.

    Attributes:
        tokens_N: tokens of each row; what a micro-batch's budget counts.
        row_ids: to name rows in messages.
    """

    tokens_N: Int64
    row_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.tokens_N)


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled(Rows):
    """Rows with labels.

    Attributes:
        labels_N: what each row should be answered, as `Dataset.targets` has it: a label, int64; which of C labels it
            has, bool (N, C); or a number, float64.
        hierarchy: of labels and their parents, where answers keep to these; a judge needs it, losses do not.
    """

    labels_N: NDArray[Any]
    hierarchy: Hierarchy | None = None


class Examples(Protocol):
    """Rows with labels, and the way to their logits."""

    facts: Labelled

    def logits(self, rows: Int64) -> Tensor:
        """Return logits_BC of rows, with gradients where they are on; training or evaluation as the module is set."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """What a network says of rows, float32.

    Attributes:
        features_BF: what its head saw.
        logits_BC: what its head made of it.
    """

    features_BF: Tensor
    logits_BC: Tensor


class TextExamples:
    """Texts through a whole network.

    Args:
        network: encoder and head.
        tokenized: the texts.
        facts: their labels.
        use_bf16: compute in bfloat16; weights stay as they are.
        native: computes the encoder in torch's place.
    """

    def __init__(
        self,
        network: Network,
        tokenized: Tokenized,
        facts: Labelled,
        *,
        use_bf16: bool,
        native: NativeStep | None = None,
    ) -> None:
        self.facts = facts
        self._network = network
        self._native = native
        self._tokenized = tokenized
        self._use_bf16 = use_bf16
        self._step = min(TOKEN_STEP, network.encoder.config.max_position_embeddings)

    def logits(self, rows: Int64) -> Tensor:
        """Return logits_BC of rows."""
        return self.said(rows).logits_BC

    def said(self, rows: Int64) -> Said:
        """Return logits_BC of rows, and the features that they were made of."""
        batch = self._tokenized.take(rows)
        if self._native is None:
            batch = filled_up(batch, self._step, self._network.encoder.config.pad_token_id)
        with self._arithmetic():
            features_BF = self._network.features(batch) if self._native is None else self._native.first_states(batch)
            logits_BC: Tensor = self._network.head(features_BF)
        return Said(features_BF=features_BF[: len(rows)].float(), logits_BC=logits_BC[: len(rows)].float())

    def _arithmetic(self) -> AbstractContextManager[object]:
        device = next(self._network.parameters()).device.type
        return torch.autocast(device, dtype=torch.bfloat16) if self._use_bf16 else nullcontext()


class LongExamples:
    """Texts that are read in several rows: what is said of a text is the mean of what is said of its rows.

    Args:
        rows: the rows, through a whole network.
        read: which of them are of which text.
        facts: of the texts; their tokens as `ReadTexts.tokens_of` counts them.
        most_rows: of a text that are read at a time while weights are learned, spread evenly over it: it bounds the
            memory of a step; None for all of them.
    """

    def __init__(self, rows: TextExamples, read: ReadTexts, facts: Labelled, *, most_rows: int | None = None) -> None:
        self.facts = facts
        self._rows = rows
        self._read = read
        self._most_rows = most_rows

    def logits(self, rows: Int64) -> Tensor:
        """Return logits_BC of texts."""
        learns = torch.is_grad_enabled()
        parts = [self._read.spread_rows(text, self._most_rows if learns else None) for text in rows.tolist()]
        places = np.concatenate(parts)
        if learns:
            logits_RC = self._rows.logits(places)
        else:
            runs = pack_rows(places, self._read.rows.lengths, ANSWERED_TOKENS)
            logits_RC = torch.cat([self._rows.logits(run) for run in runs])
        own_rows = torch.split(logits_RC, [len(part) for part in parts])
        return torch.stack([own.mean(dim=0) for own in own_rows])


class FeatureExamples:
    """Features of a frozen encoder through a head."""

    def __init__(self, head: Head, features_NF: np.ndarray, facts: Labelled) -> None:
        self.facts = facts
        self._head = head
        self._features_NF = torch.from_numpy(features_NF)

    def logits(self, rows: Int64) -> Tensor:
        """Return logits_BC of rows."""
        logits_BC: Tensor = self._head(self._features_NF[torch.from_numpy(rows)])
        return logits_BC


def spoken_rows(facts: Rows, rows: Int64) -> str:
    """Name rows for a message, the first few by their ids."""
    shown = ", ".join(facts.row_ids[row] for row in rows[:_SHOWN_ROWS].tolist())
    rest = len(rows) - _SHOWN_ROWS
    return f"rows {shown}" + (f" and {rest:,} more" if rest > 0 else "")


def filled_up(batch: TokenBatch, step: int, pad_id: int) -> TokenBatch:
    """Append one text of padding, so that the number of tokens is a multiple of `step`; nothing where it is already.

    Texts do not see each other, so the logits of the others are what they were; whoever asked leaves the last out.

    Example:
        >>> short = TokenBatch(ids=np.array([7, 8, 9]), offsets=np.array([0, 3], np.int32), rows=np.array([5]))
        >>> filled_up(short, 4, 0).offsets.tolist()
        [0, 3, 4]
    """
    missing = -len(batch.ids) % step
    if not missing:
        return batch
    return TokenBatch(
        ids=np.concatenate([batch.ids, np.full(missing, pad_id, np.int32)]),
        offsets=np.append(batch.offsets, np.int32(len(batch.ids) + missing)),
        rows=np.append(batch.rows, np.int64(-1)),
    )
