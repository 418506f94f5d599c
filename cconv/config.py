"""What this installation of cconv is, and what it runs on."""

from __future__ import annotations

import os
import platform
from typing import Any, Literal, overload

import numpy as np

from cconv import _backend, _embedding, _threads
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
        'cpu_features'; 'threads' (see below); 'environment' (the variables that are set among those
        that cconv and OpenMP read).

    Raises
    ------
    ValueError
        If `mode` is another one.

    Notes
    -----
    'threads' has 'now', what `get_num_threads` gives, and every number that has a say in it, None
    where there is none: 'num_threads' and 'set_num_threads', 'CCONV_NUM_THREADS', and what the
    system allows: 'openmp', OpenMP's present maximum, 'affinity', the processors that the process
    may run on, and 'quota', its share of their time by control groups, in processors.  'default'
    holds where none of the first two is set.  'forked' says whether this process was forked from
    one that had OpenMP loaded, so that every call runs on one thread.  'runtimes' names the files
    of the OpenMP runtimes in this process, on Linux; more than one is worth a look when threads
    wait for each other.

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
        "threads": _threads.describe(),
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(("CCONV_", "OMP_", "GOMP_", "KMP_"))
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


def get_include() -> str:
    """Name the folder of cconv.h and cconv_import.h, for compilers.

    Returns
    -------
    str
        The folder; ``python -m cconv config`` tells of the other files for programs in C.

    Raises
    ------
    FileNotFoundError
        If cconv runs from a checkout that was never built.

    Examples
    --------
    >>> import cconv
    >>> extension = {"include_dirs": [cconv.get_include()]}
    """
    return _embedding.include()


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return (" ".join(value) if isinstance(value, list) else str(value)) or "-"
