"""What this installation of cconv is, and what it runs on."""

from __future__ import annotations

import os
import platform
from typing import Any, Literal, overload

import numpy as np

from cconv import _backend, _threads
from cconv._version import __version__


@overload
def show_config(mode: Literal["print"] = "print") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_config(mode: str = "print") -> dict[str, Any] | None:
    """Print, or return, which backend runs and why, how it was built, and what it found.

    Parameters
    ----------
    mode : {'print', 'dicts'}
        Print a report, or return the same as nested dicts.

    Returns
    -------
    dict or None
        With `mode` 'dicts': 'version', 'python', 'numpy'; 'backend' ('c' or 'python') and
        'reason' (why it is not 'c'; empty if it is); 'build' and 'isa' (empty without the C core);
        'cpu_features'; 'threads' ('now' and 'default'); 'environment' (the variables that are set
        among those that cconv reads).

    Raises
    ------
    ValueError
        If `mode` is another one.

    Examples
    --------
    >>> import cconv
    >>> config = cconv.show_config(mode="dicts")
    >>> config["version"] == cconv.__version__
    True
    """
    if mode not in ("print", "dicts"):
        raise ValueError(f"show_config: mode is {mode!r}; expected 'print' or 'dicts'")
    config: dict[str, Any] = {
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        **_backend.describe(),
        "cpu_features": list(cpu_features()),
        "threads": {"now": _threads.current(), "default": _threads.default()},
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith("CCONV_") or name == "OMP_NUM_THREADS"
        },
    }
    if mode == "dicts":
        return config
    for key, value in config.items():
        if isinstance(value, dict):
            print(f"{key}:" if value else f"{key}: -")
            for name, fact in value.items():
                print(f"  {name}: {_text(fact)}")
        else:
            print(f"{key}: {_text(value)}")
    return None


def cpu_features() -> tuple[str, ...]:
    """Name the instruction sets that the processor offers, as far as the C core asks.

    Returns
    -------
    tuple of str
        Empty without the C core.

    Examples
    --------
    >>> import cconv
    >>> isinstance(cconv.cpu_features(), tuple)
    True
    """
    return _backend.backend.cpu_features()


def _text(value: Any) -> str:
    return (" ".join(value) if isinstance(value, list) else str(value)) or "-"
