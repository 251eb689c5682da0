"""Each operation of thirty-two bfloat16 numbers, on every instruction set of tiles, beside torch and NumPy."""

import ctypes

import numpy as np
import pytest
import torch
from tests.libraries import RUNNABLE, library_for
from tests.native.conftest import build_operations

from limbeck.native.building import SOURCES
from limbeck.native.libraries import library_named

N = 200
TILED = [name for name in RUNNABLE if "product_tiles" in (SOURCES / library_named(name).header).read_text("utf-8")]
ONE_OCTAVE = 128
"""Steps of scores."""
NO_EXPONENT = 127 * ONE_OCTAVE
"""The steps of 2^0 in a bfloat16 number's bits."""


@pytest.fixture(params=TILED)
def halves(request: pytest.FixtureRequest) -> ctypes.CDLL:
    """The operations of an instruction set."""
    return build_operations(library_for(request.param, request).name, "operations_halves.cpp")


def rows_of_bits(seed: int) -> np.ndarray:
    """N rows of any 32 bfloat16 numbers, infinities and what is no number too."""
    return np.random.default_rng(seed).integers(0, 2**16, (N, 32), dtype=np.uint16)


def to_floats(bits: np.ndarray) -> np.ndarray:
    """Bfloat16 numbers are the upper halves of floats."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_bits(numbers: np.ndarray) -> np.ndarray:
    """As torch rounds them."""
    return torch.from_numpy(numbers).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)


def pointers(*arrays: np.ndarray) -> list[ctypes.c_void_p]:
    """Where they lie."""
    assert all(array.flags.c_contiguous for array in arrays)
    return [ctypes.c_void_p(array.ctypes.data) for array in arrays]


def in_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number by number, from two rows of 16."""
    return np.stack([first, second], axis=2).reshape(N, 32)


MOVES = {
    "a row": lambda x, y: x,
    "the first halves of two rows": lambda x, y: in_pairs(x[:, :16], y[:, :16]),
    "the second halves": lambda x, y: in_pairs(x[:, 16:], y[:, 16:]),
    "nothing": lambda x, y: np.zeros_like(x),
}


@pytest.mark.parametrize("operation", range(len(MOVES)), ids=list(MOVES))
def test_what_is_moved_keeps_its_bits(halves: ctypes.CDLL, operation: int) -> None:
    """Loaded, mixed number by number and stored in either way: each bit stands where it belongs."""
    x, y, out = rows_of_bits(1), rows_of_bits(2), np.empty((N, 32), np.uint16)
    x_at, y_at, out_at = pointers(x, y, out)
    halves.operate_halves(operation, x_at, y_at, N, out_at)
    np.testing.assert_array_equal(out, [*MOVES.values()][operation](x, y))


def test_floats_are_rounded_to_the_nearest(halves: ctypes.CDLL) -> None:
    """As torch rounds them: those halfway go to the even one, infinities and zeros keep their sign."""
    random = np.random.default_rng(3)
    x = np.ldexp(random.normal(0, 1, (N, 32)).astype(np.float32), random.integers(-60, 60, (N, 32)))
    halfway = to_floats(random.integers(0x3000, 0x5000, (N, 32), dtype=np.uint16)).view(np.uint32) | 0x8000
    x[: N // 2] = halfway.view(np.float32)[: N // 2]
    x[-1, :6] = 0.0, -0.0, np.inf, -np.inf, 3.3e38, -1.0
    out = np.empty((N, 32), np.uint16)
    x_at, out_at = pointers(x, out)
    halves.narrow(x_at, N, out_at)
    np.testing.assert_array_equal(out, to_bits(x))


def test_halves_become_the_same_floats(halves: ctypes.CDLL) -> None:
    """Every number of 16 bits, bit by bit."""
    x = np.arange(2**16, dtype=np.uint32).astype(np.uint16).reshape(-1, 32)
    out = np.empty(x.shape, np.float32)
    x_at, out_at = pointers(x, out)
    halves.widen(x_at, len(x), out_at)
    np.testing.assert_array_equal(out.view(np.uint32), to_floats(x).view(np.uint32))


def test_pairs_are_turned(halves: ctypes.CDLL) -> None:
    """Pair j of row i becomes pair i of row j."""
    square = np.arange(16 * 32, dtype=np.uint16).reshape(16, 16, 2)
    turned = square.copy()
    halves.turn_rows(*pointers(turned))
    np.testing.assert_array_equal(turned, square.transpose(1, 0, 2))


def test_pairs_are_added_up(halves: ctypes.CDLL) -> None:
    """Sixteen sums, each with both numbers of its pair, within a step of the largest part."""
    random = np.random.default_rng(4)
    sums = random.normal(0, 3, (N, 16)).astype(np.float32)
    x, out = to_bits(random.normal(0, 3, (N, 32)).astype(np.float32)), np.empty((N, 16), np.float32)
    sums_at, x_at, out_at = pointers(sums, x, out)
    halves.add_up(sums_at, x_at, N, out_at)
    parts = np.concatenate([sums[:, :, None], to_floats(x).reshape(N, 16, 2)], axis=2).astype(np.float64)
    assert (np.abs(out - parts.sum(axis=2)) <= 2 * np.finfo(np.float32).eps * np.abs(parts).sum(axis=2)).all()


def test_every_key_has_a_place(halves: ctypes.CDLL) -> None:
    """The sixteen pairs of keys lie in sixteen places, those of four keys beside each other."""
    places = [halves.place_of(pair) for pair in range(16)]
    assert sorted(places) == list(range(16))
    assert all(places[pair + 1] == places[pair] + 1 for pair in range(0, 16, 2))


def test_scores_become_powers_of_two(halves: ctypes.CDLL) -> None:
    """2^(steps / 128) with eight bits, in the order of places; 0 outside of the mask and where it is too small.

    The sums take up what was stored, no more and no less.
    """
    random = np.random.default_rng(5)
    scores = (-random.exponential(1500, (N, 32))).astype(np.float32)
    scores[0, :4] = 0.0, -0.5, -1.5, -40_000.0  # halfway goes to the even step
    masks = random.integers(0, 2**32, N, dtype=np.uint32)
    masks[:3] = 2**32 - 1, 0, 2**31
    mantissas = np.rint(ONE_OCTAVE * (2 ** (np.arange(ONE_OCTAVE) / ONE_OCTAVE) - 1)).astype(np.uint8)
    totals, out = random.uniform(0, 9, (N, 16)).astype(np.float32), np.empty((N, 32), np.uint16)
    before = totals.copy()
    scores_at, masks_at, table_at, totals_at, out_at = pointers(scores, masks, mantissas, totals, out)
    halves.exponentiate(scores_at, ctypes.c_float(NO_EXPONENT), masks_at, table_at, N, totals_at, out_at)
    steps = np.clip(np.rint(scores + NO_EXPONENT), 0, None).astype(np.int64)
    steps[~(masks[:, None] >> np.arange(32, dtype=np.uint32) & 1).astype(bool)] = 0
    places = [2 * halves.place_of(key // 2) + key % 2 for key in range(32)]
    np.testing.assert_array_equal(out[:, places], (steps & ~127) | mantissas[steps & 127])
    found, wanted = to_floats(out)[:, places], np.where(steps > 0, 2.0 ** (steps / ONE_OCTAVE - 127), 0)
    normal = wanted > 2.0**-126
    np.testing.assert_allclose(found[normal], wanted[normal], rtol=1.01 * 2.0**-8)
    added = to_floats(out).reshape(N, 16, 2).astype(np.float64).sum(axis=2)
    np.testing.assert_allclose(totals, before + added, rtol=3 * np.finfo(np.float32).eps)
