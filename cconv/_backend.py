"""Which code computes: the C core, or the NumPy reference where the core cannot be had.

The choice is made once, when cconv is imported.  CCONV_BACKEND=c|python forces it; a choice that
the user did not make is announced by one RuntimeWarning, and `show_config()` gives its reason.
"""

import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cconv import _openmp as _openmp  # before the core
from cconv._version import __version__

REMEDY = (
    "Install a C compiler and build cconv anew, with pip's options `--no-cache-dir "
    "--force-reinstall` because pip keeps a wheel that was built without the core"
)

Ints = tuple[int, ...]


class Plan(Protocol):
    """A convolution that is checked and worked out; see `_core.pyi`."""

    workspace_nbytes: int

    def run(self, input: Any, weight: Any, bias: Any, residual: Any, out: Any) -> None: ...

    def call(self, input: Any, weight: Any, bias: Any, residual: Any, out: Any) -> Any: ...

    def info(self) -> dict[str, Any]: ...


class Pool(Protocol):
    """A pooling whose arguments are resolved; see `_core.pyi`."""

    workspace_nbytes: int

    def run(self, input: Any, out: Any, indices: Any) -> None: ...

    def call(self, input: Any, out: Any) -> Any: ...


class Filter(Protocol):
    """A filter whose arguments are resolved; see `_core.pyi`."""

    def run(self, input: Any, out: Any) -> None: ...

    def call(self, input: Any, out: Any) -> Any: ...


class Backend(Protocol):
    """What the C core and the reference both offer; the arguments are in `_core.pyi`."""

    @property
    def Plan(self) -> Callable[..., Plan]: ...

    @property
    def AdaptivePool(self) -> Callable[..., Pool]: ...

    @property
    def Pool(self) -> Callable[..., Pool]: ...

    @property
    def Extreme(self) -> Callable[..., Filter]: ...

    @property
    def Separable(self) -> Callable[..., Filter]: ...

    def key(
        self,
        input: Any,
        weight: Any,
        bias: Any,
        residual: Any,
        out: Any,
        literals: tuple[Any, ...],
        numbers: tuple[Any, ...],
    ) -> tuple[Any, ...] | None: ...

    def unfold(
        self,
        input: Any,
        out: Any,
        kernel: Ints,
        stride: Ints,
        dilation: Ints,
        before: Ints,
        after: Ints,
        threads: int,
    ) -> None: ...

    def fold(
        self,
        input: Any,
        out: Any,
        kernel: Ints,
        stride: Ints,
        dilation: Ints,
        before: Ints,
        after: Ints,
        threads: int,
    ) -> None: ...

    def max_unpool(self, input: Any, indices: Any, out: Any, threads: int) -> None: ...

    def empty(self, shape: Ints, dtype: np.dtype[Any]) -> NDArray[Any]: ...

    def release_workspace(self) -> None: ...

    def max_threads(self) -> int: ...

    def forked(self) -> bool: ...

    def set_forked(self) -> None: ...

    def tell_when_held_back(self, function: Callable[[], None]) -> None: ...

    def cpu_features(self) -> tuple[str, ...]: ...


class Choice(NamedTuple):
    """The backend, its name ('c' or 'python'), and why the C core was not taken."""

    backend: Backend
    name: str
    reason: str


def convolve(
    input: Any,
    weight: Any,
    out: Any,
    stride: Ints,
    dilation: Ints,
    before: Ints,
    after: Ints,
    padding: tuple[str, float],
    groups: int,
    threads: int,
) -> None:
    """Convolve (n, c, *spatial) once, directly, without bias, residual and activation."""
    window = (stride, dilation, before, after, padding, groups)
    how = ((None, 0.0, 0.0), "direct", threads, tuple(range(input.ndim)), False)
    plan = backend.Plan(False, input, weight, None, None, out, *window, *how)
    plan.run(input, weight, None, None, out)


def matrix_unit() -> bool:
    """Whether the C core computes products of bfloat16 on a matrix unit."""
    return describe()["isa"].get("in use") == "amx"


def describe() -> dict[str, Any]:
    """Facts about the backend for `show_config`; a backend without C code has fewer."""
    facts: dict[str, Any] = {"backend": name, "reason": reason, "build": {}, "isa": {}}
    if name == "c":
        import cconv._core as core

        facts["build"] = dict(core.build_info())
        facts["isa"] = {"in use": core.isa(), "compiled in": list(core.isa_names())}
    return facts


def _choose() -> Choice:
    wanted = os.environ.get("CCONV_BACKEND") or None
    if wanted not in (None, "c", "python"):
        raise ValueError(
            f"the environment variable CCONV_BACKEND is {wanted!r}; expected 'c' or 'python'"
        )
    if wanted == "python":
        return _reference("CCONV_BACKEND=python")
    try:
        return Choice(_core(), "c", "")
    except ImportError as error:
        reason = _reason(error)
        if wanted == "c":
            raise ImportError(
                f"CCONV_BACKEND=c, but the C core cannot be used: {reason}. {REMEDY}."
            ) from error
    warnings.warn(
        "cconv runs on its slow NumPy reference, because the C core cannot be used: "
        f"{reason}. {REMEDY}, or set CCONV_BACKEND=python to choose the reference.",
        RuntimeWarning,
        stacklevel=2,
    )
    return _reference(reason)


def _core() -> Backend:
    import cconv._core as core

    built = core.build_info()["version"]
    if built != __version__:
        raise ImportError(f"cconv._core was built for version {built}, and this is {__version__}")
    return core


def _reference(reason: str) -> Choice:
    from cconv import reference

    return Choice(reference, "python", reason)


def _reason(error: ImportError) -> str:
    try:
        build = importlib.import_module("cconv._build_config")
    except ImportError:
        return str(error)
    return f"{error} (the build said: {build.BUILD_ERROR})" if build.BUILD_ERROR else str(error)


backend, name, reason = _choose()
