import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.auditing.characters import SCRIPT_NAMES, blocks, code_points, script_counts
from limbeck.auditing.shingles import shingle


def sets(texts: list[str], size: int = 5) -> list[set[int]]:
    shingles = shingle(pa.array(texts, pa.large_string()), size)
    return [
        set(shingles.hashes[start:stop].tolist())
        for start, stop in zip(shingles.offsets[:-1], shingles.offsets[1:], strict=True)
    ]


def folded(text: str) -> str:
    """What the shingles are of, written again the slow way for plain ASCII."""
    return " ".join("".join(sign.lower() if sign.isalnum() else " " for sign in text).split())


@settings(deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40), min_size=1, max_size=8))
def test_shingles_are_the_runs_of_the_folded_text(texts: list[str]) -> None:
    """Each text has as many different shingles as its folded form has different runs, whatever stands beside it."""
    for text, hashes in zip(texts, sets(texts), strict=True):
        plain = folded(text)
        runs = {plain[start : start + 5] for start in range(max(1, len(plain) - 4))} if plain else set()
        assert len(hashes) == len(runs)


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_neighbours_do_not_change_a_texts_shingles(texts: list[str]) -> None:
    """A text alone has the same shingles as among others: no shingle reaches into the next text."""
    together = sets(texts)
    assert together == [sets([text])[0] for text in texts]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good film!", "good   FILM"),
        ("한국어 영화가 좋다", unicodedata.normalize("NFD", "한국어 영화가 좋다")),
        ("caf\u00e9 noir ici", "CAFE\u0301 noir, ici"),
        ("  padded text ", "padded text"),
    ],
)
def test_folding_makes_equal(one: str, other: str) -> None:
    """Case, white space, punctuation and Unicode form do not count."""
    assert sets([one]) == sets([other])


def test_signs_alone_have_no_shingle() -> None:
    """A text without letter or digit is never a near-duplicate of anything."""
    assert sets(["?!… — ,", ""]) == [set(), set()]


def test_blocks_cover_every_row_once() -> None:
    """Blocks are neighbours, hold about what was asked, and a long text stands alone."""
    texts = pa.array(["a" * size for size in (3, 3, 3, 100, 1, 0, 0)], pa.large_string())
    found = [(run.start, run.stop) for run in blocks(texts, 7)]
    assert found == [(0, 2), (2, 3), (3, 4), (4, 7)]


def test_code_points_keep_rows_apart() -> None:
    """Characters beyond the basic plane count as one."""
    points = code_points(pa.array(["a😀", "", "한"], pa.large_string()))
    assert points.points.tolist() == [0x61, 0x1F600, 0xD55C]
    assert points.offsets.tolist() == [0, 2, 2, 3]


def test_scripts_are_counted_by_letter() -> None:
    """Digits, signs and emoji belong to no script; NFD Hangul is Hangul."""
    texts = pa.array(["abc 123 !😀", "한국 ab", "\u1112\u1161\u11ab", "привет", "日本ご", "ሰላም", ""], pa.large_string())
    counts = script_counts(texts)
    named = [{name: int(count) for name, count in zip(SCRIPT_NAMES, row, strict=True) if count} for row in counts]
    assert named == [
        {"Latin": 3},
        {"Latin": 2, "Hangul": 2},
        {"Hangul": 3},
        {"Cyrillic": 6},
        {"Kana": 1, "Han": 2},
        {"other": 3},
        {},
    ]
    assert counts.dtype == np.int64
