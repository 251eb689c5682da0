"""What an encoder is used for: what engines must agree in with float32.

In: a classifier, texts of the user's own. Out: the blocks, head and texts that a certificate asks about.
It does not know engines.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limbeck.data.dataset import Dataset
from limbeck.model.blocks import Block, blocks_for
from limbeck.model.bundle import Bundle

MOST_OWN_TEXTS = 200
MOST_OWN_CHARACTERS = 40_000
"""Of the user's own texts so many are compared: seconds, whatever their length."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Usage:
    """What an encoder is used for.

    Attributes:
        classifier: the model that it belongs to; none where its features may be for anything.
        texts: some of the user's own; `some_of` picks them.
    """

    classifier: Bundle | None = None
    texts: Sequence[str] = ()

    @property
    def judge(self) -> Bundle | None:
        """The model whose own labels are compared; None where the encoder is judged alone.

        A classifier goes by its own labels where the encoder was trained with its head. A head on a frozen encoder
        learned from features of the engine that the encoder alone is given, rounding and all, so it gets this again.
        """
        return None if self.classifier is None or self.classifier.is_frozen else self.classifier

    def blocks(self, n_layers: int) -> tuple[Block, ...]:
        """Return what is pooled of which hidden state: what the judge sees, or whatever can be asked for."""
        return blocks_for("layers", None, n_layers) if self.judge is None else self.judge.facts.blocks

    def digest(self) -> str:
        """Return a digest of all that decides how near an engine is, but for the encoder."""
        head = self.judge.head_fingerprint() if self.judge else ""
        texts = json.dumps([head, *self.texts]).encode()
        return hashlib.sha256(texts).hexdigest()


ANYTHING = Usage()
"""What an encoder is used for of which nothing is known."""


def some_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return some texts of all, different ones, always the same of the same; drawn, as files may be sorted."""
    known = list(dict.fromkeys(texts))
    taken: list[str] = []
    room = MOST_OWN_CHARACTERS
    for place in np.random.default_rng(0).permutation(len(known)).tolist():
        if len(taken) == MOST_OWN_TEXTS or room <= 0:
            break
        taken.append(known[place][:room])
        room -= len(taken[-1])
    return tuple(taken)


def texts_of(dataset: Dataset) -> tuple[str, ...]:
    """Return some texts of a data set's validation rows; none where it has no such split."""
    return some_of(dataset.split("validation").texts) if "validation" in dataset.split_names else ()


def validation_texts(run: Path) -> tuple[str, ...]:
    """Return the validation texts that a run folder keeps; none where it keeps none, or is no run folder."""
    try:
        with pq.ParquetFile(run / "predictions" / "validation.parquet") as parquet:
            texts = parquet.read(columns=["text"])["text"].to_pylist()
    except (OSError, KeyError, pa.ArrowException):
        return ()
    return tuple(text for text in texts if isinstance(text, str))
