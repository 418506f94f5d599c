"""Which convolutions 'bf16x3' serves, which 'auto' gives it, and how much memory it takes.

Where there is no matrix unit it is refused, and 'auto' never takes it.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import CONV, MATRIX_UNIT, Array, Ints, assert_same_bits
from test_bf16x3 import Layer, needs_matrix_unit, same
from test_errors import giant, ones

import cconv
from cconv import _check

# ------------------------------------------------------------------------------------------ choice

# What 'auto' takes, and what without a matrix unit: by kernel, channels in and out of a group, size
# of the map, stride.
CHOSEN: dict[tuple[Ints, int, int, int, int], tuple[str, str]] = {
    ((1, 1), 64, 256, 56, 1): ("bf16x3", "direct"),
    ((1, 1), 256, 64, 56, 1): ("int8x3", "direct"),
    ((1, 1), 144, 64, 56, 1): ("int8x3", "direct"),
    ((1, 1), 143, 64, 56, 1): ("bf16x3", "direct"),
    ((1, 1), 512, 512, 7, 1): ("int8x3", "direct"),
    ((1, 1), 64, 64, 8, 1): ("direct", "direct"),
    ((1, 1), 256, 64, 16, 1): ("int8x3", "direct"),
    ((1, 1), 256, 64, 15, 1): ("direct", "direct"),
    ((1, 1), 1024, 1024, 1, 1): ("direct", "direct"),
    ((1, 1), 15, 64, 56, 1): ("direct", "direct"),
    ((1, 1), 64, 15, 56, 1): ("direct", "direct"),
    ((3, 3), 64, 64, 56, 1): ("int8x3", "winograd"),
    ((3, 3), 48, 48, 28, 1): ("winograd", "winograd"),
    ((3, 3), 64, 64, 56, 2): ("int8x3", "direct"),
    ((3, 3), 16, 16, 4, 1): ("direct", "direct"),
    ((3, 3), 2048, 64, 28, 2): ("bf16x3", "direct"),
    ((1, 7), 192, 192, 17, 1): ("int8x3", "direct"),
    ((7, 7), 64, 64, 28, 1): ("int8x3", "direct"),
    ((3, 3, 3), 64, 64, 16, 1): ("int8x3", "winograd"),
    ((1, 1, 1), 64, 256, 16, 1): ("bf16x3", "direct"),
    ((2, 2), 96, 192, 56, 2): ("int8x3", "direct"),
    ((7,), 64, 64, 4000, 1): ("int8x3", "direct"),
    ((16, 16), 3, 768, 224, 16): ("int8x3", "direct"),
    ((7, 7), 3, 64, 224, 2): ("int8x3", "direct"),
    ((7, 7), 2, 64, 224, 2): ("direct", "direct"),
    ((3, 3), 3, 64, 224, 1): ("direct", "direct"),
    ((3, 3), 12, 512, 28, 1): ("bf16x3", "direct"),
}


@pytest.mark.parametrize("shape", CHOSEN)
def test_auto_is_a_function_of_shapes(core: Any, shape: tuple[Ints, int, int, int, int]) -> None:
    kernel, c, oc, size, stride = shape
    spatial, w = (size,) * len(kernel), np.zeros((oc, c, *kernel), "f4")
    given: dict[str, Any] = {"padding": tuple((k - 1) // 2 for k in kernel), "stride": stride}
    expected = CHOSEN[shape][0 if MATRIX_UNIT else 1]
    for batch in (1, 8):
        for threads in (1, 2, 7):
            more = {"threads": threads, **given}
            plan = cconv.ConvPlan(w, input_shape=(batch, c, *spatial), **more)
            last = cconv.ConvPlan(w, input_shape=(batch, *spatial, c), layout="NHWC", **more)
            assert plan.algorithm == last.algorithm == expected
    grouped = cconv.ConvPlan(
        np.concatenate([w] * 2), input_shape=(1, 2 * c, *spatial), groups=2, **given
    )
    assert grouped.algorithm == expected


@needs_matrix_unit
def test_auto_gives_its_bits() -> None:
    for layer in (same((1, 1), (28, 28), 128, 96, batch=2), same((1, 1), (60, 60), 64, 96)):
        x, w = layer.data()
        y = layer.run(x, w)
        for threads in (1, 2, 5):
            assert_same_bits(layer.run(x, w, algorithm="auto", threads=threads), y)
        assert not np.array_equal(y, layer.run(x, w, algorithm="direct"))


def test_auto_takes_it_for_no_other_dtype(core: Any) -> None:
    shape = (1, 64, 56, 56)
    for dtype in ("f8", "i4", "i8", "u8"):
        w = np.zeros((256, 64, 1, 1), dtype)
        assert cconv.ConvPlan(w, input_shape=shape).algorithm == "direct"
    half = cconv.ConvPlan(np.zeros((256, 64, 1, 1), "f2"), input_shape=shape)
    assert half.algorithm == ("bf16x3" if MATRIX_UNIT else "direct")


@needs_matrix_unit
def test_algorithm_from_the_environment() -> None:
    code = """
        import numpy as np, cconv
        rng = np.random.default_rng(1)
        x = rng.standard_normal((1, 40, 9, 9)).astype("f4")
        w = rng.standard_normal((20, 40, 3, 3)).astype("f4")
        assert cconv.ConvPlan(w, input_shape=x.shape).algorithm == "bf16x3"
        y = cconv.conv2d(x, w, algorithm="bf16x3")
        assert (cconv.conv2d(x, w) == y).all()
        assert not (cconv.conv2d(x, w, algorithm="direct") == y).all()
        try:
            cconv.conv2d(x.astype("f8"), w.astype("f8"))
        except ValueError as error:
            print(error)
    """
    status, output, error = cases.run_python(code, CCONV_ALGORITHM="bf16x3")
    assert status == 0, error
    for fragment in ("conv2d: algorithm is 'bf16x3' (from CCONV_ALGORITHM)", "float64", "'auto'"):
        assert fragment in output


# ---------------------------------------------------------------------------------------- refusals


def refused(conv: Callable[..., Any], *arrays: Array, **keywords: Any) -> Callable[[], Any]:
    return lambda: conv(*arrays, algorithm="bf16x3", **keywords)


REFUSED: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "channels": (
        refused(cconv.conv2d, ones(1, 15, 9, 9), ones(16, 15, 1, 1)),
        ["conv2d: ", "16 to 4096 values of a window", "15"],
    ),
    "channels of a group": (
        refused(cconv.conv1d, ones(1, 32, 9), ones(32, 4, 3), groups=8),
        ["conv1d: ", "16 to 4096 values of a window", "12"],
    ),
    "depthwise": (
        refused(cconv.conv2d, ones(1, 32, 9, 9), ones(32, 1, 3, 3), groups=32),
        ["conv2d: ", "16 to 4096 values of a window", "9"],
    ),
    "a window": (
        refused(cconv.conv2d, ones(1, 3, 40, 40), ones(1, 3, 37, 37)),
        ["conv2d: ", "16 to 4096 values of a window", "4107"],
    ),
    "rows of few channels": (
        refused(cconv.conv1d, giant(1, 8, 60000), ones(4, 8, 2), dilation=50000),
        ["conv1d: ", "1572864 bytes", "a row of outputs"],
    ),
    "float64": (
        refused(cconv.conv2d, ones(1, 32, 9, 9, dtype="f8"), ones(32, 32, 3, 3, dtype="f8")),
        ["conv2d: ", "float16 and float32", "float64"],
    ),
    "one float64": (
        refused(cconv.conv1d, ones(1, 32, 9, dtype="f8"), ones(32, 32, 3)),
        ["conv1d: ", "float16 and float32", "float64"],
    ),
    "integers": (
        refused(cconv.conv3d, ones(1, 32, 9, 9, 9, dtype="i4"), ones(4, 32, 3, 3, 3, dtype="i4")),
        ["conv3d: ", "float16 and float32", "int64"],
    ),
    "taps": (
        refused(cconv.conv2d, ones(1, 16, 17, 17), ones(4, 16, 17, 17)),
        ["conv2d: ", "at most 256 taps", "289"],
    ),
    "terms": (
        refused(cconv.conv2d, ones(1, 257, 16, 16), ones(1, 257, 16, 16)),
        ["conv2d: ", "65536 taps times channels", str(257 * 256)],
    ),
    "rows": (
        refused(cconv.conv1d, giant(1, 32, 30000), ones(4, 32, 2), dilation=29000),
        ["conv1d: ", "4194304 bytes", "a row of outputs"],
    ),
    "transposed": (
        refused(cconv.conv_transpose2d, ones(1, 32, 9, 9), ones(32, 32, 3, 3)),
        ["conv_transpose2d: ", "cannot serve this call"],
    ),
    "ndimage": (
        refused(cconv.ndimage.correlate, ones(9, 9), ones(3, 3)),
        ["correlate: ", "cannot serve this call"],
    ),
    "a plan": (
        lambda: cconv.ConvPlan(ones(4, 8, 1, 1), input_shape=(1, 8, 9, 9), algorithm="bf16x3"),
        ["ConvPlan: ", "16 to 4096 values of a window", "8"],
    ),
    "a transposed plan": (
        lambda: cconv.ConvPlan(
            ones(32, 32, 3, 3), input_shape=(1, 32, 9, 9), transposed=True, algorithm="bf16x3"
        ),
        ["ConvPlan: ", "cannot serve this call"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_why(name: str) -> None:
    call, (function, *reasons) = REFUSED[name]
    if not MATRIX_UNIT and "cannot serve this call" not in reasons:
        reasons = ["AMX", "'amx'"]
    with pytest.raises(ValueError, match="algorithm is 'bf16x3'") as caught:
        call()
    for fragment in (function, *reasons, "expected 'auto' or 'direct'"):
        assert fragment in str(caught.value)


NONE = """
    import numpy as np, cconv
    x, w = np.ones((1, 64, 56, 56), "f4"), np.ones((256, 64, 1, 1), "f4")
    for call in (
        lambda: cconv.conv2d(x, w, algorithm="bf16x3"),
        lambda: cconv.ConvPlan(w, input_shape=x.shape, algorithm="bf16x3"),
    ):
        try:
            call()
        except ValueError as error:
            print(error)
    assert cconv.ConvPlan(w, input_shape=x.shape).algorithm != "bf16x3"
    assert (cconv.conv2d(x, w) == 64).all()
"""


def check_there_is_none(**environment: Any) -> None:
    status, output, error = cases.run_python(NONE, **environment)
    assert status == 0, error
    lines = output.splitlines()
    assert len(lines) == 2
    for function, line in zip(("conv2d", "ConvPlan"), lines, strict=True):
        assert line.startswith(f"{function}: algorithm is 'bf16x3'")
        for fragment in ("AMX", "show_config()", "expected 'auto' or 'direct'"):
            assert fragment in line


def test_other_instruction_sets_have_none(core: Any) -> None:
    for name in core.isa_names():
        if name != "amx":
            check_there_is_none(CCONV_ISA=name)


def test_the_reference_has_none() -> None:
    check_there_is_none(CCONV_BACKEND="python")


def test_environment_may_ask_for_what_there_is_not() -> None:
    code = "import numpy as np, cconv; cconv.conv1d(np.ones((1, 16, 9)), np.ones((1, 16, 3)))"
    status, _, error = cases.run_python(
        code, CCONV_ALGORITHM="bf16x3", CCONV_BACKEND="python", CCONV_ISA="generic"
    )
    assert status != 0
    assert "algorithm is 'bf16x3' (from CCONV_ALGORITHM)" in error


# --------------------------------------------------------------------- limits, here and in the core


def is_served(layer: Layer, dtype: str = "f4") -> bool:
    """As the core says; Python has to say the same."""
    try:
        layer.core_plan(dtype=dtype)
        core = True
    except ValueError:
        core = False
    python = _check.bf16x3(layer.axes, layer.channels, np.dtype(dtype).name)
    assert core == (not python), (layer, core, python)
    return core


@needs_matrix_unit
def test_limits_of_the_core_are_those_of_the_check() -> None:
    for channels, served in ((1, False), (15, False), (16, True), (17, True)):
        assert is_served(Layer((1, 1), (9, 9), channels, 4)) == served
        assert is_served(Layer((1,), (9,), channels, 4, groups=3)) == served
    for channels, served in ((1, False), (2, True), (15, True), (16, True)):
        assert is_served(Layer((3, 3), (9, 9), channels, 4)) == served
    for kernel, served in (((15,), False), ((16,), True), ((4096,), True), ((17, 241), False)):
        assert is_served(Layer(kernel, tuple(k + 2 for k in kernel), 1, 4)) == served
    for kernel, served in (((16, 16), True), ((257,), False), ((256,), True), ((2, 3, 43), False)):
        size = tuple(k + 2 for k in kernel)
        assert is_served(Layer(kernel, size, 16, 4)) == served
        most = 2**16 // int(np.prod(kernel))
        assert is_served(Layer(kernel, size, most, 1)) == served
        assert not is_served(Layer(kernel, size, most + 1, 1))
    assert is_served(Layer((1, 1), (3, 3), 166 * 32, 1))
    assert not is_served(Layer((1, 1), (3, 3), 166 * 32 + 1, 1))
    assert not is_served(Layer((1, 1), (3, 3), 2**16 + 1, 1))
    assert not is_served(Layer((1, 1), (3, 3), 16, 1), "f8")
    assert not is_served(Layer((1, 1), (3, 3), 16, 1), "i4")


def draw_wide(random: Random) -> Callable[[int], Layer]:
    """A layer by the dilation along one of its axes, whose outputs are more or fewer than 128."""
    rank = random.choice([1, 2, 3])
    channels = random.choice([8, 15, 16, 32, 33, 100, 512])
    kernel = [random.choice([1, 2, 3]) for _ in range(rank)]
    far = random.randrange(rank)
    kernel[far] = random.choice([2, 3])
    stride = tuple(random.choice([1, 1, 2, 3]) for _ in range(rank))
    out = [random.choice([1, 2, 5]) for _ in range(rank)]
    out[-1] = random.choice([1, 100, 127, 128, 129, 300])

    def layer(step: int) -> Layer:
        dilation = tuple(step if a == far else 1 for a in range(rank))
        spatial = tuple(
            (o - 1) * s + d * (k - 1) + 1
            for o, s, d, k in zip(out, stride, dilation, kernel, strict=True)
        )
        return Layer(tuple(kernel), spatial, channels, 1, stride, dilation)

    return layer


@needs_matrix_unit
def test_rows_are_refused_where_the_core_refuses_them() -> None:
    """To a single step of dilation."""
    for index in range(max(1, 60 // cases.SHARE)):
        layer = draw_wide(Random(index))
        least, most = 1, 2**23
        assert is_served(layer(least))
        assert not is_served(layer(most))
        while most - least > 1:
            middle = (least + most) // 2
            if _check.bf16x3(layer(middle).axes, layer(middle).channels, "float32"):
                most = middle
            else:
                least = middle
        for step in range(max(1, least - 3), most + 4):
            is_served(layer(step))
        assert is_served(layer(least))
        assert not is_served(layer(most))


@needs_matrix_unit
def test_the_widest_rows_are_right() -> None:
    layer = Layer((2,), (21500,), 32, 17, dilation=(21300,))
    x, w = layer.data()
    layer.check(x, w, layer.run(x, w))
    assert_same_bits(layer.plan(w)(cases.channels_last(x)), layer.run(x, w, threads=2))


@needs_matrix_unit
@pytest.mark.parametrize("step", [2**31, 2**61])
def test_dilations_beyond_all_indices_are_refused(step: int) -> None:
    x, w = np.ones((1, 16, 9), "f4"), np.ones((16, 16, 3), "f4")
    far: dict[str, Any] = {"dilation": step, "padding": step}
    with pytest.raises(ValueError, match=r"'bf16x3'.*row of outputs.*'auto'"):
        cconv.conv1d(x, w, algorithm="bf16x3", **far)
    assert_same_bits(cconv.conv1d(x, w, **far), np.full((1, 16, 9), 16, "f4"))


# ----------------------------------------------------------------------------------------- scratch

REALISTIC = [
    same((1, 1), (56, 56), 64, 256),
    same((1, 1), (7, 7), 2048, 512),
    same((3, 3), (224, 224), 64, 64),
    same((3, 3), (14, 14), 512, 512),
    same((7, 7), (56, 56), 128, 128),
    same((1, 7), (17, 17), 192, 192),
    same((3, 3, 3), (16, 56, 56), 64, 64),
    same((5,), (100000,), 256, 256),
]
EXTREME = [
    same((1, 1), (512, 512), 2048, 64),
    same((16, 16), (64, 300), 256, 33),
    same((1,), (10,), 5000, 100),
    same((256,), (4000,), 256, 64),
    same((3, 3), (60, 200), 700, 32, dilation=(2, 5)),
    same((2, 3), (300, 2000), 64, 64, dilation=(1, 500)),
    same((3, 3), (3, 70), 1500, 20),
    Layer((2, 2), (700, 10), 16, 8, dilation=(500, 1)),
    Layer((3, 3, 3), (60, 60, 400), 48, 16, dilation=(2, 2, 30), stride=(2, 2, 2)),
]


@needs_matrix_unit
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("layer", REALISTIC + EXTREME)
def test_scratch_is_bounded(layer: Layer, keep: bool) -> None:
    """At most 8 MB a thread, whatever the shape: weights that a phase makes for all are in it."""
    assert is_served(layer)
    for threads in (1, 2, 5):
        for groups in (1, 2):
            wanted = replace(layer, groups=groups).core_plan(threads, keep)
            assert wanted.workspace_nbytes <= threads * 8e6


@needs_matrix_unit
def test_scratch_of_shapes_at_the_limit() -> None:
    for index in range(max(1, 60 // cases.SHARE)):
        layer = draw_wide(Random(index))
        last = layer(1)
        for step in (2**n for n in range(22)):
            if not _check.bf16x3(layer(step).axes, last.channels, "float32"):
                last = layer(step)
        for keep in (True, False):
            for threads in (1, 3):
                wanted = last.core_plan(threads, keep)
                assert wanted.workspace_nbytes <= threads * 8e6, last


FEW = """
    import numpy as np, cconv
    rng = np.random.default_rng(3)
    for kernel, step, out in (
        ((1, 3), (1, 220), (96, 1)), ((1, 7), (1, 80), (96, 1)), ((1, 2), (1, 500), (96, 1)),
        ((2, 2), (30, 400), (50, 2)), ((3, 1, 2), (1, 1, 300), (4, 30, 1)),
        ((2, 2, 2), (9, 9, 200), (10, 10, 1)),
    ):
        size = [o + d * (k - 1) for o, d, k in zip(out, step, kernel)]
        x = rng.standard_normal((1, 16, *size)).astype("f4")
        w = rng.standard_normal((17, 16, *kernel)).astype("f4")
        conv = cconv.conv2d if len(kernel) == 2 else cconv.conv3d
        direct = conv(x, w, dilation=step, algorithm="direct")
        plan = cconv.ConvPlan(w, input_shape=x.shape, dilation=step, threads=1, algorithm="bf16x3")
        print(kernel, step, out, plan.workspace_nbytes, flush=True)
        assert plan.workspace_nbytes <= 8e6
        for y in (plan(x), conv(x, w, dilation=step, algorithm="bf16x3")):
            assert abs(y - direct).max() < 1e-3, (kernel, step, out)
"""


@needs_matrix_unit
def test_few_outputs_along_w_of_taps_far_apart() -> None:
    """Rows of one output: many of them are a block, with all that lies between taps."""
    status, output, error = cases.run_python(FEW)
    assert status == 0, (output, error)


@needs_matrix_unit
def test_shapes_of_much_scratch_are_right() -> None:
    for layer in (EXTREME[1], EXTREME[3], EXTREME[6]):
        small = tuple(min(n, k + 20) for n, k in zip(layer.spatial, layer.kernel, strict=True))
        layer = same(layer.kernel, small, layer.channels, layer.filters)
        x, w = layer.data()
        y = layer.run(x, w, threads=1)
        layer.check(x, w, y)
        assert_same_bits(layer.run(cases.channels_last(x), w, threads=2), y)
        assert_same_bits(layer.plan(w)(x), y)


def test_every_rank_is_drawn() -> None:
    assert {len(layer.kernel) for layer in REALISTIC} == set(CONV)
