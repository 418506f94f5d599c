"""lp_pool: every geometry, dtype and layout against two oracles.

On integers sums of magnitudes and of squares are exact, and a square root rounds once, so norms of
p = 1, 2 and inf equal the oracle bit for bit; other exponents are libm's, within a few ulp.
"""

import math
from dataclasses import replace
from random import Random
from typing import Any

import cases
import numpy as np
import oracle
import pytest
from cases import AVG_POOL, DTYPES, LP_POOL, MAX_POOL, RANKS, PoolCase, assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from test_pool import BIG, WIDTHS

import cconv

EXACT = [1, 2, np.inf]
OTHER = [0.5, 1.5, 3, 4, 7.25]
SAMPLE = 6 if cases.CORE else 40


def bound(case: PoolCase, exact: cases.Array) -> cases.Array:
    """K + 1 roundings of powers and sum, shrunk by the root; those of the root and its exponent."""
    terms = math.prod(case.kernel) + 1
    u = cases.unit_roundoff(case.dtype)
    return abs(exact) * (terms / case.p + 8) * u * oracle.SLACK[case.dtype]


def check(case: PoolCase, draw: Any = cases.integers, sample: int = SAMPLE) -> None:
    """Both oracles; surroundings and input intact; scratch bounded."""
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        x = cases.pool_data(case, rng, draw)
        before = x.copy()
        canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
        y = cases.run_pool(case, x, out=canvas.array)
        canvas.check(y)
        assert y.shape == case.out_shape
        assert_same_bits(x, before)
        positions = cases.some_positions(case.out_spatial, rng, sample)
        exact = cases.oracle_pool(case, x, positions)
        actual = cases.at(y, positions)
        if case.p in EXACT and draw is cases.integers:
            if case.p == 2:  # the root of a whole number; by way of long double it is rounded twice
                exact = np.sqrt(np.rint(exact * exact).astype(case.dtype))
            assert_same_bits(actual, exact.astype(case.dtype))
            if cases.CORE:
                assert_same_bits(y, cases.reference_pool(case, x))
        else:
            cases.assert_within(actual, exact, bound(case, exact))
        cases.check_pool_scratch(case, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_sweep_is_exact_on_integers(rank: int, dtype: str) -> None:
    for case in cases.sweep(
        f"lp/{rank}/{dtype}", 600, lambda random: cases.draw_pool(random, "lp", rank, dtype)
    ):
        check(case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", EXACT + OTHER)
def test_sweep_on_random_data(p: float, dtype: str) -> None:
    def draw(random: Random) -> PoolCase:
        return replace(cases.draw_pool(random, "lp", None, dtype), p=p)

    for case in cases.sweep(f"lp/{p}/{dtype}/random", 60, draw):
        check(case, cases.normals)


@given(st.randoms(use_true_random=False).map(lambda random: cases.draw_pool(random, "lp")))
def test_any_case_is_exact_on_integers(case: PoolCase) -> None:
    check(case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [1, 2, np.inf, 3])
@pytest.mark.parametrize("name", BIG)
def test_big_shapes(name: str, p: float, dtype: str) -> None:
    case = replace(BIG[name], kind="lp", p=p, dtype=dtype)
    check(case, cases.normals, sample=12)
    if p in EXACT and math.prod(case.kernel) < 2**18:
        check(case, sample=12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [1, 2, np.inf, 3])
@pytest.mark.parametrize("name", BIG)
def test_bits_do_not_depend_on_threads(name: str, p: float, dtype: str) -> None:
    case = replace(BIG[name], kind="lp", p=p, dtype=dtype)
    x = cases.pool_data(case, np.random.default_rng(2), cases.normals)
    alone = cases.run_pool(case, x, threads=1)
    for threads in (2, 3, 7) if cases.CORE else (2,):
        assert_same_bits(cases.run_pool(case, x, threads=threads), alone)


@pytest.mark.parametrize("p", [*EXACT, 3])
def test_bits_do_not_depend_on_batch_or_layout(p: float) -> None:
    def draw(random: Random) -> PoolCase:
        case = cases.draw_pool(random, "lp")
        return replace(case, batch=random.randint(2, 5), layout="contiguous", p=p)

    for case in cases.sweep(f"lp same bits/{p}", 60, draw):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x = cases.pool_data(case, rng, cases.normals)
            whole = cases.run_pool(case, x)
            for image, y in zip(x, whole, strict=True):
                assert_same_bits(cases.run_pool(case, image), y)
            for layout in ("fortran", "channels_last", "unaligned", "scattered"):
                canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
                moved = cases.arrange(x, layout, rng)
                assert_same_bits(cases.run_pool(case, moved, out=canvas.array), whole)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [*EXACT, 0.5, 3])
@pytest.mark.parametrize("width", WIDTHS)
def test_nan_in_every_lane_and_tail(width: int, p: float, dtype: str) -> None:
    """One NaN at each column in turn reaches exactly the windows that hold it."""
    for kernel, stride, pad, dilation in [(3, 1, 1, 1), (2, 2, 0, 1), (3, 2, 2, 1), (2, 1, 1, 3)]:
        case = PoolCase(
            "lp", dtype, 1, width, (width,), (kernel,), (stride,), (dilation,), ((pad, pad),), p=p
        )
        if case.out_spatial[0] < 1:
            continue
        x = np.ones((1, width, width), dtype)
        x[0, range(width), range(width)] = np.nan
        exact = cases.oracle_pool(case, x, list(np.ndindex(*case.out_spatial)))
        y = cases.run_pool(case, x).reshape(exact.shape)
        np.testing.assert_array_equal(np.isnan(y), np.isnan(exact))
        np.testing.assert_allclose(y, exact.astype(dtype), rtol=1e-6)


@pytest.mark.parametrize("p", EXACT + OTHER)
@pytest.mark.parametrize("rank", RANKS)
def test_special_values(rank: int, p: float) -> None:
    """Infinities of both signs give inf; windows without input give 0; zeros give 0."""
    x = np.zeros((1, 2, *(3,) * rank), "f4")
    assert (LP_POOL[rank](x, p, 2) == 0).all()
    outside = LP_POOL[rank](x + 1, p, 3, 1, padding=5)
    assert (outside[0, 0][(0,) * rank] == 0).all()
    assert outside.max() > 0
    for value in (np.inf, -np.inf):
        x[0, 1][(1,) * rank] = value
        y = LP_POOL[rank](x, p, 3)
        assert y.ravel().tolist() == [0, np.inf]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_relations_with_other_pools(rank: int, dtype: str) -> None:
    x = cases.integers(np.random.default_rng(1), (2, 3, *(9,) * rank), dtype)
    arguments = {"stride": 2, "padding": 1}
    greatest = MAX_POOL[rank](abs(x), 3, **arguments)
    assert_same_bits(LP_POOL[rank](x, np.inf, 3, **arguments), greatest)
    total = AVG_POOL[rank](abs(x), 3, **arguments, divisor_override=1)
    assert_same_bits(LP_POOL[rank](x, 1, 3, **arguments), total)
    squares = AVG_POOL[rank](x * x, 3, **arguments, divisor_override=1)
    assert_same_bits(LP_POOL[rank](x, 2, 3, **arguments), np.sqrt(squares))
    for p in EXACT:
        assert_same_bits(LP_POOL[rank](x, p, 1), abs(x))
        assert_same_bits(LP_POOL[rank](-x, p, 2), LP_POOL[rank](x, p, 2))


def test_positional_order_is_that_of_torch() -> None:
    x = np.ones((1, 1, 5), "f4")
    assert_same_bits(
        cconv.lp_pool1d(x, 2, 2, 2, True), cconv.lp_pool1d(x, 2, 2, stride=2, ceil_mode=True)
    )
    assert cconv.lp_pool1d(x, 2, 2, 2, True).shape == (1, 1, 3)


@pytest.mark.parametrize("rank", RANKS)
def test_forms_of_the_call(rank: int) -> None:
    """Unbatched, empty axes, `out` over the input, any real number as exponent."""
    x = cases.integers(np.random.default_rng(2), (2, 3, *(7,) * rank), "float32")
    y = LP_POOL[rank](x, 2, 3, 1, padding=1)
    assert_same_bits(LP_POOL[rank](x[1], np.float32(2), 3, 1, padding=1), y[1])
    assert LP_POOL[rank](x[:0], 2, 3).shape == (0, 3, *(2,) * rank)
    assert LP_POOL[rank](x[:, :0], 2, 3).shape == (2, 0, *(2,) * rank)
    assert LP_POOL[rank](x, 2, 3, 1, padding=1, out=x) is x
    assert_same_bits(x, y)


def test_a_sum_in_the_dtype_of_the_input_may_overflow() -> None:
    """As documented; the greatest magnitude cannot."""
    x = np.full((1, 1, 4), 1e30, "f4")
    assert np.isinf(cconv.lp_pool1d(x, 2, 2)).all()
    assert np.isinf(cconv.global_lp_pool(x)).all()
    assert (cconv.lp_pool1d(x, np.inf, 2) == np.float32(1e30)).all()
    assert np.isfinite(cconv.lp_pool1d(x.astype("f8"), 2, 2)).all()


ERRORS: dict[str, tuple[type[Exception], dict[str, Any], str]] = {
    "zero": (ValueError, {"norm_type": 0}, "norm_type is 0; expected a number above 0"),
    "negative": (ValueError, {"norm_type": -2}, "norm_type is -2; expected a number above 0"),
    "nan": (ValueError, {"norm_type": np.nan}, "norm_type is nan; expected a number above 0"),
    "-inf": (ValueError, {"norm_type": -np.inf}, "norm_type is -inf; expected a number above 0"),
    "string": (TypeError, {"norm_type": "2"}, "norm_type is '2'; expected a number"),
    "flag": (TypeError, {"norm_type": True}, "norm_type is True; expected a number"),
    "complex": (TypeError, {"norm_type": 2j}, "norm_type is 2j; expected a number"),
    "none": (TypeError, {"norm_type": None}, "norm_type is None; expected a number"),
    "huge": (OverflowError, {"norm_type": 10**400}, "norm_type does not fit"),
    "kernel": (ValueError, {"kernel_size": 0}, "kernel_size is 0; expected at least 1"),
    "padding": (ValueError, {"padding": "full"}, "padding is 'full'; expected 'valid'"),
    "empty": (ValueError, {"kernel_size": 9}, "the output has no element along h"),
    "dtype": (TypeError, {"input": np.ones((1, 1, 4, 4), "c8")}, "input has dtype complex64"),
    "ceil_mode": (TypeError, {"ceil_mode": 0}, "ceil_mode is 0; expected True or False"),
    "threads": (ValueError, {"threads": 0}, "threads is 0; expected at least 1"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, changes, message = ERRORS[name]
    arguments = {"input": np.ones((1, 1, 4, 4)), "norm_type": 2, "kernel_size": 2, **changes}
    with pytest.raises(error, match="lp_pool2d: ") as caught:
        cconv.lp_pool2d(**arguments)
    assert message in str(caught.value)


def test_padding_is_keyword_only() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        cconv.lp_pool2d(np.ones((1, 1, 4, 4)), 2, 2, 1, False, 1)  # type: ignore[misc]
