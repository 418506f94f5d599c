"""Where this installation keeps what programs in C, C++ and Cython need of it.

The files are laid there by the build: tools/embedding.py. What is for a command line, flags and
files, is quoted as a shell wants it; a folder is a path and nothing else.
"""

import importlib
import shlex
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
LIBRARY = PACKAGE / "lib" / "libcconv.a"


def present(path: Path) -> str:
    """Give the path of a file or folder of the installation, or raise FileNotFoundError."""
    if path.exists():
        return str(path)
    if not (PACKAGE / "include").exists():
        why = "this copy of cconv was not built: install it, or run `python setup.py build_ext -i`"
    else:
        build = importlib.import_module("cconv._build_config")
        cause = build.BUILD_ERROR or "no archiver, or sanitizers"
        why = f"cconv was built without a static library ({cause})"
    raise FileNotFoundError(f"there is no {path}: {why}")


def include() -> str:
    return present(PACKAGE / "include")


def cflags() -> str:
    return f"-I{shlex.quote(include())}"


def libs() -> str:
    folder = shlex.quote(str(Path(present(LIBRARY)).parent))
    flags = importlib.import_module("cconv._build_config").LINK_FLAGS
    return " ".join([f"-L{folder}", "-lcconv", *flags])


def sources() -> str:
    return shlex.quote(present(PACKAGE / "src" / "cconv.c"))


def cmakedir() -> str:
    return present(PACKAGE / "lib" / "cmake" / "cconv")


def pkgconfigdir() -> str:
    return str(Path(present(PACKAGE / "lib" / "pkgconfig" / "cconv.pc")).parent)
