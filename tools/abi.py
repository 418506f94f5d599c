# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""Describe the binary interface of cconv.h and cconv_import.h, as this machine's compiler sees it.

    python tools/abi.py src_c/include/cconv.h cconv/cconv_import.h > tests/embed/abi.txt

A line for each constant, struct, member and function, and for each place in the table of the
capsule; a header with anything else is refused. Programs compiled with an older header stay right
as long as lines are only added, and those of structs stay as they are; anything else raises
CCONV_ABI, but another name of a parameter: names are there to tell two of one type apart.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"typedef (enum|struct) (\w+) \{(.*?)\} \2;", re.DOTALL)
OPAQUE = re.compile(r"typedef struct (\w+) \1;")
MACRO = re.compile(r"^#define (CCONV_\w+) (\d+)$", re.MULTILINE)
FUNCTION = re.compile(r"^([a-z][\w ]*?\**)\b(cconv_\w+)\(([^;{}]*)\);", re.MULTILINE)
PLACE = re.compile(r"^\s*__typeof__\(cconv_(\w+)\) \*(\w+);$", re.MULTILINE)

# What else a header has, line by line: how often it is read, and by what language.
FRAME = re.compile(
    r"""\#(ifndef|define)\ CCONV_H | \#include\ <\w+\.h> | \#ifdef\ __cplusplus
    | extern\ "C"\ \{ | \} | \#endif""",
    re.VERBOSE,
)


def without_comments(text: str) -> str:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def one_line(text: str) -> str:
    return " ".join(text.split())


def check_all_is_known(text: str) -> None:
    """What the description would miss, it may not leave out in silence."""
    for form in (BLOCK, OPAQUE, MACRO, FUNCTION):
        text = form.sub("", text)
    lines = filter(None, map(str.strip, text.splitlines()))
    unknown = [line for line in lines if not FRAME.fullmatch(line)]
    if unknown:
        raise ValueError(f"tools/abi.py cannot describe: {one_line(' '.join(unknown))}")


def members(body: str) -> list[tuple[str, str]]:
    """(name, type) of each member of a struct."""
    found = []
    for declaration in filter(None, map(one_line, body.split(";"))):
        pointer = re.search(r"\(\*(\w+)\)", declaration)
        if pointer:
            found.append((pointer[1], declaration.replace(f"(*{pointer[1]})", "(*)", 1)))
            continue
        base, first, *others = re.split(r"\s(?=\**\w+(?:\[\w+\])?(?:,|$))|,\s*", declaration)
        for declarator in (first, *others):
            name = re.search(r"\w+", declarator)[0]
            found.append((name, f"{base} {declarator.replace(name, '', 1)}".strip()))
    return found


def layout(header: Path, blocks: list[tuple[str, str, str]]) -> list[str]:
    """The numbers of constants, structs and members, printed by a program compiled for it."""
    prints = []
    for kind, name, body in blocks:
        if kind == "enum":
            for constant in re.findall(r"\bCCONV_\w+", body):
                prints.append(f'P("{name} {constant} = %zu", (size_t){constant});')
        else:
            prints.append(f'P("{name}: %zu bytes", sizeof({name}));')
            for member, kind_of in members(body):
                text = f"{name}.{member}: {kind_of}, %zu bytes"
                prints.append(f'printf("{text}", sizeof(({name} *)0)->{member});')
                prints.append(f'P(" at %zu", offsetof({name}, {member}));')
    lines = [
        f'#include "{header.resolve()}"',
        "#include <stdio.h>",
        '#define P(text, value) printf(text "\\n", value)',
        "int main(void) {",
        *prints,
        "return 0; }",
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "layout.c"), Path(folder, "layout")
        source.write_text("\n".join(lines), encoding="utf-8")
        compiler = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run([*compiler, source, "-o", program], check=True)
        return subprocess.check_output([program], text=True).splitlines()


def describe(header: Path, capsule: Path) -> str:
    """The whole description."""
    text = without_comments(header.read_text(encoding="utf-8"))
    check_all_is_known(text)
    lines = [f"{name} = {value}" for name, value in MACRO.findall(text) if "VERSION" not in name]
    lines += layout(header, BLOCK.findall(text))
    lines += [f"{name}: opaque" for name in OPAQUE.findall(text)]
    for result, name, parameters in FUNCTION.findall(text):
        lines.append(one_line(f"{result}{name}({parameters})"))
    places = PLACE.findall(without_comments(capsule.read_text(encoding="utf-8")))
    for index, (function, name) in enumerate(places):
        lines.append(f"capsule {index}: {name} is cconv_{function}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(describe(Path(sys.argv[1]), Path(sys.argv[2])))
