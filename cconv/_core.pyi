"""The compiled core: cconv.reference's functions, and facts about the build and the machine.

Of a convolution, `out` is float16 (computed in float32), float32, float64, int32 (modulo 2**32),
int64 or uint64 (modulo 2**64); `input` and `weight` have any dtypes whose values that arithmetic
holds; `bias` has the dtype of the arithmetic, and `residual`, which is added before the activation,
`out`'s dtype and shape.  Extremes have the dtype of `input`, averages and norms too, but float64 of
integers and bools; `unfold` and `max_unpool` copy any dtype, and `fold` adds as a convolution does.

`input` (n, c, *spatial) and `residual` have any strides and any alignment; `weight` (oc, c/groups,
*kernel), of a transposed convolution (c, oc/groups, *kernel), is aligned, and `bias` (oc,)
contiguous, too; `out` is writable and aligned, has any strides, and shares no memory with the
others.  `stride`, `dilation`, `before`, `after` and `kernel` have one int a spatial axis (1, 2 or 3
of them).  `unfold` gives and `fold` takes columns
(n, c * K, L) of K taps and L windows, with any strides.  `kind` is 'max', 'min', 'avg' or 'lp';
`indices` is None or, for the first two, an int64 array like `out`; `p` is the exponent of 'lp'.
`activation` is (name, a, b); unused numbers are 0.0, as is `divisor` (0) where none was given.
`padding` is what stands outside the input: 'constant' and a value that the dtype holds, or
'reflect', 'symmetric', 'replicate' or 'circular' and 0.0.  `Extreme` takes 'max' or 'min',
`out` of `input`'s dtype, as `footprint` None or a contiguous bool array (*kernel) with at least one
True, and of modes one an axis; an integer dtype has its own limit for a value beyond it.
`Separable` takes `out` of float32 or float64, and weights of that dtype, contiguous, or None for
averages; `kernel` has at most 2**12 elements an axis and 2**18 in all.
"""

from collections.abc import Callable
from typing import Any, Literal

from numpy import dtype
from numpy.typing import NDArray

_C_API: object  # a capsule, for cconv_import.h

class Plan:
    """A convolution, or a transposed one, that is checked and worked out.

    `input`, `residual` and `out` are an image, or several, in any order of axes: `axes` lists which
    of them is the batch (-1: there is none), which the channels, and which are spatial.  A plan
    that is to `keep` weight and bias copies them, and every call passes None for them; else every
    call brings them.  Threads may share a plan.
    """

    workspace_nbytes: int
    def __init__(
        self,
        transposed: bool,
        input: NDArray[Any],
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        residual: NDArray[Any] | None,
        out: NDArray[Any],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        before: tuple[int, ...],
        after: tuple[int, ...],
        padding: tuple[str, float],
        groups: int,
        activation: tuple[str | None, float, float],
        algorithm: str,
        threads: int,
        axes: tuple[int, ...],
        keep: bool,
    ) -> None: ...
    def run(
        self,
        input: NDArray[Any],
        weight: NDArray[Any] | None,
        bias: NDArray[Any] | None,
        residual: NDArray[Any] | None,
        out: NDArray[Any],
    ) -> None:
        """Compute; batch size and strides may be others than the plan's."""

    def call(self, input: Any, weight: Any, bias: Any, residual: Any, out: Any) -> Any:
        """Compute, to a new array in C order without `out`; None, nothing done, if unlike planned.

        As planned are plain arrays of the plan's dtypes, shapes and strides, `out` apart from them.
        """

    def info(self) -> dict[str, Any]: ...

class Extreme:
    """A filter over a footprint, for arrays like these; `axes` are as of a Plan."""

    workspace_nbytes: int
    def __init__(
        self,
        kind: str,
        input: NDArray[Any],
        out: NDArray[Any],
        footprint: NDArray[Any] | None,
        kernel: tuple[int, ...],
        before: tuple[int, ...],
        after: tuple[int, ...],
        padding: tuple[tuple[str, ...], float],
        threads: int,
        axes: tuple[int, ...],
    ) -> None: ...
    def run(self, input: NDArray[Any], out: NDArray[Any]) -> None: ...
    def call(self, input: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any] | None:
        """Compute from an array with the header of the given one; None if `out` will not do."""

class Separable:
    """Sums across the rows of images, then along them, as of an Extreme; four `axes`."""

    workspace_nbytes: int
    def __init__(
        self,
        input: NDArray[Any],
        out: NDArray[Any],
        weights: tuple[NDArray[Any] | None, NDArray[Any] | None],
        kernel: tuple[int, int],
        before: tuple[int, int],
        padding: tuple[tuple[str, str], float],
        threads: int,
        axes: tuple[int, ...],
    ) -> None: ...
    def run(self, input: NDArray[Any], out: NDArray[Any]) -> None: ...
    def call(self, input: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any] | None: ...

class Pool:
    """A pooling whose arguments are resolved, for arrays like these; `axes` are as of a Plan."""

    workspace_nbytes: int
    def __init__(
        self,
        kind: str,
        input: NDArray[Any],
        out: NDArray[Any],
        indices: NDArray[Any] | None,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        before: tuple[int, ...],
        after: tuple[int, ...],
        ceil_mode: bool,
        count_include_pad: bool,
        divisor: int,
        p: float,
        threads: int,
        axes: tuple[int, ...],
    ) -> None: ...
    def run(self, input: NDArray[Any], out: NDArray[Any], indices: NDArray[Any] | None) -> None: ...
    def call(self, input: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any] | None:
        """Compute from an array with the header of the given one; None if `out` will not do."""

class AdaptivePool:
    """A pooling over as many windows as `out` counts, for arrays like these.

    `axes` are as of a Plan, and `out_axes` say the same of `out` and indices; -1 stands for every
    axis that there is not.
    """

    workspace_nbytes: int
    def __init__(
        self,
        kind: str,
        input: NDArray[Any],
        out: NDArray[Any],
        p: float,
        threads: int,
        axes: tuple[int, ...],
        out_axes: tuple[int, ...],
    ) -> None: ...
    def run(self, input: NDArray[Any], out: NDArray[Any], indices: NDArray[Any] | None) -> None: ...
    def call(self, input: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any] | None:
        """Compute as a Pool does."""

def key(
    input: Any,
    weight: Any,
    bias: Any,
    residual: Any,
    out: Any,
    literals: tuple[Any, ...],
    numbers: tuple[Any, ...],
) -> tuple[Any, ...] | None:
    """Give what is equal for two calls that the same plan serves; None where none can be told."""

def conv(
    input: NDArray[Any],
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    residual: NDArray[Any] | None,
    out: NDArray[Any],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    before: tuple[int, ...],
    after: tuple[int, ...],
    padding: tuple[str, float],
    groups: int,
    activation: tuple[str | None, float, float],
    threads: int,
) -> None: ...
def max_unpool(
    input: NDArray[Any], indices: NDArray[Any], out: NDArray[Any], threads: int
) -> None: ...
def unfold(
    input: NDArray[Any],
    out: NDArray[Any],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    before: tuple[int, ...],
    after: tuple[int, ...],
    threads: int,
) -> None: ...
def fold(
    input: NDArray[Any],
    out: NDArray[Any],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    before: tuple[int, ...],
    after: tuple[int, ...],
    threads: int,
) -> None: ...
def unfold_workspace_nbytes(
    input: NDArray[Any],
    out: NDArray[Any],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    before: tuple[int, ...],
    after: tuple[int, ...],
    threads: int,
) -> int: ...
def fold_workspace_nbytes(
    input: NDArray[Any],
    out: NDArray[Any],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    before: tuple[int, ...],
    after: tuple[int, ...],
    threads: int,
) -> int: ...
def release_workspace() -> None: ...
def max_threads() -> int: ...
def forked() -> bool: ...
def set_forked() -> None: ...
def empty(shape: tuple[int, ...], dtype: dtype[Any]) -> NDArray[Any]: ...
def tell_when_held_back(function: Callable[[], None]) -> None: ...
def cpu_features() -> tuple[str, ...]: ...
def isa() -> str: ...
def isa_names() -> tuple[str, ...]: ...
def build_info() -> dict[str, str | int]: ...
def fma_peak(dtype_name: Literal["float32", "float64"], threads: int, iterations: int) -> int: ...
