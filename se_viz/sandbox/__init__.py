"""Reading untrusted files in child processes: ``run``, its ``Limits``, and the error ``Ended``."""

from se_viz.sandbox.limits import Ended, Limits
from se_viz.sandbox.pool import close, run, warm

__all__ = ["Ended", "Limits", "close", "run", "warm"]
