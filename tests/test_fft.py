"""Large kernels of one channel by products of Fourier transforms."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import cases
import numpy as np
import pytest
from cases import Array

import cconv

pytestmark = pytest.mark.skipif(cases.CORE is None, reason="the reference has one algorithm")

GATES = {"float32": 16, "float64": 32}
MODES = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
    "symmetric": "symmetric",
}
SAMPLES = 150


class Case(NamedTuple):
    """A convolution of images that are so large with their pads; `tile`: what is transformed."""

    image: tuple[int, ...]
    kernel: tuple[int, ...]
    tile: tuple[int, ...]
    mode: str = "zeros"
    channels: int = 1

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        return tuple((k // 3, k // 2) for k in self.kernel)

    @property
    def given(self) -> tuple[int, ...]:
        return tuple(n - sum(pads) for n, pads in zip(self.image, self.pads, strict=True))

    @property
    def arguments(self) -> dict[str, Any]:
        return {"padding": self.pads, "padding_mode": self.mode, "groups": self.channels}

    def run(self, x: Array, w: Array, *more: Any, **keywords: Any) -> Array:
        function = cconv.conv1d if len(self.image) == 1 else cconv.conv2d
        return function(x, w, *more, **{**self.arguments, **keywords})

    def plan(self, dtype: Any = "f4", **keywords: Any) -> cconv.ConvPlan:
        w = np.ones((self.channels, 1, *self.kernel), dtype)
        shape = (2, self.channels, *self.given)
        return cconv.ConvPlan(w, **{"input_shape": shape, **self.arguments, **keywords})

    def data(self, dtype: str) -> tuple[Array, Array]:
        rng = np.random.default_rng(sum(self.image) + sum(self.kernel))
        x = rng.standard_normal((2, self.channels, *self.given)).astype(dtype)
        return x, rng.standard_normal((self.channels, 1, *self.kernel)).astype(dtype)


# Every size of a transform, along columns and along rows, and of a line.
CASES = [
    Case((61, 170), (8, 58), (16, 128), "reflect"),
    Case((50, 251), (15, 24), (32, 64)),
    Case((48, 335), (23, 11), (48, 32), "circular", 3),
    Case((58, 122), (23, 20), (64, 48), "symmetric"),
    Case((243, 68), (26, 30), (96, 96), "replicate"),
    Case((290, 48), (77, 5), (192, 16)),
    Case((110, 583), (25, 54), (128, 192), "reflect"),
    Case((668, 250), (84, 47), (256, 256), "symmetric"),
    Case((2594,), (195,), (512,), "reflect", 2),
    Case((3048,), (163,), (1024,)),
    Case((5518,), (134,), (1536,), "circular"),
    Case((22615,), (511,), (6144,), "replicate"),
    Case((34785,), (611,), (9216,)),
    Case((38924,), (1967,), (12288,), "symmetric"),
    Case((169630,), (6520,), (49152,)),
    Case((52511,), (48393,), (65536,)),
]
SMALL = [CASES[i] for i in (1, 2, 4, 8, 9)]


def name_of(case: Case) -> str:
    return "x".join(map(str, case.tile)) + " " + case.mode


def padded(case: Case, x: Array) -> Array:
    pads: Any = ((0, 0), (0, 0), *case.pads)
    return np.pad(x, pads, MODES[case.mode])  # type: ignore[call-overload, no-any-return]


def excess(case: Case, x: Array, w: Array, y: Array) -> float:
    """The error of some outputs, in units of what the gate is counted in, at its worst."""
    image = padded(case, x)
    most = np.abs(image).max()
    rng = np.random.default_rng(0)
    worst = 0.0
    for i in range(SAMPLES):
        c = int(rng.integers(case.channels))
        place = [int(rng.integers(n)) for n in y.shape[2:]]
        place = [n - 1 for n in y.shape[2:]] if i == 0 else [0 for _ in place] if i == 1 else place
        window = tuple(slice(o, o + k) for o, k in zip(place, case.kernel, strict=True))
        exact = (image[(i % 2, c, *window)].astype(np.longdouble) * w[c, 0]).sum()
        bound = np.finfo(x.dtype).eps * most * np.abs(w[c]).sum(dtype=np.float64)
        worst = max(worst, float(abs(y[(i % 2, c, *place)] - exact) / bound))
    return worst


@pytest.mark.parametrize("dtype", GATES)
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_outputs_are_sums(case: Case, dtype: str) -> None:
    x, w = case.data(dtype)
    plan = case.plan(dtype)
    assert plan.algorithm == "fft"
    assert "Fourier" in plan.explain()
    hop = plan._info["block"][-len(case.tile) :]
    assert [b + k - 1 for b, k in zip(hop, case.kernel, strict=True)] == list(case.tile)
    assert excess(case, x, w, case.run(x, w)) <= GATES[dtype] / 2  # of normal values


def inputs(shape: tuple[int, ...], rng: np.random.Generator) -> Iterator[Array]:
    yield np.full(shape, 0.3)
    yield np.full(shape, 255.0)
    yield rng.uniform(0, 1, shape)
    yield np.sign(rng.standard_normal(shape))
    yield np.cos(0.37 * np.arange(np.prod(shape)).reshape(shape))
    a = rng.standard_normal(shape)
    a[..., a.shape[-1] // 3] = 1e8
    yield a


def kernels(shape: tuple[int, ...], rng: np.random.Generator) -> Iterator[Array]:
    yield np.ones(shape)
    yield rng.uniform(0, 1, shape)
    a = np.zeros(shape)
    a[..., -1] = 1
    a[..., 0] = -0.7
    yield a
    a = np.zeros(shape)
    a.reshape(shape[0], -1)[:, a[0].size // 3] = 1
    yield a
    a = rng.standard_normal(shape)
    a.reshape(shape[0], -1)[:, 7] = 1e6
    yield a


@pytest.mark.parametrize("dtype", GATES)
@pytest.mark.parametrize("case", [*SMALL, CASES[6], CASES[11]], ids=name_of)
def test_like_and_unlike_values_are_within_the_gate(case: Case, dtype: str) -> None:
    rng = np.random.default_rng(7)
    for a in inputs((2, case.channels, *case.given), rng):
        for b in kernels((case.channels, 1, *case.kernel), rng):
            x, w = a.astype(dtype), b.astype(dtype)
            assert excess(case, x, w, case.run(x, w)) <= GATES[dtype]


@pytest.mark.parametrize("dtype", GATES)
@pytest.mark.parametrize("case", SMALL, ids=name_of)
def test_bits_are_the_same_however_it_is_called(case: Case, dtype: str) -> None:
    x, w = case.data(dtype)
    y = case.run(x, w, threads=1)
    for threads in (2, 3, 7):
        assert y.tobytes() == case.run(x, w, threads=threads).tobytes()
        plan = cconv.ConvPlan(w, input_shape=x.shape, threads=threads, **case.arguments)
        assert y.tobytes() == plan(x).tobytes()
        assert y[1:].tobytes() == plan(x[1:]).tobytes()
    assert y[0].tobytes() == case.run(x[0], w).tobytes()
    many = np.concatenate([x, x[::-1], x])
    assert y[1].tobytes() == case.run(many, w, threads=3)[2].tobytes()
    for c in range(case.channels):
        one = case._replace(channels=1).run(x[:, c : c + 1], w[c : c + 1])
        assert y[:, c].tobytes() == one[:, 0].tobytes()
    far = np.zeros((*x.shape[:-1], 3 * x.shape[-1]), dtype)[..., ::-3]
    far[:] = x
    assert y.tobytes() == case.run(far, np.asfortranarray(w), threads=2).tobytes()
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    z = case.run(last, w, layout="NHWC")
    assert y.tobytes() == np.ascontiguousarray(np.moveaxis(z, -1, 1)).tobytes()
    out = np.zeros((*y.shape, 2), dtype)[..., 0]
    assert y.tobytes() == np.ascontiguousarray(case.run(x, w, out=out)).tobytes()


@pytest.mark.parametrize("case", SMALL, ids=name_of)
def test_what_comes_after_the_sums(case: Case) -> None:
    x, w = case.data("float32")
    y = case.run(x, w)
    bias = np.arange(1, 1 + case.channels, dtype="f4")
    each = bias.reshape(-1, *[1] * len(case.image))
    assert (case.run(x, w, bias) == y + each).all()
    assert (
        case.run(x, w, bias, residual=y, activation="relu") == np.maximum(y + y + each, 0)
    ).all()
    half = x.astype("f2"), w.astype("f2")
    exact = case.run(half[0].astype("f4"), half[1].astype("f4"))
    assert (case.run(*half) == exact.astype("f2")).all()
    whole = np.round(x * 40).astype("u1")
    assert (case.run(whole, w) == case.run(whole.astype("f4"), w)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", SMALL, ids=name_of)
def test_what_is_not_finite_reaches_the_windows_that_hold_it(case: Case, value: float) -> None:
    x, w = case.data("float32")
    w[..., 3] = 0  # times infinity it is NaN
    before = case.run(x, w)
    for place in (0, x[0, 0].size // 3, x[0, 0].size - 1):
        z = x.copy()
        z[1, 0].flat[place] = value
        y, direct = case.run(z, w), case.run(z, w, algorithm="direct")
        same = ~np.isfinite(direct)
        assert same.any()
        assert np.array_equal(y[same], direct[same], equal_nan=True)
        assert np.isfinite(y[~same]).all()
        near = GATES["float32"] * np.finfo("f4").eps * np.abs(x).max() * np.abs(w).sum()
        assert np.abs(y[~same] - direct[~same]).max() <= near
        assert y[0].tobytes() == before[0].tobytes()
        assert y.tobytes() == case.run(z, w, threads=3).tobytes()
    w[0].flat[5] = value
    y, direct = case.run(x, w), case.run(x, w, algorithm="direct")
    assert np.array_equal(y[:, :1], direct[:, :1], equal_nan=True)
    assert y[:, 1:].tobytes() == before[:, 1:].tobytes()


@pytest.mark.parametrize("size", [1e38, 1e34, 1e30, 1e20, 1e-20, 1e-30])
@pytest.mark.parametrize("case", SMALL, ids=name_of)
def test_huge_and_tiny_values(case: Case, size: float) -> None:
    """What overflows on the way is summed again, and little is lost of what is small."""
    x, w = case.data("float32")
    x *= np.float32(size) / np.abs(x).max()
    with np.errstate(all="ignore"):
        y, direct = case.run(x, w), case.run(x, w, algorithm="direct")
    finite = np.isfinite(direct)
    assert np.array_equal(y[~finite], direct[~finite], equal_nan=True)
    near = GATES["float32"] * np.finfo("f4").eps * size * np.abs(w[0]).sum(dtype="f8") * 2
    assert np.abs(y[finite].astype("f8") - direct[finite]).max() <= near
    if size > 1e30:  # a weight would overflow
        return
    y, exact = (
        case.run(x / np.float32(size), w * np.float32(size)),
        case.run(x / np.float32(size), w),
    )
    assert np.abs(y / np.float32(size) - exact).max() <= near / size


@pytest.mark.parametrize("dtype", GATES)
def test_scratch_is_bounded(dtype: str) -> None:
    """At most 8 MB a thread, however large a kernel is and however many groups there are."""
    for case in (
        *CASES,
        Case((700, 700), (240, 240), (256, 256)),
        Case((2000, 2000), (129, 200), (256, 256), channels=300),
        Case((300000,), (60000,), (65536,)),
    ):
        for threads in (1, 2, 5):
            plan = case.plan(dtype, threads=threads)
            assert plan.algorithm == "fft"
            assert plan.workspace_nbytes <= threads * 8e6, case


def test_shapes_alone_choose() -> None:
    case = CASES[1]
    for more in ({"threads": 1}, {"threads": 3}, {"padding_mode": "circular"}):
        assert case.plan(**more).algorithm == "fft"
    for n in (0, 1, 9):
        assert case.plan(input_shape=(n, 1, *case.given)).algorithm == "fft"
    for more in ({"algorithm": "direct"}, {"stride": 2}, {"dilation": (1, 2)}):
        assert case.plan(**more).algorithm == "depthwise"
    few = case._replace(kernel=(7, 7))
    assert few.plan().algorithm == "depthwise"
    w = np.ones((2, 1, *case.kernel), "f4")
    two = cconv.ConvPlan(w, input_shape=(1, 1, *case.given))
    assert two.algorithm != "fft"  # it has two channels out


def test_a_plan_of_no_image() -> None:
    for case in (CASES[2], CASES[8]):
        plan = case.plan(input_shape=(0, case.channels, *case.given))
        assert plan(np.ones((0, case.channels, *case.given), "f4")).shape[0] == 0
        x = case.data("float32")[0]
        assert plan(x).shape[0] == 2
