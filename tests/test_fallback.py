# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""An installation without a working core: it works, says so once, and says why.

The sources are copied, so that nothing is built beside the tests, and installed into a folder of
their own with a compiler that always fails. Every check then runs in a fresh interpreter.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from toolchain import ROOT, SANITIZE, clean_environment, once, run, succeed

if TYPE_CHECKING:
    import subprocess

# Run in the child: what importing and using cconv does there, as JSON.
PROBE = """
import json, sys, warnings

report = {}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
        import cconv
        import cconv.conv, cconv.pool
        import numpy as np
        x = np.arange(12.0).reshape(1, 3, 4)
        y = cconv.conv1d(x, np.ones((2, 3, 2)), padding=(1,), activation="relu")
        cconv.max_pool1d(x, 2)
        report["conv"] = y.tolist()
        report["config"] = cconv.show_config(mode="dicts")
        report["file"] = cconv.__file__
    except Exception as error:
        report["error"] = [type(error).__name__, str(error)]
report["warnings"] = [[w.category.__name__, str(w.message)] for w in caught]
print(json.dumps(report, default=str))
"""
PADDED_SUMS = [12.0, 27.0, 33.0, 39.0, 21.0]  # of pairs of columns 12, 15, 18, 21 with zeros around
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")


@pytest.fixture(autouse=True, scope="module")
def _once() -> None:
    once()
    if SANITIZE:
        pytest.skip("there is no compiled code in these installations")


def needs(*modules: str) -> None:
    """Skip where a module that building takes is not importable here."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} in this environment: cconv cannot be built here")


def copy_sources(target: Path) -> Path:
    """A copy of the repository without what building leaves behind."""
    if not (ROOT / "setup.py").is_file():
        pytest.skip("setup.py is not beside the tests (they run against an installed package)")
    unwanted = ".* build dist *.egg-info *.so *.pyd _core.c _build_config.py __pycache__".split()
    return Path(shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*unwanted)))


def install(sources: Path, target: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Pip-install the sources into the folder `target`, with a compiler that fails."""
    false = shutil.which("false")
    if false is None:
        pytest.skip("no program false on this machine")
    command = [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps"]
    command += ["--no-index", "--no-cache-dir", "--disable-pip-version-check"]
    compilers = {"CC": false, "CXX": false, "LDSHARED": false}
    env = clean_environment(**compilers, **variables)
    return run([*command, "--target", str(target), str(sources)], env=env)


def probe(package: Path, **variables: str) -> dict[str, Any]:
    """What a fresh interpreter reports that finds cconv in the folder `package` first."""
    env = clean_environment(PYTHONPATH=str(package), **variables)
    output = succeed([sys.executable, "-c", PROBE], env=env, cwd=package.parent)
    report: dict[str, Any] = json.loads(output)
    if "file" in report:
        assert Path(report["file"]).is_relative_to(package), "another cconv was imported"
    return report


def texts(config: object) -> str:
    """Everything a nested configuration says, in one string."""
    return json.dumps(config)


def the_warning(report: dict[str, Any]) -> str:
    """The text of the one warning there is."""
    assert [category for category, _ in report["warnings"]] == ["RuntimeWarning"]
    return str(report["warnings"][0][1])


@pytest.fixture(scope="module")
def fallback(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installation of cconv for which no compiler worked."""
    needs("setuptools", "Cython", "numpy", "pip")
    folder = tmp_path_factory.mktemp("fallback")
    done = install(copy_sources(folder / "sources"), folder / "installed")
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return folder / "installed"


@pytest.fixture
def writable(fallback: Path, tmp_path: Path) -> Path:
    """A copy of that installation, to be damaged."""
    return Path(shutil.copytree(fallback, tmp_path / "installed"))


def test_installation_holds_no_core_but_the_rest(fallback: Path) -> None:
    package = fallback / "cconv"
    assert not list(package.glob("_core*.so")) + list(package.glob("_core*.pyd"))
    assert not list(package.glob("*.c"))
    names = {path.relative_to(package).as_posix() for path in package.rglob("*")}
    assert {"__init__.py", "py.typed", "_core.pyi", "reference/__init__.py"} <= names
    assert {"__init__.pxd", "include/cconv.h", "include/cconv_import.h", "src/cconv.c"} <= names
    assert not (package / "lib" / "libcconv.a").exists()
    assert any(name.startswith("data/") for name in names)


def test_config_has_the_sources_and_no_library(fallback: Path) -> None:
    env = clean_environment(PYTHONPATH=str(fallback), PYTHONWARNINGS="ignore")
    config = [sys.executable, "-m", "cconv", "config"]
    lines = succeed([*config, "--cflags", "--sources"], env=env, cwd=fallback).decode().split()
    assert lines == [f"-I{fallback}/cconv/include", f"{fallback}/cconv/src/cconv.c"]
    for option in ("--libs", "--cmakedir", "--pkgconfigdir"):
        done = run([*config, option], env=env, cwd=fallback)
        assert done.returncode == 1
        assert f"{option}: " in done.stderr.decode()
        assert re.search(r"without a static library \(.*false", done.stderr.decode())


def test_entry_point_of_pkg_config_names_a_folder(fallback: Path) -> None:
    """An empty one. Tools import what all entry points name, also for other packages."""
    line = "import cconv.lib.pkgconfig as p, pathlib; print(*pathlib.Path(*p.__path__).iterdir())"
    env = clean_environment(PYTHONPATH=str(fallback), PYTHONWARNINGS="ignore")
    found = succeed([sys.executable, "-c", line], env=env, cwd=fallback).decode().split()
    assert [Path(name).name for name in found] == ["README"]
    points = importlib.metadata.Distribution.at(next(fallback.glob("cconv-*.dist-info")))
    assert [p.value for p in points.entry_points if p.group == "pkg_config"] == [
        "cconv.lib.pkgconfig"
    ]


def test_import_warns_once_and_gives_reason_and_remedy(fallback: Path) -> None:
    warning = the_warning(probe(fallback))
    assert "_core" in warning
    assert "--no-cache-dir" in warning
    assert "--force-reinstall" in warning


def test_warning_gives_what_the_build_said(fallback: Path) -> None:
    line = "from cconv._build_config import BUILD_ERROR; print(BUILD_ERROR)"
    env = clean_environment(PYTHONPATH=str(fallback), PYTHONWARNINGS="ignore")
    said = succeed([sys.executable, "-c", line], env=env, cwd=fallback.parent).decode().strip()
    assert "false" in said
    report = probe(fallback)
    assert said in the_warning(report)
    assert texts(said)[1:-1] in texts(report["config"])


def test_show_config_names_backend_and_reason(fallback: Path) -> None:
    config = texts(probe(fallback)["config"])
    assert '"python"' in config
    assert "No module named" in config or "cannot import name" in config


def test_numbers_are_right(fallback: Path) -> None:
    assert probe(fallback)["conv"] == [[PADDED_SUMS, PADDED_SUMS]]


def test_python_backend_asked_for_does_not_warn(fallback: Path) -> None:
    report = probe(fallback, CCONV_BACKEND="python")
    assert report["warnings"] == []
    assert report["conv"] == [[PADDED_SUMS, PADDED_SUMS]]


def test_c_backend_asked_for_raises_with_reason(fallback: Path) -> None:
    report = probe(fallback, CCONV_BACKEND="c")
    kind, message = report["error"]
    assert kind == "ImportError"
    assert "_core" in message
    assert "false" in message  # what the build said


def test_unknown_backend_raises(fallback: Path) -> None:
    kind, message = probe(fallback, CCONV_BACKEND="fortran")["error"]
    assert kind == "ValueError"
    assert "fortran" in message
    assert "python" in message


@pytest.mark.parametrize("content", [b"", b"not a library\n", b"\x7fELF" + bytes(200)])
def test_broken_core_is_reported(writable: Path, content: bytes) -> None:
    (writable / "cconv" / f"_core{SUFFIX}").write_bytes(content)
    report = probe(writable)
    warning = the_warning(report)
    assert f"_core{SUFFIX}" in warning  # the loader names the file and what is wrong with it
    assert report["conv"] == [[PADDED_SUMS, PADDED_SUMS]]
    kind, message = probe(writable, CCONV_BACKEND="c")["error"]
    assert kind == "ImportError"
    assert f"_core{SUFFIX}" in message


def test_core_of_another_version_is_not_used(writable: Path) -> None:
    (writable / "cconv" / "_core.py").write_text("def build_info(): return {'version': '0.0.0'}\n")
    report = probe(writable)
    assert "0.0.0" in the_warning(report)
    assert report["conv"] == [[PADDED_SUMS, PADDED_SUMS]]


def test_core_that_raises_something_else_is_not_hidden(writable: Path) -> None:
    (writable / "cconv" / "_core.py").write_text("raise RuntimeError('a defect')\n")
    assert probe(writable)["error"] == ["RuntimeError", "a defect"]


def test_required_core_fails_the_installation(tmp_path: Path) -> None:
    needs("setuptools", "Cython", "numpy", "pip")
    sources = copy_sources(tmp_path / "sources")
    done = install(sources, tmp_path / "installed", CCONV_REQUIRE_EXT="1")
    assert done.returncode != 0
    assert not (tmp_path / "installed" / "cconv").exists()


def test_sdist_is_whole_and_has_nothing_generated(tmp_path: Path) -> None:
    needs("setuptools", "Cython", "numpy", "build")
    sources = copy_sources(tmp_path / "sources")
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir"]
    succeed([*command, tmp_path, sources])
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        members = {name.partition("/")[2] for name in opened.getnames()}
    generated = {"cconv/_core.c", "cconv/_core.cpp", "cconv/_build_config.py"}
    assert not generated & members
    folders = ("cconv/include/", "cconv/src/", "cconv/lib/")
    assert not [name for name in members if name.startswith(folders)]
    assert not [name for name in members if name.endswith((".so", ".o", ".a", ".pyd", ".pyc"))]
    wanted = [*sources.joinpath("src_c").rglob("*.*"), *sources.joinpath("tests").rglob("*.*")]
    wanted += [*sources.joinpath("cconv").glob("*.py*"), sources / "LICENSE", sources / "setup.py"]
    wanted += [sources / "cconv" / "cconv_import.h", sources / "docs" / "embedding.md"]
    wanted += [*sources.joinpath("tools").glob("*.*"), *sources.joinpath("examples").rglob("*.*")]
    names = {path.relative_to(sources).as_posix() for path in wanted if path.is_file()}
    assert names <= members, sorted(names - members)
    assert os.path.getsize(archive) < 2_000_000
