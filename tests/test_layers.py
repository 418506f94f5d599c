# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""The layer law: what a file may include, import and say, checked on the text of the sources.

A rule is a function from a tree (file name -> text) to sentences, one for each violation. Every
rule is run on the repository, and on small invented trees that break it: a rule that finds nothing
there would find nothing anywhere.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import pytest
from toolchain import ROOT, strip

Tree = dict[str, str]
Rule = Callable[[Tree], Iterator[str]]

# An #include may point down this list, or stay where it is.
LAYERS = ("ops", "choose", "kernels", "shape", "tensor", "base", "include")
MAX_LINES = 600
C_SUFFIXES = {".c", ".h", ".inc"}

# ------------------------------------------------------------------------------------------ C text

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def hits(tree: Tree, pattern: str, *, strings: bool = False) -> Iterator[tuple[str, str]]:
    """(file, "file:line: line") for each line of code that `pattern` is found in."""
    for name, text in tree.items():
        for number, line in enumerate(strip(text, strings=strings).split("\n"), 1):
            if re.search(pattern, line):
                yield name, f"{name}:{number}: {line.strip()}"


def included(text: str, tree: Tree) -> Iterator[str]:
    """Operands of the #includes of a text; for a macro, every file the tree defines it as."""
    for operand in _INCLUDE.findall(strip(text, strings=True)):
        define = re.compile(rf'^[ \t]*#[ \t]*define[ \t]+{re.escape(operand)}[ \t]+(".*")', re.M)
        meant = [file for other in tree.values() for file in define.findall(other)]
        yield from meant or [operand]


def includes(tree: Tree) -> Iterator[tuple[str, str, str | None]]:
    """(file, operand of its #include, the file of the tree that it names or None)."""
    for name, text in tree.items():
        for operand in included(text, tree):
            target = operand[1:-1]
            beside = str(PurePosixPath(name).parent / target)
            places = (target, f"include/{target}", beside)
            yield name, operand, next((place for place in places if place in tree), None)


def include_arrows(tree: Tree) -> Iterator[str]:
    """Includes point down the layers; the kernels reach only themselves, base and include."""
    for name, operand, target in includes(tree):
        layer = name.partition("/")[0]
        if layer not in LAYERS:
            yield f"{name} lies in no layer"
        elif target is None:
            if not operand.startswith("<"):
                yield f"{name} includes {operand}, which names no file of the core"
        else:
            below = LAYERS[LAYERS.index(layer) :]
            if layer == "kernels":
                below = ("kernels", "base", "include")
            if target.partition("/")[0] not in below:
                yield f"{name} includes {target}: an arrow up"


def openmp_in_one_place(tree: Tree) -> Iterator[str]:
    """Only base/parallel.* says omp: in a pragma, a call, a header or a condition."""
    word = r"\b(_OPENMP|omp_\w+|OMP_\w+|omp)\b"
    for name, where in hits(tree, word, strings=True):
        if not name.startswith("base/parallel."):
            yield f"{where} (OpenMP outside base/parallel.*)"


def no_allocation_no_output(tree: Tree) -> Iterator[str]:
    """The core neither allocates, nor writes, nor ends the process: that is the caller's to do.

    This reads calls; test_symbols.py asks the compiled objects what they really refer to.
    """
    words = (
        "malloc calloc realloc aligned_alloc posix_memalign memalign valloc alloca free strdup mmap"
        " printf fprintf vprintf vfprintf dprintf puts fputs putchar putc fputc fwrite perror"
        " abort exit _exit _Exit quick_exit assert raise longjmp"
    )
    forbidden = "|".join(words.split())
    for _, where in hits(tree, rf"(?<![\w.])(?<!->)({forbidden})\s*\("):
        yield f"{where} (not in the core)"


def environment_in_one_place(tree: Tree) -> Iterator[str]:
    """Only the dispatch and base read the environment."""
    for name, where in hits(tree, r"\b(secure_)?getenv\b|\benviron\b"):
        if name != "kernels/dispatch.c" and not name.startswith("base/"):
            yield f"{where} (environment read outside kernels/dispatch.c and base)"


def no_python(tree: Tree) -> Iterator[str]:
    """The core knows no Python and no NumPy."""
    for name, operand, _ in includes(tree):
        if re.search(r"Python\.h|numpy/", operand):
            yield f"{name} includes {operand}"
    for _, where in hits(tree, r"\b(Py[A-Z_]\w*|NPY_\w+)\b"):
        yield f"{where} (Python in the core)"


def intrinsics_in_kernels(tree: Tree) -> Iterator[str]:
    """Intrinsics, and the headers that bring them, stay in the kernels and in base/cpu.c."""
    for name, operand, _ in includes(tree):
        brings = re.search(r"intrin\.h|arm_neon\.h|arm_sve\.h|cpuid\.h|altivec\.h", operand)
        if brings and not name.startswith("kernels/") and name != "base/cpu.c":
            yield f"{name} includes {operand}"
    for name, where in hits(tree, r"\b(_mm\d*_\w+|__m\d+[id]?|__builtin_ia32_\w+)\b"):
        if not name.startswith("kernels/"):
            yield f"{where} (an intrinsic outside the kernels)"


def integers_only(tree: Tree) -> Iterator[str]:
    """The layers shape and choose calculate with integers."""
    for name, where in hits(tree, r"\b(float|double|math\.h)\b", strings=True):
        if name.startswith(("shape/", "choose/")):
            yield f"{where} (shape and choose are integers in, integers out)"


def macros_on_one_line(tree: Tree) -> Iterator[str]:
    """A macro names or annotates, and never spans lines."""
    for name, text in tree.items():
        for number, line in enumerate(text.split("\n"), 1):
            if re.match(r"[ \t]*#[ \t]*define\b.*\\[ \t]*$", line):
                yield f"{name}:{number}: {line.strip()}"


def opens_with_its_purpose(tree: Tree) -> Iterator[str]:
    """A C file opens with its name and what it is for, after the licence line if there is one."""
    for name, text in tree.items():
        own = re.escape(PurePosixPath(name).name)
        if not re.match(rf"/\*( SPDX[^\n]*\n \*)? {own} - \S.*", text):
            yield f"{name} does not open with its name and purpose: {text[:60]!r}"


def bounded_length(tree: Tree) -> Iterator[str]:
    """No file is longer than MAX_LINES."""
    for name, text in tree.items():
        count = len(text.splitlines())
        if count > MAX_LINES:
            yield f"{name} has {count} lines; the limit is {MAX_LINES}"


# ------------------------------------------------------------------------------------- Python text

# They use the package as anybody would, and nothing in it uses them.
APPLICATIONS = {"demo", "bench", "__main__", "_measure", "_picture", "_banks"}
FAMILY_FILE = 5


def module_of(name: str) -> str:
    """The module that a file of the tree holds, below cconv; "" is cconv itself."""
    parts = list(PurePosixPath(name).with_suffix("").parts[1:])
    if parts and parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def rank(module: str) -> int:
    """How high a module stands: an import may only go down (to equals: see import_arrows)."""
    head = module.partition(".")[0]
    if head in APPLICATIONS:
        return 7
    if head == "":
        return 6
    if not head.startswith("_") and head != "reference":
        return FAMILY_FILE
    # _threads asks the backend how many threads there are, _cache keeps its plans; _convolution,
    # _pooling and _passes use them.
    above = {
        "_convolution": 4,
        "_pooling": 4,
        "_passes": 4,
        "_threads": 3,
        "_cache": 3,
        "_backend": 2,
    }
    return {**above, "_core": 1, "reference": 1}.get(head, 0)


def _absolute(node: ast.ImportFrom, name: str) -> str:
    if node.level == 0:
        return node.module or ""
    package = PurePosixPath(name).parent.parts
    base = package[: len(package) - node.level + 1]
    return ".".join((*base, *([node.module] if node.module else [])))


def imported(name: str, text: str, known: set[str]) -> Iterator[str]:
    """Modules below cconv that a file imports, at any depth of its code, also by import_module."""
    for node in ast.walk(ast.parse(text)):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, name)
            targets = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in {"import_module", "__import__", "find_spec"} and node.args:
                value = getattr(node.args[0], "value", "")
                targets = [value] if isinstance(value, str) else []
                if targets and targets[0].startswith("."):
                    targets = ["cconv" + targets[0]]
        for target in targets:
            if target.partition(".")[0] != "cconv":
                continue
            path = target.partition(".")[2]
            while path and path not in known:  # a name inside a module is the module
                path = path.rpartition(".")[0]
            yield path


def _python_files(tree: Tree) -> dict[str, str]:
    return {name: text for name, text in tree.items() if name.endswith((".py", ".pyi"))}


def import_arrows(tree: Tree) -> Iterator[str]:
    """Imports point down; only _backend takes _core, and family files never see each other.

    The order is ``__init__``, family files, ``_backend``, then ``_core`` and ``reference``, and the
    other ``_`` modules at the bottom, which may use each other without a circle.
    """
    known = {module_of(name) for name in tree} | {"_core", "_build_config"}
    low: dict[str, set[str]] = {}
    for name, text in _python_files(tree).items():
        module = module_of(name)
        for target in imported(name, text, known):
            if target == module:
                continue
            own, other = rank(module), rank(target)
            arrow = f"{name} imports cconv{'.' if target else ''}{target}"
            if target == "_core" and module != "_backend":
                yield f"{arrow}: only _backend may"
            elif own == FAMILY_FILE and not target.startswith("_"):
                yield f"{arrow}: a family file uses only _ modules"
            elif other > own or (other == own and own in {2, 3, 4, FAMILY_FILE, 6}):
                yield f"{arrow}: an arrow up"
            elif other == own == 0:
                low.setdefault(module, set()).add(target)
    yield from _circles(low)


def _circles(graph: dict[str, set[str]]) -> Iterator[str]:
    for start in graph:
        reached: set[str] = set()
        todo = list(graph[start])
        while todo:
            module = todo.pop()
            if module not in reached:
                reached.add(module)
                todo += graph.get(module, ())
        if start in reached:
            yield f"cconv.{start} imports itself in a circle"


def thin_init(tree: Tree) -> Iterator[str]:
    """``cconv/__init__.py`` has public names and the version, nothing else."""
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
    for node in ast.parse(tree.get("cconv/__init__.py", "")).body:
        if not isinstance(node, allowed):
            yield f"cconv/__init__.py:{node.lineno}: {type(node).__name__}"


MAX_CORE_LINES = 25
_HEAD = re.compile(r"^([ \t]*)(?:def|cdef(?! class)|cpdef)\b.*\)[^()\n]*:[ \t]*(#.*)?$")


def _without_docstrings(text: str) -> str:
    triple = re.compile(r"(\"\"\"|''').*?\1", re.DOTALL)
    return triple.sub(lambda match: '""' + "\n" * match.group().count("\n"), text)


def core_functions(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """(signature, its line, lines of code in the body) of each function of a .pyx file."""
    lines = [re.sub(r"(^|[ \t])#.*$", "", line) for line in _without_docstrings(text).split("\n")]
    index = 0
    while index < len(lines):
        start, head = index, lines[index]
        if re.match(r"[ \t]*(def|cdef|cpdef)\b.*\(", head):
            while head.count("(") > head.count(")") and index + 1 < len(lines):
                index += 1
                head += " " + lines[index].strip()
        found = _HEAD.match(head)
        index += 1
        if not found:
            continue
        indent, body = len(found.group(1)), []
        while index < len(lines):
            line = lines[index]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            if line.strip() not in {"", '""', "pass"}:
                body.append(line)
            index += 1
        yield head.strip(), start + 1, body


def short_core_functions(tree: Tree) -> Iterator[str]:
    """Cython translates: a function of _core.pyx has at most MAX_CORE_LINES lines of code."""
    for name, text in tree.items():
        if name.endswith((".pyx", ".pxi")):
            for head, line, body in core_functions(text):
                if len(body) > MAX_CORE_LINES:
                    yield f"{name}:{line}: {len(body)} lines in {head}"


def no_data_in_core(tree: Tree) -> Iterator[str]:
    """No function of _core.pyx reads elements or calculates: it copies integers and pointers.

    So no C floating-point variable, no typed view, no pointer to elements, and no operator between
    two values. Operators are told from pointers and unary signs by the space on both sides.
    """
    element = r"(float|double|float32_t|float64_t|int8_t|uint8_t|int16_t|int32_t)"
    patterns = {
        rf"\b{element}\s*(\[[:,]|\*\s*\w)": "elements",
        r"\b(float|double)\s+\w+\s*(=|,|$)": "a floating-point variable",
        r"[\w)\]]\s+(\+|-|\*|/|//|%|\*\*|<<|>>|@|&|\||\^)\s+[\w(\[\"-]": "arithmetic",
        r"[-+*/%|&^@]=": "arithmetic",
        r"\bmemcpy\b|\bmemset\b|\bfused\b": "elements",
    }
    for name, text in tree.items():
        if not name.endswith((".pyx", ".pxi")):
            continue
        for head, line, body in core_functions(text):
            for code in body:
                plain = re.sub(r"\"[^\"]*\"|'[^']*'", '""', code)
                for pattern, what in patterns.items():
                    if re.search(pattern, plain):
                        yield f"{name}:{line}: {what} in {head}: {code.strip()}"


def core_imports_no_package(tree: Tree) -> Iterator[str]:
    """_core.pyx imports nothing of cconv but the declarations of the core, cconv/__init__.pxd."""
    for name, text in tree.items():
        if name.endswith((".pyx", ".pxi", ".pxd")):
            for line in _without_docstrings(text).split("\n"):
                words = re.match(r"[ \t]*(?:from|import|cimport)[ \t]+([\w.]+)", line)
                if line == "from cconv cimport *":
                    continue
                if words and re.match(r"\.|cconv\b", words.group(1)):
                    yield f"{name}: {line.strip()}"


# ----------------------------------------------------------------------------------- on the project

C_RULES: list[Rule] = [
    include_arrows,
    openmp_in_one_place,
    no_allocation_no_output,
    environment_in_one_place,
    no_python,
    intrinsics_in_kernels,
    integers_only,
    macros_on_one_line,
    opens_with_its_purpose,
    bounded_length,
]
PYTHON_RULES: list[Rule] = [
    import_arrows,
    thin_init,
    short_core_functions,
    no_data_in_core,
    core_imports_no_package,
    bounded_length,
]


def read_tree(folder: str, suffixes: set[str], *, below: str) -> Tree:
    """The files under ROOT/folder, named relative to ROOT/below; no test where there are none."""
    base = ROOT / below
    tree = {
        path.relative_to(base).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in suffixes and path.name != "_build_config.py"
    }
    if not tree:
        pytest.skip(f"{folder} is not beside the tests (they run against an installed package)")
    return tree


@pytest.mark.parametrize("rule", C_RULES, ids=lambda rule: rule.__name__)
def test_c_rule(rule: Rule) -> None:
    tree = read_tree("src_c", C_SUFFIXES, below="src_c")
    assert not list(rule(tree)), rule.__doc__


@pytest.mark.parametrize("rule", PYTHON_RULES, ids=lambda rule: rule.__name__)
def test_python_rule(rule: Rule) -> None:
    tree = read_tree("cconv", {".py", ".pyi", ".pyx", ".pxi", ".pxd"}, below=".")
    assert not list(rule(tree)), rule.__doc__


def test_test_files_are_bounded_too() -> None:
    tree = read_tree("tests", {".py", ".c", ".h"}, below=".")
    assert not list(bounded_length(tree))


def test_the_rules_see_what_they_judge() -> None:
    core = read_tree("src_c", C_SUFFIXES, below="src_c")
    assert {"include/cconv.h", "ops/conv.c", "ops/pool.c", "kernels/dispatch.c"} <= set(core)
    targets = {target for _, _, target in includes(core)}
    assert {"include/cconv.h", "kernels/kernels.h", "base/checked.h"} <= targets

    package = read_tree("cconv", {".py", ".pyx", ".pxi"}, below=".")
    assert {"cconv/__init__.py", "cconv/_backend.py", "cconv/conv.py"} <= set(package)
    known = {module_of(name) for name in package}
    assert "_backend" in set(imported("cconv/unfold.py", package["cconv/unfold.py"], known))
    heads = [
        head
        for name in ("_core.pyx", "_plan.pxi")
        for head, _, _ in core_functions(package[f"cconv/{name}"])
    ]
    assert any(" call(" in head for head in heads)
    assert any(" unfold(" in head for head in heads)


# -------------------------------------------------------------------------- the rules can be broken

CONV_H = {"ops/conv.h": "", "base/checked.h": "", "include/cconv.h": "", "kernels/vec.h": ""}
FAMILY = {
    "cconv/__init__.py": "",
    "cconv/_backend.py": "",
    "cconv/_shape.py": "",
    "cconv/pool.py": "",
    "cconv/conv.py": "",
    "cconv/reference/__init__.py": "",
    "cconv/reference/conv.py": "",
}

BROKEN: list[tuple[Rule, Tree]] = [
    (include_arrows, CONV_H | {"base/status.c": '#include "ops/conv.h"'}),
    (include_arrows, CONV_H | {"kernels/a.c": '#include "tensor/t.h"', "tensor/t.h": ""}),
    (include_arrows, CONV_H | {"kernels/a.c": '#include "shape/s.h"', "shape/s.h": ""}),
    (include_arrows, CONV_H | {"include/cconv.h": "#include <base/checked.h>"}),
    (include_arrows, CONV_H | {"base/a.c": '  #  include  "../ops/conv.h"'}),
    (include_arrows, CONV_H | {"ops/a.c": '#include "gone.h"'}),
    (include_arrows, CONV_H | {"ops/a.c": "#include CC_FILE"}),
    (include_arrows, CONV_H | {"base/a.c": '#define F "ops/conv.h"\n#include F'}),
    (include_arrows, {"other/a.c": "#include <stdint.h>"}),
    (openmp_in_one_place, {"ops/a.c": "#pragma omp parallel"}),
    (openmp_in_one_place, {"ops/a.c": '_Pragma("omp simd")'}),
    (openmp_in_one_place, {"base/cpu.c": "#include <omp.h>"}),
    (openmp_in_one_place, {"base/cpu.c": "#if defined(_OPENMP)"}),
    (openmp_in_one_place, {"kernels/a.c": "int n = omp_get_num_threads();"}),
    (no_allocation_no_output, {"ops/a.c": "void *p = malloc(3);"}),
    (no_allocation_no_output, {"ops/a.c": "free (p);"}),
    (no_allocation_no_output, {"base/a.c": "if (x) abort();"}),
    (no_allocation_no_output, {"base/a.c": '/* */ printf("x");'}),
    (no_allocation_no_output, {"base/a.c": "assert(n > 0);"}),
    (environment_in_one_place, {"ops/a.c": 'getenv("X");'}),
    (environment_in_one_place, {"kernels/tile/a.c": 'getenv("X");'}),
    (no_python, {"ops/a.c": "#include <Python.h>"}),
    (no_python, {"ops/a.c": "PyObject *o;"}),
    (intrinsics_in_kernels, {"ops/a.c": "#include <immintrin.h>"}),
    (intrinsics_in_kernels, {"base/cpu.h": "#include <cpuid.h>"}),
    (intrinsics_in_kernels, {"ops/a.c": "__m256 v;"}),
    (integers_only, {"shape/a.c": "double r = 1;"}),
    (integers_only, {"choose/a.h": "#include <math.h>"}),
    (macros_on_one_line, {"base/a.h": "#define A(x) \\\n  (x)"}),
    (macros_on_one_line, {"base/a.h": "  # define A \\ \n 1"}),
    (opens_with_its_purpose, {"base/a.c": "#include <x.h>"}),
    (opens_with_its_purpose, {"base/a.c": "/* b.c - the wrong name */"}),
    (opens_with_its_purpose, {"base/a.c": "/* a.c */"}),
    (opens_with_its_purpose, {"base/a.c": "/* SPDX-License-Identifier: X\n */"}),
    (bounded_length, {"base/a.c": "\n" * (MAX_LINES + 1)}),
    (import_arrows, FAMILY | {"cconv/_shape.py": "from . import pool"}),
    (import_arrows, FAMILY | {"cconv/_shape.py": "from ._backend import load"}),
    (import_arrows, FAMILY | {"cconv/_shape.py": "import cconv"}),
    (import_arrows, FAMILY | {"cconv/pool.py": "from .conv import conv2d"}),
    (import_arrows, FAMILY | {"cconv/pool.py": "def f():\n    from cconv.conv import conv2d"}),
    (import_arrows, FAMILY | {"cconv/pool.py": "from cconv import reference"}),
    (import_arrows, FAMILY | {"cconv/pool.py": "from . import _core"}),
    (import_arrows, FAMILY | {"cconv/pool.py": "import cconv"}),
    (import_arrows, FAMILY | {"cconv/_backend.py": "from .pool import max_pool1d"}),
    (import_arrows, FAMILY | {"cconv/reference/conv.py": "from .. import _core"}),
    (import_arrows, FAMILY | {"cconv/reference/conv.py": "from .._backend import load"}),
    (import_arrows, FAMILY | {"cconv/reference/conv.py": "from ..pool import f"}),
    (import_arrows, FAMILY | {"cconv/__init__.py": "from ._core import conv"}),
    (import_arrows, FAMILY | {"cconv/conv.py": "from . import demo", "cconv/demo.py": ""}),
    (import_arrows, FAMILY | {"cconv/_shape.py": "from . import demo", "cconv/demo.py": ""}),
    (import_arrows, FAMILY | {"cconv/conv.py": "import_module('cconv._core')"}),
    (import_arrows, FAMILY | {"cconv/conv.py": "import_module('._core', 'cconv')"}),
    (import_arrows, {"cconv/_a.py": "from ._b import x", "cconv/_b.py": "from . import _a"}),
    (thin_init, {"cconv/__init__.py": "def f(): pass"}),
    (thin_init, {"cconv/__init__.py": "try:\n    import x\nexcept ImportError:\n    x = None"}),
    (short_core_functions, {"cconv/_core.pyx": "def f(a,\n      b):\n" + "    g()\n" * 26}),
    (short_core_functions, {"cconv/_core.pyx": "cdef int f(int a) except -1:\n" + " g()\n\n" * 26}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(double[:] x):\n    cdef double[:, :] y = x"}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(x):\n    cdef float *p = get(x)"}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(x):\n    y[0] = a[1] * b[2]"}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(x):\n    y[0] = a[1] + b[2]"}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(x):\n    total += x"}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(x):\n    n = x // 2"}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(x):\n    n = x * 2"}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(x):\n    g(len(x) - 1)"}),
    (core_imports_no_package, {"cconv/_core.pyx": "from cconv._shape import output_shape"}),
    (core_imports_no_package, {"cconv/_core.pyx": "from . import _shape"}),
    (core_imports_no_package, {"cconv/_core.pyx": "from cconv cimport _shape"}),
]

SOUND: list[tuple[Rule, Tree]] = [
    (include_arrows, CONV_H | {"ops/a.c": '#include "base/checked.h"\n#include "cconv.h"'}),
    (include_arrows, CONV_H | {"ops/a.c": '#include "conv.h" /* beside it */\n#include <math.h>'}),
    (include_arrows, CONV_H | {"base/a.c": '/* #include "ops/conv.h" */\n// #include "x"'}),
    (include_arrows, CONV_H | {"kernels/tile/a.c": '#include "kernels/vec.h"'}),
    (include_arrows, CONV_H | {"kernels/a.c": '#define F "kernels/vec.h"\n#include F'}),
    (openmp_in_one_place, {"base/parallel.c": "#include <omp.h>\n#pragma omp parallel"}),
    (openmp_in_one_place, {"ops/a.c": "/* no omp here */ int cconv_openmp_version(void);"}),
    (no_allocation_no_output, {"ops/a.c": 'a.free(p); b->free(q); int free = n; s = "malloc";'}),
    (no_allocation_no_output, {"ops/a.c": "_Static_assert(1, x); int assertion;"}),
    (environment_in_one_place, {"kernels/dispatch.c": 'getenv("X");', "base/a.c": "getenv"}),
    (intrinsics_in_kernels, {"kernels/vec.h": "#include <immintrin.h>\n__m512 v;"}),
    (intrinsics_in_kernels, {"base/cpu.c": "#include <cpuid.h>"}),
    (integers_only, {"shape/a.c": "/* no double */ int64_t n;", "ops/a.c": "double a;"}),
    (macros_on_one_line, {"base/a.h": "#define A(x) (x)\n#if A && \\\n B"}),
    (opens_with_its_purpose, {"base/a.c": "/* a.c - holds a.\n */"}),
    (opens_with_its_purpose, {"base/a.c": "/* SPDX-License-Identifier: X\n * a.c - holds a.\n */"}),
    (bounded_length, {"base/a.c": "x\n" * MAX_LINES}),
    (import_arrows, FAMILY | {"cconv/pool.py": "from ._backend import load\nimport numpy"}),
    (import_arrows, FAMILY | {"cconv/_backend.py": "from . import _core, reference"}),
    (import_arrows, FAMILY | {"cconv/reference/conv.py": "from .._shape import f"}),
    (import_arrows, FAMILY | {"cconv/__init__.py": "from .pool import f\nfrom .conv import g"}),
    (import_arrows, FAMILY | {"cconv/demo.py": "import cconv\nfrom cconv import reference"}),
    (thin_init, {"cconv/__init__.py": '"""Doc."""\nfrom .a import b\n__all__ = ["b"]'}),
    (short_core_functions, {"cconv/_core.pyx": "def f():\n" + "    # why\n    g()\n" * 25}),
    (short_core_functions, {"cconv/_core.pyx": 'def f():\n    """A\n' + "b\n" * 40 + '    """\n'}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(x):\n    cdef void *p = NULL\n    g(&t, *rest)"}),
    (no_data_in_core, {"cconv/_core.pyx": "def f(x):\n    for i in range(-1, n):\n        g(i)"}),
    (core_imports_no_package, {"cconv/_core.pyx": "cimport numpy\nfrom libc.stdint cimport x"}),
    (core_imports_no_package, {"cconv/_core.pyx": "from cconv cimport *\nimport numpy"}),
]


def _name(case: object) -> str:
    return getattr(case, "__name__", "")


@pytest.mark.parametrize(("rule", "tree"), BROKEN, ids=_name)
def test_a_violation_is_found(rule: Rule, tree: Tree) -> None:
    assert list(rule(tree))


@pytest.mark.parametrize(("rule", "tree"), SOUND, ids=_name)
def test_sound_code_passes(rule: Rule, tree: Tree) -> None:
    assert not list(rule(tree))


def test_every_rule_has_a_tree_that_breaks_it() -> None:
    assert {rule for rule, _ in BROKEN} == {*C_RULES, *PYTHON_RULES}
