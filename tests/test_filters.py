"""Filters of cconv.ndimage a second time, when the call is known, and of images in blocks."""

from typing import Any

import numpy as np
import pytest
from test_ndimage import FILTERS, PAD, each_filter, integers, windows

import cconv
from cconv import _cache, ndimage

UNKNOWN = np.int64(1)  # threads of a call that is not remembered, for it is no int


def averaged(x: np.ndarray, axis: int, weights: Any, mode: str) -> np.ndarray:
    """The weighted sum along an axis, in float64."""
    sizes = [1] * x.ndim
    sizes[axis] = len(weights)
    modes = [mode] * x.ndim
    found = windows(x, sizes, modes, 2.0).reshape(*x.shape, -1)
    return np.asarray(found @ np.asarray(weights))


def bell(sigma: float, radius: int) -> np.ndarray:
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())


@each_filter
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_a_call_again(name: str, given: dict[str, Any], dtype: str) -> None:
    run = getattr(ndimage, name)
    given = {key: np.array(v) if isinstance(v, list) else v for key, v in given.items()}
    for x in (integers((6, 8), dtype), np.asfortranarray(integers((9, 5), dtype))):
        wanted = run(x, threads=UNKNOWN, **given)
        out = np.empty_like(x)
        for _ in range(3):
            np.testing.assert_array_equal(run(x, **given), wanted)
            assert run(x, output=out, **given) is out
            np.testing.assert_array_equal(out, wanted)
        other = x[::-1].copy(order="K")
        wanted = run(other, threads=UNKNOWN, **given)
        np.testing.assert_array_equal(run(other, **given), wanted)
        mine = other.copy(order="K")
        assert run(mine, output=mine, **given) is mine
        np.testing.assert_array_equal(mine, wanted)
        out.flags.writeable = False
        with pytest.raises(ValueError, match="output is read-only"):
            run(x, output=out, **given)


@pytest.mark.parametrize(("name", "given"), FILTERS[:4], ids=[name for name, _ in FILTERS[:4]])
def test_weights_count_by_what_is_in_them(name: str, given: dict[str, Any]) -> None:
    run, more = getattr(ndimage, name), {k: v for k, v in given.items() if k != "weights"}
    x = integers((6, 8), "float32")
    weights = np.array(given["weights"], np.float64)
    for factor in (1, 3):
        for _ in range(2):
            wanted = run(x, given["weights"], **more) * np.float32(factor)
            np.testing.assert_array_equal(run(x, weights * factor, **more), wanted)
    first = run(x, weights, **more)
    weights *= 5
    np.testing.assert_array_equal(run(x, weights, **more), 5 * first)


def test_calls_that_differ_in_an_argument() -> None:
    x = integers((6, 8), "float32")
    cconv.release_workspace()
    calls = [{"cval": float(v), "mode": "constant"} for v in (0, 1, 2)]
    calls += [{"mode": mode} for mode in PAD] + [{"origin": 1}, {"axes": 0}, {"axes": (1,)}]
    for name, size in (("maximum_filter", 3), ("uniform_filter", 3), ("gaussian_filter", 1.5)):
        for given in calls:
            if name == "gaussian_filter" and "origin" in given:
                continue
            wanted = getattr(ndimage, name)(x, size, threads=UNKNOWN, **given)
            for _ in range(2):
                np.testing.assert_array_equal(getattr(ndimage, name)(x, size, **given), wanted)
    assert len(_cache.recent.filters) <= _cache.MOST
    cconv.release_workspace()
    assert not _cache.recent.filters


SHAPES = [(130, 517), (517, 70), (3, 9000), (40, 33, 50)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["reflect", "mirror", "nearest", "wrap", "constant"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_blocks(shape: tuple[int, ...], mode: str, dtype: str) -> None:
    x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    given: dict[str, Any] = {"mode": mode, "cval": 2.0}
    for size in (5, 16, 31):
        box = gauss = x.astype(float)
        for axis in range(x.ndim):
            box = averaged(box, axis, np.full(size, 1 / size), mode)
            gauss = averaged(gauss, axis, bell(size / 4, size // 2), mode)
        for function, wanted, how in (
            (ndimage.uniform_filter, box, {"size": size}),
            (ndimage.gaussian_filter, gauss, {"sigma": size / 4, "radius": size // 2}),
        ):
            how |= given
            actual = function(x, threads=1, **how)
            slack = 100 * float(np.finfo(dtype).eps)
            np.testing.assert_allclose(actual, wanted, rtol=slack, atol=slack)
            for same in (np.asfortranarray(x), x[..., ::-1].copy()[..., ::-1]):
                for threads in (1, 2, 5):
                    assert function(same, threads=threads, **how).tobytes() == actual.tobytes()


def test_averages_hold_nothing_but_their_window() -> None:
    x = np.ones((90, 80), np.float32)
    x[40, 30], x[60, 70] = np.nan, np.inf
    for size in (3, 15, 40):
        actual = ndimage.uniform_filter(x, size)
        found = windows(x, (size, size), ["reflect"] * 2)
        assert (np.isnan(actual) == np.isnan(found).any((-1, -2))).all()
        ordinary = np.isfinite(found).all((-1, -2))
        assert (actual[ordinary] == 1).all()
