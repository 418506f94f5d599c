"""What a call costs beside its work: the tiny rows in every call mode, and the import."""

from benchmarks.workloads import Conv, ConvTranspose

from . import common


class Time(common.Time):
    """Seconds of one call of the tiny rows, on one thread."""

    params = (common.tiny(), common.OUT_MODES, (1,))


class PlanTime(common.Time):
    """Seconds of one call of a plan of the tiny convolutions, on one thread."""

    params = (common.tiny(Conv, ConvTranspose), common.PLAN_MODES, (1,))


class Import:
    """Seconds that importing cconv takes where NumPy is there already, each in a new process."""

    number = 1
    repeat = 10
    rounds = 2
    warmup_time = 0.0
    version = "1"

    def timeraw_import(self) -> tuple[str, str]:
        """Give the statement, and what comes before it."""
        return "import cconv", "import numpy"
