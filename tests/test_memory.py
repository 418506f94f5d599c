"""No byte outside an array is read or written, and scratch stays within its bound a thread.

Each array lies against a page that may not be touched, at its end or at its start, so that reading
one element too many is a segmentation fault in the test run. Inputs and weights lie in memory that
may not be written either. The sweeps of test_conv and test_pool check canaries around `out`.
"""

import ctypes
import itertools
import math
import mmap
import os
from dataclasses import replace
from pathlib import Path

import cases
import numpy as np
import pytest
import test_conv_transpose as transposed
from cases import DTYPES, ConvCase, PoolCase
from test_padding_modes import draw as draw_with_mode

import cconv

if os.name != "posix":
    pytest.skip(
        "guard pages are set with mprotect, which this system lacks", allow_module_level=True
    )

NO_ACCESS, READ = 0, 1
WIDTHS = [*range(1, 36), 47, 48, 49, 63, 64, 65, 70, 127, 130]
SIDES = ["start", "end"]
# Kernel, stride, pad and dilation of pools.
WINDOWS = [
    (1, 1, 0, 1), (2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1), (5, 1, 2, 1), (2, 3, 0, 2),
    (3, 1, -1, 1),
]  # fmt: skip

mprotect = ctypes.CDLL(None, use_errno=True).mprotect
mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def protect(address: int, size: int, access: int) -> None:
    if mprotect(address, size, access):
        raise OSError(ctypes.get_errno(), "mprotect")


def guarded(values: cases.Array, side: str, *, writable: bool = False) -> cases.Array:
    """A contiguous copy between two forbidden pages, touching the one at `side`."""
    page = mmap.PAGESIZE
    size = max(1, math.ceil(values.nbytes / page)) * page
    region = np.frombuffer(mmap.mmap(-1, size + 2 * page), np.uint8)
    offset = page if side == "start" else page + size - values.nbytes
    copy = region[offset : offset + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    protect(region.ctypes.data, page, NO_ACCESS)
    protect(region.ctypes.data + page + size, page, NO_ACCESS)
    if not writable:
        protect(region.ctypes.data + page, size, READ)
    return copy


def test_the_guards_guard() -> None:
    """Touching the element after the last, or before the first, ends the process."""
    for touch in ("end", "start"):
        code = f"""
            import sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            import numpy as np, test_memory
            a = test_memory.guarded(np.ones(7), {touch!r})
            step = 7 if {touch!r} == "end" else -1
            print(a.sum(), flush=True)
            np.lib.stride_tricks.as_strided(a, (8,), (8 * step,))[1].sum()
            print("not reached")
        """
        status, output, _ = cases.run_python(code)
        assert (status != 0, output) == (True, "7.0")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("side", SIDES)
def test_guarded_channels_that_are_lines_apart(side: str, dtype: type) -> None:
    """1 x 1 kernels read them where they lie, from the first line on, at whatever place it is."""
    line = 64 // np.dtype(dtype).itemsize
    for size in range(5, 60):
        for filters in (1, 3, 12):
            channels, pitch = filters + 1 + size % 3, -(-size // line) * line
            values = np.arange((channels - 1) * pitch + size, dtype=dtype) % 13 - 6
            memory = guarded(values, side)
            step = memory.itemsize
            x = np.lib.stride_tricks.as_strided(memory, (channels, size), (pitch * step, step))
            w = (np.arange(filters * channels).reshape(filters, channels) % 7 - 3).astype(dtype)
            y = cconv.conv1d(x, w[..., np.newaxis], algorithm="direct", threads=1 + size % 2)
            assert np.array_equal(y, w @ x)


def guard_conv(case: ConvCase, side: str) -> None:
    """Run the case with all arrays guarded; the answer is the one on ordinary memory."""
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        x, w, bias = cases.conv_data(case, rng)
        expected = cases.run_conv(case, x, w, bias)
        out = guarded(np.zeros(case.out_shape, case.dtype), side, writable=True)
        operands = [a if a is None else guarded(a, side) for a in (x, w, bias)]
        cases.assert_same_bits(cases.run_conv(case, *operands, out=out), expected)


def guard_pool(case: PoolCase, side: str) -> None:
    """Run the case with all arrays guarded; the answer is the one on ordinary memory."""
    with cases.naming(case):
        x = cases.pool_data(case, np.random.default_rng(case.seed))
        expected = cases.run_pool(case, x)
        out = guarded(np.zeros(case.out_shape, case.dtype), side, writable=True)
        cases.assert_same_bits(cases.run_pool(case, guarded(x, side), out=out), expected)
        if case.kind in ("max", "min"):
            keywords = {"out": out, "return_indices": True}
            values, _ = cases.run_pool(case, guarded(x, side), **keywords)
            cases.assert_same_bits(values + 0, expected + 0)


def guard_transposed(case: transposed.Case, side: str) -> None:
    """Run the case with all arrays guarded; the answer is the one on ordinary memory."""
    with cases.naming(case):
        x, w, bias = transposed.data(case, np.random.default_rng(case.seed))
        expected = transposed.run(case, x, w, bias)
        out = guarded(np.zeros(case.out_shape, case.dtype), side, writable=True)
        operands = [a if a is None else guarded(a, side) for a in (x, w, bias)]
        cases.assert_same_bits(transposed.run(case, *operands, out=out), expected)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", WIDTHS)
def test_conv_stays_inside_rows_of_every_width(width: int, dtype: str, side: str) -> None:
    def run(kernel: int, stride: int, pad: int, filters: int = 3, dilation: int = 1) -> None:
        case = ConvCase(
            dtype, 1, 2, filters, 1, (3, width), (1, kernel), (1, stride), (1, dilation),
            ((0, 0), (pad, pad)), seed=width,
        )  # fmt: skip
        if case.out_spatial[1] > 0:
            guard_conv(case, side)

    run(1, 1, 0)
    run(3, 1, 0)
    run(3, 1, 1)
    run(3, 2, 0, filters=8)
    run(3, 2, 1)
    run(2, 3, 0)
    run(3, 1, 0, filters=9, dilation=3)
    run(3, 1, -1)
    guard_conv(
        ConvCase(dtype, 1, width, width, width, (3, 3), (3, 3), (1, 1), (1, 1), ((1, 1),) * 2), side
    )


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_what_is_read_in_place(kernel: int, dtype: str, side: str) -> None:
    widths = (3, 8, 9, 12, 13, 16, 17, 18, 19, 20, 31, 32, 33, 35, 48, 50, 64, 67)
    pads, layers = (0, 1, kernel // 2), ((2, 2, 2), (3, 12, 1))
    every = list(itertools.product(widths, (1, 2), pads, pads, layers))
    for width, stride, before, after, layer in every[kernel % cases.SHARE :: cases.SHARE]:
        channels, filters, groups = layer
        case = ConvCase(
            dtype, 1, channels, filters, groups, (15, width), (kernel,) * 2, (stride,) * 2, (1, 1),
            ((before, after),) * 2, seed=width,
        )  # fmt: skip
        if case.out_spatial[1] > 0:
            guard_conv(case, side)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_single_inputs_are_read_in_place(dtype: str, side: str) -> None:
    for width in (17, 33, 48, 49, 63, 64, 65, 95, 96, 97, 130, 193):
        for channels, filters, groups in ((5, 3, 1), (40, 24, 2), (30, 31, 1)):
            case = ConvCase(
                dtype, 2, channels, filters, groups, (1, width), (1, 1), (1, 1), (1, 1),
                ((0, 0),) * 2, seed=width,
            )  # fmt: skip
            guard_conv(case, side)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [*cases.POOL, "lp"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pool_stays_inside_rows_of_every_width(
    width: int, kind: str, dtype: str, side: str
) -> None:
    for kernel, stride, pad, dilation in WINDOWS:
        case = PoolCase(
            kind, dtype, 1, 2, (3, width), (2, kernel), (1, stride), (1, dilation),
            ((0, 0), (pad, pad)), True, seed=width,
        )  # fmt: skip
        if case.out_spatial[1] > 0:
            guard_pool(case, side)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", WIDTHS)
def test_unfold_and_fold_stay_inside_rows_of_every_width(width: int, dtype: str, side: str) -> None:
    for kernel, stride, pad, dilation in WINDOWS:
        window = {"padding": ((0, 0), (pad, pad)), "dilation": (1, dilation), "stride": (1, stride)}
        if width + 2 * pad <= dilation * (kernel - 1):
            continue
        x = cases.integers(np.random.default_rng(width), (1, 2, 3, width), dtype)
        columns = cconv.unfold(x, (2, kernel), **window)
        image = cconv.fold(columns, (3, width), (2, kernel), **window)
        # The same columns with a gap after each: every row of theirs is then strided.
        apart = np.zeros((*columns.shape[:2], 2 * columns.shape[2] - 1), dtype)
        apart[..., ::2] = columns
        for rows, step in ((columns, 1), (apart, 2)):
            out = guarded(np.zeros_like(rows), side, writable=True)[..., ::step]
            cconv.unfold(guarded(x, side), (2, kernel), **window, out=out)
            cases.assert_same_bits(out, columns)
            out = guarded(np.zeros_like(x), side, writable=True)
            source = guarded(rows, side)[..., ::step]
            cconv.fold(source, (3, width), (2, kernel), **window, out=out)
            cases.assert_same_bits(out, image)


@pytest.mark.parametrize("side", SIDES)
def test_sweep_stays_inside(side: str) -> None:
    for conv in cases.sweep(f"guarded conv/{side}", 300, cases.draw_conv):
        guard_conv(replace(conv, layout="contiguous"), side)
    for mirrored in cases.sweep(f"guarded mode/{side}", 200, draw_with_mode):
        guard_conv(replace(mirrored, layout="contiguous"), side)
    for case in cases.sweep(f"guarded transposed/{side}", 300, transposed.draw):
        guard_transposed(replace(case, layout="contiguous"), side)
    for pool in cases.sweep(f"guarded pool/{side}", 300, cases.draw_pool):
        guard_pool(replace(pool, layout="contiguous"), side)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_strided_view_at_the_edge(dtype: str) -> None:
    """The last element of a view with steps is the last of the memory, and the first the first."""
    w = np.ones((3, 2, 3), dtype)
    for width in WIDTHS:
        for step in (2, 3, 5):
            size = (width - 1) * step + 1
            rows = np.arange(1 * 2 * size, dtype=dtype).reshape(1, 2, size) % 13
            for side in SIDES:
                for view in (guarded(rows, side)[..., ::step], guarded(rows, side)[..., ::-step]):
                    copy = view.copy()
                    actual = cases.CONV[1](view, w, padding=1)
                    cases.assert_same_bits(actual, cases.CONV[1](copy, w, padding=1))
                    for pool in (cases.MAX_POOL[1], cases.AVG_POOL[1]):
                        cases.assert_same_bits(pool(view, 2, 1, 1), pool(copy, 2, 1, 1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_whole_of_out_is_written(dtype: str) -> None:
    """Nothing of what `out` held shows through, NaN included."""
    for conv in cases.sweep(f"written/{dtype}", 100, lambda r: cases.draw_conv(r, dtype=dtype)):
        with cases.naming(conv):
            out = np.full(conv.out_shape, np.nan, dtype)
            cases.run_conv(conv, *cases.conv_data(conv, np.random.default_rng(1)), out=out)
            assert not np.isnan(out).any()
    for pool in cases.sweep(f"written/{dtype}", 100, lambda r: cases.draw_pool(r, "max")):
        with cases.naming(pool):
            out = np.full(pool.out_shape, np.nan, pool.dtype)
            cases.run_pool(pool, cases.pool_data(pool, np.random.default_rng(1)), out=out)
            assert not np.isnan(out).any()


def test_release_workspace_between_calls() -> None:
    x, w = np.ones((2, 32, 20, 20), "f4"), np.ones((32, 32, 3, 3), "f4")
    expected = cconv.conv2d(x, w)
    for _ in range(3):
        cconv.release_workspace()
        cconv.release_workspace()
        cases.assert_same_bits(cconv.conv2d(x, w), expected)
