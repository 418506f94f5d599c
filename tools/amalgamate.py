# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""Write the whole C core as one file, which needs nothing but cconv.h beside it.

    python tools/amalgamate.py src_c cconv.c

First come the headers, each once, then the C files, with every template in the place where it is
included: without its comments, which src_c/ has, and without the branches that its parameters rule
out.  What a C file declares for itself gets the name of the file behind it, as kernels have that
of their instruction set: ``prepare__conv_direct``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HEAD = """\
/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) The cconv developers
 * cconv.c - the whole core of cconv in one file, made of src_c/ by tools/amalgamate.py.
 *
 *   cc -O2 -c cconv.c
 *
 * with GCC or Clang, and cconv.h beside it; -fopenmp adds OpenMP's threads. The code for each
 * instruction set is inside, and chosen at run time. cconv.h is the manual. */
#include "cconv.h"
"""
PUBLIC = "include/cconv.h"
FIRST = "base/compiler.h"  # its pragmas are about all that follows

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)")
INCLUDE = re.compile(r'#include "(.+)"\n')
CONDITIONAL = {"if", "ifdef", "ifndef", "elif", "else", "endif"}

# What a file declares for itself, in the project's format. A name that these miss and another file
# has too is an error of the compiler.
FILE_SCOPE = [
    re.compile(r"^(?:__attribute__\S+ )?static .*?\b([A-Za-z]\w*)(?:\(|\[| = |;)", re.MULTILINE),
    re.compile(r"^(?:typedef )?(?:struct|enum) (\w+) \{", re.MULTILINE),
    re.compile(r"^\} (\w+);", re.MULTILINE),
]
ENUM = re.compile(r"^enum \{(.*?)\}", re.DOTALL | re.MULTILINE)

# Words, but for those in comments and strings, and members of structs where they are used and made.
NO_WORD = r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?:\.|->)\s*\w+|'
WORD = re.compile(NO_WORD + r"(?P<word>\b[A-Za-z_]\w*)", re.DOTALL)
STRUCT = re.compile(r"(^(?:typedef )?struct \w* ?\{.*?^\})", re.DOTALL | re.MULTILINE)
WORD_OF_STRUCT = re.compile(NO_WORD + r"\w+(?=[;,[])|(?P<word>\b[A-Za-z_]\w*)", re.DOTALL)


def file_scope_names(text: str) -> set[str]:
    """What a C file declares for itself: functions, variables, types, constants."""
    text = COMMENT.sub("", text)
    names = {name for pattern in FILE_SCOPE for name in pattern.findall(text)}
    for constants in ENUM.findall(text):
        names |= set(re.findall(r"(\w+)(?: = [^,]*)?(?:,|$)", constants.strip()))
    return {name for name in names if not name.startswith(("cc_", "cconv_"))}


def rename(text: str, names: set[str], suffix: str) -> str:
    """Put the suffix behind these names."""

    def renamed(match: re.Match[str]) -> str:
        return match[0] + suffix if match.lastgroup and match[0] in names else match[0]

    parts = STRUCT.split(text)
    parts[::2] = [WORD.sub(renamed, part) for part in parts[::2]]
    parts[1::2] = [WORD_OF_STRUCT.sub(renamed, part) for part in parts[1::2]]
    return "".join(parts)


def directive_of(line: str) -> tuple[str, str]:
    """The word behind # and the rest of the line; two empty strings for any other line."""
    found = DIRECTIVE.match(line)
    return (found[1], found[2]) if found else ("", "")


def is_template(text: str) -> bool:
    """Is the file to be included more than once?"""
    return not re.search(r"^#ifndef (\w+)\n#define \1\n", text, re.MULTILINE)


class Branch:
    """The branch of an #if that the text is in, and whether it is taken; `unknown`: all are."""

    def __init__(self, reached: bool, holds: bool | None) -> None:
        self.unknown = reached and holds is None
        self.taken = reached and holds is not False
        self.done = self.taken or not reached

    def turn(self, holds: bool | None) -> None:
        """Come to #elif or #else."""
        if not self.unknown:
            if holds is None:
                raise ValueError("an #elif asks what is not known, behind an #if that was")
            self.taken = not self.done and holds
            self.done = self.done or self.taken


class Amalgamation:
    """The text of cconv.c as it grows, and the macros that are parameters of templates."""

    def __init__(self, core: Path) -> None:
        self.core = core.resolve()
        self.headers = {self.core / PUBLIC}
        self.macros: dict[str, str] = {}
        self.parts = [HEAD]

    def find(self, name: str, start: Path) -> Path:
        """The file that `#include "name"` means in the file `start`."""
        folders = [start.parent, self.core, self.core / "include"]
        return next(folder / name for folder in folders if (folder / name).is_file())

    def begin(self, path: Path) -> None:
        """Say which file follows."""
        self.parts.append(f"\n/* ---- {path.relative_to(self.core).as_posix()} */\n")

    def add_headers(self, path: Path) -> None:
        """Add the headers that a file includes and that are not there, and itself if it is one."""
        text = path.read_text(encoding="utf-8")
        for name in INCLUDE.findall(text):
            self.add_headers(self.find(name, path))
        if path.suffix == ".h" and path not in self.headers and not is_template(text):
            self.headers.add(path)
            self.begin(path)
            self.parts.append(INCLUDE.sub("", text))

    def add_source(self, path: Path) -> None:
        """Add a C file."""
        self.begin(path)
        text = path.read_text(encoding="utf-8")
        text = rename(text, file_scope_names(text), f"__{path.stem}")
        for line in text.splitlines(keepends=True):
            self.add_line(line, path)

    def add_template(self, path: Path) -> None:
        """Add a template, or a list of macros, as its parameters want it."""
        self.begin(path)
        branches: list[Branch] = []
        for line in COMMENT.sub("", path.read_text(encoding="utf-8")).splitlines(keepends=True):
            word, condition = directive_of(line)
            if word in {"if", "ifdef", "ifndef"}:
                reached = all(branch.taken for branch in branches)
                branches.append(Branch(reached, self.holds(word, condition)))
            elif word in {"elif", "else"}:
                branches[-1].turn(self.holds(word, condition))
            kept = all(branch.taken for branch in branches)
            if word not in CONDITIONAL and kept and line.strip():
                self.add_line(line, path)
            elif word in CONDITIONAL and branches[-1].unknown:
                self.parts.append(line)
            if word == "endif":
                branches.pop()

    def add_line(self, line: str, path: Path) -> None:
        """Add a line of this file, or what it includes, and note the macros it defines."""
        word, rest = directive_of(line)
        if word == "include" and not rest.startswith("<"):
            template = self.find(self.macros.get(rest, rest).strip('"'), path)
            if template not in self.headers:
                self.add_template(template)
            return
        self.parts.append(line)
        if word == "define":
            name, _, value = COMMENT.sub("", rest).partition(" ")
            self.macros[name] = value.strip()
        elif word == "undef":
            self.macros.pop(rest.strip(), None)

    def holds(self, word: str, condition: str) -> bool | None:
        """Does a condition hold, as far as it is one of numbers; else None."""
        if word in {"ifdef", "ifndef"}:
            return None
        if word == "else":
            return True
        known = re.sub(r"[A-Za-z_]\w*", lambda name: self.macros.get(name[0], name[0]), condition)
        known = known.replace("&&", " and ").replace("||", " or ")
        return bool(eval(known)) if re.fullmatch(r"(\d+|and|or|[ ()*<>=+-])+", known) else None


def amalgamate(core: Path) -> str:
    """The text of cconv.c, made of the C core in this folder."""
    result = Amalgamation(core)
    result.add_headers(result.core / FIRST)
    sources = sorted(result.core.rglob("*.c"))
    for path in sources:
        result.add_headers(path)
    for path in sources:
        result.add_source(path)
    return "".join(result.parts)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(amalgamate(Path(sys.argv[1])), encoding="utf-8")
