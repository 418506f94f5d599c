"""Forks, pools of processes, other users of OpenMP in the process, and memory over many calls.

Whatever could hang or leak runs in a process of its own, with a limit of time. What needs torch or
scikit-learn is in conformance/test_torch_processes.py.
"""

import importlib.util
import os
from pathlib import Path

import cases
import pytest
from toolchain import SANITIZE, absent, once

OPENMP = cases.CORE is not None and cases.CORE.build_info()["openmp"] > 0

fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
openmp = pytest.mark.skipif(not OPENMP, reason="a core without OpenMP, or none, has one thread")

SETUP = """
    import os, sys, threading, warnings
    import numpy as np, cconv

    x, w = np.ones((4, 16, 60, 60), "f4"), np.ones((16, 16, 3, 3), "f4")

    def right(threads=3):
        return bool(
            (cconv.conv2d(x, w, threads=threads, algorithm="direct") == 144).all()
            and (cconv.max_pool2d(x, 3, threads=threads) == 1).all()
        )

    def forked(body):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads is meant
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

    def warned(body=right):
        "Messages of cconv during a call that is right."
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert body()
        assert all(warning.category is RuntimeWarning for warning in caught)
        assert all(warning.filename == "<string>" for warning in caught), "not at our own line"
        return [str(warning.message) for warning in caught]
"""
OTHERS = """
    import ctypes, os

    def others(body=lambda: None):
        "Another user of the OpenMP runtime has three threads run `body`, where there is one."
        try:
            runtime = ctypes.CDLL("libgomp.so.1")
        except OSError:
            return False
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: body())
        runtime.GOMP_parallel(function, None, 3, 0)
        return True
"""


def check(code: str, timeout: float = 60, **environment: str) -> str:
    """The error output of a program that must print "right" and nothing else."""
    status, output, error = cases.run_python(code, timeout=timeout, **environment)
    assert (status, output) == (0, "right"), error
    return error


# --------------------------------------------------------------------------------------------- fork

FORKS = {
    "after use": "assert right() and forked(right) and right()",
    "before use": "assert forked(right) and right() and forked(right)",
    "in a thread": "assert right() and in_thread(lambda: forked(right)) and right()",
    "a thread in a child": "assert right() and forked(lambda: in_thread(right)) and right()",
    "after another library's use": "others(); assert forked(right) and right()",
    "with a plan": (
        "plan = cconv.ConvPlan(w, input_shape=x.shape, threads=3); y = plan(x);"
        "assert forked(lambda: (plan(x) == y).all()) and (plan(x) == y).all()"
    ),
    "a child of a child": "assert right() and forked(lambda: right() and forked(right))",
}
WARNINGS = {
    "one": "assert forked(lambda: len(warned()) == 1 and not warned())",
    "none in the parent": "assert not warned() and forked(lambda: bool(warned())) and not warned()",
    "of one call": "assert forked(lambda: len(warned(lambda: right() and right())) == 1)",
    "none for one thread": (
        "assert forked(lambda: not warned(lambda: right(1)) and len(warned()) == 1)"
    ),
    "none for a short call": (
        "assert forked(lambda: not warned(lambda: cconv.max_pool1d(x[0, 0], 2, threads=9).all()))"
    ),
    "not again in a child of a child": (
        "assert forked(lambda: len(warned()) == 1 and forked(lambda: not warned()))"
    ),
    "of a plan": (
        "plan = cconv.ConvPlan(w, input_shape=x.shape, threads=3, algorithm='direct');"
        "assert forked(lambda: len(warned(lambda: (plan(x) == 144).all())) == 1) and not warned()"
    ),
    "in a child of a silent child": "assert forked(lambda: forked(lambda: len(warned()) == 1))",
    "in a thread of a child": "assert forked(lambda: in_thread(lambda: len(warned()) == 1))",
    "in code without a name": (
        "text = 'cconv.conv2d(x, w, threads=3, algorithm=\"direct\")';"
        "body = lambda: exec(text, dict(cconv=cconv, x=x, w=w)) is None;"
        "assert forked(lambda: len(warned(body)) == 1)"
    ),
    "with the default count": "assert forked(lambda: len(warned(lambda: right(None))) == 1)",
}


@fork
@pytest.mark.parametrize("name", FORKS)
def test_fork(name: str) -> None:
    """A child of a process that has used threads computes, and does not wait for them."""
    check(SETUP + OTHERS + f"\n    {FORKS[name]}\n    print('right')\n")


@fork
@openmp
@pytest.mark.parametrize("name", WARNINGS)
def test_warning_in_a_forked_child(name: str) -> None:
    """One, by the first call that would have had several threads."""
    error = check(SETUP + f"\n    {WARNINGS[name]}\n    print('right')\n", CCONV_NUM_THREADS="3")
    assert error == "", "a warning that was not caught"


@fork
@openmp
def test_warning_text_and_as_an_error() -> None:
    code = """
    def body():
        [text] = warned()
        print(text, flush=True)
        return True

    def strict():
        warnings.simplefilter("error")
        try:
            right()
        except RuntimeWarning as warning:
            return "fork" in str(warning) and right()

    assert forked(body) and forked(strict)
    """
    status, text, error = cases.run_python(SETUP + code)
    assert status == 0, error
    for words in ("one thread", "forked", "spawn", "forkserver", "set_num_threads(1)"):
        assert words in text


@fork
@openmp
def test_a_forked_child_says_so() -> None:
    check(
        SETUP
        + """
    def told():
        facts = cconv.show_config("dicts")["threads"]
        return facts["forked"], facts["now"], cconv.get_num_threads()

    cconv.set_num_threads(3)
    assert told() == (False, 3, 3)
    assert forked(lambda: told() == (True, 1, 1) and not warned(told))
    assert told() == (False, 3, 3)
    print("right")
    """
    )


@fork
@openmp
def test_cconv_is_imported_in_a_child_of_another_user_of_openmp() -> None:
    """The threads of the parent's OpenMP are gone in the child, whoever started them."""
    code = """
    if others():
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
            print("right")
        else:
            {}
            assert right() and cconv.show_config("dicts")["threads"]["forked"]
            os._exit(0)
    else:
        print("right")  # no libgomp here, so no such user
    """
    setup = SETUP.replace("\n    ", "\n            ").strip()
    check(OTHERS + code.format(setup))


@fork
@openmp
def test_cconv_is_imported_in_an_orphan_of_another_user_of_openmp() -> None:
    """The parent, which could tell, is gone: what the process has inherited tells enough."""
    code = """
    import os, select
    if others():
        answer, write = os.pipe()
        if os.fork() == 0:
            if os.fork():
                os._exit(0)
            {}
            os.write(write, b"y" if len(warned()) == 1 else b"n")
            os._exit(0)
        os.wait()
        os.close(write)
        assert select.select([answer], [], [], 40)[0], "it hangs"
        assert os.read(answer, 1) == b"y"
    print("right")
    """
    setup = SETUP.replace("\n    ", "\n            ").strip()
    check(
        OTHERS + code.format(setup.replace("import ", "import time; time.sleep(0.2); import ", 1))
    )


@fork
@openmp
def test_a_child_of_a_process_without_openmp_has_threads() -> None:
    code = """
    import os
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        print("right")
    else:
        {}
        assert not warned() and not cconv.show_config("dicts")["threads"]["forked"]
        os._exit(0)
    """
    check(code.format(SETUP.replace("\n    ", "\n        ").strip()))


# ------------------------------------------------------------------------------- pools of processes

POOLS = {
    "multiprocessing": "multiprocessing.get_context(method).Pool(2)",
    "concurrent.futures": "ProcessPoolExecutor(2, multiprocessing.get_context(method))",
}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pool_of_processes(method: str, pool: str, tmp_path: Path) -> None:
    """Every start method, before and after use in the parent."""
    if method != "spawn" and not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, warnings\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "import numpy as np, cconv\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        f"method = {method!r}\n"
        "def work(n):\n"
        "    x, w = np.full((4, 16, 60, 60), n, 'f4'), np.ones((16, 16, 3, 3), 'f4')\n"
        "    return float(cconv.conv2d(x, w, threads=2, algorithm='direct').max())\n"
        "def check():\n"
        f"    with {POOLS[pool]} as pool:\n"
        "        assert list(pool.map(work, [1, 2, 3, 4])) == [144, 288, 432, 576]\n"
        "if __name__ == '__main__':\n"
        "    check()\n"
        "    assert work(1) == 144\n"
        "    check()\n"
        "    print('right')\n"
    )
    # A program of its own: where nothing is forked, the children import it from its file.
    code = f"import os, sys; os.execv(sys.executable, [sys.executable, {str(program)!r}])"
    error = check(code, timeout=120)
    told = error.count("cconv runs on one thread")
    # A fork server may have imported the program, and with it cconv, before it forks.
    expected = {"fork": range(1, 5), "spawn": [0], "forkserver": range(5)}[method]
    assert told in (expected if OPENMP else [0]), error


# ------------------------------------------------------------------------- other users of OpenMP


def test_calls_inside_an_outer_region() -> None:
    """Threads of somebody else's region call cconv, which then takes no more threads."""
    code = """
    answers = []
    if others(lambda: answers.append(right())):
        assert answers and all(answers)
    assert right()
    print("right")
    """
    check(SETUP + OTHERS + code)


def test_regions_of_others_between_calls() -> None:
    code = """
    for _ in range(20):
        others()
        assert right() and in_thread(right)
    assert in_thread(lambda: others() in (True, False) and right())
    print("right")
    """
    check(SETUP + OTHERS + code)


@openmp
def test_threadpoolctl_limits_us() -> None:
    if importlib.util.find_spec("threadpoolctl") is None:
        absent("threadpoolctl is not installed")
    code = """
    from threadpoolctl import ThreadpoolController, threadpool_limits
    most = cconv.get_num_threads()
    assert right()
    with threadpool_limits(1):
        assert cconv.get_num_threads() == 1 and right(None)
        with cconv.num_threads(3):
            assert cconv.get_num_threads() == 3
    assert cconv.get_num_threads() == most and right(None)
    with threadpool_limits(1, user_api="openmp"):
        assert cconv.get_num_threads() == 1
    with threadpool_limits(1, user_api="blas"):
        assert cconv.get_num_threads() == most
    found = {entry["filepath"] for entry in ThreadpoolController().select(user_api="openmp").info()}
    told = set(cconv.show_config("dicts")["threads"]["runtimes"])
    assert {os.path.realpath(file) for file in found} == {os.path.realpath(file) for file in told}
    print("right")
    """
    check(SETUP + code)


# ------------------------------------------------------------------------------------------ memory

CALLS = 100_000 if os.environ.get("CCONV_TEST_LONG") == "1" else 20_000

MEMORY = """
    import ctypes, gc
    from random import Random

    random, numbers = Random(0), np.ones(200_000, "f4")
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)

    def ones(*shape):
        "An array of any shape, in the same memory."
        return numbers[: int(np.prod(shape))].reshape(shape)

    def call():
        n, c, f = random.randint(1, 3), random.randint(1, 9), random.randint(1, 9)
        k, s = random.choice((1, 2, 3)), random.choice((1, 2))
        size = [random.randint(k, 20) for _ in range(random.choice((1, 2, 2, 3)))]
        rank = f"{len(size)}d"
        image, taps, threads = ones(n, c, *size), (k,) * len(size), random.choice((1, 1, 2))
        match random.randrange(9):
            case 0 | 1 | 2:
                return getattr(cconv, "conv" + rank)(image, ones(f, c, *taps), stride=s, padding=1)
            case 3:
                return getattr(cconv, "conv_transpose" + rank)(image, ones(c, f, *taps), stride=s)
            case 4:
                return getattr(cconv, "depthwise_conv" + rank)(image, ones(2 * c, 1, *taps))
            case 5:
                return getattr(cconv, "max_pool" + rank)(image, k, s, return_indices=True)
            case 6:
                return getattr(cconv, "adaptive_avg_pool" + rank)(image, k, threads=threads)
            case 7:
                return cconv.unfold(image, taps, stride=s, threads=threads)
            case _:
                return cconv.ndimage.maximum_filter(image[0, 0], k, threads=threads)

    def resident():
        gc.collect()
        trim(0)
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def grown(count):
        '''The least growth of memory, in bytes, in four rounds of so many calls, after a first one.

        A leak grows in every round. An allocator that sets memory aside does so in some.
        '''
        sizes = []
        for _ in range(5):
            for _ in range(count):
                call()
            sizes.append(resident())
        print("sizes:", *sizes, file=sys.stderr)
        return min(after - before for before, after in zip(sizes, sizes[1:]))
"""


def test_many_calls_of_random_shapes_leave_no_memory() -> None:
    """CCONV_TEST_SHARE=k makes a k-th of the calls."""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("resident memory is read from /proc")
    if SANITIZE:
        pytest.skip("a sanitizer keeps memory that was freed")
    count = CALLS // 5 // cases.SHARE
    code = f"""
    print(grown({count}))
    """
    status, output, error = cases.run_python(SETUP + MEMORY + code, timeout=280)
    assert status == 0, error
    assert int(output) < 64 * max(count, 1000), error


def test_threads_that_come_and_go_leave_no_memory() -> None:
    """The workspace and the memory of geometry that a Python thread keeps go with it."""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("resident memory is read from /proc")
    if SANITIZE:
        pytest.skip("a sanitizer keeps memory that was freed")
    once()
    code = """
    def call():
        thread = threading.Thread(target=right, args=(1,))
        thread.start()
        thread.join()

    print(grown(400))
    """
    status, output, error = cases.run_python(SETUP + MEMORY + code, timeout=120)
    assert status == 0, error
    assert int(output) < 2**18, error  # 655 bytes a thread, less than anything a thread keeps
