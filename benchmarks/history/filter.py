"""Filters of plain images and signals."""

from benchmarks.workloads import Filter

from . import common


class Time(common.Time):
    """Seconds of one call."""

    params = (common.largest_and_smallest(Filter), common.MODES, common.THREADS)


class Memory(common.Memory):
    """The most memory of a process."""

    params = (common.largest(Filter), common.MODES, common.THREADS)


class Rate(common.Rate):
    """GFLOP/s and share of the FMA peak, of filters that multiply."""

    params = (common.largest(Filter, rated=True), common.MODES, common.THREADS)
