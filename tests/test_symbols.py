# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""What the compiled code defines and refers to: names, mutable state, and the outside world.

nm lists the symbols of the extension and of the core's objects, each compiled alone. The judgement
is a function of that listing, and is tried on small listings first.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from toolchain import (
    CORE,
    SANITIZE,
    absent,
    built_core,
    core_objects,
    core_sources,
    once,
    openmp_flags,
    strip,
    succeed,
    tool,
)

import cconv

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Symbol(NamedTuple):
    name: str
    kind: str  # nm's letter: upper case is visible outside, U is undefined


# The linker itself adds these to shared objects on some systems.
LINKER = {"_init", "_fini", "_edata", "_end", "__bss_start"}
# Allocation, output, the end of the process, and what assert() leaves behind.
OUTSIDE = re.compile(
    r"(malloc|calloc|realloc|aligned_alloc|posix_memalign|memalign|free|mmap|str(n)?dup"
    r"|_?_?v?[fd]?printf(_chk)?|puts|fputs|putchar|putc|fputc|fwrite|perror|std(out|err)"
    r"|abort|_?exit|_Exit|quick_exit|__assert_fail|raise|longjmp)(@.*)?"
)


def parse(listing: str) -> list[Symbol]:
    """Symbols of a listing in nm's portable format: name, letter, and maybe value and size."""
    fields = (line.split() for line in listing.splitlines())
    return [Symbol(words[0], words[1]) for words in fields if len(words) >= 2]


def foreign_exports(symbols: Iterable[Symbol]) -> list[str]:
    """Names the extension shows to other libraries, but for its one entry point."""
    return [symbol.name for symbol in symbols if symbol.name not in {"PyInit__core"} | LINKER]


def unprefixed(symbols: Iterable[Symbol]) -> list[str]:
    """Names visible to the linker that do not begin with cconv_: a program may have them too."""
    visible = (symbol.name for symbol in symbols if symbol.kind.isupper() and symbol.kind != "U")
    return [name for name in visible if not name.startswith("cconv_")]


def calls_outside(symbols: Iterable[Symbol]) -> list[str]:
    """What an object takes from the C library and the core must not."""
    return [s.name for s in symbols if s.kind == "U" and OUTSIDE.fullmatch(s.name)]


def mutable_state(symbols: Iterable[Symbol], text: str) -> list[str]:
    """Variables in writable memory that `text`, the sources, does not declare atomic.

    A static of a function is listed as name.number by GCC and as function.name by clang. Variables
    of a thread are listed too.
    """
    code = strip(text, strings=False)
    found = []
    for symbol in symbols:
        if symbol.kind.upper() in {"D", "B", "C", "G", "S"}:
            name = re.escape(re.sub(r"\.\d+$", "", symbol.name).rpartition(".")[2])
            atomic = r"\b(_Atomic(\s*\([^()]*\))?|atomic_\w+)"
            if not re.search(rf"{atomic}[^;{{}}()]*\b{name}\b", code):
                found.append(symbol.name)
    return found


# ----------------------------------------------------------------------------- the judgement itself

LISTING = """\
cconv_conv T 0000000000000000 0000000000000010
PyInit__core T 40 20
helper t 0 10
known.0 b 0 8
table r 0 8
memcpy U
"""


def test_parse_reads_the_portable_format() -> None:
    symbols = parse(LISTING)
    assert Symbol("cconv_conv", "T") in symbols
    assert Symbol("memcpy", "U") in symbols
    assert len(symbols) == 6


def test_foreign_exports_are_found() -> None:
    assert foreign_exports(parse("PyInit__core T 0 1\n_fini T 0 1\n")) == []
    assert foreign_exports(parse(LISTING)) == ["cconv_conv", "helper", "known.0", "table", "memcpy"]


def test_unprefixed_names_are_found() -> None:
    assert unprefixed(parse(LISTING)) == ["PyInit__core"]
    assert unprefixed(parse("tile D 0 1\nlocal t 0 1\nexpf U\ncconv_x R 0 1\n")) == ["tile"]


@pytest.mark.parametrize(
    "name", ["malloc", "free@GLIBC_2.2.5", "__printf_chk", "abort", "__assert_fail", "stderr"]
)
def test_calls_outside_are_found(name: str) -> None:
    assert calls_outside(parse(f"{name} U\n")) == [name]
    assert calls_outside(parse(f"{name} T 0 1\nmemset U\nfreedom U\n")) == []


def test_mutable_state_is_found() -> None:
    symbols = parse("count.0 b 0 8\ntable r 0 8\n")
    assert mutable_state(symbols, "static int count;") == ["count.0"]
    assert mutable_state(symbols, "/* _Atomic int count; */ int count;") == ["count.0"]
    assert mutable_state(symbols, "static _Atomic int other; int count;") == ["count.0"]
    assert mutable_state(symbols, "static _Atomic int64_t count = 3;") == []
    assert mutable_state(symbols, "static _Atomic(table *) count;") == []
    assert mutable_state(symbols, "static atomic_int other, count;") == []
    assert mutable_state(parse("f.count b 0 8\n"), "_Atomic int count; int f;") == []
    assert mutable_state(parse("f.count b 0 8\n"), "int count; _Atomic int f;") == ["f.count"]


# -------------------------------------------------------------------------------- the compiled code


def elf_only() -> None:
    """Other systems name and place symbols differently; the sources are the same."""
    if not sys.platform.startswith("linux"):
        pytest.skip("symbols are examined on Linux only")


def test_extension_exports_its_entry_point_only() -> None:
    elf_only()
    if SANITIZE:
        pytest.skip("a sanitizer exports symbols of its own")
    listing = succeed([tool("nm"), "-P", "-D", "--defined-only", built_core()]).decode()
    symbols = parse(listing)
    assert Symbol("PyInit__core", "T") in symbols
    assert foreign_exports(symbols) == []


def test_static_library_has_our_names_only() -> None:
    elf_only()
    if SANITIZE:
        pytest.skip("a sanitizer adds symbols of its own")
    library = Path(cconv.get_include()).parent / "lib" / "libcconv.a"
    if built_core().parent != library.parents[1]:
        pytest.skip("the core was built without its library")
    listing = succeed([tool("nm"), "-P", library]).decode()
    symbols = parse(listing)
    defined = {symbol.name for symbol in symbols if symbol.kind == "T"}
    assert {"cconv_conv", "cconv_plan_execute", "cconv_filter_separable"} <= defined
    assert not unprefixed(symbols)
    assert not calls_outside(symbols)


def objects_of(compiler: str) -> Iterator[tuple[Path, list[Symbol]]]:
    """(source, symbols) of the core compiled file by file, with the compiler's OpenMP if any."""
    elf_only()
    nm = tool("nm")
    # Not position independent: a constant table of pointers is then constant for nm as well. Not
    # optimized: that takes half the time, and leaves out no function or variable.
    flags = ("-fno-pie", "-O0", *openmp_flags(tool(compiler)))
    for source, target in core_objects(tool(compiler), flags).items():
        yield source, parse(succeed([nm, "-P", target]).decode())


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_core_objects(compiler: str) -> None:
    once()
    if not core_sources():
        absent("src_c has no C files")
    headers = "".join(path.read_text() for path in CORE.rglob("*.h"))
    problems, defined = [], set()
    for source, symbols in objects_of(compiler):
        defined |= {symbol.name for symbol in symbols if symbol.kind == "T"}
        for what, names in {
            "visible without the prefix cconv_": unprefixed(symbols),
            "not for the core to call": calls_outside(symbols),
            "mutable and not atomic": mutable_state(symbols, source.read_text() + headers),
        }.items():
            problems += [f"{source.relative_to(CORE)}: {name}: {what}" for name in names]
    assert {"cconv_conv", "cconv_pool", "cconv_fold", "cconv_status_text"} <= defined
    assert not problems
