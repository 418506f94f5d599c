"""Thread counts: who decides, what the system allows; and Python threads that compute at once.

That results have the same bits for every count is checked by test_properties_bits, and what happens
in other processes by test_processes.
"""

import contextvars
import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import assert_same_bits
from operators import EVERY, OPERATORS, WORK

import cconv
from cconv import _threads, get_num_threads, num_threads, set_num_threads

SECONDS = 60 if os.environ.get("CCONV_TEST_LONG") == "1" else 3  # that Python threads share arrays


@pytest.fixture(autouse=True)
def restore_num_threads() -> Any:
    """Give the process its own count back."""
    before = get_num_threads()
    yield
    set_num_threads(before)


# -------------------------------------------------------------------------------------- who decides


def test_a_context_of_threads_may_be_used_again() -> None:
    two, three = num_threads(2), num_threads(3)
    before = get_num_threads()
    with two, three, two:
        assert get_num_threads() == 2
        with three:
            assert get_num_threads() == 3
        assert get_num_threads() == 2
    assert two(get_num_threads)() == 2  # as a decorator
    assert get_num_threads() == before


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


def test_default_is_what_the_system_allows(core: Any) -> None:
    allowed = [core.max_threads(), _threads.affinity(), _threads.quota()]
    least = min(number for number in allowed if number is not None)
    assert cases.run_python(COUNT)[:2] == (0, str(least))


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
        assert (cconv.conv2d(x, w, threads=3, algorithm="direct") == 144).all()
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


# --------------------------------------------------------------------------- what the system allows


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/cpu"
QUOTAS: dict[str, tuple[int | None, dict[str, str]]] = {
    "nothing known": (None, {}),
    "no limit": (None, {"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "max 100000\n"}),
    "the root of a container": (
        3, {"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "300000 100000\n"},
    ),
    "rounded up": (2, {"proc/self/cgroup": "0::/a\n", f"{V2}/a/cpu.max": "150000 100000\n"}),
    "less than one": (1, {"proc/self/cgroup": "0::/a\n", f"{V2}/a/cpu.max": "1000 100000\n"}),
    "another period": (2, {"proc/self/cgroup": "0::/a\n", f"{V2}/a/cpu.max": "20000 10000\n"}),
    "that of a group above": (
        2,
        {
            "proc/self/cgroup": "0::/a/b/c\n",
            f"{V2}/a/cpu.max": "200000 100000\n",
            f"{V2}/a/b/cpu.max": "max 100000\n",
            f"{V2}/a/b/c/cpu.max": "400000 100000\n",
        },
    ),
    "not that of another group": (
        None, {"proc/self/cgroup": "0::/a\n", f"{V2}/b/cpu.max": "200000 100000\n"},
    ),
    "a name from outside the container": (
        2, {"proc/self/cgroup": "0::/../../x.slice\n", f"{V2}/cpu.max": "200000 100000\n"},
    ),
    "a name with colons": (
        2, {"proc/self/cgroup": "0::/a:b:c\n", f"{V2}/a:b:c/cpu.max": "200000 100000\n"},
    ),
    "no numbers": (None, {"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "what\n"}),
    "a period of nothing": (None, {"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "100000 0\n"}),
    "version 1": (
        4,
        {
            "proc/self/cgroup": "5:memory:/m\n4:cpu,cpuacct:/a\n0::/\n",
            f"{V1}/a/cpu.cfs_quota_us": "400000\n",
            f"{V1}/a/cpu.cfs_period_us": "100000\n",
        },
    ),
    "version 1 without a limit": (
        None,
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/a\n",
            f"{V1}/a/cpu.cfs_quota_us": "-1\n",
            f"{V1}/a/cpu.cfs_period_us": "100000\n",
        },
    ),
    "version 1 in a container": (
        1,
        {
            "proc/self/cgroup": "4:cpu:/docker/0123\n3:cpuset:/docker/0123\n",
            f"{V1}/cpu.cfs_quota_us": "50000\n",
            f"{V1}/cpu.cfs_period_us": "100000\n",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUOTAS)
def test_quota_of_control_groups(name: str, tmp_path: Path) -> None:
    expected, files = QUOTAS[name]
    assert _threads.quota(write(tmp_path, files)) == expected


def test_quota_here_is_none_or_a_count() -> None:
    found = _threads.quota()
    assert found is None or found >= 1


AFFINITY = """
    import os, cconv
    if {first}:
        cconv.get_num_threads()
    os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
    print(cconv.get_num_threads(), cconv.show_config("dicts")["threads"]["affinity"])
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity_counts_until_the_first_question(core: Any) -> None:
    """OpenMP has counted its processors when it was loaded, which was before."""
    assert cases.run_python(AFFINITY.format(first=False))[:2] == (0, "1 1")
    most = len(os.sched_getaffinity(os.getpid()))
    count = cases.run_python(COUNT)[1]
    assert cases.run_python(AFFINITY.format(first=True))[:2] == (0, f"{count} {most}")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_openmp_that_ties_threads_to_processors(core: Any) -> None:
    """The calling thread, too, which then has an affinity of one."""
    code = """
        import numpy as np, cconv
        x, w = np.ones((4, 16, 60, 60), "f4"), np.ones((16, 16, 3, 3), "f4")
        assert (cconv.conv2d(x, w, threads=2, algorithm="direct") == 144).all()
        facts = cconv.show_config("dicts")["threads"]
        assert facts["affinity"] is None
        print(facts["now"] == min(facts["openmp"], facts["quota"] or facts["openmp"]))
    """
    for name, value in {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores"}.items():
        status, output, error = cases.run_python(code, **{name: value})
        assert (status, output) == (0, "True"), error


def test_openmp_is_asked_at_every_call(core: Any) -> None:
    if not core.build_info()["openmp"]:
        pytest.skip("a core without OpenMP has one thread")
    code = """
        import ctypes, cconv
        before = cconv.get_num_threads()
        [file] = cconv.show_config("dicts")["threads"]["runtimes"]
        runtime = ctypes.CDLL(file)
        runtime.omp_set_num_threads(1)
        print(cconv.get_num_threads())
        runtime.omp_set_num_threads(before)
        print(cconv.get_num_threads() == before)
    """
    status, output, error = cases.run_python(code)
    assert (status, output) == (0, "1\nTrue"), error


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


def test_python_threads_share_inputs_for_a_while() -> None:
    """Eight of them run calls of every operator on the same arrays."""
    random = Random(0)
    calls = []
    for name, rank in EVERY:
        work = WORK if cases.CORE and rank == 2 else 0
        call = OPERATORS[name].draw(random, rank, cases.normals, work)
        calls.append((call, call()))
    deadline = time.monotonic() + SECONDS

    def repeat(seed: int) -> int:
        mine = list(calls)
        Random(seed).shuffle(mine)
        for count, (call, expected) in enumerate(itertools.cycle(mine)):
            if time.monotonic() > deadline:
                return count
            with cases.naming(call):
                for y, other in zip(call(threads=1 + count % 3), expected, strict=True):
                    assert_same_bits(y, other)
                    y[...] = 0  # so that memory used again cannot pass for a result
        raise AssertionError("a cycle does not end")

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(repeat, range(8)))
    print(f"{sum(counts)} calls in {SECONDS} seconds")
    assert min(counts) >= 1


def test_python_threads_share_plans_for_a_while() -> None:
    """A plan may run in many of them at once; each has its own scratch and result."""
    rng = np.random.default_rng(5)
    x = cases.normals(rng, (2, 16, 60, 61), "float32")
    jobs = []
    for kernel, stride, threads in [(3, 1, 1), (3, 1, 2), (5, 2, 3), (1, 1, 2)]:
        w = cases.normals(rng, (24, 16, kernel, kernel), "float32")
        plan = cconv.ConvPlan(w, stride=stride, padding=1, input_shape=x.shape, threads=threads)
        jobs.append((plan, plan(x)))
    deadline = time.monotonic() + SECONDS

    def repeat(seed: int) -> int:
        outs = [np.empty_like(expected) for _, expected in jobs]
        for count in itertools.count(seed):
            plan, expected = jobs[count % len(jobs)]
            out = outs[count % len(jobs)]
            assert plan(x, out=out) is out
            assert_same_bits(out, expected)
            out[...] = np.nan
            if time.monotonic() > deadline:
                return count - seed
        raise AssertionError("count() does not end")

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(repeat, range(8)))
    print(f"{sum(counts)} calls in {SECONDS} seconds")
    assert min(counts) >= 1


def test_two_calls_at_once(core: Any) -> None:
    """While one Python thread computes for long, another one begins and ends calls.

    Were they one after the other, no length of the long call would let ten short ones end within
    it: it is doubled until they do, for machines differ.
    """
    image, w = np.ones((1, 64, 48, 48), "f4"), np.ones((16, 64, 33, 33), "f4")

    def ends_within(count: int) -> bool:
        """Whether ten calls begin and end while one with so many images computes."""
        images = np.broadcast_to(image, (count, *image.shape[1:]))
        begun, ended = threading.Event(), threading.Event()

        def long() -> cases.Array:
            begun.set()
            y = cconv.conv2d(images, w, threads=1)
            ended.set()
            return y

        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(long)
            assert begun.wait(30)
            for _ in range(10):
                time.sleep(0.01)  # long enough for the other to be in the core
                y = cconv.conv2d(image, w[:1], threads=1)
                assert (y == 64 * 33 * 33).all()
            within = not ended.is_set()
            assert (answer.result(300) == 64 * 33 * 33).all()
        return within

    in_turn = "the calls ran one after the other"
    assert any(ends_within(2**doubled) for doubled in range(11)), in_turn
