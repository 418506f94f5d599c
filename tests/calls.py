"""The smallest good call of every public function, for tests that spoil one argument of it.

`good` knows a function by its name, so that a new operator of a known family needs nothing here.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import cconv


def function(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(cconv, name)
    return found


def parameters(name: str) -> list[str]:
    return list(inspect.signature(function(name)).parameters)


FUNCTIONS = [name for name in cconv.__all__ if inspect.isfunction(getattr(cconv, name))]


def rank_of(name: str) -> int:
    """The number of spatial axes: that in the name, else two."""
    return int(name[-2]) if name[-2:] in ("1d", "2d", "3d") else 2


def good(name: str, size: int = 9, kernel: int = 3) -> dict[str, Any]:
    """Arguments of a call that takes two channels of `size` along each axis."""
    rank = rank_of(name)
    spatial, taps = (size,) * rank, (kernel,) * rank

    def ones(*shape: int) -> Any:
        return np.ones(shape, "f4")

    x, w = ones(1, 2, *spatial), ones(2, 2, *taps)
    match name.removesuffix(f"{rank}d"):
        case "conv" | "conv_transpose":
            return {"input": x, "weight": w}
        case "depthwise_conv":
            return {"input": x, "weight": w[:, :1]}
        case "separable_conv":
            return {"input": x, "depthwise_weight": w[:, :1], "pointwise_weight": w[..., :1, :1]}
        case "max_pool" | "min_pool" | "avg_pool" | "unfold":
            return {"input": x, "kernel_size": taps}
        case "lp_pool":
            return {"input": x, "kernel_size": taps, "norm_type": 2}
        case "adaptive_avg_pool" | "adaptive_max_pool":
            return {"input": x, "output_size": 2}
        case "global_avg_pool" | "global_max_pool" | "global_lp_pool":
            return {"input": x}
        case "max_unpool":
            return {"input": x, "indices": np.zeros(x.shape, int), "kernel_size": taps}
        case "fold":
            windows = (size - kernel + 1) ** rank
            columns = ones(1, 2 * kernel**rank, windows)
            return {"input": columns, "output_size": spatial, "kernel_size": taps}
        case "conv_output_shape" | "conv_transpose_output_shape":
            return {"input_shape": x.shape, "weight_shape": w.shape}
        case "pool_output_shape":
            return {"input_shape": x.shape, "kernel_size": taps}
        case "receptive_field":
            return {"layers": [(kernel, 2, 1)]}
        case "set_num_threads" | "num_threads":
            return {"n": 2}
        case "get_num_threads" | "release_workspace" | "cpu_features" | "get_include":
            return {}
        case "show_config":
            return {"mode": "dicts"}
    raise AssertionError(f"no good call of {name} is known; add one")


def with_parameter(*names: str) -> list[str]:
    """The functions that have all of these parameters."""
    return [f for f in FUNCTIONS if set(names) <= set(parameters(f))]
