"""cconv.signal against sums over windows of a padded copy, in exact integers or float64."""

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import cconv
from cconv import signal

INTEGERS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
FLOATS = ["float16", "float32", "float64"]
PAD = {
    "fill": "constant",
    "pad": "constant",
    "wrap": "wrap",
    "circular": "wrap",
    "symm": "symmetric",
    "symmetric": "symmetric",
}
SHAPES = [
    ((5, 7), (3, 4)),
    ((6, 6), (1, 1)),
    ((1, 9), (1, 4)),
    ((2, 3), (5, 6)),
    ((20, 33), (7, 2)),
]


def convolved(in1: Any, in2: Any, mode: str, boundary: str, fill: int) -> np.ndarray:
    """By the definition, on objects: Python's integers never wrap."""
    if mode == "valid" and any(a < b for a, b in zip(in1.shape, in2.shape, strict=True)):
        in1, in2 = in2, in1
    more = {"constant_values": fill} if PAD[boundary] == "constant" else {}
    pads = [(k - 1, k - 1) for k in in2.shape]
    padded = np.pad(in1, pads, PAD[boundary], **more).astype(object)
    found = sliding_window_view(padded, in2.shape) * np.flip(in2).astype(object)
    full = found.sum((-1, -2))
    if mode == "full":
        return full
    if mode == "same":
        start = [(k - 1) // 2 for k in in2.shape]
        sizes = in1.shape
    else:
        start = [k - 1 for k in in2.shape]
        sizes = [n - k + 1 for n, k in zip(in1.shape, in2.shape, strict=True)]
    return full[start[0] : start[0] + sizes[0], start[1] : start[1] + sizes[1]]


def correlated(in1: Any, in2: Any, mode: str, boundary: str, fill: int) -> np.ndarray:
    """A convolution with the second operand turned around; 'same' then begins elsewhere."""
    if mode != "same":
        swapped = mode == "valid" and any(a < b for a, b in zip(in1.shape, in2.shape, strict=True))
        result = convolved(in1, np.flip(in2), mode, boundary, fill)
        if swapped:
            assert result.shape == convolved(in2, in1, mode, boundary, fill).shape
        return result
    full = convolved(in1, np.flip(in2), "full", boundary, fill)
    start = [(k - 1) - (k - 1) // 2 for k in in2.shape]
    return full[start[0] : start[0] + in1.shape[0], start[1] : start[1] + in1.shape[1]]


ORACLES = {"convolve2d": convolved, "correlate2d": correlated}


def whole(shape: Any, dtype: str, seed: int) -> np.ndarray:
    """Integers over all of the dtype's range."""
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("boundary", PAD)
def test_modes_and_boundaries(name: str, mode: str, boundary: str) -> None:
    rng = np.random.default_rng(0)
    for first, second in SHAPES:
        in1, in2 = rng.integers(-9, 9, first), rng.integers(-9, 9, second)
        wanted = ORACLES[name](in1, in2, mode, boundary, 4)
        for dtype in ("int64", "int8", "float32", "float64"):
            a, b = in1.astype(dtype), in2.astype(dtype)
            actual = getattr(signal, name)(a, b, mode, boundary, 4)
            assert actual.dtype == dtype
            expected = wanted.astype("int64").astype(dtype)
            np.testing.assert_array_equal(actual, expected)
            np.testing.assert_array_equal(
                getattr(signal, name)(a.T.copy().T, b[::-1][::-1], mode, boundary, 4), expected
            )


@pytest.mark.parametrize("first", INTEGERS)
@pytest.mark.parametrize("second", INTEGERS)
def test_integers_wrap_around(first: str, second: str) -> None:
    in1, in2 = whole((5, 6), first, 1), whole((3, 2), second, 2)
    dtype = np.result_type(in1, in2)
    if dtype.kind == "f":
        in1, in2 = (in1 % 9).astype(first), (in2 % 9).astype(second)
    for name, oracle in ORACLES.items():
        actual = getattr(signal, name)(in1, in2, fillvalue=5)
        assert actual.dtype == dtype
        wanted = oracle(in1, in2, "full", "fill", 5)
        if dtype.kind == "f":
            np.testing.assert_array_equal(actual, wanted.astype(float))
        else:
            bits = 8 * dtype.itemsize
            np.testing.assert_array_equal(actual.astype(object) % 2**bits, wanted % 2**bits)


@pytest.mark.parametrize("first", [*FLOATS, *INTEGERS, "bool"])
@pytest.mark.parametrize("second", FLOATS)
def test_floats(first: str, second: str) -> None:
    rng = np.random.default_rng(1)
    in1 = rng.integers(0, 2, (4, 7)).astype(first)
    in2 = rng.integers(-3, 4, (3, 3)).astype(second)
    actual = signal.convolve2d(in1, in2, "same", "symm")
    assert actual.dtype == np.result_type(in1, in2)
    np.testing.assert_array_equal(actual, convolved(in1, in2, "same", "symm", 0).astype(float))


def test_float16_is_summed_in_float32() -> None:
    in1 = np.full((1, 3000), 1, np.float16)
    assert signal.correlate2d(in1, in1, "valid")[0, 0] == 3000  # above 2048 halves are 2 apart
    assert signal.correlate2d(in1[:, :2049], in1[:, :2049], "valid")[0, 0] == 2048


def test_bools() -> None:
    in1 = np.array([[True, False, False, True]])
    actual = signal.convolve2d(in1, np.array([[True, True]]))
    assert actual.dtype == bool
    assert actual.tolist() == [[True, True, False, True, True]]
    assert signal.convolve2d(in1, [[2]]).tolist() == [[2, 0, 0, 2]]


def test_fillvalue() -> None:
    ones = np.ones((1, 2), np.uint8)
    assert signal.convolve2d(ones, ones, fillvalue=2.7).tolist() == [[3, 2, 3]]
    assert signal.convolve2d(ones, ones, fillvalue=np.array([4])).tolist() == [[5, 2, 5]]
    assert signal.convolve2d(ones, ones * 1.0, fillvalue=-0.5).tolist() == [[0.5, 2, 0.5]]
    for bad in (256, -1, np.nan, np.inf):
        with pytest.raises(OverflowError, match=r"convolve2d: fillvalue is .*uint8 holds"):
            signal.convolve2d(ones, ones, fillvalue=bad)
    with pytest.raises(OverflowError, match="fillvalue"):
        signal.convolve2d(ones.astype("int64"), ones, fillvalue=2**53 + 1)
    with pytest.raises(
        OverflowError, match=r"fillvalue is 1e.300, which does not fit in float32; expected at most"
    ):
        signal.correlate2d(ones.astype("f4"), ones, fillvalue=1e300)


def test_layouts_and_forms() -> None:
    in1, in2 = whole((6, 8), "int16", 3), whole((3, 3), "int16", 4)
    wanted = signal.correlate2d(in1, in2)
    for a, b in [
        (in1.tolist(), in2),
        (in1.astype(">i2"), in2.astype(">i2")),
        (np.asfortranarray(in1), np.asfortranarray(in2)),
        (in1[::-1, ::-1][::-1, ::-1], in2[:, ::-1][:, ::-1]),
    ]:
        actual = signal.correlate2d(a, b)
        np.testing.assert_array_equal(actual.astype("int16"), wanted)
        assert actual.dtype.isnative


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint64", "float32", "float64"])
def test_threads_do_not_change_a_bit(dtype: str) -> None:
    rng = np.random.default_rng(5)
    in1 = (rng.standard_normal((201, 207)) * 50).astype("int8").astype(dtype)
    in2 = in1[:7, :6]
    if dtype[0] == "f":
        in1 = in1 * in1.dtype.type(1.1)
    wanted = signal.convolve2d(in1, in2, boundary="wrap", threads=1)
    for threads in (2, 5):
        actual = signal.convolve2d(in1, in2, boundary="wrap", threads=threads)
        assert actual.tobytes() == wanted.tobytes()


X = np.ones((3, 4))
BAD: list[tuple[type[Exception], str, tuple[Any, ...], dict[str, Any]]] = [
    (TypeError, "in1 has dtype complex64", (X.astype("F"), X), {}),
    (TypeError, "in2 has dtype object", (X, [[None]]), {}),
    (TypeError, "in1 is a masked array", (np.ma.ones((2, 2)), X), {}),
    (ValueError, "in1.shape is .4,.; expected a matrix", (X[0], X), {}),
    (ValueError, "in2.shape is .0, 4.; expected a matrix", (X, X[:0]), {}),
    (ValueError, "mode is 'all'; expected 'full'", (X, X, "all"), {}),
    (ValueError, "boundary is 'reflect'; expected 'fill'", (X, X, "full", "reflect"), {}),
    (ValueError, "expected one to cover the other", (X, X.T, "valid"), {}),
    (TypeError, "fillvalue is 1j; expected a number", (X, X), {"fillvalue": 1j}),
    (TypeError, "fillvalue is None; expected a number", (X, X), {"fillvalue": None}),
    (ValueError, "algorithm is 'fft'", (X, X), {"algorithm": "fft"}),
    (ValueError, "threads is 0", (X, X), {"threads": 0}),
]


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize(("error", "says", "given", "more"), BAD, ids=[b[1] for b in BAD])
def test_errors(
    name: str, error: type[Exception], says: str, given: Any, more: dict[str, Any]
) -> None:
    with pytest.raises(error, match=says) as caught:
        getattr(signal, name)(*given, **more)
    assert str(caught.value).startswith(f"{name}: ")


def test_it_is_there_after_import() -> None:
    assert cconv.signal is signal
    assert set(signal.__all__) <= set(dir(cconv.signal))
