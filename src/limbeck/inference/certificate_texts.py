"""What engines are compared on: sentences about six feelings, made here, so that a certificate needs no data.

In: nothing. Out: texts of 4 to some 60 tokens, and the feeling in each. It does not know engines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

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
