"""Shared set-up of the tests: hypothesis profiles, and the core or a skip that says why."""

import os
from types import ModuleType

import cases
import pytest
from hypothesis import HealthCheck, settings

# Needs torch, onnx and SciPy; runs when it is named: pytest tests/conformance.
collect_ignore = ["conformance"]

settings.register_profile(
    "cconv",
    max_examples=cases.examples(400),
    deadline=None,
    print_blob=True,
    derandomize=os.environ.get("CI", "").lower() in ("1", "true"),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("cconv")


def pytest_report_header() -> str:
    core = cases.CORE
    backend = f"C core, {core.isa()}" if core else "NumPy reference"
    return f"cconv: {backend}; 1/{cases.SHARE} of the sweeps"


@pytest.fixture
def core() -> ModuleType:
    """The compiled core, for what only it has."""
    if cases.CORE is None:
        pytest.skip("asks the C core a question; this run is on the NumPy reference")
    return cases.CORE
