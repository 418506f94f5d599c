"""No operator reads or writes past its arrays: each lies against a page that may not be touched.

The class "vector over-read past the end": XNNPACK #4190, where a kernel loaded whole vectors of the
last row. test_memory sweeps the widths of convolutions, pools, unfold and fold; here is every
operator of the table in operators.py, on every array that it takes and the one it writes.
"""

import cases
import numpy as np
import pytest
from cases import RANKS, assert_same_bits
from operators import EVERY, Call, drawn
from test_depthwise import DEPTHWISE
from test_memory import SIDES, guarded

import cconv

WIDTHS = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 47, 63, 65]


def check(call: Call, side: str) -> None:
    """The call on guarded arrays, which may not be written but for `out`, gives the same bits."""
    with cases.naming(call):
        expected = call()
        out = guarded(np.zeros_like(expected[0]), side, writable=True)
        keywords = {
            key: guarded(value, side) if isinstance(value, np.ndarray) else value
            for key, value in call.keywords.items()
        }
        results = call(*(guarded(a, side) for a in call.batched), **keywords, out=out)
        assert results[0] is out
        for y, other in zip(results, expected, strict=True):
            assert_same_bits(y + 0, other + 0)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("name", "rank"), EVERY)
def test_over_read_of_any_operator(name: str, rank: int, side: str) -> None:
    """Vector over-read past the end: XNNPACK #4190; at drawn parameters."""
    for call in drawn(f"guarded {side}", name, rank, 24 if cases.CORE else 4, cases.integers):
        check(call, side)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("rank", RANKS)
def test_over_read_of_odd_tails(rank: int, side: str) -> None:
    """Vector over-read past the end: XNNPACK #4190; in rows and channels of every odd length."""
    for width in WIDTHS if cases.CORE else WIDTHS[::4]:
        for shape in ((2, 3, *(2, 3, width)[-rank:]), (1, width, *(3, 2, 3)[-rank:])):
            x = cases.integers(np.random.default_rng(width), shape, "float32")
            image = x.transpose(0, *range(2, rank + 2), 1)
            w = np.ones((2 * shape[1], 1, *(3,) * rank), "f4")
            depthwise, window = DEPTHWISE[rank], {"weight": w, "padding": 1}
            places = np.arange(x[0, 0].size).reshape(x.shape[2:]) + np.zeros(x.shape, int)
            for call in (
                Call(depthwise, (x,), window),
                Call(depthwise, (image.copy(),), window | {"layout": "NHWC"}),
                Call(cconv.global_avg_pool, (x,), {}),
                Call(cconv.global_max_pool, (x,), {}),
                Call(cconv.global_lp_pool, (x,), {"p": 1}),
                Call(getattr(cconv, f"adaptive_avg_pool{rank}d"), (x,), {"output_size": 2}),
                Call(getattr(cconv, f"adaptive_max_pool{rank}d"), (x,), {"output_size": 2}),
                Call(
                    getattr(cconv, f"max_unpool{rank}d"), (x, places),
                    {"kernel_size": 1, "output_size": x.shape[2:]},
                ),
            ):  # fmt: skip
                check(call, side)
