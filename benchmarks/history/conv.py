"""Convolutions."""

from benchmarks.workloads import Conv

from . import common


class Time(common.Time):
    """Seconds of one call."""

    params = (common.largest_and_smallest(Conv), common.MODES, common.THREADS)


class PlanTime(common.Time):
    """Seconds of one call of a plan."""

    params = (common.largest(Conv), common.PLAN_MODES, common.THREADS)


class Memory(common.Memory):
    """The most memory of a process."""

    params = (common.largest(Conv), ("function", "plan with out"), common.THREADS)


class Rate(common.Rate):
    """GFLOP/s and share of the FMA peak."""

    params = (common.largest(Conv), common.MODES, common.THREADS)
