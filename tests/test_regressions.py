"""Sizes and parameters that crashed other libraries, or made them answer wrongly without a word.

A docstring names the class of the bug, and where it happened. What concerns values is in
test_regressions_values, reading past the end of an array in test_regressions_memory. Huge numbers
in convolutions and pools are also in test_errors, where some of the answers are exact.
"""

import re
from collections.abc import Callable
from typing import Any

import calls
import cases
import numpy as np
import pytest
from cases import AVG_POOL, CONV, MAX_POOL, RANKS, assert_same_bits
from test_conv_transpose import TRANSPOSE
from test_depthwise import DEPTHWISE
from test_errors import REFUSAL, giant, ones

import cconv

WINDOWED = [
    name
    for name in calls.with_parameter("input", "stride", "padding")
    if "transpose" not in name and "unpool" not in name
]
WEIGHTED = [name for name in calls.FUNCTIONS if "conv" in name and "shape" not in name]
HUGE = [2**55, 2**62, 2**63 - 1, 2**63, 2**64, 2**70]


def refused(name: str, call: Callable[[], Any], *words: str) -> bool:
    """Whether the call was refused by an error that names the function and says the words."""
    try:
        call()
    except REFUSAL as error:
        pattern = ".*".join(map(re.escape, (f"{name}: ", *words)))
        if not re.match(pattern, str(error), re.DOTALL):
            raise
        return True
    return False


# -------------------------------------------------------------------------- windows that do not fit


@pytest.mark.parametrize("name", [*WINDOWED, "fold"])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_kernel_larger_than_the_padded_input(name: str, stride: int) -> None:
    """A phantom output of size one, read out of bounds: XNNPACK PR#10453.

    (in - k) / s + 1 is 1 for a kernel that is too large by less than s, where division truncates.
    """
    for size, kernel, padding in [(3, 4, 0), (1, 4, 1), (3, 8, ((1, 2),)), (5, 4, ((0, -2),))]:
        arguments = calls.good(name, size if name != "fold" else 9, kernel)
        if name == "fold":
            arguments["output_size"] = size
            padding = 0 if padding == ((0, -2),) else padding
            if size >= kernel:
                continue
        pads = padding * calls.rank_of(name) if isinstance(padding, tuple) else padding
        arguments |= {"stride": stride, "padding": pads}
        assert refused(name, lambda: calls.function(name)(**arguments))  # noqa: B023


@pytest.mark.parametrize("name", ["conv_output_shape", "pool_output_shape"])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_shape_of_a_kernel_larger_than_the_padded_input(name: str, stride: int) -> None:
    """The same where only the shape is asked for: XNNPACK PR#10453."""
    arguments = calls.good(name, 3, 4) | {"stride": stride}
    assert refused(name, lambda: calls.function(name)(**arguments))


# ------------------------------------------------------------------------ products that wrap around


@pytest.mark.parametrize("pool", ["max_pool2d", "min_pool2d", "avg_pool2d", "lp_pool2d"])
@pytest.mark.parametrize("kernel", [(2**16, 2**16), (2**32, 2**32), (2**31, 2), (2**33, 2**31)])
def test_product_of_the_kernel_wraps(pool: str, kernel: tuple[int, int]) -> None:
    """kh * kw wraps to zero or to a small number: XNNPACK PR#10709 and PR#11184, PyTorch #9404."""
    arguments = calls.good(pool) | {"kernel_size": kernel}
    assert refused(pool, lambda: calls.function(pool)(**arguments))
    # On pads as wide it is right, or refused; an average over so many is next to nothing.
    arguments |= {"padding": tuple((k, 0) for k in kernel), "stride": 2**62}
    arguments["input"] = ones(1, 1, 2, 2)
    if not refused(pool, lambda: calls.function(pool)(**arguments)):
        y = calls.function(pool)(**arguments)
        assert y.shape == (1, 1, 1, 1)
        assert (y[0, 0, 0, 0] in (0, -np.inf, np.inf)) or 0 <= y[0, 0, 0, 0] < 1e-8


@pytest.mark.parametrize("name", ["unfold", "fold"])
@pytest.mark.parametrize("kernel", [(2**16, 2**16), (2**32, 2**32), (2**63 - 1, 2)])
def test_product_of_the_columns_wraps(name: str, kernel: tuple[int, int]) -> None:
    """c * kh * kw rows wrap to few: PyTorch #9264 and #44109."""
    arguments = calls.good(name) | {"kernel_size": kernel}
    arguments["padding"] = tuple((k, 0) for k in kernel)
    assert refused(name, lambda: calls.function(name)(**arguments))


@pytest.mark.parametrize("name", WEIGHTED)
def test_product_of_the_weight_wraps(name: str) -> None:
    """Packed weights of oc * ic * k elements wrap to a small buffer: XNNPACK PR#11184.

    A weight with strides of zero has any shape in four bytes, up to the 2^63 that NumPy allows.
    """
    rank, arguments = calls.rank_of(name), calls.good(name)
    parameter = "depthwise_weight" if "separable" in name else "weight"
    first, second, *taps = arguments[parameter].shape
    outputs = (first, 2**52, *taps) if "transpose" in name else (2**52, second, *taps)
    for shape in [outputs, (first, second, *(2 ** (56 // rank),) * rank)]:
        spoilt = arguments | {parameter: giant(*shape)}
        assert refused(name, lambda: calls.function(name)(**spoilt))  # noqa: B023


@pytest.mark.parametrize("rank", RANKS)
def test_product_of_the_output_wraps(rank: int) -> None:
    """n * oc * oh * ow wraps, and a small output is allocated: PyTorch #9264."""
    three = (3,) * rank
    for pool in (MAX_POOL, AVG_POOL):
        x = giant(2**31, 2**24, *three)
        assert refused(pool[rank].__name__, lambda: pool[rank](x, 1))  # noqa: B023
    for n in (2**32, 2**48):
        images, weight = giant(n, 1, *three), giant(n, 1, *three)
        assert refused(f"conv{rank}d", lambda: CONV[rank](images, weight))  # noqa: B023
        filters = giant(1, n, *three)
        assert refused(f"conv_transpose{rank}d", lambda: TRANSPOSE[rank](images, filters))  # noqa: B023


# ------------------------------------------------------------------- huge, zero, and 16-bit numbers


@pytest.mark.parametrize("n", [*HUGE, *(-n for n in HUGE)])
@pytest.mark.parametrize(
    "parameter", ["stride", "dilation", "padding", "kernel_size", "groups", "output_padding"]
)
def test_huge_parameters(parameter: str, n: int) -> None:
    """Segmentation faults at 2^55 to 2^63 - 1: PyTorch #194016, #188959, PR#174653."""
    for name in calls.with_parameter(parameter):
        arguments = calls.good(name) | {parameter: n}
        if parameter == "padding":
            arguments["stride"] = 2**60  # for few windows
        call = calls.function(name)
        if not refused(name, lambda: call(**arguments)):  # noqa: B023
            assert parameter in ("stride", "padding")
            assert -(2**63) < n < 2**63
            y = call(**arguments)
            assert isinstance(y, tuple) or y.size < 10_000


@pytest.mark.parametrize("n", [2**55, 2**63 - 1, 2**63, 2**70])
@pytest.mark.parametrize("name", calls.with_parameter("output_size"))
def test_huge_output_size(name: str, n: int) -> None:
    """Segmentation faults at 2^55 to 2^63 - 1: PyTorch #194016, #188959, PR#174653."""
    arguments = calls.good(name) | {"output_size": (n,) * calls.rank_of(name)}
    assert refused(name, lambda: calls.function(name)(**arguments))


@pytest.mark.parametrize("parameter", ["stride", "dilation", "kernel_size", "groups"])
@pytest.mark.parametrize("bad", [0, -1, -(2**63), -(2**64)])
def test_zero_and_negative_parameters(parameter: str, bad: int) -> None:
    """Division by a stride of zero (SIGFPE): XNNPACK PR#11244, TensorFlow #61902, LiteRT #120."""
    functions = calls.with_parameter(parameter)
    assert functions
    for name in functions:
        arguments = calls.good(name) | {parameter: bad}
        call = calls.function(name)
        assert refused(name, lambda: call(**arguments), parameter, str(bad))  # noqa: B023


@pytest.mark.parametrize("n", [2**16, 2**16 + 1, 2**17])
def test_parameters_that_are_zero_in_16_bits(n: int) -> None:
    """A stride of 65536 is cut to 0: XNNPACK PR#11244, TensorFlow #61902."""
    x = np.zeros((1, 1, 2 * n + 1), "f4")
    x[0, 0, [0, n, 2 * n]] = 1, 2, 4
    w = np.array([[[1, 8]]], "f4")
    assert CONV[1](x, w[..., :1], stride=n).tolist() == [[[1, 2, 4]]]
    assert CONV[1](x, w, dilation=n, stride=n).tolist() == [[[17, 34]]]
    assert CONV[1](x[..., :1], w[..., :1], padding=((n, 0),), stride=n).tolist() == [[[0, 1]]]
    for kind, pool in cases.POOL.items():
        assert pool[1](x, 1, n).tolist() == [[[1, 2, 4]]]
        expected = {"max": [2, 4], "min": [1, 2], "avg": [1.5, 3]}[kind]
        assert pool[1](x, 2, n, dilation=n).tolist() == [[expected]]
    if cases.CORE:  # the reference would visit every tap
        assert MAX_POOL[1](x, n).tolist() == [[[1, 2]]]
        assert cconv.lp_pool1d(x, 1, n).tolist() == [[[1, 2]]]
        assert AVG_POOL[1](x, n, divisor_override=1).tolist() == [[[1, 2]]]
    columns = cconv.unfold(x, (2,), n, 0, n)
    assert columns.tolist() == [[[1, 2], [2, 4]]]
    assert_same_bits(cconv.fold(columns, (2 * n + 1,), 2, n, 0, n), np.where(x == 2, 2 * x, x))
    y = TRANSPOSE[1](x[..., [0, n, 2 * n]], w[..., :1], stride=n)
    assert_same_bits(y, x)
    y = TRANSPOSE[1](x[..., :1], w, dilation=n)
    assert (y[0, 0, 0], y[0, 0, n], np.count_nonzero(y)) == (1, 8, 2)
    values, places = MAX_POOL[1](x, 1, n, return_indices=True)
    assert places.tolist() == [[[0, n, 2 * n]]]
    assert_same_bits(cconv.max_unpool1d(values, places, 1, n), x)


@pytest.mark.parametrize("n", [2**16, 2**16 + 3] if cases.CORE else [2**16])
def test_channels_that_are_zero_in_16_bits(n: int) -> None:
    """Sizes cut to 16 bits: XNNPACK PR#11244; more than 65535 channels, groups, filters, images."""
    x = (np.arange(n, dtype="f4") % 251).reshape(1, n, 1)
    w = np.ones((n, 1, 1), "f4")
    assert_same_bits(DEPTHWISE[1](x, w), x)
    assert_same_bits(CONV[1](x, w, groups=n), x)
    assert CONV[1](x, w.reshape(1, n, 1), algorithm="direct").item() == x.sum(dtype="f8")
    assert_same_bits(CONV[1](x[:, 7:8], x.reshape(n, 1, 1)), 7 * x)
    images = x.reshape(n, 1, 1)
    assert_same_bits(CONV[1](images, w[:1]), images)
    assert_same_bits(TRANSPOSE[1](x, w, groups=n), x)
    assert_same_bits(MAX_POOL[1](x, 1), x)
    assert_same_bits(AVG_POOL[1](images, 1), images)
    assert_same_bits(cconv.global_avg_pool(x), x)
    assert_same_bits(cconv.unfold(x, (1,)), x)


# ----------------------------------------------------------------------- shapes of the other arrays


@pytest.mark.parametrize("name", WEIGHTED)
def test_weight_that_does_not_fit(name: str) -> None:
    """The weight's shape is not compared with the parameters, and read past: XNNPACK #11118."""
    arguments = calls.good(name)
    call = calls.function(name)
    for parameter in [key for key in arguments if key.endswith("weight")]:
        shape = arguments[parameter].shape
        wrong = [(*shape, 1), shape[:-1], (), (1,), (*shape[:2], *(0,) * len(shape[2:]))]
        if "transpose" not in name:
            wrong += [(shape[0], shape[1] + 1, *shape[2:]), (0, *shape[1:])]
        if "depthwise" in name or "transpose" in name or parameter == "depthwise_weight":
            wrong += [(shape[0] + 1, *shape[1:]), (1, *shape[1:])]
        if parameter == "pointwise_weight":
            wrong += [(*shape[:2], 1, 2), (*shape[:2], 2, 1)]
        for bad in wrong:
            spoilt = arguments | {parameter: np.ones(bad, "f4")}
            assert refused(name, lambda: call(**spoilt), parameter)  # noqa: B023
    for bad in [(), (1,), (3,), (2, 1), (0,)]:
        spoilt = arguments | {"bias": np.ones(bad, "f4")}
        assert refused(name, lambda: call(**spoilt), "bias")  # noqa: B023


def test_indices_that_do_not_fit() -> None:
    """An index from elsewhere is written out of bounds: PyTorch PR#1465 (an index of -1)."""
    for rank in RANKS:
        name = f"max_unpool{rank}d"
        arguments = calls.good(name)
        plane = 11**rank  # of the output: (9 - 1) * 1 + 3 along each axis
        arguments["stride"] = 1
        for bad in (plane, 2**31, 2**32, 2**62, -2, -(2**62)):
            arguments["indices"] = np.full(arguments["input"].shape, bad)
            assert refused(name, lambda: calls.function(name)(**arguments), "ind", str(bad))  # noqa: B023
        arguments["indices"] = np.full(arguments["input"].shape, -1)
        assert not calls.function(name)(**arguments).any()
