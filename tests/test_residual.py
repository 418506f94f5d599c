"""residual=: act(conv + bias + residual), of every convolution, dtype, layout and memory."""

from collections.abc import Callable
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
import test_conv_transpose as transposed
from cases import CONV, RANKS, assert_same_bits
from test_dtypes import ALL, FLOATS, arranged, modest, summed
from test_errors import check, ones
from test_inputs import swapped

import cconv

Run = Callable[..., cases.Array]
DEPTHWISE = {n: getattr(cconv, f"depthwise_conv{n}d") for n in RANKS}
TRANSPOSE = {n: getattr(cconv, f"conv_transpose{n}d") for n in RANKS}


def check_residual(run: Run, rng: np.random.Generator) -> None:
    """On numbers whose sums are exact, adding is adding, in whatever memory the residual lies."""
    plain = run()
    residual = modest(rng, plain.shape, str(plain.dtype))
    with np.errstate(over="ignore"):
        expected = (plain + residual).astype(plain.dtype)
    assert_same_bits(run(residual=residual), expected)
    relu = np.maximum(expected, 0).astype(plain.dtype)
    assert_same_bits(np.abs(run(residual=residual, activation="relu")), np.abs(relu))
    for layout in cases.LAYOUTS:
        given = arranged(residual, layout, rng)
        with np.errstate(over="ignore"):
            expected = (plain + given).astype(plain.dtype)
        before = given.copy()
        assert_same_bits(run(residual=given), expected)
        np.testing.assert_array_equal(given, before)
    expected = (plain + residual).astype(plain.dtype)
    assert_same_bits(run(residual=swapped(residual)), expected)
    out = residual.copy()
    assert run(residual=out, out=out) is out
    assert_same_bits(out, expected)
    if residual.size:
        memory = np.zeros(residual.size + 3, residual.dtype)
        memory[3:] = residual.ravel()
        out = memory[: residual.size].reshape(residual.shape)
        run(residual=memory[3:].reshape(residual.shape), out=out)
        assert_same_bits(out, expected)
    scattered = cases.scatter(lambda s: np.zeros(s, plain.dtype), plain.shape, rng)
    assert run(residual=residual, out=scattered) is scattered
    assert_same_bits(scattered.copy(), expected)


def whole(rng: np.random.Generator, shape: cases.Ints, dtype: str) -> cases.Array:
    """Whole numbers, whose sums are exact."""
    return np.rint(modest(rng, shape, dtype)).astype(dtype)


def draw(random: Random) -> tuple[cases.ConvCase, str]:
    return cases.draw_conv(random), random.choice(ALL)


def test_convolution() -> None:
    for case, dtype in cases.sweep("residual/conv", 200, draw):  # type: ignore[type-var]
        with cases.naming((case, dtype)):
            rng = np.random.default_rng(case.seed)
            if dtype == "float16" and case.terms > 2:
                dtype = "float32"
            x = whole(rng, (case.batch, case.in_channels, *case.spatial), dtype)
            per_group = case.in_channels // case.groups
            w = whole(rng, (case.out_channels, per_group, *case.kernel), dtype)
            bias = modest(rng, (case.out_channels,), dtype) if case.bias else None

            def run(**keywords: Any) -> cases.Array:
                return cases.run_conv(case, x, w, bias, **keywords)  # noqa: B023

            check_residual(run, rng)


def test_transposed_convolution() -> None:
    for case in cases.sweep("residual/transposed", 100, transposed.draw):  # type: ignore[type-var]
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            dtype = str(rng.choice(["float32", "float64", "int8", "int16", "uint64", "bool"]))
            x = whole(rng, (case.batch, case.in_channels, *case.spatial), dtype)
            per_group = case.out_channels // case.groups
            w = whole(rng, (case.in_channels, per_group, *case.kernel), dtype)
            bias = modest(rng, (case.out_channels,), dtype) if case.bias else None

            def run(**keywords: Any) -> cases.Array:
                return transposed.run(case, x, w, bias, **keywords)  # type: ignore[no-any-return]  # noqa: B023

            check_residual(run, rng)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "int64"])
@pytest.mark.parametrize("rank", RANKS)
def test_depthwise_separable_and_single_images(rank: int, dtype: str) -> None:
    rng = np.random.default_rng(rank)
    size, kernel = (3, 4, 6)[-rank:], (1, 2, 2)[-rank:]
    x = rng.integers(-3, 3, (2, 3, *size)).astype(dtype)
    w = rng.integers(-3, 3, (3, 1, *kernel)).astype(dtype)
    check_residual(lambda **k: DEPTHWISE[rank](x, w, **k), rng)
    check_residual(lambda **k: DEPTHWISE[rank](x[0], w, **k), rng)
    check_residual(lambda **k: TRANSPOSE[rank](x[0], w, **k), rng)
    for layout_of in (CONV, TRANSPOSE):
        last = np.moveaxis(x, 1, -1)
        square = np.repeat(w, 3, axis=1)
        check_residual(lambda **k: layout_of[rank](last, square, layout="NHWC", **k), rng)  # noqa: B023
        check_residual(lambda **k: layout_of[rank](last[0], square, layout="NHWC", **k), rng)  # noqa: B023
    if rank == 2:
        point = rng.integers(-2, 2, (5, 3, 1, 1)).astype(dtype)
        bias = rng.integers(-2, 2, 5).astype(dtype)
        check_residual(lambda **k: cconv.separable_conv2d(x, w, point, bias, **k), rng)
        check_residual(
            lambda **k: cconv.separable_conv2d(
                np.moveaxis(x, 1, -1), w, point, bias, layout="NHWC", **k
            ),
            rng,
        )


@pytest.mark.parametrize("activation", ["leaky_relu", "gelu", "silu", "tanh", ("clip", -1, 2)])
def test_the_activation_comes_last(activation: Any) -> None:
    """Where sums are exact, a residual and a channel of the same values give the same bits."""
    rng = np.random.default_rng(5)
    x = rng.integers(-3, 4, (2, 3, 5, 6)).astype("f4")
    w = rng.integers(-2, 3, (1, 3, 1, 1)).astype("f4") / 8
    residual = rng.integers(-9, 9, (2, 1, 5, 6)).astype("f4") / 8
    both = np.concatenate([x, residual], axis=1)
    weights = np.concatenate([w, np.ones((1, 1, 1, 1), "f4")], axis=1)
    y = cconv.conv2d(x, w, np.ones(1, "f4"), residual=residual, activation=activation)
    assert_same_bits(y, cconv.conv2d(both, weights, np.ones(1, "f4"), activation=activation))


def test_integers_wrap_around() -> None:
    x, one = np.array([[[2**62, -1]]]), np.ones((1, 1, 1), "i8")
    residual = np.array([[[2**63 - 1, -(2**63)]]])
    y = cconv.conv1d(x, one, residual=residual)
    assert y.tolist() == [[[2**62 + 2**63 - 1 - 2**64, 2**63 - 1]]]


def test_float16_is_added_before_rounding() -> None:
    x, one = np.full((1, 1, 1), 2048, "f2"), np.ones((1, 1, 1), "f2")
    assert cconv.conv1d(x, one, one[0, 0], residual=one).item() == 2050


@pytest.mark.parametrize("dtype", [d for d in ALL if d not in FLOATS])
def test_the_dtype_is_that_of_the_result(dtype: str) -> None:
    x, w = ones(1, 1, 3, dtype=dtype), ones(1, 1, 2, dtype=dtype)
    result = summed(dtype, dtype)
    assert cconv.conv1d(x, w, residual=ones(1, 1, 2, dtype=result)).tolist()[0][0] in (
        [3, 3],
        [2, 2],
    )
    other = "float32" if result != dtype else "int8"
    check(
        TypeError, lambda: cconv.conv1d(x, w, residual=ones(1, 1, 2, dtype=other)),
        f"conv1d: residual has dtype {other}; expected {result}",
    )  # fmt: skip


X, W = ones(2, 3, 5, 5), ones(4, 3, 3, 3)
ERRORS: dict[str, tuple[type[Exception], Any, list[str]]] = {
    "shape": (ValueError, ones(2, 4, 3, 4), ["residual.shape is (2, 4, 3, 4)", "(2, 4, 3, 3)"]),
    "broadcastable": (ValueError, ones(1, 4, 1, 1), ["residual.shape is (1, 4, 1, 1)"]),
    "scalar": (ValueError, np.float32(1), ["residual.shape is ()", "(2, 4, 3, 3)"]),
    "dtype": (TypeError, ones(2, 4, 3, 3, dtype="f8"), ["residual has dtype float64", "float32"]),
    "string": (TypeError, "abc", ["residual has dtype str"]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, residual, fragments = ERRORS[name]
    check(error, lambda: cconv.conv2d(X, W, residual=residual), "conv2d: ", *fragments)
    out = np.full((2, 4, 3, 3), cases.CANARY, "f4")
    check(error, lambda: cconv.conv2d(X, W, residual=residual, out=out), "conv2d: ")
    assert (out == cases.CANARY).all()
    transposed_weight = ones(3, 4, 3, 3)
    check(
        error, lambda: cconv.conv_transpose2d(X, transposed_weight, residual=residual),
        "conv_transpose2d: residual",
    )  # fmt: skip
