"""Reading files of unknown makers in child processes: ``run``, its ``Limits``, and the error ``Ended``."""

from se_viz.sandbox.limits import Ended, Limits
from se_viz.sandbox.pool import Asked, close, run, warm

__all__ = ["Asked", "Ended", "Limits", "close", "run", "warm"]
