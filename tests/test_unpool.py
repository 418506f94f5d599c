"""max_unpool: scattering checked against plain Python, and that it inverts max_pool."""

import math
from dataclasses import replace
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import DTYPES, MAX_POOL, RANKS, assert_same_bits
from hypothesis import given
from hypothesis import strategies as st

import cconv
from cconv import reference

UNPOOL = {1: cconv.max_unpool1d, 2: cconv.max_unpool2d, 3: cconv.max_unpool3d}


def scattered(x: cases.Array, places: cases.Array, size: cases.Ints) -> cases.Array:
    """The oracle: one element after the other into flat planes."""
    y = np.zeros((*x.shape[:2], math.prod(size)), x.dtype)
    for channel in np.ndindex(*x.shape[:2]):
        for value, place in zip(x[channel].ravel(), places[channel].ravel(), strict=True):
            if place != -1:
                y[channel][place] = value
    return y.reshape(*x.shape[:2], *size)


def check(random: Random, rank: int, dtype: str) -> None:
    """Any places, many of them the same or nowhere, any strides of all three arrays."""
    longest = {1: [60], 2: [8, 20], 3: [4, 4, 9]}[rank]
    spatial = tuple(random.randint(0 if random.random() < 0.05 else 1, n) for n in longest)
    size = tuple(random.randint(1, n) for n in longest)
    full = (random.choice([0, 1, 2, 3]), random.choice([0, 1, 2, 5]), *spatial)
    layouts = [random.choice(cases.LAYOUTS) for _ in range(2)]
    out_layout, threads = random.choice(cases.OUT_LAYOUTS), random.choice([1, 2, 3])
    with cases.naming((full, size, dtype, layouts, out_layout)):
        rng = np.random.default_rng(random.randrange(2**32))
        x = cases.arrange(cases.normals(rng, full, dtype), layouts[0], rng)
        chosen = rng.integers(-1, math.prod(size), full)
        if layouts[1] == "scattered":
            places = cases.scatter(lambda s: np.full(s, 10**9), full, rng)
            places[...] = chosen
        else:
            places = cases.arrange(chosen, layouts[1], rng)
        before = x.copy(), places.copy()
        canvas = cases.Canvas((*full[:2], *size), dtype, out_layout, rng)
        y = UNPOOL[rank](x, places, 1, output_size=size, out=canvas.array, threads=threads)
        canvas.check(y)
        assert_same_bits(x, before[0])
        np.testing.assert_array_equal(places, before[1])
        expected = scattered(x, places, size)
        assert_same_bits(y, expected)
        again = np.full_like(expected, np.nan)
        reference.max_unpool(x, places, again, 1)
        assert_same_bits(again, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_sweep(rank: int, dtype: str) -> None:
    for index in range(0, 300, cases.SHARE):
        check(Random(f"unpool/{rank}/{dtype}/{index}"), rank, dtype)


@given(st.randoms(use_true_random=False))
def test_any_case(random: Random) -> None:
    check(random, random.choice(RANKS), random.choice(DTYPES))


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_inverts_max_pool(dtype: str) -> None:
    """Whatever the windows, empty ones included: what they found is back, the rest is zero."""
    for case in cases.sweep(f"inverse/{dtype}", 200, lambda r: cases.draw_pool(r, "max")):
        with cases.naming(case):
            case = replace(case, dtype=dtype)
            x = cases.pool_data(case, np.random.default_rng(case.seed), cases.normals)
            values, places = cases.run_pool(case, x, return_indices=True)
            y = UNPOOL[case.rank](
                values, places, case.kernel, case.stride, case.pads, output_size=case.spatial
            )
            found = np.zeros((*x.shape[:2], math.prod(case.spatial)), bool)
            for channel in np.ndindex(*x.shape[:2]):
                found[channel][places[channel][places[channel] >= 0]] = True
            assert_same_bits(y, np.where(found.reshape(x.shape), x, np.zeros((), dtype)))


@pytest.mark.parametrize("rank", RANKS)
def test_default_size(rank: int) -> None:
    """(in - 1) * stride - before - after + kernel, for every form of the arguments."""
    x = np.ones((2, 3, *(4,) * rank), "f4")
    places = np.zeros(x.shape, int)
    for arguments, size in [
        ((2,), 8), ((3,), 12), ((3, 2), 9), ((3, 2, 1), 7), ((2, 1), 5),
        ((3, None, 1), 10), (((3,) * rank, (2,) * rank, (1,) * rank), 7), ((3, 2, -1), 11),
        ((3, 2, ((1, 0),) * rank), 8),
    ]:  # fmt: skip
        assert UNPOOL[rank](x, places, *arguments).shape == (2, 3, *(size,) * rank)
    assert UNPOOL[rank](x, places, 2, 2, 0, (9,) * rank).shape == (2, 3, *(9,) * rank)
    assert UNPOOL[rank](x, places, 2, output_size=(2, 3, *(9,) * rank)).shape[2:] == (9,) * rank
    image = UNPOOL[rank](x[1], places[1], 2, output_size=(3, *(9,) * rank))
    assert image.shape == (3, *(9,) * rank)


@pytest.mark.parametrize("rank", RANKS)
def test_sizes_that_share_a_pooled_shape(rank: int) -> None:
    """7 and 8 pool to the same size; output_size tells them apart."""
    for size in (7, 8):
        x = cases.normals(np.random.default_rng(size), (1, 2, *(size,) * rank), "float32")
        values, places = MAX_POOL[rank](x, 2, 2, 0, 1, size == 7, True)
        y = UNPOOL[rank](values, places, 2, output_size=x.shape)
        assert_same_bits(y[y != 0], x[y != 0])
        assert np.count_nonzero(y) == values.size


def test_the_last_of_several_stays() -> None:
    x = np.arange(1, 7, dtype="f4").reshape(1, 1, 2, 3)
    places = np.array([[3, 0, 3], [0, 3, -1]])[None, None]
    for view in (
        places,
        places.astype("i1"),
        places.astype(">i8"),
        places.astype("f8").astype(int),
    ):
        y = cconv.max_unpool2d(x, view, 1, output_size=(2, 2))
        assert y.ravel().tolist() == [4, 0, 0, 5]
    y = cconv.max_unpool2d(x[..., ::-1], places[..., ::-1], 1, output_size=(2, 2))
    assert y.ravel().tolist() == [4, 0, 0, 5]


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads_or_batch(dtype: str) -> None:
    x = cases.normals(np.random.default_rng(1), (3, 17, 61, 53), dtype)
    values, places = MAX_POOL[2](x, 3, 2, 1, return_indices=True)
    alone = cconv.max_unpool2d(values, places, 3, 2, 1, x.shape, threads=1)
    for threads in (2, 3, 7) if cases.CORE else (2,):
        again = cconv.max_unpool2d(values, places, 3, 2, 1, x.shape, threads=threads)
        assert_same_bits(again, alone)
    for image, where, y in zip(values, places, alone, strict=True):
        assert_same_bits(cconv.max_unpool2d(image, where, 3, 2, 1, (61, 53)), y)


def test_special_values_and_lists() -> None:
    y = cconv.max_unpool1d([[np.nan, np.inf, -0.0]], [[4, 2, 0]], 1, output_size=[5])
    assert np.signbit(y[0, 0])
    np.testing.assert_array_equal(y, [[-0.0, 0, np.inf, 0, np.nan]])


@pytest.mark.parametrize("shift", [0, 8, 40])
def test_out_may_overlap_both(shift: int) -> None:
    buffer = np.zeros(400)
    x = buffer[:24].reshape(1, 2, 12)
    x[...] = np.arange(1, 25).reshape(x.shape)
    places = np.tile(np.arange(12) * 2, (1, 2, 1))
    expected = scattered(x, places, (24,))
    out = buffer[shift : shift + 48].reshape(1, 2, 24)
    y = cconv.max_unpool1d(x, places, 2, out=out)
    assert y is out
    assert_same_bits(y, expected)
    memory = np.zeros(48, np.int64)
    places = memory[:24].reshape(1, 2, 12)
    places[...] = np.arange(12) * 2
    expected = scattered(expected[..., ::2], places, (24,))
    out = memory.view(np.float64).reshape(1, 2, 24)
    assert_same_bits(cconv.max_unpool1d(expected[..., ::2], places, 2, out=out), expected)


@pytest.mark.parametrize("bad", [16, 17, -2, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("threads", [1, 3])
def test_an_index_outside_the_plane_is_named(bad: int, threads: int) -> None:
    """The first in C order, and nothing is written."""
    x = np.ones((2, 40, 60, 60), "f4")
    places = np.zeros(x.shape, np.int64)
    places[1, 30, 2, 1] = bad
    places[1, 39, 0, 0] = 99
    out = np.full((2, 40, 4, 4), cases.CANARY, "f4")
    message = rf"max_unpool2d: indices\[1, 30, 2, 1\] is {bad}; expected 0 to 15, .*\(4, 4\), or -1"
    with pytest.raises(ValueError, match=message):
        cconv.max_unpool2d(x, places, 2, output_size=(4, 4), out=out, threads=threads)
    assert (out == cases.CANARY).all()
    with pytest.raises(ValueError, match=rf"max_unpool2d: indices\[30, 2, 1\] is {bad}"):
        cconv.max_unpool2d(x[1], places[1], 2, output_size=(4, 4), threads=threads)


X, P = np.ones((1, 2, 3, 3)), np.zeros((1, 2, 3, 3), int)
ERRORS: dict[str, tuple[type[Exception], dict[str, Any], str]] = {
    "rank": (ValueError, {"input": np.ones((3, 3))}, "input.shape (3, 3) has 2 axes; expected 4"),
    "dtype": (TypeError, {"input": X * 1j}, "input has dtype complex128; expected float16"),
    "floats": (TypeError, {"indices": X}, "indices has dtype float64; expected integers"),
    "flags": (TypeError, {"indices": P > 0}, "indices has dtype bool; expected integers"),
    "uint64": (TypeError, {"indices": P.astype("u8")}, "indices has dtype uint64; expected int"),
    "masked": (TypeError, {"indices": np.ma.masked_array(P)}, "indices is a masked array"),
    "ragged": (ValueError, {"indices": [[1], [1, 2]]}, "indices is list, not convertible"),
    "shape": (ValueError, {"indices": P[:, :1]}, "indices.shape is (1, 1, 3, 3); expected (1, 2,"),
    "kernel": (ValueError, {"kernel_size": 0}, "kernel_size is 0; expected at least 1"),
    "stride": (ValueError, {"stride": (1, 0)}, "stride[1] is 0; expected at least 1"),
    "word": (ValueError, {"padding": "same"}, "padding is 'same'; expected ints or (before"),
    "pads": (ValueError, {"padding": (1, 1, 1)}, "padding is (1, 1, 1), 3 long; expected 2"),
    "nothing": (ValueError, {"padding": 3}, "the output has 0 elements along h; expected at least"),
    "sizes": (ValueError, {"output_size": (6,)}, "output_size is (6,); expected 2: one int"),
    "int": (ValueError, {"output_size": 6}, "output_size is 6; expected 2: one int"),
    "zero": (ValueError, {"output_size": (6, 0)}, "0 elements along w; expected at least 1"),
    "negative": (ValueError, {"output_size": (-6, 6)}, "output_size[0] is -6; expected at least 0"),
    "channels": (ValueError, {"output_size": (1, 3, 6, 6)}, "channels in it to be (1, 2)"),
    "float": (TypeError, {"output_size": (6.0, 6)}, "output_size[0] is 6.0; expected an int"),
    "huge": (OverflowError, {"stride": 2**62}, "the size of the output along h"),
    "larger": ((OverflowError, MemoryError), {"stride": 2**45}, "output"),
    "threads": (ValueError, {"threads": 0}, "threads is 0; expected at least 1"),
    "out": (ValueError, {"out": X}, "out has shape (1, 2, 3, 3); expected (1, 2, 6, 6)"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, changes, message = ERRORS[name]
    with pytest.raises(error, match="max_unpool2d: ") as caught:
        cconv.max_unpool2d(**{"input": X, "indices": P, "kernel_size": 2, **changes})
    assert message in str(caught.value)
