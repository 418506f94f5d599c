"""The command line: ``python -m cconv info | demo | bench | config``."""

import argparse
import math
import os
import sys
from collections.abc import Sequence

import cconv

__all__ = ["main", "parser"]


CONFIG = {
    "cflags": "flags to compile with: where cconv.h is",
    "libs": "flags to link with: the static library, and what it needs",
    "sources": "the file cconv.c, the whole core, to compile instead of linking the library",
    "cmakedir": "the folder for CMake's cconv_DIR",
    "pkgconfigdir": "the folder for PKG_CONFIG_PATH",
}


def _threads(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected a positive integer, but got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (math.isfinite(value) and value > 0.0):
        raise argparse.ArgumentTypeError(f"expected a positive number, but got {text!r}")
    return value


def parser() -> argparse.ArgumentParser:
    """Describe the command line.

    Returns
    -------
    argparse.ArgumentParser
        With the subcommands info, demo, bench and config.
    """
    top = argparse.ArgumentParser(
        prog="python -m cconv",
        description="Convolution and pooling for NumPy arrays, at the speed of the machine.",
        epilog="Each command has its own help: python -m cconv demo --help",
    )
    top.add_argument("--version", action="version", version=f"cconv {cconv.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="{info,demo,bench,config}")

    commands.add_parser(
        "info",
        help="say which backend, instruction set and threads are in use",
        description="Print show_config(): version, backend (and why, if it is the fallback), "
        "instruction set, threads and build.",
    )

    demo = commands.add_parser(
        "demo",
        help="send a photograph through two convolution layers, check, time and draw it",
        description="Send a photograph through convolution, ReLU, max pooling, a second "
        "convolution and average pooling. Every layer is checked against the float64 reference "
        "and timed; a picture shows the input, the filters and the feature maps.",
        epilog="exit status: 0 all checks passed and the picture is written; 1 a check failed, "
        "or Matplotlib or Pillow is needed and missing; 2 bad usage, an unreadable image or an "
        "output that cannot be written",
    )
    demo.add_argument(
        "image",
        nargs="?",
        metavar="IMAGE",
        help="an image file (needs Pillow); default: the NASA portrait that ships with cconv",
    )
    demo.add_argument(
        "--output",
        default="cconv-demo.png",
        metavar="PATH",
        help="the PNG file to write (needs Matplotlib); default: %(default)s",
    )
    demo.add_argument(
        "--threads",
        type=_threads,
        metavar="N",
        help="number of threads; default: get_num_threads()",
    )

    bench = commands.add_parser(
        "bench",
        help="time some layers and compare them with the FMA peak of this machine",
        description="Time common layers and compare them with the fused-multiply-add peak that "
        "is measured in the same run, turn by turn. Needs nothing but cconv; a picture needs "
        "Matplotlib.",
        epilog="exit status: 0 done; 1 Matplotlib is needed and missing; 2 bad usage or "
        "a file that cannot be written",
    )
    bench.add_argument(
        "--threads",
        type=_threads,
        nargs="+",
        metavar="N",
        help="thread counts to run with; default: 1 and get_num_threads()",
    )
    bench.add_argument(
        "--dtype",
        choices=("float32", "float64", "both"),
        default="both",
        help="default: %(default)s",
    )
    bench.add_argument(
        "--seconds",
        type=_seconds,
        default=0.5,
        metavar="S",
        help="time to spend on each case; default: %(default)s",
    )
    bench.add_argument("--json", metavar="PATH", help="also write the figures to this file")
    bench.add_argument(
        "--picture",
        metavar="PATH",
        help="also draw the figures, into this PNG file (needs Matplotlib)",
    )

    config = commands.add_parser(
        "config",
        help="say what a program in C, C++ or Cython has to be compiled and linked with",
        description="Print what is asked for, a line each in the order of this list, quoted for "
        "a shell where that is necessary.",
        epilog="exit status: 0 done; 1 this installation does not have it; 2 bad usage",
    )
    for name, meaning in CONFIG.items():
        config.add_argument(f"--{name}", action="store_true", help=meaning)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program; by default ``sys.argv[1:]``.

    Returns
    -------
    int
        The exit status: 0 success, 1 a failed check or a missing package, 2 bad usage.
    """
    commands = parser()
    given = commands.parse_args(arguments)
    if given.command == "demo":
        from cconv import demo

        return demo.run(given.image, given.output, given.threads)
    if given.command == "bench":
        from cconv import bench

        dtypes = bench.DTYPES if given.dtype == "both" else (given.dtype,)
        return bench.run(given.threads, dtypes, given.seconds, given.json, given.picture)
    if given.command == "config":
        asked = [name for name in CONFIG if getattr(given, name)]
        if not asked:
            commands.error(f"config: expected one or more of --{', --'.join(CONFIG)}")
        return _print_config(asked)
    cconv.show_config()
    return 0


def _print_config(names: Sequence[str]) -> int:
    from cconv import _embedding

    try:
        for name in names:
            print(getattr(_embedding, name)())
    except FileNotFoundError as error:
        print(f"cconv config: --{name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130  # what a shell says of a program that was interrupted
    except BrokenPipeError:  # the reader, say `head`, has gone: end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
