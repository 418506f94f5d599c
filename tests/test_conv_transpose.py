"""conv_transpose1d, 2d and 3d: every geometry, dtype and layout, against two oracles.

The reference loops over the taps. The oracle here loops over the input positions and adds the
window of each to a canvas that holds all that any window reaches; the output is a piece of it. On
integers all agree bit for bit; other data stay within (K + 2) u sum |w| |x|, where K is the number
of products an output can have.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import cases
import numpy as np
import oracle
import pytest
from cases import DTYPES, RANKS, assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from test_errors import HUGE, check, giant, ones, refused

import cconv
from cconv import conv_transpose_output_shape
from cconv.reference.conv_transpose import conv_transpose

Ints = tuple[int, ...]
TRANSPOSE: dict[int, Callable[..., Any]] = {
    1: cconv.conv_transpose1d,
    2: cconv.conv_transpose2d,
    3: cconv.conv_transpose3d,
}
PLAIN = (None, 0.0, 0.0)


@dataclass(frozen=True)
class Case:
    """One transposed convolution: everything but the values, which follow from `seed`."""

    dtype: str
    batch: int
    in_channels: int
    out_channels: int
    groups: int
    spatial: Ints
    kernel: Ints
    stride: Ints
    dilation: Ints
    pads: cases.Pads
    extra: Ints
    bias: bool = True
    layout: str = "contiguous"
    out_layout: str = "none"
    threads: int = 1
    seed: int = 0

    @property
    def rank(self) -> int:
        return len(self.spatial)

    @property
    def out_shape(self) -> Ints:
        return (self.batch, self.out_channels, *out_spatial(self))

    @property
    def terms(self) -> int:
        """K: a phase of the stride is met by every q-th tap, q = s / gcd(s, d)."""
        each = zip(self.kernel, self.stride, self.dilation, strict=True)
        taps = [-(-k // (s // math.gcd(s, d))) for k, s, d in each]
        return self.in_channels // self.groups * math.prod(taps)

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.pads,
            "output_padding": self.extra,
            "groups": self.groups,
            "dilation": self.dilation,
        }

    @property
    def backend_arguments(self) -> tuple[Any, ...]:
        before, after = zip(*self.pads, strict=True)
        return (self.stride, self.dilation, before, after, self.groups)


def out_spatial(case: Case) -> Ints:
    axes = zip(case.spatial, case.kernel, case.stride, case.dilation, case.pads, case.extra)  # noqa: B905
    return tuple((i - 1) * s - b - a + d * (k - 1) + e + 1 for i, k, s, d, (b, a), e in axes)


def draw_axis(random: Random, longest: int) -> tuple[Any, ...]:
    """Size, kernel, stride, dilation, pads and output padding of one axis with an output."""
    size = random.randint(1, longest)
    kernel = random.choice([1, 1, 2, 3, 3, 3, 4, 5, 7])
    stride = random.choice([1, 1, 2, 2, 2, 3, 4, 6])
    dilation = random.choice([1, 1, 1, 2, 3, 4])
    extra = random.randrange(max(stride, dilation))
    reach = dilation * (kernel - 1)
    before, after = (random.randint(-3, random.choice([0, 2, reach + 4])) for _ in range(2))
    while (size - 1) * stride - before - after + reach + extra < 0:
        before, after = before - 1, after - random.randint(0, 1)
    return size, kernel, stride, dilation, (before, after), extra


def draw(random: Random, rank: int | None = None, dtype: str | None = None) -> Case:
    """Any transposed convolution whose oracle takes milliseconds."""
    rank = rank or random.choice(RANKS)
    batch = random.choice([0, 1, 1, 1, 2, 3])
    groups, per_group, filters = random.choice(
        [
            (1, random.randint(1, 12), random.randint(1, 20)),
            (random.randint(2, 5), random.randint(1, 4), random.randint(1, 4)),
            (random.randint(1, 12), 1, random.randint(1, 3)),
        ]
    )
    longest = {1: [40], 2: [6, 20], 3: [3, 4, 12]}[rank]
    axes = tuple(zip(*(draw_axis(random, size) for size in longest), strict=True))
    return Case(
        dtype or random.choice(DTYPES),
        batch,
        groups * per_group,
        groups * filters,
        groups,
        *axes,
        random.random() < 0.6,
        random.choice(cases.LAYOUTS),
        random.choice(cases.OUT_LAYOUTS),
        random.choice([1, 1, 2, 3]),
        random.randrange(2**32),
    )


def data(case: Case, rng: np.random.Generator, values: Callable[..., Any] = cases.integers) -> Any:
    x = values(rng, (case.batch, case.in_channels, *case.spatial), case.dtype)
    per_group = case.out_channels // case.groups
    w = values(rng, (case.in_channels, per_group, *case.kernel), case.dtype)
    bias = values(rng, (case.out_channels,), case.dtype) if case.bias else None
    return cases.arrange(x, case.layout, rng), w, bias


def naive(case: Case, x: Any, w: Any, bias: Any, dtype: Any = np.longdouble) -> Any:
    """Each input position adds its window to a canvas, in `dtype`; the output is cut out."""
    groups, ic = case.groups, case.in_channels // case.groups
    oc = case.out_channels // groups
    full = [(i - 1) * s + d * (k - 1) + 1 for i, k, s, d in zip(
        case.spatial, case.kernel, case.stride, case.dilation, strict=True)]  # fmt: skip
    canvas = np.zeros((case.batch, groups, oc, *full), dtype)
    images = np.asarray(x, dtype).reshape(case.batch, groups, ic, *case.spatial)
    filters = np.asarray(w, dtype).reshape(groups, ic, oc, math.prod(case.kernel))
    for position in np.ndindex(*case.spatial):
        windows = np.einsum("ngi,giok->ngok", images[(..., *position)], filters)
        place = tuple(
            slice(p * s, p * s + d * (k - 1) + 1, d)
            for p, s, d, k in zip(position, case.stride, case.dilation, case.kernel, strict=True)
        )
        canvas[(..., *place)] += windows.reshape(case.batch, groups, oc, *case.kernel)
    sizes, starts = out_spatial(case), [before for before, _ in case.pads]
    result = np.zeros((case.batch, case.out_channels, *sizes), dtype)
    canvas = canvas.reshape(case.batch, case.out_channels, *full)
    low = [max(0, -b) for b in starts]
    ends = [min(n, f - b) for n, f, b in zip(sizes, full, starts, strict=True)]
    if all(a < e for a, e in zip(low, ends, strict=True)):
        to = tuple(slice(a, e) for a, e in zip(low, ends, strict=True))
        source = tuple(slice(a + b, e + b) for a, e, b in zip(low, ends, starts, strict=True))
        result[(..., *to)] = canvas[(..., *source)]
    return result if bias is None else result + bias.astype(dtype).reshape(-1, *(1,) * case.rank)


def by_reference(case: Case, x: Any, w: Any, bias: Any) -> Any:
    out = np.empty(case.out_shape, x.dtype)
    conv_transpose(x, w, bias, None, out, *case.backend_arguments, PLAIN, 1)
    return out


def run(case: Case, x: Any, w: Any, bias: Any, **keywords: Any) -> Any:
    keywords = {"algorithm": "direct", "threads": case.threads, **keywords}
    return TRANSPOSE[case.rank](x, w, bias, **case.arguments, **keywords)


def check_scratch(case: Case, x: Any, w: Any, bias: Any) -> None:
    """No more scratch a thread than twice L2 or 8 MB, or half of L2, for any number of threads."""
    if cases.CORE is None:
        return
    l2 = cases.CORE.build_info()["cache_l2"]
    out = np.empty(case.out_shape, case.dtype)
    axes, padding = tuple(range(x.ndim)), ("constant", 0.0)
    *window, groups = case.backend_arguments
    for threads in (1, cases.MAX_THREADS):
        how = (*window, padding, groups, PLAIN, "direct", threads, axes, False)
        nbytes = cases.CORE.Plan(True, x, w, bias, None, out, *how).workspace_nbytes
        assert nbytes / threads <= max(l2 / 2, min(2 * l2, 8_000_000))


def check_exact(case: Case) -> None:
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        x, w, bias = data(case, rng)
        before = x.copy()
        canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
        y = run(case, x, w, bias, out=canvas.array)
        canvas.check(y)
        assert_same_bits(x, before)
        assert_same_bits(y, naive(case, x, w, bias).astype(case.dtype))
        if cases.CORE:
            assert_same_bits(y, by_reference(case, x, w, bias))
        check_scratch(case, x, w, bias)


def check_bound(case: Case) -> None:
    with cases.naming(case):
        x, w, bias = data(case, np.random.default_rng(case.seed), cases.normals)
        y = run(case, x, w, bias)
        error = (case.terms + 2) * cases.unit_roundoff(case.dtype)
        sizes = abs(x), abs(w), None if bias is None else abs(bias)
        bound = naive(case, *sizes) * error
        cases.assert_within(y, naive(case, x, w, bias), bound * oracle.SLACK[case.dtype])
        if cases.CORE:
            exact = by_reference(case, x, w, bias)
            cases.assert_within(y, exact, bound * 2)


# ------------------------------------------------------------------------------------------ sweeps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_sweep_is_exact_on_integers(rank: int, dtype: str) -> None:
    for case in cases.sweep(f"transpose{rank}d/{dtype}", 600, lambda r: draw(r, rank, dtype)):
        check_exact(case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_sweep_keeps_the_error_bound(rank: int, dtype: str) -> None:
    for case in cases.sweep(f"transpose{rank}d/{dtype}/bound", 200, lambda r: draw(r, rank, dtype)):
        check_bound(case)


@given(st.randoms(use_true_random=False).map(draw))
def test_any_case_is_exact_on_integers(case: Case) -> None:
    check_exact(case)


@given(st.randoms(use_true_random=False).map(draw))
def test_any_case_keeps_the_error_bound(case: Case) -> None:
    check_bound(case)


def test_every_small_geometry_of_one_axis() -> None:
    """Sizes to 4, kernels to 5, strides and dilations to 4, pads from -2 to 4."""
    for index in np.ndindex(4, 5, 4, 4, 7, 7):
        size, k, s, d, b, a = (int(i) + 1 for i in index)
        if Random(str(index)).randrange(cases.SHARE):
            continue
        pads, extra = ((b - 3, a - 3),), (sum(index) % max(s, d),)
        if (size - 1) * s - b - a + 6 + d * (k - 1) + extra[0] < 0:
            continue
        case = Case("float32", 1, 2, 2, 1, (size,), (k,), (s,), (d,), pads, extra)
        with cases.naming(case):
            x, w, bias = data(case, np.random.default_rng(size))
            assert_same_bits(run(case, x, w, bias), naive(case, x, w, bias).astype("f4"))


# -------------------------------------------------------------------------------------- big shapes


def big(channels: Ints, spatial: Ints, kernel: Ints, step: int = 2, **changes: Any) -> Case:
    rank = len(spatial)
    plain = Case(
        "float32", 1, *channels, 1, spatial, kernel, (step,) * rank, (1,) * rank,
        ((0, 0),) * rank, (0,) * rank, threads=2, seed=5,
    )  # fmt: skip
    return replace(plain, **changes)


BIG = {
    "1500 channels": big((1500, 9), (5, 6), (3, 3)),
    "3000 channels on one pixel": big((3000, 17), (1, 1), (2, 2), batch=3),
    "700 filters": big((3, 700), (4, 5), (4, 4)),
    "upsampling": big((16, 8), (30, 40), (2, 2)),
    "4x4 by 2": big((12, 10), (28, 28), (4, 4), pads=((1, 1), (1, 1))),
    "row of 20000": big((4, 3), (20_000,), (5,)),
    "large kernel": big((2, 1), (9, 8), (41, 43), 3),
    "stride over kernel": big((3, 4), (7, 9), (2, 3), 50),
    "stride 1000": big((2, 3), (3, 4), (1, 2), 400),
    "one tap in two phases": big((3, 4), (20, 21), (3, 3), 4, dilation=(2, 2)),
    "dilation 300": big((4, 3), (400,), (4,), dilation=(300,)),
    "volume": big((8, 6), (5, 9, 11), (3, 3, 3)),
    # Phases of one tap in depth, whose last outputs are behind the input without any pad.
    "20 groups of a volume": big(
        (20, 20), (3, 9, 10), (2, 3, 3), groups=20, stride=(2, 1, 1), extra=(1, 0, 0), threads=1
    ),
    "20 groups of a volume, channels last": big(
        (20, 20),
        (3, 9, 7),
        (2, 3, 3),
        groups=20,
        stride=(2, 1, 1),
        extra=(1, 0, 0),
        layout="channels_last",
        out_layout="channels_last",
        threads=1,
    ),
    "64 groups": big((64, 128), (9, 9), (3, 3), groups=64),
    "wide pads": big((2, 3), (30, 30), (5, 5), pads=((20, 25), (-9, -7))),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BIG)
def test_big_shapes(name: str, dtype: str) -> None:
    """Shapes that force channels, taps, rows or columns of a phase to be split into blocks."""
    case = replace(BIG[name], dtype=dtype)
    check_exact(case)
    check_bound(case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BIG)
def test_bits_do_not_depend_on_threads(name: str, dtype: str) -> None:
    case = replace(BIG[name], dtype=dtype)
    arrays = data(case, np.random.default_rng(2), cases.normals)
    alone = run(case, *arrays, threads=1)
    for threads in (2, 3, 7) if cases.CORE else (2,):
        assert_same_bits(run(case, *arrays, threads=threads), alone)


def test_bits_do_not_depend_on_batch_or_layout() -> None:
    one = lambda r: replace(draw(r), batch=r.randint(2, 4), layout="contiguous")  # noqa: E731
    for case in cases.sweep("transpose/same bits", 200, one):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x, w, bias = data(case, rng, cases.normals)
            whole = run(case, x, w, bias)
            for image, y in zip(x, whole, strict=True):
                assert_same_bits(run(case, image, w, bias), y)
            for layout in ("fortran", "channels_last", "unaligned", "scattered"):
                moved = cases.arrange(x, layout, rng)
                canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
                assert_same_bits(run(case, moved, w, bias, out=canvas.array), whole)


# ----------------------------------------------------------------------------------- special values


@pytest.mark.parametrize("rank", RANKS)
def test_activation_comes_after_bias(rank: int) -> None:
    rng = np.random.default_rng(rank)
    x = cases.integers(rng, (1, 2, *(5, 6, 7)[-rank:]), "float32")
    w, bias = cases.integers(rng, (2, 2, *(2,) * rank), "float32"), np.array([-7, 7], "f4")
    for padding in (0, -2):  # with outputs that no tap meets
        y = TRANSPOSE[rank](x, w, bias, 3, padding, activation=("clip", -5, 4))
        assert_same_bits(y, TRANSPOSE[rank](x, w, bias, 3, padding).clip(-5, 4))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_special_input_reaches_exactly_its_window(value: float) -> None:
    for stride, dilation in ((1, 1), (2, 1), (3, 2)):
        x, w = np.ones((1, 1, 12), "f4"), np.ones((1, 2, 4), "f4")
        x[0, 0, 5] = value
        y = TRANSPOSE[1](x, w, None, stride, dilation=dilation)
        window = [5 * stride + dilation * k for k in range(4)]
        assert np.flatnonzero(~np.isfinite(y[0, 1])).tolist() == window


def test_no_channels_give_the_bias() -> None:
    y = TRANSPOSE[2](ones(2, 0, 3, 4), ones(0, 2, 2, 2), np.array([3, 4], "f4"), 2)
    assert (y == np.array([3, 4]).reshape(2, 1, 1)).all()
    assert y.shape == (2, 2, 6, 8)


@pytest.mark.parametrize("shift", [0, 1, 7, 40])
def test_out_may_overlap_the_input(shift: int) -> None:
    rng = np.random.default_rng(9)
    buffer = cases.integers(rng, (500,), "float32")
    x, w = buffer[:84].reshape(1, 2, 6, 7), cases.integers(rng, (2, 2, 2, 2), "float32")
    out = buffer[shift : shift + 336].reshape(1, 2, 12, 14)
    expected = TRANSPOSE[2](x.copy(), w, stride=2)
    assert TRANSPOSE[2](x, w, stride=2, out=out) is out
    assert_same_bits(out, expected)


# ----------------------------------------------------------------------------------------- sizes


def onnx_pads(total: int, word: str) -> tuple[int, int]:
    """The text of ONNX's ConvTranspose."""
    if total < 0:
        return 0, total
    half = total // 2
    return (half, total - half) if word == "same" else (total - half, half)


@pytest.mark.parametrize("word", ["same", "same_lower"])
def test_same_is_what_onnx_writes(word: str) -> None:
    rng = np.random.default_rng(1)
    for index in np.ndindex(4, 5, 4, 3, 2):
        size, k, s, d, extra = (int(i) + 1 for i in index)
        extra = min(extra - 1, max(s, d) - 1)
        x, w = cases.integers(rng, (1, 2, size), "float32"), cases.integers(rng, (2, 1, k), "f4")
        total = s * (size - 1) + extra + (k - 1) * d + 1 - size * s
        pads = onnx_pads(total, word)
        y = TRANSPOSE[1](x, w, None, s, word, extra, 1, d)
        assert y.shape == (1, 1, size * s)
        assert conv_transpose_output_shape(x.shape, w.shape, s, word, extra, 1, d) == y.shape
        assert_same_bits(y, TRANSPOSE[1](x, w, None, s, (pads,), extra, 1, d))
        for wanted in range(1, size * s + 4):
            y = TRANSPOSE[1](x, w, None, s, word, dilation=d, output_size=wanted)
            pads = onnx_pads(s * (size - 1) + (k - 1) * d + 1 - wanted, word)
            assert y.shape == (1, 1, wanted)
            assert_same_bits(y, TRANSPOSE[1](x, w, None, s, (pads,), 0, 1, d))


def test_a_pointwise_kernel_may_have_output_padding() -> None:
    """Dilated, as it must be for that: rows of input and output then differ in length."""
    x = np.arange(1.0, 13.0).reshape(1, 1, 3, 4)
    y = TRANSPOSE[2](x, np.ones((1, 1, 1, 1)), dilation=3, output_padding=(0, 2))
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (0, 0), (0, 0), (0, 2))))


def test_output_size_is_an_output_padding() -> None:
    rng = np.random.default_rng(1)
    x = cases.integers(rng, (1, 2, 4, 5), "float32")
    w = cases.integers(rng, (2, 3, 3, 2), "float32")
    for extra in np.ndindex(3, 4):
        arguments: dict[str, Any] = {"stride": (3, 2), "padding": 1, "dilation": (1, 4)}
        y = TRANSPOSE[2](x, w, output_padding=extra, **arguments)
        size = (10 + extra[0], 11 + extra[1])
        assert y.shape[2:] == size
        assert_same_bits(TRANSPOSE[2](x, w, output_size=list(size), **arguments), y)
        shape = conv_transpose_output_shape(x.shape, w.shape, output_size=size, **arguments)
        assert shape == y.shape
    assert TRANSPOSE[2](x, w, None, (3, 4), "valid", output_size=(12, 18)).shape[2:] == (12, 18)


X, W = ones(2, 8, 5, 6), ones(8, 3, 3, 3)
transpose = cconv.conv_transpose2d
ERRORS: dict[str, tuple[type[Exception], Callable[[], Any], list[str]]] = {
    "input rank": (ValueError, lambda: transpose(ones(9, 9), W), ["input", "(9, 9)", "4", "3"]),
    "weight rank": (ValueError, lambda: transpose(X, ones(8, 3, 3)), ["weight", "(c, oc/g"]),
    "channels": (
        ValueError, lambda: transpose(X, ones(7, 3, 3, 3)),
        ["weight.shape[0] is 7", "8 channels", "(8, oc/groups, kh, kw)"],
    ),
    "groups": (ValueError, lambda: transpose(X, W, groups=3), ["groups is 3", "8"]),
    "groups 0": (ValueError, lambda: transpose(X, W, groups=0), ["groups is 0", "1"]),
    "no filters": (ValueError, lambda: transpose(X, ones(8, 0, 3, 3)), ["weight.shape[1] is 0"]),
    "empty kernel": (ValueError, lambda: transpose(X, ones(8, 3, 0, 3)), ["weight.shape[2] is 0"]),
    "bias": (ValueError, lambda: transpose(X, W, ones(3), groups=2), ["bias", "(3,)", "(6,)"]),
    "stride": (ValueError, lambda: transpose(X, W, stride=(1, 0)), ["stride[1] is 0", "1"]),
    "dilation": (ValueError, lambda: transpose(X, W, dilation=-1), ["dilation is -1", "1"]),
    "full": (ValueError, lambda: transpose(X, W, padding="full"), ["'full'", "'same_lower'"]),
    "causal": (
        ValueError, lambda: cconv.conv_transpose1d(X[0], ones(5, 1, 1), padding="causal"),
        ["'causal'", "'same_lower'"],
    ),
    "output_padding": (
        ValueError, lambda: transpose(X, W, stride=2, output_padding=(1, 2)),
        ["output_padding[1] is 2", "0 to 1", "stride (2)", "dilation (1)"],
    ),
    "output_padding -1": (
        ValueError, lambda: transpose(X, W, stride=2, output_padding=-1),
        ["output_padding is -1", "0"],
    ),
    "output_padding 0.5": (
        TypeError, lambda: transpose(X, W, output_padding=0.5), ["output_padding is 0.5", "int"],
    ),
    "output_size": (
        ValueError, lambda: transpose(X, W, stride=2, output_size=(11, 15)),
        ["output_size[1] is 15", "13 to 14", "6", "(0, 0)"],
    ),
    "output_size 0": (
        ValueError, lambda: transpose(X, W, padding="same", output_size=0), ["output_size is 0"],
    ),
    "output_sizes": (
        ValueError, lambda: transpose(X, W, output_size=(2, 3, 4)), ["output_size", "(2, 3, 4)"],
    ),
    "both": (
        ValueError, lambda: transpose(X, W, stride=2, output_padding=1, output_size=(12, 14)),
        ["output_padding is 1", "output_size (12, 14)", "at most one"],
    ),
    "empty output": (
        ValueError, lambda: transpose(X, W, padding=(0, 4)), ["no element along w", "(4, 4)"],
    ),
    "empty input axis": (ValueError, lambda: transpose(ones(1, 8, 0, 9), W), ["input", "along h"]),
    "algorithm": (ValueError, lambda: transpose(X, W, algorithm="fft"), ["'fft'", "'direct'"]),
    "threads": (ValueError, lambda: transpose(X, W, threads=0), ["threads is 0"]),
    "dtype": (TypeError, lambda: transpose(X.astype("c8"), W), ["input", "complex64", "float32"]),
    "out": (ValueError, lambda: transpose(X, W, out=ones(2, 3, 7, 7)), ["out", "(2, 3, 7, 8)"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, call, fragments = ERRORS[name]
    check(error, call, "conv_transpose", "d: ", *fragments)


@pytest.mark.parametrize("n", [*HUGE, *(-n for n in HUGE)])
def test_huge_numbers_are_refused_or_exact(n: int) -> None:
    """A result that would be huge is only asked for where no memory could hold it."""
    x, w = ones(1, 1, 5), ones(1, 2, 3)
    far = abs(n)
    small: list[Callable[[], Any]] = [
        lambda: TRANSPOSE[1](x, w, None, 1, far),
        lambda: TRANSPOSE[1](x, w, None, 1, ((n, 2 - n),)),
        lambda: TRANSPOSE[1](x, w, dilation=far, padding=((far, far),)),
        lambda: TRANSPOSE[1](x, w, stride=far, padding=((2 * far, 2 * far),)),
        lambda: conv_transpose_output_shape((1, 1, far), (1, 1, far), far),
    ]
    large: list[Callable[[], Any]] = [
        lambda: TRANSPOSE[1](x, w, None, far, ((far, 0),)),
        lambda: TRANSPOSE[1](x, w, None, 1, -far),
        lambda: TRANSPOSE[1](x, w, dilation=far),
        lambda: TRANSPOSE[1](x, w, padding="same", output_size=far),
        lambda: TRANSPOSE[1](giant(1, 1, 2**50), w),
    ]
    for call in small if far < 2**55 else [*small, *large]:
        refused(call)
    if 0 < n < 2**60:
        y = TRANSPOSE[1](x, w, stride=n, padding=((2 * n - 1, 2 * n),))
        assert y[0].tolist() == [[0, 1, 1, 1]] * 2
