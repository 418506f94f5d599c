"""Output shapes and padding forms: against windows counted one by one and against ONNX's text."""

from typing import Any

import cases
import numpy as np
import oracle
import pytest
from cases import AVG_POOL, CONV, MAX_POOL, RANKS
from hypothesis import given
from hypothesis import strategies as st

import cconv
from cconv import conv_output_shape, pool_output_shape

POOL_FORMS = ["valid", "same", "same_lower"]


def conv_shape(case: cases.ConvCase) -> tuple[int, ...]:
    per_group = case.in_channels // case.groups
    return conv_output_shape(
        (case.batch, case.in_channels, *case.spatial),
        (case.out_channels, per_group, *case.kernel),
        **case.arguments,
    )


def pool_shape(case: cases.PoolCase) -> tuple[int, ...]:
    arguments = {k: v for k, v in case.arguments.items() if k[:3] not in ("cou", "div")}
    return pool_output_shape((case.batch, case.channels, *case.spatial), case.kernel, **arguments)


@given(st.randoms(use_true_random=False).map(cases.draw_conv))
def test_conv_output_shape_counts_windows(case: cases.ConvCase) -> None:
    assert conv_shape(case) == case.out_shape


@given(st.randoms(use_true_random=False).map(cases.draw_pool))
def test_pool_output_shape_counts_windows(case: cases.PoolCase) -> None:
    assert pool_shape(case) == case.out_shape


@pytest.mark.parametrize("ceil", [False, True])
def test_every_small_pool_shape(ceil: bool) -> None:
    """The count of windows, or an error exactly where there is none."""
    for index in np.ndindex(7, 4, 4, 2, 7, 7):
        size, k, s, d, b, a = (int(i) + 1 for i in index)
        pad = (b - 4, a - 4)
        wanted = oracle.window_count(size, k, s, d, *pad, ceil)
        arguments = ((2, 3, size), k, s, (pad,), d, ceil)
        if wanted < 1:
            with pytest.raises(ValueError, match="pool_output_shape"):
                pool_output_shape(*arguments)
        else:
            assert pool_output_shape(*arguments) == (2, 3, wanted), arguments


def test_every_small_conv_shape() -> None:
    for index in np.ndindex(7, 4, 4, 2, 7, 7):
        size, k, s, d, b, a = (int(i) + 1 for i in index)
        pad = (b - 4, a - 4)
        wanted = oracle.window_count(size, k, s, d, *pad)
        arguments = ((2, 3, size), (4, 3, k), s, (pad,), d)
        if wanted < 1:
            with pytest.raises(ValueError, match="conv_output_shape"):
                conv_output_shape(*arguments)
        else:
            assert conv_output_shape(*arguments) == (2, 4, wanted), arguments


@pytest.mark.parametrize("rank", RANKS)
def test_unbatched_shapes(rank: int) -> None:
    assert conv_output_shape((3, *(8,) * rank), (4, 3, *(3,) * rank)) == (4, *(6,) * rank)
    assert pool_output_shape((3, *(8,) * rank), (2,) * rank) == (3, *(4,) * rank)
    assert pool_output_shape((1, 3, *(8,) * rank), (2,) * rank) == (1, 3, *(4,) * rank)


@pytest.mark.parametrize("rank", RANKS)
def test_shapes_are_tuples_of_int(rank: int) -> None:
    size = np.int64(8)
    shape = conv_output_shape([1, 3, *[size] * rank], [4, 3, *[3] * rank], np.int32(2))
    assert shape == (1, 4, *(3,) * rank)
    assert all(type(n) is int for n in shape)
    assert all(type(n) is int for n in pool_output_shape([1, 3, *[size] * rank], [2] * rank))


def test_shapes_are_exact_far_beyond_memory() -> None:
    huge = 2**40
    assert conv_output_shape((1, 1, huge), (1, 1, 3), 1, 1) == (1, 1, huge)
    assert conv_output_shape((1, 1, huge + 1), (1, 1, 2), 2) == (1, 1, huge // 2)
    assert pool_output_shape((1, 1, 2**53 + 1), 1) == (1, 1, 2**53 + 1)
    assert pool_output_shape((1, 1, 2**53 + 1), 2, ceil_mode=True) == (1, 1, 2**52 + 1)


# ------------------------------------------------------------------------------- forms of padding


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("s", [1, 2, 3, 4])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_words_stand_for_pairs(size: int, k: int, s: int, d: int) -> None:
    """Each word gives what its pair gives; 'same' the size that ONNX and TensorFlow give."""
    reach = d * (k - 1)
    pairs = {
        "valid": (0, 0),
        "same": oracle.same_pads(size, k, s, d),
        "same_lower": oracle.same_pads(size, k, s, d, upper=False),
        "full": (reach, reach),
        "causal": (reach, 0),
    }
    rng = np.random.default_rng(size)
    x, w = cases.integers(rng, (1, 2, size), "float32"), cases.integers(rng, (2, 2, k), "float32")
    for word, pair in pairs.items():
        if oracle.window_count(size, k, s, d, *pair) < 1:
            continue
        y = CONV[1](x, w, None, s, word, d)
        cases.assert_same_bits(y, CONV[1](x, w, None, s, (pair,), d))
        if word.startswith("same"):
            assert y.shape[2] == -(-size // s)
        if word not in POOL_FORMS:
            continue
        for pool in (MAX_POOL[1], AVG_POOL[1]):
            expected = pool(x, k, s, (pair,), dilation=d)
            cases.assert_same_bits(pool(x, k, s, word, dilation=d), expected)


@pytest.mark.parametrize("rank", RANKS)
def test_one_form_a_use(rank: int) -> None:
    """An int, an int an axis and a pair an axis say the same; so do lists and NumPy integers."""
    rng = np.random.default_rng(rank)
    x = cases.integers(rng, (1, 2, *(9,) * rank), "float32")
    w = cases.integers(rng, (2, 2, *(3,) * rank), "float32")
    forms: list[Any] = [
        2, (2,) * rank, [2] * rank, ((2, 2),) * rank, [[2, 2]] * rank, np.int64(2),
        np.full(rank, 2), np.full((rank, 2), 2), [np.uint8(2)] * rank,
    ]  # fmt: skip
    expected = CONV[rank](x, w, None, 2, 2, 2)
    pooled = MAX_POOL[rank](x, 3, 2, 2, 2)
    for form in forms:
        cases.assert_same_bits(CONV[rank](x, w, padding=form, stride=2, dilation=2), expected)
        cases.assert_same_bits(MAX_POOL[rank](x, 3, 2, form, 2), pooled)
    for form in [f for f in forms if np.size(f) in (1, rank) and np.ndim(f) < 2]:
        cases.assert_same_bits(CONV[rank](x, w, None, form, 2, form), expected)
        cases.assert_same_bits(MAX_POOL[rank](x, 3, form, 2, form), pooled)


def test_each_axis_has_its_own_numbers() -> None:
    rng = np.random.default_rng(0)
    x = cases.integers(rng, (1, 2, 8, 9, 10), "float32")
    w = cases.integers(rng, (3, 2, 1, 2, 3), "float32")
    arguments = ((1, 2, 3), ((0, 1), (2, -1), (3, 0)), (1, 2, 3))
    y = CONV[3](x, w, None, *arguments)
    assert y.shape == (1, 3, 9, 4, 3)
    assert conv_output_shape(x.shape, w.shape, *arguments) == y.shape
    exact = oracle.conv(x, w, None, arguments[0], arguments[2], arguments[1])
    cases.assert_same_bits(y.reshape(1, 3, -1), exact.astype("f4"))


@pytest.mark.parametrize("rank", RANKS)
def test_same_keeps_the_size_of_every_axis(rank: int) -> None:
    x = np.ones((1, 1, *(5, 6, 7)[:rank]), "f4")
    for k in range(1, 9):
        for word in ("same", "same_lower"):
            for d in (1, 2):
                y = CONV[rank](x, np.ones((1, 1, *(k,) * rank), "f4"), padding=word, dilation=d)
                assert y.shape == x.shape
            assert MAX_POOL[rank](x, k, 1, word).shape == x.shape


def test_same_with_ceil_mode() -> None:
    x = np.ones((1, 1, 7), "f4")
    assert MAX_POOL[1](x, 3, 2, "same", ceil_mode=True).shape == (1, 1, 4)
    assert pool_output_shape((1, 1, 7), 3, 2, "same", ceil_mode=True) == (1, 1, 4)


def test_causal_sees_nothing_later() -> None:
    x = np.zeros((1, 1, 9), "f4")
    x[0, 0, 4] = 1
    y = cconv.conv1d(x, np.array([[[1, 2, 3]]], "f4"), padding="causal")
    assert y[0, 0].tolist() == [0, 0, 0, 0, 3, 2, 1, 0, 0]


@pytest.mark.parametrize("rank", [2, 3])
def test_causal_is_for_one_dimension(rank: int) -> None:
    x, w = np.ones((1, 1, *(5,) * rank), "f4"), np.ones((1, 1, *(3,) * rank), "f4")
    with pytest.raises(ValueError, match=rf"conv{rank}d.*padding.*'causal'.*'same_lower'"):
        CONV[rank](x, w, padding="causal")


@pytest.mark.parametrize("word", ["full", "causal"])
@pytest.mark.parametrize("pool", ["max_pool1d", "avg_pool1d"])
def test_pools_take_no_full_nor_causal(pool: str, word: str) -> None:
    with pytest.raises(ValueError, match=rf"{pool}.*padding.*'{word}'.*'same_lower'"):
        getattr(cconv, pool)(np.ones((1, 1, 5), "f4"), 2, padding=word)
