"""Ctrl-C during a call, and the end of the interpreter during one.

Everything happens in new processes. A call of seconds gets a signal while it is in the core; what
counts is the time from the signal to KeyboardInterrupt, which `pytest -rP` shows. Only the core
needs these tests: the reference is Python, which Python interrupts by itself.
"""

import json
import os
from typing import Any

import cases
import pytest
from toolchain import SANITIZE, once

if os.name != "posix":
    pytest.skip("another system delivers Ctrl-C in another way", allow_module_level=True)

LIMIT = 0.2  # seconds from the signal to KeyboardInterrupt
SLACK = 10  # the worst of all: other work may take the processors for some time

# Calls of seconds, in less than a gigabyte of memory: function, arrays, other arguments.
DIRECT = "algorithm='direct'"
CALLS = {
    "conv": ("conv2d", "full(1, 64, 192, 192), full(256, 64, 31, 31)", DIRECT),
    "conv of many images": ("conv2d", "many(2000, 256, 16, 16), full(256, 256, 9, 9)", DIRECT),
    "conv of many channels": ("conv2d", "many(90000, 9000, 9, 9), full(8, 9000, 9, 9)", DIRECT),
    "conv1d": ("conv1d", "full(1, 64, 40000), full(64, 64, 4095)", DIRECT),
    "conv3d": ("conv3d", "full(1, 16, 64, 64, 64), full(32, 16, 15, 15, 15)", DIRECT),
    "conv of float64": ("conv2d", "full(1, 64, 192, 192, t='f8'), full(128, 64, 31, 31)", DIRECT),
    "conv of integers": (
        "conv2d", "full(1, 32, 192, 192, t='i8'), full(32, 32, 31, 31, t='i8')", "",
    ),
    "conv, 3x3": ("conv2d", "many(5, 1024, 112, 112), full(1024, 1024, 3, 3)", "padding=1"),
    "conv, long sums": ("conv2d", "same(1, 2, 8000, 8000), same(1, 2, 7950, 7950)", ""),
    "depthwise, long sums": ("conv2d", "same(1, 1, 9000, 9000), same(1, 1, 8950, 8950)", ""),
    "depthwise": ("depthwise_conv2d", "full(1, 64, 512, 512), full(64, 1, 95, 95)", DIRECT),
    "depthwise, channels last": (
        "depthwise_conv2d", "full(1, 512, 512, 64), full(64, 1, 95, 95)",
        f"{DIRECT}, layout='NHWC'",
    ),
    "transposed": ("conv_transpose2d", "full(1, 256, 160, 160), full(256, 64, 31, 31)", DIRECT),
    "transposed, stride": (
        "conv_transpose2d", "full(1, 256, 128, 128), full(256, 64, 31, 31)", f"{DIRECT}, stride=2",
    ),
    "max_pool": (
        "max_pool2d", "full(1, 2, 2048, 2048)", "kernel_size=900, stride=1, return_indices=True",
    ),
    "avg_pool": ("avg_pool2d", "full(1, 2, 2048, 2048)", "kernel_size=900, stride=1"),
    "lp_pool": ("lp_pool2d", "full(1, 2, 2048, 2048)", "norm_type=3, kernel_size=900, stride=1"),
    "one window": ("lp_pool2d", "many(2000, 1, 4000, 4000)", "norm_type=3, kernel_size=4000"),
    "windows of the cache": ("avg_pool2d", "full(1, 8, 2048, 2048)", "kernel_size=170, stride=1"),
    "adaptive": ("adaptive_avg_pool2d", "many(9000, 1, 2000, 2000)", "output_size=3"),
    "global": ("global_lp_pool", "many(9000, 1, 2000, 2000)", "p=3"),
    "global, one window": ("global_avg_pool", "same(1, 1, 60000, 60000)", ""),
    "global, one window of powers": ("global_lp_pool", "same(1, 1, 60000, 60000)", "p=3"),
    "adaptive, one window": (
        "adaptive_max_pool1d", "same(1, 1, 10**10)", "output_size=1, return_indices=True",
    ),
    "adaptive, one row": ("adaptive_avg_pool1d", "same(1, 1, 10**10)", "output_size=10**5"),
    "footprint": (
        "ndimage.maximum_filter", "full(1500, 1500)", "footprint=np.tri(700, dtype=bool)",
    ),
    "correlate": ("ndimage.correlate", "full(2048, 2048), full(301, 301)", ""),
    "fold": ("fold", "same(1, 255**2, 770**2)", "output_size=(1024, 1024), kernel_size=(255, 255)"),
    "unfold": ("unfold", "full(1, 4, 3000, 3000, t='u1')", "kernel_size=8, stride=2"),
}  # fmt: skip

SETUP = """
    import json, os, signal, sys, threading, time
    import numpy as np, cconv

    # A shell has what it runs in the background ignore Ctrl-C, and programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def full(*shape, t="f4"):
        return np.ones(shape, t)

    def same(*shape):
        "One number everywhere, in the memory of one."
        return np.broadcast_to(full(1), shape)

    def many(n, *shape):
        "One image n times, in the memory of one."
        return np.broadcast_to(full(1, *shape), (n, *shape))

    def right():
        x, w = full(2, 8, 40, 40), full(8, 8, 3, 3)
        results = [cconv.conv2d(x, w) / 72, cconv.max_pool2d(x, 3), cconv.unfold(x, 3)]
        return all(bool((y == 1).all()) for y in results)

    def interrupted(delay, call):
        "Seconds from SIGINT, which comes `delay` after the call began, to the end of the call."
        sent = []

        def send():
            time.sleep(delay)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        sender, ended = threading.Thread(target=send), False
        try:
            sender.start()
            call()
            ended = True
            time.sleep(60)
        except KeyboardInterrupt:
            seconds = time.monotonic() - sent[0]
        sender.join()
        assert not ended, "the call ended before the signal came"
        return seconds

    def resident():
        "Bytes of memory."
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
"""

CALL = """
    function, arrays, keywords = cconv.{}, ({},), dict({})

    def call(threads=2):
        return function(*arrays, **keywords, threads=threads)
"""


@pytest.fixture(autouse=True)
def _in_the_core(core: Any) -> None:
    once()


def run(code: str, name: str = "conv", **options: Any) -> str:
    """What a new process prints that has the functions above and `call` of that name."""
    status, output, error = cases.run_python(SETUP + CALL.format(*CALLS[name]) + code, **options)
    assert status == 0, error
    return output


@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c_ends_a_call(name: str) -> None:
    """In time, on one thread and on two, early in the call and later; the next call is right."""
    code = """
    seconds = {
        threads: [interrupted(delay, lambda: call(threads)) for delay in (0.03, 0.06, 0.1)]
        for threads in (1, 2)
    }
    assert right()
    print(json.dumps(seconds))
    """
    for threads, seconds in json.loads(run(code, name)).items():
        shown = ", ".join(f"{1000 * second:.1f}" for second in seconds)
        print(f"{name}, {threads} threads: {shown} ms from the signal to KeyboardInterrupt")
        assert sorted(seconds)[1] < LIMIT * (SLACK if SANITIZE else 1)
        assert max(seconds) < LIMIT * SLACK


@pytest.mark.parametrize("made_for", [0, 1])
def test_ctrl_c_ends_a_call_of_a_plan_for_a_smaller_batch(made_for: int) -> None:
    """A call of the batch it was made for is over before anybody could stop it."""
    code = f"""
    shape, steps = (2_000_000, 8, 8, 8), (0, 256, 32, 4)
    out = np.lib.stride_tricks.as_strided(full(8, 8, 8), shape, steps)  # one image again and again
    plan = cconv.ConvPlan(full(8, 8, 3, 3), padding=1, input_shape=({made_for}, 8, 8, 8), threads=1)
    print(interrupted(0.1, lambda: plan(many(shape[0], 8, 8, 8), out=out)))
    """
    assert float(run(code)) < 5 * LIMIT  # it would go on for seconds


def test_interrupted_calls_leave_no_memory() -> None:
    code = """
    def some(count):
        for i in range(count):
            interrupted(0.001 + 0.0002 * (i % 20), lambda: call(1 + i % 2))

    some(30)
    before = resident()
    some(200)
    grown = resident() - before
    assert right()
    print(grown)
    """
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("resident memory is read from /proc")
    if SANITIZE:
        pytest.skip("a sanitizer keeps memory that was freed")
    assert int(run(code, timeout=120)) < 8 * 2**20  # of 200 outputs of 27 MB each


def test_the_output_may_hold_anything_but_stays_usable() -> None:
    code = """
    arrays = full(1, 64, 128, 128), full(128, 64, 31, 31)
    y = call()
    before = y.copy()
    keywords["out"] = y
    interrupted(0.05, call)
    assert call() is y
    assert (y == before).all()
    print("right")
    """
    assert run(code) == "right"


def test_a_handler_that_returns_does_not_end_the_call() -> None:
    """It runs during the call, and may itself call cconv: scratch of the call is not disturbed."""
    code = """
    x = np.random.default_rng(0).standard_normal((1, 64, 150, 150)).astype("f4")
    w = np.random.default_rng(1).standard_normal((64, 64, 21, 21)).astype("f4")
    small = np.random.default_rng(2).standard_normal((4, 32, 40, 40)).astype("f4")
    def others():
        return cconv.conv2d(small, w[:32, :32, :3, :3]), cconv.lp_pool2d(small, 3, 5)

    y, expected, seen = cconv.conv2d(x, w), others(), []

    def handler(*_):
        seen.append(others())
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    signal.signal(signal.SIGALRM, handler)
    for threads in (1, 2):
        seen.clear()
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        again = cconv.conv2d(x, w, threads=threads)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert len(seen) > 2, f"the handler ran {len(seen)} times"
        assert (y == again).all()
        assert all((a == expected[0]).all() and (b == expected[1]).all() for a, b in seen)
    print("right")
    """
    assert run(code, "adaptive") == "right"


def test_an_exception_of_a_handler_ends_the_call() -> None:
    """Whatever it is: a limit of time that the user set, for example."""
    code = """
    def handler(*_):
        raise TimeoutError("enough")

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        call()
    except TimeoutError as error:
        assert str(error) == "enough"
        assert right()
        print("right")
    """
    assert run(code) == "right"


def test_ctrl_c_reaches_the_main_thread_while_another_computes() -> None:
    """Signals are the main thread's; the call of the other one goes on, and is right."""
    code = """
    arrays, results = (full(1, 64, 128, 128), full(128, 64, 31, 31)), []
    thread = threading.Thread(target=lambda: results.append(call(1)))
    thread.start()
    assert interrupted(0.05, lambda: time.sleep(60)) < 2
    assert thread.is_alive()
    thread.join()
    assert (results[0] == 64 * 31 * 31).all()
    print("right")
    """
    assert run(code) == "right"


ENDS = {"return": ("", 0), "exit": ("sys.exit(3)", 3), "error": ("raise ValueError", 1)}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_interpreter_ends_during_a_call(threads: int, end: str) -> None:
    """Of a daemon thread: at once, and with the status that it would have without the call.

    The core is then at work in memory that belongs to objects of an interpreter that is gone.
    """
    statement, expected = ENDS[end]
    for name in ("depthwise", "lp_pool", "fold"):
        code = f"""
    threading.Thread(target=call, args=({threads},), daemon=True).start()
    time.sleep(0.1)
    print("ends", flush=True)
    {statement}
        """
        setup = SETUP + CALL.format(*CALLS[name])
        status, output, error = cases.run_python(setup + code, timeout=30)
        assert (status, output) == (expected, "ends"), f"{name}: {error}"
        assert bool(error) == (end == "error"), error
