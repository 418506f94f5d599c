"""Float32 in three digits of 8 bits, on a matrix unit: how accurate it is, and that it reproduces.

The gate is |y - exact| <= G eps sum over c of (max |x_c|) (sum |w_c|), the maximum over all that
the block of outputs looks at, which is the image or some of its rows: the tests take the image's.
G is 16 where roundings are independent, and 600 whatever they are.  Images whose values are too
uneven for that are computed by 'bf16x3', to the bit.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any, ClassVar

import cases
import numpy as np
import pytest
import test_bf16x3
from cases import Array, Ints, assert_same_bits
from test_bf16x3 import needs_matrix_unit
from test_errors import ones

import cconv
from cconv import _check

EPS = float(np.finfo("f4").eps)
INDEPENDENT, WORST = 16, 600  # what G is


@dataclass(frozen=True)
class Layer(test_bf16x3.Layer):
    """A convolution that 'int8x3' serves."""

    algorithm: ClassVar[str] = "int8x3"

    def check(self, x: Array, w: Array, y: Array, gate: float = INDEPENDENT) -> None:
        """Beside the gate, what 'bf16x3' flushes to zero."""
        spatial = tuple(range(2, x.ndim))
        largest = np.abs(x).max(spatial).astype("f8")
        if self.mode == "constant":
            largest = np.maximum(largest, abs(self.value))
        taps = np.abs(w).astype("f8").sum(spatial).reshape(self.groups, -1, self.channels)
        bound = np.einsum("ngc,gfc->ngf", largest.reshape(len(x), self.groups, -1), taps)
        bound = bound.reshape(*y.shape[:2], *(1,) * len(spatial))
        exact = self.run(x.astype("f8"), w.astype("f8"), algorithm="direct")
        flushed = 1e-37 * max(1, float(largest.max()), float(np.abs(w).max()))
        allowed = gate * EPS * bound + self.terms * flushed
        cases.assert_within(y, exact, np.broadcast_to(allowed, y.shape))


def as_digits(layer: test_bf16x3.Layer) -> Layer:
    return Layer(**{field.name: getattr(layer, field.name) for field in fields(layer)})


def same(kernel: Ints, spatial: Ints, channels: int, filters: int, **more: Any) -> Layer:
    """As many outputs as inputs."""
    return as_digits(test_bf16x3.same(kernel, spatial, channels, filters, **more))


def draw_layer(random: Random) -> Layer:
    return as_digits(test_bf16x3.draw_layer(random))


# ---------------------------------------------------------------------------------------- accuracy


def heavy(rng: np.random.Generator, shape: Ints, dtype: str) -> Array:
    """Long tails, of which the greatest is far above the rest."""
    return rng.laplace(size=shape).astype(dtype)


def rectified(rng: np.random.Generator, shape: Ints, dtype: str) -> Array:
    """Channels of several sizes, half of their values 0: what a network hands on."""
    size = 2.0 ** rng.uniform(-2, 1, shape[1]).reshape(-1, *(1,) * (len(shape) - 2))
    return (np.maximum(rng.standard_normal(shape), 0) * size).astype(dtype)


DRAWS = [*test_bf16x3.DRAWS, heavy, rectified]


@needs_matrix_unit
@pytest.mark.parametrize("draw", DRAWS)
def test_sweep_is_within_the_gate(draw: Callable[..., Array]) -> None:
    for layer in cases.sweep(f"int8x3/{draw.__name__}", 120, draw_layer):
        with cases.naming(layer):
            x, w = layer.data(draw)
            y = layer.run(x, w, threads=1)
            layer.check(x, w, y)
            assert_same_bits(layer.run(cases.channels_last(x), w, threads=2), y)
            assert_same_bits(layer.plan(w, threads=3)(x), y)


# Maps of one block and of several, channels that share a line and that fill many.
LAYERS = [
    same((3, 3), (28, 28), 64, 64),
    same((3, 3), (14, 14), 512, 33),
    same((3, 3), (57, 61), 16, 40),
    same((5, 5), (20, 90), 32, 20),
    same((3,), (3000,), 48, 17),
    same((3, 3, 3), (6, 20, 19), 20, 33),
    replace(same((3, 3), (56, 55), 70, 40), stride=(2, 2)),
    same((3, 3), (30, 41), 24, 16, dilation=(3, 2)),
    same((1, 1), (57, 60), 256, 40),
    same((1, 1), (7, 7), 300, 33),
    replace(same((1, 1), (29, 30), 130, 33), stride=(2, 2)),
    same((1, 1, 1), (6, 20, 31), 100, 17),
    same((3, 1, 1), (6, 20, 31), 64, 17),
    same((9, 9), (40, 57), 4, 33),
    same((7, 7, 7), (5, 12, 13), 1, 20),
    Layer((16, 16), (48, 640), 3, 48, stride=(16, 16)),
    replace(same((5, 5), (30, 41), 15, 16, dilation=(3, 2)), stride=(2, 2)),
]


@needs_matrix_unit
@pytest.mark.parametrize("layer", LAYERS)
def test_it_is_used_and_within_the_gate(layer: Layer) -> None:
    """Where nothing is uneven: else 'bf16x3' would pass in its name."""
    for draw in (cases.normals, test_bf16x3.positive, heavy, rectified):
        x = layer.data(draw)[0]
        w = layer.data(cases.normals if layer.channels < 64 else heavy)[1]
        y = layer.run(x, w)
        layer.check(x, w, y)
        assert not np.array_equal(y, layer.run(x, w, algorithm="bf16x3"))


@needs_matrix_unit
def test_nearly_uneven_values_are_within_the_gate() -> None:
    """One large input, one large weight a filter: as large as is still computed so, and larger."""
    used = 0
    for index in range(max(6, 60 // cases.SHARE)):
        rng = np.random.default_rng(index)
        channels, taps, size = ((16, 3, 20), (32, 3, 24), (64, 2, 20), (128, 3, 9))[index % 4]
        layer = same((taps, taps), (size, size), channels, 33, seed=index)
        x, w = layer.data()
        x[0, 0, size // 2, size // 2] = 4 * rng.uniform(1, 8)
        w[:, 1, 0, 0] = 4 * rng.uniform(1, 8)
        y = layer.run(x, w)
        layer.check(x, w, y)
        used += not np.array_equal(y, layer.run(x, w, algorithm="bf16x3"))
    assert 0 < used < index + 1


@needs_matrix_unit
def test_errors_are_those_of_other_algorithms() -> None:
    """As a rule, as is said of it: by the mean of squares."""
    for layer in LAYERS[:2]:
        x, w = layer.data()
        exact = layer.run(x.astype("f8"), w.astype("f8"), algorithm="direct")
        ours, direct = (
            np.square(layer.run(x, w, algorithm=algorithm) - exact).mean()
            for algorithm in ("int8x3", "direct")
        )
        assert ours < 3**2 * direct


@needs_matrix_unit
@pytest.mark.parametrize(("kernel", "channels"), [(1, 144), (7, 3)])
def test_errors_of_the_fewest_products_are_what_is_said(kernel: int, channels: int) -> None:
    rng = np.random.default_rng(kernel)
    x = rng.standard_normal((1, channels, 96, 96)).astype("f4")
    w = rng.standard_normal((64, channels, kernel, kernel)).astype("f4")
    assert cconv.ConvPlan(w, input_shape=x.shape).algorithm == "int8x3"
    y, exact = cconv.conv2d(x, w), cconv.conv2d(x.astype("f8"), w.astype("f8"))
    products = cconv.conv2d(np.abs(x).astype("f8"), np.abs(w).astype("f8"))
    assert np.square((y - exact) / products).mean() < (2.5 * EPS / 2) ** 2


@needs_matrix_unit
def test_alike_values_are_within_the_gate_of_the_worst() -> None:
    """Every rounding repeats: flat images, and filters of equal weights but for a large one."""
    used = 0
    for layer in (*LAYERS[:2], *LAYERS[8:10]):
        x, w = layer.data()
        x[:], w[:] = x[:, :1], w[:, :1]
        layer.check(x, w, layer.run(x, w), WORST)
        for value in (0.3333333, 0x7F7F / 2**23, 0x17F7F / 2**20, 1 / 255):
            for large in (1, 4, 12, 15, 30, 60, 200):
                x[:], w[:] = value, -value
                x[:, :, 0, 0], w[:, 0, 0, 0] = value * large, value * large
                y = layer.run(x, w)
                layer.check(x, w, y, WORST)
                used += not np.array_equal(y, layer.run(x, w, algorithm="bf16x3"))
                x[:, :, 0, 0] = value
                y = layer.run(x, w)
                layer.check(x, w, y, WORST)
    assert used > 20


@needs_matrix_unit
def test_integers_of_8_bits_are_exact() -> None:
    for layer in cases.sweep("int8x3/integers", 60, draw_layer):
        with cases.naming(layer):
            rng = np.random.default_rng(layer.seed)
            x, w = layer.data()
            x = cases.integers(rng, x.shape, "float32", 100)
            most = max(1, min(100, 2**24 // 200 // layer.terms))
            w = cases.integers(rng, w.shape, "float32", most)
            value = {"padding_value": 2.0} if layer.mode == "constant" else {}
            direct = layer.run(x, w, algorithm="direct", **value)
            assert_same_bits(layer.run(x, w, **value) + 0, direct + 0)


@needs_matrix_unit
def test_what_follows_the_sum() -> None:
    """Bias, residual and activation: a rounding each."""
    rng = np.random.default_rng(2)
    for layer in LAYERS[:3]:
        x, w = layer.data()
        bias = cases.normals(rng, (layer.filters,), "f4")
        plain = layer.run(x, w)
        residual = cases.normals(rng, plain.shape, "f4")
        expected = plain.astype("f8") + bias[:, None, None] + residual
        bound = 4 * 2.0**-24 * (np.abs(plain) + np.abs(bias)[:, None, None] + np.abs(residual))
        for add in (residual, cases.channels_last(residual)):
            y = layer.run(x, w, bias, residual=add)
            cases.assert_within(y, expected, bound)
            positive = np.maximum(y, 0)
            assert_same_bits(layer.run(x, w, bias, residual=add, activation="relu"), positive)
            assert_same_bits(layer.plan(w, bias, activation="relu")(x, residual=add), positive)
            out = np.array(add)
            assert layer.run(x, w, bias, residual=out, out=out) is out
            assert_same_bits(out, y)


# ------------------------------------------------------------------------ what the unit cannot do

UNEVEN = [layer for layer in LAYERS if len(layer.kernel) == 2]


def check_otherwise(layer: Layer, x: Array, w: Array, there: Array) -> None:
    """The second of three images is computed by 'bf16x3', the others as ever."""
    images = np.stack([x, there, x])
    y = layer.run(x, w)
    expected = np.stack([y, layer.run(there, w, algorithm="bf16x3"), y])
    for threads in (1, 2, 3):
        assert_same_bits(layer.run(images, w, threads=threads), expected)
    assert_same_bits(layer.run(cases.channels_last(images), w), expected)
    assert_same_bits(replace(layer, batch=3).plan(w, threads=2)(images), expected)


@needs_matrix_unit
@pytest.mark.parametrize("layer", UNEVEN)
def test_uneven_images_are_computed_in_bfloat16(layer: Layer) -> None:
    x, w = layer.data()
    x = x[0]
    for value in (np.nan, np.inf, -np.inf, 1e38, 1e8):
        there = x.copy()
        there[len(x) // 3, 0, 0] = value  # which every stride looks at
        check_otherwise(layer, x, w, there)
    check_otherwise(layer, x, w, x * np.float32(1e-36))
    if layer.spatial[0] > 16:
        dark = x.copy()
        rows = 8 if layer.channels > 15 else 24  # of few channels nothing in a window may count
        dark[:, 8 : 8 + rows] *= np.float32(2**-12)
        check_otherwise(layer, x, w, dark)
    if layer.channels < 16:
        return  # one of them is enough, of those that a filter looks at
    one = x * np.float32(2**-10)
    one[3] = x[3]
    check_otherwise(layer, x, w, one)


@needs_matrix_unit
def test_out_may_be_the_input() -> None:
    layer = same((3, 3), (20, 20), 64, 64)
    x, w = layer.data()
    for value in (1, 1e8, np.nan):
        x[0, 3, 2, 2] = value
        expected, given = layer.run(x, w), x.copy()
        assert layer.run(given, w, out=given) is given
        assert_same_bits(given, expected)


@needs_matrix_unit
def test_a_filter_of_a_small_channel_keeps_its_digits() -> None:
    """All is even as a whole, but one filter looks at nothing but what is small."""
    layer = same((3, 3), (20, 20), 64, 32)
    x, w = layer.data()
    x[:, 7] *= np.float32(1e-5)
    w[5], w[5, 7] = 0, 1
    y = layer.run(x, w)
    assert_same_bits(y, layer.run(x, w, algorithm="bf16x3"))
    exact = layer.run(x.astype("f8"), w.astype("f8"), algorithm="direct")
    cases.assert_within(y[:, 5], exact[:, 5], np.full_like(exact[:, 5], 1e-10))
    assert not np.array_equal(layer.run(x, w[:5]), layer.run(x, w[:5], algorithm="bf16x3"))


@needs_matrix_unit
def test_filters_of_few_digits_keep_those_they_have() -> None:
    layer = same((3, 3), (16, 16), 64, 32)
    x, w = layer.data()
    x *= np.float32(1e14)
    for size in (1e-30, 1e-34, 1e-37, 1e-40):
        given = w.copy()
        given[3] *= np.float32(size)
        layer.check(x, given, layer.run(x, given))


@needs_matrix_unit
@pytest.mark.parametrize("algorithm", ["int8x3", "bf16x3"])
@pytest.mark.parametrize("odd", [1, 2])
def test_steps_of_the_input_are_any_bytes(algorithm: str, odd: int) -> None:
    """Whatever lies there: misread bytes of these values are no larger than they are."""
    for channels in (64, 300):
        layer = same((1, 1), (14, 14), channels, 32)
        rng = np.random.default_rng(channels)
        bits = rng.integers(0x3E80, 0x4000, (2, 1, channels, 14, 14)).astype("u4")
        values = (bits[0] << 16 | bits[1]).view("f4")
        w = layer.data()[1]
        y = layer.run(values, w, algorithm=algorithm)
        plane, pixel = 14 * 14 * 4 + odd, channels * 4 + odd
        planes = np.ndarray(
            values.shape, "f4", np.zeros(channels * plane, "u1"),
            strides=(channels * plane, plane, 56, 4),
        )  # fmt: skip
        pixels = np.ndarray(
            values.shape, "f4", np.zeros(14 * 14 * pixel, "u1"),
            strides=(14 * 14 * pixel, 4, 14 * pixel, pixel),
        )  # fmt: skip
        for x in (planes, pixels):
            x[...] = values
            assert_same_bits(layer.run(x, w, algorithm=algorithm), y)
            assert_same_bits(layer.plan(w, algorithm=algorithm)(x), y)


@needs_matrix_unit
def test_weights_beyond_the_range() -> None:
    layer = LAYERS[0]
    x, w = layer.data()
    for value in (np.nan, np.inf, 1e38):
        given = w.copy()
        given.flat[-1] = value
        assert_same_bits(layer.run(x, given), layer.run(x, given, algorithm="direct"))
    small = w * np.float32(1e-36)
    assert_same_bits(layer.run(x, small), layer.run(x, small, algorithm="direct"))


@needs_matrix_unit
def test_zeros() -> None:
    layer = LAYERS[0]
    x, w = layer.data()
    for a, b in ((x * 0, w), (x, w * 0), (x * 0, w * 0)):
        assert_same_bits(np.abs(layer.run(a, b)), np.zeros((1, 64, 28, 28), "f4"))
    x[:, :, 5:25], w[3] = 0, 0
    y = layer.run(x, w)
    layer.check(x, w, y)
    assert (y[:, :, 6:24] == 0).all()
    assert (y[:, 3] == 0).all()
    assert not np.array_equal(y, layer.run(x, w, algorithm="bf16x3"))


@needs_matrix_unit
@pytest.mark.parametrize("power", [-60, -40, 0, 40, 46])
def test_powers_of_two_within_the_range_change_nothing_else(power: int) -> None:
    for layer in LAYERS[:3]:
        x, w = layer.data()
        y = layer.run(x, w)
        assert_same_bits(layer.run(np.ldexp(x, power), w), np.ldexp(y, power))
        assert_same_bits(layer.run(x, np.ldexp(w, power // 2)), np.ldexp(y, power // 2))


# ------------------------------------------------------------------------------------ reproduction

REPRODUCED = [as_digits(layer) for layer in test_bf16x3.REPRODUCED]


@needs_matrix_unit
@pytest.mark.parametrize("layer", REPRODUCED + LAYERS)
def test_threads_and_batches_do_not_change_a_bit(layer: Layer) -> None:
    x, w = layer.data()
    y = layer.run(x, w, threads=1)
    for threads in (2, 3, 7):
        assert_same_bits(layer.run(x, w, threads=threads), y)
    for n in range(layer.batch):
        assert_same_bits(layer.run(x[n], w, threads=2), y[n])
    many = np.concatenate([x] * 5)
    for threads in (1, 2):
        assert_same_bits(layer.run(many, w, threads=threads), np.concatenate([y] * 5))


@needs_matrix_unit
@pytest.mark.parametrize("layer", REPRODUCED + LAYERS)
@pytest.mark.parametrize("layout", cases.LAYOUTS)
def test_layouts_do_not_change_a_bit(layer: Layer, layout: str) -> None:
    rng = np.random.default_rng(3)
    x, w = layer.data()
    x, w = cases.arrange(x, layout, rng), cases.arrange(w, layout, rng)
    y = layer.run(np.ascontiguousarray(x), np.ascontiguousarray(w))
    assert_same_bits(layer.run(x, w, threads=2), y)
    out = cases.channels_last(np.empty_like(y))
    assert_same_bits(layer.plan(w)(x, out=out), y)


@needs_matrix_unit
def test_dtypes_of_storage() -> None:
    for layer in LAYERS[:2]:
        x, w = layer.data()
        x16, w16 = x.astype("f2"), w.astype("f2")
        y = layer.run(x16, w16)
        assert y.dtype == np.float16
        assert_same_bits(y, layer.run(x16.astype("f4"), w16.astype("f4")).astype("f2"))
        assert_same_bits(layer.plan(w16)(cases.channels_last(x16)), y)
        small = (x * 40).astype("i1")
        assert_same_bits(layer.run(small, w), layer.run(small.astype("f4"), w))


@needs_matrix_unit
def test_auto_gives_its_bits() -> None:
    for layer in (
        same((3, 3), (28, 28), 128, 128, batch=2),
        same((1, 7), (17, 17), 96, 96),
        same((1, 1), (28, 28), 256, 128),
    ):
        x, w = layer.data()
        y = layer.run(x, w)
        for threads in (1, 2, 5):
            assert_same_bits(layer.run(x, w, algorithm="auto", threads=threads), y)
        assert not np.array_equal(y, layer.run(x, w, algorithm="direct"))


# ------------------------------------------------------------------------------- limits and scratch

REFUSED: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "channels": (
        lambda: cconv.conv2d(ones(1, 15, 9, 9), ones(16, 15, 1, 1), algorithm="int8x3"),
        ["conv2d: ", "16 to 4096 values of a window", "15"],
    ),
    "float64": (
        lambda: cconv.conv1d(
            ones(1, 32, 9, dtype="f8"), ones(32, 32, 3, dtype="f8"), algorithm="int8x3"
        ),
        ["conv1d: ", "float16 and float32", "float64"],
    ),
    "terms": (
        lambda: cconv.conv2d(ones(1, 1800, 9, 9), ones(1, 1800, 3, 3), algorithm="int8x3"),
        ["conv2d: ", "16384 taps times whole 64 channels", str(9 * 1856)],
    ),
    "rows": (
        lambda: cconv.ConvPlan(
            ones(4, 32, 2), input_shape=(1, 32, 30000), dilation=17000, algorithm="int8x3"
        ),
        ["ConvPlan: ", "5242880 bytes", "a row of outputs"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_why(name: str) -> None:
    call, (function, *reasons) = REFUSED[name]
    if not cases.MATRIX_UNIT:
        reasons = ["AMX", "'amx'"]
    with pytest.raises(ValueError, match="algorithm is 'int8x3'") as caught:
        call()
    for fragment in (function, *reasons, "expected 'auto' or 'direct'"):
        assert fragment in str(caught.value)


def is_served(layer: Layer) -> bool:
    """As the core says; Python has to say the same."""
    try:
        layer.core_plan()
        core = True
    except ValueError:
        core = False
    assert core == (not _check.int8x3(layer.axes, layer.channels, "float32")), layer
    return core


@needs_matrix_unit
def test_limits_of_the_core_are_those_of_the_check() -> None:
    for channels, served in ((1, False), (2, True), (15, True), (1792, True), (1793, False)):
        assert is_served(Layer((3, 3), (9, 9), channels, 4)) == served
    for kernel, served in (((1, 1), True), ((1, 2), True), ((16, 16), True), ((257,), False)):
        assert is_served(Layer(kernel, tuple(k + 2 for k in kernel), 16, 4)) == served
    for channels in (16, 64, 65, 500):
        least, most = 1, 2**23
        while most - least > 1:
            step = (least + most) // 2
            served = is_served(Layer((2,), (step + 130,), channels, 1, dilation=(step,)))
            least, most = (step, most) if served else (least, step)
        assert 1 < least < 2**22


BOUNDED = [
    same((3, 3), (224, 224), 64, 64),
    same((3, 3), (14, 14), 512, 512),
    same((3, 3), (8, 8), 1792, 512),
    same((1, 1), (56, 56), 2048, 512),
    same((1, 1), (7, 7), 5000, 512),
    same((7, 7), (56, 56), 128, 128),
    same((3, 3, 3), (16, 56, 56), 64, 64),
    same((5,), (100000,), 256, 256),
    same((16, 16), (64, 300), 64, 33),
    same((3, 3), (60, 200), 700, 32, dilation=(2, 5)),
    Layer((2, 2), (700, 10), 16, 8, dilation=(500, 1)),
    Layer((2,), (11600,), 16, 8, dilation=(11400,)),
    Layer((2,), (10500,), 64, 17, dilation=(10300,)),
]


@needs_matrix_unit
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("layer", BOUNDED)
def test_scratch_is_bounded(layer: Layer, keep: bool) -> None:
    """At most 8 MB a thread, whatever the shape: weights that a phase makes for all are in it."""
    assert is_served(layer)
    for threads in (1, 2, 5):
        for groups in (1, 2):
            wanted = replace(layer, groups=groups).core_plan(threads, keep)
            assert wanted.workspace_nbytes <= threads * 8e6


@needs_matrix_unit
def test_the_widest_rows_are_right() -> None:
    for channels, step in ((64, 10300), (16, 11400)):
        layer = Layer((2,), (step + 200,), channels, 17, dilation=(step,))
        x, w = layer.data()
        layer.check(x, w, layer.run(x, w))
        assert_same_bits(layer.plan(w)(cases.channels_last(x)), layer.run(x, w, threads=2))
