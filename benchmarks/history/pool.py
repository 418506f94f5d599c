"""Pools; they have no operations to count, so no rate."""

from benchmarks.workloads import Pool

from . import common


class Time(common.Time):
    """Seconds of one call."""

    params = (common.largest_and_smallest(Pool), common.MODES, common.THREADS)


class Memory(common.Memory):
    """The most memory of a process."""

    params = (common.largest(Pool), common.MODES, common.THREADS)
