"""What engines are compared on: sentences about six feelings, made here, so that a certificate needs no data.

In: nothing, or a tokenizer. Out: texts of 4 to some 60 tokens, and the feeling in each; their tokens in words of the
tokenizer's own where it hardly knows English. It does not know engines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from limbeck.tokens import Tokenized, Tokenizer

MOST_UNKNOWN = 0.1
"""Share of [UNK] among tokens above which a tokenizer does not know the sentences."""
MOST_PIECES = 2.5
"""Tokens a word above which it spells them instead of knowing them."""
_FEELINGS = {
    "joy": ("happy", "delighted", "cheerful", "glad", "thrilled", "content"),
    "sadness": ("sad", "miserable", "gloomy", "lonely", "heartbroken", "hopeless"),
    "anger": ("angry", "furious", "annoyed", "bitter", "irritated", "outraged"),
    "fear": ("afraid", "scared", "anxious", "nervous", "terrified", "worried"),
    "love": ("loved", "caring", "tender", "devoted", "fond", "passionate"),
    "surprise": ("surprised", "amazed", "astonished", "stunned", "curious", "shocked"),
}
_SENTENCES = (
    "i feel {} today",
    "i am feeling rather {} about the whole thing and i do not know why",
    "she said that she had been {} ever since the letter came",
    "we left early because everyone was {} , even the children , and the rain would not stop",
    "{} !",
    "it is hard to write this down but i have been {} for weeks now and my friends keep asking what is going on",
    "he looked {} when they told him what the doctors had found on monday morning",
    "feeling {} again , same as last year around this time",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sentences:
    """What is compared on.

    Attributes:
        texts: N of them.
        feelings_N: the number of the feeling in each, (N,).
    """

    texts: Sequence[str]
    feelings_N: np.ndarray


def certificate_texts() -> Sentences:
    """Return a sentence for each word and frame."""
    texts: list[str] = []
    feelings: list[int] = []
    for feeling, words in enumerate(_FEELINGS.values()):
        for word, sentence in product(words, _SENTENCES):
            texts.append(sentence.format(word))
            feelings.append(feeling)
    return Sentences(texts=texts, feelings_N=np.array(feelings))


def more_texts() -> Sentences:
    """Return these and three times as many: each with others of its feeling behind it."""
    few = certificate_texts()
    a_feeling = len(few.texts) // len(_FEELINGS)
    texts = list(few.texts)
    for step in (5, 13, 29):
        for place, text in enumerate(few.texts):
            begin = place - place % a_feeling
            texts.append(f"{text} , {few.texts[begin + (place - begin + step) % a_feeling]}")
    return Sentences(texts=texts, feelings_N=np.tile(few.feelings_N, 4))


def speaks_of(tokenized: Tokenized, texts: Sequence[str], tokenizer: Tokenizer) -> bool:
    """Tell whether a tokenizer knows the words of texts, or makes [UNK] and letters of them.

    Args:
        tokenized: the texts, by it.
        texts: all of them.
        tokenizer: of the encoder.
    """
    words = sum(len(text.split()) for text in texts)
    tokens = int((tokenized.lengths + tokenized.cut_tokens - 2).sum())
    unknown = np.isin(tokenized.ids, tokenizer.special_ids["[UNK]"]).sum()
    return bool(unknown <= MOST_UNKNOWN * len(tokenized.ids) and tokens <= MOST_PIECES * words)


def in_its_words(texts: Sequence[str], tokenizer: Tokenizer) -> Tokenized:
    """Return texts with each word replaced by a token of the vocabulary, always the same one; drawn, always alike.

    They mean nothing, but are told apart as the texts are: a feeling has words of its own.

    Args:
        texts: of words between spaces.
        tokenizer: of the encoder.
    """
    special = set(tokenizer.special_ids.values())
    known = sorted(set(tokenizer.vocabulary().values()) - special) or sorted(special)
    words = dict.fromkeys(word for text in texts for word in text.split())
    drawn = np.random.default_rng(0).choice(known, len(words), replace=len(words) > len(known))
    token_of = dict(zip(words, drawn.tolist(), strict=True))
    rows = [
        [tokenizer.cls_id, *(token_of[word] for word in text.split()[: tokenizer.max_tokens - 2]), tokenizer.sep_id]
        for text in texts
    ]
    cut = [max(0, len(text.split()) + 2 - tokenizer.max_tokens) for text in texts]
    return Tokenized(
        ids=np.concatenate([np.array(row, np.int32) for row in rows]),
        offsets=np.cumsum([0, *map(len, rows)]).astype(np.int64),
        cut_tokens=np.array(cut, np.int32),
    )


def one_after_other(one: Tokenized, other: Tokenized) -> Tokenized:
    """Return the texts of both, one after the other."""
    return Tokenized(
        ids=np.concatenate([one.ids, other.ids]),
        offsets=np.concatenate([one.offsets, other.offsets[1:] + one.offsets[-1]]),
        cut_tokens=np.concatenate([one.cut_tokens, other.cut_tokens]),
    )
