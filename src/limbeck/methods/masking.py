"""Masking: which tokens a masked language model has to guess, and what it sees in their place.

In: packed ids, where words begin, a generator of random numbers. Out: other ids, and the places to guess at: a pure
function. It does not know texts, models or losses.

Shapes: T packed tokens, M of them masked, V vocabulary.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MASKED_SHARE = 0.15
"""Of the tokens that may be masked."""
SHOWN_AS_MASK = 0.8
SHOWN_AS_OTHER = 0.1
"""What remains of 1 is shown as it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Masked:
    """A batch to guess at.

    Attributes:
        ids_T: what the model sees.
        places_M: positions to guess, rising.
        targets_M: the ids that stood there.
    """

    ids_T: NDArray[np.int32]
    places_M: NDArray[np.int64]
    targets_M: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskingVocabulary:
    """What masking has to know about a vocabulary.

    Attributes:
        mask_id: id of [MASK].
        special_ids: ids that are never masked: [CLS], [SEP], [PAD], …
        drawable_ids: ids that may stand in for another token.
        continues_V: whether each id is the continuation of a word ("##ing").
    """

    mask_id: int
    special_ids: NDArray[np.int64]
    drawable_ids: NDArray[np.int64]
    continues_V: NDArray[np.bool_]


def mask_tokens(
    ids_T: NDArray[np.int32],
    vocabulary: MaskingVocabulary,
    random: np.random.Generator,
    *,
    share: float = MASKED_SHARE,
    whole_words: bool = False,
) -> Masked:
    """Choose tokens and hide them.

    Each token that is not special is chosen with probability `share`, or each word, with all its pieces, when
    `whole_words`. A chosen token is shown as [MASK] in 80 of 100 cases, as any other token in 10, as it is in 10.

    Source: Devlin, Chang, Lee, Toutanova, "BERT" (2019), section 3.1; whole words: the note on them in its code (2019).

    Args:
        ids_T: packed ids of any number of texts.
        vocabulary: the special tokens, and which ids continue a word.
        random: decides everything else.
        share: of the tokens, or of the words.
        whole_words: choose words instead of tokens.
    """
    may_T = ~np.isin(ids_T, vocabulary.special_ids)
    if whole_words:
        starts_T = ~vocabulary.continues_V[ids_T] | ~may_T
        word_T = np.cumsum(starts_T) - 1
        is_chosen_T = (random.random(int(word_T[-1]) + 1 if len(ids_T) else 0) < share)[word_T] & may_T
    else:
        is_chosen_T = (random.random(len(ids_T)) < share) & may_T
    places_M = np.flatnonzero(is_chosen_T)
    shown_T = ids_T.copy()
    draw_M = random.random(len(places_M))
    others_M = random.choice(vocabulary.drawable_ids, len(places_M))
    shown_M = np.where(draw_M < SHOWN_AS_MASK, vocabulary.mask_id, ids_T[places_M])
    shown_M = np.where((draw_M >= SHOWN_AS_MASK) & (draw_M < SHOWN_AS_MASK + SHOWN_AS_OTHER), others_M, shown_M)
    shown_T[places_M] = shown_M
    return Masked(ids_T=shown_T, places_M=places_M, targets_M=ids_T[places_M].astype(np.int64))
