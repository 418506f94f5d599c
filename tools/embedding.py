# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""What a build lays into the package for programs that use the core without Python.

include/cconv.h                           the interface
include/cconv_import.h                    the way to the core that Python has loaded
src/cconv.c                               the core in one file
lib/libcconv.a                            and compiled, if that was possible; then also:
lib/pkgconfig/cconv.pc  lib/cmake/cconv/  how pkg-config and CMake find it
lib/pkgconfig/README                      or else this alone: an entry point names the folder
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from amalgamate import amalgamate

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parent
FOLDERS = ("include", "src", "lib")
# What is filled in: each file of tools/, and its place in the package.
FOUND_BY = {
    "cconv.pc.in": "lib/pkgconfig/cconv.pc",
    "cconv-config.cmake.in": "lib/cmake/cconv/cconv-config.cmake",
    "cconv-config-version.cmake.in": "lib/cmake/cconv/cconv-config-version.cmake",
}
NO_LIBRARY = """\
This cconv was installed without its static library: there is no cconv.pc.
`python -m cconv config --libs` says why, and --sources where the core is as one C file.
"""


def write(package: Path, version: str, library: Path | None, link_flags: Sequence[str]) -> None:
    """Lay everything into the folder of the package, anew.

    `link_flags` are those of a program that links the library, which is None where there is none.
    """
    for folder in FOLDERS:
        shutil.rmtree(package / folder, ignore_errors=True)
    for folder in ("include", "src"):
        (package / folder).mkdir(parents=True)
    shutil.copy(ROOT / "src_c" / "include" / "cconv.h", package / "include")
    shutil.copy(ROOT / "cconv" / "cconv_import.h", package / "include")
    (package / "src" / "cconv.c").write_text(amalgamate(ROOT / "src_c"), encoding="utf-8")
    if library is None:
        (package / "lib" / "pkgconfig").mkdir(parents=True)
        (package / "lib" / "pkgconfig" / "README").write_text(NO_LIBRARY, encoding="utf-8")
        return
    values = {
        "VERSION": version,
        "LINK_FLAGS": " ".join(link_flags),
        "LINK_LIST": ";".join(link_flags),
    }
    for template, place in FOUND_BY.items():
        text = (TOOLS / template).read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        (package / place).parent.mkdir(parents=True, exist_ok=True)
        (package / place).write_text(text, encoding="utf-8")
    shutil.copy(library, package / "lib")
