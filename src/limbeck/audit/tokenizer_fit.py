"""Tokenizer fit: how well each tokenizer's vocabulary knows the language of the texts.

In: token counts by tokenizer, words, letters by script. Out: `TokenizerFit` rows and `Scripts`, plain values for JSON.
It does not know where tokenizers come from.
"""

from dataclasses import dataclass

import numpy as np

from limbeck.audit.characters import SCRIPT_NAMES
from limbeck.audit.lengths import WRAPPING_TOKENS, TokenCounts
from limbeck.tokens import Tokenizer

_OWN_SHARE = 0.02
"""A script counts for a text when it has at least this share of the text's letters."""


@dataclass(frozen=True, kw_only=True)
class TokenizerFit:
    """One tokenizer on these texts; [CLS] and [SEP] are not counted.

    Attributes:
        name: of the preset or folder.
        vocabulary: tokens in the vocabulary.
        tokens: tokens of all texts.
        tokens_per_word: tokens over words; English is near 1.2 with an English vocabulary.
        tokens_per_character: tokens over characters.
        unknown: tokens that are [UNK].
        unknown_share: `unknown / tokens`.
        texts_with_unknown: texts with at least one [UNK].
        cut_share: share of texts longer than the model's limit.
        model_limit: the most tokens that the model reads, [CLS] and [SEP] included.
    """

    name: str
    vocabulary: int
    tokens: int
    tokens_per_word: float
    tokens_per_character: float
    unknown: int
    unknown_share: float
    texts_with_unknown: int
    cut_share: float
    model_limit: int


@dataclass(frozen=True, kw_only=True)
class Scripts:
    """The writing systems of the texts.

    Attributes:
        main: script → texts in which it has the most letters, most frequent first.
        letters: script → share of all letters.
        mixed: texts with at least two scripts that each have 2 % of the letters.
        none: texts without any letter.
    """

    main: dict[str, int]
    letters: dict[str, float]
    mixed: int
    none: int


def describe_fit(name: str, tokenizer: Tokenizer, counts: TokenCounts, *, words: int, characters: int) -> TokenizerFit:
    """Sum up what a tokenizer made of the texts.

    Args:
        name: what to call it.
        tokenizer: it.
        counts: its tokens, text by text.
        words: words of all texts.
        characters: characters of all texts.
    """
    tokens = int((counts.tokens - WRAPPING_TOKENS).sum())
    unknown = int(counts.unknown.sum())
    return TokenizerFit(
        name=name,
        vocabulary=tokenizer.vocabulary_size,
        tokens=tokens,
        tokens_per_word=tokens / max(1, words),
        tokens_per_character=tokens / max(1, characters),
        unknown=unknown,
        unknown_share=unknown / max(1, tokens),
        texts_with_unknown=int((counts.unknown > 0).sum()),
        cut_share=float((counts.tokens > tokenizer.max_tokens).mean()),
        model_limit=tokenizer.max_tokens,
    )


def describe_scripts(letters_NS: np.ndarray) -> Scripts:
    """Sum up letters by script.

    Args:
        letters_NS: int64 (N, S), as `characters.script_counts` gives them.
    """
    totals_N = letters_NS.sum(axis=1)
    lettered = totals_N > 0
    main = np.bincount(letters_NS[lettered].argmax(axis=1), minlength=len(SCRIPT_NAMES))
    letters_S = letters_NS.sum(axis=0)
    order = sorted(range(len(SCRIPT_NAMES)), key=lambda place: (-main[place], -letters_S[place]))
    present = [place for place in order if letters_S[place]]
    mixed = (letters_NS > _OWN_SHARE * totals_N[:, None]).sum(axis=1) > 1
    return Scripts(
        main={SCRIPT_NAMES[place]: int(main[place]) for place in present},
        letters={SCRIPT_NAMES[place]: float(letters_S[place] / letters_S.sum()) for place in present},
        mixed=int(mixed.sum()),
        none=int((~lettered).sum()),
    )
