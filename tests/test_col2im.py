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
    channels, filters = random.choice([1, 20, 33, 70, 130]), random.choice([1, 2, 17, 48, 100])
    groups, batch = random.choice([1, 1, 2]), random.choice([1, 2, 3, 40])
    sizes = (kernel, spatial, channels, filters, stride, pads, extra)
    return Layer(*sizes, groups, batch, random.randrange(2**32))


def draw_taken(random: Random) -> Layer:
    while True:
        layer = draw_layer(random)
        sizes = zip(layer.spatial, layer.kernel, layer.stride, layer.pads, strict=True)
        if min((i - 1) * s + k - b - a for i, k, s, (b, a) in sizes) > 0 and is_taken(layer):
            return layer


def flipped(a: Array) -> Array:
    return a[..., ::-1].copy()[..., ::-1]


# ------------------------------------------------------------------------------- accuracy and bits


def test_layers_are_within_the_gate_of_direct_sums() -> None:
    for index, layer in enumerate(cases.sweep("col2im", 90, draw_taken)):
        dtype = DTYPES[index % 2]
        with cases.naming(layer):
            x, w = (a.astype(dtype) for a in layer.data())
            exact = layer.run(x.astype("f8"), w.astype("f8"), algorithm="direct")
            roundoff, scale = cases.unit_roundoff(dtype), layer.scale(x, w)
            flushed = float(np.finfo(dtype).tiny) * (layer.terms + 2)
            both = 2 if dtype == "float64" else 1  # what it is compared with rounds, too
            bound = both * (layer.terms + 2) * roundoff * scale + flushed
            cases.assert_within(layer.run(x, w), exact, bound)


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
            out = cases.channels_last(np.empty_like(y))
            assert_same_bits(layer.run(x, w, bias, out=out), y)
            last = np.moveaxis(x, 1, -1)
            pixels = layer.run(last, w, bias, layout="NHWC", threads=2)
            assert_same_bits(np.moveaxis(pixels, -1, 1), y)


def test_residual_and_activation() -> None:
    for layer in cases.sweep("col2im/added", 30, draw_taken):
        with cases.naming(layer):
            x, w = layer.data()
            y = layer.run(x, w)
            residual: Array = (
                np.random.default_rng(layer.seed).standard_normal(y.shape).astype("f4")
            )
            for given in (residual, cases.channels_last(residual)):
                added = layer.run(x, w, residual=given, activation="relu", threads=2)
                assert_same_bits(added, np.maximum(y + residual, 0))


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


# ------------------------------------------------------------------------------ choice and scratch


@pytest.mark.parametrize(
    ("image", "weight", "arguments", "taken"),
    [
        ((100, 1, 1), (100, 1024, 4, 4), {}, True),
        ((1024, 4, 4), (1024, 512, 4, 4), {"stride": 2, "padding": 1}, True),
        ((64, 4, 8), (64, 64, 3, 3), {"stride": 5, "dilation": 2}, True),
        ((64, 4, 9), (64, 64, 3, 3), {"stride": 5, "dilation": 2}, False),  # inputs
        ((64, 1, 1), (64, 1, 4, 4), {}, False),  # few weights
        ((64, 1, 1), (64, 64, 1, 1), {}, False),  # one tap
        ((256, 1, 1), (256, 1, 3, 3), {"groups": 256}, False),
        ((64, 2, 2), (64, 4, 64, 64), {}, False),  # scratch
        ((64, 1, 2), (64, 8, 4, 4), {"stride": (1, 3000)}, False),
        ((16, 8, 4), (16, 40, 3, 3), {}, True),
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
