"""A smaller vocabulary: the tokens that a corpus uses, and what is needed to spell anything else.

In: a tokenizer and texts. Out: another tokenizer, and which of the old ids it kept. It does not know embeddings.

On the texts of the corpus the result is the very same tokens. WordPiece takes, from left to right, the longest token of
the vocabulary that fits. Where it took a token before, that token is kept and everything longer that fits was not there
then and is not there now: it takes the same again. That holds for the pieces that it took on the way to giving a
word up as [UNK] too, so they are kept as well. Other texts may be spelt in smaller pieces: single characters are kept.

Rare tokens can be left out too. The corpus is then not what it was: their words are spelt in smaller pieces. Where
every character is a token of its own, as in BERT's vocabularies, no word becomes [UNK] by it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as RawTokenizer

from limbeck.errors import TokenizerError
from limbeck.progress import SILENT, Progress
from limbeck.tokens.tokenizer import Tokenizer

_CHUNK_TEXTS = 2048


@dataclass(frozen=True, kw_only=True, eq=False)
class PrunedVocabulary:
    """A tokenizer with fewer tokens.

    Attributes:
        tokenizer: makes the new ids.
        kept_ids: the old id of each new one, rising, (V,).
        respelt: share of the corpus's tokens, 0 to 1, that are gone and spelt in smaller pieces.
    """

    tokenizer: Tokenizer
    kept_ids: NDArray[np.int64]
    respelt: float = 0.0

    def __len__(self) -> int:
        return len(self.kept_ids)


def prune_vocabulary(
    tokenizer: Tokenizer, texts: Sequence[str], *, min_uses: int = 1, progress: Progress = SILENT
) -> PrunedVocabulary:
    """Keep the tokens that texts use, the special ones and single characters.

    Ids stay in their order and lose their gaps. Texts are looked at whole, however long, so it holds for any limit.

    Args:
        tokenizer: a WordPiece tokenizer, as BERT and DistilBERT have.
        texts: whose tokens must stay what they are.
        min_uses: how often texts must use a token for it to be kept; with 1 their tokens stay what they are.
        progress: is told of texts done.

    Raises:
        TokenizerError: the tokenizer is of another kind, or keeps ids where they cannot be changed.
    """
    definition: dict[str, Any] = json.loads(tokenizer.content)
    model = definition["model"]
    if model.get("type") != "WordPiece":
        raise TokenizerError(
            f"the vocabulary of a {model.get('type')} tokenizer cannot be pruned: only WordPiece, which takes the "
            "longest token that fits, gives the same tokens with fewer of them; leave --prune-vocabulary out"
        )
    vocabulary: dict[str, int] = model["vocab"]
    prefix: str = model["continuing_subword_prefix"]
    kept = {token["id"] for token in definition["added_tokens"]} | {tokenizer.special_ids["[UNK]"]}
    kept |= {token_id for token, token_id in vocabulary.items() if len(token.removeprefix(prefix)) == 1}
    uses_V = _count_uses(tokenizer, texts, vocabulary, prefix, progress)
    kept |= set(np.flatnonzero(uses_V >= min_uses).tolist())
    kept_ids = np.array(sorted(kept), np.int64)
    new_ids = {int(old): new for new, old in enumerate(kept_ids)}
    model["vocab"] = {token: new_ids[token_id] for token, token_id in vocabulary.items() if token_id in new_ids}
    for token in definition["added_tokens"]:
        token["id"] = new_ids[token["id"]]
    definition["post_processor"] = _renumbered(definition["post_processor"], new_ids)
    pruned = Tokenizer(
        definition,
        max_tokens=tokenizer.max_tokens,
        where="the pruned tokenizer",
        truncation_side=tokenizer.truncation_side,
    )
    lost = int(uses_V.sum() - uses_V[kept_ids].sum())
    return PrunedVocabulary(tokenizer=pruned, kept_ids=kept_ids, respelt=lost / max(int(uses_V.sum()), 1))


def _count_uses(
    tokenizer: Tokenizer, texts: Sequence[str], vocabulary: dict[str, int], prefix: str, progress: Progress
) -> NDArray[np.int64]:
    """Count how often texts use each token, those taken in vain among them, (V,)."""
    raw = RawTokenizer.from_str(tokenizer.content)
    unknown_id = tokenizer.special_ids["[UNK]"]
    uses_V = np.zeros(tokenizer.highest_id + 1, np.int64)
    with progress.track("looking for the tokens that are used", total=len(texts), unit="texts") as advance:
        for start in range(0, len(texts), _CHUNK_TEXTS):
            chunk = list(texts[start : start + _CHUNK_TEXTS])
            for text, encoding in zip(chunk, raw.encode_batch_fast(chunk, add_special_tokens=False), strict=True):
                np.add.at(uses_V, encoding.ids, 1)
                if unknown_id in encoding.ids:
                    np.add.at(uses_V, list(_taken_in_vain(raw, text, vocabulary, prefix)), 1)
            advance(len(chunk))
    return uses_V


def _taken_in_vain(raw: RawTokenizer, text: str, vocabulary: dict[str, int], prefix: str) -> Iterator[int]:
    """Yield the pieces that WordPiece takes before it gives a word up."""
    normal = raw.normalizer.normalize_str(text) if raw.normalizer else text
    words = [word for word, _ in raw.pre_tokenizer.pre_tokenize_str(normal)] if raw.pre_tokenizer else [normal]
    for word in words:
        start = 0
        while start < len(word):
            before = prefix if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if before + word[start:end] in vocabulary), None)
            if end is None:
                break
            yield vocabulary[before + word[start:end]]
            start = end


def _renumbered(processor: Any, new_ids: dict[int, int]) -> Any:
    """Give the post-processor the new ids of [CLS] and [SEP]."""
    kind = processor["type"]
    if kind == "Sequence":
        return {**processor, "processors": [_renumbered(inner, new_ids) for inner in processor["processors"]]}
    if kind == "TemplateProcessing":
        tokens = {
            name: {**token, "ids": [new_ids[token_id] for token_id in token["ids"]]}
            for name, token in processor["special_tokens"].items()
        }
        return {**processor, "special_tokens": tokens}
    if kind == "BertProcessing":
        return {**processor, **{end: [processor[end][0], new_ids[processor[end][1]]] for end in ("cls", "sep")}}
    raise TokenizerError(
        f"the vocabulary cannot be pruned: nothing is known about the ids in a {kind} post-processor; leave "
        "--prune-vocabulary out"
    )
