"""unfold and fold: bad arguments, and numbers near 2**63.

A message names the function, the argument, what was given and what was expected. The fragments
listed with each call must occur in it in this order.
"""

import re
from collections.abc import Callable
from typing import Any

import cases
import numpy as np
import pytest
from cases import RANKS
from numpy.lib.stride_tricks import as_strided

import cconv

HUGE = [2**31, 2**32, 2**55, 2**62, 2**63 - 1, 2**63, 2**64, 2**70]
Call = Callable[[], Any]
REFUSAL = (ValueError, OverflowError, MemoryError)
X = np.ones((2, 3, 8, 9), "f4")
COLUMNS = np.ones((2, 12, 56), "f4")


def assert_refused(error: type[Exception], call: Call, *fragments: str) -> None:
    """The fragments occur in the message in this order."""
    with pytest.raises(error) as caught:
        call()
    pattern = ".*".join(re.escape(f) for f in fragments)
    assert re.search(pattern, str(caught.value), re.DOTALL), str(caught.value)


SHARED: dict[str, tuple[type[Exception], dict[str, Any], list[str]]] = {
    "kernel 0": (ValueError, {"kernel_size": 0}, ["kernel_size is 0", "1"]),
    "kernel -1": (ValueError, {"kernel_size": (2, -1)}, ["kernel_size[1] is -1", "1"]),
    "kernel None": (TypeError, {"kernel_size": None}, ["kernel_size is None", "int"]),
    "kernel 2.0": (TypeError, {"kernel_size": 2.0}, ["kernel_size is 2.0", "int"]),
    "stride 0": (ValueError, {"stride": 0}, ["stride is 0", "1"]),
    "stride None": (TypeError, {"stride": None}, ["stride is None", "int"]),
    "strides": (ValueError, {"stride": (1, 1, 1)}, ["stride", "(1, 1, 1)", "2"]),
    "dilation -2": (ValueError, {"dilation": (1, -2)}, ["dilation[1] is -2", "1"]),
    "dilations": (ValueError, {"dilation": (1,)}, ["dilation", "(1,)", "2"]),
    "padding": (ValueError, {"padding": "full"}, ["padding", "'full'", "'same'"]),
    "padding triple": (ValueError, {"padding": ((1, 2, 3), 1)}, ["padding[0]", "(1, 2, 3)", "2"]),
    "padding float": (TypeError, {"padding": 0.5}, ["padding", "0.5", "int"]),
    "threads": (ValueError, {"threads": 0}, ["threads is 0", "1"]),
    "dtype": (TypeError, {"input": np.ones((2, 12, 56), "c8")}, ["input", "complex64", "float32"]),
    "masked": (TypeError, {"input": np.ma.ones((2, 12, 56))}, ["input", "masked", "filled"]),
    "out dtype": (TypeError, {"out": np.ones(2)}, ["out", "float64", "float32"]),
    "out list": (TypeError, {"out": [1.0]}, ["out", "list", "ndarray"]),
    "out shape": (ValueError, {"out": np.ones((2, 3), "f4")}, ["out", "(2, 3)", "(2, "]),
}
UNFOLD: dict[str, tuple[type[Exception], dict[str, Any], list[str]]] = {
    "rank": (ValueError, {"input": X[0, 0]}, ["input.shape", "(8, 9)", "4, (n, c, h, w)", "3"]),
    "ranks": (ValueError, {"kernel_size": (2,)}, ["input.shape", "(2, 3, 8, 9)", "3, (n, c, w)"]),
    "no kernel": (ValueError, {"kernel_size": ()}, ["kernel_size is ()", "1, 2 or 3"]),
    "kernels": (ValueError, {"kernel_size": (1, 1, 1, 1)}, ["kernel_size", "4", "1, 2 or 3"]),
    "no window": (
        ValueError, {"kernel_size": 9}, ["the output has no element along h", "8", "9"],
    ),
    "no window after cropping": (
        ValueError, {"padding": (0, -4)}, ["along w", "input has 9", "-4", "1", "2"],
    ),
}  # fmt: skip
FOLD: dict[str, tuple[type[Exception], dict[str, Any], list[str]]] = {
    "rank": (ValueError, {"input": np.ones(4, "f4")}, ["input.shape (4,)", "(n, c * 4, 56)"]),
    "rank 4": (ValueError, {"input": X}, ["input.shape (2, 3, 8, 9)", "(n, c * 4, 56)"]),
    "size 0": (ValueError, {"output_size": (0, 9)}, ["output_size[0] is 0", "1"]),
    "size None": (TypeError, {"output_size": None}, ["output_size is None", "int"]),
    "no size": (ValueError, {"output_size": ()}, ["output_size is ()", "1, 2 or 3"]),
    "kernels": (ValueError, {"kernel_size": (2, 2, 2)}, ["kernel_size", "(2, 2, 2)", "2"]),
    "rows": (
        ValueError, {"kernel_size": (1, 5)},
        ["input.shape[-2] is 12", "5 taps", "kernel_size (1, 5)", "(n, c * 5, 40)"],
    ),
    "windows": (
        ValueError, {"padding": 1},
        ["input.shape[-1] is 56", "(9, 10)", "90", "expected (n, c * 4, 90)"],
    ),
    "no window": (
        ValueError, {"dilation": 8}, ["there is no window along h", "output_size has 8", "9"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [*SHARED, *UNFOLD])
def test_unfold_errors(name: str) -> None:
    error, changes, fragments = (SHARED | UNFOLD)[name]
    arguments = {"input": X, "kernel_size": 2, **changes}
    assert_refused(error, lambda: cconv.unfold(**arguments), "unfold: ", *fragments)


@pytest.mark.parametrize("name", [*SHARED, *FOLD])
def test_fold_errors(name: str) -> None:
    error, changes, fragments = (SHARED | FOLD)[name]
    arguments = {"input": COLUMNS, "output_size": (8, 9), "kernel_size": 2, **changes}
    assert_refused(error, lambda: cconv.fold(**arguments), "fold: ", *fragments)


def test_out_is_untouched_by_a_refused_call() -> None:
    columns, image = np.full((2, 12, 56), cases.CANARY, "f4"), np.full_like(X, cases.CANARY)
    for call in (
        lambda: cconv.unfold(X, 2, stride=0, out=columns),
        lambda: cconv.fold(COLUMNS[:, 1:], (8, 9), 2, out=image),
    ):
        with pytest.raises(ValueError, match="fold: "):
            call()
    assert (columns == cases.CANARY).all()
    assert (image == cases.CANARY).all()


def small_or_refused(call: Call) -> bool:
    """Whether the call gives a small answer; else it must be refused by name."""
    try:
        y = call()
    except REFUSAL as error:
        if not re.match("(un)?fold: ", str(error)):
            raise
        return False
    assert y.size < 100_000
    return True


@pytest.mark.parametrize("n", [*HUGE, *(-n for n in HUGE)])
@pytest.mark.parametrize("rank", RANKS)
def test_huge_numbers_are_exact_or_refused(rank: int, n: int) -> None:
    x, size = np.ones((1, 1, *(5,) * rank), "f4"), (5,) * rank
    step = 2**60 if abs(n) >= 2**55 else 2**30
    for pad in (n, ((n, 0),) * rank, ((0, n),) * rank, ((n, 5 - n),) * rank, ((5 - n, n),) * rank):
        small_or_refused(lambda: cconv.unfold(x, (3,) * rank, 1, pad, step))  # noqa: B023
        for columns in (np.ones((3**rank, 1), "f4"), np.ones((3**rank, 2**rank), "f4")):
            small_or_refused(lambda: cconv.fold(columns, size, 3, 1, pad, step))  # noqa: B023
    for call in (
        lambda: cconv.unfold(x, (3,) * rank, stride=n),
        lambda: cconv.unfold(x, (3,) * rank, dilation=n),
        lambda: cconv.unfold(x, (n,) * rank),
        lambda: cconv.fold(np.ones((3**rank, 1), "f4"), size, 3, stride=n),
        lambda: cconv.fold(np.ones((3**rank, 1), "f4"), size, 3, dilation=n),
        lambda: cconv.fold(np.ones((3**rank, 1), "f4"), size, n),
        lambda: cconv.fold(np.ones((3**rank, 2), "f4"), (n,) * rank, 3, stride=n),
    ):
        if small_or_refused(call):
            assert 0 < n < 2**63


def test_huge_pads_strides_and_dilations_are_exact() -> None:
    x = np.array([[1, 2, 4, 8, 16]], "f4")
    window = {"stride": 2**60, "padding": ((2**61, 0),)}  # the third of the windows is on the input
    columns = cconv.unfold(x, (3,), **window)
    assert columns.tolist() == [[0, 0, 1], [0, 0, 2], [0, 0, 4]]
    assert cconv.fold(columns, (5,), 3, **window).tolist() == [[1, 2, 4, 0, 0]]
    window = {"dilation": 2**60, "padding": ((2**60, 0),)}
    columns = cconv.unfold(x, (2,), **window)
    assert columns.tolist() == [[0] * 5, [1, 2, 4, 8, 16]]
    assert cconv.fold(columns, (5,), 2, **window).tolist() == x.tolist()


@pytest.mark.parametrize("n", [2**50, 2**58])
def test_giants_without_memory(n: int) -> None:
    """Arrays as large as strides of zero allow: the output cannot exist, and that is the error."""

    def giant(*shape: int) -> cases.Array:
        return as_strided(np.ones(1, "f4"), shape, (0,) * len(shape), writeable=False)

    for call in (
        lambda: cconv.unfold(giant(1, 1, n), (2,)),
        lambda: cconv.unfold(giant(n, 1, 5), (2,)),
        lambda: cconv.unfold(giant(1, n, 5), (2,)),
        lambda: cconv.fold(giant(2, n), (n + 1,), 2),
        lambda: cconv.fold(giant(n, 1, 5), (5,), 1),
        lambda: cconv.fold(giant(n, 4), (5,), 2),
    ):
        with pytest.raises(REFUSAL, match="fold: "):
            call()
    assert_refused(MemoryError, lambda: cconv.unfold(giant(1, 1, 2**50), (2,)), "unfold: ", "bytes")


@pytest.mark.parametrize("stride", [1, 2, 2**40])
def test_taps_that_reach_nothing_are_not_visited(core: Any, stride: int) -> None:
    """A kernel of 2**40 taps, nearly all on padding, takes no longer than its windows."""

    def columns(windows: int) -> cases.Array:
        return as_strided(np.ones(1, "f4"), (2**40, windows), (0, 0), writeable=False)

    window = {"padding": 2**39 - 1, "stride": stride}
    windows = 3 // stride + 1  # all of them hold the whole image
    image = cconv.fold(columns(windows), (5,), (2**40,), **window)
    assert image.tolist() == [[windows] * 5]
    # Eight windows side by side; the image lies in the fifth.
    image = cconv.fold(columns(8), (5,), (2**40,), padding=2**42, stride=2**40)
    assert image.tolist() == [[1] * 5]
