"""The memory order of results: that of a channels-last input, else C order of the layout."""

from collections.abc import Callable
from typing import Any

import cases
import numpy as np
import pytest
from cases import CONV, MAX_POOL, RANKS, assert_same_bits
from test_residual import DEPTHWISE, TRANSPOSE

import cconv

SIZE = (4, 6, 8)


def results(rank: int, x: cases.Array, layout: str) -> dict[str, cases.Array]:
    """What every convolution and pool makes of x, with 4 channels."""
    k: Any = {"layout": layout}
    kernel = (2,) * rank
    top, places = MAX_POOL[rank](x, 2, return_indices=True, **k)
    found: dict[str, cases.Array] = {
        "conv": CONV[rank](x, np.ones((5, 4, *kernel), "f4"), **k),
        "depthwise": DEPTHWISE[rank](x, np.ones((8, 1, *kernel), "f4"), **k),
        "transposed": TRANSPOSE[rank](x, np.ones((4, 5, *kernel), "f4"), stride=2, **k),
        "max": top,
        "places": places,
        "avg": getattr(cconv, f"avg_pool{rank}d")(x, 2, 1, **k),
        "lp": getattr(cconv, f"lp_pool{rank}d")(x, 2, 2, 1, **k),
        "adaptive avg": getattr(cconv, f"adaptive_avg_pool{rank}d")(x, 2, **k),
        "adaptive max": getattr(cconv, f"adaptive_max_pool{rank}d")(x, 2, **k),
        "unpool": getattr(cconv, f"max_unpool{rank}d")(top, places, 2, **k),
    }
    if rank == 2:
        weights = np.ones((4, 1, 2, 2), "f4"), np.ones((5, 4, 1, 1), "f4")
        found["separable"] = cconv.separable_conv2d(x, *weights, **k)
    return found


def channels_last(a: cases.Array, rank: int) -> cases.Array:
    """A view with the channels last of (n, c, *spatial) or (c, *spatial)."""
    return np.moveaxis(a, a.ndim - rank - 1, -1)


def channels_first(a: cases.Array, rank: int) -> cases.Array:
    """The other way round."""
    return np.moveaxis(a, -1, a.ndim - rank - 1)


def embedded(a: cases.Array) -> cases.Array:
    """The same numbers as a part of a larger array, every second element, backwards."""
    base = np.zeros([2 * n + 3 for n in a.shape], a.dtype)
    view = base[tuple(slice(2 * n, 0, -2) for n in a.shape)]
    view[...] = a
    return view


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("rank", RANKS)
def test_results_keep_the_memory_order_of_the_channels(rank: int, single: bool) -> None:
    shape = (4, *SIZE[-rank:]) if single else (2, 4, *SIZE[-rank:])
    x = np.random.default_rng(rank).integers(-9, 9, shape).astype("f4")
    expected = results(rank, x, "NCHW")
    stored = channels_last(x, rank).copy()  # channels last in memory
    memory: dict[str, tuple[cases.Array, cases.Array]] = {
        "whole": (x, stored),
        "embedded": (embedded(x), embedded(stored)),
    }
    for first, behind in memory.values():
        for name, y in results(rank, first, "NCHW").items():
            assert_same_bits(y, expected[name])
            assert y.flags.c_contiguous, name
        for name, y in results(rank, channels_first(behind, rank), "NCHW").items():
            assert_same_bits(y, expected[name])
            assert channels_last(y, rank).flags.c_contiguous, name
        for name, y in results(rank, behind, "NHWC").items():
            assert_same_bits(channels_first(y, rank), expected[name])
            assert y.flags.c_contiguous, name
        for name, y in results(rank, channels_last(first, rank), "NHWC").items():
            assert_same_bits(channels_first(y, rank), expected[name])
            assert channels_first(y, rank).flags.c_contiguous, name


@pytest.mark.parametrize(
    "arrange",
    [
        np.asfortranarray,
        lambda a: np.broadcast_to(a[:, :1], a.shape),  # all channels at one place
        lambda a: np.broadcast_to(a[..., :1, :1], a.shape),  # all of a channel at one place
        lambda a: a.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2),
        lambda a: a.transpose(2, 3, 0, 1).copy().transpose(2, 3, 0, 1),
        lambda a: a.transpose(1, 2, 3, 0).copy().transpose(3, 0, 1, 2),
    ],
)
def test_any_other_order_gives_c_order(arrange: Callable[[cases.Array], cases.Array]) -> None:
    x = np.arange(2 * 4 * 5 * 6, dtype="f4").reshape(2, 4, 5, 6)
    assert cconv.max_pool2d(arrange(x), 2).flags.c_contiguous
    assert cconv.conv2d(arrange(x), np.ones((3, 4, 2, 2), "f4")).flags.c_contiguous


def test_axes_of_length_one_do_not_count() -> None:
    """One channel, or one position, is in both orders: the result is in C order."""
    w = np.ones((3, 1, 1, 1), "f4")
    one_channel = np.zeros((2, 5, 6, 1), "f4").transpose(0, 3, 1, 2)
    assert cconv.conv2d(one_channel[:, :, ::2], w).flags.c_contiguous
    one_place = np.zeros((2, 1, 1, 4), "f4").transpose(0, 3, 1, 2)
    y = cconv.conv2d(one_place[:, ::2], np.ones((3, 2, 1, 1), "f4"), padding=1)
    assert y.flags.c_contiguous
    one_row = np.zeros((1, 1, 6, 4), "f4").transpose(0, 3, 1, 2)
    y = cconv.conv2d(one_row, np.ones((3, 4, 1, 1), "f4"))
    assert channels_last(y, 2).flags.c_contiguous
    shared = np.broadcast_to(np.zeros((5, 6, 4), "f4"), (2, 5, 6, 4)).transpose(0, 3, 1, 2)
    y = cconv.conv2d(shared, np.ones((3, 4, 1, 1), "f4"))
    assert channels_last(y, 2).flags.c_contiguous


def test_out_keeps_its_own_order() -> None:
    x = np.ones((1, 5, 6, 4), "f4").transpose(0, 3, 1, 2)
    out = np.zeros((1, 4, 2, 3), "f4")
    assert cconv.max_pool2d(x, 2, out=out) is out
    assert out.flags.c_contiguous


def test_global_pools_without_axes() -> None:
    x = np.ones((2, 5, 6, 4), "f4").transpose(0, 3, 1, 2)
    assert cconv.global_avg_pool(x, keepdims=False).flags.c_contiguous
