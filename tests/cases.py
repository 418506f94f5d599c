"""Drawn cases for the sweeps, their data in every memory layout, and the judges of a result.

A case is a frozen value, drawn by `draw_conv` or `draw_pool` from a random.Random: the
deterministic sweep seeds one itself, hypothesis hands in one that it can shrink. Everything else
follows from the case.
"""

import math
import os
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import oracle

import cconv
from cconv import _backend, reference

Array = npt.NDArray[Any]
Ints = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]

DTYPES = ["float32", "float64"]
RANKS = [1, 2, 3]
CONV: dict[int, Callable[..., Array]] = {1: cconv.conv1d, 2: cconv.conv2d, 3: cconv.conv3d}
MAX_POOL: dict[int, Callable[..., Array]]
MAX_POOL = {1: cconv.max_pool1d, 2: cconv.max_pool2d, 3: cconv.max_pool3d}
MIN_POOL = {1: cconv.min_pool1d, 2: cconv.min_pool2d, 3: cconv.min_pool3d}
AVG_POOL = {1: cconv.avg_pool1d, 2: cconv.avg_pool2d, 3: cconv.avg_pool3d}
POOL: dict[str, dict[int, Any]] = {"max": MAX_POOL, "min": MIN_POOL, "avg": AVG_POOL}
LP_POOL = {1: cconv.lp_pool1d, 2: cconv.lp_pool2d, 3: cconv.lp_pool3d}
OUT_LAYOUTS = ["none", "contiguous", "fortran", "channels_last", "scattered"]
LAYOUTS = [*OUT_LAYOUTS[1:], "broadcast", "unaligned", "readonly"]
CANARY = 1234.0  # also in integers and in float16
SHARE = max(1, int(os.environ.get("CCONV_TEST_SHARE", "1")))
CORE: Any = _backend.backend if _backend.name == "c" else None
MATRIX_UNIT = CORE is not None and CORE.isa() == "amx"  # which 'bf16x3' needs
MAX_THREADS = 7


@dataclass(frozen=True)
class ConvCase:
    """One convolution: everything but the values, which follow from `seed`."""

    dtype: str
    batch: int
    in_channels: int
    out_channels: int
    groups: int
    spatial: Ints
    kernel: Ints
    stride: Ints
    dilation: Ints
    pads: Pads
    bias: bool = True
    layout: str = "contiguous"
    out_layout: str = "none"
    threads: int = 1
    seed: int = 0
    padding_mode: str = "zeros"
    padding_value: float = 0.0

    @property
    def rank(self) -> int:
        return len(self.spatial)

    @property
    def out_spatial(self) -> Ints:
        return out_spatial(self)

    @property
    def out_shape(self) -> Ints:
        return (self.batch, self.out_channels, *self.out_spatial)

    @property
    def terms(self) -> int:
        """K, the number of products summed into one output element."""
        return self.in_channels // self.groups * math.prod(self.kernel)

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.pads,
            "dilation": self.dilation,
            "groups": self.groups,
        } | self.mode

    @property
    def mode(self) -> dict[str, Any]:
        """The padding mode, where there is a choice of one."""
        if self.padding_mode == "zeros":
            return {}
        return {"padding_mode": self.padding_mode, "padding_value": self.padding_value}

    @property
    def backend_arguments(self) -> tuple[Any, ...]:
        """What a backend takes between `out` and the activation."""
        before, after = zip(*self.pads, strict=True)
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        padding = (mode, self.padding_value)
        return (self.stride, self.dilation, before, after, padding, self.groups)


@dataclass(frozen=True)
class PoolCase:
    """One pooling: everything but the values, which follow from `seed`."""

    kind: str
    dtype: str
    batch: int
    channels: int
    spatial: Ints
    kernel: Ints
    stride: Ints
    dilation: Ints
    pads: Pads
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor: int | None = None
    p: float = 2
    layout: str = "contiguous"
    out_layout: str = "none"
    threads: int = 1
    seed: int = 0

    @property
    def rank(self) -> int:
        return len(self.spatial)

    @property
    def out_spatial(self) -> Ints:
        return out_spatial(self, self.ceil_mode)

    @property
    def out_shape(self) -> Ints:
        return (self.batch, self.channels, *self.out_spatial)

    @property
    def arguments(self) -> dict[str, Any]:
        shared = {
            "stride": self.stride,
            "padding": self.pads,
            "dilation": self.dilation,
            "ceil_mode": self.ceil_mode,
        }
        if self.kind != "avg":
            return shared
        return shared | {
            "count_include_pad": self.count_include_pad,
            "divisor_override": self.divisor,
        }


Case = ConvCase | PoolCase
Drawn = TypeVar("Drawn", ConvCase, PoolCase)


def out_spatial(case: Case, ceil: bool = False) -> Ints:
    """Output sizes of a case, counted by the oracle."""
    axes = zip(case.spatial, case.kernel, case.stride, case.dilation, case.pads, strict=True)
    return tuple(oracle.window_count(i, k, s, d, *pad, ceil) for i, k, s, d, pad in axes)


# ---------------------------------------------------------------------------------------- drawing


def _draw_axis(random: Random, longest: int, ceil: bool = False) -> tuple[Any, ...]:
    """Size, kernel, stride, dilation and pads of one axis that has at least one output."""
    size = random.randint(1, longest)
    kernel = random.choice([1, 1, 2, 3, 3, 3, 4, 5, 6, 7])
    stride = random.choice([1, 1, 1, 2, 2, 3, 4])
    dilation = random.choice([1, 1, 1, 2, 3])
    widest = random.choice([0, 1, 3, 3, dilation * kernel, 40])
    before, after = random.randint(-2, widest), random.randint(-2, widest)
    while oracle.window_count(size, kernel, stride, dilation, before, after, ceil) < 1:
        before, after = before + 1, after + random.randint(0, 1)
    return size, kernel, stride, dilation, (before, after)


def _draw_axes(random: Random, rank: int, budget: int, ceil: bool = False) -> tuple[Any, ...]:
    """Geometry of all axes; the sizes shrink until taps times outputs fit the budget."""
    longest = {1: [70], 2: [12, 70], 3: [5, 8, 40]}[rank]
    if random.random() < 0.1:
        longest[-1] = 300
    while True:
        axes = [_draw_axis(random, size, ceil) for size in longest]
        cost = math.prod(
            k * oracle.window_count(i, k, s, d, *pad, ceil) for i, k, s, d, pad in axes
        )
        if cost <= budget:
            return tuple(zip(*axes, strict=True))
        longest = [max(1, size * 3 // 4) for size in longest]


def draw_conv(random: Random, rank: int | None = None, dtype: str | None = None) -> ConvCase:
    """Any convolution whose reference takes milliseconds."""
    rank = rank or random.choice(RANKS)
    batch = random.choice([0, 1, 1, 1, 2, 3])
    match random.choice(["dense", "dense", "grouped", "depthwise"]):
        case "dense":
            groups, per_group, filters = 1, random.randint(1, 20), random.randint(1, 20)
        case "grouped":
            groups, per_group = random.randint(2, 5), random.randint(1, 5)
            filters = random.randint(1, random.choice([4, 12]))
        case _:
            groups, per_group, filters = random.randint(1, 20), 1, random.randint(1, 3)
    channels = max(batch, 1) * groups * per_group * filters
    spatial, kernel, stride, dilation, pads = _draw_axes(random, rank, 2_000_000 // channels)
    return ConvCase(
        dtype or random.choice(DTYPES),
        batch,
        groups * per_group,
        groups * filters,
        groups,
        spatial,
        kernel,
        stride,
        dilation,
        pads,
        random.random() < 0.6,
        random.choice(LAYOUTS),
        random.choice(OUT_LAYOUTS),
        random.choice([1, 1, 1, 2, 3]),
        random.randrange(2**32),
    )


def draw_pool(
    random: Random, kind: str | None = None, rank: int | None = None, dtype: str | None = None
) -> PoolCase:
    """Any pooling whose reference takes milliseconds."""
    rank = rank or random.choice(RANKS)
    ceil = random.random() < 0.5
    batch, channels = random.choice([0, 1, 1, 2, 3]), random.choice([0, 1, 1, 2, 3, 5, 9, 17])
    spatial, kernel, stride, dilation, pads = _draw_axes(random, rank, 50_000, ceil)
    return PoolCase(
        kind or random.choice([*POOL]),
        dtype or random.choice(DTYPES),
        batch,
        channels,
        spatial,
        kernel,
        stride,
        dilation,
        pads,
        ceil,
        random.random() < 0.5,
        random.choice([None, None, None, 1, 3, 7]),
        random.choice([1, 2, 2, np.inf]),
        random.choice(LAYOUTS),
        random.choice(OUT_LAYOUTS),
        random.choice([1, 1, 1, 2, 3]),
        random.randrange(2**32),
    )


def sweep(name: str, count: int, draw: Callable[[Random], Drawn]) -> Iterator[Drawn]:
    """`count` cases, the same in every run; CCONV_TEST_SHARE=k keeps one in k of them."""
    for index in range(count):
        random = Random(zlib.crc32(f"{name}/{index}".encode()))
        if random.randrange(SHARE) == 0:
            yield draw(random)


def examples(count: int) -> int:
    """Hypothesis examples after CCONV_TEST_SHARE."""
    return max(1, count // SHARE)


@contextmanager
def naming(case: object) -> Iterator[None]:
    """Put the case into the report of an exception raised inside."""
    try:
        yield
    except Exception as error:
        error.add_note(f"case: {case!r}")
        raise


# --------------------------------------------------------------------------------- data and layouts


def integers(rng: np.random.Generator, shape: Ints, dtype: str, bound: int = 8) -> Array:
    """Small integers, so that every sum in a test is exact in float32."""
    return rng.integers(-bound, bound, shape, endpoint=True).astype(dtype)


def normals(rng: np.random.Generator, shape: Ints, dtype: str) -> Array:
    return rng.standard_normal(shape).astype(dtype)


def scatter(base_of: Callable[[Ints], Array], shape: Ints, rng: np.random.Generator) -> Array:
    """A view of `shape` into a larger array: permuted axes, steps of +-1 to +-3, margins."""
    order = rng.permutation(len(shape))
    steps = rng.choice([-3, -2, -1, 1, 1, 1, 2, 3], len(shape))
    margins = rng.integers(0, 4, (len(shape), 2))
    sizes = [int(m.sum()) + n * abs(int(s)) for n, s, m in zip(shape, steps, margins, strict=True)]
    base = base_of(tuple(sizes[axis] for axis in order)).transpose(np.argsort(order))
    cut = [
        slice(int(m[0]), int(m[0]) + n * abs(int(s)), abs(int(s)))
        for n, s, m in zip(shape, steps, margins, strict=True)
    ]
    flip = [slice(None, None, -1 if s < 0 else 1) for s in steps]
    return base[tuple(cut)][tuple(flip)]


def channels_last(a: Array) -> Array:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)


def unaligned(a: Array) -> Array:
    """A copy that starts one byte off."""
    raw = np.zeros(a.nbytes + 1, np.uint8)
    copy = raw[1:].view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


def arrange(values: Array, layout: str, rng: np.random.Generator) -> Array:
    """The values in another memory layout, with NaN in the memory between them.

    'broadcast' changes them: it repeats the first entry of one axis by a stride of zero.
    """
    match layout:
        case "contiguous":
            return values.copy()
        case "fortran":
            return np.asfortranarray(values)
        case "channels_last":
            return channels_last(values)
        case "unaligned":
            return unaligned(values)
        case "readonly":
            view = values.copy()
            view.flags.writeable = False
            return view
        case "broadcast":
            axis = int(rng.integers(values.ndim))
            first = np.take(values, range(min(1, values.shape[axis])), axis)
            return np.broadcast_to(first, values.shape)
        case "scattered":
            view = scatter(lambda shape: np.full(shape, np.nan, values.dtype), values.shape, rng)
            view[...] = values
            return view
    raise AssertionError(layout)


class Canvas:
    """An output view inside a larger array of canaries; `array` is None for the layout 'none'."""

    def __init__(self, shape: Ints, dtype: str, layout: str, rng: np.random.Generator) -> None:
        def base_of(shape: Ints) -> Array:
            self.base = np.full(shape, CANARY, dtype)
            return self.base

        last = len(shape) - 1
        self.array: Array | None
        match layout:
            case "none":
                self.array = None
            case "contiguous":
                self.array = base_of(shape)
            case "fortran":
                self.array = base_of(shape[::-1]).T
            case "channels_last":
                self.array = np.moveaxis(base_of((shape[0], *shape[2:], shape[1])), last, 1)
            case "scattered":
                self.array = scatter(base_of, shape, rng)

    def check(self, y: Array) -> None:
        """y is the array handed in as `out`, and nothing around it was written."""
        if self.array is None:
            return
        assert y is self.array
        values = y.copy()
        y[...] = CANARY
        assert (self.base == CANARY).all(), "memory around `out` was written"
        y[...] = values


# ------------------------------------------------------------------------------------------ judges


def assert_same_bits(actual: Array, expected: Array) -> None:
    """Equal shape, dtype and bits; all NaNs count as one value."""
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    word = f"u{actual.itemsize}"
    same = np.ascontiguousarray(actual).view(word) == np.ascontiguousarray(expected).view(word)
    same |= np.isnan(actual) & np.isnan(expected)
    if not same.all():
        index = tuple(int(i) for i in np.argwhere(~same)[0])
        raise AssertionError(
            f"{np.count_nonzero(~same)} of {same.size} elements differ, first at {index}:"
            f" {actual[index]!r}, expected {expected[index]!r}"
        )


def assert_within(actual: Array, exact: Array, bound: Array) -> None:
    """|actual - exact| <= bound, element by element; the message gives the worst ratio."""
    assert actual.shape == exact.shape
    excess = np.abs(actual.astype(np.longdouble) - exact) - bound
    if not (excess <= 0).all():
        index = np.unravel_index(int(np.nanargmax(np.where(excess <= 0, -1, excess))), excess.shape)
        raise AssertionError(
            f"at {tuple(int(i) for i in index)}: {actual[index]!r}, expected {exact[index]!r}"
            f" within {bound[index]:.3g}; error is {excess[index] + bound[index]:.3g}"
        )


def unit_roundoff(dtype: str) -> float:
    return float(np.finfo(dtype).eps) / 2


def some_positions(spatial: Ints, rng: np.random.Generator, limit: int) -> list[Ints]:
    """All output positions if there are at most `limit`; else both corners and a random choice."""
    count = math.prod(spatial)
    if count <= limit:
        return list(np.ndindex(*spatial))
    flat = [0, count - 1, *rng.integers(0, count, limit - 2)]
    return [tuple(int(i) for i in np.unravel_index(f, spatial)) for f in flat]


def at(y: Array, positions: list[Ints]) -> Array:
    """The columns (n, c, positions) of an array (n, c, *spatial)."""
    index = tuple(np.array(axis, int) for axis in zip(*positions, strict=True))
    return y[(slice(None), slice(None), *index)]


def reference_conv(
    case: ConvCase,
    x: Array,
    w: Array,
    bias: Array | None,
    activation: tuple[str | None, float, float] = (None, 0.0, 0.0),
) -> Array:
    """The NumPy reference called directly, whichever backend is in use."""
    out = np.empty(case.out_shape, x.dtype)
    reference.conv(x, w, bias, None, out, *case.backend_arguments, activation, 1)
    return out


def reference_pool(case: PoolCase, x: Array, indices: Array | None = None) -> Array:
    """The NumPy reference called directly, whichever backend is in use."""
    out = np.empty(case.out_shape, x.dtype)
    before, after = zip(*case.pads, strict=True)
    reference.pool(
        case.kind, x, out, indices, case.kernel, case.stride, case.dilation, before, after,
        case.ceil_mode, case.count_include_pad, case.divisor or 0, case.p, 1,
    )  # fmt: skip
    return out


def oracle_conv(
    case: ConvCase, x: Array, w: Array, bias: Array | None, positions: list[Ints]
) -> Array:
    return oracle.conv(x, w, bias, case.stride, case.dilation, case.pads, case.groups, positions)


def oracle_pool(case: PoolCase, x: Array, positions: list[Ints]) -> Array:
    return oracle.pool(
        case.kind, x, case.kernel, case.stride, case.dilation, case.pads,
        case.ceil_mode, case.count_include_pad, case.divisor, positions, case.p,
    )  # fmt: skip


def run_conv(case: ConvCase, x: Array, w: Array, bias: Array | None, **keywords: Any) -> Array:
    """The public function on the case."""
    keywords = {"algorithm": "direct", "threads": case.threads, **keywords}
    return CONV[case.rank](x, w, bias, **case.arguments, **keywords)


def run_pool(case: PoolCase, x: Array, **keywords: Any) -> Array:
    """The public function on the case."""
    if case.kind == "lp":
        keywords = {"threads": case.threads, **keywords}
        return LP_POOL[case.rank](x, case.p, case.kernel, **case.arguments, **keywords)
    function = POOL[case.kind][case.rank]
    return function(x, case.kernel, **case.arguments, **{"threads": case.threads, **keywords})


def conv_data(
    case: ConvCase, rng: np.random.Generator, draw: Callable[..., Array] = integers
) -> tuple[Array, Array, Array | None]:
    """Input in the layout of the case, weight, and bias or None."""
    x = draw(rng, (case.batch, case.in_channels, *case.spatial), case.dtype)
    per_group = case.in_channels // case.groups
    w = draw(rng, (case.out_channels, per_group, *case.kernel), case.dtype)
    bias = draw(rng, (case.out_channels,), case.dtype) if case.bias else None
    return arrange(x, case.layout, rng), w, bias


def pool_data(
    case: PoolCase, rng: np.random.Generator, draw: Callable[..., Array] = integers
) -> Array:
    x = draw(rng, (case.batch, case.channels, *case.spatial), case.dtype)
    return arrange(x, case.layout, rng)


def check_conv_scratch(case: ConvCase, x: Array, w: Array, bias: Array | None) -> None:
    """On the C core: no more scratch than half of L2 a thread, for any number of threads."""
    if CORE is None:
        return
    out = np.empty(case.out_shape, case.dtype)
    axes = tuple(range(x.ndim))
    for threads in (1, MAX_THREADS):
        how = (*case.backend_arguments, (None, 0.0, 0.0), "direct", threads, axes, False)
        nbytes = CORE.Plan(False, x, w, bias, None, out, *how).workspace_nbytes
        assert nbytes / threads <= CORE.build_info()["cache_l2"] / 2


def check_pool_scratch(case: PoolCase, x: Array, indices: Array | None = None) -> None:
    """On the C core: no more scratch than half of L2 a thread, for any number of threads."""
    if CORE is None:
        return
    out = np.empty(case.out_shape, case.dtype)
    before, after = zip(*case.pads, strict=True)
    for threads in (1, MAX_THREADS):
        nbytes = CORE.Pool(
            case.kind, x, out, indices, case.kernel, case.stride, case.dilation, before, after,
            case.ceil_mode, case.count_include_pad, case.divisor or 0, case.p, threads,
            tuple(range(x.ndim)),
        ).workspace_nbytes  # fmt: skip
        assert nbytes / threads <= CORE.build_info()["cache_l2"] / 2


def run_python(code: str, *, timeout: float = 60, **environment: str) -> tuple[int, str, str]:
    """Status, output and error output of a new Python; no CCONV_ variable but these is set.

    The backend and instruction set of this run are handed on. A hang ends in TimeoutExpired.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CCONV_")}
    for name in ("CCONV_BACKEND", "CCONV_ISA"):
        if name in os.environ:
            kept[name] = os.environ[name]
    paths = [str(Path(cconv.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=kept | environment, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.strip(), done.stderr.strip()
