"""The extension is linked with the static library that cconv brings."""

import shlex
import subprocess
import sys

from setuptools import Extension, setup

import cconv

libs = subprocess.check_output([sys.executable, "-m", "cconv", "config", "--libs"], text=True)
setup(
    ext_modules=[
        Extension(
            "peaks._peaks",
            ["peaks/_peaks.pyx"],
            include_dirs=[cconv.get_include()],
            extra_link_args=shlex.split(libs),
        )
    ]
)
