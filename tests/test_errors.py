"""Bad input: the type of the exception, and what its message names; never a crash or a hang.

A message names the function, the argument, what was given and what was expected. The fragments
listed with each call must occur in it in this order.
"""

import re
from collections.abc import Callable
from typing import Any

import cases
import numpy as np
import pytest
from cases import AVG_POOL, CONV, MAX_POOL, POOL, RANKS
from numpy.lib.stride_tricks import as_strided

import cconv
from cconv import conv_output_shape, pool_output_shape

HUGE = [2**31, 2**32, 2**55, 2**62, 2**63 - 1, 2**63, 2**64, 2**70]
Call = Callable[[], Any]
Errors = type[Exception] | tuple[type[Exception], ...]


def ones(*shape: int, dtype: Any = "f4") -> cases.Array:
    return np.ones(shape, dtype)


def giant(*shape: int) -> cases.Array:
    """An array of any shape in four bytes: all strides are zero."""
    return as_strided(np.ones(1, "f4"), shape, (0,) * len(shape), writeable=False)


def check(error: Errors, call: Call, *fragments: str) -> None:
    with pytest.raises(error) as caught:
        call()
    pattern = ".*".join(re.escape(f) for f in fragments)
    assert re.search(pattern, str(caught.value), re.DOTALL), str(caught.value)


X, W = ones(2, 8, 9, 9), ones(6, 8, 3, 3)
conv = cconv.conv2d

CONV_ERRORS: dict[str, tuple[type[Exception], Call, list[str]]] = {
    "input rank": (ValueError, lambda: conv(ones(9, 9), W), ["input", "(9, 9)", "4", "3"]),
    "input rank too high": (
        ValueError, lambda: conv(ones(1, 1, 8, 9, 9), W), ["input", "(1, 1, 8, 9, 9)", "4"],
    ),
    "weight rank": (ValueError, lambda: conv(X, ones(6, 8, 3)), ["weight", "(6, 8, 3)", "4"]),
    "scalar weight": (ValueError, lambda: conv(X, np.float32(1)), ["weight", "()", "4"]),
    "channels": (
        ValueError, lambda: conv(X, ones(6, 3, 3, 3), groups=2),
        ["weight.shape[1] is 3", "8 channels in 2 groups", "(oc, 4, kh, kw)"],
    ),
    "channels of one group": (
        ValueError, lambda: conv(X, ones(6, 7, 3, 3)), ["weight.shape[1] is 7", "8", "(oc, 8"],
    ),
    "groups do not divide channels": (
        ValueError, lambda: conv(X, ones(6, 2, 3, 3), groups=3), ["groups is 3", "8"],
    ),
    "groups do not divide filters": (
        ValueError, lambda: conv(X, ones(6, 2, 3, 3), groups=4), ["weight.shape[0] is 6", "4"],
    ),
    "groups 0": (ValueError, lambda: conv(X, W, groups=0), ["groups is 0", "1"]),
    "groups -1": (ValueError, lambda: conv(X, W, groups=-1), ["groups is -1", "1"]),
    "groups 1.0": (TypeError, lambda: conv(X, W, groups=1.0), ["groups is 1.0", "int"]),
    "bias shape": (ValueError, lambda: conv(X, W, ones(5)), ["bias", "(5,)", "(6,)"]),
    "bias rank": (ValueError, lambda: conv(X, W, ones(6, 1)), ["bias", "(6, 1)", "(6,)"]),
    "stride 0": (ValueError, lambda: conv(X, W, stride=0), ["stride is 0", "1"]),
    "stride -1": (ValueError, lambda: conv(X, W, stride=(1, -1)), ["stride[1] is -1", "1"]),
    "stride 1.5": (TypeError, lambda: conv(X, W, stride=1.5), ["stride is 1.5", "int"]),
    "stride None": (TypeError, lambda: conv(X, W, stride=None), ["stride is None", "int"]),
    "strides": (ValueError, lambda: conv(X, W, stride=(1, 1, 1)), ["stride", "(1, 1, 1)", "2"]),
    "dilation 0": (ValueError, lambda: conv(X, W, dilation=(0, 1)), ["dilation[0] is 0", "1"]),
    "dilation -2": (ValueError, lambda: conv(X, W, dilation=-2), ["dilation is -2", "1"]),
    "dilations": (ValueError, lambda: conv(X, W, dilation=(1,)), ["dilation", "(1,)", "2"]),
    "padding word": (
        ValueError, lambda: conv(X, W, padding="SAME"), ["padding", "'SAME'", "'valid'", "'same'"],
    ),
    "paddings": (ValueError, lambda: conv(X, W, padding=(1, 1, 1)), ["padding", "(1, 1, 1)", "2"]),
    "padding triple": (
        ValueError, lambda: conv(X, W, padding=((1, 2, 3), 1)), ["padding[0]", "(1, 2, 3)", "2"],
    ),
    "padding float": (TypeError, lambda: conv(X, W, padding=0.5), ["padding", "0.5", "int"]),
    "padding None": (TypeError, lambda: conv(X, W, padding=None), ["padding", "None", "int"]),
    "empty output": (
        ValueError, lambda: conv(ones(1, 8, 2, 9), W), ["output", "2", "3"],
    ),
    "empty output by cropping": (
        ValueError, lambda: conv(X, W, padding=(0, -4)), ["output", "9", "-4", "3"],
    ),
    "empty input axis": (ValueError, lambda: conv(ones(1, 8, 0, 9), W), ["output", "0", "3"]),
    "empty kernel": (ValueError, lambda: conv(X, ones(6, 8, 0, 3)), ["weight.shape[2] is 0", "1"]),
    "no filters": (ValueError, lambda: conv(X, ones(0, 8, 3, 3)), ["weight.shape[0] is 0", "1"]),
    "algorithm": (
        ValueError, lambda: conv(X, W, algorithm="fft"),
        ["algorithm", "'fft'", "'auto'", "'direct'"],
    ),
    "winograd": (
        ValueError, lambda: conv(X, W, stride=2, algorithm="winograd"),
        ["algorithm", "'winograd'", "'direct'"],
    ),
    "activation": (
        ValueError, lambda: conv(X, W, activation="softmax"),
        ["activation", "'softmax'", "'relu'"],
    ),
    "activation without numbers": (
        ValueError, lambda: conv(X, W, activation="clip"), ["activation", "'clip'", "lo, hi"],
    ),
    "clip the wrong way round": (
        ValueError, lambda: conv(X, W, activation=("clip", 1, 0)),
        ["activation", "1, 0", "lo <= hi"],
    ),
    "clip to nan": (
        ValueError, lambda: conv(X, W, activation=("clip", np.nan, 0)),
        ["activation", "nan", "lo"],
    ),
    "slope": (
        TypeError, lambda: conv(X, W, activation=("leaky_relu", "a")),
        ["leaky_relu", "'a'", "number"],
    ),
    "slope of another": (
        ValueError, lambda: conv(X, W, activation=("tanh", 1)), ["activation", "('tanh', 1)"],
    ),
    "threads 0": (ValueError, lambda: conv(X, W, threads=0), ["threads is 0", "1"]),
    "threads -3": (ValueError, lambda: conv(X, W, threads=-3), ["threads is -3", "1"]),
    "threads 2.0": (TypeError, lambda: conv(X, W, threads=2.0), ["threads is 2.0", "int"]),
    "threads 2**40": (ValueError, lambda: conv(X, W, threads=2**40), ["threads", str(2**40)]),
    "threads 2**80": (OverflowError, lambda: conv(X, W, threads=2**80), ["threads"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CONV_ERRORS)
def test_conv_errors(name: str) -> None:
    error, call, fragments = CONV_ERRORS[name]
    check(error, call, "conv2d: ", *fragments)


POOL_ERRORS: dict[str, tuple[type[Exception], dict[str, Any], list[str]]] = {
    "rank": (ValueError, {"input": ones(9, 9)}, ["input", "(9, 9)", "4"]),
    "kernel 0": (ValueError, {"kernel_size": 0}, ["kernel_size is 0", "1"]),
    "kernel -1": (ValueError, {"kernel_size": (3, -1)}, ["kernel_size[1] is -1", "1"]),
    "kernel None": (TypeError, {"kernel_size": None}, ["kernel_size is None", "int"]),
    "kernels": (ValueError, {"kernel_size": (3, 3, 3)}, ["kernel_size", "(3, 3, 3)", "2"]),
    "stride 0": (ValueError, {"stride": 0}, ["stride is 0", "1"]),
    "stride -1": (ValueError, {"stride": -1}, ["stride is -1", "1"]),
    "dilation 0": (ValueError, {"dilation": 0}, ["dilation is 0", "1"]),
    "padding": (ValueError, {"padding": "reflect"}, ["padding", "'reflect'", "'same'"]),
    "paddings": (ValueError, {"padding": (1,)}, ["padding", "(1,)", "2"]),
    "empty output": (ValueError, {"kernel_size": 10}, ["output", "9", "10"]),
    "phantom output": (
        ValueError, {"kernel_size": 10, "stride": 2, "padding": ((0, 0), (0, 0))},
        ["output", "9", "10"],
    ),
    "empty input axis": (ValueError, {"input": ones(1, 2, 0, 9)}, ["output", "0"]),
    "ceil_mode": (TypeError, {"ceil_mode": 1}, ["ceil_mode is 1", "True or False"]),
    "threads": (ValueError, {"threads": 0}, ["threads is 0", "1"]),
    "dtype": (TypeError, {"input": ones(1, 1, 9, 9, dtype="c8")}, ["complex64", "float32"]),
}  # fmt: skip


@pytest.mark.parametrize("name", POOL_ERRORS)
@pytest.mark.parametrize("kind", POOL)
def test_pool_errors(kind: str, name: str) -> None:
    error, changes, fragments = POOL_ERRORS[name]
    arguments = {"input": X, "kernel_size": 3, **changes}
    check(error, lambda: POOL[kind][2](**arguments), f"{kind}_pool2d: ", *fragments)


@pytest.mark.parametrize(
    ("error", "changes", "fragments"),
    [
        (ValueError, {"divisor_override": 0}, ["divisor_override is 0"]),
        (TypeError, {"divisor_override": 1.5}, ["divisor_override is 1.5", "int"]),
        (OverflowError, {"divisor_override": 2**63}, ["divisor_override"]),
        (TypeError, {"count_include_pad": 0}, ["count_include_pad is 0", "True or False"]),
    ],
)
def test_avg_pool_errors(
    error: type[Exception], changes: dict[str, Any], fragments: list[str]
) -> None:
    check(error, lambda: cconv.avg_pool2d(X, 3, **changes), "avg_pool2d: ", *fragments)


@pytest.mark.parametrize("value", [0, 1, None, "yes"])
def test_return_indices_is_a_flag(value: Any) -> None:
    for function in (cconv.max_pool2d, cconv.min_pool2d):
        name = f"{function.__name__}: return_indices is {value!r}"  # type: ignore[attr-defined]
        check(TypeError, lambda: function(X, 3, return_indices=value), name, "True or False")  # noqa: B023


# --------------------------------------------------------------------------------------- dtypes

REFUSED = ["g", "c8", "c16", "O", "S4", "U4", "M8[s]", "m8[s]", "V4", "f4,f4"]
REFUSED += [np.dtype(code).newbyteorder().str for code in ("g", "c8")]


@pytest.mark.parametrize("dtype", REFUSED)
@pytest.mark.parametrize("argument", ["input", "weight", "bias"])
def test_refused_dtypes(argument: str, dtype: str) -> None:
    arguments = {"input": X, "weight": W, "bias": ones(6)}
    arguments[argument] = np.zeros(arguments[argument].shape, dtype)
    given = np.dtype(dtype).name if np.dtype(dtype).isnative else dtype
    check(TypeError, lambda: conv(**arguments), "conv2d: ", argument, given, "float32", "float64")


@pytest.mark.parametrize("dtype", REFUSED)
def test_refused_pool_dtypes(dtype: str) -> None:
    for name in ("max_pool2d", "min_pool2d", "avg_pool2d"):
        x = np.zeros((1, 1, 4, 4), dtype)
        check(TypeError, lambda: getattr(cconv, name)(x, 2), name, "input", "float32", "float64")  # noqa: B023


@pytest.mark.parametrize("argument", ["input", "weight", "bias"])
def test_masked_arrays_are_refused(argument: str) -> None:
    arguments = {"input": X, "weight": W, "bias": ones(6)}
    arguments[argument] = np.ma.masked_array(arguments[argument])
    check(TypeError, lambda: conv(**arguments), "conv2d: ", argument, "masked", "filled")
    check(TypeError, lambda: cconv.max_pool2d(np.ma.masked_array(X), 2), "max_pool2d: ", "masked")


@pytest.mark.parametrize("value", [None, "abc", {}, object(), [[1.0], [2.0, 3.0]], b"x", 1j])
def test_what_is_no_array_is_refused(value: Any) -> None:
    check((TypeError, ValueError), lambda: conv(value, W), "conv2d: ", "input")
    check((TypeError, ValueError), lambda: conv(X, value), "conv2d: ", "weight")


# ------------------------------------------------------------------------------------------ out


def readonly(a: cases.Array) -> cases.Array:
    a.flags.writeable = False
    return a


OUT: dict[str, tuple[type[Exception], Any, list[str]]] = {
    "shape": (ValueError, ones(2, 6, 7, 8), ["(2, 6, 7, 8)", "(2, 6, 7, 7)"]),
    "broadcastable shape": (ValueError, ones(1, 2, 6, 7, 7), ["(1, 2, 6, 7, 7)", "(2, 6, 7, 7)"]),
    "dtype": (TypeError, ones(2, 6, 7, 7, dtype="f8"), ["float64", "float32"]),
    "byte order": (
        TypeError, ones(2, 6, 7, 7, dtype=np.dtype("f4").newbyteorder()), ["float32"],
    ),
    "read-only": (ValueError, readonly(ones(2, 6, 7, 7)), ["read-only"]),
    "list": (TypeError, [[1.0]], ["list", "ndarray"]),
    "masked": (TypeError, np.ma.ones((2, 6, 7, 7), "f4"), ["Masked", "ndarray"]),
}  # fmt: skip


@pytest.mark.parametrize("name", OUT)
def test_out_errors(name: str) -> None:
    error, out, fragments = OUT[name]
    check(error, lambda: conv(X, W, out=out), "conv2d: ", "out", *fragments)
    x = ones(2, 6, 9, 9)
    check(error, lambda: cconv.max_pool2d(x, 3, 1, out=out), "max_pool2d: ", "out", *fragments)
    check(error, lambda: cconv.avg_pool2d(x, 3, 1, out=out), "avg_pool2d: ", "out", *fragments)


def test_out_is_untouched_by_a_refused_call() -> None:
    out = np.full((2, 6, 7, 7), cases.CANARY, "f4")
    for call in (
        lambda: conv(X, W, stride=0, out=out),
        lambda: conv(X, W, threads=0, out=out),
        lambda: conv(X, W, activation="no", out=out),
        lambda: conv(X, W, ones(5), out=out),
    ):
        with pytest.raises(ValueError, match="conv2d"):
            call()
    assert (out == cases.CANARY).all()


# ------------------------------------------------------------------------- every rank has its name


@pytest.mark.parametrize("rank", RANKS)
def test_messages_name_the_function_that_was_called(rank: int) -> None:
    x, w = ones(1, 1, *(5,) * rank), ones(1, 1, *(3,) * rank)
    names = ", ".join(f"k{axis}" for axis in "dhw"[3 - rank :])
    check(ValueError, lambda: CONV[rank](x, w[:, :0]), f"conv{rank}d: ", f"(oc, 1, {names})")
    check(ValueError, lambda: MAX_POOL[rank](x, 0), f"max_pool{rank}d: ")
    check(ValueError, lambda: AVG_POOL[rank](x, 0), f"avg_pool{rank}d: ")
    check(ValueError, lambda: conv_output_shape(x.shape, w.shape, 0), "conv_output_shape: stride")
    check(ValueError, lambda: pool_output_shape(x.shape, 2, 0), "pool_output_shape: stride")


@pytest.mark.parametrize(
    "call",
    [
        lambda: cconv.max_pool2d(X, 2, padding_mode="reflect"),
        lambda: cconv.conv2d(X, W, None, 1, 0, 1, 1, "relu"),
        lambda: cconv.max_pool2d(X, 2, 2, 0, 1, False, True, ones(1)),
        lambda: cconv.avg_pool2d(X, 2, return_indices=True),
        lambda: cconv.avg_pool2d(X, 2, 2, 0, False, True, None, 1),
    ],
)
def test_no_argument_that_does_nothing(call: Call) -> None:
    with pytest.raises(TypeError, match="argument"):
        call()


# ------------------------------------------------------------------------------------ huge numbers

REFUSAL = (ValueError, OverflowError, MemoryError)


def refused(call: Call) -> bool:
    """Whether the call was refused, by name; otherwise it gave a small answer."""
    try:
        y = call()
    except REFUSAL as error:
        names = (
            r"(conv(_transpose)?\dd|(max|min|avg)_pool\dd|(conv(_transpose)?|pool)_output_shape): "
        )
        if not re.match(names, str(error)):
            raise
        return True
    return not np.size(y) < 10_000


@pytest.mark.parametrize("n", HUGE)
@pytest.mark.parametrize("rank", RANKS)
def test_huge_stride(rank: int, n: int) -> None:
    """A stride that fits in 63 bits leaves one window or is refused; others do not fit."""
    x, w = ones(1, 1, *(5,) * rank), ones(2, 1, *(3,) * rank)
    for call in (
        lambda: CONV[rank](x, w, stride=n),
        lambda: MAX_POOL[rank](x, 3, n),
        lambda: AVG_POOL[rank](x, 3, n),
        lambda: MAX_POOL[rank](x, 3, n, padding=1, ceil_mode=True),
    ):
        if n >= 2**63:
            check(OverflowError, call, "stride")
        elif not refused(call):
            assert call().shape[2:] == (1,) * rank


@pytest.mark.parametrize("n", HUGE)
@pytest.mark.parametrize("rank", RANKS)
def test_huge_dilation(rank: int, n: int) -> None:
    x, w = ones(1, 1, *(5,) * rank), ones(2, 1, *(3,) * rank)
    for call in (
        lambda: CONV[rank](x, w, dilation=n),
        lambda: MAX_POOL[rank](x, 3, dilation=n),
        lambda: AVG_POOL[rank](x, 3, dilation=n),
        lambda: CONV[rank](x, w, dilation=n, padding="same"),
    ):
        refused(call)
    assert refused(lambda: CONV[rank](x, w, dilation=n))


@pytest.mark.parametrize("n", HUGE)
def test_huge_dilation_of_one_tap_changes_nothing(n: int) -> None:
    x, w = ones(1, 1, 5), ones(2, 1, 1)
    if n >= 2**63:
        check(OverflowError, lambda: CONV[1](x, w, dilation=n), "conv1d: dilation")
    else:
        assert (CONV[1](x, w, dilation=n) == 1).all()
        assert (MAX_POOL[1](x, 1, dilation=n) == 1).all()


@pytest.mark.parametrize("n", [*HUGE, *(-n for n in HUGE)])
@pytest.mark.parametrize("rank", RANKS)
def test_huge_padding(rank: int, n: int) -> None:
    """Strides as huge leave few windows; without them the output could not be allocated."""
    x, w = ones(1, 1, *(5,) * rank), ones(2, 1, *(3,) * rank)
    pads = [n, ((n, 0),) * rank, ((0, n),) * rank, ((n, 5 - n),) * rank, ((5 - n, n),) * rank]
    for pad in pads:
        for stride in [1, 2**60] if abs(n) >= 2**55 else [2**30]:
            for call in (
                lambda: CONV[rank](x, w, None, stride, pad),  # noqa: B023
                lambda: MAX_POOL[rank](x, 3, stride, pad),  # noqa: B023
                lambda: AVG_POOL[rank](x, 3, stride, pad, ceil_mode=True),  # noqa: B023
            ):
                refused(call)


def test_huge_pads_and_strides_are_exact() -> None:
    """The third of the windows stands on the input, 2**61 zeros from the start."""
    x, w = np.array([[[1, 2, 4, 8, 16]]], "f4"), np.ones((1, 1, 3), "f4")
    window = (2**60, ((2**61, 0),))
    assert CONV[1](x, w, None, *window)[0, 0].tolist() == [0, 0, 7]
    assert AVG_POOL[1](x, 1, *window)[0, 0].tolist() == [0, 0, 1]
    assert MAX_POOL[1](x, 3, *window)[0, 0].tolist() == [-np.inf, -np.inf, 4]


@pytest.mark.parametrize("n", HUGE)
@pytest.mark.parametrize("rank", RANKS)
def test_huge_pool_kernel(rank: int, n: int) -> None:
    x = ones(1, 1, *(5,) * rank)
    assert refused(lambda: MAX_POOL[rank](x, n, 1))
    assert refused(lambda: AVG_POOL[rank](x, n, 1, ceil_mode=True))


@pytest.mark.parametrize("n", [2**40, 2**62])
@pytest.mark.parametrize("pool", ["max_pool1d", "avg_pool1d"])
def test_huge_pool_kernel_on_huge_pads_does_not_hang(pool: str, n: int) -> None:
    """The window covers the input wherever it stands; its taps are too many to visit."""
    code = f"""
        import numpy as np, cconv
        try:
            print(cconv.{pool}(np.ones((1, 1, 5), "f4"), {n}, 1, "same").max())
        except (ValueError, OverflowError, MemoryError) as error:
            print(error)
    """
    status, output, _ = cases.run_python(code, timeout=30)
    assert status == 0
    right = 1 if pool.startswith("max") else np.float32(5 / n)
    assert output.startswith(pool) or np.float32(output) == right


@pytest.mark.parametrize("n", [2**50, 2**58])
def test_giants_without_memory(n: int) -> None:
    """Axes as long as a stride of zero allows: the output cannot exist, and that is the error."""
    w = ones(2, 1, 3)
    wide, tall = giant(1, 1, n), giant(n, 1, 5)
    deep = giant(1, n, 5)
    for call in (
        lambda: CONV[1](wide, w),
        lambda: CONV[1](tall, w),
        lambda: CONV[1](deep, w),
        lambda: CONV[2](giant(1, 1, 2**31, n // 2**31), ones(1, 1, 1, 1)),
        lambda: CONV[1](ones(1, 1, 5), giant(1, 1, n)),
        lambda: CONV[1](ones(1, 1, 5), giant(n, 1, 3)),
        lambda: MAX_POOL[1](wide, 2),
        lambda: AVG_POOL[1](tall, 2),
        lambda: MAX_POOL[1](giant(1, n, 5), 2),
    ):
        with pytest.raises(REFUSAL, match=r"(conv|pool)\dd: "):
            call()


def test_memory_error_gives_the_bytes() -> None:
    check(MemoryError, lambda: CONV[1](giant(1, 1, 2**50), ones(2, 1, 3)), "conv1d: ", "bytes")
    plan = cconv.ConvPlan(ones(2, 1, 3), input_shape=(1, 1, 2**50))
    check(MemoryError, lambda: plan(giant(1, 1, 2**50)), "ConvPlan: ", "bytes")


@pytest.mark.parametrize("n", HUGE)
def test_huge_shapes_are_exact_or_refused(n: int) -> None:
    """conv_output_shape and pool_output_shape have no memory to run out of."""
    if n < 2**62:
        assert conv_output_shape((1, 1, n), (1, 1, 3)) == (1, 1, n - 2)
        assert pool_output_shape((1, 1, n), 2) == (1, 1, n // 2)
    for call in (
        lambda: conv_output_shape((1, 1, n), (1, 1, 3), 1, n),
        lambda: conv_output_shape((1, 1, 5), (1, 1, 3), n, n, n),
        lambda: conv_output_shape((1, 1, n, n), (1, 1, 3, 3)),
        lambda: pool_output_shape((n, n, n), 2),
        lambda: pool_output_shape((1, 1, 5), n, n, n, n, True),
    ):
        if not refused(call):
            assert all(0 < size < 2**63 for size in call())


@pytest.mark.parametrize(
    ("error", "call", "fragments"),
    [
        (ValueError, lambda: conv_output_shape((1, 3, 5), (4, 2, 3)), ["weight", "2", "3"]),
        (ValueError, lambda: conv_output_shape((1, 5), (4, 3)), ["weight", "(4, 3)"]),
        (ValueError, lambda: conv_output_shape((5,), (4, 1, 3)), ["input", "(5,)", "3"]),
        (ValueError, lambda: conv_output_shape((1, -1, 5), (4, 1, 3)), ["input", "-1", "0"]),
        (TypeError, lambda: conv_output_shape((1, 1, 5.0), (4, 1, 3)), ["input", "5.0", "int"]),
        (TypeError, lambda: conv_output_shape(5, (4, 1, 3)), ["input", "5"]),
        (TypeError, lambda: conv_output_shape((1, 1, 5), None), ["weight", "None"]),
    ],
)
def test_shape_function_errors(error: type[Exception], call: Call, fragments: list[str]) -> None:
    check(error, call, "conv_output_shape: ", *fragments)
