"""The version of cconv; `src_c/include/cconv.h` carries the same numbers."""

__version__ = "0.1.0"
