"""show_config, cpu_features and the environment variables that choose how cconv computes."""

import platform
import re
import sys
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest

import cconv

BACKEND = "import cconv; print(cconv.show_config('dicts')['backend'])"
ISA = "import cconv; print(cconv.show_config('dicts')['isa']['in use'])"
CONV = """
    import numpy as np, cconv
    x, w = np.ones((1, 1, 9, 9), "f4"), np.ones((2, 1, 3, 3), "f4")
    print(cconv.conv2d(x, w{}).max())
"""
KEYS = {
    "version", "python", "numpy", "backend", "reason", "build", "isa", "cpu_features", "threads",
    "environment",
}  # fmt: skip


THREADS = {
    "now", "default", "forked", "num_threads", "set_num_threads", "CCONV_NUM_THREADS", "openmp",
    "affinity", "quota", "runtimes",
}  # fmt: skip


def test_dicts() -> None:
    config = cconv.show_config("dicts")
    assert set(config) == KEYS
    assert config["version"] == cconv.__version__
    assert config["python"] == platform.python_version()
    assert config["numpy"] == np.__version__
    assert config["backend"] == ("c" if cases.CORE else "python")
    assert bool(config["reason"]) == (config["backend"] == "python")
    assert config["cpu_features"] == list(cconv.cpu_features())
    assert config["threads"]["now"] == cconv.get_num_threads()
    assert set(config["threads"]) == THREADS
    assert config["threads"]["default"] >= 1
    assert config["threads"]["openmp"] >= 1
    assert config["threads"]["forked"] is False


def test_dicts_tell_of_the_core(core: Any) -> None:
    config = cconv.show_config(mode="dicts")
    build, isa = config["build"], config["isa"]
    assert build["version"] == cconv.__version__
    assert build["compiler"]
    assert build["openmp"] >= 0
    assert 2**15 <= build["cache_l2"] < 2**40
    assert isa["compiled in"] == list(core.isa_names())
    assert isa["in use"] == core.isa()
    assert isa["in use"] in isa["compiled in"]
    assert isa["compiled in"][-1] == "generic"


def test_threads_in_config_follow_the_context() -> None:
    with cconv.num_threads(3):
        assert cconv.show_config("dicts")["threads"]["now"] == 3


def test_config_tells_every_number_of_threads() -> None:
    code = """
        import cconv
        with cconv.num_threads(3):
            cconv.set_num_threads(4)
            threads = cconv.show_config("dicts")["threads"]
        print(*(threads[name] for name in ("now", "num_threads", "set_num_threads", "default")))
        print(threads["CCONV_NUM_THREADS"])
        threads = cconv.show_config("dicts")["threads"]
        print(*(threads[name] for name in ("now", "num_threads", "set_num_threads")))
    """
    status, output, error = cases.run_python(code, CCONV_NUM_THREADS="5")
    assert (status, output) == (0, "3 3 4 5\n5\n4 None 4"), error


def test_config_names_the_openmp_runtime(core: Any) -> None:
    if not core.build_info()["openmp"]:
        pytest.skip("a core without OpenMP has no runtime")
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells which libraries a process has")
    runtimes = cconv.show_config("dicts")["threads"]["runtimes"]
    assert runtimes
    assert all(Path(file).is_file() for file in runtimes)


def test_print_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert cconv.show_config() is None
    text = capsys.readouterr().out
    for key, value in cconv.show_config("dicts").items():
        assert re.search(rf"^{key}:", text, re.MULTILINE)
        facts = value.items() if isinstance(value, dict) else []
        for name, fact in facts:
            shown = " ".join(fact) if isinstance(fact, list) else fact
            assert f"{name}: {'-' if shown in (None, '') else shown}\n" in text


@pytest.mark.parametrize("mode", ["dict", None, 1, ""])
def test_bad_mode(mode: Any) -> None:
    with pytest.raises(ValueError, match=r"show_config: mode is .*expected 'print' or 'dicts'"):
        cconv.show_config(mode)


def test_cpu_features() -> None:
    features = cconv.cpu_features()
    assert isinstance(features, tuple)
    assert all(isinstance(name, str) and name for name in features)
    assert len(set(features)) == len(features)
    if cases.CORE is None:
        assert features == ()


def test_cpu_features_allow_the_isa_in_use(core: Any) -> None:
    needed = {"amx": "amx-bf16", "avx512": "avx512f", "avx2": "avx2"}.get(core.isa())
    assert needed is None or needed in core.cpu_features()


# -------------------------------------------------------------------------------------- environment


def test_environment_is_reported() -> None:
    code = "import cconv, json; print(json.dumps(cconv.show_config('dicts')['environment']))"
    settings = {
        "CCONV_NUM_THREADS": "3",
        "CCONV_ALGORITHM": "direct",
        "OMP_NUM_THREADS": "2",
        "GOMP_SPINCOUNT": "9",
    }
    for name, value in settings.items():
        status, output, error = cases.run_python(code, **{name: value})
        assert status == 0, error
        assert f'"{name}": "{value}"' in output


def test_python_backend_can_be_forced() -> None:
    status, output, error = cases.run_python(BACKEND, CCONV_BACKEND="python")
    assert (status, output, error) == (0, "python", "")
    code = "import cconv; print(cconv.show_config('dicts')['reason'])"
    assert "CCONV_BACKEND" in cases.run_python(code, CCONV_BACKEND="python")[1]


def test_c_backend_can_be_forced(core: Any) -> None:
    assert cases.run_python(BACKEND, CCONV_BACKEND="c") == (0, "c", "")


@pytest.mark.parametrize("value", ["bogus", "C", "numpy"])
def test_bogus_backend(value: str) -> None:
    status, _, error = cases.run_python("import cconv", CCONV_BACKEND=value)
    assert status != 0
    assert re.search(rf"ValueError: .*CCONV_BACKEND.*'{value}'.*'c'.*'python'", error)


def test_each_isa_can_be_forced(core: Any) -> None:
    """Capping at an instruction set gives it, or the best below that the processor has."""
    names = core.isa_names()
    for name in names:
        status, output, error = cases.run_python(ISA, CCONV_ISA=name)
        assert status == 0, error
        assert names.index(output) >= names.index(name)
    assert cases.run_python(ISA, CCONV_ISA="generic")[1] == "generic"


@pytest.mark.parametrize("value", ["bogus", "AVX2", "avx"])
def test_bogus_isa(core: Any, value: str) -> None:
    status, _, error = cases.run_python("import cconv", CCONV_ISA=value)
    assert status != 0
    assert re.search(rf"ValueError: .*CCONV_ISA.*'{value}'", error)
    assert all(name in error for name in core.isa_names())


def test_bits_on_integers_are_the_same_on_every_isa(core: Any) -> None:
    code = """
        import hashlib, numpy as np, cconv
        rng = np.random.default_rng(0)
        digest = hashlib.sha256()
        for dtype in ("f4", "f8"):
            for width in (1, 5, 17, 40):
                x = rng.integers(-8, 9, (2, 6, 9, width)).astype(dtype)
                w = rng.integers(-8, 9, (11, 6, 3, 3)).astype(dtype)
                digest.update(cconv.conv2d(x, w, padding=1).tobytes())
                digest.update(cconv.avg_pool2d(x, 3, 1, 1).tobytes())
                digest.update((cconv.max_pool2d(x, 3, 1, 1) + 0).tobytes())
        print(digest.hexdigest())
    """
    digests = {cases.run_python(code, CCONV_ISA=name)[:2] for name in core.isa_names()}
    digests.add(cases.run_python(code, CCONV_BACKEND="python")[:2])
    assert len(digests) == 1
    assert digests.pop()[0] == 0


@pytest.mark.parametrize("value", ["auto", "direct", "winograd", ""])
def test_algorithm_from_the_environment(value: str) -> None:
    status, output, error = cases.run_python(CONV.format(""), CCONV_ALGORITHM=value)
    assert status == 0, error
    assert float(output) == pytest.approx(9, rel=0 if value != "winograd" else 1e-6)


@pytest.mark.parametrize("value", ["winograd", "bf16x3", "bogus"])
def test_algorithm_that_cannot_serve(value: str) -> None:
    strided = CONV.format(", stride=2")
    status, _, error = cases.run_python(strided, CCONV_ALGORITHM=value)
    assert status != 0
    assert re.search(rf"ValueError: .*'{value}'", error)
    assert "CCONV_ALGORITHM" in error
    direct = CONV.format(", stride=2, algorithm='direct'")
    if value != "bogus":
        assert cases.run_python(direct, CCONV_ALGORITHM=value)[:2] == (0, "9.0")


def test_importing_warns_of_nothing_when_the_backend_was_chosen() -> None:
    code = "import warnings; warnings.simplefilter('error'); import cconv; print('quiet')"
    backend = "c" if cases.CORE else "python"
    assert cases.run_python(code, CCONV_BACKEND=backend) == (0, "quiet", "")


def test_no_flush_to_zero_and_no_float_state_left_behind() -> None:
    """Loading and calling leave the processor's treatment of subnormals and errors alone."""
    code = """
        import numpy as np
        tiny = np.float32(1e-45)
        import cconv
        x = np.full((1, 1, 40, 40), np.nan, "f4")
        with np.errstate(all="raise"):
            cconv.conv2d(x, np.ones((1, 1, 3, 3), "f4"), threads=2)
            cconv.max_pool2d(x, 2)
            np.ones(3, "f4") + np.ones(3, "f4")
        assert tiny * np.float32(1) == tiny
        assert (np.full(64, tiny) + np.full(64, tiny) > tiny).all()
        print("right")
    """
    status, output, error = cases.run_python(code)
    assert (status, output) == (0, "right"), error
