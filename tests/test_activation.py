"""Activations against their formulas in decimal arithmetic of 390 digits.

A float32 result is within 4 u of the exact value, relative to it, and so is a float64 result of
the C core: a handful of roundings and a polynomial good to the last place. Results that underflow
have the smallest subnormal besides. The reference evaluates float64 formulas in float64, where a
rounding of the argument x costs |x f'(x)| u, and the underflow of a factor of x costs |x| of the
smallest subnormals; both are allowed to float64 there.
"""

import functools
import math
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from typing import Any

import cases
import numpy as np
import pytest
from cases import CONV, DTYPES, RANKS, assert_same_bits

Exact = Callable[[Decimal], Decimal]
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620")
HALF = Decimal("0.5")


def sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


def normal_cdf(x: Decimal) -> Decimal:
    """Phi(x): its series in positive terms near 0, the continued fraction of its tail beyond."""
    density = (-x * x / 2).exp() / (2 * PI).sqrt()
    a = abs(x)
    if a > 4:
        fraction = a
        for n in range(200, 0, -1):
            fraction = a + n / fraction
        tail = density / fraction
    else:
        term = total = a
        for n in range(3, 200, 2):
            term *= a * a / n
            total += term
        tail = HALF - density * total
    return tail if x < 0 else 1 - tail


def hard_sigmoid(x: Decimal) -> Decimal:
    return min(max(x / 6 + HALF, Decimal(0)), Decimal(1))


def leaky(slope: float) -> Exact:
    return lambda x: x if x > 0 else Decimal(slope) * x


def clip(low: float, high: float) -> Exact:
    return lambda x: min(max(x, Decimal(low)), Decimal(high))


def gelu_erf(x: Decimal) -> Decimal:
    return x * normal_cdf(x)


def gelu_tanh(x: Decimal) -> Decimal:
    return x * sigmoid(2 * (2 / PI).sqrt() * (x + Decimal("0.044715") * x**3))


# Argument of activation=, the exact function, and its limits at -inf and +inf.
ACTIVATIONS: dict[Any, tuple[Exact, float, float]] = {
    None: (lambda x: x, -np.inf, np.inf),
    "relu": (lambda x: max(x, Decimal(0)), 0, np.inf),
    "relu6": (clip(0, 6), 0, 6),
    "leaky_relu": (leaky(0.01), -np.inf, np.inf),
    ("leaky_relu", 0.3): (leaky(0.3), -np.inf, np.inf),
    ("leaky_relu", -2): (leaky(-2), np.inf, np.inf),
    "elu": (lambda x: x if x > 0 else x.exp() - 1, -1, np.inf),
    "gelu": (gelu_erf, 0, np.inf),
    "gelu_erf": (gelu_erf, 0, np.inf),
    "gelu_tanh": (gelu_tanh, 0, np.inf),
    "silu": (lambda x: x * sigmoid(x), 0, np.inf),
    "hard_swish": (lambda x: x * hard_sigmoid(x), 0, np.inf),
    "hard_sigmoid": (hard_sigmoid, 0, 1),
    "sigmoid": (sigmoid, 0, 1),
    "tanh": (lambda x: 2 * sigmoid(2 * x) - 1, -1, 1),
    ("clip", -1.5, 2): (clip(-1.5, 2), -1.5, 2),
    ("clip", 0.1, 0.1): (clip(0.1, 0.1), 0.1, 0.1),
}
EXACT_IDS = [str(name) for name in ACTIVATIONS]
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS, ids=EXACT_IDS)


def activate(x: cases.Array, activation: Any) -> cases.Array:
    """The activation of a vector, through a convolution by one."""
    y = CONV[1](x.reshape(1, 1, -1), np.ones((1, 1, 1), x.dtype), activation=activation)
    return y.reshape(x.shape)


def arguments(dtype: str) -> cases.Array:
    """Values everywhere the functions bend, end, vanish or overflow."""
    info = np.finfo(dtype)
    bends = np.array([0.25, 0.5, 1, 2, 3, 6, 9, 13, 17, 20, 22, 27, 38, 40, 87, 88, 89, 103, 104])
    bends = np.concatenate([bends, [110, 709, 710, 744, 746, 760, 900]])
    around = np.concatenate([bends, np.nextafter(bends.astype(dtype), 0), bends * 1.01])
    small = [info.smallest_subnormal, info.tiny, 1e-30, 1e-12, 1e-8, 1e-5, 1e-3, 0.03]
    positive = np.concatenate([around, small, np.linspace(0.01, 15, 70)])
    return np.concatenate([[0], positive, -positive]).astype(dtype)


@functools.cache
def exact(function: Exact, dtype: str) -> tuple[cases.Array, cases.Array]:
    """The value and |x f'(x)| at the arguments, in long double."""
    least, step = Decimal(float(np.finfo(dtype).smallest_subnormal)) / 8, Decimal("1e-20")

    def long_double(y: Decimal) -> np.longdouble:
        return np.longdouble(str(y) if abs(y) > least else 0)

    values, slopes = [], []
    with localcontext(Context(prec=390, Emax=10**9, Emin=-(10**9), traps=[])):
        for x in map(Decimal, map(float, arguments(dtype))):
            y = function(x)
            values.append(long_double(y))
            slopes.append(long_double(abs(function(x + x * step) - y) / step))
    return np.array(values), np.array(slopes)


@every_activation
@pytest.mark.parametrize("dtype", DTYPES)
def test_accuracy(activation: Any, dtype: str) -> None:
    x = arguments(dtype)
    y = activate(x, activation)
    values, slopes = exact(ACTIVATIONS[activation][0], dtype)
    scale, least = abs(values), np.full(x.shape, np.finfo(dtype).smallest_subnormal)
    if dtype == "float64" and not cases.CORE:
        scale, least = scale + slopes, least * (1 + abs(x))
    cases.assert_within(y, values, 4 * cases.unit_roundoff(dtype) * scale + least)


@every_activation
@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity(activation: Any, dtype: str) -> None:
    low, high = ACTIVATIONS[activation][1:]
    most = np.finfo(dtype).max
    y = activate(np.array([np.nan, -np.inf, np.inf, -np.nan, most, -most], dtype), activation)
    assert np.isnan(y[[0, 3]]).all()
    np.testing.assert_array_equal(y[1:3], np.array([low, high], dtype))
    assert not np.isnan(y[4:]).any()


@every_activation
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_lane_gives_the_same_bits(activation: Any, dtype: str) -> None:
    """A value gives the same bits at every position of a row, in body and tail, in every filter."""
    values = np.concatenate([arguments(dtype)[::13], np.array([np.nan, np.inf, -np.inf], dtype)])
    alone = np.concatenate([activate(values[i : i + 1], activation) for i in range(len(values))])
    assert_same_bits(activate(values, activation), alone)
    for width in (*range(1, 36), 63, 64, 65, 70):
        x = np.repeat(values[:, None], width, 1)[:, None]
        for filters in (1, 3, 8, 11) if width % 8 < 2 else (1 + width % 7,):
            y = CONV[1](x, np.ones((filters, 1, 1), dtype), activation=activation)
            assert_same_bits(y, np.broadcast_to(alone[:, None, None], y.shape).copy())


@every_activation
@pytest.mark.parametrize("rank", RANKS)
def test_activation_comes_after_bias_and_sum(activation: Any, rank: int) -> None:
    """act(conv + bias), where the sum is exact: over one chunk of channels and over several."""
    rng = np.random.default_rng(rank)
    for channels, size in [(5, (3, 4, 19)), (900, (3, 6, 9))]:
        x = cases.integers(rng, (1, channels, *size[3 - rank :]), "float32", 2)
        w = cases.integers(rng, (11, channels, *(3,) * rank), "float32", 1)
        bias = cases.integers(rng, (11,), "float32")
        plain = CONV[rank](x, w, bias, padding=1)
        y = CONV[rank](x, w, bias, padding=1, activation=activation)
        assert_same_bits(y, activate(plain.ravel(), activation).reshape(plain.shape))


@every_activation
def test_activation_into_strided_out(activation: Any) -> None:
    rng = np.random.default_rng(0)
    x, w = cases.normals(rng, (2, 3, 7, 19), "float32"), cases.normals(rng, (9, 3, 3, 3), "float32")
    expected = CONV[2](x, w, activation=activation)
    for layout in cases.OUT_LAYOUTS[1:]:
        canvas = cases.Canvas(expected.shape, "float32", layout, rng)
        y = CONV[2](x, w, activation=activation, out=canvas.array)
        canvas.check(y)
        assert_same_bits(y, expected)


def test_names_with_numbers() -> None:
    x = np.linspace(-9, 9, 70, dtype="f4")
    for one, same in [
        ("relu6", ("clip", 0, 6)),
        ("leaky_relu", ("leaky_relu", 0.01)),
        ("leaky_relu", ["leaky_relu", np.float64(0.01)]),
        ("gelu", "gelu_erf"),
        ("relu", ("clip", 0, math.inf)),
        ("relu", ("leaky_relu", 0)),
    ]:
        zero = np.float32(0)  # -0 + 0 = 0: the sign of a zero is not looked at
        assert_same_bits(activate(x, one) + zero, activate(x, same) + zero)
