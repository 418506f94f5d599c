"""The brightest pixel around each pixel."""

from peaks._peaks import brightest

__all__ = ["brightest"]
