"""Thread counts: who decides, and that nothing but speed follows from them; forks and concurrency.

That results have the same bits for every count is checked by test_conv and test_pool.
"""

import contextvars
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cases
import numpy as np
import pytest
from cases import assert_same_bits

import cconv
from cconv import get_num_threads, num_threads, set_num_threads


@pytest.fixture(autouse=True)
def restore_num_threads() -> Any:
    """Give the process its own count back."""
    before = get_num_threads()
    yield
    set_num_threads(before)


# -------------------------------------------------------------------------------------- who decides


def test_set_num_threads() -> None:
    for n in (1, 3, np.int64(7)):
        set_num_threads(n)
        assert get_num_threads() == n
        assert type(get_num_threads()) is int


def test_contexts_nest_and_end() -> None:
    set_num_threads(5)
    with num_threads(2):
        assert get_num_threads() == 2
        with num_threads(3):
            set_num_threads(6)
            assert get_num_threads() == 3
        assert get_num_threads() == 2
        with pytest.raises(RuntimeError, match="out"), num_threads(4):
            raise RuntimeError("out")
        assert get_num_threads() == 2
    assert get_num_threads() == 6


def test_context_holds_in_its_thread_alone() -> None:
    """A new Python thread has its own context; set_num_threads reaches all of them."""
    set_num_threads(5)
    with num_threads(2), ThreadPoolExecutor(1) as pool:
        assert pool.submit(get_num_threads).result() == 5
        copied = contextvars.copy_context()
        assert pool.submit(copied.run, get_num_threads).result() == 2
        pool.submit(set_num_threads, 4).result()
        assert get_num_threads() == 2
    assert get_num_threads() == 4


def test_contexts_of_concurrent_threads_do_not_mix() -> None:
    barrier = threading.Barrier(8)

    def inside(n: int) -> int:
        with num_threads(n):
            barrier.wait(30)
            seen = get_num_threads()
            barrier.wait(30)
        return seen

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(inside, range(1, 9))) == list(range(1, 9))


@pytest.mark.parametrize("bad", [0, -1, 2**31, 2**63, 2**64])
def test_counts_out_of_range(bad: int) -> None:
    for function in (set_num_threads, num_threads):
        with pytest.raises((ValueError, OverflowError), match=rf"{function.__name__}: n "):
            function(bad)


@pytest.mark.parametrize("bad", [1.0, "2", None, [1], True, np.float32(1)])
def test_counts_that_are_no_int(bad: Any) -> None:
    for function in (set_num_threads, num_threads):
        with pytest.raises(TypeError, match=rf"{function.__name__}: n is .*expected an int"):
            function(bad)


def test_a_refused_count_changes_nothing() -> None:
    set_num_threads(3)
    with pytest.raises(ValueError, match="0"):
        set_num_threads(0)
    assert get_num_threads() == 3


# ------------------------------------------------------------------------------------- environment

COUNT = "import cconv; print(cconv.get_num_threads())"


@pytest.mark.parametrize("value", ["1", "3", "64"])
def test_environment_sets_the_default(value: str) -> None:
    status, output, _ = cases.run_python(COUNT, CCONV_NUM_THREADS=value)
    assert (status, output) == (0, value)


def test_set_num_threads_goes_before_the_environment() -> None:
    code = "import cconv; cconv.set_num_threads(2); print(cconv.get_num_threads())"
    assert cases.run_python(code, CCONV_NUM_THREADS="3")[:2] == (0, "2")


def test_default_is_what_the_core_may_use(core: Any) -> None:
    assert cases.run_python(COUNT)[:2] == (0, str(core.max_threads()))


def test_empty_environment_variable_counts_as_unset() -> None:
    assert cases.run_python(COUNT, CCONV_NUM_THREADS="")[:2] == cases.run_python(COUNT)[:2]


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "99999999999", "9" * 30])
def test_bad_environment_is_an_error_that_names_it(value: str) -> None:
    status, _, error = cases.run_python(COUNT, CCONV_NUM_THREADS=value)
    assert status != 0
    assert "ValueError" in error
    assert "CCONV_NUM_THREADS" in error
    assert value in error


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "OMP_THREAD_LIMIT"])
def test_openmp_with_one_thread(variable: str) -> None:
    """A runtime that gives fewer threads than were asked for still computes everything."""
    code = """
        import numpy as np, cconv
        x, w = np.ones((4, 16, 60, 60), "f4"), np.ones((16, 16, 3, 3), "f4")
        assert (cconv.conv2d(x, w, threads=3) == 144).all()
        assert (cconv.avg_pool2d(x, 3, threads=3) == 1).all()
        print("right")
    """
    assert cases.run_python(code, **{variable: "1"})[:2] == (0, "right")


@pytest.mark.parametrize("threads", [1000, 2**31 - 1])
def test_more_threads_than_a_machine_can_start(threads: int) -> None:
    """A count is a limit; a process must not end because it cannot have so many threads."""
    code = f"""
        import numpy as np, cconv
        x, w = np.ones((64, 1, 128, 256), "f4"), np.ones((4, 1, 3, 3), "f4")
        assert (cconv.conv2d(x, w, threads={threads}) == 9).all()
        assert (cconv.max_pool2d(x, 2, threads={threads}) == 1).all()
        print("right")
    """
    status, output, error = cases.run_python(code, timeout=120)
    assert (status, output) == (0, "right"), error


# ------------------------------------------------------------------------------------- concurrency


def job(seed: int) -> list[cases.Array]:
    """Some convolutions and pools, small and large, with scratch given back between them."""
    results = []
    for i in range(6):
        rng = np.random.default_rng((seed, i))
        dtype = cases.DTYPES[(seed + i) % 2]
        channels = 8 * (1 + (seed + i) % 4)
        x = cases.normals(rng, (2, channels, 30 + seed, 33), dtype)
        w = cases.normals(rng, (24, channels, 3, 3), dtype)
        y = np.full((2, 24, 30 + seed, 33), np.nan, dtype)
        cconv.conv2d(x, w, padding=1, activation="gelu", out=y, threads=1 + (seed + i) % 3)
        if i % 3 == seed % 3:
            cconv.release_workspace()
        results += [y, cconv.max_pool2d(y, 3, 2, 1), cconv.avg_pool2d(y, 2, threads=2)]
    return results


def test_eight_python_threads_at_once() -> None:
    expected = [job(seed) for seed in range(8)]
    for _ in range(2):
        with ThreadPoolExecutor(8) as pool:
            for results, alone in zip(pool.map(job, range(8)), expected, strict=True):
                for y, other in zip(results, alone, strict=True):
                    assert_same_bits(y, other)


def test_threads_share_weights_and_input() -> None:
    rng = np.random.default_rng(1)
    x = cases.normals(rng, (1, 16, 40, 40), "float32")
    w = cases.normals(rng, (16, 16, 3, 3), "float32")
    expected = cconv.conv2d(x, w, threads=1)
    with ThreadPoolExecutor(8) as pool:
        for y in pool.map(lambda n: cconv.conv2d(x, w, threads=n), [1, 2, 3, 4] * 6):
            assert_same_bits(y, expected)
            y[...] = np.nan  # so that memory used again cannot pass for a result


def test_many_short_lived_threads() -> None:
    """Each has a workspace of its own, which goes with it."""
    x, w = np.ones((1, 8, 40, 40), "f4"), np.ones((8, 8, 3, 3), "f4")
    for _ in range(40):
        thread = threading.Thread(target=cconv.conv2d, args=(x, w))
        thread.start()
        thread.join(30)
        assert not thread.is_alive()


# --------------------------------------------------------------------------------------------- fork

FORK = """
    import os, sys, threading, warnings
    import numpy as np, cconv

    warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads: what is tested here
    x, w = np.ones((4, 16, 60, 60), "f4"), np.ones((16, 16, 3, 3), "f4")

    def right():
        return bool(
            (cconv.conv2d(x, w, threads=3) == 144).all()
            and (cconv.max_pool2d(x, 3, threads=3) == 1).all()
        )

    def forked(body):
        child = os.fork()
        if child == 0:
            os._exit(0 if body() else 1)
        return os.waitpid(child, 0)[1] == 0

    def in_thread(body):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(body()))
        thread.start()
        thread.join()
        return answers == [True]

    def others():
        "Another user of the OpenMP runtime starts its threads, where there is one."
        import ctypes
        try:
            runtime = ctypes.CDLL("libgomp.so.1")
        except OSError:
            return True
        nothing = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
        runtime.GOMP_parallel(nothing, None, 3, 0)
        return True
"""
FORKS = {
    "after use": "assert right() and forked(right) and right()",
    "before use": "assert forked(right) and right() and forked(right)",
    "in a thread": "assert right() and in_thread(lambda: forked(right)) and right()",
    "a thread in a child": "assert right() and forked(lambda: in_thread(right)) and right()",
    "after another library's use": "assert others() and forked(right)",
    "a child of a child": "assert right() and forked(lambda: right() and forked(right))",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("name", FORKS)
def test_fork(name: str) -> None:
    """A child of a process that has used threads computes, and does not wait for them."""
    code = FORK + f"\n    {FORKS[name]}\n    print('right')\n"
    status, output, error = cases.run_python(code, timeout=60)
    assert (status, output) == (0, "right"), error


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method: str, tmp_path: Any) -> None:
    """Every start method of multiprocessing, after use in the parent."""
    module = tmp_path / "worker.py"
    module.write_text(
        "import multiprocessing, warnings\n"
        "import numpy as np, cconv\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "def work(n):\n"
        "    x, w = np.full((4, 16, 60, 60), n, 'f4'), np.ones((16, 16, 3, 3), 'f4')\n"
        "    return float(cconv.conv2d(x, w, threads=2).max())\n"
        "if __name__ == '__main__':\n"
        "    assert work(1) == 144\n"
        f"    with multiprocessing.get_context('{method}').Pool(2) as pool:\n"
        "        assert pool.map(work, [1, 2, 3]) == [144, 288, 432]\n"
        "    print('right')\n"
    )
    # A program of its own: where nothing is forked, the children import it from its file.
    code = f"import os, sys; os.execv(sys.executable, [sys.executable, {str(module)!r}])"
    status, output, error = cases.run_python(code, timeout=120)
    assert (status, output) == (0, "right"), error
