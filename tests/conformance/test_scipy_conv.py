"""Convolutions against the correlations of scipy.signal and scipy.ndimage on drawn cases.

SciPy has no channels: a filter is the sum over them. Integer-valued data have to agree exactly,
random data within (K + 2) u sum(|w| |x|) of SciPy's float64 sums, for K terms.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from adapter import CONV_TRANSPOSE
from cases import CONV
from drawing import FLOATS, RANKS, SEEDS, Array, Ints, equal, numbers, unit_roundoff, within
from hypothesis import given, settings
from hypothesis import strategies as st

# padding_mode of cconv, and mode of scipy.ndimage and of scipy.signal.correlate2d.
NDIMAGE_MODES = {
    "reflect": "mirror",
    "symmetric": "reflect",
    "replicate": "nearest",
    "circular": "wrap",
    "constant": "constant",
}
BOUNDARIES = {"symmetric": "symm", "circular": "wrap", "constant": "fill"}
One = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Case:
    """Everything but the values of one image and some filters."""

    size: Ints
    kernel: Ints
    channels: int
    filters: int
    dtype: str
    whole: bool
    seed: int

    @property
    def rank(self) -> int:
        return len(self.size)

    def data(self) -> tuple[Array, Array]:
        rng = np.random.default_rng(self.seed)
        x = numbers(rng, (self.channels, *self.size), self.dtype, self.whole)
        w = (self.filters, self.channels, *self.kernel)
        return x, numbers(rng, w, self.dtype, self.whole)

    def compare(self, y: Array, x: Array, w: Array, one: One, scale: One | None = None) -> None:
        """Compare with the sums over channels of `one`; `scale`, if another, sums magnitudes."""
        y, wanted = np.asarray(y), over_channels(one, x, w)
        if self.whole:
            equal(y, wanted.astype(self.dtype))
            return
        terms = self.channels * math.prod(self.kernel)
        sums = over_channels(scale or one, abs(x), abs(w))
        within(y, wanted, (terms + 2) * unit_roundoff(self.dtype) * sums, self.dtype)


def over_channels(one: One, x: Array, w: Array) -> Array:
    x, w = x.astype(np.float64), w.astype(np.float64)
    return np.stack([sum(map(one, x, channels)) for channels in w])


@st.composite
def conv_cases(draw: st.DrawFn, rank: int, *, fits: bool = False) -> Case:
    axes = []
    for _ in range(rank):
        kernel = draw(st.integers(1, {1: 8, 2: 5, 3: 3}[rank]))
        size = draw(st.integers(kernel if fits else 1, {1: 20, 2: 9, 3: 5}[rank]))
        axes.append((size, kernel))
    few = st.integers(1, 3)
    return Case(
        *zip(*axes, strict=True), draw(few), draw(few), draw(FLOATS), draw(st.booleans()),
        draw(SEEDS),
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["valid", "full"])
@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=60)
@given(st.data())
def test_signal_correlate(rank: int, mode: str, draw: st.DataObject) -> None:
    # SciPy swaps the operands where only the kernel is the larger: 'valid' wants it to fit.
    case = draw.draw(conv_cases(rank, fits=mode == "valid"))
    x, w = case.data()

    def one(plane: Array, kernel: Array) -> Array:
        return scipy.signal.correlate(plane, kernel, mode, "direct")

    case.compare(CONV[rank](x, w, padding=mode, algorithm="direct"), x, w, one)


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=60)
@given(st.data())
def test_signal_convolve_is_transposed(rank: int, draw: st.DataObject) -> None:
    """At stride 1, a transposed convolution is the full convolution of SciPy."""
    case = draw.draw(conv_cases(rank))
    x, w = case.data()

    def one(plane: Array, kernel: Array) -> Array:
        return scipy.signal.convolve(plane, kernel, "full", "direct")

    case.compare(CONV_TRANSPOSE[rank](x, w.swapaxes(0, 1), algorithm="direct"), x, w, one)


@pytest.mark.parametrize("mode", NDIMAGE_MODES)
@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=50)
@given(st.data())
def test_ndimage_correlate(rank: int, mode: str, draw: st.DataObject) -> None:
    """Any number of periods: the kernel may be wider than the image."""
    case = draw.draw(conv_cases(rank))
    x, w = case.data()
    value = draw.draw(st.integers(-3, 3)) if mode == "constant" else 0
    pads = [(k // 2, k - 1 - k // 2) for k in case.kernel]

    def filled(value: int) -> One:
        def one(plane: Array, kernel: Array) -> Array:
            mode_name = NDIMAGE_MODES[mode]
            return scipy.ndimage.correlate(plane, kernel, mode=mode_name, cval=value)

        return one

    y = CONV[rank](x, w, padding=pads, padding_mode=mode, padding_value=value, algorithm="direct")
    case.compare(y, x, w, filled(value), filled(abs(value)))


@pytest.mark.parametrize("mode", BOUNDARIES)
@settings(max_examples=50)
@given(st.data())
def test_signal_correlate2d(mode: str, draw: st.DataObject) -> None:
    """The full correlation of an image that goes on beyond its edges."""
    # SciPy repeats a period at most once, and wants the kernel to fit.
    case = draw.draw(conv_cases(2, fits=True))
    x, w = case.data()
    value = draw.draw(st.integers(-3, 3)) if mode == "constant" else 0
    pads = [(k - 1, k - 1) for k in case.kernel]

    def filled(value: int) -> One:
        def one(plane: Array, kernel: Array) -> Array:
            return scipy.signal.correlate2d(plane, kernel, "full", BOUNDARIES[mode], value)

        return one

    y = CONV[2](x, w, padding=pads, padding_mode=mode, padding_value=value, algorithm="direct")
    case.compare(y, x, w, filled(value), filled(abs(value)))
