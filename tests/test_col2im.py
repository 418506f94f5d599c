# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""Transposed convolution of few inputs as products that are added up where they fall.

'auto' takes it where the weights, of which there are far more than inputs, set the time.  The gate
is that of direct sums: a sum over channels for each tap, and then one over taps, is no longer chain
than one over both.
"""

from dataclasses import replace
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import Array, Ints, assert_same_bits
from test_bf16x3_transpose import Layer
from test_memory import SIDES, guarded

import cconv
from cconv._convolution import Convolution

pytestmark = pytest.mark.usefixtures("core")  # the reference computes all alike

DTYPES = ("float32", "float64", "float16")


def is_taken(layer: Layer) -> bool:
    w = np.zeros((layer.groups * layer.channels, layer.filters, *layer.kernel), "f4")
    return layer.plan(w).algorithm == "col2im"


def draw_layer(random: Random) -> Layer:
    """Any stride, also beyond the kernel; whole vectors of columns and parts; pads crop or add."""
    rank = random.choice([1, 2, 2, 3])
    longest = {1: 32, 2: 6, 3: 3}[rank]
    spatial = tuple(random.randint(1, longest) for _ in range(rank))
    kernel = tuple(random.randint(1, {1: 20, 2: 6, 3: 4}[rank]) for _ in range(rank))
    stride = tuple(random.choice([1, 2, 2, 3, 5]) for _ in range(rank))
    pads = tuple((random.choice([0, 1, k // 2, -1]), random.choice([0, 0, 1, -2])) for k in kernel)
    extra = tuple(random.choice([0, s - 1]) for s in stride)
    dilation = tuple(random.choice([1, 1, 2, 3]) for _ in range(rank))
    channels, filters = random.choice([4, 20, 33, 70, 130]), random.choice([1, 2, 17, 48, 100])
    groups, batch = random.choice([1, 1, 2]), random.choice([1, 2, 3, 40])
    sizes = (kernel, spatial, channels, filters, stride, pads, extra)
    return Layer(*sizes, groups, batch, random.randrange(2**32), dilation)


def draw_taken(random: Random) -> Layer:
    while True:
        layer = draw_layer(random)
        sizes = zip(layer.spatial, layer.kernel, layer.stride, layer.steps, layer.pads, strict=True)
        least = min((i - 1) * s + (k - 1) * d + 1 - b - a for i, k, s, d, (b, a) in sizes)
        if least > 0 and is_taken(layer):
            return layer


def flipped(a: Array) -> Array:
    return a[..., ::-1].copy()[..., ::-1]


# ------------------------------------------------------------------------------- accuracy and bits


def test_layers_are_within_the_gate_of_direct_sums() -> None:
    for index, layer in enumerate(cases.sweep("col2im", 90, draw_taken)):
        dtype, of_weight = DTYPES[index % 3], DTYPES[index % 2]
        with cases.naming(layer):
            x, w = layer.data()
            x, w = x.astype(dtype), w.astype(of_weight)
            y = layer.run(x, w)
            assert y.dtype == np.result_type(x, w)
            exact = layer.run(x.astype("f8"), w.astype("f8"), algorithm="direct")
            # What float64 is compared with rounds, too; to float16 sums are rounded once more.
            both = 2 if y.dtype == "f8" else 1
            roundoff = cases.unit_roundoff("f8" if y.dtype == "f8" else "f4")
            scale = layer.scale(x, w)
            bound = both * (layer.terms + 2) * roundoff * scale + 1e-30
            if y.dtype == "f2":
                bound += cases.unit_roundoff("f2") * (np.abs(exact) + bound) + 2.0**-25
            cases.assert_within(y, exact, bound)


def test_bits_depend_on_nothing_but_values() -> None:
    for index, layer in enumerate(cases.sweep("col2im/bits", 60, draw_taken)):
        dtype = DTYPES[index % 3]
        with cases.naming(layer):
            x, w = (a.astype(dtype) for a in layer.data())
            bias: Array = np.arange(layer.groups * layer.filters, dtype=dtype)
            y = layer.run(x, w, bias, threads=1)
            assert_same_bits(layer.run(cases.channels_last(x), flipped(w), bias, threads=2), y)
            assert_same_bits(layer.run(flipped(x), cases.channels_last(w), bias, threads=5), y)
            assert_same_bits(layer.run(x[::-1], cases.unaligned(w), bias)[::-1], y)
            for n in {0, layer.batch - 1}:
                assert_same_bits(layer.run(x[n : n + 1], w, bias, threads=3), y[n : n + 1])
            plan = layer.plan(flipped(w), bias, threads=3)
            assert plan.algorithm == "col2im"
            assert_same_bits(plan(x), y)
            assert_same_bits(plan(cases.channels_last(x)), y)
            for made in (0, 1, 7):
                other = replace(layer, batch=made).plan(w, bias, threads=2)
                assert_same_bits(other(x), y)
            out = cases.channels_last(np.empty_like(y))
            assert_same_bits(layer.run(x, w, bias, out=out), y)
            last = np.moveaxis(x, 1, -1)
            pixels = layer.run(last, w, bias, layout="NHWC", threads=2)
            assert_same_bits(np.moveaxis(pixels, -1, 1), y)


def test_residual_and_activation() -> None:
    for layer in cases.sweep("col2im/added", 30, draw_taken):
        with cases.naming(layer):
            dtype = ("f4", "f8")[layer.seed % 2]
            x, w = (a.astype(dtype) for a in layer.data())
            bias: Array = np.arange(layer.groups * layer.filters, dtype=dtype)
            y, rng = layer.run(x, w), np.random.default_rng(layer.seed)
            residual: Array = rng.standard_normal(y.shape).astype(dtype)
            expected = np.maximum(y + residual + bias.reshape(-1, *(1,) * (y.ndim - 2)), 0)
            for given in (residual, cases.channels_last(residual)):
                options: dict[str, Any] = {"residual": given, "activation": "relu", "threads": 2}
                assert_same_bits(layer.run(x, w, bias, **options), expected)
                options |= {"residual": np.moveaxis(given, 1, -1), "layout": "NHWC"}
                pixels = layer.run(np.moveaxis(x, 1, -1), w, bias, **options)
                assert_same_bits(np.moveaxis(pixels, -1, 1), expected)


def test_integers_are_exact() -> None:
    for layer in cases.sweep("col2im/integers", 40, draw_taken):
        with cases.naming(layer):
            rng = np.random.default_rng(layer.seed)
            x, w = (cases.integers(rng, a.shape, "float32") for a in layer.data())
            direct = layer.run(x, w, algorithm="direct")
            assert_same_bits(layer.run(x, w, threads=2) + 0, direct + 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_images_that_are_not_finite_are_direct_sums(value: float) -> None:
    layer = Layer((4, 3), (3, 5), 40, 20, (2, 2), ((1, 1), (0, 1)), batch=9)
    x, w = layer.data()
    y = layer.run(x, w)
    given = x.copy()
    given[4, 7, 2, 3] = value
    for got in (layer.run(given, w, threads=2), layer.plan(w)(given)):
        assert_same_bits(np.delete(got, 4, 0), np.delete(y, 4, 0))
        if np.isfinite(value):
            np.testing.assert_allclose(got[4], layer.run(given, w, algorithm="direct")[4], 1e-5)
        else:
            assert_same_bits(got[4], layer.run(given, w, algorithm="direct")[4])
    if not np.isfinite(value):
        given = w.copy()
        given[7, 19, 0, 2] = value
        direct = layer.run(x, given, algorithm="direct")
        assert_same_bits(layer.run(x, given, threads=2), direct)
        assert_same_bits(layer.plan(given)(x), direct)


@pytest.mark.parametrize(("dtype", "large"), [("f4", 3e38), ("f8", 1.5e308)])
def test_images_whose_sums_overflow_on_the_way_are_direct_sums(dtype: str, large: float) -> None:
    w = np.ones((16, 300, 4), dtype)
    x = np.zeros((3, 16, 4), dtype)
    x[1, 0], x[1, 1] = (large, 0, 0, -large), (0, large, -large, 0)
    y = cconv.conv_transpose1d(x, w)
    assert cconv.ConvPlan(w, transposed=True, input_shape=x.shape).algorithm == "col2im"
    assert_same_bits(y, cconv.conv_transpose1d(x, w, algorithm="direct"))
    assert (y[1, :, 3] == 0).all()


# ------------------------------------------------------------------------------ choice and scratch


@pytest.mark.parametrize(
    ("image", "weight", "arguments", "taken"),
    [
        ((100, 1, 1), (100, 1024, 4, 4), {}, True),
        ((1024, 4, 4), (1024, 512, 4, 4), {"stride": 2, "padding": 1}, True),
        ((128, 4, 8), (128, 64, 3, 3), {"stride": 5, "dilation": 2}, True),
        ((128, 4, 9), (128, 64, 3, 3), {"stride": 5, "dilation": 2}, False),  # inputs
        ((64, 1, 1), (64, 1, 4, 4), {}, False),  # few weights
        ((64, 1, 1), (64, 64, 1, 1), {}, False),  # one tap
        ((256, 1, 1), (256, 1, 3, 3), {"groups": 256}, False),
        ((64, 2, 2), (64, 4, 64, 64), {}, False),  # scratch
        ((64, 1, 2), (64, 8, 4, 4), {"stride": (1, 3000)}, False),
        ((128, 8, 4), (128, 40, 3, 3), {}, True),
        ((127, 8, 4), (127, 40, 3, 3), {}, False),  # few channels
        ((64, 4, 4), (64, 64, 16, 16), {"padding": 9}, False),  # most products are cut off
        ((64, 1, 1), (64, 32, 64, 64), {}, True),
    ],
)
def test_auto_takes_it_by_shapes(
    image: Ints, weight: Ints, arguments: dict[str, Any], taken: bool
) -> None:
    for dtype in DTYPES:
        w = np.zeros(weight, dtype)
        for batch, threads in ((1, 1), (70, 2), (0, 3)):
            shape = (batch, *image)
            plan = cconv.ConvPlan(
                w, transposed=True, input_shape=shape, threads=threads, **arguments
            )
            assert (plan.algorithm == "col2im") == taken
            assert plan.workspace_nbytes <= 8e6 * threads
            assert "col2im: " in plan.explain() or not taken
            direct = cconv.ConvPlan(
                w, transposed=True, input_shape=shape, algorithm="direct", **arguments
            )
            assert direct.algorithm != "col2im"


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_scratch_of_weights_that_are_packed(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Any] = []
    work_out = Convolution.plan

    def watched(*arguments: Any, **keywords: Any) -> Any:
        plans.append(work_out(*arguments, **keywords))
        return plans[-1]

    monkeypatch.setattr(Convolution, "plan", watched)
    x, w = np.ones((1, 64, 1, 1), dtype), np.zeros((64, 32, 64, 64), dtype)[..., ::-1]
    assert not cconv.conv_transpose2d(x, w, threads=1).any()
    info = plans[-1].info()
    assert info["algorithm"] == "col2im"
    assert info["workspace"] <= 8e6


def test_integers_have_no_such_products() -> None:
    w = np.zeros((100, 64, 4, 4), "i4")
    plan = cconv.ConvPlan(w, transposed=True, input_shape=(1, 100, 2, 2))
    assert plan.algorithm == "direct"


@pytest.mark.parametrize("side", SIDES)
def test_nothing_else_is_read_or_written(side: str) -> None:
    for index, layer in enumerate(cases.sweep(f"col2im/guarded/{side}", 60, draw_taken)):
        layer = replace(layer, batch=min(layer.batch, 3))
        with cases.naming(layer):
            x, w = (a.astype(DTYPES[index % 3]) for a in layer.data())
            y = layer.run(x, w)
            out = guarded(np.empty_like(y), side, writable=True)
            layer.run(guarded(x, side), guarded(w, side), out=out)
            assert_same_bits(out, y)
