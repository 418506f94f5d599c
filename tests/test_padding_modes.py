"""padding_mode and padding_value of convolution: np.pad and a plain convolution are the oracle.

An index outside the input is mapped into it, whatever the pads: negative pads only take windows
away. So a mode on (before, after) is np.pad by the positive parts, cut by the negative ones.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import cases
import numpy as np
import oracle
import pytest
from cases import CONV, DTYPES, RANKS, ConvCase, assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from test_errors import check, ones

import cconv

NUMPY = {
    "zeros": "constant",
    "constant": "constant",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
    "circular": "wrap",
}
MODES = list(NUMPY)
SAMPLE = 5 if cases.CORE else 20


def padded(x: cases.Array, pads: cases.Pads, mode: str, value: float = 0.0) -> cases.Array:
    """The input with its pads as elements of its own."""
    wide = [(0, 0), (0, 0), *((max(b, 0), max(a, 0)) for b, a in pads)]
    constant = {"constant_values": value} if NUMPY[mode] == "constant" else {}
    y: cases.Array = np.pad(x, wide, NUMPY[mode], **constant)  # type: ignore[call-overload]
    cut = tuple(
        slice(max(-b, 0), n + min(a, 0)) for n, (b, a) in zip(y.shape[2:], pads, strict=True)
    )
    return y[(slice(None), slice(None), *cut)]


def plain(case: ConvCase, x: cases.Array) -> tuple[ConvCase, cases.Array]:
    """The same convolution of the padded input."""
    wide = padded(x, case.pads, case.padding_mode, case.padding_value)
    none = ((0, 0),) * case.rank
    changes = {"pads": none, "padding_mode": "zeros", "padding_value": 0.0, "threads": 1}
    return replace(case, spatial=wide.shape[2:], **changes), wide


def draw(random: Random, rank: int | None = None, dtype: str | None = None) -> ConvCase:
    """A convolution with any mode, sometimes with pads of many periods."""
    mode = random.choice(MODES[1:])
    value = float(random.randint(-5, 5)) if mode == "constant" else 0.0
    return replace(cases.draw_conv(random, rank, dtype), padding_mode=mode, padding_value=value)


def check_exact(case: ConvCase) -> None:
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        x, w, bias = cases.conv_data(case, rng)
        canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
        y = cases.run_conv(case, x, w, bias, out=canvas.array)
        canvas.check(y)
        explicit, wide = plain(case, x)
        positions = cases.some_positions(case.out_spatial, rng, SAMPLE)
        exact = cases.oracle_conv(explicit, wide, w, bias, positions)
        assert_same_bits(cases.at(y, positions), exact.astype(case.dtype))
        assert_same_bits(y, cases.run_conv(explicit, wide, w, bias))
        if cases.CORE:
            assert_same_bits(y, cases.reference_conv(case, x, w, bias))
        cases.check_conv_scratch(case, x, w, bias)


def check_floats(case: ConvCase) -> None:
    """The bits of the same sum over a padded input, and the bound."""
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        if case.padding_mode == "constant":
            case = replace(case, padding_value=float(np.float32(rng.standard_normal())))
        x, w, bias = cases.conv_data(case, rng, cases.normals)
        y = cases.run_conv(case, x, w, bias)
        explicit, wide = plain(case, x)
        assert_same_bits(y, cases.run_conv(explicit, wide, w, bias))
        error = (case.terms + 2) * cases.unit_roundoff(case.dtype)
        positions = cases.some_positions(case.out_spatial, rng, SAMPLE)
        sizes = abs(wide), abs(w), None if bias is None else abs(bias)
        cases.assert_within(
            cases.at(y, positions),
            cases.oracle_conv(explicit, wide, w, bias, positions),
            cases.oracle_conv(explicit, *sizes, positions) * error * oracle.SLACK[case.dtype],
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_sweep_is_exact_on_integers(rank: int, dtype: str) -> None:
    for case in cases.sweep(f"modes/{rank}/{dtype}", 400, lambda r: draw(r, rank, dtype)):
        check_exact(case)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sweep_has_the_bits_of_a_padded_copy(dtype: str) -> None:
    for case in cases.sweep(f"modes/{dtype}/floats", 400, lambda r: draw(r, dtype=dtype)):
        check_floats(case)


@given(st.randoms(use_true_random=False).map(draw))
def test_any_case_is_exact_on_integers(case: ConvCase) -> None:
    check_exact(case)


@pytest.mark.parametrize("mode", MODES)
def test_every_small_geometry_of_one_axis(mode: str) -> None:
    """Sizes to 5, pads from -2 to 16 on each side: more than three periods."""
    rng = np.random.default_rng(1)
    w = cases.integers(rng, (2, 1, 3), "float32")
    for size in range(1, 6):
        x = cases.integers(rng, (1, 1, size), "float32")
        for before in range(-2, 17):
            for after in range(-2, 17):
                for stride, dilation in ((1, 1), (2, 1), (3, 2)):
                    if size + before + after < 2 * dilation + 1:
                        continue
                    pads = ((before, after),)
                    value = 3.0 if mode == "constant" else 0.0
                    y = CONV[1](
                        x, w, None, stride, pads, dilation, padding_mode=mode, padding_value=value
                    )
                    wide = padded(x, pads, mode, value)
                    exact = oracle.conv(wide, w, None, (stride,), (dilation,), ((0, 0),))
                    assert_same_bits(y, exact.astype("f4"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("word", ["same", "same_lower", "full", "causal"])
def test_words_pad_with_the_mode(word: str, mode: str) -> None:
    rng = np.random.default_rng(2)
    x = cases.integers(rng, (2, 3, 7), "float32")
    w = cases.integers(rng, (4, 3, 4), "float32")
    pair = {"same": (1, 2), "same_lower": (2, 1), "full": (3, 3), "causal": (3, 0)}[word]
    y = CONV[1](x, w, padding=word, padding_mode=mode)
    assert_same_bits(y, CONV[1](padded(x, (pair,), mode), w))


BIG = {
    "wide image": ((3, 5), (40, 500), (3, 7)),
    "many channels": ((1500, 9), (6, 7), (3, 3)),
    "large kernel": ((1, 2), (60, 70), (41, 43)),
    "volume": ((6, 5), (9, 20, 33), (3, 3, 3)),
    "long row": ((8, 8), (20_000,), (9,)),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", BIG)
def test_big_shapes(name: str, mode: str) -> None:
    """Sums and images in several blocks, each with its own border; the same for any threads."""
    channels, spatial, kernel = BIG[name]
    rank = len(spatial)
    value = -2.0 if mode == "constant" else 0.0
    for stride, dilation in ((1, 1), (2, 1), (1, 2)):
        pads = tuple((dilation * (k - 1), k // 2) for k in kernel)
        case = ConvCase(
            "float32", 1, *channels, 1, spatial, kernel, (stride,) * rank, (dilation,) * rank, pads,
            threads=2, seed=3, padding_mode=mode, padding_value=value,
        )  # fmt: skip
        check_exact(case)
        if cases.CORE and stride + dilation == 2:
            data = cases.conv_data(case, np.random.default_rng(4), cases.normals)
            alone = cases.run_conv(case, *data, threads=1)
            for threads in (2, 3, 7):
                assert_same_bits(cases.run_conv(case, *data, threads=threads), alone)


def test_bits_do_not_depend_on_batch_or_layout() -> None:
    one = lambda r: replace(draw(r), batch=r.randint(2, 4), layout="contiguous")  # noqa: E731
    for case in cases.sweep("modes/same bits", 150, one):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x, w, bias = cases.conv_data(case, rng, cases.normals)
            whole = cases.run_conv(case, x, w, bias)
            for image, y in zip(x, whole, strict=True):
                assert_same_bits(cases.run_conv(case, image, w, bias), y)
            for layout in ("fortran", "channels_last", "unaligned", "scattered"):
                assert_same_bits(
                    cases.run_conv(case, cases.arrange(x, layout, rng), w, bias), whole
                )


@pytest.mark.parametrize("mode", MODES)
def test_pads_far_away(mode: str) -> None:
    """Windows 2**40 elements apart, on padding but for one."""
    x, w = np.array([[[1, 2, 4, 8, 16]]], "f8"), np.array([[[1, 32, 1024]]], "f8")
    far = 2**41
    value = 3.0 if mode == "constant" else 0.0
    y = CONV[1](x, w, None, 2**40, ((far, 0),), padding_mode=mode, padding_value=value)
    index = np.arange(3)[:, None] * 2**40 - far + np.arange(3)
    inside = (index >= 0) & (index < 5)
    period = {"reflect": 8, "symmetric": 10, "circular": 5}.get(mode, 1)
    wrapped = index % period
    mapped = {
        "reflect": np.minimum(wrapped, 8 - wrapped),
        "symmetric": np.minimum(wrapped, 9 - wrapped),
        "circular": wrapped,
    }.get(mode, np.clip(index, 0, 4))
    seen = x[0, 0][mapped]
    if NUMPY[mode] == "constant":
        seen = np.where(inside, seen, value)
    assert y[0, 0].tolist() == (seen @ w[0, 0]).tolist()


@pytest.mark.parametrize("mode", MODES[2:])
@pytest.mark.parametrize("rank", RANKS)
def test_a_mean_of_a_constant_image_is_the_constant(rank: int, mode: str) -> None:
    x, w = np.full((1, 2, *(5,) * rank), 3.0), np.ones((2, 1, *(3,) * rank))
    y = CONV[rank](x, w, padding=7, groups=2, padding_mode=mode)
    assert y.shape == (1, 2, *(17,) * rank)
    assert (y == 3.0 * 3**rank).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_special_padding_values(value: float) -> None:
    x, w = np.ones((1, 1, 6), "f4"), np.ones((1, 1, 3), "f4")
    y = CONV[1](x, w, padding=2, padding_mode="constant", padding_value=value)
    expected = [value, value, 3, 3, 3, 3, value, value]
    np.testing.assert_array_equal(y[0, 0], np.array(expected, "f4"))


def test_a_padding_value_is_rounded_to_the_dtype() -> None:
    x, w = np.ones((1, 1, 1), "f4"), np.array([[[1, 0, 0]]], "f4")
    y = CONV[1](x, w, padding=1, padding_mode="constant", padding_value=0.1)
    assert y[0, 0, 0] == np.float32(0.1)
    assert CONV[1](x, w.astype("f8"), padding=1, padding_mode="constant", padding_value=0.1) == 0.1


@pytest.mark.parametrize("mode", MODES)
def test_out_may_overlap_the_input(mode: str) -> None:
    rng = np.random.default_rng(9)
    x = cases.integers(rng, (2, 4, 9, 11), "float32")
    w = cases.integers(rng, (4, 4, 3, 3), "float32")
    expected = CONV[2](x.copy(), w, padding=1, padding_mode=mode)
    assert CONV[2](x, w, padding=1, padding_mode=mode, out=x) is x
    assert_same_bits(x, expected)


X, W = ones(1, 2, 9, 9), ones(3, 2, 3, 3)
conv: Callable[..., Any] = cconv.conv2d
ERRORS: dict[str, tuple[type[Exception], Callable[[], Any], list[str]]] = {
    "unknown": (
        ValueError, lambda: conv(X, W, padding_mode="edge"), ["padding_mode", "'edge'", "'zeros'"],
    ),
    "no string": (ValueError, lambda: conv(X, W, padding_mode=0), ["padding_mode is 0", "'zeros'"]),
    "value of zeros": (
        ValueError, lambda: conv(X, W, padding_value=1),
        ["padding_value is 1", "'zeros'", "'constant'"],
    ),
    "value of a mirror": (
        ValueError, lambda: conv(X, W, padding_mode="reflect", padding_value=2.5),
        ["padding_value is 2.5", "'reflect'", "'constant'"],
    ),
    "value nan of zeros": (
        ValueError, lambda: conv(X, W, padding_value=np.nan), ["padding_value is nan", "'zeros'"],
    ),
    "value no number": (
        TypeError, lambda: conv(X, W, padding_mode="constant", padding_value="1"),
        ["padding_value is '1'", "number"],
    ),
    "value too large": (
        OverflowError, lambda: conv(X, W, padding_mode="constant", padding_value=1e300),
        ["padding_value", "1e+300", "float32"],
    ),
    "value far too large": (
        OverflowError, lambda: conv(X, W, padding_mode="constant", padding_value=10**400),
        ["padding_value", "float64", "expected less than"],
    ),
    "empty axis": (
        ValueError, lambda: conv(ones(1, 2, 0, 9), W, padding=2, padding_mode="replicate"),
        ["padding_mode is 'replicate'", "along h", "'zeros'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, call, fragments = ERRORS[name]
    check(error, call, "conv2d: ", *fragments)


@pytest.mark.parametrize("mode", ["zeros", "constant"])
def test_an_empty_axis_can_be_padded_with_a_constant(mode: str) -> None:
    value = 2.0 if mode == "constant" else 0.0
    y = conv(ones(1, 2, 0, 9), W, padding=2, padding_mode=mode, padding_value=value)
    assert (y[..., 2:-2] == 18 * value).all()
    assert y.shape == (1, 3, 2, 11)


def test_the_backends_check_an_empty_axis(core: Any) -> None:
    """The core is asked by other programs, too."""
    x, out = np.ones((1, 1, 0)), np.ones((1, 1, 2))
    with pytest.raises(ValueError, match="input"):
        core.Plan(
            False, x, np.ones((1, 1, 3)), None, None, out, (1,), (1,), (2,), (2,),
            ("reflect", 0.0), 1, (None, 0.0, 0.0), "direct", 1, (0, 1, 2), False,
        )  # fmt: skip
