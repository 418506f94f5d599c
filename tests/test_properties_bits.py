"""What holds for every operator to the last bit: threads, the batch, memory and the layout.

All over the one table in operators.py, on random data, where any other order of a sum would show.
"""

from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import assert_same_bits
from operators import EVERY, OPERATORS, WORK, drawn

THREADS = (1, 2, 3, 4, 7, 16) if cases.CORE else (16,)  # the reference has none
COUNT = 16 if cases.CORE else 8
# Small calls run on one thread whatever the count, but see more shapes. The reference always does.
SIZES = {"small": (COUNT, 0), "large": (3, WORK)} if cases.CORE else {"small": (COUNT, 0)}


def assert_same(actual: tuple[cases.Array, ...], expected: tuple[cases.Array, ...]) -> None:
    for y, other in zip(actual, expected, strict=True):
        assert_same_bits(y, other)


def last(a: cases.Array) -> cases.Array:
    """The same numbers in the layout NHWC: a view of (n, c, *spatial)."""
    return np.moveaxis(a, 1, -1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "rank"), EVERY)
def test_any_number_of_threads(name: str, rank: int, size: str) -> None:
    count, work = SIZES[size]
    for call in drawn(f"threads/{size}", name, rank, count, work=work):
        with cases.naming(call):
            expected = call(threads=1)
            for threads in THREADS:
                outs = tuple(np.full_like(y, 7) for y in expected)
                again = call(threads=threads, out=outs[0])
                assert again[0] is outs[0]
                assert_same(again, expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "rank"), EVERY)
def test_any_split_of_the_batch(name: str, rank: int, size: str) -> None:
    count, work = SIZES[size]
    for call in drawn(f"batch/{size}", name, rank, count, work=work):
        with cases.naming(call):
            whole = call(threads=3)
            images = len(call.batched[0])
            for cut in range(images):
                for part in (slice(0, cut), slice(cut, cut + 1), slice(cut, images)):
                    pieces = tuple(a[part] for a in call.batched)
                    assert_same(call(*pieces, threads=2), tuple(y[part] for y in whole))


@pytest.mark.parametrize(("name", "rank"), EVERY)
def test_any_memory_of_the_input_and_the_output(name: str, rank: int) -> None:
    for call in drawn("memory", name, rank, COUNT):
        with cases.naming(call):
            expected = call()
            x, rng = call.batched[0], np.random.default_rng(1)
            for layout in ("fortran", "channels_last", "unaligned", "scattered", "readonly"):
                before = x.copy()
                moved = cases.arrange(x, layout, rng)
                out_layout = Random(layout).choice(cases.OUT_LAYOUTS[1:])
                canvas = cases.Canvas(expected[0].shape, x.dtype.name, out_layout, rng)
                again = call(moved, out=canvas.array)
                canvas.check(again[0])
                assert_same(again, expected)
                assert_same_bits(moved, before)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "rank"), [(name, rank) for name, rank in EVERY if OPERATORS[name].layout]
)
def test_both_layouts(name: str, rank: int, size: str) -> None:
    count, work = SIZES[size]
    for call in drawn(f"layout/{size}", name, rank, count, work=work):
        with cases.naming(call):
            expected: tuple[Any, ...] = tuple(map(last, call(threads=1)))
            images = tuple(map(last, call.batched))
            assert_same(call(*images, layout="NHWC", threads=2), expected)
            copies = tuple(np.ascontiguousarray(a) for a in images)
            out = np.full(expected[0].shape, 7, expected[0].dtype)
            again = call(*copies, layout="NHWC", threads=3, out=out)
            assert again[0] is out
            assert_same(again, expected)
