"""The hooks of a module whose input or output is a value of gates."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from torch import Tensor, nn

from se_viz.gates.capture_buffer import CaptureBuffer, Key
from se_viz.gates.direct_edit import may_be_direct, put_in_place
from se_viz.gates.gate import Gate
from se_viz.gates.trace import first_tensor

# The gates that read a value at the same side of the same module, each with the key that the value is kept under.
Users: TypeAlias = Sequence[tuple[Gate, Key]]
# Return the sink of the pass that is running in this thread, if there is one.
SinkOf: TypeAlias = Callable[[], CaptureBuffer | None]
Keep: TypeAlias = Callable[[object], None]


def keep_for(users: Users, owner: object, sink_of: SinkOf) -> Keep:
    """Return a function that keeps a value for its users in the sink, if the sink belongs to ``owner``."""
    # Nearly all values are z or s of one gate. They are read once a pass, with cold caches, so that every call counts.
    if len(users) == 1 and not users[0][0].scoped and users[0][1][1] in "zs":

        def keep_one(value: object, key: Key = users[0][1]) -> None:
            sink = sink_of()
            if sink is not None and sink.owner is owner and key not in sink.kept and isinstance(value, Tensor):
                sink.put(key, value)

        return keep_one

    plain = [key for gate, key in users if not gate.scoped]
    scoped: dict[str, dict[int, list[Key]]] = {}
    for gate, key in users:
        if gate.scoped:
            scoped.setdefault(gate.path, {}).setdefault(gate.run, []).append(key)

    def keep_all(value: object) -> None:
        sink = sink_of()
        if sink is None or sink.owner is not owner:
            return
        for key in plain:
            sink.keep(key, value)
        frame = sink.innermost(scoped) if scoped else None
        for key in scoped[frame.path].get(frame.run, ()) if frame else ():
            sink.keep(key, value)

    return keep_all


def input_hook(keep: Keep) -> Callable[[nn.Module, tuple[object, ...], dict[str, object]], None]:
    """Return a forward pre-hook, with keyword arguments, that keeps the first tensor that the module takes."""

    def before(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        keep(args[0] if args and isinstance(args[0], Tensor) else first_tensor(args, kwargs))

    return before


def output_hook(
    keep: Keep, users: Users, owner: object, sink_of: SinkOf, are_direct: Mapping[str, bool]
) -> Callable[[nn.Module, object, object], Tensor | None]:
    """Return a forward hook that keeps the output of the module, and puts other weights in the place of s.

    It does so for a gate of which ``are_direct`` says that its gate multiplies U by this output as it is.
    """
    direct = edited_by(users)

    def after(_module: nn.Module, _args: object, output: object) -> Tensor | None:
        keep(output)
        if direct is None:
            return None
        sink = sink_of()
        if sink is None or direct.name not in sink.edits or sink.owner is not owner:
            return None
        if not (are_direct.get(direct.name) or sink.trial) or not isinstance(output, Tensor):
            return None
        return put_in_place(sink, direct, output)

    return after


def edited_by(users: Users) -> Gate | None:
    """Return the gate whose s may be replaced where it is read; None if the value is no s, or has several users."""
    gate, key = users[0]
    return gate if len(users) == 1 and key[1] == "s" and may_be_direct(gate) else None


def must_come_first(users: Users) -> bool:
    """Return whether the output is X̃ of runs that a later hook of the same module records as ended.

    Other values are read after the hooks of others, because one of these may replace the output of the module.
    """
    scoped = [key[1] for gate, key in users if gate.scoped]
    return bool(scoped) and all(what == "x" for what in scoped)
