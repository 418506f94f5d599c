"""Float32 in three parts of bfloat16, on a matrix unit: how accurate it is, and that it reproduces.

The gate is |y - exact| <= (K + 24) u sum |w| |x|, u = 2**-24, for K products, a rounding more for
what is added to the sum.  Exact sums are those of float64, which are direct, and which other tests
judge.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, ClassVar

import cases
import numpy as np
import pytest
from cases import CONV, Array, Ints, assert_same_bits
from test_padding_modes import NUMPY as NUMPY_MODES

import cconv
from cconv import _shape
from cconv._shape import Axis

needs_matrix_unit = pytest.mark.skipif(
    not cases.MATRIX_UNIT, reason="needs the C core and AMX, which is not there or turned off"
)
pytestmark = needs_matrix_unit

Draw = Callable[..., Array]
ROUNDOFF = 2.0**-24


@dataclass(frozen=True)
class Layer:
    """A convolution that 'bf16x3' serves; channels and filters are those of a group."""

    kernel: Ints
    spatial: Ints
    channels: int
    filters: int
    stride: Ints = ()
    dilation: Ints = ()
    pads: tuple[tuple[int, int], ...] = ()
    groups: int = 1
    mode: str = "zeros"
    value: float = 0.0
    batch: int = 1
    seed: int = 0

    algorithm: ClassVar[str] = "bf16x3"

    @property
    def terms(self) -> int:
        return self.channels * int(np.prod(self.kernel))

    @property
    def axes(self) -> list[Axis]:
        given, pads = self.arguments, self.pads or ((0, 0),) * len(self.kernel)
        steps = zip(self.spatial, self.kernel, given["stride"], given["dilation"], strict=True)
        return [Axis(*step, *pad) for step, pad in zip(steps, pads, strict=True)]

    @property
    def arguments(self) -> dict[str, Any]:
        rank = len(self.kernel)
        given: dict[str, Any] = {
            "stride": self.stride or (1,) * rank,
            "dilation": self.dilation or (1,) * rank,
            "padding": self.pads or ((0, 0),) * rank,
            "groups": self.groups,
            "padding_mode": self.mode,
        }
        return given | ({"padding_value": self.value} if self.mode == "constant" else {})

    def data(self, draw: Draw = cases.normals) -> tuple[Array, Array]:
        rng = np.random.default_rng(self.seed)
        x = draw(rng, (self.batch, self.groups * self.channels, *self.spatial), "float32")
        shape = (self.groups * self.filters, self.channels, *self.kernel)
        return x, draw(rng, shape, "float32")

    def run(self, x: Array, w: Array, *more: Any, **keywords: Any) -> Array:
        keywords = {"algorithm": self.algorithm, **self.arguments, **keywords}
        return CONV[len(self.kernel)](x, w, *more, **keywords)

    def plan(self, w: Array, *more: Any, **keywords: Any) -> cconv.ConvPlan:
        images = (self.batch, self.groups * self.channels, *self.spatial)
        keywords = {
            "algorithm": self.algorithm, "input_shape": images, **self.arguments, **keywords
        }  # fmt: skip
        return cconv.ConvPlan(w, *more, **keywords)

    def core_plan(self, threads: int = 1, keep: bool = False, dtype: str = "f4") -> Any:
        """The core's, of arrays that take no memory; it raises where it refuses."""
        given, rank = self.arguments, len(self.kernel)
        outputs = [_shape.output_size(axis) for axis in self.axes]
        channels, filters = self.groups * self.channels, self.groups * self.filters
        x = np.broadcast_to(np.zeros((), dtype), (self.batch, channels, *self.spatial))
        w = np.zeros((filters, self.channels, *self.kernel), dtype)
        out = np.empty((self.batch, filters, *outputs), dtype)
        before, after = ([pad[i] for pad in self.pads or ((0, 0),) * rank] for i in (0, 1))
        return cases.CORE.Plan(
            False, x, w, None, None, out, given["stride"], given["dilation"], tuple(before),
            tuple(after), ("constant", 0.0), self.groups, (None, 0.0, 0.0), self.algorithm, threads,
            tuple(range(rank + 2)), keep,
        )  # fmt: skip

    def scale(self, x: Array, w: Array) -> Array:
        """Sums of magnitudes, in float64."""
        given: dict[str, Any] = {"algorithm": "direct"}
        if self.mode == "constant":
            given["padding_value"] = abs(self.value)
        return self.run(np.abs(x).astype("f8"), np.abs(w).astype("f8"), **given)

    def check(self, x: Array, w: Array, y: Array) -> None:
        """Beside the gate, what is flushed to zero: parts and products below 2**-126."""
        exact = self.run(x.astype("f8"), w.astype("f8"), algorithm="direct")
        flushed = 2.0**-120 * self.terms * (1 + float(np.abs(x).max()) + float(np.abs(w).max()))
        cases.assert_within(y, exact, (self.terms + 24) * ROUNDOFF * self.scale(x, w) + flushed)


def same(kernel: Ints, spatial: Ints, channels: int, filters: int, **more: Any) -> Layer:
    """As many outputs as inputs."""
    step = more.get("dilation", (1,) * len(kernel))
    spans = [d * (k - 1) for k, d in zip(kernel, step, strict=True)]
    pads = tuple((span // 2, span - span // 2) for span in spans)
    return Layer(kernel, spatial, channels, filters, pads=pads, **more)


# ---------------------------------------------------------------------------------------- accuracy


def positive(rng: np.random.Generator, shape: Ints, dtype: str) -> Array:
    return rng.uniform(0, 1, shape).astype(dtype)


def cancelling(rng: np.random.Generator, shape: Ints, dtype: str) -> Array:
    """Channels in nearly equal pairs, which weights of the other sign meet."""
    a = cases.normals(rng, shape, dtype)
    pairs = shape[1] // 2
    sign = 1 if shape[0] < 4 else -1  # images, or filters
    noise = 1 + 1e-6 * cases.normals(rng, (shape[0], pairs, *shape[2:]), dtype)
    a[:, pairs : 2 * pairs] = sign * a[:, :pairs] * noise
    return a


def outlier(rng: np.random.Generator, shape: Ints, dtype: str) -> Array:
    """Normal values, but for one of 1e8."""
    a = cases.normals(rng, shape, dtype)
    a.flat[rng.integers(a.size)] = 1e8
    return a


def wide(rng: np.random.Generator, shape: Ints, dtype: str) -> Array:
    """Magnitudes from 1e-6 to 1e6."""
    return (cases.normals(rng, shape, dtype) * 10 ** rng.uniform(-6, 6, shape)).astype(dtype)


def flecked(rng: np.random.Generator, shape: Ints, dtype: str) -> Array:
    """Normal values, of which every third is as tiny as any, and may be subnormal."""
    a = cases.normals(rng, shape, "float64")
    tiny = rng.random(shape) < 1 / 3
    a[tiny] *= 10 ** rng.uniform(-45, 0, int(tiny.sum()))
    return a.astype(dtype)


DRAWS = [cases.normals, positive, cancelling, outlier, wide, flecked]
KERNELS: dict[int, list[Ints]] = {
    1: [(1,), (3,), (5,), (7,)],
    2: [(1, 1), (1, 1), (3, 3), (3, 3), (5, 5), (7, 7), (1, 7), (7, 1), (2, 3)],
    3: [(1, 1, 1), (3, 3, 3), (1, 3, 3), (3, 1, 1), (2, 1, 5)],
}
LONGEST = {1: (300,), 2: (24, 40), 3: (5, 9, 17)}


def draw_layer(random: Random) -> Layer:
    """Channels that fill lines or do not, or are few, blocks of lanes whole and not, any stride and
    padding.
    """
    rank = random.choice([1, 2, 2, 2, 3])
    kernel = random.choice(KERNELS[rank])
    mode = random.choice(["zeros", "zeros", "zeros", *NUMPY_MODES])
    maps = mode not in ("zeros", "constant")
    spatial, pads = [], []
    stride = tuple(random.choice([1, 1, 1, 2, 3]) for _ in kernel)
    dilation = tuple(random.choice([1, 1, 1, 2, 3]) for _ in kernel)
    for k, d, longest in zip(kernel, dilation, LONGEST[rank], strict=True):
        span = d * (k - 1) + 1
        size = random.randint(1, longest)
        most = min(span, size - 1) if maps else span
        least = -1 if size > 4 and not maps else 0
        before, after = random.randint(least, most), random.randint(least, most)
        spatial.append(size + max(0, span - size - before - after))
        pads.append((before, after))
    few = [c for c in (1, 2, 3, 4, 7, 15) if c * int(np.prod(kernel)) >= 16]
    return Layer(
        kernel, tuple(spatial),
        random.choice(few if few and random.random() < 0.3 else [16, 17, 31, 32, 33, 48, 64, 100]),
        random.choice([1, 15, 16, 17, 31, 32, 33, 49, 64]),
        stride, dilation, tuple(pads), random.choice([1, 1, 1, 2, 3]), mode,
        2.5 if mode == "constant" else 0.0, random.choice([1, 1, 2, 3]), random.randrange(2**32),
    )  # fmt: skip


@pytest.mark.parametrize("draw", DRAWS)
def test_sweep_is_within_the_gate(draw: Draw) -> None:
    for layer in cases.sweep(f"bf16x3/{draw.__name__}", 150, draw_layer):
        with cases.naming(layer):
            x, w = layer.data(draw)
            y = layer.run(x, w, threads=1)
            layer.check(x, w, y)
            assert_same_bits(layer.run(cases.channels_last(x), w, threads=2), y)
            assert_same_bits(layer.plan(w, threads=3)(x), y)


@pytest.mark.parametrize("draw", DRAWS)
def test_many_channels_are_within_the_gate(draw: Draw) -> None:
    for layer in (same((3, 3), (9, 10), 1100, 33), same((1, 1), (13, 5), 3000, 20)):
        x, w = layer.data(draw)
        layer.check(x, w, layer.run(x, w))


def test_errors_are_below_those_of_direct_sums() -> None:
    """As a rule, as is said of it: by the mean of squares."""
    for layer in (
        same((3, 3), (28, 28), 64, 64),
        same((1, 1), (28, 28), 256, 64),
        same((7, 7), (28, 28), 3, 64),
    ):
        for draw in DRAWS[:2]:
            x, w = layer.data(draw)
            exact = layer.run(x.astype("f8"), w.astype("f8"), algorithm="direct")
            ours, direct = (
                np.square(layer.run(x, w, algorithm=algorithm) - exact).mean()
                for algorithm in ("bf16x3", "direct")
            )
            assert ours < direct, (layer, draw.__name__)


def test_what_follows_the_sum() -> None:
    """Bias, residual and activation: a rounding each."""
    rng = np.random.default_rng(2)
    for layer in (
        same((3, 3), (9, 14), 40, 35, batch=2),
        same((1, 1), (7, 33), 16, 17),
        same((5, 5), (7, 33), 3, 17, batch=2),
        same((5,), (70,), 33, 16),
    ):
        x, w = layer.data()
        bias = cases.normals(rng, (layer.filters,), "f4")
        plain = layer.run(x, w)
        residual = cases.normals(rng, plain.shape, "f4")
        exact = layer.run(x.astype("f8"), w.astype("f8"), bias.astype("f8"), algorithm="direct")
        added = np.abs(bias).reshape(-1, *(1,) * len(layer.kernel)) + np.abs(residual)
        bound = (layer.terms + 26) * ROUNDOFF * (layer.scale(x, w) + added)
        for add in (residual, cases.channels_last(residual)):
            y = layer.run(x, w, bias, residual=add)
            cases.assert_within(y, exact + residual, bound)
            for activation in ("relu", ("clip", -1, 2), "silu"):
                after = {"activation": activation, "residual": add}
                zero = layer.run(x, w * 0, bias, algorithm="direct", **after)
                assert_same_bits(layer.run(x, w * 0, bias, **after), zero)
                if activation == "relu":
                    assert_same_bits(layer.run(x, w, bias, **after), np.maximum(y, 0))
            out = np.array(add)
            assert layer.run(x, w, bias, residual=out, out=out) is out
            assert_same_bits(out, y)


# --------------------------------------------------------------------------------------- exactness


def test_integers_are_exact() -> None:
    """Of as many digits as their sums leave, so that all parts have some."""
    for layer in cases.sweep("bf16x3/integers", 150, draw_layer):
        with cases.naming(layer):
            rng = np.random.default_rng(layer.seed)
            x, w = layer.data(cases.integers)
            most = int(0.99 * 2**24) // layer.terms
            bound = min(2 ** int(rng.integers(1, 24)), most)
            x = cases.integers(rng, x.shape, "float32", bound)
            w = cases.integers(rng, w.shape, "float32", max(1, most // bound))
            if layer.mode == "constant" and layer.value > bound:
                continue
            value = {"padding_value": 2.0} if layer.mode == "constant" else {}
            direct = layer.run(x, w, algorithm="direct", **value)
            assert_same_bits(layer.run(x, w, threads=2, **value) + 0, direct + 0)


def test_one_large_sum_is_exact() -> None:
    """All terms of one sign, up to 0.99 * 2**24."""
    for channels, a, b in ((16, 1038090, 1), (16, 1, 1038090), (64, 509, 509), (1000, 4, 4152)):
        layer = Layer((1, 1), (5, 7), channels, 17)
        x, w = np.full((1, channels, 5, 7), a, "f4"), np.full((17, channels, 1, 1), b, "f4")
        assert channels * a * b <= 0.99 * 2**24
        assert (layer.run(x, w) == channels * a * b).all()


# ---------------------------------------------------------------------- what is not finite, or tiny

PLACES = [
    same((1, 1), (30, 31), 40, 35, batch=3),
    same((1, 1), (7, 7), 300, 64, batch=3),
    same((3, 3), (17, 19), 33, 20, batch=3),
    same((3, 3), (56, 40), 16, 17, batch=3, dilation=(2, 3)),
    replace(same((3, 3), (23, 26), 20, 33, batch=3), stride=(2, 2), groups=2),
    same((5,), (133,), 48, 16, batch=3, mode="circular"),
    same((3, 3, 3), (5, 9, 8), 16, 31, batch=3),
]


@pytest.mark.parametrize("layer", PLACES)
def test_images_beyond_the_range_are_summed_directly(layer: Layer) -> None:
    """As a whole, and they alone: values that are not finite reach exactly their windows."""
    rng = np.random.default_rng(6)
    x, w = layer.data()
    bias, y = cases.normals(rng, (len(w),), "f4"), layer.run(x, w)
    after: dict[str, Any] = {
        "residual": cases.normals(rng, y.shape, "f4"),
        "activation": "relu",
    }
    y = layer.run(x, w, bias, **after)
    direct = layer.run(x, w, bias, algorithm="direct", **after)
    assert not np.array_equal(y, direct)
    at = tuple(int(rng.integers(size)) for size in x.shape[1:])
    for value in (np.nan, np.inf, -np.inf, 2.0**61, 1e38, 1e-30, 1e-36, 1e-40):
        given = x.copy()
        if np.isfinite(value) and value < 1:
            given[1] *= np.float32(value)
        else:
            given[(1, *at)] = value
        expected = y.copy()
        expected[1] = layer.run(given, w, bias, algorithm="direct", **after)[1]
        for threads in (1, 2, 3):
            assert_same_bits(layer.run(given, w, bias, threads=threads, **after), expected)
        assert_same_bits(layer.run(cases.channels_last(given), w, bias, **after), expected)
        assert_same_bits(layer.plan(w, bias, activation="relu")(given, residual=after["residual"]),
                         expected)  # fmt: skip
        if not np.isfinite(value):
            plain, sums = layer.run(given, w), layer.run(given, w, algorithm="direct")
            assert_same_bits(np.isfinite(plain), np.isfinite(sums))
            assert not np.isfinite(sums).all()


@pytest.mark.parametrize("layer", PLACES)
def test_weights_beyond_the_range_are_summed_directly(layer: Layer) -> None:
    x, w = layer.data()
    for value in (np.nan, np.inf, 2.0**61, 1e38, 1e-30, 1e-36, 1e-40):
        given = w.copy()
        if np.isfinite(value) and value < 1:
            given *= np.float32(value)
        else:
            given.flat[-1] = value
        direct = layer.run(x, given, algorithm="direct")
        assert_same_bits(layer.run(x, given), direct)
        assert_same_bits(layer.plan(given, threads=2)(x), direct)


def test_both_small() -> None:
    """Neither is beyond the range, but their products are."""
    layer = PLACES[0]
    x, w = layer.data()
    x, w = x * np.float32(1e-20), w * np.float32(1e-20)
    assert_same_bits(layer.run(x, w), layer.run(x, w, algorithm="direct"))


@pytest.mark.parametrize("power", [-60, -40, 0, 40, 46])
def test_powers_of_two_within_the_range_change_nothing_else(power: int) -> None:
    for layer in PLACES[:3]:
        x, w = layer.data()
        y = layer.run(x, w)
        assert_same_bits(layer.run(np.ldexp(x, power), w), np.ldexp(y, power))
        assert_same_bits(layer.run(x, np.ldexp(w, power // 2)), np.ldexp(y, power // 2))


@pytest.mark.parametrize("bits", [0x7FFF, 0x7F80, 0x7F7FFF, 0x1FFABCD, 0x7FFABCD, 0x80007FFF])
def test_one_tiny_value_reaches_no_other_channel(bits: int) -> None:
    """Its third part has digits below those of bfloat16."""
    tiny = np.array([bits], np.uint32).view(np.float32)[0]
    for layer in (same((1, 1), (8, 9), 40, 20), same((3, 3), (8, 9), 40, 20)):
        x, w = np.ones((1, 40, 8, 9), "f4"), np.ones((20, 40, *layer.kernel), "f4")
        direct = layer.run(x, w, algorithm="direct")
        for channel in (0, 15, 16, 31, 39):
            for array in (x, w):
                array[0, channel, 0, 0] = tiny
                y = layer.run(x, w)
                assert np.isfinite(y).all()
                assert (np.abs(y - direct) <= 1).all()
                array[0, channel, 0, 0] = 1


def test_sums_near_the_end_of_the_range() -> None:
    """Partial sums that are in another order than direct ones overflow no sooner."""
    layer = Layer((3, 3), (3, 3), 32, 16)
    x, w = np.full((1, 32, 3, 3), 1.9 * 2.0**60, "f4"), np.full((16, 32, 3, 3), 1.9 * 2.0**60, "f4")
    w.reshape(16, 32, 9)[:, :, 4:] *= -1
    direct = layer.run(x, w, algorithm="direct")
    assert np.isfinite(direct).all()
    layer.check(x, w, layer.run(x, w))


def test_zeros() -> None:
    layer = PLACES[2]
    x, w = layer.data()
    for a, b in ((x * 0, w), (x, w * 0), (x * 0, w * np.float32(1e-40))):
        assert_same_bits(np.abs(layer.run(a, b)), np.zeros_like(layer.run(x, w)))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 1e-39])
def test_padding_value_of_any_size(value: float) -> None:
    layer = replace(PLACES[2], mode="constant", value=value)
    x, w = layer.data()
    y, direct = layer.run(x, w), layer.run(x, w, algorithm="direct")
    if value == 1e-39:
        layer.check(x, w, y)
    else:
        assert_same_bits(y, direct)


# ------------------------------------------------------------------------------------ reproduction

REPRODUCED = [
    same((1, 1), (28, 28), 64, 70, batch=3),
    same((1, 1), (7, 7), 130, 96, batch=2),
    Layer((1, 1), (29, 30), 40, 33, stride=(2, 3), batch=2),
    same((1,), (200,), 1400, 40),
    same((3, 3), (40, 39), 33, 70, batch=2),
    same((3, 3), (7, 7), 300, 100, batch=2),
    same((3, 3), (13, 14), 34, 20, groups=3, batch=3, mode="reflect"),
    same((5, 5), (36, 35), 70, 34),
    same((3, 3), (19, 22), 48, 16, dilation=(2, 4), batch=2),
    same((2, 3, 3), (4, 11, 12), 20, 33, batch=2),
]


@pytest.mark.parametrize("layer", REPRODUCED)
def test_threads_and_batches_do_not_change_a_bit(layer: Layer) -> None:
    x, w = layer.data()
    y = layer.run(x, w, threads=1)
    layer.check(x, w, y)
    for threads in (2, 3, 7):
        assert_same_bits(layer.run(x, w, threads=threads), y)
    for n in range(layer.batch):
        assert_same_bits(layer.run(x[n], w, threads=2), y[n])
    many = np.concatenate([x] * 5)
    for threads in (1, 2):
        assert_same_bits(layer.run(many, w, threads=threads), np.concatenate([y] * 5))


@pytest.mark.parametrize("layer", REPRODUCED)
@pytest.mark.parametrize("layout", cases.LAYOUTS)
def test_layouts_do_not_change_a_bit(layer: Layer, layout: str) -> None:
    rng = np.random.default_rng(3)
    x, w = layer.data()
    x, w = cases.arrange(x, layout, rng), cases.arrange(w, layout, rng)
    y = layer.run(np.ascontiguousarray(x), np.ascontiguousarray(w))
    assert_same_bits(layer.run(x, w, threads=2), y)
    plan = layer.plan(w)
    for out_layout in cases.OUT_LAYOUTS:
        canvas = cases.Canvas(y.shape, "float32", out_layout, rng)
        given = layer.run(x, w, out=canvas.array)
        canvas.check(given)
        assert_same_bits(given.copy(), y)
        canvas = cases.Canvas(y.shape, "float32", out_layout, rng)
        given = plan(x, out=canvas.array)
        canvas.check(given)
        assert_same_bits(given.copy(), y)


@pytest.mark.parametrize("layer", REPRODUCED)
def test_other_memory_does_not_change_a_bit(layer: Layer) -> None:
    """Bytes swapped, axes reversed, channels last by argument."""
    x, w = layer.data()
    y = layer.run(x, w)
    assert_same_bits(layer.run(x.astype(">f4"), w), y)
    assert_same_bits(layer.run(x, w.astype(">f4")), y)
    backwards = (slice(None), slice(None), *(slice(None, None, -1),) * len(layer.kernel))
    turned = np.ascontiguousarray(x[backwards])[backwards]
    assert_same_bits(layer.run(turned, np.ascontiguousarray(w[::-1])[::-1]), y)
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    assert_same_bits(np.moveaxis(layer.run(last, w, layout="NHWC"), -1, 1), y)
    plan = layer.plan(w, layout="NHWC", input_shape=last.shape)
    assert_same_bits(np.moveaxis(plan(last), -1, 1), y)


@pytest.mark.parametrize("layer", REPRODUCED)
def test_plans_give_the_same_bits(layer: Layer) -> None:
    """Also on arrays unlike those that they were made for."""
    rng = np.random.default_rng(4)
    x, w = layer.data()
    bias = cases.normals(rng, (len(w),), "f4")
    y = layer.run(x, w, bias, activation="relu", threads=1)
    residual = cases.normals(rng, y.shape, "f4")
    added = layer.run(x, w, bias, activation="relu", residual=residual)
    for threads in (1, 3):
        plan = layer.plan(w, bias, activation="relu", threads=threads)
        assert plan.algorithm == "bf16x3"
        assert "bfloat16" in plan.explain()
        assert_same_bits(plan(x), y)
        assert_same_bits(plan(cases.channels_last(x)), y)
        assert_same_bits(plan(cases.arrange(x, "scattered", rng)), y)
        assert_same_bits(plan(x[:1]), y[:1])
        assert_same_bits(plan(np.concatenate([x] * 3)), np.concatenate([y] * 3))
        assert_same_bits(plan(cases.channels_last(x), residual=residual), added)
        out = np.empty_like(y)
        assert_same_bits(plan(x, residual=cases.channels_last(residual), out=out), added)


def test_groups_are_convolutions_of_their_own() -> None:
    for layer in (
        same((3, 3), (11, 13), 16, 20, groups=3),
        same((1, 1), (9, 20), 40, 33, groups=2),
    ):
        x, w = layer.data()
        y, c, m = layer.run(x, w), layer.channels, layer.filters
        for g in range(layer.groups):
            alone = replace(layer, groups=1)
            part = alone.run(x[:, c * g : c * g + c], w[m * g : m * g + m])
            assert_same_bits(y[:, m * g : m * g + m].copy(), part)


def test_one_axis_is_two_of_which_one_is_short() -> None:
    layer = same((5,), (133,), 33, 20, dilation=(3,))
    x, w = layer.data()
    y = cconv.conv2d(
        x[:, :, None], w[:, :, None], padding=((0, 0), *layer.pads), dilation=(1, 3),
        algorithm="bf16x3",
    )  # fmt: skip
    assert_same_bits(layer.run(x, w), y[:, :, 0].copy())


def test_a_kernel_of_one_tap_is_one_of_zeros_around_it() -> None:
    """Planes and lines are the same sums."""
    layer = same((1, 1), (13, 17), 70, 40)
    x, w = layer.data()
    around = np.zeros((40, 70, 3, 3), "f4")
    around[:, :, 1, 1] = w[:, :, 0, 0]
    y = same((3, 3), (13, 17), 70, 40).run(x, around)
    np.testing.assert_allclose(y, layer.run(x, w), rtol=0, atol=1e-5 * np.abs(y).max())


def test_out_may_be_the_input() -> None:
    for kernel in ((1, 1), (3, 3)):
        layer = same(kernel, (13, 13), 32, 32)
        x, w = layer.data()
        for value in (1, np.nan):
            x[0, 3, 2, 2] = value
            expected, given = layer.run(x, w), x.copy()
            assert layer.run(given, w, out=given) is given
            assert_same_bits(given, expected)


@pytest.mark.parametrize("step", [2, 3])
def test_not_finite_outside_every_window_depends_on_no_thread(step: int) -> None:
    """What strides leave behind the last window is in no block, or in all ways to cut them."""
    for size in range(24, 48):
        layer = Layer((2, 2), (size, size), 64, 64, stride=(step, step))
        x, w = layer.data()
        reach = (size - 2) // step * step + 2
        x[:, :, reach:], x[..., reach:] = np.nan, np.inf
        y = layer.run(x, w, threads=1)
        assert np.isfinite(y).all()
        for threads in (2, 3, 7):
            assert_same_bits(layer.run(x, w, threads=threads), y)


# ------------------------------------------------------------------------------------------ dtypes


def test_dtypes_of_storage() -> None:
    for layer in (PLACES[0], PLACES[2], PLACES[4]):
        x, w = layer.data()
        x16, w16 = x.astype("f2"), w.astype("f2")
        y = layer.run(x16, w16)
        assert y.dtype == np.float16
        wide16 = layer.run(x16.astype("f4"), w16.astype("f4"))
        assert_same_bits(y, wide16.astype("f2"))
        assert_same_bits(layer.run(cases.channels_last(x16), w16), y)
        plan = layer.plan(w16)
        assert_same_bits(plan(x16), y)
        small = (x * 40).astype("i1")
        assert_same_bits(layer.run(small, w), layer.run(small.astype("f4"), w))
        assert_same_bits(layer.run(x16, w), layer.run(x16.astype("f4"), w))
