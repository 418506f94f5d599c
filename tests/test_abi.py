# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""The binary interface is what tests/embed/abi.txt says, and tools/abi.py sees what changes it."""

from __future__ import annotations

import re
import struct
import sys
from typing import TYPE_CHECKING

import pytest
from toolchain import CORE, ROOT, core_sources, once, tool

import cconv

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = ROOT / "tools"
if TOOLS.is_dir():
    sys.path.insert(0, str(TOOLS))
    import abi
else:
    pytest.skip("tools is not beside the tests", allow_module_level=True)

HEADER = CORE / "include" / "cconv.h"
CAPSULE = ROOT / "cconv" / "cconv_import.h"
ADVICE = """\
The binary interface is not what tests/embed/abi.txt says. If lines were only added, or
parameters only got other names in their places, write it anew:
    python tools/abi.py src_c/include/cconv.h cconv/cconv_import.h > tests/embed/abi.txt
If one changed or went, or a struct grew, raise CCONV_ABI in cconv.h first."""


@pytest.fixture(autouse=True)
def _tools() -> None:
    once()
    core_sources()
    tool("cc")
    if struct.calcsize("P") != 8:
        pytest.skip("abi.txt is of machines with pointers of 64 bits")


def test_interface_is_as_described() -> None:
    expected = (ROOT / "tests" / "embed" / "abi.txt").read_text(encoding="utf-8")
    assert abi.describe(HEADER, CAPSULE) == expected, ADVICE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("#define CCONV_ABI 1", "#define CCONV_ABI 2"),
        ("#define CCONV_MAX_RANK 5 ", "#define CCONV_MAX_RANK 6 "),
        ("CCONV_POOL_MAX = 0, CCONV_POOL_AVERAGE", "CCONV_POOL_AVERAGE = 0, CCONV_POOL_MAX"),
        ("CCONV_CANCELLED ", "CCONV_NEW, CCONV_CANCELLED "),
        ("  int32_t rank;\n  void *data;", "  void *data;\n  int32_t rank;"),
        ("  int32_t rank;", "  uint32_t rank;"),
        ("  double padding_value;\n", "  float padding_value;\n"),
        ("  void *host;\n} cconv_context;", "  void *host;\n  int32_t more;\n} cconv_context;"),
        (
            "void (*release)(void *host, void *memory",
            "void (*release)(void *host, const void *memory",
        ),
        ("int cconv_forked(void);", ""),
        ("int cconv_forked(void);", "long cconv_forked(void);"),
        ("const char *cconv_isa_name(int index)", "const char *cconv_isa_name(long index)"),
        (
            "const cconv_tensor *bias, const cconv_tensor *residual",
            "const cconv_tensor *residual, const cconv_tensor *bias",
        ),
    ],
)
def test_a_change_is_seen(old: str, new: str, tmp_path: Path) -> None:
    text = HEADER.read_text(encoding="utf-8")
    assert old in text
    changed = tmp_path / "cconv.h"
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert abi.describe(changed, CAPSULE) != abi.describe(HEADER, CAPSULE)


def test_another_order_of_the_capsule_is_seen(tmp_path: Path) -> None:
    text = CAPSULE.read_text(encoding="utf-8")
    changed = tmp_path / "cconv_import.h"
    first = "  __typeof__(cconv_conv_workspace) *conv_workspace;\n"
    second = "  __typeof__(cconv_conv) *conv;\n"
    changed.write_text(text.replace(first + second, second + first), encoding="utf-8")
    assert abi.describe(HEADER, changed) != abi.describe(HEADER, CAPSULE)


def test_comments_and_space_are_no_change(tmp_path: Path) -> None:
    text = HEADER.read_text(encoding="utf-8")
    changed = tmp_path / "cconv.h"
    changed.write_text(text.replace("int32_t rank;", "int32_t   rank; /* new */"), encoding="utf-8")
    assert abi.describe(changed, CAPSULE) == abi.describe(HEADER, CAPSULE)


@pytest.mark.parametrize(
    "new",
    [
        "typedef int (*cconv_hook)(void *host);",
        "typedef int32_t cconv_number;",
        "typedef union cconv_any { int a; float b; } cconv_any;",
        "extern int cconv_state;",
        "#define CCONV_MOST (1 << 4)",
        "#define CCONV_MASK 0xff",
        "int cconv_one(void); int cconv_two(void);",
        "static inline int cconv_three(void) { return 3; }",
    ],
)
def test_what_is_not_described_is_refused(new: str, tmp_path: Path) -> None:
    text = HEADER.read_text(encoding="utf-8")
    changed = tmp_path / "cconv.h"
    changed.write_text(text.replace("int cconv_forked(void);", f"{new}\nint cconv_forked(void);"))
    with pytest.raises(ValueError, match="cannot describe"):
        abi.describe(changed, CAPSULE)


def functions() -> set[str]:
    return set(re.findall(r"\b(cconv_\w+)\(", abi.without_comments(HEADER.read_text())))


def test_capsule_has_every_function() -> None:
    """In the struct that clients see, and in the table that the extension fills."""
    places = abi.PLACE.findall(CAPSULE.read_text(encoding="utf-8"))
    assert all(function == name for function, name in places)
    filled = re.findall(r"\.(\w+) = (cconv_\w+),", (ROOT / "cconv" / "_capsule.pxi").read_text())
    assert all(f"cconv_{name}" == function for name, function in filled)
    assert {f"cconv_{name}" for _, name in places} == {f for _, f in filled} == functions()


PXD = ROOT / "cconv" / "__init__.pxd"
# What Cython says otherwise than C: sizes are numbers, and functions may not raise exceptions.
SPELLINGS = {"CCONV_MAX_RANK": "5", "CCONV_MAX_SPATIAL": "3", "(void)": "()", " noexcept": ""}


def spelled(text: str) -> str:
    for old, new in SPELLINGS.items():
        text = text.replace(old, new)
    return text


def interface() -> list[str]:
    """The lines of abi.txt without a compiler's numbers, and the macros of the version."""
    described = (ROOT / "tests" / "embed" / "abi.txt").read_text(encoding="utf-8")
    lines = re.findall(r"^(?!capsule )(.*)$", described, re.MULTILINE)
    constants = [f"constant {name}" for name in re.findall(r"\bCCONV_\w+(?= = )", described)]
    version = [f"constant CCONV_VERSION_{part}" for part in ("MAJOR", "MINOR", "PATCH")]
    kept = [re.sub(r"(: |, )\d+ bytes( at \d+)?$", "", line) for line in lines if " = " not in line]
    return sorted([*constants, *version, *map(spelled, filter(None, kept))])


def cython_interface(text: str) -> list[str]:
    """The same of __init__.pxd."""
    text = re.sub(r"[ \t]*#.*", "", text)
    text = re.sub(r",\n\s+|(?<=\()\n\s+", lambda m: m[0].strip() + " " * (m[0][0] == ","), text)
    found = [f"constant {name}" for name in re.findall(r"^    enum: (\w+)$", text, re.MULTILINE)]
    for name, body in re.findall(
        r"^    ctypedef struct (\w+):\n((?: {8}.*\n)+)", text, re.MULTILINE
    ):
        if body.split() == ["pass"]:
            found.append(f"{name}: opaque")
            continue
        found.append(name)
        members = abi.members(spelled(body).replace("\n", ";"))
        found += [f"{name}.{member}: {kind}" for member, kind in members]
    found += re.findall(r"^    ((?!ctypedef )\w.*\))$", text, re.MULTILINE)
    return sorted(found)


def test_cython_has_all_of_the_header() -> None:
    """Constants, structs with their members, and functions, each of the type that C gives it."""
    assert cython_interface(PXD.read_text(encoding="utf-8")) == interface()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    enum: CCONV_BOOL\n", "    # CCONV_BOOL\n"),
        ("        int64_t stride[5]\n", "        int64_t stride[4]\n"),
        ("        double p\n", "        float p\n"),
        ("        int32_t kind, ceil_mode,", "        int32_t ceil_mode,"),
        ("        int64_t pad_before[3]\n", ""),
        ("void *arg,\n ", "const void *arg,\n "),
        ("    ctypedef struct cconv_plan:\n        pass\n", ""),
        ("const cconv_plan *plan, cconv_plan_info", "cconv_plan *plan, cconv_plan_info"),
        ("    int cconv_forked()\n", ""),
        ("    int cconv_forked()\n", "    long cconv_forked()\n"),
    ],
)
def test_a_change_of_cython_is_seen(old: str, new: str) -> None:
    text = PXD.read_text(encoding="utf-8")
    assert old in text
    assert cython_interface(text.replace(old, new, 1)) != interface()


def test_version_of_the_interface() -> None:
    described = (ROOT / "tests" / "embed" / "abi.txt").read_text()
    macros = dict(re.findall(r"^#define (CCONV_\w+) (\d+)$", HEADER.read_text(), re.MULTILINE))
    assert described.startswith(f"CCONV_ABI = {macros['CCONV_ABI']}\n")
    version = [macros[f"CCONV_VERSION_{part}"] for part in ("MAJOR", "MINOR", "PATCH")]
    assert ".".join(version) == cconv.__version__
