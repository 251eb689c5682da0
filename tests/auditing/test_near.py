from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from limbeck.auditing.near import find_near_duplicates
from limbeck.data.dataset import Dataset

WORDS = [
    *("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "while", "seven", "wizards", "quietly", "mix"),
    *("potions", "under", "a", "pale", "moon", "and", "nobody", "in", "the", "village", "knows", "why", "they", "left"),
    *("their", "warm", "kitchens", "for", "such", "cold", "grey", "fields", "before", "dawn"),
]


def random_text(rng: np.random.Generator, words: int) -> str:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return " ".join("".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(words))


def jaccard(one: str, other: str) -> float:
    """The definition, the slow way."""
    here, there = runs_of(one), runs_of(other)
    return len(here & there) / len(here | there)


@cache
def runs_of(text: str) -> frozenset[str]:
    return frozenset(text[start : start + 5] for start in range(max(1, len(text) - 4)))


def test_similarity_is_the_jaccard_similarity_of_five_character_runs() -> None:
    """The number that is reported equals the definition, computed the slow way."""
    base = " ".join(WORDS)
    changed = base.replace("seven wizards", "eight wizards").replace("cold grey", "cold gray")
    near = find_near_duplicates(pa.array([base, changed]))
    assert near.pairs.tolist() == [[0, 1]]
    assert near.similarity[0] == pytest.approx(jaccard(base, changed), abs=1e-12)


@pytest.mark.slow
def test_every_pair_found_is_true_and_every_true_pair_is_found() -> None:
    """Against all pairs compared the slow way: nothing below the threshold, nothing above it missed."""
    rng = np.random.default_rng(3)
    texts = []
    for _ in range(60):
        base = random_text(rng, int(rng.integers(15, 60))).split()
        texts.append(" ".join(base))
        for _ in range(2):
            copy = list(base)
            for place in rng.choice(len(copy), max(1, len(copy) // 12), replace=False):
                copy[place] = random_text(rng, 1)
            texts.append(" ".join(copy))
    truth = {
        (one, other)
        for one in range(len(texts))
        for other in range(one + 1, len(texts))
        if jaccard(texts[one], texts[other]) >= 0.7
    }
    found = {tuple(pair) for pair in find_near_duplicates(pa.array(texts), threshold=0.7).pairs.tolist()}
    assert len(truth) > 60
    assert found == truth


def test_groups_are_what_pairs_link() -> None:
    """a~b and b~c put a, b and c in one group even where a and c are too far apart; exact copies belong too."""
    a = " ".join(WORDS)
    b = a.replace("quick brown fox", "quick brown cat")
    c = b.replace("cold grey fields", "cold green hills")
    near = find_near_duplicates(pa.array(["something else altogether here", a, b, c, a, "?!"]), threshold=0.75)
    assert near.group.tolist() == [0, 1, 1, 1, 1, 5]


@pytest.mark.slow
def test_many_copies_of_one_template_stay_one_group() -> None:
    """A bucket too large for all pairs is still linked together, at a cost that grows with its rows."""
    base = " ".join(WORDS)
    texts = [f"{base} number {number:05d}" for number in range(3000)]
    near = find_near_duplicates(pa.array(texts), threshold=0.8)
    assert len(np.unique(near.group)) == 1
    assert near.checked < 32 * 5 * 3000


@pytest.mark.parametrize("texts", [[], ["one"], ["", ""], ["!", "?"], ["a", "b", "a"]])
def test_degenerate_inputs(texts: list[str]) -> None:
    """No rows, one row, texts without letters: groups are those of equal texts."""
    near = find_near_duplicates(pa.array(texts, pa.large_string()))
    assert near.group.tolist() == [texts.index(text) for text in texts]
    assert len(near.pairs) == 0


def test_result_does_not_depend_on_chunks() -> None:
    """A chunked column gives what one array gives."""
    rng = np.random.default_rng(0)
    texts = [random_text(rng, 20) for _ in range(50)] * 2
    whole = find_near_duplicates(pa.array(texts))
    chunked = find_near_duplicates(pa.chunked_array([texts[:33], texts[33:]]))
    assert whole.group.tolist() == chunked.group.tolist()


def test_korean_with_one_syllable_changed() -> None:
    """Hangul is compared letter by letter: a typo in a sentence does not part two texts."""
    one = "이 영화는 정말 재미있고 배우들의 연기도 훌륭해서 두 번이나 보았습니다"
    other = "이 영화는 정말 재밌고 배우들의 연기도 훌륭해서 두 번이나 보았습니다"
    assert find_near_duplicates(pa.array([one, other])).group.tolist() == [0, 0]


@pytest.mark.slow
@pytest.mark.shared
def test_emotion_against_brute_force(emotion: Dataset) -> None:
    """On the first 3,000 real tweets every pair at 0.7 or more is found, and no other."""
    texts = list(dict.fromkeys(emotion.texts))[:3000]
    from scipy.sparse import csr_array

    from limbeck.auditing.shingles import shingle

    shingles = shingle(pa.array(texts, pa.large_string()), 5)
    row = np.repeat(np.arange(len(texts)), np.diff(shingles.offsets))
    column = np.unique(shingles.hashes, return_inverse=True)[1]
    matrix = csr_array((np.ones(len(row), np.int32), (row, column)))
    matrix.data[:] = 1
    sizes = matrix.sum(axis=1)
    both = (matrix @ matrix.T).tocoo()
    similarity = both.data / (sizes[both.row] + sizes[both.col] - both.data)
    wanted = (both.row < both.col) & (similarity >= 0.7)
    truth = set(zip(both.row[wanted].tolist(), both.col[wanted].tolist(), strict=True))
    found = {tuple(pair) for pair in find_near_duplicates(pa.array(texts)).pairs.tolist()}
    assert found == truth
