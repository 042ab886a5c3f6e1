"""Passes whose gradients are asked for, in networks that save memory by computing parts twice.

Gradient checkpointing (``torch.utils.checkpoint``) keeps nothing of a part of the network and runs it again for the
gradients. A pass that starts at a gate cannot run a part again from its middle, and captum's way of asking for
gradients is not allowed with ``use_reentrant=True``. In the passes of this thread such parts are therefore run as if
they were not wrapped, which gives the same numbers and takes more memory.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from torch.utils import checkpoint as torch_checkpoint

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.errors import InstrumentError, NotReadable
from se_viz.gates.refusals import REJECTIONS
from se_viz.gates.shared_context import SharedContext

_direct: ContextVar[bool] = ContextVar("se_viz_without_checkpointing", default=False)
_replaced = SharedContext()


@contextmanager
def without_checkpointing() -> Iterator[None]:
    """Run checkpointed parts of networks directly in this thread inside the block; other threads are not affected."""
    with _replaced.hold(_replacing):
        token = _direct.set(True)
        try:
            yield
        finally:
            _direct.reset(token)


@contextmanager
def asking_for_gradients(gate: str, instead: str) -> Iterator[None]:
    """Run checkpointed parts directly, and raise NotReadable where a network does not let gradients through.

    Args:
        gate: its name.
        instead: the sentence on what to do.
    """
    try:
        with without_checkpointing():
            yield
    except InstrumentError:
        raise
    except REJECTIONS as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        said = str(error).strip().partition("\n")[0]
        raise NotReadable(f"No gradients for {gate} can be computed in this network ({said}). {instead}") from error


@contextmanager
def _replacing() -> Iterator[None]:
    """Replace what both kinds of checkpointing call, with functions that ask which thread runs."""
    function: Any = torch_checkpoint.CheckpointFunction
    module: Any = torch_checkpoint
    apply, hook = function.apply, module._checkpoint_hook

    def applied(run: Callable[..., Any], preserve: bool, *args: Any) -> Any:  # noqa: ANN401 - whatever it returns
        return run(*args) if _direct.get() else apply(run, preserve, *args)

    def hooked(frame: object) -> AbstractContextManager[object]:
        return nullcontext() if _direct.get() else hook(frame)

    function.apply, module._checkpoint_hook = staticmethod(applied), hooked
    try:
        yield
    finally:
        del function.apply  # which is inherited
        module._checkpoint_hook = hook
