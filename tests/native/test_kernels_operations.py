"""Each operation of sixteen numbers, on every instruction set, beside NumPy: of drawn numbers and of special ones."""

import ctypes
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import erf
from tests.native.conftest import build_operations

from limbeck.native.kernels import Kernels

N = 300
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 1e-45, -3e-39, 1e30, -3e38, 3.4e38, np.inf, -np.inf, np.nan], np.float32)
STEP = float(np.finfo(np.float32).eps)
Operation = Callable[..., np.ndarray]


@pytest.fixture
def operations(library: Kernels) -> ctypes.CDLL:
    """The operations of an instruction set."""
    return build_operations(library.name, "operations.cpp")


def drawn(*, seed: int = 0, width: float = 3.0) -> np.ndarray:
    """N vectors of drawn numbers."""
    return np.random.default_rng(seed).normal(0, width, (N, 16)).astype(np.float32)


def with_special(seed: int) -> np.ndarray:
    """The same, a third of them special."""
    random, found = np.random.default_rng(seed), drawn(seed=seed)
    where = random.random(found.shape) < 1 / 3
    found[where] = random.choice(SPECIAL, int(where.sum()))
    return found


def operate(library: ctypes.CDLL, operation: int, *given: np.ndarray, masks: np.ndarray | None = None) -> np.ndarray:
    """Let the library operate on N vectors."""
    x, y, z = (np.ascontiguousarray(one, np.float32) for one in (*given, *(given[:1] * (3 - len(given)))))
    masks = np.zeros(N, np.uint32) if masks is None else masks
    out = np.empty((N, 16), np.float32)
    pointers = [ctypes.c_void_p(one.ctypes.data) for one in (x, y, z, masks)]
    library.operate_all(operation, *pointers, N, ctypes.c_void_p(out.ctypes.data))
    return out


def bits_of(masks: np.ndarray) -> np.ndarray:
    """The lanes of masks, (N, 16)."""
    return (masks[:, None] >> np.arange(16) & 1).astype(bool)


EXACT: dict[str, tuple[int, Operation]] = {
    "load": (0, lambda x, y, mask: x),
    "set": (1, lambda x, y, mask: np.repeat(x[:, 3:4], 16, axis=1)),
    "spread": (2, lambda x, y, mask: np.repeat(x[:, 5:6], 16, axis=1)),
    "zero": (3, lambda x, y, mask: np.zeros_like(x)),
    "+": (4, lambda x, y, mask: x + y),
    "-": (5, lambda x, y, mask: x - y),
    "*": (6, lambda x, y, mask: x * y),
    "max": (10, lambda x, y, mask: np.where(x > y, x, y)),
    "min": (11, lambda x, y, mask: np.where(x < y, x, y)),
    "keep": (12, lambda x, y, mask: np.where(mask, x, np.float32(0))),
    "pick": (13, np.where),
    "above": (14, lambda x, y, mask: (x > y).astype(np.float32)),
    "whole": (17, lambda x, y, mask: np.rint(x)),
}


@pytest.mark.parametrize("name", EXACT)
def test_these_are_exact(operations: ctypes.CDLL, name: str) -> None:
    """The same number, infinity or no number in each place; of two that are not ordered, the second."""
    operation, expected = EXACT[name]
    masks = np.random.default_rng(5).integers(0, 2**16, N, dtype=np.uint32)
    masks[:3] = 0, 2**16 - 1, 2**15
    for x, y in ((drawn(seed=1), drawn(seed=2)), (with_special(3), with_special(4)), (drawn(seed=6).round(),) * 2):
        with np.errstate(all="ignore"):
            wanted = (np.where(bits_of(masks), x, y) if name == "pick" else expected(x, y, bits_of(masks))).astype(
                np.float32
            )
        np.testing.assert_array_equal(operate(operations, operation, x, y, masks=masks), wanted)


@pytest.mark.parametrize(
    ("name", "operation", "signs"), [("fma", 7, (1, 1)), ("fms", 8, (1, -1)), ("fnma", 9, (-1, 1))]
)
def test_products_that_are_added(operations: ctypes.CDLL, name: str, operation: int, signs: tuple[int, int]) -> None:
    """Rounded once or twice: within a step of the larger part; infinities and what is no number as in NumPy."""
    for x, y, z in ((drawn(seed=1), drawn(seed=2), drawn(seed=3)), (with_special(4), with_special(5), with_special(6))):
        with np.errstate(all="ignore"):
            product = signs[0] * x.astype(np.float64) * y
            wanted = (product + signs[1] * z.astype(np.float64)).astype(np.float32)
            # Where the product alone is too large, who rounds once may still come back.
            fits = ~(np.isfinite(product) & (np.abs(product) > 1e38))
            room = STEP * (np.abs(product) + np.abs(z)) + 1e-44
            found = operate(operations, operation, x, y, z)
            near = np.isclose(found, wanted, rtol=0, atol=np.where(np.isfinite(room), room, 0), equal_nan=True)
        assert near[fits].all(), name


def test_sums_and_the_largest(operations: ctypes.CDLL) -> None:
    """Of sixteen numbers, in whatever order they are added."""
    x = drawn(seed=1)
    room = 16 * STEP * np.abs(x).sum(axis=1)
    assert (np.abs(operate(operations, 15, x)[:, 0] - x.astype(np.float64).sum(axis=1)) <= room).all()
    ordered = with_special(2)
    ordered[np.isnan(ordered)] = -np.inf
    np.testing.assert_array_equal(operate(operations, 16, ordered)[:, 0], ordered.max(axis=1))


def test_powers_that_multiply(operations: ctypes.CDLL) -> None:
    """X 2^n of whole n up to 127, exactly; where 2^n is below the normal numbers, 0 or what it is: below x 2^-126."""
    x = drawn(seed=1)
    n = np.random.default_rng(2).integers(-300, 128, (N, 16)).astype(np.float32)
    n[0] = np.array([127, 126, 0, 1, -1, -125, -126, -127, -128, -149, -1000, 5, 6, 7, 8, 9])
    with np.errstate(over="ignore", under="ignore"):
        wanted = (x * np.exp2(n.astype(np.float64))).astype(np.float32)
    found, is_normal = operate(operations, 18, x, n), n >= -126
    np.testing.assert_array_equal(found[is_normal], wanted[is_normal])
    # AVX-512 scales by a power that no number holds; the others have 0 there. Both are nothing beside a sum.
    assert (np.abs(found[~is_normal]) <= np.abs(x[~is_normal]) * 2.0**-126).all()


@pytest.mark.parametrize("name", ["power_of_two", "gelu", "gelu_slope"])
def test_functions(operations: ctypes.CDLL, name: str) -> None:
    """Near to those of mathematics: as near as float32 needs it, or bfloat16 where products round to that."""
    is_exact = bool(operations.is_exact())
    x = np.linspace(-40, 40, N * 16, dtype=np.float32).reshape(N, 16)
    wide = x.astype(np.float64)
    phi = 0.5 * (1 + erf(wide / math.sqrt(2)))
    if name == "power_of_two":
        x = -np.abs(x) * 3
        found, wanted = operate(operations, 19, x), np.exp2(x.astype(np.float64))
        assert np.allclose(found, wanted, rtol=3e-7 if is_exact else 4e-6, atol=1e-37)
        return
    if name == "gelu":
        found, wanted = operate(operations, 20, x), wide * phi
        room = 2e-6 + 3e-7 * np.abs(wide) if is_exact else 1e-4 + 2e-5 * np.abs(wide)
        assert (np.abs(found - wanted) <= room).all()
        return
    density = np.exp(-(wide**2) / 2) / math.sqrt(2 * math.pi)
    found, wanted = operate(operations, 21, x), phi + wide * density
    assert np.allclose(found, wanted, rtol=0, atol=3e-6 if is_exact else 2.5e-4)


def test_a_square_is_turned(operations: ctypes.CDLL) -> None:
    """Rows become columns."""
    square = np.arange(256, dtype=np.float32).reshape(16, 16)
    turned = np.empty_like(square)
    operations.turn(ctypes.c_void_p(square.ctypes.data), ctypes.c_void_p(turned.ctypes.data))
    np.testing.assert_array_equal(turned, square.T)


def test_two_weights_of_a_word(operations: ctypes.CDLL) -> None:
    """The even one is the whole word read as a float, the odd one its low half."""
    words = np.random.default_rng(0).integers(0, 2**31, 16, dtype=np.uint32) & np.uint32(0x7F7FFF7F)
    even, odd = np.empty(16, np.float32), np.empty(16, np.float32)
    operations.weights(*(ctypes.c_void_p(one.ctypes.data) for one in (words, even, odd)))
    np.testing.assert_array_equal(even.view(np.uint32), words)
    np.testing.assert_array_equal(odd.view(np.uint32), words << 16)


def test_masks_of_dropout_are_the_same_bits_everywhere(operations: ctypes.CDLL) -> None:
    """A run that was begun on one machine drops the same numbers on another: the cipher in Python says which."""
    operations.kept.restype = ctypes.c_uint32
    for seed, threshold, site, row, block in ((0, 6554, 0, 0, 0), (2**63 + 5, 16384, 65541, 511, 23), (7, 1, 3, 9, 1)):
        found = operations.kept(*map(ctypes.c_uint64, (seed,)), *map(ctypes.c_uint32, (threshold, site, row, block)))
        assert found == kept_bits(seed, threshold, site, row, block)


def kept_bits(seed: int, threshold: int, site: int, row: int, block: int) -> int:
    """Five rounds of AES on four counters, by the book (FIPS 197), and which of the 32 numbers are large enough."""
    keys = round_keys(seed)
    numbers: list[int] = []
    for counter in range(4):
        words = (row, block * 4 + counter, site, 0)
        state = [word >> 8 * byte & 255 for word in words for byte in range(4)]
        state = [one ^ other for one, other in zip(state, keys[0], strict=True)]
        for number, key in enumerate(keys[1:], start=1):
            state = [SUBSTITUTED[state[(place + 4 * (place % 4)) % 16]] for place in range(16)]
            if number < 5:
                state = [byte for column in range(4) for byte in mixed(state[4 * column : 4 * column + 4])]
            state = [one ^ other for one, other in zip(state, key, strict=True)]
        numbers += [state[2 * place] | state[2 * place + 1] << 8 for place in range(8)]
    return sum((number >= threshold) << place for place, number in enumerate(numbers))


def round_keys(seed: int) -> list[list[int]]:
    """The keys of the rounds: splitmix64 of the seed, then Weyl sequences."""
    halves, whole = [], 2**64 - 1
    for _ in range(2):
        seed = (seed + 0x9E3779B97F4A7C15) & whole
        z = seed
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & whole
        z = (z ^ z >> 27) * 0x94D049BB133111EB & whole
        halves.append(z ^ z >> 31)
    keys = []
    for _ in range(6):
        keys.append([half >> 8 * byte & 255 for half in halves for byte in range(8)])
        halves = [
            (half + step) & whole for half, step in zip(halves, (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B), strict=True)
        ]
    return keys


def times(one: int, other: int) -> int:
    """Multiply in AES's field of 256 elements."""
    product = 0
    while other:
        product ^= one if other & 1 else 0
        one = one << 1 ^ (0x11B if one & 128 else 0)
        other >>= 1
    return product


def mixed(column: list[int]) -> list[int]:
    """Mix a column of the state."""
    return [
        times(column[row], 2) ^ times(column[(row + 1) % 4], 3) ^ column[(row + 2) % 4] ^ column[(row + 3) % 4]
        for row in range(4)
    ]


def substituted(byte: int) -> int:
    """The inverse in the field, then the affine map."""
    inverse = next((one for one in range(256) if times(byte, one) == 1), 0)
    turned = [(inverse << by | inverse >> 8 - by) & 255 for by in range(5)]
    return turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63


SUBSTITUTED = [substituted(byte) for byte in range(256)]
