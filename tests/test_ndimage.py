"""cconv.ndimage against windows of a padded copy, on every dtype, mode, rank and memory layout.

The oracle pads with `numpy.pad` and sums or compares windows of it in float64 or, of extremes, in
the dtype itself; on the integers drawn here every sum is exact.
"""

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import cconv
from cconv import ndimage

PAD = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "mirror": "reflect",
    "nearest": "edge",
    "wrap": "wrap",
    "grid-wrap": "wrap",
    "constant": "constant",
    "grid-constant": "constant",
}
INTEGERS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
FLOATS = ["float16", "float32", "float64"]
DTYPES = ["bool", *INTEGERS, *FLOATS]
SHAPES = [(1,), (7,), (40,), (1, 5), (6, 1), (7, 9), (33, 18), (2, 3, 4), (5, 1, 17), (3, 9, 8)]


def integers(shape: Any, dtype: str, seed: int = 0, most: int = 9) -> np.ndarray:
    rng = np.random.default_rng([seed, *shape])
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return rng.integers(0 if dtype[0] == "u" else -most, most, shape).astype(dtype)


def windows(
    x: np.ndarray, sizes: Any, modes: Any, cval: float = 0, origins: Any = None
) -> np.ndarray:
    """The window around each element, in axes behind those of `x`."""
    for axis, (size, mode) in enumerate(zip(sizes, modes, strict=True)):
        before = size // 2 + (0 if origins is None else origins[axis])
        pads = [(0, 0)] * x.ndim
        pads[axis] = (before, size - 1 - before)
        more = {"constant_values": cval} if PAD[mode] == "constant" else {}
        x = np.pad(x, pads, PAD[mode], **more)
    return sliding_window_view(x, sizes)


def correlated(x: np.ndarray, weights: Any, mode: str, cval: float = 0, origins: Any = None) -> Any:
    weights = np.asarray(weights, float)
    found = windows(x.astype(float), weights.shape, [mode] * x.ndim, cval, origins)
    return (found * weights).sum(axis=tuple(range(-x.ndim, 0)))


def same(actual: Any, expected: Any, dtype: Any) -> None:
    assert actual.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(actual, expected.astype(dtype))


@pytest.mark.parametrize("mode", PAD)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_correlate_and_convolve(shape: tuple[int, ...], mode: str) -> None:
    x = integers(shape, "float64")
    for number, size in enumerate((1, 2, 3, 4)):
        sizes = tuple((size + axis) % 4 + 1 for axis in range(x.ndim))
        weights = integers(sizes, "float64", number)
        low, high = [-(k // 2) for k in sizes], [(k - 1) // 2 for k in sizes]
        for origin in (low, high, [0] * x.ndim):
            wanted = correlated(x, weights, mode, 3, origin)
            same(ndimage.correlate(x, weights, None, mode, 3, origin), wanted, "float64")
            # A convolution is a correlation with the kernel and its origin turned around.
            turned = [-o - (k % 2 == 0) for o, k in zip(origin, sizes, strict=True)]
            flipped = np.flip(weights)
            actual = ndimage.convolve(x, flipped, None, mode, 3, turned)
            same(actual, wanted, "float64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype: str) -> None:
    x = integers((6, 7), dtype)
    weights = np.array([[1, 0, 2], [0, 1, 1]])
    wanted = correlated(x, weights, "mirror")
    same(ndimage.correlate(x, weights, mode="mirror"), wanted, dtype)
    same(ndimage.correlate(x, weights, "f8", "mirror"), wanted, "float64")
    same(ndimage.correlate(x, weights, np.float32, "mirror"), wanted, "float32")
    rows = correlated(x, [[1, 0, 2]], "wrap")
    same(ndimage.correlate1d(x, [1, 0, 2], mode="wrap"), rows, dtype)
    flipped = ndimage.convolve1d(x, np.array([2, 0, 1], "int8"), mode="wrap")
    same(flipped, rows, dtype)


def test_integers_are_cut_off_and_wrap_around() -> None:
    x = np.array([100, 50, 7])
    for dtype in ("int8", "uint8", "int16", "uint32"):
        wanted = np.array([300, 150, 21]).astype(dtype)
        np.testing.assert_array_equal(ndimage.correlate1d(x, [3], output=dtype), wanted)
        wanted = np.array([-150, -75, -10]).astype(dtype)  # -10.5 loses its fraction
        np.testing.assert_array_equal(ndimage.correlate1d(x, [-1.5], output=dtype), wanted)
    wanted = (-x).astype("uint64")
    np.testing.assert_array_equal(ndimage.correlate1d(x, [-1], output="uint64"), wanted)
    assert ndimage.correlate1d([2.0**63], [1], output="uint64")[0] == 2**63
    assert ndimage.correlate1d([0.75, -0.75, 1.5], [1], output=bool).tolist() == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("shape", [(5,), (4, 6), (3, 4, 5), (2, 3, 4, 5), (2, 3, 1, 4, 2)], ids=str)
def test_one_axis_of_any_rank(shape: tuple[int, ...]) -> None:
    x = integers(shape, "int16")
    weights = np.array([1, -2, 3, 5])
    for axis in range(-x.ndim, x.ndim):
        moved = np.moveaxis(x, axis, -1)
        rows = [
            correlated(row, weights, "reflect", 0, [1]) for row in moved.reshape(-1, x.shape[axis])
        ]
        wanted = np.moveaxis(np.reshape(rows, moved.shape), -1, axis)
        for given in (x, np.asfortranarray(x), x[::-1][::-1]):
            out = np.empty(x.shape[::-1], "int64").T
            assert ndimage.correlate1d(given, weights, axis, out, origin=1) is out
            np.testing.assert_array_equal(out, wanted)
            same(ndimage.correlate1d(given, weights, axis, origin=1), wanted, "int16")


def test_some_axes_of_many() -> None:
    x = integers((3, 4, 2, 5, 3), "float32")
    weights = integers((2, 3), "float64")
    for axes in [(0, 1), (1, 3), (4, 2), (-1, -2)]:
        order = sorted(axis % 5 for axis in axes)
        full = np.ones(5, int)
        full[order] = weights.shape
        wanted = correlated(x, weights.reshape(full), "nearest")
        same(ndimage.correlate(x, weights, mode="nearest", axes=axes), wanted, "float32")
        out = np.empty_like(x)
        ndimage.correlate(x, weights, out, "nearest", axes=axes)
        same(out, wanted, "float32")
    origin = ndimage.correlate(x, weights, axes=(3, 1), origin=(-1, 0))
    assert np.array_equal(origin, ndimage.correlate(x, weights, axes=(1, 3), origin=(0, -1)))


@pytest.mark.parametrize("mode", PAD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_filter(dtype: str, mode: str) -> None:
    x = integers((7, 9), dtype, most=100)
    wanted: Any = x
    for axis, size in enumerate((3, 4)):
        shape = [1, 1]
        shape[axis] = size
        mean = correlated(
            wanted, np.ones(shape), mode, 1, [axis - 1 if a == axis else 0 for a in (0, 1)]
        )
        mean = mean / size if dtype in FLOATS else np.trunc(mean / size)
        wanted = mean.astype(dtype)
    actual = ndimage.uniform_filter(x, (3, 4), mode=mode, cval=1, origin=(-1, 0))
    if dtype in FLOATS:
        assert actual.dtype == dtype
        slack = 8 * np.finfo(dtype).eps
        np.testing.assert_allclose(actual, wanted, rtol=slack, atol=100 * slack)
    else:
        same(actual, wanted, dtype)


def test_uniform_filter1d_divides_once() -> None:
    x = np.array([1, 1, 1, 0, 0, 10**15, 10**15], np.int64)
    assert ndimage.uniform_filter1d(x, 3).tolist() == [
        1,
        1,
        0,
        0,
        10**15 // 3,
        2 * 10**15 // 3,
        10**15,
    ]
    hole = np.array([1.0, np.nan, 1, 1, 1, 1])
    assert np.isnan(ndimage.uniform_filter1d(hole, 3)).tolist() == [True, True, True] + [False] * 3


def test_gaussian_filter() -> None:
    x = integers((9, 11), "float64")
    for sigma, order, radius in [
        (1.5, 0, None),
        ((0.7, 2), (1, 2), None),
        (1, 3, (2, 4)),
        (0, 0, 1),
    ]:
        wanted = x
        for axis in range(2):
            s = sigma if np.isscalar(sigma) else sigma[axis]
            n = order if np.isscalar(order) else order[axis]
            r = radius if radius is None or np.isscalar(radius) else radius[axis]
            if s == 0:
                continue
            r = int(3 * s + 0.5) if r is None else r
            at = np.arange(-r, r + 1)
            bell = np.exp(-(at**2) / (2 * s**2))
            bell /= bell.sum()
            # The derivatives of a Gaussian are its Hermite polynomials.
            hermite = np.polynomial.hermite_e.hermeval(at / s, [0] * n + [1]) / (-s) ** n
            shape = [1, 1]
            shape[axis] = at.size
            wanted = correlated(wanted, (hermite * bell)[::-1].reshape(shape), "mirror")
        actual = ndimage.gaussian_filter(x, sigma, order, mode="mirror", truncate=3, radius=radius)
        np.testing.assert_allclose(actual, wanted, rtol=1e-12, atol=1e-11)
    flat = ndimage.gaussian_filter(np.full((5, 6), 7, "uint8"), 1.3)
    assert set(flat.flat) <= {6, 7}
    point = ndimage.gaussian_filter([0, 0, 100, 0, 0], 1, radius=1)
    assert point.tolist() == [0, 27, 45, 27, 0]


@pytest.mark.parametrize("mode", PAD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_boxes(dtype: str, mode: str) -> None:
    for shape, sizes, origins in [
        ((9,), (4,), (-2,)),
        ((7, 5), (3, 1), (1, 0)),
        ((3, 6, 5), (2, 5, 3), (0, 2, -1)),
    ]:
        x = integers(shape, dtype)
        found = windows(x, sizes, [mode] * x.ndim, 1, origins)
        last = tuple(range(-x.ndim, 0))
        for name, best in (
            ("maximum_filter", found.max(last)),
            ("minimum_filter", found.min(last)),
        ):
            given = {"mode": mode, "cval": 1, "origin": origins}
            same(getattr(ndimage, name)(x, sizes, **given), best, dtype)
            same(getattr(ndimage, name)(x, footprint=np.ones(sizes), **given), best, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_footprints(dtype: str) -> None:
    rng = np.random.default_rng(1)
    for shape, sizes in [((20,), (5,)), ((7, 9), (3, 4)), ((4, 5, 6), (3, 2, 3))]:
        x = integers(shape, dtype)
        for _ in range(5):
            footprint = rng.integers(0, 2, sizes).astype(bool)
            footprint.flat[rng.integers(footprint.size)] = True
            modes = [str(mode) for mode in rng.choice(list(PAD), x.ndim)]
            found = windows(x, sizes, modes, 1)[..., footprint]
            given = {"footprint": footprint, "mode": modes, "cval": 1}
            same(ndimage.maximum_filter(x, **given), found.max(-1), dtype)
            same(ndimage.minimum_filter(x, **given), found.min(-1), dtype)


def test_extremes_of_some_axes() -> None:
    x = integers((3, 4, 5, 2), "int32")
    footprint = np.array([[1, 0], [0, 1], [1, 1]])
    found = windows(x, (1, 3, 1, 2), ["wrap"] * 4)[..., footprint.astype(bool).reshape(1, 3, 1, 2)]
    same(
        ndimage.maximum_filter(x, footprint=footprint, axes=(1, 3), mode="wrap"),
        found.max(-1),
        "int32",
    )
    box = windows(x, (1, 3, 1, 2), ["wrap"] * 4).min((-1, -2, -3, -4))
    same(ndimage.minimum_filter(x, (2, 3), axes=(3, 1), mode="wrap"), box, "int32")


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_propagates(dtype: str) -> None:
    x = np.arange(24, dtype=dtype).reshape(4, 6)
    x[1, 2] = np.nan
    x[3, 5] = -np.inf
    for footprint in (np.ones((3, 3)), [[0, 1, 0], [1, 0, 1], [0, 1, 0]]):
        for name, best in (("maximum_filter", np.max), ("minimum_filter", np.min)):
            found = windows(x, (3, 3), ["reflect"] * 2)[..., np.array(footprint, bool)]
            actual = getattr(ndimage, name)(x, footprint=footprint)
            np.testing.assert_array_equal(actual, best(found, -1))
    summed = ndimage.correlate(x, [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert np.isnan(summed).sum() >= 9  # also under weights of zero


def test_64_bit_integers_are_compared_exactly() -> None:
    for dtype in ("int64", "uint64"):
        top = np.iinfo(dtype).max
        x = np.array([top - 1, top, top - 2, 5], dtype)
        assert ndimage.maximum_filter(x, 3).tolist() == [top, top, top, top - 2]
        assert ndimage.minimum_filter(x, 3).tolist() == [top - 1, top - 2, 5, 5]


def test_padding_that_the_dtype_does_not_hold() -> None:
    x = np.array([3, 9, 4], np.uint8)
    given: dict[str, Any] = {"size": 3, "mode": "constant"}
    assert ndimage.maximum_filter(x, cval=-1, **given).tolist() == [9, 9, 9]
    assert ndimage.minimum_filter(x, cval=np.inf, **given).tolist() == [3, 3, 4]
    assert ndimage.maximum_filter(x, cval=9.9, **given).tolist() == [9, 9, 9]
    assert ndimage.minimum_filter(x, cval=-1, output="int16", **given).tolist() == [-1, 3, -1]
    assert ndimage.maximum_filter(x, cval=9.5, output=float, **given).tolist() == [9.5, 9, 9.5]
    for name, cval in [("maximum_filter", 256), ("minimum_filter", -1), ("maximum_filter", np.nan)]:
        with pytest.raises(OverflowError, match=f"{name}: cval is .* uint8 does not hold"):
            getattr(ndimage, name)(x, cval=cval, **given)


FILTERS: list[tuple[str, dict[str, Any]]] = [
    ("correlate", {"weights": [[1, 2, 0], [0, 1, 1]]}),
    ("convolve", {"weights": [[1, 2, 0], [0, 1, 1]]}),
    ("correlate1d", {"weights": [1, 3, 1], "axis": 0}),
    ("convolve1d", {"weights": [1, 3]}),
    ("uniform_filter1d", {"size": 4}),
    ("uniform_filter", {"size": 2}),
    ("gaussian_filter", {"sigma": 1}),
    ("maximum_filter", {"size": 3}),
    ("minimum_filter", {"footprint": [[1, 0], [0, 1]]}),
]
each_filter = pytest.mark.parametrize(("name", "given"), FILTERS, ids=[name for name, _ in FILTERS])


@each_filter
def test_output(name: str, given: dict[str, Any]) -> None:
    run = getattr(ndimage, name)
    x = integers((6, 8), "float64")
    wanted = run(x, **given)
    kept = x.copy()
    for out in (
        np.empty((6, 8)),
        np.empty((8, 6)).T,
        np.empty((12, 24))[::-2, ::3],
        np.empty((6, 8), ">f8"),
        np.frombuffer(bytearray(6 * 8 * 8 + 1), np.uint8)[1:].view("f8").reshape(6, 8),
    ):
        assert run(x, output=out, **given) is out
        np.testing.assert_array_equal(out, wanted)
    for dtype in ("int16", "float32", ">f8", np.uint8, np.dtype("int64"), float):
        out = np.empty((6, 8), dtype)
        run(x, output=out, **given)
        actual = run(x, output=dtype, **given)
        assert actual.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(actual, out)
    np.testing.assert_array_equal(x, kept)


@each_filter
def test_output_over_the_input(name: str, given: dict[str, Any]) -> None:
    run = getattr(ndimage, name)
    memory = integers((7, 9), "float64")
    for place in (np.s_[:-1, :-1], np.s_[1:, 1:], np.s_[-2::-1, :-1]):
        mine = memory.copy()
        x, out = mine[1:, :-1], mine[place]
        wanted = run(x.copy(), **given)
        assert run(x, output=out, **given) is out
        np.testing.assert_array_equal(out, wanted)


@each_filter
def test_layouts_and_forms_of_the_input(name: str, given: dict[str, Any]) -> None:
    run = getattr(ndimage, name)
    x = integers((6, 8), "int32")
    wanted = run(x, **given)
    for same_values in (
        x.tolist(),
        x.astype(">i4"),
        np.asfortranarray(x),
        x[::-1, ::-1][::-1, ::-1],
    ):
        np.testing.assert_array_equal(run(same_values, **given), wanted)
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(run(frozen, **given), wanted)
    assert run(x.astype(">i4"), **given).dtype == np.dtype("int32")


@each_filter
def test_empty(name: str, given: dict[str, Any]) -> None:
    for shape in [(0, 5), (5, 0), (0, 0)]:
        for dtype in ("uint8", "float32"):
            actual = getattr(ndimage, name)(np.empty(shape, dtype), **given)
            assert (actual.shape, actual.dtype) == (shape, np.dtype(dtype))


@each_filter
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_threads_do_not_change_a_bit(name: str, given: dict[str, Any], dtype: str) -> None:
    x = (np.random.default_rng(3).standard_normal((311, 307)) * 50).astype("int8").astype(dtype)
    if dtype != "uint8":
        x *= 1.1
    run = getattr(ndimage, name)
    wanted = run(x, threads=1, **given)
    for threads in (2, 3, 7):
        assert run(x, threads=threads, **given).tobytes() == wanted.tobytes()
    with cconv.num_threads(2):
        assert run(x, **given).tobytes() == wanted.tobytes()


def test_scalars_and_windows_of_one() -> None:
    for actual in (
        ndimage.gaussian_filter(5.0, 1),
        ndimage.uniform_filter(np.array(5.0)),
        ndimage.maximum_filter(5.0, 3),
    ):
        assert actual.shape == ()
        assert actual == 5
    x = integers((3, 4), "int16")
    for actual in (
        ndimage.uniform_filter(x, 1),
        ndimage.gaussian_filter(x, 0),
        ndimage.minimum_filter(x, 1),
    ):
        assert actual is not x
        assert not np.shares_memory(actual, x)
        np.testing.assert_array_equal(actual, x)
    out = np.arange(12.0)
    ndimage.uniform_filter(out[:8], 1, output=out[4:])
    assert out.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7]


def test_weights_beyond_float32() -> None:
    x = np.array([1e-30, 2e-30], np.float32)
    np.testing.assert_allclose(ndimage.correlate1d(x, [1e40]), [1e10, 2e10], rtol=1e-6)


def test_size_beside_a_footprint_is_ignored_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="size is ignored"):
        actual = ndimage.maximum_filter([1, 5, 2, 0], 9, footprint=[1, 0, 1])
    assert actual.tolist() == [5, 2, 5, 2]


X = np.ones((4, 5))
BAD: list[tuple[type[Exception], str, str, tuple[Any, ...], dict[str, Any]]] = [
    (TypeError, "correlate: input has dtype complex128", "correlate", (X * 1j, [[1]]), {}),
    (TypeError, "weights has dtype complex128", "convolve", (X, [[1j]]), {}),
    (TypeError, "input has dtype object", "maximum_filter", ([[None]], 3), {}),
    (TypeError, "input is a masked array", "gaussian_filter", (np.ma.ones(3), 1), {}),
    (TypeError, "output has dtype complex64", "correlate", (X, [[1]], "complex64"), {}),
    (TypeError, "expected None, an array or a dtype", "correlate", (X, [[1]], [1.0]), {}),
    (
        ValueError,
        "output has shape .4, 4.; expected .4, 5.",
        "uniform_filter",
        (X, 3, X[:, 1:]),
        {},
    ),
    (ValueError, "weights.shape .2,. has 1 axes; expected 2", "correlate", (X, [1, 2]), {}),
    (ValueError, "expected at least 1 element", "correlate", (X, np.ones((0, 2))), {}),
    (ValueError, "4 of the 4 axes of input", "convolve", (np.ones((1, 1, 1, 1)), [[[[1]]]]), {}),
    (ValueError, "0 of the 0 axes of input", "correlate", (1.0, 1.0), {}),
    (ValueError, "origin is 2; expected -1 to 1", "correlate1d", (X, [1, 2, 3]), {"origin": 2}),
    (
        ValueError,
        "origin is -2; expected -1 to 0",
        "convolve",
        (X, [[1], [2]]),
        {"origin": (-2, 0)},
    ),
    (
        ValueError,
        "origin is .* 3 long; expected one",
        "correlate",
        (X, [[1]]),
        {"origin": (0, 0, 0)},
    ),
    (TypeError, "origin is 0.5; expected an int", "correlate", (X, [[1]]), {"origin": 0.5}),
    (ValueError, "mode is 'edge'; expected 'reflect'", "correlate", (X, [[1]]), {"mode": "edge"}),
    (ValueError, "one for all axes", "correlate", (X, [[1]]), {"mode": ["wrap", "wrap"]}),
    (TypeError, "cval is 1j; expected a number", "correlate", (X, [[1]]), {"cval": 1j}),
    (TypeError, "cval is 'a'; expected a number", "minimum_filter", (X, 3), {"cval": "a"}),
    (ValueError, "axis is 2; expected -2 to 1", "correlate1d", (X, [1], 2), {}),
    (ValueError, "axes.0. is -3; expected -2 to 1", "uniform_filter", (X,), {"axes": -3}),
    (ValueError, "expected each axis once", "gaussian_filter", (X, 1), {"axes": (0, -2)}),
    (ValueError, "size is 0; expected at least 1", "uniform_filter1d", (X, 0), {}),
    (TypeError, "size is 2.5; expected an int", "uniform_filter", (X, 2.5), {}),
    (
        ValueError,
        "size is .* 1 long; expected one for all axes, or 2",
        "minimum_filter",
        (X, [3]),
        {},
    ),
    (ValueError, "neither size nor footprint", "maximum_filter", (X,), {}),
    (ValueError, "footprint has no True element", "maximum_filter", (X,), {"footprint": [[0]]}),
    (ValueError, "footprint.shape .2,. has 1 axes", "maximum_filter", (X,), {"footprint": [1, 0]}),
    (ValueError, "sigma is -1; expected a finite", "gaussian_filter", (X, -1), {}),
    (ValueError, "sigma is nan; expected a finite", "gaussian_filter", (X, np.nan), {}),
    (ValueError, "order is -1; expected at least 0", "gaussian_filter", (X, 1, -1), {}),
    (ValueError, "radius is -1; expected at least 0", "gaussian_filter", (X, 1), {"radius": -1}),
    (
        ValueError,
        "truncate is -9; expected at least 0",
        "gaussian_filter",
        (X, 1),
        {"truncate": -9},
    ),
    (ValueError, "algorithm is 'fft'; expected", "correlate", (X, [[1]]), {"algorithm": "fft"}),
    (ValueError, "cannot serve this call", "gaussian_filter", (X, 1), {"algorithm": "winograd"}),
    (ValueError, "threads is 0; expected at least 1", "maximum_filter", (X, 3), {"threads": 0}),
]


@pytest.mark.parametrize(("error", "says", "name", "given", "more"), BAD, ids=[b[1] for b in BAD])
def test_errors(
    error: type[Exception], says: str, name: str, given: Any, more: dict[str, Any]
) -> None:
    with pytest.raises(error, match=says) as caught:
        getattr(ndimage, name)(*given, **more)
    assert str(caught.value).startswith(f"{name}: ")


def test_read_only_output() -> None:
    out = np.empty((4, 5))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="output is read-only"):
        ndimage.maximum_filter(X, 3, output=out)


def test_it_is_there_after_import() -> None:
    assert cconv.ndimage is ndimage
    assert set(ndimage.__all__) <= set(dir(cconv.ndimage))
