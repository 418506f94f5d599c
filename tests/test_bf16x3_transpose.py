"""Transposed convolution in three parts of bfloat16, where 'auto' takes it: see test_bf16x3.py.

All phases of the stride go in one pass.  The gate is that of convolution, K being the products
that an output may have.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import MATRIX_UNIT, Array, Ints, assert_same_bits
from test_bf16x3 import DRAWS, ROUNDOFF, Draw, needs_matrix_unit

import cconv

TRANSPOSE: dict[int, Callable[..., Any]] = {
    1: cconv.conv_transpose1d,
    2: cconv.conv_transpose2d,
    3: cconv.conv_transpose3d,
}


@dataclass(frozen=True)
class Layer:
    """A transposed convolution; channels and filters are those of a group."""

    kernel: Ints
    spatial: Ints
    channels: int
    filters: int
    stride: Ints
    pads: tuple[tuple[int, int], ...] = ()
    extra: Ints = ()
    groups: int = 1
    batch: int = 1
    seed: int = 0
    dilation: Ints = ()

    @property
    def terms(self) -> int:
        return self.channels * math.prod(
            -(-k // (s // math.gcd(s, d)))
            for k, s, d in zip(self.kernel, self.stride, self.steps, strict=True)
        )

    @property
    def steps(self) -> Ints:
        return self.dilation or (1,) * len(self.kernel)

    @property
    def arguments(self) -> dict[str, Any]:
        rank = len(self.kernel)
        return {
            "stride": self.stride,
            "padding": self.pads or ((0, 0),) * rank,
            "output_padding": self.extra or (0,) * rank,
            "groups": self.groups,
            "dilation": self.steps,
        }

    def data(self, draw: Draw = cases.normals) -> tuple[Array, Array]:
        rng = np.random.default_rng(self.seed)
        x = draw(rng, (self.batch, self.groups * self.channels, *self.spatial), "float32")
        return x, draw(rng, (self.groups * self.channels, self.filters, *self.kernel), "float32")

    def run(self, x: Array, w: Array, *more: Any, **keywords: Any) -> Array:
        given: dict[str, Any] = {**self.arguments, **keywords}
        if more:
            given["bias"] = more[0]
        return TRANSPOSE[len(self.kernel)](x, w, **given)

    def plan(self, w: Array, *more: Any, **keywords: Any) -> cconv.ConvPlan:
        images = (self.batch, self.groups * self.channels, *self.spatial)
        keywords = {"transposed": True, "input_shape": images, **self.arguments, **keywords}
        return cconv.ConvPlan(w, *more, **keywords)

    def scale(self, x: Array, w: Array) -> Array:
        return self.run(np.abs(x).astype("f8"), np.abs(w).astype("f8"), algorithm="direct")

    def check(self, x: Array, w: Array, y: Array) -> None:
        exact = self.run(x.astype("f8"), w.astype("f8"), algorithm="direct")
        flushed = 2.0**-120 * self.terms * (1 + float(np.abs(x).max()) + float(np.abs(w).max()))
        cases.assert_within(y, exact, (self.terms + 24) * ROUNDOFF * self.scale(x, w) + flushed)


def is_taken(layer: Layer) -> bool:
    w = np.zeros((layer.groups * layer.channels, layer.filters, *layer.kernel), "f4")
    return layer.plan(w).algorithm == "bf16x3"


LONGEST: dict[int, Ints] = {1: (700,), 2: (20, 30), 3: (4, 9, 11)}


def draw_layer(random: Random) -> Layer:
    """Lines and panels that are full or not, any stride, paddings that crop or add."""
    rank = random.choice([1, 2, 2, 3])
    stride = tuple(random.choice([1, 2, 2, 3, 4]) for _ in range(rank))
    kernel = tuple(random.randint(s, s + 3) for s in stride)
    spatial = tuple(random.randint(longest // 3, longest) for longest in LONGEST[rank])
    pads = tuple(
        (random.choice([0, 1, k // 2, k - 1, -1]), random.choice([0, 0, 1, k // 2, -2]))
        for k in kernel
    )
    extra = tuple(random.choice([0, 0, s - 1]) for s in stride)
    channels, filters = random.choice([24, 31, 50, 64, 96]), random.randint(16, 100)
    groups, batch = random.choice([1, 1, 2]), random.choice([1, 1, 2])
    sizes = (kernel, spatial, channels, filters, stride, pads, extra)
    return Layer(*sizes, groups, batch, random.randrange(2**32))


def draw_taken(random: Random) -> Layer:
    while True:
        layer = draw_layer(random)
        least = [i * s - b - a for i, s, (b, a) in zip(
            layer.spatial, layer.stride, layer.pads, strict=True)]  # fmt: skip
        if min(least) > 0 and is_taken(layer):
            return layer


# ------------------------------------------------------------------------- accuracy and exactness


@needs_matrix_unit
def test_layers_are_within_the_gate() -> None:
    for index, layer in enumerate(cases.sweep("bf16x3/transpose", 60, draw_taken)):
        with cases.naming(layer):
            x, w = layer.data(DRAWS[index % len(DRAWS)])
            y = layer.run(x, w, threads=1)
            layer.check(x, w, y)
            assert_same_bits(layer.run(cases.channels_last(x), w, threads=2), y)
            assert_same_bits(layer.plan(w, threads=3)(x), y)


@needs_matrix_unit
def test_integers_are_exact() -> None:
    for layer in cases.sweep("bf16x3/transpose/integers", 40, draw_taken):
        with cases.naming(layer):
            rng = np.random.default_rng(layer.seed)
            x, w = layer.data()
            most = int(0.99 * 2**24) // layer.terms
            bound = min(2 ** int(rng.integers(1, 20)), most)
            x = cases.integers(rng, x.shape, "float32", bound)
            w = cases.integers(rng, w.shape, "float32", max(1, most // bound))
            direct = layer.run(x, w, algorithm="direct")
            assert_same_bits(layer.run(x, w, threads=2) + 0, direct + 0)


# ------------------------------------------------------------------------------------ reproduction

LAYERS = [
    Layer((5, 4), (17, 19), 40, 35, (2, 2), ((1, 1), (1, 1)), batch=3),
    Layer((2, 2), (14, 14), 130, 96, (2, 2), batch=2),
    Layer((3, 3), (30, 33), 50, 17, (2, 1), ((1, 0), (-1, 2)), (1, 0), batch=2),
    Layer((5, 4), (9, 30), 64, 70, (3, 4), ((2, 1), (3, 0)), (2, 3), batch=2),
    Layer((3, 3), (26, 25), 64, 40, (1, 1), ((1, 1), (1, 1)), groups=2, batch=2),
    Layer((8,), (300,), 65, 64, (4,), ((2, 2),), batch=2),
    Layer((2, 3, 2), (4, 9, 8), 32, 100, (2, 2, 2), ((0, 0), (1, 1), (0, 1)), batch=2),
    Layer((3, 5), (30, 1), 256, 64, (2, 5), ((0, 0), (1, 1))),
]


def what_follows(layer: Layer, y: Array) -> tuple[Array, dict[str, Any]]:
    rng = np.random.default_rng(5)
    bias = cases.normals(rng, (layer.groups * layer.filters,), "f4")
    return bias, {"residual": cases.normals(rng, y.shape, "f4"), "activation": "relu"}


@needs_matrix_unit
@pytest.mark.parametrize("layer", LAYERS)
def test_threads_and_batches_do_not_change_a_bit(layer: Layer) -> None:
    assert is_taken(layer)
    x, w = layer.data()
    y = layer.run(x, w, threads=1)
    layer.check(x, w, y)
    many = np.concatenate([x] * 3)
    for threads in (2, 3, 7):
        assert_same_bits(layer.run(x, w, threads=threads), y)
        assert_same_bits(layer.run(x[-1], w, threads=threads), y[-1])
        assert_same_bits(layer.run(many, w, threads=threads), np.concatenate([y] * 3))


def check_layouts(layer: Layer) -> None:
    rng = np.random.default_rng(3)
    x, w = layer.data()
    bias, after = what_follows(layer, layer.run(x, w))
    y = layer.run(x, w, bias, **after)
    plan = layer.plan(w, bias, activation="relu")
    for layout in set(cases.LAYOUTS) - {"broadcast"}:
        given = cases.arrange(x, layout, rng)
        assert_same_bits(layer.run(given, cases.arrange(w, layout, rng), bias, **after), y)
        add = cases.arrange(after["residual"], layout, rng)
        for out_layout in cases.OUT_LAYOUTS:
            canvas = cases.Canvas(y.shape, "float32", out_layout, rng)
            result = plan(given, residual=add, out=canvas.array)
            canvas.check(result)
            assert_same_bits(result.copy(), y)


@needs_matrix_unit
@pytest.mark.parametrize("layer", LAYERS)
def test_layouts_do_not_change_a_bit(layer: Layer) -> None:
    check_layouts(layer)


def check_plans(layer: Layer, algorithm: str, word: str) -> None:
    x, w = layer.data()
    bias, after = what_follows(layer, layer.run(x, w))
    y, added = layer.run(x, w, bias, activation="relu"), layer.run(x, w, bias, **after)
    last = (layer.batch, *layer.spatial, layer.groups * layer.channels)
    for threads in (1, 3):
        plan = layer.plan(w, bias, activation="relu", threads=threads)
        assert plan.algorithm == algorithm
        assert word in plan.explain()
        assert_same_bits(plan(x), y)
        assert_same_bits(plan(cases.channels_last(x), residual=after["residual"]), added)
        assert_same_bits(plan(x[:1]), y[:1])
        assert_same_bits(plan(x[:0]), y[:0])
        assert_same_bits(plan(np.concatenate([x] * 3)), np.concatenate([y] * 3))
        plan = layer.plan(
            w, bias, activation="relu", threads=threads, layout="NHWC", input_shape=last
        )
        assert_same_bits(np.moveaxis(plan(np.moveaxis(x, 1, -1)), -1, 1), y)


@needs_matrix_unit
@pytest.mark.parametrize("layer", LAYERS)
def test_plans_give_the_same_bits(layer: Layer) -> None:
    check_plans(layer, "bf16x3", "bfloat16")


def check_storage(layer: Layer) -> None:
    x, w = layer.data()
    x16, w16 = x.astype("f2"), w.astype("f2")
    y = layer.run(x16, w16)
    assert_same_bits(y, layer.run(x16.astype("f4"), w16.astype("f4")).astype("f2"))
    assert_same_bits(layer.run(cases.channels_last(x16), w16, threads=3), y)
    assert_same_bits(layer.plan(w16)(x16), y)


@needs_matrix_unit
def test_dtypes_of_storage() -> None:
    for layer in (LAYERS[0], LAYERS[5], LAYERS[6]):
        check_storage(layer)


# ---------------------------------------------------------------------- what is not finite, or tiny


@needs_matrix_unit
@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer.batch > 1])
def test_images_beyond_the_range_are_summed_directly(layer: Layer) -> None:
    x, w = layer.data()
    bias, after = what_follows(layer, layer.run(x, w))
    y = layer.run(x, w, bias, **after)
    plan = layer.plan(w, bias, activation="relu")
    middle = tuple(size // 2 for size in x.shape[1:])
    for value in (np.nan, np.inf, -1e38, 2.0**61, 1e-30, 1e-40):
        given, expected = x.copy(), y.copy()
        if np.isfinite(value) and abs(value) < 1:
            given[1] *= np.float32(value)
        else:
            given[(1, *middle)] = value
        expected[1] = layer.run(given, w, bias, algorithm="direct", **after)[1]
        for threads in (1, 2, 3):
            assert_same_bits(layer.run(given, w, bias, threads=threads, **after), expected)
        last = cases.channels_last(given)
        assert_same_bits(layer.run(last, w, bias, **after), expected)
        assert_same_bits(plan(last, residual=after["residual"]), expected)
        out = after["residual"].copy()
        assert_same_bits(plan(given, residual=out, out=out), expected)


@needs_matrix_unit
def test_weights_beyond_the_range_are_summed_directly() -> None:
    for layer in (LAYERS[0], LAYERS[3], LAYERS[4]):
        x, w = layer.data()
        for value in (np.nan, np.inf, 1e38, 1e-30, 1e-40):
            given = w.copy()
            if value < 1:
                given *= np.float32(value)
            else:
                given.flat[-1] = value
            direct = layer.run(x, given, algorithm="direct")
            assert_same_bits(layer.run(x, given), direct)
            assert_same_bits(layer.plan(given, threads=2)(x), direct)


# ------------------------------------------------------------------------------------------ choice

CHOSEN: dict[tuple[int, int, int, int, int], str] = {  # kernel, stride, channels, filters, size
    (2, 2, 128, 64, 56): "bf16x3",
    (5, 2, 128, 64, 32): "bf16x3",
    (3, 2, 64, 32, 56): "bf16x3",
    (3, 2, 15, 64, 56): "direct",
    (3, 2, 64, 15, 56): "direct",
    (4, 4, 16, 16, 4): "direct",
    (4, 4, 64, 16, 4): "col2im",
    (17, 4, 64, 64, 20): "direct",
}


@pytest.mark.parametrize("shape", CHOSEN)
def test_auto_is_a_function_of_shapes(core: Any, shape: tuple[int, int, int, int, int]) -> None:
    kernel, stride, c, oc, size = shape
    plain = "col2im" if CHOSEN[shape] == "col2im" else "direct"  # without a matrix unit
    for dtype, expected in (("f4", CHOSEN[shape]), ("f2", CHOSEN[shape]), ("f8", plain)):
        w = np.zeros((c, oc, kernel, kernel), dtype)
        given: dict[str, Any] = {"transposed": True, "stride": stride}
        for batch, threads in ((1, 1), (1, 7), (8, 2)):
            plan = cconv.ConvPlan(w, input_shape=(batch, c, size, size), threads=threads, **given)
            given_last = {"layout": "NHWC", "input_shape": (batch, size, size, c), **given}
            last = cconv.ConvPlan(w, threads=threads, **given_last)
            assert plan.algorithm == last.algorithm == (expected if MATRIX_UNIT else plain)
            if dtype == "f4":
                assert max(plan.workspace_nbytes, last.workspace_nbytes) <= threads * 8e6


# Rows and windows so long that a block of a few places takes megabytes.
LONG = [
    Layer((4, 64), (100, 34), 1024, 16, (4, 2), ((3, 3), (63, 63))),
    Layer((9, 12), (100, 4), 4096, 64, (4, 4), ((0, 0), (11, 11))),
    Layer((1, 3, 8), (1, 402, 5), 4096, 33, (1, 1, 2), ((0, 0), (2, 2), (7, 7))),
    Layer((5, 5, 5), (300, 1, 1), 24, 64, (4, 4, 4), ((0, 0), (0, 1), (0, 1))),
    Layer((4, 4), (200, 3), 900, 64, (4, 4)),
    Layer((2, 2), (3, 3000), 700, 40, (2, 2)),
]


@pytest.mark.parametrize("layer", LONG)
def test_scratch_is_bounded_and_a_plan_keeps_what_it_reads(core: Any, layer: Layer) -> None:
    x, w = layer.data()
    for threads in (1, 3):
        plan = layer.plan(w, threads=threads)
        assert plan.workspace_nbytes <= threads * 8e6
        assert_same_bits(plan(x), layer.run(x, w))
        x[(0,) * x.ndim] = np.nan  # the whole image is then computed directly
        direct = layer.run(x, w, algorithm="direct")
        assert_same_bits(plan(x), layer.run(x, w))
        assert np.array_equal(np.isnan(plan(x)), np.isnan(direct))
        x[(0,) * x.ndim] = 1
