"""Beside torch and scikit-learn in one process: orders of import, workers, forks, threads.

Both bring an OpenMP runtime, which may be the one that cconv uses. Every test is a program of its
own with a limit of time.
"""

import importlib.util
from pathlib import Path

import cases
import pytest

# A user of each library's threads, before or after cconv's.
USE = {
    "torch": """
        import torch
        torch.set_num_threads(2)
        a = torch.ones(600, 600)
        other = lambda: bool((a @ a == 600).all()) and bool((torch.nn.functional.conv2d(
            torch.ones(4, 16, 60, 60), torch.ones(16, 16, 3, 3)) == 144).all())
    """,
    "sklearn": """
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingRegressor
        a = np.random.default_rng(0).standard_normal((3000, 8))
        model = HistGradientBoostingRegressor(max_iter=5)
        other = lambda: model.fit(a, a[:, 0]).score(a, a[:, 0]) > 0.1
    """,
    "joblib": """
        from joblib import Parallel, delayed
        other = lambda: Parallel(n_jobs=2)(delayed(abs)(-i) for i in range(4)) == [0, 1, 2, 3]
    """,
}
OURS = """
        import os, threading, warnings
        import numpy as np, cconv
        x, w = np.ones((4, 16, 60, 60), "f4"), np.ones((16, 16, 3, 3), "f4")

        def right(threads=2):
            return bool((cconv.conv2d(x, w, threads=threads, algorithm="direct") == 144).all())

        def forked(body):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                os._exit(0 if body() else 1)
            return os.waitpid(child, 0)[1] == 0

        def at_once(*bodies):
            answers = []
            threads = [threading.Thread(target=lambda b=b: answers.append(b())) for b in bodies]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return len(answers) == len(bodies) and all(answers)
"""
CHECKS = {
    "in turn": "assert all(right() and other() for _ in range(3))",
    "theirs first": "assert other() and right() and other() and right()",
    "at once": "assert all(at_once(right, other, right) for _ in range(3))",
    "fork after ours": "assert right() and forked(right) and other() and right()",
    "fork after theirs": "assert other() and forked(right) and other() and right()",
    "fork after both": "assert other() and right() and forked(right) and right() and other()",
    "fork from a thread": (
        "assert right() and other() and at_once(lambda: forked(right)) and right()"
    ),
}


def need(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


def check(code: str) -> str:
    status, output, error = cases.run_python(code, timeout=120)
    assert (status, output) == (0, "right"), error
    return error


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("library", USE)
def test_beside(library: str, order: str, name: str) -> None:
    """Right results and no hang, with the library imported before cconv and after it."""
    need(library)
    imports = USE[library] + OURS if order == "before" else OURS + USE[library]
    check(imports + f"\n        {CHECKS[name]}\n        print('right')\n")


def test_cconv_is_imported_in_a_fork_of_a_user_of_torch() -> None:
    """The child has none of the threads that torch had started in the parent."""
    child = OURS.replace("\n    ", "\n        ").strip()
    code = f"""
        import os
        assert other()
        child = os.fork()
        if child == 0:
            {child}
            assert right(3)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print("right")
    """
    check(USE["torch"] + code)


@pytest.mark.parametrize("imported", ["import torch, cconv", "import cconv, torch"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_data_loader(method: str, imported: str, tmp_path: Path) -> None:
    """Workers that convolve, by every start method, before and after use in the parent."""
    program = tmp_path / "program.py"
    program.write_text(
        "import warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        f"{imported}\n"
        "import numpy as np\n"
        "class Data(torch.utils.data.Dataset):\n"
        "    def __len__(self):\n"
        "        return 8\n"
        "    def __getitem__(self, n):\n"
        "        x, w = np.full((4, 16, 60, 60), n, 'f4'), np.ones((16, 16, 3, 3), 'f4')\n"
        "        return cconv.conv2d(x, w, threads=2, algorithm='direct').max()\n"
        "def check(**options):\n"
        "    loader = torch.utils.data.DataLoader(Data(), batch_size=2, **options)\n"
        "    found = [int(number) for batch in loader for number in batch]\n"
        "    assert found == [144 * n for n in range(8)], found\n"
        "if __name__ == '__main__':\n"
        f"    options = dict(num_workers=2, multiprocessing_context={method!r})\n"
        "    check(**options)\n"
        "    check()\n"
        "    assert (torch.ones(600, 600) @ torch.ones(600, 600) == 600).all()\n"
        "    check(**options)\n"
        "    print('right')\n"
    )
    code = f"import os, sys; os.execv(sys.executable, [sys.executable, {str(program)!r}])"
    error = check(code)
    if method != "forkserver":  # which may have imported the program, and with it cconv
        told = "cconv runs on one thread" in error
        assert told == (method == "fork" and cases.CORE is not None)


def test_torch_shares_its_count_of_threads() -> None:
    """Where both have one runtime of OpenMP, torch.set_num_threads limits cconv, too."""
    code = """
        import torch, cconv
        runtimes = cconv.show_config("dicts")["threads"]["runtimes"]
        torch.set_num_threads(1)
        assert len(runtimes) != 1 or cconv.get_num_threads() == 1
        print("right")
    """
    check(code)
