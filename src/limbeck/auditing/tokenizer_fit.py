"""Tokenizer fit: how well each tokenizer's vocabulary knows the language of the texts.

In: token counts by tokenizer, words, letters by script. Out: `TokenizerFit` rows and `Scripts`, plain values for JSON;
`judge_vocabulary` says of any texts whose tokens were counted whether the vocabulary fits them.
It does not know where tokenizers come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from limbeck.auditing.characters import SCRIPT_NAMES
from limbeck.auditing.lengths import TokenCounts
from limbeck.evaluation.row_answers import WRAPPING_TOKENS, is_unread
from limbeck.tokens import Tokenizer

_OWN_SHARE = 0.02
"""A script counts for a text when it has at least this share of the text's letters."""

UNKNOWN_SHARE = 0.01
"""From this share of [UNK] on, the vocabulary does not fit."""
_POOR_UNKNOWN_SHARE = 0.05
MANY_TOKENS_PER_WORD = 2.5
"""From this many tokens per word on, words fall into letters; English has about 1.2 with its own vocabulary."""
_POOR_TOKENS_PER_WORD = 4.0
LOOKED_AT = 2_000
"""Texts that are enough to tell."""


@dataclass(frozen=True, kw_only=True)
class VocabularyFit:
    """Whether a vocabulary fits some texts; [CLS] and [SEP] are not counted.

    Attributes:
        texts: how many were looked at.
        unknown_share: tokens that are [UNK] over all tokens.
        tokens_per_word: tokens over words; None where words were not counted.
        texts_with_unknown: texts with at least one [UNK].
        texts_mostly_unknown: texts of whose tokens at least half are [UNK].
        texts_without_token: texts that leave no token: the model sees nothing of them.
        misfit: "high" or "medium" where the vocabulary does not fit the texts as a whole, as the audit's finding
            grades it; None where it does.
    """

    texts: int
    unknown_share: float
    tokens_per_word: float | None
    texts_with_unknown: int
    texts_mostly_unknown: int
    texts_without_token: int
    misfit: Literal["high", "medium"] | None


def look_at_vocabulary(tokenizer: Tokenizer, texts: Sequence[str]) -> VocabularyFit:
    """Tell whether a tokenizer's vocabulary fits texts, from at most `LOOKED_AT` of them, evenly spread."""
    some = list(texts[:: max(1, -(-len(texts) // LOOKED_AT))])
    tokenized = tokenizer.encode(some)
    return judge_vocabulary(tokenized.lengths, tokenized.count(tokenizer.special_ids["[UNK]"]))


def say_misfit(fit: VocabularyFit, encoder: str) -> str | None:
    """Say in a sentence that a vocabulary does not fit, and what to do; None where it fits."""
    if fit.misfit is None:
        return None
    return (
        f"the vocabulary of {encoder} does not fit these texts: {fit.unknown_share:.0%} of their tokens are unknown to "
        f"it ([UNK]), in {fit.texts_with_unknown:,} of {fit.texts:,} texts looked at, so the model reads them badly. "
        "Choose an encoder of their language (--encoder); limbeck audit compares vocabularies"
    )


def judge_vocabulary(tokens_N: np.ndarray, unknown_N: np.ndarray, *, words: int | None = None) -> VocabularyFit:
    """Tell whether a vocabulary fits texts, from the counts of their tokens alone.

    Args:
        tokens_N: int (N,), tokens of each text, [CLS] and [SEP] included, as `TokenCounts` and `Predictions` have it.
        unknown_N: int (N,), how many of them are [UNK].
        words: words of all texts, where they were counted.

    Example:
        >>> fit = judge_vocabulary(np.array([10, 4, 2]), np.array([0, 2, 0]))
        >>> fit.misfit, fit.texts_mostly_unknown, fit.texts_without_token
        ('high', 1, 1)
    """
    own_N = tokens_N.astype(np.int64) - WRAPPING_TOKENS
    tokens, unknown = int(own_N.sum()), int(unknown_N.sum())
    unknown_share = unknown / max(1, tokens)
    tokens_per_word = None if words is None else tokens / max(1, words)
    return VocabularyFit(
        texts=len(own_N),
        unknown_share=unknown_share,
        tokens_per_word=tokens_per_word,
        texts_with_unknown=int((unknown_N > 0).sum()),
        texts_mostly_unknown=int((is_unread(own_N, unknown_N) & (own_N > 0)).sum()),
        texts_without_token=int((own_N <= 0).sum()),
        misfit=grade_misfit(unknown_share, tokens_per_word),
    )


def grade_misfit(unknown_share: float, tokens_per_word: float | None) -> Literal["high", "medium"] | None:
    """Grade how badly a vocabulary fits; None where it fits.

    Example:
        >>> grade_misfit(0.0, 1.2), grade_misfit(0.02, 1.2), grade_misfit(0.0, 4.5)
        (None, 'medium', 'high')
    """
    per_word = tokens_per_word or 0.0
    if unknown_share >= _POOR_UNKNOWN_SHARE or per_word >= _POOR_TOKENS_PER_WORD:
        return "high"
    return "medium" if unknown_share >= UNKNOWN_SHARE or per_word >= MANY_TOKENS_PER_WORD else None


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
