"""The operators of the package in one table, each with calls drawn at random.

What holds for every operator (the same bits for any number of threads, any split of the batch, any
memory; no byte read outside an array; both layouts) is tested over OPERATORS. A new operator is one
line there, and a function that draws its call where no other does.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import cases
import numpy as np
import test_conv_transpose as transposed
import test_depthwise
import test_padding_modes
import test_pool_adaptive as adaptive
import test_unfold
from cases import RANKS, Array, Ints
from test_unpool import UNPOOL

import cconv

# Products of a convolution that are worth several threads in every driver; a tap of another
# operator counts as TAP of them, for it is bound by memory.
WORK = 3 << 20
TAP = 4

Values = Callable[[np.random.Generator, Ints, str], Array]


@dataclass(frozen=True, repr=False)
class Call:
    """One call: the arrays with a batch axis, which come first, and everything else by name."""

    function: Callable[..., Any]
    batched: tuple[Array, ...]
    keywords: dict[str, Any]

    def __repr__(self) -> str:
        """What to look for in a report: arrays by shape and dtype alone."""

        def text(a: Any) -> str:
            return f"<{a.shape} {a.dtype}>" if isinstance(a, np.ndarray) else repr(a)

        keywords = (f"{key}={text(value)}" for key, value in self.keywords.items())
        return f"{self.function.__name__}({', '.join([*map(text, self.batched), *keywords])})"

    def __call__(self, *batched: Array, **keywords: Any) -> tuple[Array, ...]:
        """Results of the call, with other arrays in place of the first ones, and other keywords."""
        arrays = (*batched, *self.batched[len(batched) :])
        results = self.function(*arrays, **self.keywords | keywords)
        return results if isinstance(results, tuple) else (results,)


@dataclass(frozen=True)
class Operator:
    """How to draw a call of some rank and work, and what holds for it beside the general.

    The work is a least number of products, such as WORK; 0 gives a call that takes no time.
    """

    draw: Callable[[Random, int, Values, int], Call]
    ranks: tuple[int, ...] = tuple(RANKS)
    layout: bool = False  # takes layout='NHWC'
    linear: bool = False  # in its input, without bias


def _convolution(case: cases.ConvCase, functions: Any, values: Values) -> Call:
    x, w, bias = cases.conv_data(case, np.random.default_rng(case.seed), values)
    arguments = case.arguments | {"weight": w, "bias": bias, "algorithm": "direct"}
    if functions is not cases.CONV:
        del arguments["groups"]
    return Call(functions[case.rank], (x,), arguments)


def _sized(random: Random, case: Any, work: int) -> Any:
    """The case with some images, grown until it has so much work."""
    case = replace(case, batch=random.choice([1, 2, 2, 3, 4]), layout="contiguous")
    if work and isinstance(case, cases.PoolCase):
        case = replace(case, channels=max(1, case.channels))
    while _products(case) < work:
        axis = random.randrange(case.rank)
        spatial = [size * 3 // 2 + 1 if a == axis else size for a, size in enumerate(case.spatial)]
        case = replace(case, spatial=tuple(spatial))
    return case


def _products(case: Any) -> int:
    if isinstance(case, cases.PoolCase):
        terms, channels = TAP * math.prod(case.kernel), case.channels
    else:
        terms, channels = case.terms, case.out_channels
    shape = transposed.out_spatial(case) if isinstance(case, transposed.Case) else case.out_spatial
    return math.prod((case.batch, channels, terms, *shape))


def conv(random: Random, rank: int, values: Values, work: int) -> Call:
    draw = random.choice([cases.draw_conv, test_padding_modes.draw])
    return _convolution(_sized(random, draw(random, rank), work), cases.CONV, values)


def depthwise(random: Random, rank: int, values: Values, work: int) -> Call:
    case = _sized(random, test_depthwise.draw(random, rank), work)
    return _convolution(case, test_depthwise.DEPTHWISE, values)


def separable(random: Random, rank: int, values: Values, work: int) -> Call:
    call = depthwise(random, rank, values, work)
    seed, filters = random.randrange(2**32), random.randint(1, 9)
    rng, first = np.random.default_rng(seed), call.keywords["weight"]
    point = values(rng, (filters, len(first), 1, 1), first.dtype.name)
    changes = {"depthwise_weight": first, "pointwise_weight": point, "bias": None}
    keywords = {key: value for key, value in call.keywords.items() if key != "weight"}
    return Call(cconv.separable_conv2d, call.batched, keywords | changes)


def conv_transpose(random: Random, rank: int, values: Values, work: int) -> Call:
    case = _sized(random, transposed.draw(random, rank), work)
    x, w, bias = transposed.data(case, np.random.default_rng(case.seed), values)
    arguments = case.arguments | {"weight": w, "bias": bias, "algorithm": "direct"}
    return Call(transposed.TRANSPOSE[rank], (x,), arguments)


def planned(draw: Callable[[Random, int, Values, int], Call], transposed: bool) -> Any:
    """The calls that `draw` draws, each by a plan of its own."""

    def run(
        input: Array, *, weight: Array, bias: Array | None, out: Array | None = None, **how: Any
    ) -> Array:
        plan = cconv.ConvPlan(weight, bias, transposed=transposed, input_shape=input.shape, **how)
        return plan(input, out=out)

    return lambda *how: replace(draw(*how), function=run)


def unfold(random: Random, rank: int, values: Values, work: int) -> Call:
    case = _sized(random, test_unfold.draw_case(random, rank), work)
    x = values(np.random.default_rng(case.seed), test_unfold.image_shape(case), case.dtype)
    return Call(cconv.unfold, (x,), test_unfold.window(case))


def fold(random: Random, rank: int, values: Values, work: int) -> Call:
    case = _sized(random, test_unfold.draw_case(random, rank), work)
    x = values(np.random.default_rng(case.seed), test_unfold.columns_shape(case), case.dtype)
    return Call(cconv.fold, (x,), test_unfold.window(case) | {"output_size": case.spatial})


def pool(kind: str, **keywords: Any) -> Callable[[Random, int, Values, int], Call]:
    """How to draw calls of a pool with a window."""

    def draw(random: Random, rank: int, values: Values, work: int) -> Call:
        case = _sized(random, cases.draw_pool(random, kind, rank), work)
        x = cases.pool_data(case, np.random.default_rng(case.seed), values)
        arguments = case.arguments | {"kernel_size": case.kernel} | keywords
        if kind == "lp":
            arguments["norm_type"] = case.p
        functions = cases.LP_POOL if kind == "lp" else cases.POOL[kind]
        return Call(functions[rank], (x,), arguments)

    return draw


def adaptive_pool(functions: Any, **keywords: Any) -> Callable[[Random, int, Values, int], Call]:
    """How to draw calls of a pool that is told the size of its output."""

    def draw(random: Random, rank: int, values: Values, work: int) -> Call:
        (_, channels, *spatial), size, dtype, *_ = adaptive.draw(
            random, rank, random.choice(cases.DTYPES)
        )
        batch = random.randint(1, 4)
        while math.prod((TAP, batch, channels + 1, *spatial)) < work:
            axis = random.randrange(rank)
            spatial[axis] = spatial[axis] * 3 // 2 + 1
        shape = (batch, channels + 1, *spatial)
        x = values(np.random.default_rng(random.randrange(2**32)), shape, dtype)
        return Call(functions[rank], (x,), {"output_size": size, **keywords})

    return draw


def global_pool(function: Any, **keywords: Any) -> Callable[[Random, int, Values, int], Call]:
    """How to draw calls of a pool whose window is the image."""

    def draw(random: Random, rank: int, values: Values, work: int) -> Call:
        call = adaptive_pool(adaptive.AVG)(random, rank, values, work)
        keepdims = random.choice([True, True, False])
        return Call(function, call.batched, {"keepdims": keepdims, **keywords})

    return draw


def max_unpool(random: Random, rank: int, values: Values, work: int) -> Call:
    case = _sized(random, cases.draw_pool(random, "max", rank), work)
    x = cases.pool_data(case, np.random.default_rng(case.seed), values)
    pair = cases.run_pool(case, x, return_indices=True)
    window = {"kernel_size": case.kernel, "stride": case.stride, "padding": case.pads}
    return Call(UNPOOL[rank], pair, window | {"output_size": case.spatial})


OPERATORS = {
    "conv": Operator(conv, layout=True, linear=True),
    "depthwise_conv": Operator(depthwise, layout=True, linear=True),
    "separable_conv": Operator(separable, (2,), layout=True, linear=True),
    "conv_transpose": Operator(conv_transpose, layout=True, linear=True),
    "plan of conv": Operator(planned(conv, False), layout=True, linear=True),
    "plan of conv_transpose": Operator(planned(conv_transpose, True), layout=True, linear=True),
    "unfold": Operator(unfold, linear=True),
    "fold": Operator(fold, linear=True),
    "max_pool": Operator(pool("max"), layout=True),
    "max_pool with indices": Operator(pool("max", return_indices=True), layout=True),
    "min_pool": Operator(pool("min"), layout=True),
    "min_pool with indices": Operator(pool("min", return_indices=True), layout=True),
    "avg_pool": Operator(pool("avg"), layout=True),
    "lp_pool": Operator(pool("lp"), layout=True),
    "adaptive_avg_pool": Operator(adaptive_pool(adaptive.AVG), layout=True),
    "adaptive_max_pool": Operator(adaptive_pool(adaptive.MAX), layout=True),
    "adaptive_max_pool with indices": Operator(
        adaptive_pool(adaptive.MAX, return_indices=True), layout=True
    ),
    "global_avg_pool": Operator(global_pool(cconv.global_avg_pool), layout=True),
    "global_max_pool": Operator(global_pool(cconv.global_max_pool), layout=True),
    "global_lp_pool": Operator(global_pool(cconv.global_lp_pool, p=3), layout=True),
    "max_unpool": Operator(max_unpool, layout=True, linear=True),
}
EVERY = [(name, rank) for name, operator in OPERATORS.items() for rank in operator.ranks]


def drawn(
    purpose: str, name: str, rank: int, count: int, values: Values = cases.normals, work: int = 0
) -> Any:
    """`count` calls of an operator, the same in every run; CCONV_TEST_SHARE=k keeps one in k."""
    draw = OPERATORS[name].draw
    return cases.sweep(f"{purpose}/{name}/{rank}", count, lambda r: draw(r, rank, values, work))  # type: ignore[type-var]
