# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""tools/amalgamate.py on small cores, where each rule shows; test_embed.py compiles the real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from toolchain import CORE, ROOT, core_sources, once, run, tool

import cconv

TOOLS = ROOT / "tools"
if TOOLS.is_dir():
    sys.path.insert(0, str(TOOLS))
    import amalgamate
else:
    pytest.skip("tools is not beside the tests", allow_module_level=True)

GUARDED = "#ifndef A_H\n#define A_H\n{}\n#endif\n"


@pytest.fixture(autouse=True)
def _once() -> None:
    once()


def made(folder: Path, **files: str) -> str:
    """The one file made of these, whose names have a double underscore for the dot."""
    base = {"base/compiler.h": GUARDED.replace("A_H", "C_H").format(""), "include/cconv.h": ""}
    for name, text in (base | {k.replace("__", "."): v for k, v in files.items()}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return amalgamate.amalgamate(folder)


def lines(text: str) -> list[str]:
    """What is neither blank nor a banner, behind the head."""
    return [line for line in text.split("\n")[12:] if line and not line.startswith("/* ----")]


def test_headers_come_once_and_first(tmp_path: Path) -> None:
    header = GUARDED.format("int in_header;")
    use = '#include "a.h"\n#include "cconv.h"\n#include <stdint.h>\nint {};\n'
    text = made(tmp_path, a__h=header, x__c=use.format("x"), y__c=use.format("y"))
    assert text.count("in_header") == 1
    assert text.index("in_header") < text.index("int x")
    assert text.count("#include <stdint.h>") == 2  # where they were
    assert text.count('#include "') == 1  # of cconv.h, on top


def test_templates_come_each_time_without_what_their_parameters_rule_out(tmp_path: Path) -> None:
    template = (
        "/* About\n#include <x.h> */\n#if N == 2 && M > 1\nint two;\n#elif N == 3\nint three;\n"
        '#else\n#include "b.h"\n#endif\n#if defined(Q)\nint q;\n#else\nint r;\n#endif\n#undef N\n'
    )
    use = '#define M 2\n#define B "b.h"\n#define N {}\n#include "t.h"\n'
    parts = {"t__h": template, "b__h": "int other; /* why */\n"}
    kept = ["#if defined(Q)", "int q;", "#else", "int r;", "#endif", "#undef N"]
    for n, line in {"2": "int two;", "3": "int three;", "4": "int other; "}.items():
        assert lines(made(tmp_path, **parts, x__c=use.format(n)))[-7:] == [line, *kept]
    assert "int other" in made(tmp_path, **parts, x__c='#define B "b.h"\n#include B\n')


def test_a_condition_that_is_not_known_behind_one_that_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="#elif"):
        made(tmp_path, t__h="#if 0\n#elif N\n#endif\n", x__c='#include "t.h"\n')


ONE_NAME = """\
enum {{
  SIDE = {0}, /* SIDE */
  OTHER
}};

typedef struct job {{
  int run, size[SIDE];
  struct job *job;
}} job;

static int run(const job *j) {{ return j->run + j->job->size[0] + SIDE; }}

__attribute__((constructor)) static void begin(void) {{}}

int cconv_{0}(void);
int cconv_{0}(void) {{
  job own = {{.run = {0}, .size = {{OTHER}}}};
  own.job = &own;
  return run(&own) + (int)sizeof "run SIDE";
}}
"""


def test_files_may_have_the_same_names(tmp_path: Path) -> None:
    text = made(tmp_path, **{"x/one__c": ONE_NAME.format(1), "y/two__c": ONE_NAME.format(2)})
    assert (
        "static int run__one(const job__one *j) { return j->run + j->job->size[0] + SIDE__one; }"
        in text
    )
    assert "  int run, size[SIDE__two];\n  struct job__two *job;\n} job__two;" in text
    assert '"run SIDE"' in text
    assert "SIDE__one = 1, /* SIDE */" in text
    (tmp_path / "one.c").write_text(text)
    (tmp_path / "cconv.h").write_text("")
    subprocess.run(
        [tool("cc"), "-Wall", "-Werror", "-Wshadow", "-c", "one.c"], cwd=tmp_path, check=True
    )


def test_installed_file_is_made_of_this_core() -> None:
    core_sources()
    try:
        installed = Path(cconv.get_include()).parent / "src" / "cconv.c"
    except FileNotFoundError:
        pytest.skip("cconv was not built here")
    assert installed.read_text() == amalgamate.amalgamate(CORE), "build cconv anew"


def test_command_line_writes_the_file(tmp_path: Path) -> None:
    core_sources()
    target = tmp_path / "cconv.c"
    done = run([sys.executable, TOOLS / "amalgamate.py", CORE, target])
    assert done.returncode == 0, done.stderr.decode()
    assert target.read_text() == amalgamate.amalgamate(CORE)
