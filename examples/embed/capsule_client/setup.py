"""The extension links nothing: cconv's functions come from the core that Python has loaded."""

from setuptools import Extension, setup

import cconv

setup(ext_modules=[Extension("enlarge", ["enlarge.c"], include_dirs=[cconv.get_include()])])
