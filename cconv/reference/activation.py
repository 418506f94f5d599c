"""Activation functions, of floats in float64; NaN goes through every one of them.

They are written so that no digits are lost where a result is small, and x * f(x) is 0 wherever
f(x) is: at -inf, too.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_erfc: Callable[[Array], Array] = np.vectorize(math.erfc, otypes=[np.float64])


def store(
    total: NDArray[Any], out: NDArray[Any], activation: tuple[str | None, float, float]
) -> None:
    """Write the activation of sums to `out`, rounded once, or of sums wrapped to its integers."""
    if out.dtype.kind == "f":
        out[...] = apply(total, *activation)
    else:
        out[...] = apply_to_integers(total.astype(out.dtype), *activation)


def apply(x: Array, name: str | None, a: float, b: float) -> Array:
    """Give the activation `name` of x; `a` and `b` are its parameters."""
    return x if name is None else _FUNCTIONS[name](x, a, b)


def apply_to_integers(x: NDArray[Any], name: str | None, a: float, b: float) -> NDArray[Any]:
    """Give 'relu' or 'clip' of integers; infinite limits of 'clip' limit nothing."""
    if name is None:
        return x
    info = np.iinfo(x.dtype)
    low = 0 if name == "relu" else info.min if a == -math.inf else int(a)
    high = info.max if name == "relu" or b == math.inf else int(b)
    return np.clip(x, x.dtype.type(low), x.dtype.type(high))


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    small = np.exp(-np.abs(x))
    return np.where(x < 0.0, small, 1.0) / (1.0 + small)


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6.0 + 0.5, 0.0, 1.0)


def _gate(x: Array, share: Array) -> Array:
    return np.where(share == 0.0, 0.0, x * share)


def _gelu_erf(x: Array) -> Array:
    """x * (1 + erf(x / sqrt(2))) / 2."""
    return _gate(x, 0.5 * _erfc(-x / math.sqrt(2.0)))


def _gelu_tanh(x: Array) -> Array:
    """x * (1 + tanh(u)) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3)."""
    return _gate(x, _sigmoid(2.0 * math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


_FUNCTIONS: dict[str, Callable[[Array, float, float], Array]] = {
    "relu": lambda x, a, b: np.maximum(x, 0.0),
    "leaky_relu": lambda x, a, b: np.where(x > 0.0, x, a * x),
    "elu": lambda x, a, b: np.where(x > 0.0, x, a * np.expm1(x)),
    "gelu_erf": lambda x, a, b: _gelu_erf(x),
    "gelu_tanh": lambda x, a, b: _gelu_tanh(x),
    "silu": lambda x, a, b: _gate(x, _sigmoid(x)),
    "hard_swish": lambda x, a, b: _gate(x, _hard_sigmoid(x)),
    "hard_sigmoid": lambda x, a, b: _hard_sigmoid(x),
    "sigmoid": lambda x, a, b: _sigmoid(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "clip": lambda x, a, b: np.clip(x, a, b),
}
