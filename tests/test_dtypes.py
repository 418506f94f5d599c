"""Every operator on every dtype: exact integers, float16 within its bound, mixed dtypes.

The oracle sums Python's integers, which have no bounds, and wraps the sum to the result's dtype;
floats it sums in long double. What a result's dtype is, these tests say once more on their own.
"""

import math
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import cases
import numpy as np
import oracle
import pytest
import test_conv_transpose as transposed
import test_unfold
from cases import CONV, RANKS, ConvCase, PoolCase, assert_same_bits
from test_errors import check, ones

import cconv

FLOATS = ["float16", "float32", "float64"]
BYTES = ["int8", "uint8"]
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
ALL = [*FLOATS, *INTEGERS, "bool"]
WHOLE = [*INTEGERS, "bool"]


def summed(*factors: str, bias: str | None = None) -> str:
    """The dtype of a convolution of these dtypes."""
    every = [*factors, *([] if bias is None else [bias])]
    together = str(np.result_type(*every))
    if any(name in FLOATS for name in every):
        return together
    if all(name in BYTES for name in factors):
        return "int32"
    return "uint64" if together == "uint64" else "int64"


def values(rng: np.random.Generator, shape: cases.Ints, dtype: str) -> cases.Array:
    """Any values of an integer dtype, its extremes among them; of floats, normal ones."""
    if dtype in FLOATS:
        return rng.standard_normal(shape).astype(dtype)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    info = np.iinfo(dtype)
    drawn = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    extreme = rng.random(shape)
    drawn[extreme < 0.1] = info.min
    drawn[extreme > 0.9] = info.max
    return drawn


def modest(rng: np.random.Generator, shape: cases.Ints, dtype: str) -> cases.Array:
    """Values that floats hold: integers of at most 100, floats of few digits."""
    if dtype in FLOATS:
        return (rng.integers(-64, 64, shape) / 16).astype(dtype)
    low, high = (0, 1) if dtype == "bool" else (0 if dtype.startswith("u") else -100, 100)
    return rng.integers(low, high, shape, endpoint=True).astype(dtype)


def wrapped(exact: Any, dtype: str) -> cases.Array:
    """Python's integers modulo 2**32 or 2**64, as two's complement has them."""
    info = np.iinfo(dtype)
    span = int(info.max) - int(info.min) + 1
    low = int(info.min)
    flat = [(int(v) - low) % span + low for v in np.asarray(exact, object).ravel()]
    return np.array(flat, dtype).reshape(np.shape(exact))


def assert_rounded(actual: cases.Array, exact: Any, terms: int, sizes: Any) -> None:
    """Within (K + 2) u sum |w| |x| of the arithmetic, and half a unit of float16 where stored."""
    exact, sizes = np.asarray(exact, np.longdouble), np.asarray(sizes, np.longdouble)
    arithmetic = "float32" if actual.dtype == np.float16 else str(actual.dtype)
    bound = (terms + 2) * cases.unit_roundoff(arithmetic) * sizes
    if actual.dtype == np.float16:
        bound = bound * 1.001 + 2.0**-11 * np.abs(exact) + 2.0**-25
    cases.assert_within(actual, exact, bound)


# ---------------------------------------------------------------------------------- convolution


def draw(random: Random) -> tuple[ConvCase, str, str, str | None]:
    """A convolution of integers, with the dtypes of input, weight and bias."""
    case = cases.draw_conv(random)
    x, w = (random.choice(BYTES) if random.random() < 0.3 else random.choice(WHOLE) for _ in "xw")
    return case, x, w, random.choice(WHOLE) if case.bias else None


def test_convolutions_of_integers_are_exact() -> None:
    for case, xd, wd, bd in cases.sweep("dtypes/conv", 400, draw):  # type: ignore[type-var]
        with cases.naming((case, xd, wd, bd)):
            rng = np.random.default_rng(case.seed)
            x = values(rng, (case.batch, case.in_channels, *case.spatial), xd)
            w = values(rng, (case.out_channels, case.in_channels // case.groups, *case.kernel), wd)
            dtype = summed(xd, wd, bias=bd)
            take = modest if dtype == "int32" else values
            bias = None if bd is None else take(rng, (case.out_channels,), bd)
            x = arranged(x, case.layout, rng)
            positions = cases.some_positions(case.out_spatial, rng, 6)
            exact = oracle.conv(
                x, w, bias, case.stride, case.dilation, case.pads, case.groups, positions, object
            )
            if case.terms * 255 * 255 >= 2**31 and dtype == "int32":
                continue  # may be refused, which test_8_bit_sums_that_may_overflow looks at
            canvas = cases.Canvas(case.out_shape, dtype, case.out_layout, rng)
            y = cases.run_conv(case, x, w, bias, out=canvas.array)
            canvas.check(y)
            assert_same_bits(cases.at(y, positions), wrapped(exact, dtype))


def arranged(x: cases.Array, layout: str, rng: np.random.Generator) -> cases.Array:
    """`cases.arrange`, which writes NaN between scattered values, for integers."""
    if layout == "scattered":
        view = cases.scatter(lambda shape: np.ones(shape, x.dtype), x.shape, rng)
        view[...] = x
        return view
    return cases.arrange(x, layout, rng)


@pytest.mark.parametrize("wd", ALL)
@pytest.mark.parametrize("xd", ALL)
def test_every_pair_of_dtypes(xd: str, wd: str) -> None:
    """Mixed operands, with and without a bias of a third dtype; results of every kind of sum."""
    rng = np.random.default_rng(ALL.index(xd) * 16 + ALL.index(wd))
    for bd in (None, ALL[int(rng.integers(len(ALL)))]):
        rank = int(rng.choice(RANKS))
        case = ConvCase(
            "", 2, 6, 4, 2, (2, 5, 6)[-rank:], (2, 3, 3)[-rank:], (1, 2, 1)[-rank:],
            (1, 1, 2)[-rank:], ((1, 0), (1, 1), (2, 1))[-rank:],
        )  # fmt: skip
        dtype = summed(xd, wd, bias=bd)
        take = values if dtype not in FLOATS else modest
        x = take(rng, (2, 6, *case.spatial), xd)
        w = take(rng, (4, 3, *case.kernel), wd)
        bias = None if bd is None else take(rng, (4,), bd)
        if dtype == "int32" and bd is not None:
            bias = modest(rng, (4,), bd)
        shape = case.out_shape
        y = CONV[rank](x, w, bias, **case.arguments)
        assert y.dtype == dtype
        where = (case.stride, case.dilation, case.pads, 2)
        if dtype in FLOATS:
            exact = oracle.conv(x, w, bias, *where)
            sizes = oracle.conv(
                abs_of(x), abs_of(w), bias if bias is None else abs_of(bias), *where
            )
            assert_rounded(y.reshape(exact.shape), exact, case.terms, sizes)
        else:
            exact = oracle.conv(x, w, bias, *where, dtype=object)
            assert_same_bits(y, wrapped(exact, dtype).reshape(shape))


def abs_of(a: cases.Array) -> Any:
    return abs(a.astype(np.longdouble))


@pytest.mark.parametrize("wd", ALL)
@pytest.mark.parametrize("xd", ["float16", "int8", "uint8", "int16", "uint32", "int64", "uint64"])
def test_transposed_convolutions(xd: str, wd: str) -> None:
    for case in cases.sweep(f"dtypes/transposed/{xd}/{wd}", 8, transposed.draw):  # type: ignore[type-var]
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            dtype = summed(xd, wd, bias="int16" if case.bias else None)
            take = modest if dtype in FLOATS or dtype == "int32" else values
            x = take(rng, (case.batch, case.in_channels, *case.spatial), xd)
            w = take(rng, (case.in_channels, case.out_channels // case.groups, *case.kernel), wd)
            bias = modest(rng, (case.out_channels,), "int16") if case.bias else None
            y = transposed.run(case, x, w, bias)
            assert y.dtype == dtype
            if dtype in FLOATS:
                sizes = transposed.naive(
                    case, abs_of(x), abs_of(w), None if bias is None else abs_of(bias)
                )
                exact = transposed.naive(case, x, w, bias)
                assert_rounded(y, exact, case.in_channels * math.prod(case.kernel), sizes)
            else:
                exact = transposed.naive(case, x, w, bias, object)
                assert_same_bits(y, wrapped(exact, dtype))


@pytest.mark.parametrize("dtype", ALL)
def test_depthwise_and_separable(dtype: str) -> None:
    rng = np.random.default_rng(ALL.index(dtype))
    take = values if dtype not in FLOATS else modest
    x = take(rng, (2, 3, 6, 7), dtype)
    w = take(rng, (6, 1, 3, 2), dtype)
    point = take(rng, (5, 6, 1, 1), dtype)
    y = cconv.depthwise_conv2d(x, w, padding=1)
    assert_same_bits(y, cconv.conv2d(x, w, padding=1, groups=3))
    whole = cconv.separable_conv2d(x, w, point, padding=1)
    assert whole.dtype == summed(dtype, dtype)
    if dtype in FLOATS:
        wide = [a.astype("f8") for a in (x, w, point)]
        exact = cconv.separable_conv2d(*wide, padding=1)
        tolerance = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-14}[dtype]
        np.testing.assert_allclose(whole, exact, tolerance, 100 * tolerance)
    else:
        where = ((1, 1), (1, 1), ((1, 1), (1, 1)))
        between = oracle.conv(x, w, None, *where, 3, dtype=object)
        exact = np.einsum("oc,ncp->nop", point[:, :, 0, 0].astype(object), between)
        assert_same_bits(whole, wrapped(exact, summed(dtype, dtype)).reshape(whole.shape))


@pytest.mark.parametrize(
    ("xd", "wd"),
    [("uint8", "int8"), ("float16", "float16"), ("float32", "float64"), ("bool", "u2")],
)
def test_no_operand_is_copied_to_another_dtype(core: Any, xd: str, wd: str) -> None:
    x, w = np.ones((1, 16, 500, 500), xd), np.ones((1, 16, 3, 3), wd)
    out = cconv.conv2d(x, w)  # keeps its scratch
    tracemalloc.start()
    try:
        cconv.conv2d(x, w, out=out)
        assert tracemalloc.get_traced_memory()[1] < x.nbytes // 16
    finally:
        tracemalloc.stop()


def test_float16_is_rounded_once() -> None:
    """2048 + 1 + 1 is 2050 in float32, though 2048 + 1 is 2048 in float16."""
    x = np.array([[[2048, 1, 1]]], "f2")
    w = np.ones((1, 1, 3), "f2")
    assert cconv.conv1d(x, w).tolist() == [[[2050]]]
    assert cconv.conv1d(x[..., :2], w[..., :2], np.ones(1, "f2")).tolist() == [[[2050]]]
    assert cconv.avg_pool1d(x, 3).tolist() == [[[np.float16(2050 / 3)]]]
    columns = x.reshape(1, 3, 1)
    assert cconv.fold(columns, (1,), (3,), padding=1).dtype == np.float16
    x, depth = np.array([[[[2048.0, 1.0]]]], "f2"), np.ones((1, 1, 1, 2), "f2")
    assert cconv.separable_conv2d(x, depth, np.full((1, 1, 1, 1), 2, "f2")).item() == 4098 // 4 * 4
    huge = np.full((1, 1, 2), 60000, "f2")
    assert cconv.conv1d(huge, w[..., :2]).tolist() == [[[np.inf]]]
    assert cconv.conv1d(huge, np.array([[[1, -1]]], "f2")).tolist() == [[[0]]]


def test_8_bit_sums_that_may_overflow_are_refused() -> None:
    def giant(dtype: str, *shape: int) -> Any:
        return np.broadcast_to(np.zeros((), dtype), shape)

    most = {("int8", "int8"): 131071, ("int8", "uint8"): 65793, ("uint8", "uint8"): 33025}
    for (xd, wd), terms in most.items():
        assert cconv.conv1d(giant(xd, 1, terms, 1), giant(wd, 1, terms, 1)).dtype == np.int32
        more = terms + 1
        x, w = giant(xd, 1, more, 1), giant(wd, 1, more, 1)
        check(
            OverflowError, lambda: cconv.conv1d(x, w), f"conv1d: a sum of K = {more}",  # noqa: B023
            f"input ({xd})", f"weight ({wd})", "int32", "2147483647", "int16",
        )  # fmt: skip
        assert cconv.conv1d(x, w.astype("i2")).dtype == np.int64
        check(
            OverflowError, lambda: cconv.conv_transpose1d(x, w.reshape(more, 1, 1)),  # noqa: B023
            f"conv_transpose1d: a sum of K = {more}",
        )  # fmt: skip


def test_the_bound_counts_everything_that_is_added() -> None:
    x, w = ones(1, 1, 4, dtype="i1"), ones(1, 1, 3, dtype="i1")
    room = 2**31 - 1 - 3 * 128 * 128
    for dtype in ("i8", "u8", "i4"):
        y = cconv.conv1d(x, w, np.array([room], dtype))
        assert y.tolist() == [[[room + 3] * 2]]
        too_much = np.array([room + 1], dtype)
        check(OverflowError, lambda: cconv.conv1d(x, w, too_much), "conv1d: ", "bias")  # noqa: B023
    low = np.array([-room - 1], "i8")
    check(OverflowError, lambda: cconv.conv1d(x, w, low), "conv1d: ", "bias")
    filled: dict[str, Any] = {"padding": 1, "padding_mode": "constant"}
    assert cconv.conv1d(x, w, padding_value=2**20, **filled)[0, 0, 0] == 2**20 + 2
    check(OverflowError, lambda: cconv.conv1d(x, w, padding_value=2**24, **filled), "K = 3")
    taken = np.full((1, 1, 2), room + 1, "i4")
    check(OverflowError, lambda: cconv.conv1d(x, w, residual=taken), "conv1d: ", "residual")
    check(
        OverflowError,
        lambda: cconv.separable_conv2d(
            ones(1, 128, 3, 3, dtype="i1"), ones(128, 1, 3, 3, dtype="i1"),
            ones(1, 128, 1, 1, dtype="i1"),
        ),
        "separable_conv2d: a sum of K = 1152", "pointwise_weight (int8)",
    )  # fmt: skip


def test_a_stride_divides_the_taps_that_reach_an_output() -> None:
    """Of two taps, one reaches an output if the stride is 2: 100000 products, within int32."""
    x = np.broadcast_to(np.int8(1), (1, 100000, 1))
    w = np.broadcast_to(np.int8(1), (100000, 1, 2))
    assert cconv.conv_transpose1d(x, w, stride=2).tolist() == [[[100000, 100000]]]
    check(OverflowError, lambda: cconv.conv_transpose1d(x, w), "K = 200000")
    check(OverflowError, lambda: cconv.conv_transpose1d(x, w, stride=2, dilation=2), "K = 200000")


def test_uint64_with_signed_operands_is_int64() -> None:
    """Where NumPy would go to float64, the sum stays exact, modulo 2**64."""
    x = np.array([[[2**64 - 1, 1]]], "u8")
    y = cconv.conv1d(x, np.array([[[-1, 3]]], "i1"))
    assert y.dtype == np.int64
    assert y.tolist() == [[[4]]]
    assert cconv.conv1d(x, np.array([[[3, 3]]], "u1")).tolist() == [[[0]]]
    assert cconv.conv1d(x, np.array([[[3, 1]]], "u1")).tolist() == [[[2**64 - 2]]]


# ---------------------------------------------------------------------------------- activations


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint64"])
def test_activations_of_integers(dtype: str) -> None:
    x = np.array([[[0, 1, 5, 6, 7, 100]]], dtype)
    signed = [-v for v in x.ravel().tolist()] if dtype != "uint64" else []
    if signed:
        x = np.concatenate([x, np.array(signed, dtype).reshape(1, 1, -1)], axis=2)
    one = np.ones((1, 1, 1), dtype)
    inf = math.inf
    for activation, low, high in [
        ("relu", 0, inf), ("relu6", 0, 6), (("clip", 1, 6), 1, 6), (("clip", 0.5, 6.9), 1, 6),
        (("clip", -inf, 5), -inf, 5), (("clip", 2, inf), 2, inf), (("clip", -inf, inf), -inf, inf),
        (("clip", -5.5, 5.5), -5, 5), (("clip", Fraction(1, 3), 7), 1, 7),
        (("clip", -1e300, 1e300), -inf, inf), (("clip", 0, 2**60), 0, 2**60),
        (("clip", np.int64(2), np.float32(3)), 2, 3),
    ]:  # fmt: skip
        y = cconv.conv1d(x, one, activation=activation)
        assert y.dtype == summed(dtype, dtype)
        assert y.ravel().tolist() == [min(max(v, low), high) for v in x.ravel().tolist()]


def test_limits_at_the_ends_of_a_dtype() -> None:
    info = np.iinfo("i8")
    x = np.array([[[info.min, -1, 0, info.max]]])
    one = np.ones((1, 1, 1), "i8")
    for low, high in [(info.min, info.max), (-(2**63), 2**63), (-math.inf, 2.0**63)]:
        assert_same_bits(cconv.conv1d(x, one, activation=("clip", low, high)), x)
    unsigned = np.array([[[0, 2**63 + 2**20, 2**64 - 1]]], "u8")
    y = cconv.conv1d(unsigned, one.astype("u8"), activation=("clip", 2**63, 2**64 - 2**12))
    assert y.ravel().tolist() == [2**63, 2**63 + 2**20, 2**64 - 2**12]
    assert_same_bits(cconv.conv1d(unsigned, one.astype("u8"), activation="relu"), unsigned)


F16, I8, I64, U64 = (ones(1, 1, 3, dtype=dtype) for dtype in ("f2", "i1", "i8", "u8"))
CONSTANT: dict[str, Any] = {"padding": 1, "padding_mode": "constant"}
ERRORS: dict[str, tuple[type[Exception], Callable[[], Any], list[str]]] = {
    f"{name}": (
        ValueError, lambda name=name: cconv.conv1d(I8, I8, activation=name),
        [f"activation is {name!r}", "int32", "'relu', 'relu6'", "clip"],
    )
    for name in ("leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "hard_swish", "sigmoid", "tanh")
} | {
    "slope": (
        ValueError, lambda: cconv.conv1d(I64, I64, activation=("leaky_relu", 0.1)),
        ["('leaky_relu', 0.1)", "int64"],
    ),
    "no integer between": (
        ValueError, lambda: cconv.conv1d(I8, I8, activation=("clip", 0.2, 0.8)),
        ["(0.2, 0.8)", "int32", "an integer between"],
    ),
    "limits beyond int32": (
        OverflowError, lambda: cconv.conv1d(I8, I8, activation=("clip", 2**40, 2**41)),
        [str(2**40), "no value of int32"],
    ),
    "limits below uint64": (
        OverflowError, lambda: cconv.conv1d(U64, U64, activation=("clip", -5, -1)),
        ["-5", "no value of uint64"],
    ),
    "limit no float64": (
        OverflowError, lambda: cconv.conv1d(I64, I64, activation=("clip", 2**53 + 1, 2**60)),
        [str(2**53 + 1), "float64"],
    ),
    "limit nan": (
        ValueError, lambda: cconv.conv1d(I8, I8, activation=("clip", math.nan, 2)),
        ["nan", "lo <= hi"],
    ),
    "padding value fractional": (
        ValueError, lambda: cconv.conv1d(I8, I8, padding_value=0.5, **CONSTANT),
        ["padding_value is 0.5", "int32", "an integer"],
    ),
    "padding value nan": (
        ValueError, lambda: cconv.conv1d(I8, I8, padding_value=math.nan, **CONSTANT), ["nan"],
    ),
    "padding value inf": (
        ValueError, lambda: cconv.conv1d(I8, I8, padding_value=math.inf, **CONSTANT), ["inf"],
    ),
    "padding value beyond int32": (
        OverflowError, lambda: cconv.conv1d(I8, I8, padding_value=2**31, **CONSTANT),
        ["padding_value is 2147483648", "int32"],
    ),
    "padding value negative": (
        OverflowError, lambda: cconv.conv1d(U64, U64, padding_value=-1, **CONSTANT),
        ["padding_value is -1", "uint64"],
    ),
    "padding value no float64": (
        OverflowError, lambda: cconv.conv1d(I64, I64, padding_value=2**53 + 1, **CONSTANT),
        ["padding_value is 9007199254740993", "float64"],
    ),
    "padding value beyond float16": (
        OverflowError,
        lambda: cconv.conv1d(F16, F16, padding_value=1e5, **CONSTANT),
        ["padding_value is 100000.0", "float16"],
    ),
    "out of another integer": (
        TypeError, lambda: cconv.conv1d(I8, I8, out=np.zeros((1, 1, 1), "i8")),
        ["out", "int64", "int32"],
    ),
    "out of the input's": (
        TypeError, lambda: cconv.avg_pool1d(I8, 3, out=np.zeros((1, 1, 1), "i1")),
        ["out", "int8", "float64"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, call, fragments = ERRORS[name]
    check(error, call, *fragments)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_constant_padding(dtype: str) -> None:
    rng = np.random.default_rng(3)
    x, w = values(rng, (1, 2, 5), dtype), values(rng, (3, 2, 3), dtype)
    for fill in (7, 100.0, np.int8(3), Fraction(4)):
        y = cconv.conv1d(x, w, padding=2, padding_mode="constant", padding_value=fill)
        exact = oracle.conv(x, w, None, (1,), (1,), ((2, 2),), dtype=object, fill=int(fill))
        assert_same_bits(y, wrapped(exact, summed(dtype, dtype)))
    for mode in ("reflect", "symmetric", "replicate", "circular"):
        padded = np.pad(
            x, ((0, 0), (0, 0), (2, 2)), {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
        )
        y = cconv.conv1d(x, w, padding=2, padding_mode=mode)
        assert_same_bits(y, cconv.conv1d(padded, w))


# ------------------------------------------------------------------------------------------ pools


def lowest(kind: str, dtype: str) -> Any:
    if dtype in FLOATS:
        return -np.inf if kind == "max" else np.inf
    if dtype == "bool":
        return kind == "min"
    info = np.iinfo(dtype)
    return int(info.min if kind == "max" else info.max)


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("kind", ["max", "min"])
def test_extremes_keep_the_dtype(kind: str, dtype: str) -> None:
    for case in cases.sweep(f"dtypes/{kind}/{dtype}", 40, lambda r: cases.draw_pool(r, kind)):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x = arranged(
                values(rng, (case.batch, case.channels, *case.spatial), dtype), case.layout, rng
            )
            positions = cases.some_positions(case.out_spatial, rng, 20)
            exact = oracle.pool(
                kind, x, case.kernel, case.stride, case.dilation, case.pads, case.ceil_mode,
                positions=positions, dtype=object,
            )  # fmt: skip
            none = lowest(kind, dtype)
            flat = [none if abs(v) == np.inf else v for v in exact.ravel()]
            expected = np.array(flat, dtype).reshape(exact.shape)
            y = cases.run_pool(case, x)
            assert_same_bits(cases.at(y, positions), expected)
            y, places = cases.run_pool(case, x, return_indices=True)
            assert_same_bits(cases.at(y, positions), expected)
            found = oracle.places(
                kind, x, case.kernel, case.stride, case.dilation, case.pads, positions
            )
            np.testing.assert_array_equal(cases.at(places, positions), found)


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("kind", ["avg", "lp"])
def test_averages_and_norms(kind: str, dtype: str) -> None:
    for case in cases.sweep(f"dtypes/{kind}/{dtype}", 40, lambda r: cases.draw_pool(r, kind)):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            draw = values if kind == "avg" and dtype not in FLOATS else modest
            x = arranged(
                draw(rng, (case.batch, case.channels, *case.spatial), dtype), case.layout, rng
            )
            positions = cases.some_positions(case.out_spatial, rng, 20)
            y = cases.run_pool(case, x)
            assert y.dtype == (dtype if dtype in FLOATS else "float64")
            count = math.prod(case.kernel)
            if kind == "avg":
                exact = cases.oracle_pool(case, x.astype(np.longdouble), positions)
                sizes = cases.oracle_pool(case, abs_of(x), positions)
            else:
                exact = sizes = cases.oracle_pool(case, x.astype(np.longdouble), positions)
            same = np.isnan(exact) == np.isnan(cases.at(y, positions))
            assert same.all()
            whole = ~np.isnan(exact)
            assert_rounded(cases.at(y, positions)[whole], exact[whole], count + 4, sizes[whole])


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("rank", RANKS)
def test_adaptive_and_global_pools(rank: int, dtype: str) -> None:
    rng = np.random.default_rng(rank)
    x = values(rng, (2, 3, *(4, 5, 7)[-rank:]), dtype)
    axes = tuple(range(2, x.ndim))
    greatest = cconv.global_max_pool(x, keepdims=False)
    assert_same_bits(greatest, x.max(axes))
    adaptive = getattr(cconv, f"adaptive_max_pool{rank}d")
    top, places = adaptive(x, 1, return_indices=True)
    assert_same_bits(top.reshape(2, 3), x.max(axes))
    np.testing.assert_array_equal(places.reshape(2, 3), x.reshape(2, 3, -1).argmax(2))
    halves = adaptive(x, (2,) + (1,) * (rank - 1))
    half = -(-x.shape[2] // 2)
    assert_same_bits(halves.reshape(2, 3, 2)[..., 0], x[:, :, :half].max(axes))
    small = modest(rng, x.shape, dtype)
    expected = "float64" if dtype not in FLOATS else dtype
    tolerance = {"float16": 2e-3, "float32": 1e-6}.get(dtype, 1e-14)
    mean = small.astype("f8").mean(axes)
    for y in (cconv.global_avg_pool(small), getattr(cconv, f"adaptive_avg_pool{rank}d")(small, 1)):
        assert y.dtype == expected
        np.testing.assert_allclose(y.reshape(2, 3), mean, tolerance, tolerance * 100)
    y = cconv.global_lp_pool(small, p=3, keepdims=False)
    assert y.dtype == expected
    norm = (abs(small.astype("f8")) ** 3).sum(axes) ** (1 / 3)
    np.testing.assert_allclose(y, norm, tolerance * 10)


def test_powers_of_float16_do_not_overflow_in_float16() -> None:
    x = np.full((1, 1, 4), 300, "f2")
    assert cconv.lp_pool1d(x, 2, 4).tolist() == [[[600]]]
    assert cconv.global_lp_pool(x, p=2, keepdims=False).tolist() == [[600]]


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("rank", RANKS)
def test_unpooling_inverts_pooling(rank: int, dtype: str) -> None:
    rng = np.random.default_rng(rank)
    x = values(rng, (2, 3, *(4, 6, 8)[-rank:]), dtype)
    top, places = cases.MAX_POOL[rank](x, 2, return_indices=True)
    back = getattr(cconv, f"max_unpool{rank}d")(top, places, 2)
    assert back.dtype == dtype
    expected = np.zeros((2, 3, x[0, 0].size), dtype)
    np.put_along_axis(expected, places.reshape(2, 3, -1), top.reshape(2, 3, -1), 2)
    assert_same_bits(back, expected.reshape(x.shape))


# --------------------------------------------------------------------------------- unfold and fold


@pytest.mark.parametrize("dtype", ALL)
def test_unfold_and_fold(dtype: str) -> None:
    for case in cases.sweep(f"dtypes/unfold/{dtype}", 30, test_unfold.draw_case):
        with cases.naming(case):
            check_unfold(replace(case, dtype=dtype), dtype)


def check_unfold(case: PoolCase, dtype: str) -> None:
    rng = np.random.default_rng(case.seed)
    take = values if dtype not in FLOATS else modest
    x = arranged(take(rng, test_unfold.image_shape(case), dtype), case.layout, rng)
    columns = test_unfold.unfold(case, x)
    assert_same_bits(columns, test_unfold.oracle_unfold(case, x))
    columns = take(rng, test_unfold.columns_shape(case), dtype)
    y = test_unfold.fold(case, columns)
    assert y.dtype == summed(dtype)
    if dtype in FLOATS:
        exact = test_unfold.oracle_fold(case, columns)
        sizes = test_unfold.oracle_fold(case, abs_of(columns))
        assert_rounded(y, exact, math.prod(case.kernel), sizes)
    else:
        exact = test_unfold.oracle_fold(case, columns, object)
        assert_same_bits(y, wrapped(exact, summed(dtype)))


def test_a_fold_that_may_overflow_is_refused() -> None:
    taps = 8421505
    columns = np.broadcast_to(np.uint8(255), (taps, taps))
    check(
        OverflowError, lambda: cconv.fold(columns, (2 * taps - 1,), (taps,)),
        f"fold: a sum of K = {taps}", "input (uint8)", "int32", "int16",
    )  # fmt: skip
