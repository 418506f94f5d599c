"""Types of the functions whose result depends on `return_indices`, for type checkers only."""

from collections.abc import Callable
from typing import Any, Literal, Protocol, SupportsIndex, cast, overload

from numpy.typing import ArrayLike

from cconv._arguments import Array, IndexArray, Ints, OutputSize, Padding

Indexed = tuple[Array, IndexArray]


class ExtremePool(Protocol):
    """What `max_pool2d` and its like are to a caller: an array, or with indices a pair of them."""

    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Padding = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        return_indices: Literal[False] = False,
        *,
        layout: str = "NCHW",
        out: Array | None = None,
        threads: SupportsIndex | None = None,
    ) -> Array: ...

    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Padding = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        *,
        return_indices: Literal[True],
        layout: str = "NCHW",
        out: Array | None = None,
        threads: SupportsIndex | None = None,
    ) -> Indexed: ...

    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Ints,
        stride: Ints | None,
        padding: Padding,
        dilation: Ints,
        ceil_mode: bool,
        return_indices: Literal[True],
        *,
        layout: str = "NCHW",
        out: Array | None = None,
        threads: SupportsIndex | None = None,
    ) -> Indexed: ...

    @overload
    def __call__(
        self,
        input: ArrayLike,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Padding = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
        *,
        layout: str = "NCHW",
        out: Array | None = None,
        threads: SupportsIndex | None = None,
    ) -> Array | Indexed: ...


class AdaptivePool(Protocol):
    """What `adaptive_max_pool2d` and its like are to a caller."""

    @overload
    def __call__(
        self,
        input: ArrayLike,
        output_size: OutputSize,
        return_indices: Literal[False] = False,
        *,
        layout: str = "NCHW",
        out: Array | None = None,
        threads: SupportsIndex | None = None,
    ) -> Array: ...

    @overload
    def __call__(
        self,
        input: ArrayLike,
        output_size: OutputSize,
        return_indices: Literal[True],
        *,
        layout: str = "NCHW",
        out: Array | None = None,
        threads: SupportsIndex | None = None,
    ) -> Indexed: ...

    @overload
    def __call__(
        self,
        input: ArrayLike,
        output_size: OutputSize,
        return_indices: bool = False,
        *,
        layout: str = "NCHW",
        out: Array | None = None,
        threads: SupportsIndex | None = None,
    ) -> Array | Indexed: ...


def extreme_pool(function: Callable[..., Any]) -> ExtremePool:
    """Give the function itself, which type checkers then see as an `ExtremePool`."""
    return cast(ExtremePool, function)


def adaptive_pool(function: Callable[..., Any]) -> AdaptivePool:
    """Give the function itself, which type checkers then see as an `AdaptivePool`."""
    return cast(AdaptivePool, function)
