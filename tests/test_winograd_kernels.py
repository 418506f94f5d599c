"""Winograd's algorithm beyond 3 x 3: dilated kernels, kernels along one axis, 5 x 5, turned axes.

The gate is that of test_winograd.py.  Taps of an axis that is not transformed count as channels,
and a tile is one of every d-th output where the kernel has dilation d.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import Array, assert_same_bits
from test_padding_modes import NUMPY as NUMPY_MODES
from test_winograd import ALIKE, DRAWS, GATE, assert_close, outlier, positive

import cconv

pytestmark = pytest.mark.skipif(cases.CORE is None, reason="the NumPy reference has one algorithm")

CONV: list[Callable[..., Array]] = [cconv.conv1d, cconv.conv2d, cconv.conv3d]
Ints = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A convolution with a kernel that 'winograd' serves."""

    dtype: str
    kernel: Ints
    spatial: Ints
    in_channels: int  # of a group, and so the others
    out_channels: int
    dilation: Ints
    stride: Ints
    pads: tuple[tuple[int, int], ...]
    groups: int = 1
    mode: str = "zeros"
    batch: int = 1
    seed: int = 0

    @property
    def arguments(self) -> dict[str, Any]:
        one = len(self.kernel) == 1
        steps = {"stride": self.stride, "dilation": self.dilation}
        where = {"padding": self.pads, "groups": self.groups, "padding_mode": self.mode}
        return where | {name: value[0] if one else value for name, value in steps.items()}

    def data(self, draw: Callable[..., Array] = cases.normals) -> tuple[Array, Array]:
        rng = np.random.default_rng(self.seed)
        x = draw(rng, (self.batch, self.groups * self.in_channels, *self.spatial), self.dtype)
        shape = (self.groups * self.out_channels, self.in_channels, *self.kernel)
        return x, (cases.normals if draw is outlier else draw)(rng, shape, self.dtype)

    def run(self, x: Array, w: Array, *more: Any, **keywords: Any) -> Array:
        keywords = {"algorithm": "winograd", **self.arguments, **keywords}
        return CONV[len(self.kernel) - 1](x, w, *more, **keywords)

    def plan(self, x: Array, w: Array, *more: Any, **keywords: Any) -> cconv.ConvPlan:
        keywords = {"algorithm": "winograd", **self.arguments, **keywords}
        return cconv.ConvPlan(w, *more, input_shape=x.shape, **keywords)


def layer_of(kernel: Ints, spatial: Ints, channels: tuple[int, int], **more: Any) -> Layer:
    """As many outputs as inputs, by default; dilation may be one number."""
    rank = len(kernel)
    dilation = more.pop("dilation", 1)
    dilation = dilation if isinstance(dilation, tuple) else (dilation,) * rank
    pads = tuple(
        (d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2)
        for k, d in zip(kernel, dilation, strict=True)
    )
    more = {"dtype": "float32", "stride": (1,) * rank, "pads": pads} | more
    return Layer(
        kernel=kernel, spatial=spatial, in_channels=channels[0], out_channels=channels[1],
        dilation=dilation, **more,
    )  # fmt: skip


def roles(layer: Layer) -> str:
    """Of three axes: transformed (x), summed over (s), or without a window (-)."""
    kernel, stride = ((1,) * (3 - len(t)) + t for t in (layer.kernel, layer.stride))
    if kernel[1] == kernel[2] in (3, 5) and stride[1:] == (1, 1):
        return "sxx"
    if kernel[2] in (3, 5):
        return "s-x" if (kernel[1], stride[1]) == (1, 1) else "-sx"
    return "sx-"


def excess(layer: Layer, x: Array, w: Array, y: Array) -> float:
    """The error in units of what the gate is counted in, at its worst."""
    missing = 3 - len(layer.kernel)
    kernel, step, stride = (
        (1,) * missing + t for t in (layer.kernel, layer.dilation, layer.stride)
    )
    mode: Any = NUMPY_MODES[layer.mode]
    padded = np.pad(x, ((0, 0), (0, 0), *layer.pads), mode)
    lead = (1,) * missing
    wide = np.dtype(np.float64 if layer.dtype == "float32" else np.longdouble)
    n, groups = layer.batch, layer.groups
    padded = padded.reshape(n, groups, layer.in_channels, *lead, *padded.shape[2:]).astype(wide)
    w = w.reshape(groups, -1, layer.in_channels, *kernel).astype(wide)
    out = lead + y.shape[2:]
    exact, scale = np.zeros((2, n, groups, layer.out_channels, *out), wide)
    for tap in np.ndindex(*kernel):
        window = padded[(..., *(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, step, out, stride, strict=True)
        ))]  # fmt: skip
        exact += np.einsum("ngc...,gmc->ngm...", window, w[(..., *tap)], optimize=True)
    largest, weight = np.abs(padded), np.abs(w)
    summed = 0
    for a, role in enumerate(roles(layer)):
        if role == "s":
            summed = a
        if role == "x":
            m, phases = 4 if kernel[a] == 3 else 2, min(step[a], out[a])
            o = np.arange(out[a])
            first = o % phases + step[a] * (o // step[a] // m * m)
            reach = first[:, None] + step[a] * np.arange(m + kernel[a] - 1)
            last = padded.shape[3 + a] - 1
            reach = np.where(reach > last, first[:, None], reach)
            largest = largest.take(reach, 3 + a).max(4 + a)
            weight = weight.sum(3 + a, keepdims=True)
    for t in range(weight.shape[3 + summed]):
        at = t * step[summed]
        part = largest[(slice(None),) * (3 + summed) + (
            slice(at, at + (out[summed] - 1) * stride[summed] + 1, stride[summed]),
        )]  # fmt: skip
        taps = weight.take(t, 3 + summed).reshape(groups, -1, layer.in_channels)
        scale += np.einsum("ngc...,gmc->ngm...", part, taps, optimize=True)
    error = np.abs(y.reshape(exact.shape) - exact)
    tiny = np.finfo(layer.dtype).tiny
    return float((error / np.maximum(float(np.finfo(layer.dtype).eps) * scale, tiny)).max())


# ---------------------------------------------------------------------------------------- accuracy

KERNELS: list[Ints] = [
    (3,), (5,),
    (3, 3), (5, 5), (1, 3), (3, 1), (1, 5), (5, 1), (5, 3), (3, 5), (7, 3), (2, 5), (3, 3), (5, 5),
    (2, 5, 5), (3, 3, 3), (1, 1, 5), (3, 1, 3), (1, 5, 3), (2, 3, 1),
]  # fmt: skip


def draw_layer(random: Random, dtype: str) -> Layer:
    """Odd and even maps, dilations that leave phases short or empty, strides where they may be."""
    kernel = random.choice(KERNELS)
    rank = len(kernel)
    steps = [1, 1, 2, 3, 4] if rank == 3 else [1, 1, 2, 3, 5, 8, 17]
    dilation = tuple(random.choice(steps) for _ in kernel)
    mode = random.choice(["zeros", "zeros", *NUMPY_MODES])
    mode = "zeros" if mode == "constant" else mode
    spatial, pads = [], []
    for k, d in zip(kernel, dilation, strict=True):
        span = d * (k - 1) + 1
        size = random.randint(2, (90, 30, 9)[rank - 1])
        most = min(span, size - 1) if mode != "zeros" else span
        before, after = random.randint(0, most), random.randint(0, most)
        spatial.append(size + max(0, span - size - before - after))
        pads.append((before, after))
    stride = [1] * rank
    summed = roles(layer_of(kernel, (), (0, 0))).index("s") + rank - 3
    if summed >= 0:
        stride[summed] = random.choice([1, 1, 2])
    channels = random.choice([16, 17, 33, 48]), random.choice([16, 19, 40, 66])
    return Layer(
        dtype, kernel, tuple(spatial), *channels, dilation, tuple(stride), tuple(pads),
        random.choice([1, 1, 2]), mode, random.choice([1, 2]), random.randrange(2**32),
    )  # fmt: skip


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("dtype", GATE)
def test_sweep_is_within_the_gate(dtype: str, draw: Callable[..., Array]) -> None:
    name = f"winograd_kernels/{dtype}/{draw.__name__}"
    for layer in cases.sweep(name, 25, lambda r: draw_layer(r, dtype)):
        with cases.naming(layer):
            x, w = layer.data(draw)
            y = layer.run(x, w)
            assert excess(layer, x, w, y) <= GATE[dtype], layer
            assert_same_bits(layer.plan(x, w, threads=3)(cases.channels_last(x)), y)


def worst(channels: int, filters: int) -> list[Layer]:
    return [
        layer_of((5, 5), (16, 18), (channels, filters)),
        layer_of((3, 3), (9, 16), (channels, filters), dilation=2),
        layer_of((1, 3), (4, 33), (channels, filters)),
        layer_of((1, 5), (4, 17), (channels, filters)),
        layer_of((3,), (70,), (channels, filters)),
        layer_of((5,), (34,), (channels, filters), dilation=3),
    ]


@pytest.mark.parametrize("draw", DRAWS)
def test_many_channels_are_within_the_gate(draw: Callable[..., Array]) -> None:
    for layer in worst(1100, 17):
        x, w = layer.data(draw)
        assert excess(layer, x, w, layer.run(x, w)) <= GATE["float32"], layer


@pytest.mark.parametrize("channels", [16, 130, 1024])
def test_one_constant_with_another_is_within_the_gate(channels: int) -> None:
    rng = np.random.default_rng(channels)
    for layer in worst(channels, 16):
        x, w = layer.data()
        for a, b in rng.uniform(1, 2, (6, 2)):
            x[...], w[...] = a, b
            assert excess(layer, x, w, layer.run(x, w)) <= GATE["float32"], (layer, a, b)


@pytest.mark.parametrize("dtype", ALIKE)
def test_channels_that_are_all_alike(dtype: str) -> None:
    for layer in worst(256, 16):
        layer = Layer(**{**layer.__dict__, "dtype": dtype})
        x, w = layer.data()
        x[...], w[...] = x[:, :1], w[:, :1]
        assert excess(layer, x, w, layer.run(x, w)) <= ALIKE[dtype], layer


ONE_TAP = {"float32": 40, "float64": 60}  # as the docstring of conv2d says


@pytest.mark.parametrize("dtype", ONE_TAP)
def test_a_tap_that_outweighs_the_others(dtype: str) -> None:
    """The other kind of data that the gate is not kept on: no rounding cancels another."""
    rng = np.random.default_rng(7)
    for kernel in ((3, 3), (5, 5), (1, 3), (1, 5)):
        for seed in range(10):
            layer = layer_of(kernel, (16, 16), (16, 16), dtype=dtype, seed=seed)
            x, w = layer.data()
            w *= 1e-8
            for one in w:
                one.flat[rng.integers(one.size)] = rng.uniform(1, 2)
            assert excess(layer, x, w, layer.run(x, w)) <= ONE_TAP[dtype], (kernel, seed)


# ---------------------------------------------------------------------------- which sums they are


def test_dilated_kernels_are_kernels_of_phases() -> None:
    """To the last bit, where the same tiles are chosen."""
    for kernel, step in (((3, 3), (2, 3)), ((5, 5), (3, 2)), ((1, 5), (1, 9)), ((3, 1), (4, 1))):
        layer = layer_of(kernel, (62, 61), (17, 35), dilation=step)
        x, w = layer.data()
        y = layer.run(x, w)
        plain = Layer(**{**layer.__dict__, "dilation": (1, 1), "pads": ((0, 0), (0, 0))})
        padded = np.pad(x, ((0, 0), (0, 0), *layer.pads))
        for p in range(step[0]):
            for q in range(step[1]):
                phase = plain.run(padded[..., p :: step[0], q :: step[1]], w)
                assert_same_bits(y[..., p :: step[0], q :: step[1]].copy(), phase)


def test_axes_trade_places() -> None:
    """A kernel along w is summed over h as it would be over d."""
    layer = layer_of((5, 3), (13, 18), (17, 20), stride=(2, 1), dilation=(2, 3))
    x, w = layer.data()
    bias = np.arange(20, dtype="f4")
    y = layer.run(x, w, bias)
    keywords: dict[str, Any] = {
        "stride": (2, 1, 1),
        "dilation": (2, 1, 3),
        "padding": (layer.pads[0], (0, 0), layer.pads[1]),
    }
    deep = cconv.conv3d(x[:, :, :, None], w[:, :, :, None], bias, algorithm="winograd", **keywords)
    assert_same_bits(y, deep[:, :, :, 0].copy())
    direct = layer.run(x, w, bias, algorithm="direct")
    assert_close(y, direct)


def test_one_axis_is_two_of_which_one_is_short() -> None:
    layer = layer_of((5,), (133,), (33, 20), dilation=3)
    x, w = layer.data()
    wide = cconv.conv2d(
        x[:, :, None], w[:, :, None], padding=((0, 0), layer.pads[0]), dilation=(1, 3),
        algorithm="winograd",
    )  # fmt: skip
    assert_same_bits(layer.run(x, w), wide[:, :, 0].copy())
    assert_close(layer.run(x, w), layer.run(x, w, algorithm="direct"))


# ----------------------------------------------------------------------------- what is not finite

PLACES = [
    layer_of((3, 3), (17, 19), (18, 35), dilation=(2, 5), batch=2),
    layer_of((5, 5), (13, 12), (18, 35), dilation=(1, 3)),
    layer_of((5, 5), (14, 15), (18, 20), dtype="float64"),
    layer_of((1, 3), (9, 30), (33, 20), dilation=(1, 7)),
    layer_of((5, 1), (21, 10), (18, 20), dilation=(3, 1)),
    layer_of((7, 3), (12, 17), (18, 20), stride=(2, 1)),
    layer_of((3,), (97,), (40, 19), dilation=40),
    layer_of((2, 5, 5), (4, 9, 8), (16, 20)),
    layer_of((3, 3), (9, 40), (16, 17), dilation=(16, 33), mode="circular"),
]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layer", PLACES)
def test_not_finite_reaches_its_windows_alone(layer: Layer, value: float) -> None:
    rng = np.random.default_rng(5)
    x, w = layer.data()
    for _ in range(3):
        x.flat[rng.integers(x.size)] = value
    y, direct = layer.run(x, w), layer.run(x, w, algorithm="direct")
    finite = np.isfinite(direct)
    assert not finite.all()
    assert_same_bits(np.where(finite, 0, y).astype(y.dtype), np.where(finite, 0, direct))
    assert_close(y[finite], direct[finite])
    x[...] = value
    assert_same_bits(layer.run(x, abs(w)), layer.run(x, abs(w), algorithm="direct"))


def test_not_finite_outside_every_window_changes_nothing() -> None:
    """Elements that cropping, or a dilation, leaves without a window."""
    layer = layer_of((3, 3), (16, 12), (16, 16), dilation=(7, 5))
    layer = Layer(**{**layer.__dict__, "pads": ((0, 0), (0, 0))})
    x, w = layer.data()
    y = layer.run(x, w)
    assert y.shape[2:] == (2, 2)
    seen = np.zeros((16, 12), bool)
    seen[np.ix_([0, 1, 7, 8, 14, 15], [0, 1, 5, 6, 10, 11])] = True
    x[:, :, ~seen] = np.nan
    assert_same_bits(layer.run(x, w), y)


@pytest.mark.parametrize("step", [1, 7, 2**10, 2**20, 2**30, 2**30 + 1, 2**57, 2**60, 2**62])
def test_taps_that_are_far_apart(step: int) -> None:
    """Along the axis that is summed over; NaN is summed directly, with no more scratch for it."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((1, 17, 4, 60)).astype("f4")
    w = rng.standard_normal((16, 17, 2, 3)).astype("f4")
    x[0, 3, 1, 20] = np.nan
    given: dict[str, Any] = {
        "dilation": (step, 1), "padding": ((step, 0), (1, 1)), "stride": (2, 1),
    }  # fmt: skip
    direct = cconv.conv2d(x, w, algorithm="direct", **given)
    assert_close(cconv.conv2d(x, w, **given)[..., :8], direct[..., :8])
    if step > 2**30:
        with pytest.raises(ValueError, match="dilation of at most"):
            cconv.conv2d(x, w, algorithm="winograd", **given)
        return
    y = cconv.conv2d(x, w, algorithm="winograd", **given)
    assert_same_bits(np.isnan(y), np.isnan(direct))
    assert_close(y[~np.isnan(y)], direct[~np.isnan(y)])
    plan = cconv.ConvPlan(w, input_shape=x.shape, algorithm="winograd", threads=1, **given)
    assert plan.workspace_nbytes <= 8e6


# ------------------------------------------------------------------------------------ reproduction


@pytest.mark.parametrize("layer", PLACES)
def test_nothing_else_changes_a_bit(layer: Layer) -> None:
    """Threads, batches, memory order, and whether it is a plan."""
    rng = np.random.default_rng(3)
    x, w = layer.data()
    bias = np.arange(len(w)).astype(layer.dtype)
    y = layer.run(x, w, bias, activation="relu", threads=1)
    for threads in (2, 7):
        assert_same_bits(layer.run(x, w, bias, activation="relu", threads=threads), y)
    many = np.concatenate([x] * 3)
    assert_same_bits(layer.run(many, w, bias, activation="relu", threads=2)[: len(x)], y)
    for layout in cases.LAYOUTS:
        a, b = cases.arrange(x, layout, rng), cases.arrange(w, layout, rng)
        plain = layer.run(np.ascontiguousarray(a), np.ascontiguousarray(b), bias)
        assert_same_bits(layer.run(a, b, bias, threads=2), plain)
    for out_layout in cases.OUT_LAYOUTS:
        canvas = cases.Canvas(y.shape, layer.dtype, out_layout, rng)
        canvas.check(layer.run(x, w, out=canvas.array))
    plan = layer.plan(x, w, bias, activation="relu", threads=2)
    assert plan.algorithm == "winograd"
    assert "Winograd" in plan.explain()
    assert_same_bits(plan(x), y)
    residual = np.ones_like(y)
    more = layer.run(x, w, bias, activation="relu", residual=residual)
    assert_same_bits(plan(cases.channels_last(x), residual=cases.channels_last(residual)), more)


def test_dtypes_of_storage() -> None:
    for layer in (PLACES[0], PLACES[6]):
        x, w = layer.data()
        x16, w16 = x.astype("f2"), w.astype("f2")
        wide = layer.run(x16.astype("f4"), w16.astype("f4"))
        assert_same_bits(layer.run(x16, w16), wide.astype("f2"))


def test_scratch_is_bounded() -> None:
    """At most 8 MB a thread, however far taps are apart."""
    for kernel, channels, spatial, step in (
        ((3, 3), 1024, (200, 300), (64, 100)), ((5, 5), 512, (64, 64), (1, 1)),
        ((5, 5), 64, (300, 3000), (1, 700)), ((3,), 600, (100000,), (4096,)),
        ((1, 5), 2048, (17, 17), (1, 1)), ((5, 3), 1600, (99, 999), (9, 99)),
    ):  # fmt: skip
        layer = layer_of(kernel, spatial, (channels, 32), dilation=step)
        w = np.zeros((32, channels, *kernel), "f4")
        for threads in (1, 2, 5):
            plan = cconv.ConvPlan(
                w, input_shape=(1, channels, *spatial), threads=threads, algorithm="winograd",
                **layer.arguments,
            )  # fmt: skip
            assert plan.workspace_nbytes <= threads * 8e6, (kernel, step)


# What 'auto' takes, by kernel, dilation, channels in and out of a group, and the size of the map.
CHOSEN: dict[tuple[Ints, int, int, int, int], str] = {
    ((3, 3), 2, 32, 32, 64): "winograd",
    ((3, 3), 16, 32, 32, 64): "winograd",
    ((3, 3), 2, 15, 64, 64): "direct",
    ((1, 3), 1, 384, 384, 8): "winograd",
    ((3, 1), 1, 384, 384, 8): "winograd",
    ((1, 5), 1, 64, 64, 28): "winograd",
    ((1, 5), 1, 16, 16, 28): "direct",
    ((5, 5), 1, 48, 64, 35): "winograd",
    ((5, 5), 1, 64, 64, 1): "direct",
    ((5, 3), 1, 64, 64, 28): "winograd",
    ((3,), 4, 600, 600, 400): "winograd",
    ((5,), 1, 16, 16, 400): "direct",
    ((1, 7), 1, 192, 192, 17): "direct",
}
# Of these, what a matrix unit computes faster.
PRODUCTS: list[tuple[Ints, int, int, int, int]] = [
    ((1, 3), 1, 384, 384, 8),
    ((3, 1), 1, 384, 384, 8),
    ((1, 5), 1, 64, 64, 28),
    ((5, 5), 1, 48, 64, 35),
    ((5, 3), 1, 64, 64, 28),
    ((3,), 4, 600, 600, 400),
    ((1, 7), 1, 192, 192, 17),
]


@pytest.mark.parametrize("shape", CHOSEN)
def test_auto_is_a_function_of_shapes(shape: tuple[Ints, int, int, int, int]) -> None:
    kernel, step, c, oc, size = shape
    expected = "int8x3" if cases.MATRIX_UNIT and shape in PRODUCTS else CHOSEN[shape]
    spatial = (size,) * len(kernel)
    arguments = {"padding": "same", "dilation": step}
    w = np.zeros((oc, c, *kernel), "f4")
    for batch in (1, 8):
        for threads in (1, 2, 7):
            given: dict[str, Any] = {"threads": threads, **arguments}
            plan = cconv.ConvPlan(w, input_shape=(batch, c, *spatial), **given)
            last = cconv.ConvPlan(w, input_shape=(batch, *spatial, c), layout="NHWC", **given)
            assert plan.algorithm == last.algorithm == expected
    x = np.random.default_rng(0).standard_normal((1, c, *spatial)).astype("f4")
    w = np.random.default_rng(1).standard_normal(w.shape).astype("f4")
    conv = CONV[len(kernel) - 1]
    assert_same_bits(conv(x, w, **arguments), conv(x, w, algorithm=expected, **arguments))


def test_dilations_beyond_all_indices_are_refused() -> None:
    x, w = np.ones((1, 16, 9), "f4"), np.ones((16, 16, 3), "f4")
    for step in (2**31, 2**61):
        far = {"dilation": step, "padding": step}
        with pytest.raises(ValueError, match=f"'winograd'.*dilation.*{step}.*'auto'"):
            cconv.conv1d(x, w, algorithm="winograd", **far)
        assert_same_bits(cconv.conv1d(x, w, **far), np.full((1, 16, 9), 16, "f4"))


CODE = """
import numpy as np
import cconv

rng = np.random.default_rng(1)
for dtype, gate in (("f4", 8), ("f8", 24)):
    for k, d in (((5, 5), (1, 1)), ((3, 3), (2, 3)), ((3, 3), (1, 9)), ((1, 3), (1, 1)),
                 ((5, 1), (2, 1)), ((5, 3), (1, 2)), ((1, 5), (1, 17))):
        for c, oc, h, w in ((16, 17, 9, 12), (37, 70, 14, 27)):
            x = rng.standard_normal((1, c, h, w)).astype(dtype)
            t = rng.standard_normal((oc, c, *k)).astype(dtype)
            more = {"padding": tuple((s * (n - 1) // 2,) * 2 for n, s in zip(k, d)), "dilation": d}
            y = cconv.conv2d(x, t, algorithm="winograd", **more)
            wide = x.astype("f8"), t.astype("f8")
            exact = cconv.conv2d(*wide, algorithm="direct", **more)
            scale = cconv.conv2d(*map(abs, wide), algorithm="direct", **more).max()
            error = abs(y - exact).max() / (np.finfo(dtype).eps * scale)
            assert 0 < error <= gate, (dtype, k, d, error)
            plan = cconv.ConvPlan(t, input_shape=x.shape, algorithm="winograd", **more)
            assert (plan(x) == y).all()
            x[0, 3, 2, 2] = np.nan
            y = cconv.conv2d(x, t, algorithm="winograd", threads=2, **more)
            assert (np.isnan(y) == np.isnan(cconv.conv2d(x, t, algorithm="direct", **more))).all()
print("done")
"""


def test_every_instruction_set(core: Any) -> None:
    for name in core.isa_names():
        status, output, error = cases.run_python(CODE, CCONV_ISA=name)
        assert (status, output) == (0, "done"), (name, error)


def test_positive_data_of_every_kernel() -> None:
    for kernel in dict.fromkeys(KERNELS):
        layer = layer_of(kernel, (24,) * min(2, len(kernel)) + (6,) * (len(kernel) == 3), (130, 16))
        x, w = layer.data(positive)
        assert excess(layer, x, w, layer.run(x, w)) <= GATE["float32"], kernel
