# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""The core in other programs: every way that docs/embedding.md shows, with the bits of Python.

The commands of that page are run as they stand, on a copy of examples/embed outside the checkout.
Each example is then built again by GCC and by Clang, with every warning an error.  They use the
cconv that is imported here: .ci/run has that installed from a wheel.

The core is compiled twice, once as the page says and once by Clang with all instructions of this
machine: nothing says -ffp-contract=off, for the core writes its multiply-adds, so the answer may
not depend on it.  The static library is there already, and has OpenMP.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.resources
import os
import re
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cases import MATRIX_UNIT
from toolchain import (
    ROOT,
    SANITIZE,
    absent,
    built_core,
    clean_environment,
    once,
    run,
    scratch,
    succeed,
    tool,
)

import cconv

if TYPE_CHECKING:
    import subprocess

PAGE = ROOT / "docs" / "embedding.md"
EXAMPLES = ROOT / "examples" / "embed"
PROGRAMS = ROOT / "tests" / "embed"
ISAS = [*["amx"] * MATRIX_UNIT, "avx512", "avx2", "generic"]
CORES = ["gcc", "clang", "library"]
C_FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")
CXX_FLAGS = ("-std=c++17", *C_FLAGS[1:])
# What whoever runs these tests has done: to install cconv, and packages that are named in quotes.
INSTALL = re.compile(r'^python -m pip install (?:\.|".*)\n', re.MULTILINE)

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


@pytest.fixture(autouse=True, scope="module")
def _once() -> None:
    once()
    if SANITIZE:
        pytest.skip("the embedded core is compiled here, without the sanitizers of this run")
    if not EXAMPLES.is_dir():
        pytest.skip("the examples are not beside the tests")
    built_core()


def environment(**extra: str) -> dict[str, str]:
    """With this Python and this cconv; and pip installs into a folder of ours."""
    modules = str(scratch() / "modules")
    package = str(Path(cconv.__file__).parents[1])
    return clean_environment(
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        PYTHONPATH=os.pathsep.join([modules, package]),
        PYTHONWARNINGS="ignore",
        CFLAGS="-O0",  # of what pip compiles: most of it is Cython's, and long
        PIP_TARGET=modules,
        PIP_NO_DEPS="1",
        PIP_NO_INDEX="1",
        PIP_UPGRADE="1",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        **extra,
    )


def config(*options: str) -> list[str]:
    """What `python -m cconv config` answers, as a shell would read it."""
    command = [sys.executable, "-m", "cconv", "config", *(f"--{name}" for name in options)]
    return shlex.split(succeed(command, env=environment(), cwd=scratch()).decode())


def cmakedir() -> str:
    command = [sys.executable, "-m", "cconv", "config", "--cmakedir"]
    return succeed(command, env=environment(), cwd=scratch()).decode().rstrip("\n")


# ------------------------------------------------------------------------- the page, as it stands


@functools.cache
def sections() -> dict[str, str]:
    """The shell commands of each section of the page that has some."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    blocks = {
        title: "\n".join(re.findall(r"^```sh\n(.*?)^```$", part, re.DOTALL | re.MULTILINE))
        for title, part in zip(parts[::2], parts[1::2], strict=True)
    }
    return {title: commands for title, commands in blocks.items() if commands}


def follow(title: str, folder: Path) -> str:
    """Run the commands of a section; what they print."""
    return shell(INSTALL.sub("", sections()[title]), folder)


def shell(commands: str, folder: Path, **variables: str) -> str:
    command = ["bash", "-euo", "pipefail", "-c", commands]
    return succeed(command, env=environment() | variables, cwd=folder).decode()


@functools.cache
def tour() -> Path:
    """A copy of the examples with a picture, made by the page's own commands."""
    start = scratch() / "clone"
    shutil.copytree(EXAMPLES, start / "examples" / "embed")
    follow("Before you begin", start)
    return start / "tour"


@functools.cache
def documented_core() -> Path:
    """The object that the page's first way compiles, by the compiler called cc."""
    assert "the same bits" in follow("One C file", tour())
    return tour() / "cconv.o"


def test_page_has_every_way() -> None:
    assert list(sections()) == [
        "Before you begin",
        "One C file",
        "The static library",
        "pkg-config",
        "CMake",
        "Cython",
        "The core that Python has loaded",
    ]
    assert PAGE.read_text(encoding="utf-8").count("```sh") == len(sections())


def test_page_one_c_file() -> None:
    assert documented_core().is_file()


@pytest.mark.parametrize(
    ("title", "program"),
    [
        ("The static library", "c++"),
        ("pkg-config", "pkg-config"),
        ("CMake", "cmake"),
        ("Cython", "cc"),
        ("The core that Python has loaded", "cc"),
    ],
)
def test_page(title: str, program: str) -> None:
    tool(program)
    if "pip" in sections()[title]:
        needs("pip", "setuptools", *(["Cython"] if title == "Cython" else []))
    assert "the same bits" in follow(title, tour())


def test_page_in_a_folder_with_a_blank(tmp_path: Path) -> None:
    """Folders need the quotes of the page alone, and lists of flags the eval that it speaks of."""
    for name in ("c++", "pkg-config", "cmake"):
        tool(name)
    home = tmp_path / "a blank"
    shutil.copytree(Path(cconv.__file__).parent, home / "cconv")
    shutil.copytree(EXAMPLES, home / "tour")
    shutil.copy(tour() / "portrait.pgm", home / "tour")
    for title in ("The static library", "pkg-config", "CMake"):
        commands = re.sub(
            r"^(?:cc|c\+\+) .*$", r'eval "\g<0>"', sections()[title], flags=re.MULTILINE
        )
        assert "the same bits" in shell(commands, home / "tour", PYTHONPATH=str(home))


@pytest.mark.parametrize(
    ("title", "folder"),
    [("Cython", "cython_package"), ("The core that Python has loaded", "capsule_client")],
)
def test_page_installs_what_a_build_requires(title: str, folder: str) -> None:
    """Without isolation pip does not: an old setuptools cannot even make a wheel."""
    project = (EXAMPLES / folder / "pyproject.toml").read_text(encoding="utf-8")
    required = re.findall(r'".*?"', re.findall(r"^requires = (.*)$", project, re.MULTILINE)[0])
    installed = re.findall(r'".*?"', "".join(INSTALL.findall(sections()[title])))
    assert sorted(required) == sorted([*installed, '"cconv"'])


def needs(*modules: str) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        absent(f"no {', '.join(missing)} in this environment")


# ---------------------------------------------------------- every example, by GCC and by Clang


@functools.cache
def core(name: str) -> list[str | Path]:
    """What a program links: the core compiled here by GCC or Clang, or the library."""
    if name == "library":
        return [*config("libs"), "-pthread"]
    if name == "gcc":
        return [documented_core(), "-lm", "-pthread"]
    target = scratch() / "cconv-clang.o"
    flags = [*C_FLAGS, "-std=gnu11", "-O2", "-march=native", *config("cflags")]
    succeed([tool("clang"), *flags, "-c", *config("sources"), "-o", target])
    return [target, "-lm", "-pthread"]


@functools.cache
def program(source: Path, compiler: str, name: str) -> Path:
    """Compile a program with every warning an error, and link it with a core."""
    flags = CXX_FLAGS if source.suffix == ".cpp" else C_FLAGS
    target = scratch() / f"{source.stem}-{compiler}-{name}"
    command = [tool(compiler), *flags, "-O1", *config("cflags"), source, *core(name)]
    succeed([*command, "-o", target])
    return target


def compare(example: str, *result: Path) -> None:
    """Let check.py compare what the example made with what Python makes."""
    command = [sys.executable, "check.py", example, "portrait.pgm", *result]
    assert "the same bits" in succeed(command, env=environment(), cwd=tour()).decode()


@pytest.mark.parametrize("name", CORES)
@pytest.mark.parametrize(
    ("example", "source", "compiler"),
    [
        ("blur", "blur.c", "gcc"),
        ("blur", "blur.c", "clang"),
        ("sharpen", "sharpen.cpp", "g++"),
        ("sharpen", "sharpen.cpp", "clang++"),
    ],
)
def test_programs(example: str, source: str, compiler: str, name: str, tmp_path: Path) -> None:
    result = tmp_path / "result.pfm"
    succeed([program(EXAMPLES / source, compiler, name), tour() / "portrait.pgm", result])
    compare(example, result)


def test_sharpen_where_no_thread_can_be_made(tmp_path: Path) -> None:
    """Its parallel_for then does all parts itself: no exception comes through the core."""
    refuse = tmp_path / "refuse.cpp"
    refuse.write_text(REFUSE_THREADS)
    command = [tool("g++"), *CXX_FLAGS, "-O1", *config("cflags"), EXAMPLES / "sharpen.cpp", refuse]
    succeed([*command, *core("library"), "-o", tmp_path / "sharpen"])
    result = tmp_path / "result.pfm"
    done = run([tmp_path / "sharpen", tour() / "portrait.pgm", result])
    assert done.returncode == 0, done.stderr.decode()
    assert b"refused" in done.stderr
    compare("sharpen", result)


# On a machine that has four processors and will not start a thread.
REFUSE_THREADS = """
#include <cerrno>
#include <cstdio>
#include <pthread.h>
#include <thread>
unsigned std::thread::hardware_concurrency() noexcept { return 4; }
extern "C" int pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                              void *) noexcept {
  return std::fputs("refused\\n", stderr), EAGAIN;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_cmake_project(compiler: str, tmp_path: Path) -> None:
    settings = {
        "cconv_DIR": cmakedir(),
        "CMAKE_C_COMPILER": tool(compiler),
        "CMAKE_C_FLAGS": " ".join(C_FLAGS[1:]),
    }
    options = [f"-D{name}={value}" for name, value in settings.items()]
    succeed([tool("cmake"), "-S", tour() / "cmake_project", "-B", tmp_path, *options])
    succeed([tool("cmake"), "--build", tmp_path])
    succeed([tmp_path / "shrink", tour() / "portrait.pgm", tmp_path / "small.pfm"])
    compare("shrink", tmp_path / "small.pfm")


def test_cmake_refuses_a_newer_version(tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(newer LANGUAGES C)\n"
        "find_package(cconv 99.0 REQUIRED)\n"
    )
    options = [f"-Dcconv_DIR={config('cmakedir')[0]}"]
    done = run([tool("cmake"), "-S", tmp_path, "-B", tmp_path / "build", *options])
    assert done.returncode != 0
    assert f"version: {cconv.__version__}" in done.stderr.decode()


@functools.cache
def cython_module() -> str:
    """The C text that Cython makes of the example."""
    needs("Cython")
    source = tour() / "cython_package" / "peaks" / "_peaks.pyx"
    target = scratch() / "_peaks.c"
    command = [sys.executable, "-m", "cython", source, "-o", target]
    succeed(command, env=environment(), cwd=scratch())
    return str(target)


def module(compiler: str, source: str | Path, folder: Path, *flags: str) -> None:
    """Compile an extension module with every warning an error."""
    name = Path(source).stem
    includes = [f"-isystem{sysconfig.get_path('include')}", *config("cflags")]
    target = folder / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    shared = ["-O0", "-fPIC", "-shared", "-o", target]
    succeed([tool(compiler), *C_FLAGS, *includes, source, *shared, *flags])


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_cython_module(compiler: str, tmp_path: Path) -> None:
    package = Path(shutil.copytree(tour() / "cython_package" / "peaks", tmp_path / "peaks"))
    # A module's slots have pointers of functions for those of objects: so Python wants them.
    module(compiler, cython_module(), package, "-Wno-pedantic", *config("libs"))
    succeed([sys.executable, "-c", CALL_BRIGHTEST], env=environment(), cwd=tmp_path)


CALL_BRIGHTEST = """
import sys; sys.path.insert(0, "")
import numpy as np, cconv, peaks
assert peaks.__file__.startswith(__import__("os").getcwd())
image = np.random.default_rng(0).integers(0, 256, (31, 40), np.uint8)
for view in (image, image[::-2, ::3], image.T, image[:1], image[:0]):
    got = peaks.brightest(view, threads=2)
    assert view.size == 0 or (got == cconv.max_pool2d(view[None], 3, 1, 1)[0]).all()
"""


# ----------------------------------------------------------------------------------- the capsule


@functools.cache
def client(compiler: str) -> Path:
    folder = scratch() / f"capsule-{compiler}"
    folder.mkdir()
    module(compiler, EXAMPLES / "capsule_client" / "enlarge.c", folder)
    return folder


def call_client(compiler: str, code: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    start = "import sys; sys.path.insert(0, ''); import numpy as np\n"
    return run(
        [sys.executable, "-c", start + code], env=environment(**variables), cwd=client(compiler)
    )


CALL_ENLARGE = """
import enlarge, cconv
x = np.random.default_rng(0).random((7, 9), np.float32)
y = np.zeros((14, 18), np.float32)
enlarge.enlarge(x.T[::-1], y.T)
print((y.T == cconv.conv_transpose2d(x.T[None, ::-1], np.ones((1, 1, 2, 2), "f"), stride=2)).all())
"""
# A table whose first two numbers, CCONV_ABI and the bytes of it, are others by these.
OTHER_TABLE = """
import ctypes
from cconv import _core
api = ctypes.pythonapi
api.PyCapsule_New.restype, api.PyCapsule_GetPointer.restype = ctypes.py_object, ctypes.c_void_p
name = b"cconv._core._C_API"
at = api.PyCapsule_GetPointer(ctypes.py_object(_core._C_API), name)
abi, size = (ctypes.c_uint32 * 2).from_address(at)
table = (ctypes.c_uint32 * 2)(abi + {}, size + {})
_core._C_API = api.PyCapsule_New(table, name, None)
import enlarge
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_capsule_client(compiler: str) -> None:
    for variables in ({}, {"CCONV_BACKEND": "python"}):
        done = call_client(compiler, CALL_ENLARGE, **variables)
        assert done.stdout.decode().split() == ["True"], done.stderr.decode()
    symbols = succeed([tool("nm"), "-u", *client(compiler).glob("enlarge*")]).decode()
    assert "cconv" not in symbols  # nothing is linked


@pytest.mark.parametrize(
    ("abi", "size", "message"),
    [
        (1, 0, r"ImportError: cconv has ABI 2, and this module was compiled for ABI 1"),
        (0, -8, r"ImportError: cconv has \d+ bytes of functions, and this module .* newer cconv"),
        (0, 8, ""),
    ],
)
def test_capsule_of_another_core(abi: int, size: int, message: str) -> None:
    done = call_client("gcc", OTHER_TABLE.format(abi, size))
    assert (done.returncode != 0) == bool(message)
    assert re.search(message, done.stderr.decode()), done.stderr.decode()


def test_capsule_without_a_core() -> None:
    done = call_client("gcc", "sys.modules['cconv._core'] = None; import enlarge")
    assert done.returncode != 0
    assert "cconv._core" in done.stderr.decode()


@pytest.mark.parametrize(
    "damage",
    [
        "del _core._C_API",
        "_core._C_API = None",
        "import datetime; _core._C_API = datetime.datetime_CAPI",  # a capsule of another name
    ],
)
def test_capsule_without_the_table(damage: str) -> None:
    done = call_client("gcc", f"from cconv import _core; {damage}; import enlarge")
    assert done.stderr.decode().splitlines()[-1].startswith("ImportError: cconv._core._C_API is no")


def test_capsule_client_reports_what_is_wrong() -> None:
    wrong = "import enlarge; enlarge.enlarge(np.ones((2, 2), 'f'), np.ones((4, 9), {!r}))"
    for dtype, sentence in (("f", "shapes"), ("d", "dtype")):
        done = call_client("gcc", wrong.format(dtype))
        assert re.search(f"ValueError: .*{sentence}", done.stderr.decode())


# ------------------------------------------------------------ bits, threads and memory of programs


@functools.cache
def layer(isa: str) -> bytes:
    """What Python's core answers on an instruction set."""
    env = environment(CCONV_ISA=isa, CCONV_BACKEND="c")
    return succeed([sys.executable, "-W", "error", "-c", LAYER], env=env, cwd=scratch())


def test_python_layer_is_worth_comparing() -> None:
    values = np.frombuffer(layer("generic"), np.float32)
    assert values.size == 13 * 10 * 23
    assert 0.2 < (values > 0).mean() < 0.8  # the ReLU cuts some of it
    assert np.count_nonzero(values != np.round(values * 64) / 64) > 100  # rounding matters


@pytest.mark.parametrize("name", CORES)
def test_bits_on_every_instruction_set(name: str) -> None:
    compiler = "clang" if name == "clang" else "gcc"
    built = program(PROGRAMS / "filter_image.c", compiler, name)
    for isa in ISAS:
        text = succeed([built], env=clean_environment(CCONV_ISA=isa)).decode()
        assert text.count("\n") == 13 * 10
        values = np.array(text.split(), np.float32)
        assert values.tobytes() == layer(isa), f"{name} differs from Python on {isa}"


def test_unknown_instruction_set_is_refused() -> None:
    built = program(PROGRAMS / "filter_image.c", "gcc", "library")
    done = run([built], env=clean_environment(CCONV_ISA="avx3"))
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode().strip().endswith(".")


@pytest.mark.parametrize("name", CORES)
def test_host_with_threads_and_memory(name: str) -> None:
    """Neither OpenMP nor malloc is called, and what the allocator gave comes back: see host.c."""
    compiler = "clang" if name == "clang" else "gcc"
    built = program(PROGRAMS / "host.c", compiler, name)
    done = run([built])
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stdout.splitlines()) == 17


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_c_file_without_openmp_knows_none(name: str) -> None:
    symbols = succeed([tool("nm"), core(name)[0]]).decode()
    assert "cconv_conv" in symbols
    assert not re.findall(r"\b(?:GOMP|omp|__kmpc|pthread)_\w+", symbols)


# ------------------------------------------------------------------------ what config says, and how


def test_config_answers_a_line_each() -> None:
    command = [sys.executable, "-m", "cconv", "config", "--libs", "--cflags", "--sources"]
    lines = succeed(command, env=environment(), cwd=scratch()).decode().splitlines()
    assert lines[0] == f"-I{cconv.get_include()}"  # in the order of the help
    assert lines[1].startswith("-L")
    assert lines[1].endswith("-lm")
    assert lines[2].endswith("cconv.c")
    assert all(Path(cconv.get_include(), name).is_file() for name in ("cconv.h", "cconv_import.h"))


def test_config_wants_an_option() -> None:
    done = run([sys.executable, "-m", "cconv", "config"], env=environment(), cwd=scratch())
    assert done.returncode == 2
    assert "--pkgconfigdir" in done.stderr.decode()


def test_package_can_be_moved(tmp_path: Path) -> None:
    """pkg-config finds header and library where the package lies now."""
    home = tmp_path / "another-place"
    package = Path(cconv.get_include()).parent
    for folder in ("include", "lib"):
        shutil.copytree(package / folder, home / folder)
    env = clean_environment(PKG_CONFIG_PATH=str(home / "lib" / "pkgconfig"))
    ask = [tool("pkg-config"), "--cflags", "--libs"]
    flags = shlex.split(succeed([*ask, "cconv"], env=env).decode())
    target = tmp_path / "moved"
    succeed([tool("gcc"), PROGRAMS / "filter_image.c", *flags, "-o", target])
    assert succeed([target]).count(b"\n") == 13 * 10
    version = succeed([ask[0], "--modversion", "cconv"], env=env).decode().strip()
    assert version == cconv.__version__


def test_entry_points_name_the_folders() -> None:
    try:
        distribution = importlib.metadata.distribution("cconv")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("cconv runs from its sources, not installed")
    found = {point.group: point.value for point in distribution.entry_points}
    folder = importlib.resources.files(found["pkg_config"])
    assert (folder / "cconv.pc").is_file()
    root = importlib.resources.files(found["cmake.root"])
    assert (root / "lib" / "cmake" / "cconv" / "cconv-config.cmake").is_file()


@pytest.mark.parametrize(
    ("compiler", "standard", "language"),
    [
        ("gcc", "c11", "c"),
        ("clang", "c11", "c"),
        ("g++", "c++17", "c++"),
        ("clang++", "c++17", "c++"),
    ],
)
def test_headers_compile_alone(compiler: str, standard: str, language: str, tmp_path: Path) -> None:
    flags = [f"-std={standard}", *C_FLAGS[1:], "-fsyntax-only", "-x", language, *config("cflags")]
    python = f"-isystem{sysconfig.get_path('include')}"
    use = "int main(void) { return (int)sizeof(cconv_tensor) == 0; }\n"
    for header in ("cconv.h", "cconv_import.h"):
        source = tmp_path / "alone.txt"
        source.write_text(f'#include "{header}"\n#include "{header}"\n' + use)
        succeed([tool(compiler), *flags, *([python] if header == "cconv_import.h" else []), source])


def test_call_of_the_manual_is_good(tmp_path: Path) -> None:
    header = Path(cconv.get_include(), "cconv.h").read_text(encoding="utf-8")
    call = re.findall(r"^ \*     (.*)$", header.partition("#ifndef")[0], re.MULTILINE)
    assert any("cconv_conv(" in line for line in call)
    source, target = tmp_path / "call.c", tmp_path / "call"
    arrays = "static float image[3 * 32 * 32], filters[8 * 3 * 3 * 3], result[8 * 30 * 30];"
    lines = ['#include "cconv.h"', "#include <stdlib.h>", arrays, "int main(void) {", *call]
    source.write_text("\n".join([*lines, "return status;", "}", ""]))
    command = [tool("gcc"), *C_FLAGS, *config("cflags"), source, *config("libs"), "-o", target]
    succeed(command)
    succeed([target])


def test_header_includes_only_the_standard_library() -> None:
    header = Path(cconv.get_include(), "cconv.h").read_text(encoding="utf-8")
    included = {line.split()[1] for line in header.splitlines() if line.startswith("#include")}
    assert included == {"<stddef.h>", "<stdint.h>"}
