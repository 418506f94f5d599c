# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""cconv.ndimage and cconv.signal against SciPy, on arguments that hypothesis draws.

Integers agree bit for bit, with weights that keep sums exact.  Floats agree within the bound of a
sum of K products, to which the float32 sums of cconv are held as well.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cconv import ndimage, signal

MODES = ["reflect", "grid-mirror", "constant", "grid-constant", "nearest", "mirror", "wrap"]
MODES += ["grid-wrap"]
INTEGERS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
FLOATS = ["float32", "float64"]
EVERY = settings(
    max_examples=120,
    deadline=None,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def array(draw: Any, dtype: str, most_axes: int = 4) -> np.ndarray:
    """A small array of this dtype, now and then empty, reversed or transposed."""
    shape = draw(st.lists(st.integers(0, 8) | st.integers(1, 9), min_size=1, max_size=most_axes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if dtype in FLOATS:
        x = rng.standard_normal(shape).astype(dtype)
    elif dtype == "bool":
        x = rng.integers(0, 2, shape).astype(bool)
    else:
        x = rng.integers(-100 if dtype[0] == "i" else 0, 100, shape).astype(dtype)
    if draw(st.booleans()):
        x = x.T
    return x[(slice(None, None, -1),) * x.ndim] if draw(st.booleans()) else x


def origins(draw: Any, sizes: Any) -> list[int]:
    return [draw(st.integers(-(size // 2), (size - 1) // 2)) for size in sizes]


def some_axes(draw: Any, rank: int, most: int = 3) -> tuple[int, ...]:
    """Ascending, as the order of the axes matters in SciPy to some arguments only."""
    found = draw(st.sets(st.integers(0, rank - 1), min_size=1, max_size=min(most, rank)))
    return tuple(sorted(found))


def integer_weights(draw: Any, shape: Any) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.integers(-4, 5, shape).astype(float)


def same(actual: np.ndarray, expected: np.ndarray) -> None:
    """Bit for bit; SciPy writes counts into bool arrays, whose bytes then are neither 0 nor 1."""
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    if expected.dtype == bool:
        expected = expected.view(np.uint8) != 0
    np.testing.assert_array_equal(actual, expected)


def close(actual: np.ndarray, expected: np.ndarray, size: Any, terms: int) -> None:
    """Within the bound of a sum of `terms` products whose magnitudes sum to `size`."""
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    unit = float(np.finfo(actual.dtype).eps)
    bound = (2 * terms + 4) * unit * np.asarray(size, np.float64) + np.finfo(actual.dtype).tiny
    assert np.all(np.abs(actual.astype(np.float64) - expected.astype(np.float64)) <= bound)


def integer_case(draw: Any) -> tuple[np.ndarray, dict[str, Any]]:
    x = array(draw, draw(st.sampled_from([*INTEGERS, "bool"])))
    arguments: dict[str, Any] = {
        "mode": draw(st.sampled_from(MODES)),
        "cval": draw(st.integers(0, 9)),
    }
    if x.dtype != bool and draw(st.booleans()):
        # Sums outside int32 and int64 are as the machine has them, and no sum here comes near.
        wanted = draw(st.sampled_from([*INTEGERS, *FLOATS]))
        arguments["output"] = np.dtype(wanted if wanted != "uint64" else "int64")
    return x, arguments


@EVERY
@given(st.data(), st.sampled_from(["correlate", "convolve"]))
def test_correlation_of_integers(data: Any, name: str) -> None:
    x, arguments = integer_case(data.draw)
    axes = some_axes(data.draw, x.ndim)
    shape = [data.draw(st.integers(1, 4)) for _ in axes]
    weights = integer_weights(data.draw, shape)
    if x.dtype.kind in "bu":
        weights = abs(weights)
    arguments |= {"axes": axes, "origin": origins(data.draw, shape)}
    expected = getattr(scipy.ndimage, name)(x, weights, **arguments)
    same(getattr(ndimage, name)(x, weights, **arguments), expected)


@EVERY
@given(st.data(), st.sampled_from(["correlate1d", "convolve1d"]))
def test_correlation_of_integers_along_an_axis(data: Any, name: str) -> None:
    x, arguments = integer_case(data.draw)
    weights = integer_weights(data.draw, data.draw(st.integers(1, 7)))
    if x.dtype.kind in "bu":
        weights = abs(weights)
    arguments["origin"] = origins(data.draw, weights.shape)[0]
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    expected = getattr(scipy.ndimage, name)(x, weights, axis, **arguments)
    same(getattr(ndimage, name)(x, weights, axis, **arguments), expected)


@EVERY
@given(st.data())
def test_uniform_filter1d_of_integers(data: Any) -> None:
    x, arguments = integer_case(data.draw)
    size = data.draw(st.integers(1, 9))
    arguments["origin"] = origins(data.draw, [size])[0]
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    expected = scipy.ndimage.uniform_filter1d(x, size, axis, **arguments)
    actual = ndimage.uniform_filter1d(x, size, axis, **arguments)
    if expected.dtype.kind == "f":
        close(actual, expected, 110.0, size)
    else:
        same(actual, expected)


@EVERY
@given(st.data())
def test_uniform_filter_of_integers(data: Any) -> None:
    x, arguments = integer_case(data.draw)
    axes = some_axes(data.draw, x.ndim, 4)
    sizes = [data.draw(st.integers(1, 5)) for _ in axes]
    modes = [data.draw(st.sampled_from(MODES)) for _ in axes]
    arguments |= {"axes": axes, "origin": origins(data.draw, sizes), "mode": modes}
    expected = scipy.ndimage.uniform_filter(x, sizes, **arguments)
    actual = ndimage.uniform_filter(x, sizes, **arguments)
    if expected.dtype.kind == "f":
        close(actual, expected, 110.0, sum(sizes))
    else:
        same(actual, expected)


@EVERY
@given(st.data(), st.sampled_from(["correlate", "convolve"]), st.sampled_from(FLOATS))
def test_correlation_of_floats(data: Any, name: str, dtype: str) -> None:
    x = array(data.draw, dtype)
    axes = some_axes(data.draw, x.ndim)
    shape = [data.draw(st.integers(1, 4)) for _ in axes]
    weights = np.random.default_rng(data.draw(st.integers(0, 2**32))).standard_normal(shape)
    arguments = {"mode": data.draw(st.sampled_from(MODES)), "cval": data.draw(st.floats(-2, 2))}
    arguments |= {"axes": axes, "origin": origins(data.draw, shape)}
    if data.draw(st.booleans()):
        arguments["output"] = np.dtype(data.draw(st.sampled_from(FLOATS)))
    expected = getattr(scipy.ndimage, name)(x, weights, **arguments)
    size = arguments | {"cval": abs(arguments["cval"]), "output": np.float64}
    size = getattr(scipy.ndimage, name)(abs(x), abs(weights), **size)
    close(getattr(ndimage, name)(x, weights, **arguments), expected, size, weights.size)


@EVERY
@given(st.data(), st.sampled_from(FLOATS))
def test_uniform_filter_of_floats(data: Any, dtype: str) -> None:
    x = array(data.draw, dtype)
    size = data.draw(st.integers(1, 6))
    arguments = {"mode": data.draw(st.sampled_from(MODES)), "cval": data.draw(st.floats(-2, 2))}
    arguments["origin"] = origins(data.draw, [size])[0]
    expected = scipy.ndimage.uniform_filter(x, size, **arguments)
    greatest = max(abs(x).max(initial=0), 2)
    # SciPy's sum runs along the axis and gathers an error at each of its steps.
    terms = x.ndim * (size + max(x.shape))
    close(ndimage.uniform_filter(x, size, **arguments), expected, greatest, terms)


@EVERY
@given(st.data(), st.sampled_from([*FLOATS, "uint8", "int16"]))
def test_gaussian_filter(data: Any, dtype: str) -> None:
    x = array(data.draw, dtype)
    axes = some_axes(data.draw, x.ndim, 4)
    arguments: dict[str, Any] = {
        "order": [data.draw(st.integers(0, 3 if dtype in FLOATS else 0)) for _ in axes],
        "mode": [data.draw(st.sampled_from(MODES)) for _ in axes],
        "cval": float(data.draw(st.integers(0, 2))),
        "truncate": data.draw(st.floats(0, 5)),
        "axes": axes,
    }
    if data.draw(st.booleans()):
        arguments["radius"] = [data.draw(st.integers(0, 5)) for _ in axes]
    sigma = [data.draw(st.just(0.0) | st.floats(0.3, 3)) for _ in axes]
    expected = scipy.ndimage.gaussian_filter(x, sigma, **arguments)
    actual = ndimage.gaussian_filter(x, sigma, **arguments)
    if dtype in FLOATS:
        # The derivatives of a Gaussian of width 0.3 sum to some hundreds, an axis.
        norms = [_norm(s, order, 15) for s, order in zip(sigma, arguments["order"], strict=True)]
        greatest = max(abs(x).max(initial=0), 2) * np.prod(norms)
        close(actual, expected, greatest, 31 * len(axes))
    else:
        # A pass may cut 6.9999999 to 6 where the other has 7, and one more for each that follows.
        assert actual.dtype == expected.dtype
        differs = np.abs(actual.astype(int) - expected.astype(int))
        assert differs.max(initial=0) <= len(axes)


def _norm(sigma: float, order: int, radius: int) -> float:
    if sigma == 0:
        return 1
    point = np.zeros(4 * radius + 1)
    point[2 * radius] = 1
    response = scipy.ndimage.gaussian_filter1d(point, sigma, order=order, radius=radius)
    return max(1.0, 2 * float(abs(response).sum()) * max(1.0, 3 / sigma) ** order)


@EVERY
@given(
    st.data(),
    st.sampled_from(["maximum_filter", "minimum_filter"]),
    st.sampled_from([*INTEGERS, *FLOATS, "bool"]),
)
def test_extremes_over_boxes(data: Any, name: str, dtype: str) -> None:
    x = array(data.draw, dtype)
    axes = some_axes(data.draw, x.ndim, 4)
    sizes = [data.draw(st.integers(1, 6)) for _ in axes]
    arguments: dict[str, Any] = {
        "mode": [data.draw(st.sampled_from(MODES)) for _ in axes],
        "cval": float(data.draw(st.integers(0, 1 if dtype == "bool" else 9))),
        "origin": origins(data.draw, sizes),
        "axes": axes,
    }
    if data.draw(st.booleans()):
        arguments["size"] = sizes
    else:
        arguments["footprint"] = np.ones(sizes)
    if dtype in FLOATS and data.draw(st.booleans()):
        arguments["output"] = np.float64
        arguments["cval"] = 0.1
    elif dtype[0] == "u":
        arguments["cval"] += data.draw(st.sampled_from([0, 0.75]))
    expected = getattr(scipy.ndimage, name)(x, **arguments)
    same(getattr(ndimage, name)(x, **arguments), expected)


@EVERY
@given(
    st.data(),
    st.sampled_from(["maximum_filter", "minimum_filter"]),
    st.sampled_from([*INTEGERS, *FLOATS, "bool"]),
)
def test_extremes_over_footprints(data: Any, name: str, dtype: str) -> None:
    x = array(data.draw, dtype)
    axes = some_axes(data.draw, x.ndim)
    shape = [data.draw(st.integers(1, 4)) for _ in axes]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    footprint = rng.integers(0, 2, shape)
    footprint.flat[rng.integers(footprint.size)] = 1
    arguments: dict[str, Any] = {
        "footprint": footprint,
        "mode": data.draw(st.sampled_from(MODES)),
        "cval": data.draw(st.integers(0, 1 if dtype == "bool" else 9)),
        "origin": origins(data.draw, shape),
        "axes": axes,
    }
    wanted = np.dtype(dtype)
    if dtype in INTEGERS and data.draw(st.booleans()):
        wanted = np.dtype(data.draw(st.sampled_from([*INTEGERS, *FLOATS])))
    # SciPy goes through float64, and C leaves open what unsigned value a negative one becomes:
    # beside footprints of ones SciPy has 2**64 - 6 for -6, over them 0.  int64 holds all values.
    wide = np.dtype("int64") if wanted.kind == "u" else wanted
    expected = getattr(scipy.ndimage, name)(x, output=wide, **arguments).astype(wanted)
    same(getattr(ndimage, name)(x, output=wanted, **arguments), expected)


def matrices(draw: Any, first: str, second: str) -> list[np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    found = []
    for dtype in (first, second):
        shape = [draw(st.integers(1, 9)), draw(st.integers(1, 9))]
        if dtype in FLOATS:
            found.append(rng.standard_normal(shape).astype(dtype))
        else:
            limits = np.iinfo(dtype)
            found.append(rng.integers(limits.min, limits.max, shape, dtype, endpoint=True))
    return [x.T if draw(st.booleans()) else x for x in found]


def signal_arguments(draw: Any, in1: np.ndarray, in2: np.ndarray) -> dict[str, Any]:
    modes = ["full", "same"]
    sizes = list(zip(in1.shape, in2.shape, strict=True))
    if all(a >= b for a, b in sizes) or all(a <= b for a, b in sizes):
        modes.append("valid")
    boundaries = ["fill", "pad", "wrap", "circular", "symm", "symmetric"]
    return {
        "mode": draw(st.sampled_from(modes)),
        "boundary": draw(st.sampled_from(boundaries)),
        "fillvalue": draw(st.integers(0, 100)),
    }


@EVERY
@given(
    st.data(),
    st.sampled_from(["correlate2d", "convolve2d"]),
    st.sampled_from(INTEGERS),
    st.sampled_from(INTEGERS),
)
def test_matrices_of_integers(data: Any, name: str, first: str, second: str) -> None:
    in1, in2 = matrices(data.draw, first, second)
    if np.result_type(in1, in2).kind == "f":  # uint64 with a signed one
        in1, in2 = (in1 % 8).astype(first), (in2 % 8).astype(second)
    arguments = signal_arguments(data.draw, in1, in2)
    expected = getattr(scipy.signal, name)(in1, in2, **arguments)
    same(getattr(signal, name)(in1, in2, **arguments), expected)


@EVERY
@given(
    st.data(),
    st.sampled_from(["correlate2d", "convolve2d"]),
    st.sampled_from(FLOATS),
    st.sampled_from([*FLOATS, "int8", "uint16"]),
)
def test_matrices_of_floats(data: Any, name: str, first: str, second: str) -> None:
    in1, in2 = matrices(data.draw, first, second)
    arguments = signal_arguments(data.draw, in1, in2)
    expected = getattr(scipy.signal, name)(in1, in2, **arguments)
    size = getattr(scipy.signal, name)(abs(in1.astype(float)), abs(in2.astype(float)), **arguments)
    terms = min(in1.size, in2.size) if arguments["mode"] == "valid" else in2.size
    close(getattr(signal, name)(in1, in2, **arguments), expected, size, terms)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        *((getattr(ndimage, name), getattr(scipy.ndimage, name)) for name in ndimage.__all__),
        *((getattr(signal, name), getattr(scipy.signal, name)) for name in signal.__all__),
    ],
    ids=[*ndimage.__all__, *signal.__all__],
)
def test_signature(ours: Any, theirs: Any) -> None:
    """SciPy's parameters come first, with its kinds and defaults; ours are keyword-only."""
    own, given = (list(inspect.signature(f).parameters.values()) for f in (ours, theirs))
    for mine, other in zip(own, given, strict=False):
        assert (mine.name, mine.kind, mine.default) == (other.name, other.kind, other.default)
    assert all(extra.kind is extra.KEYWORD_ONLY for extra in own[len(given) :])
