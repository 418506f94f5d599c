"""Winograd's algorithm: how accurate it is, that it reproduces, and which convolutions it serves.

The gate is the interface's: |y - exact| <= G eps sum over c of (max over the tile |x_c|)
(sum |w_c|), G = 8 for float32 and 24 for float64.  Tiles are 4 x 4 outputs, from the plane's first
on; those of 2 x 2 lie inside, so their gate is looser here by what their neighbours hold.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import Array, assert_same_bits
from test_padding_modes import NUMPY as NUMPY_MODES

import cconv

GATE = {"float32": 8, "float64": 24}
Pads = tuple[tuple[int, int], ...]

pytestmark = pytest.mark.skipif(cases.CORE is None, reason="the NumPy reference has one algorithm")


@dataclass(frozen=True)
class Layer:
    """A convolution with a kernel of 3 x 3, or kd x 3 x 3."""

    dtype: str
    spatial: tuple[int, ...]
    in_channels: int
    out_channels: int
    groups: int = 1
    pads: Pads = ((1, 1), (1, 1))
    depth: int = 0  # slices of the kernel, 0 for two spatial axes
    mode: str = "zeros"
    value: float = 0.0
    batch: int = 1
    seed: int = 0

    @property
    def arguments(self) -> dict[str, Any]:
        where = {"padding": self.pads, "groups": self.groups, "padding_mode": self.mode}
        return where | ({"padding_value": self.value} if self.mode == "constant" else {})

    @property
    def conv(self) -> Callable[..., Array]:
        return cconv.conv3d if self.depth else cconv.conv2d

    def data(self, draw: Callable[..., Array] = cases.normals) -> tuple[Array, Array]:
        rng = np.random.default_rng(self.seed)
        x = draw(rng, (self.batch, self.in_channels, *self.spatial), self.dtype)
        kernel = (self.depth, 3, 3) if self.depth else (3, 3)
        w = draw(rng, (self.out_channels, self.in_channels // self.groups, *kernel), self.dtype)
        return x, w

    def run(self, x: Array, w: Array, *more: Any, **keywords: Any) -> Array:
        keywords = {"algorithm": "winograd", **self.arguments, **keywords}
        return self.conv(x, w, *more, **keywords)

    def padded(self, x: Array) -> Array:
        """The input with its border: what the windows see."""
        width = ((0, 0), (0, 0), *((max(b, 0), max(a, 0)) for b, a in self.pads))
        mode: Any = NUMPY_MODES[self.mode]
        sides = zip(self.spatial, self.pads, strict=True)
        cut = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in sides)
        if mode == "constant":
            return np.pad(x[(..., *cut)], width, mode, constant_values=self.value)
        return np.pad(x, width, mode)


def exact(x: Array, w: Array, groups: int) -> Array:
    """The convolution of a padded input, in twice the precision."""
    wide = np.dtype(np.float64 if x.dtype == np.float32 else np.longdouble)
    n, c, *spatial = x.shape
    out = [i - k + 1 for i, k in zip(spatial, w.shape[2:], strict=True)]
    y = np.zeros((n, groups, len(w) // groups, *out), wide)
    x = x.astype(wide).reshape(n, groups, c // groups, *spatial)
    w = w.astype(wide).reshape(groups, -1, *w.shape[1:])
    for tap in np.ndindex(*w.shape[3:]):
        window = x[(..., *(slice(t, t + o) for t, o in zip(tap, out, strict=True)))]
        y += np.einsum("ngc...,gmc->ngm...", window, w[(..., *tap)], optimize=True)
    return y.reshape(n, -1, *out)


def scale(x: Array, w: Array, groups: int) -> Array:
    """The gate less its constant, for every output of a padded input: (n, oc, od, oh, ow)."""
    x, w = np.abs(x), np.abs(w)
    if x.ndim == 4:
        x, w = x[:, :, None], w[:, :, None]
    n, _, d, *plane = x.shape
    rows, columns = (i - 2 for i in plane)
    tall, wide = (-(-i // 4) * 4 for i in (rows, columns))
    x = np.pad(x, [(0, 0)] * 3 + [(0, tall - rows), (0, wide - columns)])
    tiles = np.lib.stride_tricks.sliding_window_view(x, (6, 6), (3, 4))[:, :, :, ::4, ::4]
    largest = tiles.max((-2, -1)).astype(np.float64)
    taps = w.sum((3, 4)).astype(np.float64).reshape(groups, -1, *w.shape[1:3])
    slices = d - w.shape[2] + 1
    total = 0
    for k in range(w.shape[2]):
        part = largest[:, :, k : k + slices].reshape(n, groups, -1, slices, tall // 4, wide // 4)
        total = total + np.einsum("ngc...,gmc->ngm...", part, taps[..., k], optimize=True)
    y = np.asarray(total).reshape(n, -1, slices, tall // 4, wide // 4)
    return y.repeat(4, 3)[:, :, :, :rows].repeat(4, 4)[..., :columns]


def excess(layer: Layer, x: Array, w: Array, y: Array) -> float:
    """The error in units of what the gate is counted in, at its worst."""
    padded = layer.padded(x)
    eps = float(np.finfo(layer.dtype).eps)
    bound = eps * scale(padded, w, layer.groups).reshape(y.shape)
    error = np.abs(y - exact(padded, w, layer.groups)).astype(np.float64)
    return float((error / np.maximum(bound, np.finfo(layer.dtype).tiny)).max())


# ---------------------------------------------------------------------------------------- accuracy


def positive(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return rng.uniform(0, 1, shape).astype(dtype)


def outlier(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Normal values, but for one of 1e8."""
    a = cases.normals(rng, shape, dtype)
    if a.shape[-1] > 3:  # not in a kernel
        a.flat[rng.integers(a.size)] = 1e8
    return a


DRAWS = [cases.normals, positive, outlier]


def draw_layer(random: Random, dtype: str) -> Layer:
    """Odd and even maps, channels that fill vectors or do not, groups and pads of every kind."""
    groups = random.choice([1, 1, 1, 2, 3])
    small = dtype == "float64"
    per_group = random.choice([16, 17, 24, 31, 33, 48] if small else [16, 17, 32, 47, 64, 96, 130])
    filters = random.choice([16, 19, 32, 40] if small else [16, 19, 32, 50, 64, 80, 96, 130])
    mode = random.choice(["zeros", "zeros", *NUMPY_MODES])
    least = 3 if mode in ("zeros", "constant") else 4
    spatial = tuple(random.randint(least, 20 if small else 33) for _ in range(2))
    crop = -1 if mode in ("zeros", "constant") and min(spatial) > 5 else 0
    pads = tuple((random.randint(crop, 2), random.randint(crop, 2)) for _ in spatial)
    value = 3.0 if mode == "constant" else 0.0
    return Layer(
        dtype, spatial, groups * per_group, groups * filters, groups, pads, 0, mode, value,
        random.choice([1, 1, 2]), random.randrange(2**32),
    )  # fmt: skip


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("dtype", GATE)
def test_sweep_is_within_the_gate(dtype: str, draw: Callable[..., Array]) -> None:
    name = f"winograd/{dtype}/{draw.__name__}"
    for layer in cases.sweep(name, 25, lambda r: draw_layer(r, dtype)):
        with cases.naming(layer):
            x, w = layer.data(draw)
            assert excess(layer, x, w, layer.run(x, w)) <= GATE[dtype], layer


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 28, 31, 32, 33])
def test_every_size_is_within_the_gate(size: int) -> None:
    for layer in (
        Layer("float32", (size, size), 64, 64),
        Layer("float32", (34 - size, size), 33, 20, seed=1),
        Layer("float32", (size + 2, size + 3), 16, 130, pads=((0, 0), (0, 0)), seed=2),
    ):
        x, w = layer.data()
        assert excess(layer, x, w, layer.run(x, w)) <= GATE["float32"], layer


@pytest.mark.parametrize("draw", DRAWS)
def test_many_channels_are_within_the_gate(draw: Callable[..., Array]) -> None:
    """Sums of one sign lose digits with every term: these are cut into shorter ones."""
    for channels in (512, 1100):
        layer = Layer("float32", (9, 10), channels, 32)
        x, w = layer.data(draw)
        assert excess(layer, x, w, layer.run(x, w)) <= GATE["float32"], layer


@pytest.mark.parametrize("dtype", GATE)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_slices_are_summed(depth: int, dtype: str) -> None:
    pads = ((1, 1), (1, 1), (0, 2))
    layer = Layer(dtype, (5, 9, 10), 17, 20, depth=depth, pads=pads)
    x, w = layer.data()
    y = layer.run(x, w)
    assert excess(layer, x, w, y) <= GATE[dtype]
    direct = layer.run(x, w, algorithm="direct", stride=(2, 1, 1), dilation=(2, 1, 1))
    strided = layer.run(x, w, stride=(2, 1, 1), dilation=(2, 1, 1))
    assert_close(strided, direct)


@pytest.mark.parametrize("dtype", GATE)
@pytest.mark.parametrize("depth", [2, 3])
def test_slices_in_one_block_are_those_alone(depth: int, dtype: str) -> None:
    """Slices out that share slices in have the bits that each has from these alone."""
    for slices, size, channels in ((7, 15, (33, 40)), (19, 15, (130, 18)), (2, 30, (17, 20))):
        layer = Layer(dtype, (slices, size, size + 1), *channels, depth=depth, pads=((0, 0),) * 3)
        layer = replace(layer, pads=((1, 1), (1, 1), (0, 1)), batch=2)
        x, w = layer.data()
        y = layer.run(x, w, threads=1)
        assert_same_bits(layer.run(x, w, threads=3), y)
        inner = replace(layer, pads=((0, 0), (1, 1), (0, 1)))
        for d in range(slices - depth + 1):
            alone = inner.run(np.ascontiguousarray(x[:, :, d : d + depth]), w)
            assert_same_bits(y[:, :, d + 1 : d + 2].copy(), alone)
        x[1, 3, 1, 2, 2] = np.nan
        direct, y = layer.run(x, w, algorithm="direct"), layer.run(x, w)
        touched = whole_tiles(~np.isfinite(direct))
        assert_same_bits(y[touched], direct[touched])
        assert_close(y[~touched], direct[~touched])


def assert_close(y: Array, direct: Array) -> None:
    """Nearly the same: for what the gate itself was shown of."""
    assert y.shape == direct.shape
    tolerance = 1e3 * np.finfo(y.dtype).eps
    np.testing.assert_allclose(y, direct, tolerance, tolerance * float(np.abs(direct).max()))


@pytest.mark.parametrize("channels", [16, 64, 130, 1024])
def test_one_constant_with_another_is_within_the_gate(channels: int) -> None:
    """Every product of a sum is the same, and rounds the same way: long chains would drift."""
    rng = np.random.default_rng(channels)
    layer = Layer("float32", (18, 18), channels, 16, pads=((0, 0), (0, 0)))
    for a, b in rng.uniform(1, 2, (30, 2)):
        x, w = layer.data(lambda _, shape, dtype, value=a: np.full(shape, value, dtype))
        w[...] = b
        assert excess(layer, x, w, layer.run(x, w)) <= GATE["float32"], (a, b)


ALIKE = {"float32": 40, "float64": 50}  # as the docstring of conv2d and README.md say


@pytest.mark.parametrize("dtype", ALIKE)
@pytest.mark.parametrize("channels", [64, 256, 1024])
def test_channels_that_are_all_alike(channels: int, dtype: str) -> None:
    """The one kind of data that the gate is not kept on: each rounding repeats in every channel."""
    layer = Layer(dtype, (18, 18), channels, 16, pads=((0, 0), (0, 0)))
    for seed in range(5):
        x, w = replace(layer, seed=seed).data()
        x[...], w[...] = x[:, :1], w[:, :1]
        assert excess(layer, x, w, layer.run(x, w)) <= ALIKE[dtype], seed


def test_integers_are_within_the_gate_too() -> None:
    """Not exact, as direct sums are: the points are irrational."""
    layer = Layer("float32", (14, 14), 32, 32)
    x, w = layer.data(cases.integers)
    y = layer.run(x, w)
    assert excess(layer, x, w, y) <= GATE["float32"]
    assert_same_bits(layer.run(x, w, algorithm="direct"), exact(layer.padded(x), w, 1).astype("f4"))


def test_dtypes_of_storage() -> None:
    layer = Layer("float32", (12, 15), 33, 40)
    x, w = layer.data()
    x16, w16 = x.astype("f2"), w.astype("f2")
    y = layer.run(x16, w16)
    assert y.dtype == np.float16
    assert_same_bits(y, layer.run(x16.astype("f4"), w16.astype("f4")).astype("f2"))
    small = (x * 40).astype("i1")
    assert_same_bits(layer.run(small, w), layer.run(small.astype("f4"), w))
    assert_same_bits(layer.run(x, w.astype(">f4")), layer.run(x, w))


# ----------------------------------------------------------------------------- what is not finite


def whole_tiles(mask: Array) -> Array:
    """Where any output of the same aligned 2 x 2 is marked: these are in one tile of any size."""
    *_, h, w = mask.shape
    even = np.pad(mask, [(0, 0)] * (mask.ndim - 2) + [(0, h % 2), (0, w % 2)])
    any_of = np.maximum.reduce([even[..., i::2, j::2] for i in (0, 1) for j in (0, 1)])
    return any_of.repeat(2, -2).repeat(2, -1)[..., :h, :w]


@pytest.mark.parametrize("dtype", GATE)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [(16, 17), (70, 64)])
def test_not_finite_reaches_its_windows_alone(
    value: float, channels: tuple[int, int], dtype: str
) -> None:
    rng = np.random.default_rng(5)
    for spatial in [(7, 7), (17, 18), (30, 9)]:
        layer = Layer(dtype, spatial, *channels, batch=2)
        x, w = layer.data()
        for _ in range(3):
            x.flat[rng.integers(x.size)] = value
        y, direct = layer.run(x, w), layer.run(x, w, algorithm="direct")
        assert_same_bits(np.where(np.isfinite(y), 0, y), np.where(np.isfinite(direct), 0, direct))
        touched = whole_tiles(~np.isfinite(direct))
        assert_same_bits(y[touched], direct[touched])
        finite = np.isfinite(direct)
        assert_close(y[finite], direct[finite])


def test_not_finite_in_a_weight_reaches_its_channel_alone() -> None:
    layer = Layer("float32", (17, 18), 20, 40)
    x, w = layer.data()
    w[7, 3, 1, 2] = np.inf
    y, direct = layer.run(x, w), layer.run(x, w, algorithm="direct")
    assert_same_bits(y[:, 7], direct[:, 7])
    others = [c for c in range(40) if c != 7]
    w[7] = 0
    assert_same_bits(y[:, others], layer.run(x, w)[:, others])


def test_overflow_on_the_way_is_summed_directly() -> None:
    """Where a tile's transform overflows but the sum does not, and where both do."""
    layer = Layer("float32", (8, 8), 16, 16)
    x, w = layer.data()
    big = x * np.float32(3e37)
    y, direct = layer.run(big, w), layer.run(big, w, algorithm="direct")
    assert (np.isfinite(y) == np.isfinite(direct)).all()
    assert np.isinf(direct).any() or np.isfinite(direct).all()


def test_not_finite_outside_every_window_changes_nothing() -> None:
    """Elements that cropping, or the last whole tile's end, leaves without a window."""
    layer = Layer("float32", (11, 12), 16, 16, pads=((0, -1), (-2, -1)))
    x, w = layer.data()
    y = layer.run(x, w)
    x[:, :, -1], x[..., :2], x[..., -1] = np.nan, np.inf, -np.inf
    assert_same_bits(layer.run(x, w), y)
    mirrored = replace(layer, pads=((0, 0), (1, 0)), mode="reflect")
    x, w = mirrored.data()
    x[0, 0, 4, 5] = 1e30
    assert excess(mirrored, x, w, mirrored.run(x, w)) <= GATE["float32"]


def test_all_not_finite() -> None:
    layer = Layer("float32", (9, 9), 33, 20)
    x, w = layer.data()
    x[...] = np.nan
    bias = np.ones(20, "f4")
    assert np.isnan(layer.run(x, w, bias)).all()


# ------------------------------------------------------------------------------------ reproduction

REPRODUCED = [
    Layer("float32", (19, 30), 33, 70, batch=3),
    Layer("float32", (7, 7), 130, 96, batch=2),
    Layer("float32", (28, 28), 64, 64),
    Layer("float64", (13, 14), 34, 20, groups=2, batch=3, mode="reflect"),
    Layer("float64", (12, 12), 160, 40),
    Layer("float32", (4, 11, 12), 20, 33, depth=3, pads=((1, 1),) * 3, batch=2),
    Layer("float32", (19, 5, 6), 40, 70, depth=2, pads=((0, 1),) * 3),
]


@pytest.mark.parametrize("layer", REPRODUCED)
def test_threads_and_batches_do_not_change_a_bit(layer: Layer) -> None:
    x, w = layer.data()
    y = layer.run(x, w, threads=1)
    for threads in (2, 3, 7):
        assert_same_bits(layer.run(x, w, threads=threads), y)
    for n in range(layer.batch):
        assert_same_bits(layer.run(x[n], w, threads=2), y[n])
    many = np.concatenate([x] * 5)
    assert_same_bits(layer.run(many, w, threads=2)[-layer.batch :], y)


@pytest.mark.parametrize("layer", REPRODUCED)
@pytest.mark.parametrize("layout", cases.LAYOUTS)
def test_layouts_do_not_change_a_bit(layer: Layer, layout: str) -> None:
    rng = np.random.default_rng(3)
    x, w = layer.data()
    x, w = cases.arrange(x, layout, rng), cases.arrange(w, layout, rng)
    plain = layer.run(np.ascontiguousarray(x), np.ascontiguousarray(w))
    y = layer.run(x, w, threads=2)
    assert_same_bits(y, plain)
    for out_layout in cases.OUT_LAYOUTS:
        canvas = cases.Canvas(y.shape, layer.dtype, out_layout, rng)
        canvas.check(layer.run(x, w, out=canvas.array))


def test_channels_last_by_argument() -> None:
    layer = REPRODUCED[0]
    x, w = layer.data()
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    y = np.moveaxis(layer.run(last, w, layout="NHWC"), -1, 1)
    assert_same_bits(y, layer.run(x, w))


@pytest.mark.parametrize("layer", REPRODUCED)
def test_plans_give_the_same_bits(layer: Layer) -> None:
    x, w = layer.data()
    bias = np.arange(layer.out_channels).astype(layer.dtype)
    plan = cconv.ConvPlan(
        w, bias, input_shape=x.shape, algorithm="winograd", activation="relu", **layer.arguments
    )
    assert plan.algorithm == "winograd"
    assert "Winograd" in plan.explain()
    expected = layer.run(x, w, bias, activation="relu")
    residual = np.ones_like(expected)
    assert_same_bits(plan(x), expected)
    assert_same_bits(plan(cases.channels_last(x)), expected)
    assert_same_bits(plan(x[:1]), expected[:1])
    more = layer.run(x, w, bias, activation="relu", residual=residual)
    assert_same_bits(plan(x, residual=residual), more)


def test_groups_are_convolutions_of_their_own() -> None:
    layer = Layer("float32", (11, 13), 48, 60, groups=3)
    x, w = layer.data()
    y = layer.run(x, w)
    for g in range(3):
        alone = replace(layer, in_channels=16, out_channels=20, groups=1)
        part = alone.run(x[:, 16 * g : 16 * g + 16], w[20 * g : 20 * g + 20])
        assert_same_bits(y[:, 20 * g : 20 * g + 20].copy(), part)


@pytest.mark.parametrize("activation", [None, "relu", "silu", ("clip", -1, 2)])
@pytest.mark.parametrize("width", [7, 14, 33])
def test_what_follows_the_sum_is_that_of_direct_sums(activation: Any, width: int) -> None:
    """Bias, residual and activation see only sums: of a kernel of zeros both have the same."""
    layer = Layer("float32", (9, width), 16, 35, batch=2)
    x, w = layer.data()
    rng = np.random.default_rng(1)
    bias, residual = cases.normals(rng, (35,), "f4"), cases.normals(rng, (2, 35, 9, width), "f4")
    for add in (residual, cases.channels_last(residual)):
        after = {"activation": activation, "residual": add}
        y = layer.run(x, w * 0, bias, **after)
        assert_same_bits(y, layer.run(x, w * 0, bias, algorithm="direct", **after))
        assert_close(
            layer.run(x, w, bias, **after), layer.run(x, w, bias, algorithm="direct", **after)
        )


def test_out_may_be_the_input() -> None:
    layer = Layer("float32", (13, 13), 32, 32)
    x, w = layer.data()
    expected = layer.run(x, w)
    assert layer.run(x, w, out=x) is x
    assert_same_bits(x, expected)


def test_scratch_is_bounded() -> None:
    """At most 8 MB a thread, whatever the shape."""
    for channels, size in [(64, 224), (512, 28), (1024, 14), (2048, 7), (256, 56), (16, 512)]:
        w = np.zeros((channels, channels, 3, 3), "f4")
        for threads in (1, 2, 5):
            plan = cconv.ConvPlan(
                w[:64], input_shape=(1, channels, size, size), algorithm="winograd", threads=threads
            )
            assert plan.workspace_nbytes <= threads * 8e6


CODE = """
import numpy as np
import cconv

rng = np.random.default_rng(1)
shapes = (16, 16, 5, 6), (33, 70, 14, 13), (130, 40, 9, 9), (64, 64, 28, 28), (130, 50, 7, 7)
for dtype, gate in (("f4", 8), ("f8", 24)):
    for c, oc, h, w in shapes:
        x = rng.standard_normal((1, c, h, w)).astype(dtype)
        k = rng.standard_normal((oc, c, 3, 3)).astype(dtype)
        y = cconv.conv2d(x, k, padding=1, algorithm="winograd")
        direct = cconv.conv2d(x, k, padding=1, algorithm="direct")
        scale = cconv.conv2d(abs(x), abs(k), padding=1, algorithm="direct")
        error = (abs(y - direct) / (np.finfo(dtype).eps * scale)).max()
        assert 0 < error <= gate, (dtype, c, oc, h, w, error)
        plan = cconv.ConvPlan(k, padding=1, input_shape=x.shape, algorithm="winograd")
        assert (plan(x) == y).all()
        x[0, 3, 2, 2] = np.nan
        y = cconv.conv2d(x, k, padding=1, algorithm="winograd", threads=2)
        assert np.isnan(y).sum() == 9 * oc
print(cconv.show_config(mode="dicts") is not None)
"""


def test_every_instruction_set(core: Any) -> None:
    for name in core.isa_names():
        status, output, error = cases.run_python(CODE, CCONV_ISA=name)
        assert (status, output) == (0, "True"), (name, error)


# ------------------------------------------------------------------------------------------ choice

# What 'auto' takes, by channels in and out of a group, and the size of the map.
CHOSEN = {
    (64, 64, 56): "winograd",
    (128, 128, 28): "winograd",
    (256, 256, 14): "winograd",
    (128, 128, 7): "winograd",
    (512, 512, 7): "winograd",
    (16, 16, 112): "winograd",
    (15, 64, 56): "direct",
    (64, 15, 56): "direct",
    (3, 64, 224): "direct",
    (64, 64, 1): "direct",
    (256, 256, 3): "direct",
}
# Of these, what a matrix unit computes faster, in float32.
DIGITS = [(64, 64, 56), (128, 128, 28), (256, 256, 14), (128, 128, 7), (512, 512, 7), (16, 16, 112)]


def chosen(weight: Array, shape: tuple[int, ...], **keywords: Any) -> str:
    keywords = {"padding": 1, **keywords}
    return cconv.ConvPlan(weight, input_shape=shape, **keywords).algorithm


@pytest.mark.parametrize("dtype", GATE)
@pytest.mark.parametrize("shape", CHOSEN)
def test_auto_is_a_function_of_shapes(shape: tuple[int, int, int], dtype: str) -> None:
    c, oc, size = shape
    w = np.zeros((oc, c, 3, 3), dtype)
    unit = cases.MATRIX_UNIT and dtype == "float32" and shape in DIGITS
    expected = "int8x3" if unit else CHOSEN[shape]
    for batch in (1, 2, 32):
        for threads in (1, 2, 7):
            images = (batch, c, size, size)
            assert chosen(w, images, threads=threads) == expected
            last = (batch, size, size, c)
            assert chosen(w, last, layout="NHWC") == expected


def test_auto_takes_no_other_kernel() -> None:
    shape = (1, 64, 56, 56)
    digits, parts = ("int8x3", "bf16x3") if cases.MATRIX_UNIT else ("direct", "direct")
    assert chosen(np.zeros((64, 64, 3, 3), "f4"), shape, stride=2) == digits
    assert chosen(np.zeros((64, 64, 3, 3), "f8"), shape, stride=2) == "direct"
    assert chosen(np.zeros((64, 64, 1, 1), "f4"), shape) == parts
    assert chosen(np.zeros((64, 64, 1, 1), "f8"), shape) == "direct"
    assert chosen(np.zeros((64, 64, 3, 3), "i4"), shape) == "direct"
    assert chosen(np.zeros((64, 1, 3, 3), "f4"), shape, groups=64) == "depthwise"
    assert chosen(np.zeros((64, 16, 3, 3), "f8"), shape, groups=4) == "winograd"
    assert chosen(np.zeros((64, 64, 3, 3, 3), "f8"), (1, 64, 8, 56, 56)) == "winograd"
    deep, thin = np.zeros((64, 64, 3, 3, 3), "f8"), (1, 64, 8, 4, 4)
    assert chosen(deep, thin) == "winograd"
    assert chosen(deep, thin, stride=(2, 1, 1)) == "direct"


def test_auto_is_one_of_the_two() -> None:
    layer = Layer("float32", (28, 28), 48, 48)
    x, w = layer.data()
    assert_same_bits(layer.run(x, w, algorithm="auto"), layer.run(x, w))
    few = x[:, :8], w[:, :8]
    assert_same_bits(layer.run(*few, algorithm="auto"), layer.run(*few, algorithm="direct"))


def test_threads_do_not_choose() -> None:
    for first, second in pairwise((1, 2, 5)):
        x, w = REPRODUCED[2].data()
        a, b = (REPRODUCED[2].run(x, w, algorithm="auto", threads=t) for t in (first, second))
        assert_same_bits(a, b)


REFUSED: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "kernel": (
        lambda: cconv.conv2d(np.ones((1, 4, 9, 9)), np.ones((4, 4, 3, 4)), algorithm="winograd"),
        ["conv2d: algorithm is 'winograd'", "kernel", "(3, 4)", "3 or 5 along w", "'auto'"],
    ),
    "stride": (
        lambda: cconv.conv2d(
            np.ones((1, 4, 9, 9)), np.ones((4, 4, 3, 3)), stride=2, algorithm="winograd"
        ),
        ["conv2d: algorithm is 'winograd'", "stride", "(2, 2)", "of 1", "'auto'"],
    ),
    "two other axes": (
        lambda: cconv.conv3d(
            np.ones((1, 4, 9, 9, 9)), np.ones((4, 4, 2, 5, 3)), algorithm="winograd"
        ),
        ["conv3d: algorithm is 'winograd'", "kernel", "(2, 5, 3)", "'auto'"],
    ),
    "dtype": (
        lambda: cconv.conv2d(
            np.ones((1, 4, 9, 9), int), np.ones((4, 4, 3, 3), int), algorithm="winograd"
        ),
        ["conv2d: algorithm is 'winograd'", "int64", "float", "'auto'"],
    ),
    "channels": (
        lambda: cconv.conv1d(np.ones((1, 9000, 9)), np.ones((1, 9000, 3)), algorithm="winograd"),
        ["conv1d: algorithm is 'winograd'", "9000", "8192", "'auto'"],
    ),
    "transposed": (
        lambda: cconv.conv_transpose2d(
            np.ones((1, 4, 9, 9)), np.ones((4, 4, 3, 3)), algorithm="winograd"
        ),
        ["conv_transpose2d: algorithm is 'winograd'", "cannot serve", "'auto'"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_why(name: str) -> None:
    call, fragments = REFUSED[name]
    with pytest.raises(ValueError, match="algorithm is 'winograd'") as caught:
        call()
    for fragment in fragments:
        assert fragment in str(caught.value)
