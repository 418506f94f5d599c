# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""The version is written down in several places, and they agree."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from typing import TYPE_CHECKING

import pytest
from toolchain import CORE, ROOT, built_core

import cconv

if TYPE_CHECKING:
    from pathlib import Path


def text_of(path: Path) -> str:
    """The text of a file of the repository, or no test where it is not beside the tests."""
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the tests")
    return path.read_text(encoding="utf-8")


def header_version(text: str) -> str:
    """major.minor.patch from the macros of cconv.h."""
    found = dict(re.findall(r"^#define CCONV_VERSION_(MAJOR|MINOR|PATCH) (\d+)$", text, re.M))
    return ".".join(found[part] for part in ("MAJOR", "MINOR", "PATCH"))


def test_version_is_a_release_number() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", cconv.__version__)


def test_header_has_the_version() -> None:
    assert header_version(text_of(CORE / "include" / "cconv.h")) == cconv.__version__


def test_pyproject_reads_the_version_from_the_package() -> None:
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    assert "version" in project["project"]["dynamic"]
    assert "version" not in project["project"]
    attribute = project["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert attribute == "cconv._version.__version__"


def test_package_sources_have_the_version() -> None:
    literal = re.search(r'^__version__ = "(.+)"$', text_of(ROOT / "cconv" / "_version.py"), re.M)
    assert literal is not None
    assert literal.group(1) == cconv.__version__


def test_installed_metadata_has_the_version() -> None:
    try:
        installed = importlib.metadata.version("cconv")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("cconv runs from its sources, not installed")
    assert installed == cconv.__version__


def test_core_was_built_from_this_version() -> None:
    built_core()
    from cconv import _core

    assert _core.build_info()["version"] == cconv.__version__


def test_citation_has_the_version() -> None:
    found = re.findall(r'^version: "?([^"\s]+)"?$', text_of(ROOT / "CITATION.cff"), re.M)
    assert found == [cconv.__version__]


def test_changelog_begins_with_the_version() -> None:
    headings = re.findall(r"^## \[?(\d+\.\d+\.\d+)", text_of(ROOT / "CHANGELOG.md"), re.M)
    assert headings[:1] == [cconv.__version__]
