"""Convolution of two matrices, under the names and rules of `scipy.signal`, on all cores.

Arguments, their order, names and defaults are SciPy's, and so are dtypes: the result has the dtype
that `numpy.result_type` gives the two, and integers stay integers and wrap around.  Keyword-only
are `threads` and `algorithm`.

Beyond SciPy two dtypes are taken.  float16 is summed in float32 and rounded once.  Of two bool
arrays the result is bool, True where any product is, as `numpy.convolve` has it.  Complex arrays
and empty ones are refused.
"""

from typing import Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from cconv import _arguments, _arrays, _dtypes, _filters, _threads
from cconv._backend import backend, convolve
from cconv._filters import Array

__all__ = ["convolve2d", "correlate2d"]

MODES = ("full", "valid", "same")
BOUNDARIES = {
    "fill": "constant",
    "pad": "constant",
    "wrap": "circular",
    "circular": "circular",
    "symm": "symmetric",
    "symmetric": "symmetric",
}
EXACT = 2**53  # up to here a float64 holds every integer


class Operands(NamedTuple):
    """Two matrices, the first being the larger one of mode 'valid', and what goes with them."""

    image: Array
    kernel: Array
    exchanged: bool
    padding: tuple[str, float]  # mode and value as the backends take them
    threads: int


def correlate2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    *,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Correlate two matrices.

    With 'valid'::

        out[y, x] = sum over i, j of in2[i, j] * in1[y + i, x + j]

    Parameters
    ----------
    in1, in2 : array_like, (h, w) and (kh, kw), bool, integers or floats
        Each of at least one element.
    mode : {'full', 'valid', 'same'}
        'full' has every position at which the two overlap: (h + kh - 1, w + kw - 1).  'valid' has
        those at which one covers the other, (h - kh + 1, w - kw + 1), or, where `in2` is the larger
        of the two, those with the operands exchanged.  'same' has the size of `in1`, and is the
        middle of 'full': it begins ``(kh - 1) // 2`` rows before the first of `in1`.
    boundary : {'fill', 'wrap', 'symm'}
        What stands outside `in1`: `fillvalue`, its other end, or its mirror image with the edge
        repeated.  'pad', 'circular' and 'symmetric' mean the same.
    fillvalue : number
        What 'fill' pads with, taken as the dtype of the result.
    algorithm : {'auto', 'direct'}
        The two are the same here.  The environment variable CCONV_ALGORITHM says what 'auto' is.
    threads : int, optional
        At least 1; by default `cconv.get_num_threads()`.

    Returns
    -------
    ndarray
        A new array of dtype ``numpy.result_type(in1, in2)``.

    Raises
    ------
    ValueError
        If an operand is not a matrix or is empty, or a word is unknown; for 'valid' also if neither
        matrix covers the other.
    TypeError
        If an array has another dtype, among them complex, or `fillvalue` is no real number.
    OverflowError
        If the dtype of the result, or a float64, does not hold `fillvalue`.
    MemoryError
        If the result cannot be allocated.

    Notes
    -----
    It differs from `scipy.signal.correlate2d` in what the module `cconv.signal` says: float16 and
    bool are taken, complex and empty arrays are refused.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import signal
    >>> image = np.array([[1, 2, 3], [4, 5, 6]])
    >>> signal.correlate2d(image, [[1, 10]])
    array([[10, 21, 32,  3],
           [40, 54, 65,  6]])
    >>> signal.correlate2d(image, [[1, 10]], mode="same", boundary="wrap")
    array([[21, 32, 13],
           [54, 65, 46]])
    """
    given = _operands("correlate2d", in1, in2, mode, boundary, fillvalue, algorithm, threads)
    result = _correlate("correlate2d", mode, given)
    # An exchange of the operands turns a correlation around.
    return result[::-1, ::-1] if given.exchanged else result


def convolve2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    *,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve two matrices.

    With 'full', where elements outside `in1` are `fillvalue`::

        out[y, x] = sum over i, j of in2[i, j] * in1[y - i, x - j]

    Parameters
    ----------
    in1, in2 : array_like, (h, w) and (kh, kw), bool, integers or floats
        Each of at least one element.
    mode : {'full', 'valid', 'same'}
        As in `correlate2d`, but 'same' begins ``(kh - 1) // 2`` rows after the first of 'full'.
    boundary, fillvalue, algorithm, threads
        As in `correlate2d`.

    Returns
    -------
    ndarray
        As in `correlate2d`, which also says what is raised and what differs from SciPy.

    Examples
    --------
    >>> from cconv import signal
    >>> signal.convolve2d([[1, 2, 3]], [[1, 10]])
    array([[ 1, 12, 23, 30]])
    >>> signal.convolve2d([[1, 2, 3]], [[1, 10]], mode="same", fillvalue=7)
    array([[71, 12, 23]])
    """
    given = _operands("convolve2d", in1, in2, mode, boundary, fillvalue, algorithm, threads)
    return _correlate("convolve2d", mode, given, flipped=True)


def _operands(
    function: str,
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str,
    boundary: str,
    fillvalue: Any,
    algorithm: str,
    threads: SupportsIndex | None,
) -> Operands:
    first, second = _matrix(function, "in1", in1), _matrix(function, "in2", in2)
    if not isinstance(mode, str) or mode not in MODES:
        raise ValueError(f"{function}: mode is {mode!r}; expected 'full', 'valid' or 'same'")
    if not isinstance(boundary, str) or boundary not in BOUNDARIES:
        raise ValueError(
            f"{function}: boundary is {boundary!r}; expected {', '.join(map(repr, BOUNDARIES))}"
        )
    fill = _fill(function, fillvalue, np.result_type(first, second))
    padding = (BOUNDARIES[boundary], fill if BOUNDARIES[boundary] == "constant" else 0.0)
    exchanged = False
    if mode == "valid":
        larger = [a >= b for a, b in zip(first.shape, second.shape, strict=True)]
        smaller = [a <= b for a, b in zip(first.shape, second.shape, strict=True)]
        if not (all(larger) or all(smaller)):
            raise ValueError(
                f"{function}: in1.shape is {first.shape} and in2.shape is {second.shape}; expected "
                "one to cover the other along both axes, or another mode than 'valid'"
            )
        exchanged = not all(larger)
    if exchanged:
        first, second = second, first
    _arguments.algorithm(function, algorithm)
    return Operands(first, second, exchanged, padding, _threads.resolve(function, threads))


def _matrix(function: str, name: str, value: ArrayLike) -> Array:
    array = _arrays.operand(function, name, value)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"{function}: {name}.shape is {array.shape}; expected a matrix of at least one element"
        )
    return array


def _fill(function: str, value: Any, dtype: np.dtype[Any]) -> float:
    """What pads with `value` in an array of this dtype: without its fraction for an integer one."""
    number = _filters.real(function, "fillvalue", value)
    if dtype.kind == "f":
        return _dtypes.number(function, "fillvalue", number, dtype)
    if dtype.kind == "b":
        return float(number != 0)
    limits = np.iinfo(dtype)
    if not limits.min <= number <= limits.max or abs(number) >= EXACT:
        raise OverflowError(
            f"{function}: fillvalue is {value!r}; expected a number that {dtype.name} holds, "
            "below 2**53 in magnitude"
        )
    return float(int(number))


def _correlate(function: str, mode: str, given: Operands, *, flipped: bool = False) -> Array:
    """The correlation of the image with the kernel, or with the kernel flipped on both axes."""
    image, kernel = given.image, given.kernel
    dtype = np.result_type(image, kernel)
    pads = {
        "full": [(k - 1, k - 1) for k in kernel.shape],
        "valid": [(0, 0) for _ in kernel.shape],
        "same": [
            (k // 2, (k - 1) // 2) if flipped else ((k - 1) // 2, k // 2) for k in kernel.shape
        ],
    }[mode]
    before, after = zip(*pads, strict=True)
    sizes = zip(image.shape, kernel.shape, pads, strict=True)
    shape = tuple(n + sum(pad) - k + 1 for n, k, pad in sizes)
    # Integers below 64 bits are summed modulo 2**32, which is right modulo any smaller power of 2.
    work = dtype
    if dtype.kind in "iu" and dtype.itemsize <= 4:
        work = np.dtype(np.int32)
    elif dtype.kind == "b":
        work = np.dtype(np.int64)
    result = _arrays.allocate(function, "the result", shape, work, None, backend.empty)
    taps = np.ascontiguousarray(np.flip(kernel) if flipped else kernel)[np.newaxis, np.newaxis]
    convolve(
        image[np.newaxis, np.newaxis],
        taps,
        result[np.newaxis, np.newaxis],
        (1, 1),
        (1, 1),
        before,
        after,
        given.padding,
        1,
        given.threads,
    )
    if work == dtype:
        return result
    return result != 0 if dtype.kind == "b" else result.astype(dtype)
