"""Large kernels of one channel: by FFT, by Winograd piece by piece, or as a column and a row."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import cases
import numpy as np
import pytest
from cases import Array

import cconv

pytestmark = pytest.mark.skipif(cases.CORE is None, reason="the reference has one algorithm")

GATES = {"float32": 8, "float64": 24}


class Case(NamedTuple):
    """A convolution of one channel a group; `separable`: each kernel a column times a row."""

    image: tuple[int, ...]
    kernel: tuple[int, ...]
    separable: bool = False
    channels: int = 1
    padding: Any = 0
    mode: str = "zeros"
    algorithm: str = "winograd"

    def run(self, x: Array, w: Array, *more: Any, **keywords: Any) -> Array:
        where = {"padding": self.padding, "padding_mode": self.mode, "groups": self.channels}
        function = cconv.conv1d if len(self.image) == 1 else cconv.conv2d
        return function(x, w, *more, **{**where, **keywords})

    def plan(self, x: Array, w: Array, **keywords: Any) -> cconv.ConvPlan:
        where = {"padding": self.padding, "padding_mode": self.mode, "groups": self.channels}
        return cconv.ConvPlan(w, input_shape=x.shape, **{**where, **keywords})

    def data(self, draw: Callable[..., Array], dtype: str) -> tuple[Array, Array]:
        rng = np.random.default_rng(sum(self.image) + sum(self.kernel))
        x = draw(rng, (2, self.channels, *self.image)).astype(dtype)
        w = draw(rng, (self.channels, 1, *self.kernel))
        if self.separable:
            w = draw(rng, (*self.kernel[:1], 1)) * draw(rng, self.kernel[1:])
            w = w.reshape(1, 1, *self.kernel)
        return x, w.astype(dtype)


CASES = {
    "15x16": Case((160, 131), (15, 16)),
    "15x15": Case((101, 203), (15, 15), padding=7, mode="reflect"),
    "16x30, groups": Case((93, 110), (16, 30), channels=3, padding=((0, 40), (33, 2))),
    "31x31": Case((150, 131), (31, 31), padding="same", mode="circular", algorithm="fft"),
    "63x63": Case((140, 160), (63, 63), padding=((31, 31), (0, 0)), mode="symmetric"),
    "220": Case((3001,), (220,), padding=70, mode="replicate", algorithm="fft"),
    "1023": Case((9000,), (1023,), padding="same", algorithm="fft"),
    "5x5, separable": Case((180, 150), (5, 5), separable=True),
    "9x31, separable": Case((101, 203), (9, 31), separable=True, padding=7, mode="reflect"),
    "48x20, separable": Case((150, 128), (48, 20), separable=True, padding="same"),
}


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape)


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.uniform(0, 1, shape)


def outlier(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal values, but for one of 1e8 in every image."""
    a = rng.standard_normal(shape)
    if len(shape) > 2 and shape[-1] > 63 and shape[0] == 2:
        a.reshape(2, -1)[:, rng.integers(a[0].size)] = 1e8
    return a


def largest_of_pairs(x: Array, kernel: tuple[int, ...], plan: cconv.ConvPlan) -> Array:
    """The largest input of the two tiles that are transformed together; x is padded."""
    out, rank = plan.output_shape[2:], len(kernel)
    block, blocks = plan._info["block"][-rank:], plan._info["blocks"][-rank:]
    tiles = []
    for place in np.ndindex(*blocks):
        starts = [i * b for i, b in zip(place, block, strict=True)]
        tiles.append([slice(i, i + b) for i, b in zip(starts, block, strict=True)])
    size = np.empty((*x.shape[:2], *out))
    for pair in (tiles[i : i + 2] for i in range(0, len(tiles), 2)):
        seen = [
            tuple(slice(t.start, t.stop + k - 1) for t, k in zip(tile, kernel, strict=True))
            for tile in pair
        ]
        peak = np.max([np.abs(x[(..., *s)]).reshape(*x.shape[:2], -1).max(-1) for s in seen], 0)
        for tile in pair:
            size[(..., *tile)] = peak.reshape(*peak.shape, *[1] * rank)
    return size


def largest(x: Array, case: Case, out: tuple[int, ...]) -> Array:
    """The largest input that a tile of outputs looks at, for every output; x is padded."""
    size = np.abs(x)
    for axis, (k, n) in enumerate(zip(case.kernel, out, strict=True), 2):
        unit = 4 if len(out) > 1 else 512  # one row is folded
        reach = -(-k // 4) * 4 + unit - 1 + (unit if unit > 4 else 0)
        starts = np.arange(0, n, unit)
        parts = [size.take(range(s, min(s + reach, x.shape[axis])), axis) for s in starts]
        tiles = np.stack([part.max(axis) for part in parts], axis)
        size = tiles.repeat(unit, axis).take(range(n), axis)
    return size


def excess(case: Case, x: Array, w: Array, y: Array) -> float:
    """The error in units of what the gate is counted in, at its worst."""
    wide = np.float64 if x.dtype == np.float32 else np.longdouble
    rank = len(case.image)
    geometry = case.plan(x, w)
    pads = padded(case, rank)
    mode: Any = {"zeros": "constant", "replicate": "edge", "circular": "wrap"}.get(
        case.mode, case.mode
    )
    image = np.pad(x, ((0, 0), (0, 0), *pads), mode)
    out = geometry.output_shape[2:]
    exact = np.zeros(y.shape, wide)
    for tap in np.ndindex(*case.kernel):
        window = image[(..., *(slice(t, t + n) for t, n in zip(tap, out, strict=True)))]
        exact += w[(slice(None), 0, *tap)].reshape(-1, *[1] * rank).astype(wide) * window
    sums = np.abs(w).sum(tuple(range(1, w.ndim)), np.float64).reshape(-1, *[1] * rank)
    if geometry.algorithm == "fft":
        peaks = largest_of_pairs(image, case.kernel, geometry)
    else:
        peaks = largest(image, case, out)
    bound = float(np.finfo(x.dtype).eps) * sums * peaks
    return float((np.abs(y - exact) / np.maximum(bound, np.finfo(x.dtype).tiny)).max())


def padded(case: Case, rank: int) -> list[tuple[int, int]]:
    if case.padding == "same":
        return [((k - 1) // 2, k // 2) for k in case.kernel]
    if isinstance(case.padding, int):
        return [(case.padding, case.padding)] * rank
    return list(case.padding)


def names(case: Case) -> str:
    fast = cconv.show_config(mode="dicts")["isa"]["in use"] != "generic"
    if case.separable:
        return "separable"
    return case.algorithm if fast or case.algorithm == "fft" else "depthwise"


@pytest.mark.parametrize("draw", [normal, positive, outlier])
@pytest.mark.parametrize("dtype", GATES)
@pytest.mark.parametrize("name", CASES)
def test_error_is_within_the_gate(name: str, dtype: str, draw: Callable[..., Array]) -> None:
    case = CASES[name]
    if dtype == "float64" and np.prod(case.image) * np.prod(case.kernel) > 2e7:
        pytest.skip("float64 is summed in longdouble, slowly")
    x, w = case.data(draw, dtype)
    y = case.run(x, w)
    assert case.plan(x, w).algorithm == names(case)
    if names(case) != "depthwise":  # direct sums promise another bound
        assert excess(case, x, w, y) <= GATES[dtype]


@pytest.mark.parametrize("name", CASES)
def test_bits_are_the_same_however_it_is_called(name: str) -> None:
    case = CASES[name]
    x, w = case.data(normal, "float32")
    y = case.run(x, w, threads=1)
    assert y.tobytes() == case.run(x, w, threads=2).tobytes()
    assert y.tobytes() == case.run(x, w, threads=5).tobytes()
    assert y[1:].tobytes() == case.run(x[1:], w).tobytes()
    assert y.tobytes() == case.plan(x, w)(x).tobytes()
    far = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), "f4")[..., ::-2]
    far[:] = x
    turned = np.asfortranarray(w)
    assert y.tobytes() == case.run(far, turned, threads=2).tobytes()
    assert y.tobytes() == np.ascontiguousarray(case.run(np.asfortranarray(x), w)).tobytes()
    out = np.zeros((*y.shape, 2), "f4")[..., 0]
    assert y.tobytes() == np.ascontiguousarray(case.run(x, w, out=out)).tobytes()


@pytest.mark.parametrize("name", CASES)
def test_bias_residual_activation_and_halves_come_after_the_sums(name: str) -> None:
    case = CASES[name]
    x, w = case.data(normal, "float32")
    y = case.run(x, w)
    bias = np.arange(1, 1 + case.channels, dtype="f4")
    each = bias.reshape(-1, *[1] * len(case.image))
    assert (case.run(x, w, bias) == y + each).all()
    assert (case.run(x, w, bias, residual=y) == y + y + each).all()
    assert (case.run(x, w, activation="relu") == np.maximum(y, 0)).all()
    half, exact = x.astype("f2"), case.run(x.astype("f2").astype("f4"), w.astype("f2").astype("f4"))
    if not case.separable:  # a rounded product is none
        assert (case.run(half, w.astype("f2")) == exact.astype("f2")).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", CASES)
def test_what_is_not_finite_reaches_the_windows_that_hold_it(name: str, value: float) -> None:
    case = CASES[name]
    x, w = case.data(normal, "float32")
    if name != "5x5, separable":
        w[..., 3] = 0  # times infinity it is NaN
    rng = np.random.default_rng(5)
    for place in rng.integers(x[0, 0].size, size=3):
        x[1, 0].flat[place] = value
    x[1, 0].flat[-1] = value
    y, direct = case.run(x, w), case.run(x, w, algorithm="direct")
    same = ~np.isfinite(direct)
    assert same.any()
    assert y[same].tobytes() == direct[same].tobytes() or (
        np.array_equal(y[same], direct[same], equal_nan=True)
    )
    assert np.isfinite(y[~same]).all()
    assert y[0].tobytes() == case.run(x[:1], w).tobytes()


@pytest.mark.parametrize("name", CASES)
def test_sums_that_overflow_on_the_way_are_those_of_direct_ones(name: str) -> None:
    case = CASES[name]
    x, w = case.data(normal, "float32")
    x *= np.float32(2e37)
    with np.errstate(all="ignore"):
        y, direct = case.run(x, w), case.run(x, w, algorithm="direct")
    assert np.isinf(direct).any() or np.isnan(direct).any()
    wild = ~np.isfinite(direct)
    assert np.isfinite(y[~wild]).all()


@pytest.mark.parametrize("name", CASES)
def test_direct_is_asked_for_in_vain_nowhere(name: str) -> None:
    case = CASES[name]
    x, w = case.data(normal, "float32")
    assert case.plan(x, w, algorithm="direct").algorithm == "depthwise"
    words = {"separable": "two passes", "winograd": "Winograd", "depthwise": "direct"}
    words["fft"] = "Fourier"
    assert words[names(case)] in case.plan(x, w).explain()


def test_products_of_integers_stay_exact() -> None:
    rows = np.array([1, 4, 6, 4, 1], "f4"), np.array([-1, -2, 0, 2, 1], "f4"), np.ones(9, "f4")
    x = np.random.default_rng(0).integers(-99, 99, (1, 1, 200, 200)).astype("f4")
    for u, v in pairwise((*rows, rows[0])):
        w = np.outer(u, v)[None, None]
        assert cconv.ConvPlan(w, input_shape=x.shape).algorithm == "separable"
        assert (cconv.conv2d(x, w) == cconv.conv2d(x, w, algorithm="direct")).all()


def test_what_is_almost_a_product_is_none() -> None:
    w = np.outer(np.hanning(9), np.hanning(11)).astype("f4")
    x = np.zeros((1, 1, 140, 150), "f4")
    for change, algorithm in ((1e-8, "separable"), (1e-4, "depthwise"), (np.nan, "depthwise")):
        v = w.copy()
        v[4, 4] += np.float32(change)
        assert cconv.ConvPlan(v[None, None], input_shape=x.shape).algorithm == algorithm
    for v in (0 * w, w * np.float32(1e-30)):
        assert cconv.ConvPlan(v[None, None], input_shape=x.shape).algorithm == "depthwise"


@pytest.mark.parametrize("taps", [32, 101, 1023])
@pytest.mark.parametrize("dtype", GATES)
def test_direct_sums_of_long_signals_have_the_bits_of_short_ones(dtype: str, taps: int) -> None:
    rng = np.random.default_rng(taps)
    x = normal(rng, (2, 3, 30011)).astype(dtype)
    w = normal(rng, (3, 1, taps)).astype(dtype)
    x[0, 1, 12345] = np.inf
    x[1, 2, 23456] = np.nan
    more = {"groups": 3, "bias": np.arange(3, dtype=dtype), "algorithm": "direct"}
    y = cconv.conv1d(x, w, threads=2, **more)
    assert y.tobytes() == cconv.conv1d(x, w, threads=1, **more).tobytes()
    for start in (0, 12300, 23400, y.shape[-1] - 200, *rng.integers(29000 - taps, size=20)):
        short = cconv.conv1d(x[..., start : start + 199 + taps], w, **more)
        assert np.array_equal(short, y[..., start : start + 200], equal_nan=True)


@pytest.mark.parametrize("dtype", GATES)
def test_scratch_is_bounded(dtype: str) -> None:
    """At most 8 MB a thread, however long a kernel is and however many groups there are."""
    for kernel, image, groups in (
        ((128, 128), (512, 512), 1), ((4096, 4), (4400, 200), 1), ((4, 4096), (200, 4400), 1),
        ((16384, 1), (17000, 128), 1), ((1, 16384), (128, 17000), 1), ((512, 32), (1000, 1000), 1),
        ((16384,), (100000,), 1), ((4000,), (1000000,), 1), ((1023,), (9000,), 90),
        ((31, 31), (100, 100), 80), ((31, 31), (100, 100), 1024), ((31, 31), (640, 640), 300),
    ):  # fmt: skip
        w = np.zeros((groups, 1, *kernel), dtype)
        for threads in (1, 2, 5):
            plan = cconv.ConvPlan(
                w, input_shape=(1, groups, *image), groups=groups, threads=threads
            )
            assert plan.workspace_nbytes <= threads * 8e6, (kernel, groups, threads)


def disk(size: int) -> Array:
    across = (np.arange(size) - size // 2) ** 2
    return (across[:, None] + across <= (size // 2) ** 2).astype(float)


FLAT: dict[str, tuple[str, Array]] = {
    "box 31": ("fft", disk(31) * 0 + 1),
    "disk 63": ("fft", disk(63)),
    "disk 127": ("fft", disk(127)),
    "box 255, thin": ("winograd", np.ones((255, 9))),
    "signal 1023": ("fft", np.ones(1023)),
    "signal 8000": ("fft", np.ones(8000)),
    "box 48, separable": ("separable", np.ones((48, 48))),
    "hann 47, separable": ("separable", np.hanning(49)[1:-1, None] * np.hanning(49)[1:-1]),
}


@pytest.mark.parametrize("name", FLAT)
def test_like_values_are_within_the_gate(name: str) -> None:
    """Where all values are alike every rounding of a sum is the same way."""
    algorithm, taps = FLAT[name]
    taps = taps / taps.sum()
    channels = 1 if algorithm == "separable" else 2
    w = np.tile(taps.astype("f4"), (channels, 1, *(1,) * taps.ndim))
    conv = cconv.conv1d if taps.ndim == 1 else cconv.conv2d
    shape = (1, channels, *(n + 130 if taps.ndim == 2 else n + 5000 for n in taps.shape))
    plan = cconv.ConvPlan(w, input_shape=shape, groups=channels)
    if (
        cconv.show_config(mode="dicts")["isa"]["in use"] == "generic"
        and plan.algorithm != algorithm
    ):
        pytest.skip("generic sums these directly, and the gate is none of direct sums")
    assert plan.algorithm == algorithm
    exact = float(taps.astype("f4").astype("f8").sum())
    for value in (0.3, 0.1, 0.7, 255, *np.random.default_rng(0).uniform(1, 2, 3)):
        x = np.full(shape, value, "f4")
        y = conv(x, w, groups=channels)
        scale = float(np.finfo("f4").eps) * float(x.flat[0]) * exact
        assert np.abs(y - float(x.flat[0]) * exact).max() <= GATES["float32"] * scale, value


def test_small_kernels_and_inputs_lose_nothing() -> None:
    """Of a product of two factors sums of the first pass are no smaller than inputs."""
    if cconv.show_config(mode="dicts")["isa"]["in use"] == "generic":
        pytest.skip("generic rounds products before it adds them, and the least here are denormal")
    taps = np.exp(-((np.arange(31) - 15) ** 2) / 50.0)
    w = (np.outer(taps, taps) * 2.0**-79)[None, None].astype("f4")
    x = (np.random.default_rng(2).uniform(1, 2, (1, 1, 200, 180)) * 2.0**-48).astype("f4")
    assert cconv.ConvPlan(w, input_shape=x.shape).algorithm == "separable"
    exact = cconv.conv2d(x.astype("f8"), w.astype("f8"), algorithm="direct")
    assert np.abs(cconv.conv2d(x, w) / exact - 1).max() <= 8 * float(np.finfo("f4").eps)


@pytest.mark.parametrize("kernel", [(31, 31), (5, 5), (1001,)])
def test_a_plan_of_no_image(kernel: tuple[int, ...]) -> None:
    image = (200, 200) if len(kernel) == 2 else (20000,)
    for threads in (1, 2):
        plan = cconv.ConvPlan(
            np.ones((2, 1, *kernel), "f4"), groups=2, input_shape=(0, 2, *image), threads=threads
        )
        assert plan(np.ones((0, 2, *image), "f4")).shape[0] == 0
