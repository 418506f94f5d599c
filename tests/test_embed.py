# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""The core in a C program: one compiler line, no flags of ours, and the bits that Python gives.

Nothing here says -ffp-contract=off, and one build allows every contraction and instruction the
machine has: the core writes its multiply-adds, so the answer may not depend on it.
"""

from __future__ import annotations

import functools
import shutil
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from toolchain import (
    CORE,
    INCLUDES,
    ROOT,
    SANITIZE,
    STRICT,
    built_core,
    clean_environment,
    core_sources,
    once,
    openmp_flags,
    run,
    scratch,
    succeed,
    tool,
)

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = ROOT / "tests" / "embed" / "filter_image.c"
ISAS = ["avx512", "avx2", "generic"]

# The same layer as in filter_image.c, in Python; writes the bytes of the output.
LAYER = """
import sys
import numpy as np
import cconv

def image(size, step, period, divisor, offset):
    integers = np.arange(size) * step % period
    return integers.astype(np.float32) / np.float32(divisor) - np.float32(offset)

x = image(5 * 20 * 23, 37, 101, 7, 7).reshape(1, 5, 20, 23)
w = image(13 * 5 * 3 * 3, 53, 89, 11, 4).reshape(13, 5, 3, 3)
b = np.arange(13).astype(np.float32) / np.float32(3)
y = cconv.conv2d(x, w, b, (2, 1), ((1, 1), (2, 0)), activation="relu", algorithm="direct")
sys.stdout.buffer.write(y.tobytes())
"""

# Compiler, language and flags; "openmp" stands for the OpenMP flag. `make embed` builds with either
# compiler, and with neither that nor the machine's instructions.
BUILDS = {
    "gcc-openmp": ("gcc", "-std=c11", "openmp"),
    "clang-native": ("clang", "-std=gnu11", "-march=native"),
}


@pytest.fixture(autouse=True)
def _once() -> None:
    once()
    if SANITIZE:
        pytest.skip("the embedded core is compiled here, without the sanitizers of this run")


@pytest.fixture(scope="module")
def expected() -> dict[str, bytes]:
    """What Python's core answers, for each instruction set."""
    built_core()
    return {
        isa: succeed(
            [sys.executable, "-W", "error", "-c", LAYER],
            env=clean_environment(CCONV_ISA=isa, CCONV_BACKEND="c"),
        )
        for isa in ISAS
    }


def test_python_layer_is_worth_comparing(expected: dict[str, bytes]) -> None:
    values = np.frombuffer(expected["generic"], np.float32)
    assert values.size == 13 * 10 * 23
    assert 0.2 < (values > 0).mean() < 0.8  # the ReLU cuts some of it
    assert np.count_nonzero(values != np.round(values * 64) / 64) > 100  # rounding matters


@functools.cache
def program(build: str) -> Path:
    """Compile the example with all of the core, in one line."""
    name, *flags = BUILDS[build]
    compiler = tool(name)
    if "openmp" in flags:
        flags.remove("openmp")
        if not openmp_flags(compiler):
            pytest.skip(f"{name} has no OpenMP here")
        flags += openmp_flags(compiler)
    target = scratch() / f"filter_image-{build}"
    succeed([compiler, *STRICT, *flags, *INCLUDES, EXAMPLE, *core_sources(), "-lm", "-o", target])
    return target


@pytest.mark.parametrize("build", BUILDS)
def test_one_line_builds_and_gives_the_bits_of_python(
    build: str, expected: dict[str, bytes]
) -> None:
    for isa in ISAS:
        text = succeed([program(build)], env=clean_environment(CCONV_ISA=isa)).decode()
        assert text.count("\n") == 13 * 10
        values = np.array(text.split(), np.float32)
        assert values.tobytes() == expected[isa], f"{build} differs from Python on {isa}"


def test_unknown_instruction_set_is_refused() -> None:
    done = run([program("clang-native")], env=clean_environment(CCONV_ISA="avx3"))
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode().strip().endswith(".")


@pytest.mark.parametrize(
    ("compiler", "standard", "language"),
    [
        ("gcc", "c11", "c"),
        ("clang", "c11", "c"),
        ("g++", "c++17", "c++"),
        ("clang++", "c++17", "c++"),
    ],
)
def test_header_compiles_alone(compiler: str, standard: str, language: str, tmp_path: Path) -> None:
    core_sources()
    if shutil.which(compiler) is None and language == "c++":
        pytest.skip(f"no {compiler} on this machine")
    source = tmp_path / "alone.txt"
    use = "int main(void) { return (int)sizeof(cconv_tensor) == 0; }\n"
    source.write_text('#include "cconv.h"\n#include "cconv.h"\n' + use)
    flags = ["-Wall", "-Wextra", "-Wshadow", "-pedantic", "-Werror", f"-std={standard}"]
    command = [tool(compiler), *flags, f"-I{CORE / 'include'}", "-fsyntax-only", "-x", language]
    succeed([*command, source])


def test_header_includes_only_the_standard_library() -> None:
    core_sources()
    header = (CORE / "include" / "cconv.h").read_text()
    included = {line.split()[1] for line in header.splitlines() if line.startswith("#include")}
    assert included == {"<stddef.h>", "<stdint.h>"}
