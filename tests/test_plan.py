"""ConvPlan: the bits of the functions, however it is made and called; calls like earlier ones."""

import copy
import pickle
import re
import threading
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import assert_same_bits
from operators import Call, drawn
from test_errors import check

import cconv

PLANNED = {"conv": False, "conv_transpose": True}
IMAGE, WEIGHT = (2, 4, 9, 8), (6, 4, 3, 3)


def normal(*shape: int, dtype: str = "f4", seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def plan_of(call: Call, transposed: bool, **changes: Any) -> cconv.ConvPlan:
    keywords = {"input_shape": call.batched[0].shape} | call.keywords | changes
    keywords.pop("out", None)
    return cconv.ConvPlan(
        keywords.pop("weight"), keywords.pop("bias"), transposed=transposed, **keywords
    )


@pytest.mark.parametrize("name", PLANNED)
@pytest.mark.parametrize("rank", cases.RANKS)
def test_a_plan_gives_the_bits_of_the_function(name: str, rank: int) -> None:
    for call in drawn("plan", name, rank, 40 if cases.CORE else 10):
        with cases.naming(call):
            (expected,), (x,) = call(), call.batched
            plan = plan_of(call, PLANNED[name])
            assert plan.output_shape == expected.shape
            assert_same_bits(plan(x), expected)
            residual = cases.normals(np.random.default_rng(3), expected.shape, x.dtype.name)
            (added,) = call(residual=residual)
            assert_same_bits(plan(x, residual=residual), added)
            for batch in (0, 1, len(x) + 2):  # made for one size of the batch, called with another
                other = plan_of(call, PLANNED[name], input_shape=(batch, *x.shape[1:]), threads=2)
                assert_same_bits(other(x), expected)
                assert_same_bits(other(x, residual=residual), added)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("transposed", [False, True])
def test_one_image_in_either_layout(layout: str, transposed: bool) -> None:
    x = normal(9, 8, 4) if layout == "NHWC" else normal(4, 9, 8)
    function = cconv.conv_transpose2d if transposed else cconv.conv2d
    w = normal(4, 6, 3, 3) if transposed else normal(*WEIGHT)
    plan = cconv.ConvPlan(w, transposed=transposed, layout=layout, input_shape=x.shape)
    expected = function(x, w, layout=layout)
    assert_same_bits(plan(x), expected)
    assert_same_bits(plan(x[::-1][::-1]), expected)
    assert_same_bits(plan(np.asfortranarray(x)), expected)


@pytest.mark.parametrize("dtype", ["float16", "int8", "int16", "uint64", "bool", "float64"])
def test_dtypes(dtype: str) -> None:
    x, w = (abs(3 * normal(*shape)).astype(dtype) for shape in (IMAGE, WEIGHT))
    expected = cconv.conv2d(x, w)
    plan = cconv.ConvPlan(w, input_shape=IMAGE)
    assert plan.dtype == expected.dtype
    assert_same_bits(plan(x), expected)


def test_inputs_that_do_not_change_the_dtype_of_the_result() -> None:
    w, b = normal(*WEIGHT), np.arange(6)
    plan = cconv.ConvPlan(w, b.astype("f2"), input_shape=IMAGE)
    for dtype in ("f2", "i1", "u2", "?", ">f4"):
        x = abs(3 * normal(*IMAGE)).astype(dtype)
        assert_same_bits(plan(x), cconv.conv2d(x, w, b.astype("f2")))
        assert_same_bits(plan(x.tolist() if dtype == "?" else x), plan(x))


def test_a_plan_does_not_see_later_changes() -> None:
    x, w, b = normal(*IMAGE), normal(*WEIGHT), normal(6)
    plan = cconv.ConvPlan(w, b, input_shape=IMAGE)
    expected = cconv.conv2d(x, w, b)
    w[...], b[...] = 0, 0
    assert_same_bits(plan(x), expected)
    assert_same_bits(pickle.loads(pickle.dumps(plan))(x), expected)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_copies(again: Any) -> None:
    plan = cconv.ConvPlan(
        normal(*WEIGHT),
        normal(6),
        padding="same",
        stride=2,
        activation=("clip", -1, 1),
        input_shape=IMAGE,
    )
    other = again(plan)
    assert other.explain() == plan.explain()
    assert_same_bits(other(normal(*IMAGE)), plan(normal(*IMAGE)))


def test_python_threads_share_a_plan() -> None:
    plan = cconv.ConvPlan(normal(16, 16, 3, 3), padding=1, input_shape=(1, 16, 20, 20), threads=2)
    images = [normal(1 + i % 2, 16, 20, 20, seed=i) for i in range(8)]
    expected = [plan(x) for x in images]
    wrong = []

    def work(i: int) -> None:
        for _ in range(50):
            if not np.array_equal(plan(images[i]), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_attributes() -> None:
    plan = cconv.ConvPlan(normal(*WEIGHT), padding=1, stride=2, input_shape=IMAGE, threads=1)
    assert plan.input_shape == IMAGE
    assert plan.output_shape == cconv.conv_output_shape(IMAGE, WEIGHT, 2, 1) == (2, 6, 5, 4)
    assert plan.flops == 2 * (2 * 6 * 5 * 4) * (4 * 3 * 3)
    assert plan.dtype == np.float32
    assert plan.algorithm in ("direct", "reference")
    assert plan.workspace_nbytes >= 0
    assert repr(plan).startswith("<ConvPlan (2, 4, 9, 8) by (6, 4, 3, 3) -> (2, 6, 5, 4), float32,")


@pytest.mark.parametrize("stride", [1, 2, (3, 5)])
@pytest.mark.parametrize("groups", [1, 2])
def test_operations_and_bytes_of_a_transposed_plan(stride: Any, groups: int) -> None:
    window: dict[str, Any] = {"stride": stride, "padding": (1, 0), "dilation": (1, 2)}
    w = normal(4, 6, 3, 3)
    plan = cconv.ConvPlan(w, transposed=True, groups=groups, input_shape=IMAGE, **window)
    period = (stride, stride) if isinstance(stride, int) else stride
    shape = plan.output_shape
    pairs = 1.0
    for axis, (step, before, dilation) in enumerate(zip(period, (1, 0), (1, 2), strict=True)):
        along = range(shape[2 + axis])
        pairs *= sum((o + before - k * dilation) % step == 0 for o in along for k in range(3))
    assert plan.flops == 2 * shape[0] * shape[1] * (4 // groups) * pairs
    assert plan._info["bytes"] == X.nbytes + w.nbytes + 4 * np.prod(shape)


def test_explain_tells_what_the_attributes_say() -> None:
    plan = cconv.ConvPlan(normal(*WEIGHT), input_shape=IMAGE, threads=3)
    text = plan.explain()
    assert (
        text.splitlines()[0]
        == "convolution of (2, 4, 9, 8) by (6, 4, 3, 3) -> (2, 6, 7, 6), float32"
    )
    assert f"{plan.flops / 1000:.4g} kFLOP" in text
    assert re.search(r"^threads +1 of 3$", text, re.M)
    transposed = cconv.ConvPlan(
        normal(4, 6, 3, 3), transposed=True, stride=2, input_shape=IMAGE
    ).explain()
    assert transposed.startswith("transposed convolution of")
    assert ("4 convolutions" in transposed) == bool(cases.CORE)
    depthwise = cconv.ConvPlan(normal(4, 1, 3, 3), groups=4, input_shape=IMAGE)
    assert depthwise.algorithm == ("depthwise" if cases.CORE else "reference")


def test_plans_free_what_they_hold() -> None:
    code = """
import resource, numpy as np, cconv
w = np.ones((256, 256, 3, 3), "f4")
def make():
    for _ in range(30):
        cconv.ConvPlan(w, input_shape=(1, 256, 8, 8))(np.ones((1, 256, 8, 8), "f4"))
make()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
make(); make(); make()
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 3 * w.nbytes / 1024, grown
"""
    status, _, errors = cases.run_python(code)
    assert status == 0, errors


X, W = normal(*IMAGE), normal(*WEIGHT)
PLAN = cconv.ConvPlan(W, input_shape=IMAGE)
ERRORS: dict[str, tuple[type[Exception], Any, tuple[str, ...]]] = {
    "x of another size": (
        ValueError,
        lambda: PLAN(X[:, :, 1:]),
        ("x.shape is (2, 4, 8, 8)", "(n, 4, 9, 8)"),
    ),
    "x of another rank": (ValueError, lambda: PLAN(X[0]), ("x.shape is (4, 9, 8)",)),
    "x of another dtype": (
        TypeError,
        lambda: PLAN(X.astype("f8")),
        ("float64", "float32", "convert x"),
    ),
    "complex x": (TypeError, lambda: PLAN(X.astype("c8")), ("x has dtype complex64",)),
    "out of another shape": (ValueError, lambda: PLAN(X, out=X), ("out has shape",)),
    "out of another dtype": (
        TypeError,
        lambda: PLAN(X, out=PLAN(X).astype("f8")),
        ("out has dtype float64",),
    ),
    "residual of another shape": (ValueError, lambda: PLAN(X, residual=X), ("residual.shape is",)),
    "no input_shape": (
        ValueError,
        lambda: cconv.ConvPlan(W, input_shape=(4,)),
        ("input_shape", "expected"),
    ),
    "channels": (
        ValueError,
        lambda: cconv.ConvPlan(W, input_shape=(2, 5, 9, 8)),
        ("weight.shape[1] is 4", "5 channels"),
    ),
    "a plain weight": (
        ValueError,
        lambda: cconv.ConvPlan(W[0, 0], input_shape=IMAGE),
        ("weight.shape",),
    ),
    "transposed padding": (
        ValueError,
        lambda: cconv.ConvPlan(
            W, transposed=True, padding_mode="reflect", input_shape=(2, 6, 9, 8)
        ),
        ("padding_mode is 'reflect'", "an ordinary convolution"),
    ),
    "output_padding": (
        ValueError,
        lambda: cconv.ConvPlan(W, output_padding=1, input_shape=IMAGE),
        ("output_padding is 1", "a transposed convolution"),
    ),
    "transposed": (
        TypeError,
        lambda: cconv.ConvPlan(W, transposed=1, input_shape=IMAGE),  # type: ignore[arg-type]
        ("transposed is 1",),
    ),
    "threads": (
        ValueError,
        lambda: cconv.ConvPlan(W, threads=0, input_shape=IMAGE),
        ("threads is 0",),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, call, fragments = ERRORS[name]
    check(error, call, "ConvPlan: ", *fragments)


@pytest.mark.parametrize("rank", range(7))
def test_arrays_of_another_rank_are_refused(rank: int) -> None:
    x, out = np.zeros((1,) * rank, "f4"), np.zeros((1,) * rank, "f4")
    wide = X.reshape(X.shape + (1,) * max(0, rank - 4))
    if rank != 4:
        check(ValueError, lambda: PLAN(x), "ConvPlan: x.shape is")
        check(ValueError, lambda: PLAN(X, out=out), "ConvPlan: out has shape")
        check(ValueError, lambda: PLAN(X, residual=out), "ConvPlan: residual.shape is")
    if rank > 4:
        check(ValueError, lambda: PLAN(wide), "ConvPlan: x.shape is")


def test_a_list_that_is_changed_later_does_not_change_the_plan() -> None:
    stride = [1, 1]
    plan = cconv.ConvPlan(W, stride=stride, input_shape=IMAGE)
    stride[0] = 2
    assert pickle.loads(pickle.dumps(plan)).output_shape == plan.output_shape == (2, 6, 7, 6)


class Labelled(cconv.ConvPlan):
    """With arguments and attributes of its own."""

    note = ""

    def __init__(self, label: str) -> None:
        super().__init__(W, input_shape=IMAGE)
        self.label = label


class Named(cconv.ConvPlan):
    """A plan of a user's own kind."""


def test_a_plan_of_a_kind_of_its_own_stays_one() -> None:
    assert type(pickle.loads(pickle.dumps(Named(W, input_shape=IMAGE)))) is Named
    labelled = Labelled("edges")
    labelled.note = "mine"
    for again in (pickle.loads(pickle.dumps(labelled)), copy.copy(labelled)):
        assert (type(again), again.label, again.note) == (Labelled, "edges", "mine")
        assert_same_bits(again(X), labelled(X))


def test_arguments_that_are_used_up_or_changed_later() -> None:
    groups = np.array(2)
    pads = [[1, 0], [2, 1]]
    w = normal(6, 2, 3, 3)
    plan = cconv.ConvPlan(
        w, stride=iter([1, 2]), padding=map(tuple, pads), groups=groups, input_shape=IMAGE
    )
    expected = cconv.conv2d(X, w, None, (1, 2), ((1, 0), (2, 1)), 1, 2)
    groups[()] = 4
    pads[0][0] = 7
    for again in (plan, pickle.loads(pickle.dumps(plan))):
        assert_same_bits(again(X), expected)


def test_a_size_that_does_not_fit_is_told_of() -> None:
    check(OverflowError, lambda: cconv.ConvPlan(W, input_shape=(2**62, 4, 9, 8)), "ConvPlan: ")


@pytest.mark.usefixtures("core")
def test_another_batch_leaves_the_interpreter_to_other_threads() -> None:
    plan = cconv.ConvPlan(normal(4, 4, 3, 3), padding=1, input_shape=(0, 4, 8, 8), threads=1)
    x = np.zeros((60000, 4, 8, 8), "f4")
    out, ticks, done = np.empty_like(x), 0, threading.Event()

    def work() -> None:
        plan(x, out=out)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(1e-3):
        ticks += 1
    thread.join()
    assert ticks > 1


def test_out_may_overlap() -> None:
    square = normal(4, 4, 3, 3)
    plan = cconv.ConvPlan(square, padding=1, input_shape=IMAGE)
    memory = np.concatenate([X.ravel(), np.zeros(5, "f4")])
    expected = plan(X)
    out = memory[5:].reshape(X.shape)
    x = memory[: X.size].reshape(X.shape)
    assert plan(x, out=out) is out
    assert_same_bits(out, expected)


def test_a_read_only_out_is_refused() -> None:
    out = PLAN(X)
    out.flags.writeable = False
    check(ValueError, lambda: PLAN(X, out=out), "ConvPlan: out is read-only")


# ------------------------------------------------------------------ functions, called once more


class Unknown(np.ndarray[Any, Any]):
    """Arrays of which no earlier call is remembered."""


def twice(*arguments: Any, **keywords: Any) -> tuple[Any, Any]:
    """The result of the first such call, and of one that finds its plan."""
    cconv.release_workspace()
    return cconv.conv2d(*arguments, **keywords), cconv.conv2d(*arguments, **keywords)


def test_a_call_like_an_earlier_one_sees_new_values() -> None:
    x, w, b = normal(*IMAGE), normal(*WEIGHT), normal(6)
    first, second = twice(x, w, b)
    assert_same_bits(first, second)
    w *= 2
    x *= 4
    b *= 8
    assert_same_bits(cconv.conv2d(x, w, b), 8 * first)


def test_what_is_equal_but_does_not_mean_the_same() -> None:
    twice(X, W, None, 1, 1)
    wrong: Any
    for wrong in (True, 1.0, (1, True), [1.0, 1]):
        with pytest.raises(TypeError, match="stride"):
            cconv.conv2d(X, W, None, wrong, 1)
        with pytest.raises(TypeError, match="padding"):
            cconv.conv2d(X, W, None, 1, wrong)
    with pytest.raises(TypeError, match="groups"):
        cconv.conv2d(X, W, None, 1, 1, 1, True)
    for flag in (True, False):
        cconv.max_pool2d(X, 3, ceil_mode=flag)
        with pytest.raises(TypeError, match="ceil_mode"):
            cconv.max_pool2d(X, 3, ceil_mode=str(flag))  # type: ignore[arg-type]
    for slope in (0.0, -0.0, 0.0):
        y = cconv.conv2d(-abs(X), abs(W), activation=("leaky_relu", slope))
        assert np.signbit(y).all() == (not np.signbit(slope))


@pytest.mark.parametrize(
    "change", ["shape", "strides", "dtype", "order", "bias", "residual", "keyword"]
)
def test_calls_unlike_the_earlier_one(change: str) -> None:
    twice(X, W)
    x, w, keywords = X, W, {}
    match change:
        case "shape":
            x = normal(*IMAGE[:3], 9)
        case "strides":
            x = np.repeat(X, 2, axis=3)[..., ::2]
        case "dtype":
            x = X.astype("f8")
        case "order":
            x = X.astype(">f4")
        case "bias":
            keywords = {"bias": normal(6)}
        case "residual":
            keywords = {"residual": cconv.conv2d(X, W)}
        case "keyword":
            keywords = {"activation": ("clip", 0, 1.5)}
    found = cconv.conv2d(x, w, **keywords)
    assert_same_bits(found, cconv.conv2d(x.view(Unknown), w, **keywords))


def test_out_of_an_earlier_call() -> None:
    square = normal(4, 4, 3, 3)
    expected = cconv.conv2d(X, square, padding=1)
    out = np.empty_like(expected)
    for _ in range(2):
        assert cconv.conv2d(X, square, padding=1, out=out) is out
        assert_same_bits(out, expected)
    x = X.copy()
    assert cconv.conv2d(x, square, padding=1, out=x) is x  # the same headers, but it overlaps
    assert_same_bits(x, expected)
    out.flags.writeable = False
    check(
        ValueError, lambda: cconv.conv2d(X, square, padding=1, out=out), "conv2d: out is read-only"
    )


def test_a_bound_that_depends_on_values_is_looked_at_in_every_call() -> None:
    x, w = np.ones((1, 1, 3, 3), "i1"), np.ones((1, 1, 3, 3), "i1")
    bias = np.array([5])
    for _ in range(2):
        assert cconv.conv2d(x, w, bias)[0, 0, 0, 0] == 14
    bias[0] = 2**31 - 1
    with pytest.raises(OverflowError):
        cconv.conv2d(x, w, bias)


def test_more_kinds_of_calls_than_are_remembered() -> None:
    rng = Random(0)
    for i in range(300):
        size = rng.randint(3, 100)
        x = np.full((1, 1, size, 3), i, "f4")
        assert (cconv.conv2d(x, np.ones((1, 1, 3, 3), "f4")) == 9 * i).all()


def test_a_pool_like_an_earlier_one() -> None:
    x = normal(2, 3, 9, 8)
    cconv.release_workspace()
    for function, more in (
        (cconv.max_pool2d, ()),
        (cconv.min_pool2d, ()),
        (cconv.avg_pool2d, (1, True)),
    ):
        expected = function(x.view(Unknown), 3, 2, *more)
        out = np.empty_like(expected)
        for _ in range(2):
            assert_same_bits(function(x, 3, 2, *more), expected)
            assert function(x, 3, 2, *more, out=out) is out
            assert_same_bits(out, expected)
        assert_same_bits(function(-x, 3, 2, *more), function((-x).view(Unknown), 3, 2, *more))
        with pytest.raises(TypeError, match="stride"):
            function(x, 3, 2.0, *more)
        with pytest.raises(TypeError, match="ceil_mode"):
            function(x, 3, 2, ceil_mode=0)
    memory = np.concatenate([x.ravel(), np.zeros(4, "f4")])
    source, target = memory[: x.size].reshape(x.shape), memory[4:].reshape(x.shape)
    expected = cconv.max_pool2d(x, 3, 1, 1)
    for _ in range(2):
        memory[: x.size] = x.ravel()
        cconv.max_pool2d(source, 3, 1, 1, out=target)
        assert_same_bits(target, expected)
    flags = (cconv.max_pool2d(x, 2, return_indices=flag) for flag in (False, True, False))
    assert [type(result) for result in flags] == [np.ndarray, tuple, np.ndarray]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("function", "keywords"),
    [
        (cconv.adaptive_avg_pool2d, {"output_size": (4, None)}),
        (cconv.adaptive_max_pool2d, {"output_size": 3}),
        (cconv.global_avg_pool, {}),
        (cconv.global_avg_pool, {"keepdims": False}),
        (cconv.global_max_pool, {"keepdims": False}),
        (cconv.global_lp_pool, {"p": 3}),
        (cconv.global_lp_pool, {"p": 0.5}),
    ],
)
def test_an_adaptive_pool_like_an_earlier_one(function: Any, keywords: Any, layout: str) -> None:
    keywords = keywords | {"layout": layout}
    cconv.release_workspace()
    for x in (normal(2, 3, 9, 8), normal(2, 3, 9, 8)):
        expected = function(x.view(Unknown), **keywords)
        out = np.empty_like(expected)
        for _ in range(2):
            assert_same_bits(function(x, **keywords), expected)
            assert function(x, **keywords, out=out) is out
            assert_same_bits(out, expected)
        if "keepdims" in keywords:
            with pytest.raises(TypeError, match="keepdims"):
                function(x, **keywords | {"keepdims": 0})
    memory = np.concatenate([x.ravel(), np.zeros(expected.size, "f4")])
    source = memory[: x.size].reshape(x.shape)
    target = memory[x.size - 1 :][: expected.size].reshape(expected.shape)  # shares one element
    for _ in range(2):
        memory[: x.size] = x.ravel()
        assert_same_bits(function(source, **keywords, out=target), expected)
    if function is cconv.adaptive_max_pool2d:
        flags = (function(x, **keywords, return_indices=flag) for flag in (False, True, False))
        assert [type(result) for result in flags] == [np.ndarray, tuple, np.ndarray]
