"""unfold and fold: every geometry, dtype and layout against an oracle that goes window by window.

Unfold copies, so its bits are the oracle's. Fold is exact on integers; on the C core every element
is one chain of additions in the order of the taps, so that its bits are the oracle's on any data.

A case is a PoolCase, of which these functions use the windows and nothing else.
"""

import math
from dataclasses import replace
from random import Random
from typing import Any

import cases
import numpy as np
import oracle
import pytest
from cases import DTYPES, RANKS, PoolCase, assert_same_bits
from hypothesis import given
from hypothesis import strategies as st

import cconv
from cconv import reference

OPERATIONS = ["unfold", "fold"]


def case_of(
    spatial: cases.Ints,
    kernel: cases.Ints,
    *,
    stride: int = 1,
    pad: int | tuple[int, int] = 0,
    dilation: int = 1,
    batch: int = 1,
    channels: int = 2,
    dtype: str = "float32",
) -> PoolCase:
    rank = len(spatial)
    pads = ((pad, pad) if isinstance(pad, int) else pad,) * rank
    return PoolCase(
        "unfold", dtype, batch, channels, spatial, kernel, (stride,) * rank, (dilation,) * rank,
        pads, seed=7,
    )  # fmt: skip


def draw_case(random: Random, rank: int | None = None, dtype: str | None = None) -> PoolCase:
    """Any windows that cover some thousand elements."""
    while True:
        case = replace(cases.draw_pool(random, None, rank, dtype), ceil_mode=False)
        columns = math.prod(case.kernel) * math.prod(case.out_spatial)
        if 0 < columns <= 6000 and min(case.out_spatial) > 0:
            return case


def image_shape(case: PoolCase) -> cases.Ints:
    return (case.batch, case.channels, *case.spatial)


def columns_shape(case: PoolCase) -> cases.Ints:
    return (case.batch, case.channels * math.prod(case.kernel), math.prod(case.out_spatial))


def window(case: PoolCase) -> dict[str, Any]:
    return {
        "kernel_size": case.kernel,
        "dilation": case.dilation,
        "padding": case.pads,
        "stride": case.stride,
    }


def unfold(case: PoolCase, x: cases.Array, **keywords: Any) -> cases.Array:
    return cconv.unfold(x, **window(case), **{"threads": case.threads, **keywords})


def fold(case: PoolCase, x: cases.Array, **keywords: Any) -> cases.Array:
    return cconv.fold(x, case.spatial, **window(case), **{"threads": case.threads, **keywords})


RUN = {"unfold": unfold, "fold": fold}
SHAPES = {"unfold": (image_shape, columns_shape), "fold": (columns_shape, image_shape)}


def oracle_unfold(case: PoolCase, x: cases.Array) -> cases.Array:
    return oracle.unfold(x, case.kernel, case.stride, case.dilation, case.pads)


def oracle_fold(case: PoolCase, x: cases.Array, dtype: Any = np.longdouble) -> cases.Array:
    return oracle.fold(x, case.spatial, case.kernel, case.stride, case.dilation, case.pads, dtype)


def reference_of(name: str, case: PoolCase, x: cases.Array) -> cases.Array:
    """The NumPy reference called directly, whichever backend is in use."""
    out = np.full(SHAPES[name][1](case), np.nan, x.dtype)
    before, after = zip(*case.pads, strict=True)
    function = {"unfold": reference.unfold, "fold": reference.fold}[name]
    function(x, out, case.kernel, case.stride, case.dilation, before, after, 1)
    return out


def check_scratch(name: str, case: PoolCase, x: cases.Array, out: cases.Array) -> None:
    """On the C core: no more scratch than half of L2 a thread, for any number of threads."""
    if cases.CORE is None:
        return
    before, after = zip(*case.pads, strict=True)
    query = getattr(cases.CORE, f"{name}_workspace_nbytes")
    for threads in (1, cases.MAX_THREADS):
        nbytes = query(
            x, out, case.kernel, case.stride, case.dilation, before, after, threads
        )  # fmt: skip
        assert nbytes / threads <= cases.CORE.build_info()["cache_l2"] / 2


def check(name: str, case: PoolCase, draw: Any = cases.integers) -> None:
    """The oracle; surroundings and input intact; scratch bounded."""
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        taken, given = (shape(case) for shape in SHAPES[name])
        x = cases.arrange(draw(rng, taken, case.dtype), case.layout, rng)
        before = x.copy()
        canvas = cases.Canvas(given, case.dtype, case.out_layout, rng)
        y = RUN[name](case, x, out=canvas.array)
        canvas.check(y)
        assert_same_bits(x, before)
        check_scratch(name, case, x, y)
        if name == "unfold":
            assert_same_bits(y, oracle_unfold(case, x))
            assert_same_bits(reference_of(name, case, x), y)
        elif draw is cases.integers:
            assert_same_bits(y, oracle_fold(case, x).astype(case.dtype))
            assert_same_bits(reference_of(name, case, x), y)
        else:
            if cases.CORE:
                assert_same_bits(y, oracle_fold(case, x, case.dtype))
            bound = oracle_fold(case, abs(x)) * math.prod(case.kernel)
            bound = bound * cases.unit_roundoff(case.dtype) * oracle.SLACK[case.dtype]
            for image in (y, reference_of(name, case, x)):
                cases.assert_within(image, oracle_fold(case, x), bound)


# ------------------------------------------------------------------------------------------ sweeps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_sweep_is_exact_on_integers(name: str, rank: int, dtype: str) -> None:
    def draw(random: Random) -> PoolCase:
        return draw_case(random, rank, dtype)

    for case in cases.sweep(f"{name}/{rank}/{dtype}", 400, draw):
        check(name, case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_sweep_on_random_data(name: str, dtype: str) -> None:
    def draw(random: Random) -> PoolCase:
        return draw_case(random, dtype=dtype)

    for case in cases.sweep(f"{name}/{dtype}/random", 150, draw):
        check(name, case, cases.normals)


@given(st.sampled_from(OPERATIONS), st.randoms(use_true_random=False).map(draw_case))
def test_any_case_is_exact_on_integers(name: str, case: PoolCase) -> None:
    check(name, case)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_small_geometry_of_one_axis(name: str) -> None:
    """Sizes to 7, kernels and strides to 4, dilations to 2, pads from -1 to 3 on each side."""
    for index in np.ndindex(7, 4, 4, 2, 5, 5):
        size, k, s, d, b, a = (int(i) + 1 for i in index)
        pad = (b - 2, a - 2)
        if Random(str(index)).randrange(cases.SHARE):
            continue
        if oracle.window_count(size, k, s, d, *pad) > 0:
            check(name, case_of((size,), (k,), stride=s, pad=pad, dilation=d))


BIG = {
    "3x3 same": case_of((28, 31), (3, 3), pad=1, channels=5, batch=2),
    "3x3 stride 2": case_of((29, 40), (3, 3), stride=2, pad=1, channels=3),
    "5x5 stride 3": case_of((33, 35), (5, 5), stride=3, pad=2),
    "7x1 stride 4": case_of((50, 20), (7, 1), stride=4, pad=3),
    "1x1": case_of((20, 30), (1, 1), channels=70),
    "1x1 stride 3": case_of((20, 30), (1, 1), stride=3, channels=7),
    "row of 5000": case_of((5000,), (3,), pad=1),
    "row of 4097": case_of((4097,), (2,), stride=2, dilation=5),
    "row of 6143, stride 3": case_of((6143,), (5,), stride=3, pad=7),
    "stride 2500": case_of((9000,), (3,), stride=2500, pad=2),
    "stride 3, dilation 2": case_of((40, 41), (3, 3), stride=3, dilation=2, pad=2),
    "stride 4, dilation 6": case_of((41, 40), (3, 3), stride=4, dilation=6, pad=4),
    "dilation 2100": case_of((4300,), (3,), dilation=2100),
    "dilation 999": case_of((1000, 3), (2, 2), dilation=999, pad=(0, 998)),
    "cropped": case_of((30, 33), (3, 3), pad=-3),
    "pads of 50": case_of((5, 5), (3, 3), pad=50, stride=3),
    "63 taps on 10": case_of((10,), (63,), pad=40),
    "deep volume": case_of((12, 5, 6), (3, 3, 3), pad=1, channels=3),
    "volume, stride 2": case_of((9, 11, 13), (3, 2, 4), stride=2, pad=2),
    "one voxel": case_of((1, 1, 1), (3, 3, 3), pad=1, channels=5),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("big", BIG)
def test_big_shapes(big: str, name: str, dtype: str) -> None:
    for out_layout in ("none", "fortran"):
        case = replace(BIG[big], dtype=dtype, out_layout=out_layout, threads=2)
        check(name, case)
    check(name, replace(BIG[big], dtype=dtype, layout="scattered"), cases.normals)


# ------------------------------------------------------------------------------------- same bits


def draw_batch(random: Random) -> PoolCase:
    return replace(draw_case(random), batch=random.randint(2, 5), layout="contiguous")


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_bits_do_not_depend_on_batch_or_layout(name: str, threads: int) -> None:
    for case in cases.sweep(f"{name} same bits/{threads}", 150, draw_batch):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            taken, given = (shape(case) for shape in SHAPES[name])
            x = cases.normals(rng, taken, case.dtype)
            whole = RUN[name](case, x, threads=threads)
            for image, y in zip(x, whole, strict=True):
                assert_same_bits(RUN[name](case, image, threads=threads), y)
            for layout in ("fortran", "channels_last", "unaligned", "scattered"):
                moved = cases.arrange(x, layout, rng)
                canvas = cases.Canvas(given, case.dtype, case.out_layout, rng)
                assert_same_bits(RUN[name](case, moved, threads=threads, out=canvas.array), whole)


MANY = {
    "many channels": case_of((14, 15), (3, 3), pad=1, channels=150, batch=2),
    "one channel": case_of((200, 210), (3, 3), pad=1, channels=1),
    "one long row": case_of((200_000,), (3,), stride=2, pad=1, channels=1),
    "strided": case_of((150, 140), (5, 5), stride=3, dilation=2, channels=4),
    "volume": case_of((20, 22, 24), (3, 3, 3), stride=2, pad=1, channels=6),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("many", MANY)
def test_bits_do_not_depend_on_threads(many: str, name: str, dtype: str) -> None:
    case = replace(MANY[many], dtype=dtype)
    x = cases.normals(np.random.default_rng(2), SHAPES[name][0](case), dtype)
    alone = RUN[name](case, x, threads=1)
    for threads in (1, 2, 3, 7) if cases.CORE else (2,):
        assert_same_bits(RUN[name](case, x, threads=threads), alone)
        out = np.empty(alone.shape[::-1], dtype).T
        assert_same_bits(RUN[name](case, x, threads=threads, out=out), alone)


# -------------------------------------------------------------------------------------- properties


def test_fold_is_the_transpose_of_unfold() -> None:
    """<unfold x, y> = <x, fold y>, exactly on integers."""
    for case in cases.sweep("adjoint", 300, draw_case):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x = cases.integers(rng, image_shape(case), case.dtype)
            y = cases.integers(rng, columns_shape(case), case.dtype)
            columns, image = unfold(case, x), fold(case, y)
            left = (columns.astype(np.int64) * y.astype(np.int64)).sum()
            assert left == (x.astype(np.int64) * image.astype(np.int64)).sum()


def test_fold_of_unfold_counts_the_windows_of_each_element() -> None:
    for case in cases.sweep("counts", 200, draw_case):
        with cases.naming(case):
            x = cases.integers(np.random.default_rng(case.seed), image_shape(case), case.dtype)
            counts = fold(case, unfold(case, np.ones_like(x)))
            assert_same_bits(fold(case, unfold(case, x)), x * counts + 0)
            for axis, size in enumerate(case.spatial):
                seen = np.zeros(size)
                for o, k in np.ndindex(case.out_spatial[axis], case.kernel[axis]):
                    at = o * case.stride[axis] + k * case.dilation[axis] - case.pads[axis][0]
                    if 0 <= at < size:
                        seen[at] += 1
                shape = [-1 if a == axis else 1 for a in range(case.rank)]
                counts = np.divide(
                    counts, seen.reshape(shape), out=np.zeros_like(counts), where=counts != 0
                )
            assert set(np.unique(counts)) <= {0, 1}


def test_counts_by_hand() -> None:
    ones = np.ones((1, 1, 4, 5), "f4")
    counts = cconv.fold(cconv.unfold(ones, 3), (4, 5), 3)
    assert counts[0, 0].tolist() == [[1, 2, 3, 2, 1], [2, 4, 6, 4, 2]] * 1 + [
        [2, 4, 6, 4, 2],
        [1, 2, 3, 2, 1],
    ]
    counts = cconv.fold(cconv.unfold(ones, 2, stride=3), (4, 5), 2, stride=3)
    assert counts[0, 0].tolist() == [[1, 1, 0, 1, 1], [1, 1, 0, 1, 1], [0] * 5, [0] * 5]


def test_convolution_is_a_product_with_the_columns() -> None:
    for case in cases.sweep("product", 200, draw_case):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x = cases.integers(rng, image_shape(case), case.dtype)
            w = cases.integers(rng, (3, case.channels, *case.kernel), case.dtype)
            y = w.reshape(3, w[0].size) @ unfold(case, x)
            conv = cases.CONV[case.rank]
            z = conv(x, w, None, case.stride, case.pads, case.dilation, algorithm="direct")
            assert_same_bits(y, z.reshape(y.shape))


@pytest.mark.parametrize("rank", RANKS)
def test_windows_of_one_tap_are_the_image(rank: int) -> None:
    x = cases.normals(np.random.default_rng(5), (2, 3, *(4,) * rank), "float32")
    columns = cconv.unfold(x, (1,) * rank)
    assert_same_bits(columns, x.reshape(2, 3, 4**rank))
    assert_same_bits(cconv.fold(columns, (4,) * rank, 1), x)


@pytest.mark.parametrize("rank", RANKS)
def test_windows_side_by_side_are_put_back(rank: int) -> None:
    x = cases.normals(np.random.default_rng(6), (2, 3, *(12,) * rank), "float64")
    columns = cconv.unfold(x, (3,) * rank, stride=3)
    assert_same_bits(cconv.fold(columns, (12,) * rank, 3, stride=3), x)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", OPERATIONS)
def test_special_values_go_where_their_windows_lead(name: str, value: float) -> None:
    for case in cases.sweep(f"{name} special/{value}", 60, draw_case):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x = cases.integers(rng, SHAPES[name][0](case), case.dtype)
            if x.size == 0:
                continue
            x.ravel()[rng.integers(x.size, size=3)] = value
            expected = {"unfold": oracle_unfold, "fold": oracle_fold}[name](case, x)
            assert_same_bits(RUN[name](case, x), expected.astype(case.dtype))


# ------------------------------------------------------------------------------- forms of arguments


def test_order_of_rows_and_columns() -> None:
    """Rows: channel, then kernel row, then kernel column. Columns: the windows row by row."""
    x = np.arange(24, dtype="f4").reshape(1, 2, 3, 4)
    y = cconv.unfold(x, (2, 3))
    assert y.shape == (1, 12, 4)
    for c, i, j, oh, ow in np.ndindex(2, 2, 3, 2, 2):
        assert y[0, (c * 2 + i) * 3 + j, oh * 2 + ow] == x[0, c, oh + i, ow + j]


def test_arguments_have_the_order_of_torch() -> None:
    x = cases.integers(np.random.default_rng(1), (2, 3, 9, 8), "float32")
    named = {"kernel_size": (3, 2), "dilation": (2, 1), "padding": (1, 0), "stride": (1, 2)}
    columns = cconv.unfold(x, (3, 2), (2, 1), (1, 0), (1, 2))
    assert_same_bits(columns, cconv.unfold(x, **named))
    image = cconv.fold(columns, (9, 8), (3, 2), (2, 1), (1, 0), (1, 2))
    assert_same_bits(image, cconv.fold(columns, output_size=(9, 8), **named))


def test_one_int_means_two_axes() -> None:
    x = cases.integers(np.random.default_rng(1), (2, 3, 7, 7), "float32")
    columns = cconv.unfold(x, 3)
    assert_same_bits(columns, cconv.unfold(x, (3, 3)))
    assert_same_bits(cconv.fold(columns, 7, 3), cconv.fold(columns, (7, 7), (3, 3)))
    assert_same_bits(cconv.unfold(x, np.array([3, 3])), columns)
    assert_same_bits(cconv.unfold(x, [np.int8(3), 3]), columns)


@pytest.mark.parametrize("word", ["valid", "same", "same_lower"])
@pytest.mark.parametrize("rank", RANKS)
def test_words_stand_for_pairs(rank: int, word: str) -> None:
    for size, k, s, d in np.ndindex(6, 4, 3, 2):
        size, k, s, d = size + 3, k + 1, s + 1, d + 1
        pad = oracle.same_pads(size, k, s, d, word == "same")
        if word == "valid":
            pad = (0, 0)
        if oracle.window_count(size, k, s, d, *pad) < 1:
            continue
        case = case_of((size,) * rank, (k,) * rank, stride=s, pad=pad, dilation=d, channels=1)
        columns = unfold(case, np.ones(image_shape(case), "f4"))
        x = np.ones(image_shape(case), "f4")
        assert_same_bits(cconv.unfold(x, case.kernel, d, word, s), columns)
        image = fold(case, columns)
        assert_same_bits(cconv.fold(columns, case.spatial, k, d, word, s), image)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("out", [False, True])
@pytest.mark.parametrize("name", OPERATIONS)
def test_unbatched_input_is_one_image(name: str, out: bool, rank: int) -> None:
    case = case_of((7,) * rank, (3,) * rank, stride=2, pad=1, batch=2, channels=3)
    x = cases.integers(np.random.default_rng(1), SHAPES[name][0](case), "float32")
    batched = RUN[name](case, x)
    room = np.empty_like(batched[1]) if out else None
    y = RUN[name](case, x[1], out=room)
    assert not out or y is room
    assert_same_bits(y, batched[1])


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_empty_batch_and_empty_channels(name: str, rank: int) -> None:
    for batch, channels in [(0, 3), (2, 0), (0, 0)]:
        case = case_of((6,) * rank, (2,) * rank, batch=batch, channels=channels)
        taken, given = (shape(case) for shape in SHAPES[name])
        assert RUN[name](case, np.ones(taken, "f4")).shape == given


def test_an_axis_without_elements_is_all_padding() -> None:
    y = cconv.unfold(np.ones((1, 2, 0, 3), "f4"), 2, padding=1)
    assert y.shape == (1, 8, 4)
    assert (y == 0).all()


@pytest.mark.parametrize("name", OPERATIONS)
def test_lists_and_readonly_input(name: str) -> None:
    case = case_of((4, 5), (2, 3), dtype="float64")
    x = cases.integers(np.random.default_rng(3), SHAPES[name][0](case), "float64")
    expected = RUN[name](case, x)
    x.flags.writeable = False
    assert_same_bits(RUN[name](case, x), expected)
    assert_same_bits(RUN[name](case, x.tolist()), expected)


@pytest.mark.parametrize("shift", [0, 1, 5, 30])
@pytest.mark.parametrize("name", OPERATIONS)
def test_out_may_overlap_the_input(name: str, shift: int) -> None:
    case = case_of((9, 11), (2, 2), stride=2, batch=2, channels=3)
    taken, given = (shape(case) for shape in SHAPES[name])
    largest = max(math.prod(taken), math.prod(given))
    buffer = cases.integers(np.random.default_rng(4), (largest + 30,), "float32")
    x = buffer[: math.prod(taken)].reshape(taken)
    out = buffer[shift : shift + math.prod(given)].reshape(given)
    expected = RUN[name](case, x.copy())
    y = RUN[name](case, x, out=out)
    assert y is out
    assert_same_bits(y, expected)
