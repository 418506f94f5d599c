"""Which OpenMP runtimes a process has, and whether a fork took their threads from it.

Imported before the C core, which brings a runtime of its own.
"""

import os
import re
from pathlib import Path

_RUNTIME = re.compile(r"lib(gomp|omp|iomp)\d*\b.*")
_FORKED = 0x40  # PF_FORKNOEXEC among the kernel's flags of a process


def runtimes(process: int | str = "self") -> list[str]:
    """Files of the OpenMP runtimes in a process, where the system tells: on Linux."""
    lines = read(Path("/proc", str(process), "maps")).splitlines()
    mapped = {line.split(None, 5)[-1] for line in lines}
    return sorted(file for file in mapped if _RUNTIME.fullmatch(os.path.basename(file)))


def read(path: Path) -> str:
    """The text of a system's file, empty if there is none."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _forked_before() -> bool:
    """Whether this process is a fork of one that has OpenMP, from before cconv was loaded here.

    The core sees later forks itself.  Linux marks a process that has started no program since it
    was forked.  A runtime that is here by now may have been loaded since; then the parent, if it is
    still the process that forked, has none.
    """
    status = read(Path("/proc/self/stat")).rpartition(")")[2].split()
    if len(status) <= 6 or not int(status[6]) & _FORKED or not runtimes():
        return False
    parent = os.getppid()
    return bool(runtimes(parent)) or _program(parent) != _program("self")


def _program(process: int | str) -> str | None:
    """The file that a process runs; None where that cannot be seen, as its memory then cannot."""
    try:
        return os.readlink(Path("/proc", str(process), "exe"))
    except OSError:
        return None


forked = _forked_before()
