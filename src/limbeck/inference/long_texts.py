"""Long texts: what a model says of texts that are read in several rows, as one answer a text.

In: an engine, a bundle and `ReadTexts`. Out: one answer a text. A linear head sees the mean of a text's
features, as it was fitted on it; of a head that was trained with its encoder the logits of the rows are averaged.
Rows are computed by the thousand, so that memory is bounded by the longest text.
It does not know texts or tokenizers.
"""

import numpy as np
from numpy.typing import NDArray

from limbeck.inference.engine import Engine
from limbeck.model.bundle import Bundle
from limbeck.progress import SILENT, Progress, Within
from limbeck.tokens import ReadTexts
from limbeck.tokens.windows import mean_of_rows

MOST_ROWS_ANSWERED = 4_096
"""Rows that are computed before their texts are answered."""


def answer_texts(bundle: Bundle, engine: Engine, read: ReadTexts, *, progress: Progress = SILENT) -> np.ndarray:
    """Return the answer to each text, float32, as `Bundle.answers` has them.

    Args:
        bundle: its head answers.
        engine: computes what the head sees.
        read: N texts.
        progress: is told of tokens done.
    """
    blocks = bundle.facts.blocks
    if read.is_plain:
        return bundle.answers(engine.features(read.rows, blocks, progress=progress))
    answers = []
    with progress.track("encoding", total=len(read.rows.ids), unit="tokens") as advance:
        for texts in read.groups(MOST_ROWS_ANSWERED):
            part = read.take(np.arange(texts.start, texts.stop))
            features_RF = engine.features(part.rows, blocks, progress=Within(advance))
            answers.append(answer_rows(bundle, features_RF, part.first_N1))
    return np.concatenate(answers)


def answer_rows(bundle: Bundle, features_RF: np.ndarray, first_N1: NDArray[np.int64]) -> np.ndarray:
    """Return the answer to each text whose rows were computed.

    Args:
        bundle: its head answers.
        features_RF: what the head sees of each row.
        first_N1: the first row of each of N texts, and the number of rows, as `ReadTexts` has them.
    """
    if bundle.head.kind == "linear":
        return bundle.answers(mean_of_rows(features_RF, first_N1))
    return bundle.answers_of_logits(mean_of_rows(bundle.head.logits(features_RF), first_N1))
