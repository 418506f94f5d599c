"""Direct sums have the same bits whatever kernels run: each output is one chain of multiply-adds.

One output channel at a time is the standard: it runs on tiles over a halo. All channels at once run
on panels of positions or of channels, where layout and shape allow.
"""

import re
from typing import Any

import numpy as np
import pytest
from cases import CORE, Array, assert_same_bits

import cconv

# Input without batch, output channels, kernel, and arguments.
SHAPES: list[tuple[tuple[int, ...], int, tuple[int, ...], dict[str, Any]]] = [
    # 1 x 1: whole panels and parts, one row and many, strided, cropped, padded
    ((33, 20, 21), 70, (1, 1), {}),
    ((33, 20, 21), 30, (1, 1), {}),
    ((64, 5, 9, 8), 12, (1, 1, 1), {"groups": 2}),
    ((300, 7, 7), 100, (1, 1), {}),
    ((90, 37, 31), 29, (1, 1), {}),
    ((600, 13, 17), 20, (1, 1), {"groups": 2}),
    ((150, 13, 17), 5, (1, 1), {}),
    ((48, 27, 31), 24, (1, 1), {"stride": (2, 3)}),
    ((17, 20, 21), 40, (1, 1), {"padding": ((-1, -2), (-3, 0))}),
    ((17, 20, 21), 40, (1, 1), {"padding": 1}),
    ((16, 400), 56, (1,), {}),
    ((16, 5, 9, 8), 32, (1, 1, 1), {"stride": (2, 1, 1)}),
    # patches
    ((3, 64, 65), 96, (4, 4), {"stride": 4}),
    ((5, 33, 40), 33, (2, 3), {"stride": (3, 4)}),
    # short sums, many channels: panels of windows from a halo
    ((3, 30, 41), 64, (3, 3), {"stride": 2, "padding": 1}),
    ((4, 25, 33), 50, (3, 3), {"padding": 1, "padding_mode": "reflect"}),
    ((5, 20, 30), 60, (3, 3), {"dilation": 2, "padding": (2, 3)}),
    ((6, 19, 23), 96, (2, 2), {"groups": 2, "padding": ((1, 0), (0, 2))}),
    ((2, 400), 48, (5,), {"padding": 2, "padding_mode": "circular"}),
    ((1, 60, 70), 49, (3, 3), {"padding": ((-1, 2), (3, -1))}),
    # windows that overlap, reach outside and have holes
    ((24, 15, 17), 48, (3, 3), {"stride": 2, "padding": 1}),
    ((24, 15, 17), 48, (3, 3), {"dilation": 2, "padding": (2, 3)}),
    ((24, 15, 17), 48, (3, 3), {"padding": 1, "padding_mode": "circular"}),
    ((24, 15, 17), 48, (3, 3), {"padding": 2, "padding_mode": "constant", "padding_value": 1.5}),
    ((3, 40, 41), 64, (7, 7), {"stride": 2, "padding": 3}),
    ((8, 5, 9, 8), 20, (3, 3, 3), {"padding": 1}),
    # more terms than a piece of a panel holds, more rows than a block
    ((900, 6, 6), 40, (3, 3), {"padding": 1}),
    ((40, 3, 700), 50, (1, 3), {}),
    # small planes, whose channels fill the lanes: strided, cropped, in groups, deep
    ((32, 17, 13), 64, (1, 7), {"padding": (0, 3)}),
    ((64, 14, 13), 64, (3, 3), {"stride": 2, "padding": 1, "groups": 2}),
    ((96, 9, 8), 96, (3, 2), {"padding": ((-1, 1), (2, -2))}),
    ((40, 7, 7), 48, (3, 3), {"padding": 1, "padding_mode": "reflect"}),
    ((24, 3, 7, 5), 32, (3, 3, 3), {"padding": 1}),
    # one place: panels by the piece
    ((500, 1, 1), 20, (1, 1), {}),
    ((300, 1, 1), 300, (1, 1), {}),
    # few channels, whose inputs are read where they lie: every size of strips, a vector alone
    *(((3, 19, width), 12, (3, 3), {"padding": 1}) for width in (18, 33, 47, 66, 80, 97)),
    *(
        ((2, 19, width), 20, (3, 3), {"padding": ((0, 1), (1, 0)), "stride": 2})
        for width in (35, 66, 98, 131)
    ),
    ((4, 21, 50), 24, (5, 5), {"padding": ((2, 1), (2, 1)), "groups": 2}),
    ((4, 22, 64), 8, (5, 5), {"padding": 2, "stride": 2}),
    ((2, 25, 70), 12, (7, 7), {"padding": 3}),
    ((2, 25, 70), 12, (7, 7), {"padding": 3, "stride": 2}),
    ((3, 20, 40), 4, (1, 3), {"padding": (2, 1)}),
    ((3, 20, 40), 16, (7, 5), {"padding": ((9, -3), (0, 0))}),
    ((8, 14, 14), 32, (3, 3), {"padding": 1, "groups": 2}),
    ((8, 9, 16), 12, (3, 3), {"padding": ((1, 0), (1, 1))}),
    ((8, 27, 15), 24, (3, 3), {"padding": 1, "stride": 2, "groups": 2}),
    ((2, 9, 3), 4, (3, 3), {"padding": 1}),
    # groups that share a copy
    ((64, 14, 14), 64, (3, 3), {"padding": 1, "groups": 4}),
    ((64, 14, 14), 128, (1, 1), {"groups": 2}),
]


def last(a: Array) -> Array:
    """The same numbers with channels last in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)


def flipped(a: Array) -> Array:
    """The same numbers in the same order of axes, with negative strides."""
    memory = np.flip(a).copy(order="K")
    return np.flip(memory)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize(("image", "filters", "kernel", "arguments"), SHAPES)
def test_all_ways_give_the_same_bits(
    image: tuple[int, ...],
    filters: int,
    kernel: tuple[int, ...],
    arguments: dict[str, Any],
    dtype: type,
) -> None:
    rng = np.random.default_rng(filters)
    groups = arguments.get("groups", 1)
    run = {1: cconv.conv1d, 2: cconv.conv2d, 3: cconv.conv3d}[len(kernel)]
    x = rng.standard_normal((2, *image)).astype(dtype)
    w = rng.standard_normal((filters, image[0] // groups, *kernel)).astype(dtype)
    bias: Array = rng.standard_normal(filters).astype(dtype)
    keywords = {k: v for k, v in arguments.items() if k != "groups"}
    each, channels = filters // groups, image[0] // groups
    expected = np.concatenate(
        [
            run(
                x[:, (f := m // each) * channels : (f + 1) * channels],
                w[m : m + 1],
                bias[m : m + 1],
                **keywords,
                activation="silu",
                algorithm="direct",
            )
            for m in range(filters)
        ],
        axis=1,
    )
    residual: Array = rng.standard_normal(expected.shape).astype(dtype)
    added = run(x, w, bias, **arguments, residual=residual, algorithm="direct", threads=1)
    for given in (x, last(x), flipped(x), flipped(last(x))):
        for threads in (1, 2, 5):
            options: dict[str, Any] = {**arguments, "algorithm": "direct", "threads": threads}
            y = run(given, w, bias, activation="silu", **options)
            assert_same_bits(y, expected)
            for out in (np.empty_like(expected), last(np.empty_like(expected))):
                assert_same_bits(
                    run(given, w, bias, activation="silu", out=out, **options), expected
                )
            for other in (residual, last(residual)):
                assert_same_bits(run(given, w, bias, residual=other, **options), added)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("image", "filters", "kernel", "stride"),
    [
        ((20, 11, 150), 45, (1, 1), 1),
        ((20, 151), 45, (1,), 2),
        ((9, 13, 11), 30, (1, 1), 1),
        ((3, 9, 301), 19, (3, 3), 1),
        ((3, 9, 301), 19, (3, 3), 2),
        ((1, 50, 53), 51, (3, 3), 1),
        ((2, 3, 5, 130), 17, (1, 3, 2), 1),
        ((7, 40, 41), 64, (4, 4), 4),
    ],
)
def test_plain_sums_go_where_they_belong(
    image: tuple[int, ...], filters: int, kernel: tuple[int, ...], stride: int, dtype: type
) -> None:
    """Tiles write to the output themselves: into any array, nothing beside it, and no -0 for 0."""
    rng = np.random.default_rng(filters)
    run = {1: cconv.conv1d, 2: cconv.conv2d, 3: cconv.conv3d}[len(kernel)]
    x = rng.standard_normal((2, *image)).astype(dtype)
    w = rng.standard_normal((filters, image[0], *kernel)).astype(dtype)
    w[::3] = -np.finfo(dtype).tiny  # products with the first image become -0
    x[0] = np.abs(x[0]) * np.finfo(dtype).tiny
    bias: Array = rng.standard_normal(filters).astype(dtype)
    bias[::2] = -0.0
    options: dict[str, Any] = {"stride": stride, "algorithm": "direct"}
    for given in (None, bias):
        expected = np.concatenate(
            [
                run(x, w[m : m + 1], None if given is None else given[m : m + 1], **options)
                for m in range(filters)
            ],
            axis=1,
        )
        for threads in (1, 3):
            assert_same_bits(run(x, w, given, threads=threads, **options), expected)
            shape = expected.shape
            wide = np.full((*shape[:-1], shape[-1] + 5), 7, dtype)
            run(x, w, given, out=wide[..., 2:-3], threads=threads, **options)
            assert_same_bits(wide[..., 2:-3], expected)
            assert (wide[..., :2] == 7).all()
            assert (wide[..., -3:] == 7).all()
            apart = np.full((shape[0], 2 * shape[1], *shape[2:]), 7, dtype)
            run(x, w, given, out=apart[:, ::2], threads=threads, **options)
            assert_same_bits(apart[:, ::2], expected)
            assert (apart[:, 1::2] == 7).all()
            back = np.empty_like(expected)
            run(x, w, given, out=back[:, ::-1], threads=threads, **options)
            assert_same_bits(back[:, ::-1], expected)


@pytest.mark.parametrize("filters", [1, 3, 17, 32])
def test_rows_that_few_channels_read_where_they_lie(filters: int) -> None:
    """Whole tiles and what is left of one, with channels in order and the other way round."""
    rng = np.random.default_rng(filters)
    for size in (1, 15, 16, 17, 100, 127, 128, 129, 500, 1031):
        for channels in (1, 5, 40):
            x = rng.integers(-9, 10, (2, channels, size)).astype("f4")
            w = rng.integers(-9, 10, (filters, channels, 1)).astype("f4")
            expected = np.einsum("ncp,fc->nfp", x, w[..., 0])
            for threads in (1, 3):
                y = cconv.conv1d(x, w, algorithm="direct", threads=threads)
                assert_same_bits(y, expected)
                turned = cconv.conv1d(x[:, ::-1], w[:, ::-1], algorithm="direct", threads=threads)
                assert_same_bits(turned, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("start", [0, 4, 8, 16, 36, 60])
def test_rows_that_few_channels_read_begin_anywhere(start: int, dtype: type) -> None:
    """Tiles begin with lines of the input: none of its values is left out, or taken twice."""
    rng = np.random.default_rng(start)
    for size in (5, 8, 12, 16, 20, 31, 48, 64, 128, 144, 784):
        for channels, filters, images in ((9, 4, 1), (40, 20, 2), (33, 32, 3)):
            shape = (images, channels, -(-size // 16) * 16)
            memory = np.zeros(np.prod(shape) * np.dtype(dtype).itemsize + 128, np.uint8)
            at = -memory.ctypes.data % 64 + start
            x = np.ndarray(shape, dtype, memory, at)[..., :size]
            x[...] = rng.integers(-9, 10, x.shape)
            w = rng.integers(-9, 10, (filters, channels, 1)).astype(dtype)
            expected = np.einsum("ncp,fc->nfp", x, w[..., 0])
            for threads in (1, 3):
                y = cconv.conv1d(x, w, algorithm="direct", threads=threads)
                assert_same_bits(y, expected)


def test_no_channels_in_beside_many() -> None:
    """A view of none keeps the strides of all: sums of no terms are the bias."""
    x, w = np.ones((1, 3, 20, 20), np.float32)[:, :0], np.ones((4, 3, 3, 3), np.float32)[:, :0]
    bias = np.arange(4, dtype=np.float32)
    expected = np.broadcast_to(bias[:, None, None], (1, 4, 20, 20))
    assert_same_bits(cconv.conv2d(x, w, bias, padding=1), expected.copy())
    plan = cconv.ConvPlan(w, bias, input_shape=x.shape, padding=1)
    assert_same_bits(plan(x), expected.copy())


@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (12, 12), (24, 6)])
def test_a_plan_tells_of_blocks_that_hold_outputs(channels: int, groups: int) -> None:
    if CORE is None:
        pytest.skip("the NumPy reference has no blocks")
    w = np.ones((12, channels // groups, 3, 3), np.float32)
    text = cconv.ConvPlan(w, input_shape=(1, channels, 40, 40), padding=1, groups=groups).explain()
    found = re.search(r"of at most (\d+) x (\d+) outputs, (\d+) channels", text)
    assert found is not None, text
    assert all(int(number) >= 1 for number in found.groups()), text


def test_an_unaligned_image_with_channels_last() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1, 12, 12, 32)).astype(np.float32)
    memory = np.zeros(x.nbytes + 1, np.uint8)
    unaligned = memory[1:].view(np.uint8)[: x.nbytes].view(np.float32).reshape(x.shape)
    unaligned[...] = x
    w = rng.standard_normal((40, 32, 3, 3)).astype(np.float32)
    for padding in (0, 1):
        y = cconv.conv2d(unaligned, w, padding=padding, layout="NHWC", algorithm="direct")
        expected = cconv.conv2d(x, w, padding=padding, layout="NHWC", algorithm="direct")
        assert_same_bits(y, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_phases_of_a_transposed_plan_reach_outside(rank: int, dtype: type) -> None:
    """A phase of one tap is a 1 x 1 convolution with more outputs than inputs."""
    rng = np.random.default_rng(rank)
    x = rng.standard_normal((1, 4, *(7,) * rank)).astype(dtype)
    w = rng.standard_normal((4, 32, *(3,) * rank)).astype(dtype)
    given: dict[str, Any] = {
        "stride": 3,
        "dilation": 2,
        "padding": ((5, 0),) * rank,
        "output_padding": 1,
    }
    run = {1: cconv.conv_transpose1d, 2: cconv.conv_transpose2d, 3: cconv.conv_transpose3d}[rank]
    expected = run(x, w, **given, algorithm="direct")
    for image in (x, last(x)):
        plan = cconv.ConvPlan(w, transposed=True, input_shape=x.shape, algorithm="direct", **given)
        assert_same_bits(plan(image), expected)
