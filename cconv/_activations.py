"""The forms of `activation`, and what they mean to a backend."""

from typing import Any, TypeAlias

import numpy as np

from cconv import _check, _dtypes

Activation: TypeAlias = str | tuple[str, float] | tuple[str, float, float] | None
Resolved: TypeAlias = tuple[str | None, float, float]  # the backends' name, and two parameters

NONE: Resolved = (None, 0.0, 0.0)

# What each name means to a backend: its own name and two parameters.
ACTIVATIONS: dict[str, Resolved] = {
    "relu": ("relu", 0.0, 0.0),
    "relu6": ("clip", 0.0, 6.0),
    "leaky_relu": ("leaky_relu", 0.01, 0.0),
    "elu": ("elu", 1.0, 0.0),
    "gelu": ("gelu_erf", 0.0, 0.0),
    "gelu_erf": ("gelu_erf", 0.0, 0.0),
    "gelu_tanh": ("gelu_tanh", 0.0, 0.0),
    "silu": ("silu", 0.0, 0.0),
    "hard_swish": ("hard_swish", 0.0, 0.0),
    "hard_sigmoid": ("hard_sigmoid", 0.0, 0.0),
    "sigmoid": ("sigmoid", 0.0, 0.0),
    "tanh": ("tanh", 0.0, 0.0),
}
OF_INTEGERS = ("relu", "relu6")


def resolve(function: str, value: Activation, dtype: np.dtype[Any]) -> Resolved:
    """The (name, a, b) that the backends take, for a result of `dtype`."""
    if value is None:
        return NONE
    if isinstance(value, str) and value in ACTIVATIONS:
        if dtype.kind != "f" and value not in OF_INTEGERS:
            _refuse_of_integers(function, value, dtype)
        return ACTIVATIONS[value]
    match _check.entries(value):
        case ("leaky_relu", slope):
            a = _check.real(function, "activation: the slope of leaky_relu", slope)
            if dtype.kind != "f":
                _refuse_of_integers(function, value, dtype)
            if np.isfinite(a):
                return ("leaky_relu", a, 0.0)
        case ("clip", low, high):
            a = _check.real(function, "activation: the lower limit of clip", low)
            b = _check.real(function, "activation: the upper limit of clip", high)
            if dtype.kind != "f" and low <= high:
                a, b = _dtypes.limits(function, "activation: clip", low, high, dtype)
            if a <= b:
                return ("clip", a, b)
    names = ", ".join(map(repr, ACTIVATIONS))
    raise ValueError(
        f"{function}: activation is {value!r}; expected None, {names}, ('leaky_relu', slope) "
        "with a finite slope, or ('clip', lo, hi) with lo <= hi"
    )


def _refuse_of_integers(function: str, value: Activation, dtype: np.dtype[Any]) -> None:
    raise ValueError(
        f"{function}: activation is {value!r}, but the result is {dtype.name}; integers have "
        "'relu', 'relu6' and ('clip', lo, hi): expected one of these, or floats"
    )
