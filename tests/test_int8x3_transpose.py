"""Transposed convolution in three digits of 8 bits, where 'auto' takes it: see test_int8x3.py.

All phases of the stride are channels of one convolution.  The gate is that of convolution, of the
taps that an output has.
"""

import math
from dataclasses import dataclass
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
import test_bf16x3_transpose as bf16x3
from cases import MATRIX_UNIT, Array, assert_same_bits
from test_bf16x3 import needs_matrix_unit
from test_int8x3 import DRAWS, EPS, INDEPENDENT

import cconv


@dataclass(frozen=True)
class Layer(bf16x3.Layer):
    """A transposed convolution; channels and filters are those of a group."""

    def check(self, x: Array, w: Array, y: Array) -> None:
        """Beside the gate, what is flushed to zero of an image that 'bf16x3' computes."""
        spatial = tuple(range(2, x.ndim))
        largest = np.broadcast_to(np.abs(x).max(spatial, keepdims=True), x.shape).astype("f8")
        exact = self.run(x.astype("f8"), w.astype("f8"), algorithm="direct")
        bound = self.run(largest, np.abs(w).astype("f8"), algorithm="direct")
        flushed = 1e-37 * self.terms * max(1, float(largest.max()), float(np.abs(w).max()))
        cases.assert_within(y, exact, INDEPENDENT * EPS * bound + flushed)

    def check_parts(self, x: Array, w: Array, y: Array) -> None:
        """That an image was computed in parts of bfloat16: with the far closer bound of these."""
        super().check(x, w, y)


def is_taken(layer: Layer) -> bool:
    w = np.zeros((layer.groups * layer.channels, layer.filters, *layer.kernel), "f4")
    return layer.plan(w).algorithm == "int8x3"


LONGEST = {1: (1500,), 2: (30, 50), 3: (5, 11, 17)}


def draw_layer(random: Random) -> Layer:
    """Lines and blocks of lanes that are full or not, paddings that crop or add."""
    rank = random.choice([1, 2, 2, 3])
    stride = (*(random.choice([1, 2, 2, 3]) for _ in range(rank - 1)), 2)
    kernel = tuple(s * random.choice([1, 2, 2, 3]) for s in stride)
    spatial = tuple(random.randint(longest // 2, longest) for longest in LONGEST[rank])
    pads = tuple(
        (random.choice([0, 1, k // 2, k - 1, -1]), random.choice([0, 0, 1, k // 2, -2]))
        for k in kernel
    )
    extra = tuple(random.choice([0, 0, s - 1]) for s in stride)
    channels, filters = random.choice([17, 33, 50, 64, 100, 256, 300]), random.randint(16, 70)
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
    for index, layer in enumerate(cases.sweep("int8x3/transpose", 60, draw_taken)):
        with cases.naming(layer):
            x, w = layer.data(DRAWS[index % len(DRAWS)])
            y = layer.run(x, w, threads=1)
            layer.check(x, w, y)
            assert_same_bits(layer.run(cases.channels_last(x), w, threads=2), y)
            assert_same_bits(layer.plan(w, threads=3)(x), y)


@needs_matrix_unit
def test_integers_are_exact() -> None:
    for layer in cases.sweep("int8x3/transpose/integers", 40, draw_taken):
        with cases.naming(layer):
            rng = np.random.default_rng(layer.seed)
            x, w = layer.data()
            bound = min(127, math.isqrt((2**24 - 1) // layer.terms))
            x = cases.integers(rng, x.shape, "float32", bound)
            w = cases.integers(rng, w.shape, "float32", bound)
            direct = layer.run(x, w, algorithm="direct")
            assert_same_bits(layer.run(x, w, threads=2) + 0, direct + 0)


# ------------------------------------------------------------------------------------ reproduction

LAYERS = [
    Layer((4, 4), (17, 19), 90, 35, (2, 2), ((1, 1), (1, 1)), batch=3),
    Layer((2, 2), (14, 15), 300, 96, (2, 2), batch=2),
    Layer((2, 2), (60, 61), 256, 20, (1, 2), ((1, 0), (-1, 2)), batch=2),
    Layer((6, 4), (9, 30), 64, 70, (3, 2), ((2, 1), (3, 0)), (2, 1), batch=2),
    Layer((4, 4), (26, 25), 64, 40, (2, 2), ((1, 1), (1, 1)), groups=2, batch=2),
    Layer((4,), (1300,), 65, 64, (2,), ((2, 2),), batch=2),
    Layer((2, 4, 2), (5, 9, 12), 64, 100, (2, 2, 2), ((0, 0), (1, 1), (0, 1)), batch=2),
    Layer((4, 6), (90, 1), 256, 64, (2, 2), ((0, 0), (1, 1))),
]


@needs_matrix_unit
@pytest.mark.parametrize("layer", LAYERS)
def test_threads_and_batches_do_not_change_a_bit(layer: Layer) -> None:
    assert is_taken(layer)
    x, w = layer.data()
    y = layer.run(x, w, threads=1)
    layer.check(x, w, y)
    assert not np.array_equal(y, layer.run(x, w, algorithm="direct"))
    many = np.concatenate([x] * 3)
    for threads in (2, 3, 7):
        assert_same_bits(layer.run(x, w, threads=threads), y)
        assert_same_bits(layer.run(x[-1], w, threads=threads), y[-1])
        assert_same_bits(layer.run(many, w, threads=threads), np.concatenate([y] * 3))


@needs_matrix_unit
@pytest.mark.parametrize("layer", LAYERS)
def test_layouts_do_not_change_a_bit(layer: Layer) -> None:
    bf16x3.check_layouts(layer)


@needs_matrix_unit
@pytest.mark.parametrize("layer", LAYERS)
def test_plans_give_the_same_bits(layer: Layer) -> None:
    bf16x3.check_plans(layer, "int8x3", "8 bits")


@needs_matrix_unit
def test_dtypes_of_storage() -> None:
    for layer in (LAYERS[0], LAYERS[5], LAYERS[6]):
        bf16x3.check_storage(layer)


@needs_matrix_unit
def test_what_memory_held_before_does_not_count() -> None:
    """Of lanes that have no channel nothing is read: scratch begins with bytes of two kinds."""
    code = """
        import hashlib, numpy as np, cconv
        rng = np.random.default_rng(0)
        layers = (20, 18, 4, 43), (64, 17, 4, 40), (256, 33, 2, 40), (16, 24, 6, 60)
        for c, filters, kernel, size in layers:
            x = rng.standard_normal((2, c, size, size + 3)).astype("f4")
            w = rng.standard_normal((c, filters, kernel, kernel)).astype("f4")
            y = cconv.conv_transpose2d(x, w, stride=2)
            plan = cconv.ConvPlan(w, input_shape=x.shape, transposed=True, stride=2)
            assert (plan(x) == y).all()
            print(plan.algorithm, hashlib.sha256(y.tobytes()).hexdigest())
    """
    answers = []
    for byte in ("1", "128", "255"):
        status, output, error = cases.run_python(code, MALLOC_PERTURB_=byte)
        assert status == 0, error
        answers.append(output)
    assert answers[0] == answers[1] == answers[2]
    assert answers[0].count("int8x3") == 4, answers[0]


# ------------------------------------------------------------------- what is left to other kernels


@needs_matrix_unit
@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer.batch > 1])
def test_images_that_are_not_ordinary(layer: Layer) -> None:
    """Directly those that the matrix unit cannot compute, in bfloat16 those that are uneven."""
    x, w = layer.data()
    bias, after = bf16x3.what_follows(layer, layer.run(x, w))
    y = layer.run(x, w, bias, **after)
    plan = layer.plan(w, bias, activation="relu")
    middle = tuple(size // 2 for size in x.shape[1:])
    for value in (np.nan, np.inf, -1e38, 1e8, 1e-40):
        given, expected = x.copy(), y.copy()
        if value == 1e-40:
            given[1] *= np.float32(value)
        else:
            given[(1, *middle)] = value
        if value == 1e8:
            layer.check_parts(given, w, layer.run(given, w))
            expected[1] = layer.run(given[1:2], w, bias, activation="relu",
                                    residual=after["residual"][1:2])[0]  # fmt: skip
        else:
            expected[1] = layer.run(given, w, bias, algorithm="direct", **after)[1]
        for threads in (1, 2, 3):
            assert_same_bits(layer.run(given, w, bias, threads=threads, **after), expected)
        last = cases.channels_last(given)
        assert_same_bits(layer.run(last, w, bias, **after), expected)
        assert_same_bits(plan(last, residual=after["residual"]), expected)
        out = after["residual"].copy()
        assert_same_bits(plan(given, residual=out, out=out), expected)


@needs_matrix_unit
def test_weights_that_are_not_finite_or_tiny() -> None:
    for layer in (LAYERS[0], LAYERS[3], LAYERS[4]):
        x, w = layer.data()
        for value in (np.nan, np.inf, 1e38, 1e-40):
            given = w.copy()
            if value < 1:
                given *= np.float32(value)
            else:
                given.flat[-1] = value
            direct = layer.run(x, given, algorithm="direct")
            assert_same_bits(layer.run(x, given), direct)
            assert_same_bits(layer.plan(given, threads=2)(x), direct)


# ------------------------------------------------------------------------------ choice and scratch

CHOSEN: dict[tuple[int, int, int, int, int], str] = {  # kernel, stride, channels, filters, size
    (2, 2, 512, 256, 28): "int8x3",
    (2, 2, 256, 128, 100): "int8x3",
    (4, 2, 256, 128, 16): "int8x3",
    (2, 2, 128, 64, 56): "bf16x3",
    (3, 2, 256, 128, 16): "bf16x3",
    (4, 4, 256, 128, 16): "bf16x3",
    (4, 2, 1024, 512, 4): "col2im",
    (4, 2, 512, 256, 8): "int8x3",
    (4, 2, 128, 3, 32): "direct",
    (10, 2, 15, 16, 32): "direct",
    (16, 2, 4, 16, 32): "direct",
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


# Rows so long that a block of a few places takes megabytes, and weights that do.
LONG = [
    Layer((4, 64), (100, 34), 512, 16, (4, 2), ((3, 3), (63, 63))),
    Layer((2, 2), (3, 3000), 1000, 40, (2, 2)),
    Layer((8, 8), (30, 30), 960, 33, (2, 2)),
    Layer((2, 2, 2), (9, 9, 9), 2000, 17, (2, 2, 2)),
]


@needs_matrix_unit
@pytest.mark.parametrize("layer", LONG)
def test_scratch_is_bounded(layer: Layer) -> None:
    x, w = layer.data()
    for threads in (1, 3):
        plan = layer.plan(w, threads=threads)
        assert plan.workspace_nbytes <= threads * 8e6
        assert_same_bits(plan(x), layer.run(x, w))
