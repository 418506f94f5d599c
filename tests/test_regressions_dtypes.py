"""Integers, bools and half precision where other libraries overflow, wrap or refuse.

A docstring names the class of the bug, and where it happened.
"""

from typing import Any

import numpy as np
import pytest
from cases import AVG_POOL, CONV, MAX_POOL, MIN_POOL, RANKS, assert_same_bits
from test_conv_transpose import TRANSPOSE
from test_errors import check
from test_unpool import UNPOOL

import cconv

BYTES = ["int8", "uint8"]
INTEGERS = [f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")]
WIDE = [name for name in INTEGERS if "8" not in name]


def ends(dtype: str) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def modulo(exact: int, dtype: Any) -> int:
    """What remains of an integer in a dtype of 64 bits."""
    rest = exact % 2**64
    return rest if dtype == np.uint64 or rest < 2**63 else rest - 2**64


@pytest.mark.parametrize("second", BYTES)
@pytest.mark.parametrize("first", BYTES)
@pytest.mark.parametrize("rank", RANKS)
def test_products_of_bytes_do_not_wrap(rank: int, first: str, second: str) -> None:
    """int8 and uint8 wrapped in 8 bits, or mixed up: ONNX Runtime #24183, #15888, #12558."""
    for a in ends(first):
        for b in ends(second):
            x, w = np.full((1, 5, *(7,) * rank), a, first), np.full((3, 5, *(3,) * rank), b, second)
            y = CONV[rank](x, w, algorithm="direct")
            assert_same_bits(y, np.full_like(y, 5 * 3**rank * a * b, dtype="int32"))
            y = TRANSPOSE[rank](x, w.swapaxes(0, 1), padding=2)
            assert_same_bits(y, np.full_like(y, 5 * 3**rank * a * b, dtype="int32"))


@pytest.mark.parametrize("first", BYTES)
def test_sums_that_could_overflow_are_refused_before_work(first: str) -> None:
    """A sum of int32 that wraps without a word: SciPy #8757, NumPy #17234; XNNPACK #3040."""
    bound = max(map(abs, ends(first))) * 128
    terms = (2**31 - 1) // bound
    for count, fits in [(terms, True), (terms + 1, False)]:
        x, w = np.ones((1, count, 1), first), np.ones((1, count, 1), "int8")
        if fits:
            assert_same_bits(CONV[1](x, w), np.full((1, 1, 1), count, "int32"))
        else:
            check(OverflowError, lambda: CONV[1](x, w), "conv1d: ", "int32")  # noqa: B023
        assert_same_bits(CONV[1](x.astype("i2"), w), np.full((1, 1, 1), count, "int64"))


@pytest.mark.parametrize("dtype", WIDE)
def test_wide_integers_are_exact_modulo_64_bits(dtype: str) -> None:
    """Sums through float64 lose bits, and change with the method: SciPy #10390, #10527, #7217."""
    result = np.dtype("uint64" if dtype == "uint64" else "int64")
    rng = np.random.default_rng(1)
    low, high = ends(dtype)
    x = rng.integers(low, high, (1, 3, 37), dtype, endpoint=True)
    w = rng.integers(low, high, (2, 3, 5), dtype, endpoint=True)
    x[0, 0, :2], w[0, 0, :2] = (low, high), (high, low)
    y = CONV[1](x, w)
    assert y.dtype == result
    for o, p in np.ndindex(2, 33):
        window = x[0, :, p : p + 5]
        exact = sum(int(a) * int(b) for a, b in zip(window.ravel(), w[o].ravel(), strict=True))
        assert int(y[0, o, p]) == modulo(exact, result)


def test_integers_beyond_53_bits_survive() -> None:
    """2^53 + 1 is not a float64: SciPy #6076, cupy #6047."""
    x = np.array([[[2**53 + 1, 1, -(2**62) + 1]]])
    assert CONV[1](x, np.ones((1, 1, 1), int)).tolist() == x.tolist()
    assert CONV[1](x, np.ones((1, 1, 2), int)).tolist() == [[[2**53 + 2, -(2**62) + 2]]]
    assert MAX_POOL[1](x, 1).tolist() == x.tolist()
    assert cconv.unfold(x, (1,)).tolist() == x.tolist()
    assert cconv.fold(x, (3,), 1).tolist() == x.tolist()


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
@pytest.mark.parametrize("rank", RANKS)
def test_extremes_of_integers(rank: int, dtype: str) -> None:
    """Refused, or compared as floats or as another sign: PyTorch #882, mahotas #75."""
    low, high = (False, True) if dtype == "bool" else ends(dtype)
    x = np.full((2, 3, *(6,) * rank), low, dtype)
    x.reshape(2, 3, -1)[:, :, 1::5] = high
    for pool, (first, empty) in ((MAX_POOL[rank], (high, low)), (MIN_POOL[rank], (low, high))):
        y = pool(x, 6)
        assert_same_bits(y, np.full_like(y, first, dtype=dtype))
        assert_same_bits(pool(x, 1), x)
        y = pool(x, 1, 1, 2)
        outside = np.ones(y.shape, bool)
        outside[(slice(None), slice(None), *(slice(2, 8),) * rank)] = False
        assert (y[outside] == empty).all()
    values, places = MAX_POOL[rank](x, 2, return_indices=True)
    y = UNPOOL[rank](values, places, 2)
    assert y.dtype == x.dtype
    found = np.zeros((2, 3, 6**rank), bool)
    np.put_along_axis(found, places.reshape(2, 3, -1), True, 2)
    assert_same_bits(y, np.where(found.reshape(x.shape), x, np.zeros((), dtype)))
    assert_same_bits(cconv.global_max_pool(x), MAX_POOL[rank](x, 6))


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
def test_averages_of_integers_are_fractions(dtype: str) -> None:
    """Averages cut to integers, or that wrap: PyTorch #144310 (uint8), XNNPACK #3040 (int8)."""
    high = 1 if dtype == "bool" else ends(dtype)[1]
    x = np.array([[[high, high, 0, high]]], dtype)
    for y in (AVG_POOL[1](x, 2, 1), cconv.adaptive_avg_pool1d(x, 2), cconv.global_avg_pool(x)):
        assert y.dtype == np.float64
    assert AVG_POOL[1](x, 2, 1)[0, 0].tolist() == [float(high), high / 2, high / 2]
    assert cconv.global_avg_pool(x).item() == 3 * float(high) / 4
    assert cconv.lp_pool1d(x, 1, 4).dtype == np.float64


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_result_dtypes(dtype: str) -> None:
    """A result of a dtype that depends on the method, or that is refused: SciPy #12119, #10390."""
    x, w = np.ones((1, 1, 4), dtype), np.ones((1, 1, 2), dtype)
    result = {"int8": "int32", "uint8": "int32", "uint64": "uint64"}.get(dtype, "int64")
    assert_same_bits(CONV[1](x, w), np.full((1, 1, 3), 2, result))
    assert CONV[1](x, w.astype("f4")).dtype == np.result_type(dtype, "f4")
    assert CONV[1](x, w.astype("f8")).dtype == np.float64
    columns = cconv.unfold(x, (2,))
    assert_same_bits(columns, np.ones((1, 2, 3), dtype))
    assert_same_bits(cconv.fold(columns, (4,), 2), np.array([[[1, 2, 2, 1]]], result))
    swapped = x.astype(x.dtype.newbyteorder())
    assert_same_bits(CONV[1](swapped, w), CONV[1](x, w))
    assert_same_bits(MAX_POOL[1](swapped, 2), np.ones((1, 1, 2), dtype))


def test_activations_of_integers() -> None:
    """Only those that integers have; an average or a curve of them would be cut: NumPy #17234."""
    x = np.arange(-4, 5, dtype="int8").reshape(1, 1, 9)
    w = np.full((1, 1, 1), 100, "int8")
    assert CONV[1](x, w, activation="relu").max() == 400
    assert CONV[1](x, w, activation=("clip", -250, 150)).ravel().tolist()[::4] == [-250, 0, 150]
    for word in ("gelu", "tanh", "sigmoid", "leaky_relu"):
        check((TypeError, ValueError), lambda: CONV[1](x, w, activation=word), "conv1d: ", word)  # noqa: B023


def test_half_precision_sums_in_single() -> None:
    """A sum of halves that stands still at 2048, or overflows on the way: ONNX Runtime #12362."""
    x, w = np.ones((1, 1, 5000), "f2"), np.ones((1, 1, 4097), "f2")
    assert_same_bits(CONV[1](x, w), np.full((1, 1, 904), 4097, "f2"))
    big = np.array([[[60000, 60000, -60000]]], "f2")
    assert_same_bits(CONV[1](big, w[..., :3]), np.full((1, 1, 1), 60000, "f2"))
    assert_same_bits(AVG_POOL[1](big, 3), np.full((1, 1, 1), 20000, "f2"))


@pytest.mark.parametrize("dtype", ["c8", "c16", "g", "O", "S4", "M8[s]"])
def test_dtypes_that_are_not_taken(dtype: str) -> None:
    """Cast without a word, or a crash: PyTorch #73191; the message says what is accepted."""
    x, w = np.zeros((1, 1, 4), dtype), np.ones((1, 1, 2), "f4")
    check(TypeError, lambda: CONV[1](x, w), "conv1d: ", "input", "float32")
    check(TypeError, lambda: CONV[1](w, x), "conv1d: ", "weight", "float32")
    check(TypeError, lambda: MAX_POOL[1](x, 2), "max_pool1d: ", "input", "float32")
