"""Values that other libraries get wrong: NaN, infinities, empty windows, subnormals, corners.

A docstring names the class of the bug, and where it happened.
"""

import threading
from typing import Any

import cases
import numpy as np
import pytest
from cases import AVG_POOL, CONV, MAX_POOL, MIN_POOL, RANKS, assert_same_bits
from operators import OPERATORS, drawn
from test_conv_transpose import TRANSPOSE
from test_errors import giant
from test_unpool import UNPOOL

import cconv

LOWEST = float(np.finfo("f4").min)
CHANNELS = [1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 35, 67]


def extremes(x: cases.Array) -> dict[str, Any]:
    """Every pool of the whole image (n, c, h, w) that propagates NaN, without the spatial axes."""
    size = x.shape[2:]
    pools = {
        "max_pool2d": MAX_POOL[2](x, size),
        "max_pool2d with indices": MAX_POOL[2](x, size, return_indices=True)[0],
        "min_pool2d": MIN_POOL[2](x, size),
        "avg_pool2d": AVG_POOL[2](x, size),
        "lp_pool2d": cconv.lp_pool2d(x, 2, size),
        "adaptive_max_pool2d": cconv.adaptive_max_pool2d(x, 1),
        "adaptive_avg_pool2d": cconv.adaptive_avg_pool2d(x, 1),
        "global_max_pool": cconv.global_max_pool(x),
        "global_avg_pool": cconv.global_avg_pool(x),
        "global_lp_pool": cconv.global_lp_pool(x),
    }
    return {name: y[:, :, 0, 0] for name, y in pools.items()}


# ------------------------------------------------------------------------------------- NaN in pools


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("channels", CHANNELS)
def test_nan_in_any_channel(channels: int, layout: str) -> None:
    """NaN lost in the SIMD body or in remainder channels: TensorFlow #125965, PyTorch #7645."""
    rng = np.random.default_rng(channels)
    plain = cases.integers(rng, (1, channels, 3, 5), "float32")
    for place in np.ndindex(3, 5):
        for channel in {0, channels // 2, channels - 1}:
            x = plain.copy()
            x[(0, channel, *place)] = np.nan
            for name, y in extremes(cases.arrange(x, layout, rng)).items():
                nans = np.flatnonzero(np.isnan(y[0])).tolist()
                assert nans == [channel], (name, place)


@pytest.mark.parametrize("value", [LOWEST, -np.inf])
def test_nothing_is_below_the_lowest_number(value: float) -> None:
    """A maximum that begins at -FLT_MAX: TensorFlow #2501; of all -inf it would be -FLT_MAX."""
    x = np.full((1, 5, 7, 19), value, "f4")
    for name, y in extremes(x).items():
        if "max" in name or "min" in name:
            assert (y == value).all(), name
    for pool, lowest in ((MAX_POOL[2], x), (MIN_POOL[2], -x)):
        assert_same_bits(pool(lowest, 3, 1, 1), lowest)
        values, places = pool(lowest, 3, 2, 4, return_indices=True)
        assert ((abs(values) == abs(value)) | (places == -1)).all()


@pytest.mark.parametrize("value", [np.nan, -np.inf, LOWEST, 0.0])
@pytest.mark.parametrize("rank", RANKS)
def test_an_index_is_always_valid(rank: int, value: float) -> None:
    """An index of -1 for a window of NaN or -inf, written to later: PyTorch PR#1465, #40131."""
    x = np.full((2, 3, *(7,) * rank), value, "f4")
    for window in [(3, 2, 1), (2, 2), (7,), (3, 1, 1, 2)]:
        values, places = MAX_POOL[rank](x, *window, return_indices=True)
        assert places.min() >= 0
        assert places.max() < 7**rank
        y = UNPOOL[rank](values, places, 3, output_size=x.shape)
        np.testing.assert_array_equal(y, np.where(y == 0, 0, x))
        assert value == 0 or np.count_nonzero(y) == len(np.unique(places[0, 0])) * 6
    values, places = cconv.adaptive_max_pool2d(x.reshape(2, 3, 7, -1), (3, 2), True)
    assert places.min() >= 0
    np.testing.assert_array_equal(values, np.full_like(values, value))


# ------------------------------------------------------------------------------------ empty windows


@pytest.mark.parametrize("rank", RANKS)
def test_average_of_nothing_and_of_the_overhang(rank: int) -> None:
    """0 / 0 in a window of ceil_mode, or on padding alone: ONNX Runtime #6543, FastNN #5."""
    x = np.full((1, 2, *(4,) * rank), 3, "f4")
    for stride, padding in [(2, 0), (3, 0), (3, 1), (5, 1)]:
        y = AVG_POOL[rank](x, 3, stride, padding, ceil_mode=True, count_include_pad=False)
        assert (y == 3).all()
    inner = (slice(None), slice(None), *(slice(5, 9),) * rank)
    for count, empty in ((True, 0.0), (False, np.nan)):
        y = AVG_POOL[rank](x, 1, 1, 5, count_include_pad=count)
        assert_same_bits(y[inner].copy(), x)
        y[inner] = empty
        np.testing.assert_array_equal(y, np.full_like(y, empty))
    assert (cconv.adaptive_avg_pool2d(x.reshape(1, 2, 4, -1), (9, 70)) == 3).all()


@pytest.mark.parametrize("rank", RANKS)
def test_the_overhang_of_ceil_mode_is_never_counted(rank: int) -> None:
    """Averages two to four times too small: coremltools #2844, ONNX #4958 and #5276.

    Without declared pads, an average of ones is one, however far the last window reaches out.
    """
    for case in cases.sweep(f"overhang/{rank}", 60, lambda r: cases.draw_pool(r, "avg", rank)):
        size = tuple(max(n, 1 + d * (k - 1)) for n, k, d in zip(
            case.spatial, case.kernel, case.dilation, strict=True))  # fmt: skip
        with cases.naming(case):
            for include in (False, True):
                y = AVG_POOL[rank](
                    np.ones((1, 1, *size), "f4"), case.kernel, case.stride, ceil_mode=True,
                    count_include_pad=include, dilation=case.dilation,
                )  # fmt: skip
                assert (y == 1).all()


def test_declared_pads_are_counted_in_ceil_mode() -> None:
    """The divisor of the last window: ONNX Runtime #16203, tract #2851, rten #1456.

    Rows and columns of 4 in windows of 3 by 2, one zero declared on each side: the third window
    along an axis has an element, the zero behind it, and one place that counts for nothing.
    """
    x = np.arange(1, 17, dtype="f8").reshape(1, 1, 4, 4)
    y = AVG_POOL[2](x, 3, 2, 1, ceil_mode=True)[0, 0]
    sums = np.array([[14, 30, 12], [57, 99, 36], [27, 45, 16]])
    assert y.tolist() == (sums / [[9, 9, 6], [9, 9, 6], [6, 6, 4]]).tolist()


def test_no_window_starts_in_the_trailing_pad() -> None:
    """A window of ceil_mode on padding alone: ONNX #5276, PyTorch's rule, tract #2851."""
    x = np.arange(1, 17, dtype="f4").reshape(1, 1, 4, 4)
    assert MAX_POOL[2](x, 2, 3, 1, ceil_mode=True)[0, 0].tolist() == [[1, 4], [13, 16]]
    assert AVG_POOL[2](x, 1, 2, ((0, 2), (0, 2)), ceil_mode=True).shape == (1, 1, 2, 2)
    # Where it starts in the leading pad or on the input it stays, however far out it ends.
    assert MAX_POOL[1](x[0, :, :1, :2], 3, 1, ((2, 0),), ceil_mode=True).tolist() == [[[1, 2]]]


# --------------------------------------------------------------------------------------- subnormals


def test_subnormals_survive_calls_in_every_thread() -> None:
    """Flush-to-zero leaks from a library built with -ffast-math: pyhmmer #71, imops #37."""
    tiny = np.array([np.finfo("f4").smallest_subnormal, np.finfo("f4").tiny / 4], "f4")
    rng = np.random.default_rng(1)

    def intact() -> bool:
        return bool((tiny * np.float32(1) != 0).all() and tiny[1] / np.float32(2) != 0)

    def use() -> None:
        for name in ("conv", "conv_transpose", "max_pool", "avg_pool", "lp_pool", "fold"):
            for call in drawn("subnormal", name, 2, 4 * cases.SHARE):
                call(threads=3)
        x = cases.normals(rng, (2, 8, 40, 40), "float32")
        w = cases.normals(rng, (8, 8, 3, 3), "float32")
        for activation in ("gelu", "silu", "tanh", "elu"):
            cconv.conv2d(x, w, activation=activation, threads=3)

    answers = []

    def in_a_thread() -> None:
        answers.append(intact())
        use()
        answers.append(intact())

    assert intact()
    other = threading.Thread(target=in_a_thread)
    use()
    assert intact()
    other.start()
    other.join(60)
    assert answers == [True, True]
    # The threads of the core keep them too.
    x = np.full((8, 4, 9, 70), tiny[0])
    w = np.ones((4, 1, 1, 1), "f4")
    for threads in (1, 2, 3):
        assert_same_bits(cconv.conv2d(x, w, groups=4, threads=threads), x)
        assert_same_bits(cconv.max_pool2d(x, 1, threads=threads), x)
        assert_same_bits(cconv.avg_pool2d(x, 3, 1, threads=threads), x[..., 2:, 2:].copy())
        assert_same_bits(cconv.lp_pool2d(x, 1, 1, threads=threads), x)


def test_importing_changes_no_floating_point_mode() -> None:
    """Flush-to-zero set by loading a library: pyhmmer #71."""
    code = """
        import numpy as np
        import cconv
        print(np.float32(1e-40) / np.float32(2) > 0)
    """
    assert cases.run_python(code)[:2] == (0, "True")


# -------------------------------------------------------------------------------- SAME and auto_pad


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "upper", "lower"),
    [
        (5, 3, 1, 1, (1, 1), (1, 1)),
        (5, 2, 1, 1, (0, 1), (1, 0)),
        (6, 3, 2, 1, (0, 1), (1, 0)),
        (5, 3, 2, 1, (1, 1), (1, 1)),
        (7, 4, 3, 1, (1, 2), (2, 1)),
        (6, 2, 3, 1, (0, 0), (0, 0)),
        (5, 1, 2, 1, (0, 0), (0, 0)),
        (6, 3, 2, 2, (1, 2), (2, 1)),
        (13, 6, 5, 1, (1, 2), (2, 1)),
    ],
)
def test_same_is_that_of_tensorflow_and_onnx(
    size: int, kernel: int, stride: int, dilation: int, upper: Any, lower: Any
) -> None:
    """SAME with a stride is refused or padded elsewhere: PyTorch #3867, #67551; timm #752.

    The pads are worked out by hand from TensorFlow's formula; (13, 6, 5) is its own example.
    """
    x = np.arange(1.0, size + 1).reshape(1, 1, size)
    w = 10.0 ** np.arange(kernel).reshape(1, 1, kernel)
    for word, pads in (("same", upper), ("same_lower", lower)):
        y = CONV[1](x, w, None, stride, word, dilation)
        assert y.shape == (1, 1, -(-size // stride))
        assert_same_bits(y, CONV[1](x, w, None, stride, (pads,), dilation))
        for pool in (MAX_POOL[1], MIN_POOL[1]):
            window = (kernel, stride, word, dilation)
            assert_same_bits(pool(x, *window), pool(x, kernel, stride, (pads,), dilation))
        y = AVG_POOL[1](x, kernel, stride, word, dilation=dilation)
        assert_same_bits(y, AVG_POOL[1](x, kernel, stride, (pads,), dilation=dilation))


def test_same_of_a_transposed_convolution() -> None:
    """auto_pad of ConvTranspose, its two words exchanged: ONNX Runtime #4086, #9370; ONNX #4299.

    The first answer is that of ONNX's node test convtranspose_autopad_same, SAME_UPPER: the one
    row and column too many fall away at the end.
    """
    x, w = np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 2, 3, 3))
    upper = [
        [0, 0, 1, 1, 3, 2],
        [0, 0, 1, 1, 3, 2],
        [3, 3, 8, 5, 12, 7],
        [3, 3, 7, 4, 9, 5],
        [9, 9, 20, 11, 24, 13],
        [6, 6, 13, 7, 15, 8],
    ]
    y = TRANSPOSE[2](x, w, stride=2, padding="same")
    assert y[0].tolist() == [upper, upper]
    whole = TRANSPOSE[2](x, w, stride=2)
    assert_same_bits(y, whole[..., :-1, :-1].copy())
    lower = TRANSPOSE[2](x, w, stride=2, padding="same_lower")
    assert_same_bits(lower, whole[..., 1:, 1:].copy())


def test_output_shape_of_a_transposed_convolution() -> None:
    """output_shape with pads of its own making: ONNX Runtime #4698, #6067, #11927; ONNX #2788.

    total = stride * (in - 1) + (k - 1) * dilation + 1 - out, its first half before for SAME_UPPER
    and after for SAME_LOWER; and if it is negative, zeros come after the result.
    """
    x, w = np.arange(1.0, 5).reshape(1, 1, 4), np.array([[[1, 10, 100, 1000.0]]])
    full = TRANSPOSE[1](x, w, stride=3)[0, 0]
    assert len(full) == 13
    for wanted in range(1, 17):
        total = 13 - wanted
        for word, before in (("same", total // 2), ("same_lower", total - total // 2)):
            before = max(before, 0) if total >= 0 else 0
            expected = np.concatenate([full, np.zeros(4)])[before : before + wanted]
            y = TRANSPOSE[1](x, w, stride=3, padding=word, output_size=wanted)
            assert y[0, 0].tolist() == expected.tolist()


# ------------------------------------------------------------------------------ NaN in convolutions


@pytest.mark.parametrize("name", ["conv", "depthwise_conv", "conv_transpose", "separable_conv"])
def test_nan_reaches_exactly_its_windows(name: str) -> None:
    """NaN spreads, or does not, as the method of summing pleases: SciPy #15927, astropy #8114.

    Where it may be seen is counted by the same operator on ones, with weights of ones.
    """
    for rank in OPERATORS[name].ranks:
        for call in drawn("nan", name, rank, 30, cases.integers):
            with cases.naming(call):
                weights = {k: np.ones_like(v) for k, v in call.keywords.items() if "weight" in k}
                x = call.batched[0].copy()
                mark = np.zeros_like(x)
                place = np.random.default_rng(1).integers(x.size)
                x.flat[place], mark.flat[place] = np.nan, 1
                plain = {"bias": None}
                (seen,) = call(mark, **weights, **plain)
                if call.keywords.get("padding_mode") == "constant":
                    (away,) = call(mark * 0, **weights, **plain)
                    seen = seen - away
                (y,) = call(x)
                np.testing.assert_array_equal(np.isnan(y), seen != 0)


def test_infinity_of_both_signs_and_overflow() -> None:
    """inf - inf is NaN in its window alone, and an overflow an infinity: SciPy #15927."""
    x, w = np.zeros((1, 1, 30), "f4"), np.ones((5, 1, 3), "f4")
    x[0, 0, [10, 11]] = np.inf, -np.inf
    y = CONV[1](x, w)
    for row in y[0]:
        assert np.flatnonzero(np.isnan(row)).tolist() == [9, 10]
        assert (row[8], row[11]) == (np.inf, -np.inf)
        assert np.count_nonzero(row) == 4
    with np.errstate(over="ignore"):
        assert (CONV[1](np.full((1, 1, 9), -LOWEST, "f4"), w) == np.inf).all()


# ------------------------------------------------------------------------------ 31 bits of an index


def test_more_than_31_bits_of_elements() -> None:
    """Offsets and indices in 32 bits: TensorFlow PR#112776 and PR#108695, SciPy #10761.

    Planes of 2^34 elements, all of them one in memory, with windows far apart.
    """
    side, step = 2**17, 2**15
    x = giant(1, 2, side, side)
    w = np.full((3, 2, 2, 2), 0.5, "f4")
    y = cconv.conv2d(x, w, stride=step, dilation=step - 1)
    assert y.shape == (1, 3, 4, 4)
    assert (y == 4).all()
    values, places = cconv.max_pool2d(x, 1, step, return_indices=True)
    assert (values == 1).all()
    steps = np.arange(4) * step
    np.testing.assert_array_equal(places[0, 1], steps[:, None] * side + steps)
    assert (cconv.avg_pool2d(x, (2, 3), step) == 1).all()
    assert (cconv.lp_pool2d(x, 1, 2, step) == 4).all()
    assert (cconv.unfold(x, 2, stride=step) == 1).all()
    row = giant(1, 1, 2**33)
    assert cconv.conv1d(row, w[:1, :1, 0], stride=2**31).tolist() == [[[1, 1, 1, 1]]]
    _, places = cconv.max_pool1d(row, 2, 2**31, ((2**31, 0),), return_indices=True)
    assert places.tolist() == [[[-1, 0, 2**31, 2**32, 3 * 2**31]]]


def test_offsets_beyond_31_bits_are_not_truncated() -> None:
    """A row that lies 2^31 bytes behind another: TensorFlow PR#112776, Samsung/ONE #11584.

    The two rows are all that is touched of a region of zeros that the system only promises.
    """
    stride = 2**31 + 64
    try:
        region = np.zeros(stride + 64, np.uint8)
    except MemoryError:
        pytest.skip("the system promises no 2 GB")
    room = region.view("f4")
    rows = np.lib.stride_tricks.as_strided(room, (1, 1, 2, 16), (0, 0, stride, 4))
    rows[0, 0] = np.arange(32).reshape(2, 16)
    copy = rows.copy()
    w = np.array([[[[1, 2], [3, 4]]]], "f4")
    assert_same_bits(cconv.conv2d(rows, w), cconv.conv2d(copy, w))
    assert_same_bits(cconv.max_pool2d(rows, 2), cconv.max_pool2d(copy, 2))
    assert_same_bits(cconv.avg_pool2d(rows, 2, 1), cconv.avg_pool2d(copy, 2, 1))
    assert_same_bits(cconv.unfold(rows, 2), cconv.unfold(copy, 2))
    assert_same_bits(cconv.global_max_pool(rows), cconv.global_max_pool(copy))
    out = np.lib.stride_tricks.as_strided(room[16:], (1, 1, 2, 16), (0, 0, stride - 64, 4))
    cconv.max_pool2d(copy, 1, out=out)
    assert_same_bits(out.copy(), copy)
