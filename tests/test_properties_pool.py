"""What holds for pools and unpooling over drawn parameters: order, idempotence, relations."""

from dataclasses import replace
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
import test_pool_adaptive as adaptive
from cases import RANKS, PoolCase, assert_same_bits
from operators import EVERY, drawn
from test_unpool import UNPOOL

import cconv

COUNT = 40 if cases.CORE else 15
POOLS = [(name, rank) for name, rank in EVERY if name.endswith("_pool")]


def draws(name: str, rank: int, kind: str | None = None) -> Any:
    return cases.sweep(f"{name}/{rank}", COUNT, lambda random: cases.draw_pool(random, kind, rank))


def data(case: PoolCase, values: Any = cases.normals) -> cases.Array:
    return cases.pool_data(case, np.random.default_rng(case.seed), values)


def positives(rng: np.random.Generator, shape: cases.Ints, dtype: str) -> cases.Array:
    """All different, in any order."""
    return 1 + rng.permutation(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)


# ------------------------------------------------------------------------------------------- order


@pytest.mark.parametrize(("name", "rank"), POOLS)
def test_monotone(name: str, rank: int) -> None:
    """No element of a pool falls where none of the input falls; norms: of what is not negative."""
    for call in drawn("monotone", name, rank, COUNT, positives):
        with cases.naming(call):
            x, rng = call.batched[0], np.random.default_rng(1)
            more = x + rng.integers(0, 3, x.shape).astype(x.dtype)
            (low,), (high,) = call(x), call(more)
            empty = np.isnan(low)  # averages of no element
            assert (low <= high)[~empty].all()
            assert np.array_equal(empty, np.isnan(high))


@pytest.mark.parametrize("rank", RANKS)
def test_opening_and_closing_are_idempotent(rank: int) -> None:
    """min then max, with the pads of one swapped for the other, and the other way round.

    A pool of unit stride that keeps the size of the image has this adjoint, so that doing both
    again changes nothing; and opening never gives more than the image, closing never less.
    """
    for case in draws("opening", rank, "max"):
        axes = zip(case.kernel, case.dilation, case.pads, strict=True)
        pads = tuple((min(max(b, 0), d * (k - 1)), d * (k - 1)) for k, d, (b, _) in axes)
        pads = tuple((b, whole - b) for b, whole in pads)
        case = replace(case, pads=pads, stride=(1,) * rank, ceil_mode=False)
        swapped = replace(case, pads=tuple((a, b) for b, a in pads))
        with cases.naming(case):
            x = data(case)
            for first, second, sign in (("min", "max", 1), ("max", "min", -1)):

                def both(image: Any, first: str = first, second: str = second) -> Any:
                    eroded = cases.run_pool(replace(case, kind=first), image)  # noqa: B023
                    return cases.run_pool(replace(swapped, kind=second), eroded)  # noqa: B023

                once = both(x)
                assert (sign * once <= sign * x).all()
                assert_same_bits(both(once), once)


@pytest.mark.parametrize("rank", RANKS)
def test_pools_of_what_they_gave(rank: int) -> None:
    """Extremes of windows are found again once everything else is zero: max_unpool inverts."""
    for case in draws("again", rank, "max"):
        with cases.naming(case):
            x = data(case, positives)
            values, places = cases.run_pool(case, x, return_indices=True)
            window = (case.kernel, case.stride, case.pads)
            sparse = UNPOOL[rank](values, places, *window, output_size=case.spatial)
            again = cases.run_pool(case, sparse, return_indices=True)
            assert_same_bits(again[0], values)
            np.testing.assert_array_equal(again[1], places)
            assert_same_bits(sparse[sparse != 0], x[sparse != 0])


# --------------------------------------------------------------------------------------- relations


@pytest.mark.parametrize("rank", RANKS)
def test_average_is_a_convolution_with_ones_by_the_count(rank: int) -> None:
    """Also the count is a convolution: of ones on the input, or on it and the declared pad."""
    for case in draws("average", rank, "avg"):
        case = replace(case, channels=max(1, case.channels))
        with cases.naming(case):
            spans = (d * (k - 1) + 1 for k, d in zip(case.kernel, case.dilation, strict=True))
            reach = [(n - 1) * s + k for n, s, k in zip(case.out_spatial, case.stride, spans)]  # noqa: B905
            sizes = [i + b + a for i, (b, a) in zip(case.spatial, case.pads, strict=True)]
            # What the last window of ceil mode has beyond the declared pad; a window that it drops
            # because it starts there is one that a convolution has.
            beyond = [max(0, end - size) for end, size in zip(reach, sizes, strict=True)]
            pads = [(b, max(a, 0) + more) for (b, a), more in zip(case.pads, beyond, strict=True)]
            left = [slice(n + min(a, 0)) for n, (_, a) in zip(case.spatial, case.pads, strict=True)]
            x = data(case, cases.integers)[(slice(None), slice(None), *left)]
            kept = (slice(None), slice(None), *map(slice, case.out_spatial))
            ones = np.ones((case.channels, 1, *case.kernel), case.dtype)

            def total(image: cases.Array, pads: Any, kept: Any = kept, ones: Any = ones) -> Any:
                steps = {"stride": case.stride, "dilation": case.dilation}  # noqa: B023
                groups, weight = image.shape[1], ones[: image.shape[1]]
                y = cases.CONV[rank](
                    image, weight, padding=pads, groups=groups, algorithm="direct", **steps
                )
                return y[kept]

            count = np.full((), case.divisor or 0, case.dtype)
            if not case.divisor and case.count_include_pad:
                plane = np.ones((1, 1, *sizes), case.dtype)
                count = total(plane, [(0, more) for more in beyond])
            elif not case.divisor:
                count = total(np.ones_like(x, shape=(1, 1, *x.shape[2:])), pads)
            with np.errstate(invalid="ignore"):
                expected = total(x, pads) / count
            assert_same_bits(cases.run_pool(case, data(case, cases.integers)), expected)


@pytest.mark.parametrize("rank", RANKS)
def test_flipped_image_gives_the_flipped_result(rank: int) -> None:
    axes = tuple(range(2, rank + 2))
    for kind in ("max", "min", "avg", "lp"):
        for case in draws(f"flipped {kind}", rank, kind):
            each = zip(
                case.spatial, case.kernel, case.stride, case.dilation, case.pads, strict=True
            )
            rest = [(i + b + a - d * (k - 1) - 1) % s for i, k, s, d, (b, a) in each]
            pads = tuple((b, a - r) for (b, a), r in zip(case.pads, rest, strict=True))
            case = replace(case, pads=pads, ceil_mode=False, p=1)
            if min(case.out_spatial) < 1:
                continue
            with cases.naming(case):
                x = data(case, cases.integers)
                turned = replace(case, pads=tuple((a, b) for b, a in pads))
                y = cases.run_pool(turned, np.flip(x, axes)) + 0
                assert_same_bits(np.flip(cases.run_pool(case, x), axes) + 0, y)


def draw_even(random: Random, rank: int) -> tuple[Any, ...]:
    kernel = tuple(random.randint(1, 5) for _ in range(rank))
    size = tuple(random.randint(1, 6) for _ in range(rank))
    return kernel, size, random.choice(cases.DTYPES), random.randrange(2**32)


@pytest.mark.parametrize("rank", RANKS)
def test_adaptive_pools_of_even_windows_are_those_of_other_pools(rank: int) -> None:
    """To the last bit, for sums run in the same order; one window is a global pool."""
    for case in cases.sweep(f"even/{rank}", COUNT // 3, lambda r: draw_even(r, rank)):  # type: ignore[type-var]
        with cases.naming(case):
            kernel, size, dtype, seed = case
            shape = tuple(k * n for k, n in zip(kernel, size, strict=True))
            x = cases.normals(np.random.default_rng(seed), (2, 3, *shape), dtype)
            assert_same_bits(adaptive.AVG[rank](x, size), cases.AVG_POOL[rank](x, kernel))
            values, places = adaptive.MAX[rank](x, size, True)
            expected = cases.MAX_POOL[rank](x, kernel, return_indices=True)
            assert_same_bits(values, expected[0])
            np.testing.assert_array_equal(places, expected[1])
            for y in (adaptive.AVG[rank](x, shape), adaptive.MAX[rank](x, None)):
                assert_same_bits(y, x)
            one = (1,) * rank
            assert_same_bits(cconv.global_avg_pool(x), adaptive.AVG[rank](x, one))
            assert_same_bits(cconv.global_max_pool(x), adaptive.MAX[rank](x, one))
            for p in (1, 2, 3, 0.5, np.inf):
                assert_same_bits(cconv.global_lp_pool(x, p=p), cases.LP_POOL[rank](x, p, shape))
            assert_same_bits(cconv.global_lp_pool(x), cconv.global_lp_pool(x, p=2))
