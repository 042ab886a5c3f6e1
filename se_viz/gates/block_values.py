"""The values of one image on the path through a gate's block: from the last convolution to U, and from X̃ on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from se_viz.gates.block import Block, block_of_runs, path_of_block
from se_viz.gates.block_part import BlockPart, part
from se_viz.gates.block_runs import PartRun, watch_block
from se_viz.gates.block_tracer import BlockTracer, Branch
from se_viz.gates.excitation_layers import ACTIVATIONS, ExcitationLayers, excitation_layers
from se_viz.gates.gate import Gate
from se_viz.gates.layer_calls import LayerCall, LayerCalls
from se_viz.types import Float32s
from se_viz.weights.tensor_kinds import singles

OperationKind: TypeAlias = Literal["norm", "activation", "addition", "gate", "other"]

# Parts that give each channel its own map again, so that a channel can be followed through them.
_FOLLOWED = ("norm", "activation", "gate")


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operation on the path that keeps channels apart.

    Attributes:
        kind: the kind of operation.
        text: a description, for instance "batch norm" or "ReLU".
        output: maps after it (C, H, W).
        scale, shift: of a batch norm, with which it computes scale · x + shift, (C,) each.
        function: name of the activation that a batch norm module or an addition applies in addition; "" without one.
        added: the maps that an addition adds (C, H, W).
        identity: whether these are the block's input itself.
    """

    kind: OperationKind
    text: str
    output: Float32s
    scale: Float32s | None = None
    shift: Float32s | None = None
    function: str = ""
    added: Float32s | None = None
    identity: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BlockValues:
    """The values of one image on the path through the block of a gate, in the network as published.

    Attributes:
        block: the block.
        input: the block's input (C, H, W).
        convolution: the last convolution before the gate, whose input is X; None if no convolution can be followed.
        missing: a clause on why there is no convolution; empty if there is one.
        before: the operations from the output of the convolution to U.
        layers: the layers that computed s from z.
        after: the operations from X̃ on, up to the block's output or to the part that mixes channels.
        mixed_by: the part after the gate that mixes channels; None if the block's output has the channels of U.
        output: what the block passes on (C, H, W).
    """

    block: Block
    input: Float32s
    convolution: LayerCall | None
    missing: str
    before: tuple[Operation, ...]
    layers: ExcitationLayers
    after: tuple[Operation, ...]
    mixed_by: BlockPart | None
    output: Float32s = field(repr=False)


def block_values(network: nn.Module, gate: Gate, image: Tensor, z: Float32s | None, s: Float32s) -> BlockValues:
    """Run an image through a network once, and return the values on the path through the block of a gate.

    Args:
        network: the network, on any device.
        gate: a gate that ``find_gates`` returned.
        image: the image, preprocessed (1, 3, H, W).
        z, s: squeeze descriptor and excitation weights (C,) of the gate for this image, as they were captured.

    Raises:
        GatesChanged: the gate no longer runs.
    """
    size = (int(image.shape[-2]), int(image.shape[-1]))
    with LayerCalls() as layers:
        runs, block_run, gate_run = watch_block(network, path_of_block(gate), gate, size, image)
    tracer = BlockTracer(runs, block_run, gate_run)
    dtype = block_run.input.dtype
    ahead, earlier, begins = tracer.back(gate_run)
    behind, later, ends = tracer.forward(gate_run)
    block = block_of_runs(
        gate, path_of_block(gate), block_run, gate_run, (ahead, earlier, begins), (behind, later, ends)
    )
    source: _ConvolutionBefore
    if gate.layout == "nhwc":
        source = _ConvolutionBefore(None, "the maps of this block have their channels on the last axis", ())
        after: tuple[Operation, ...] = ()
        mixed = part(behind[0].path, behind[0].module, behind[0].output) if behind else None
    else:
        source = _source(runs, gate_run, ahead, earlier, begins, block_run)
        # Positions of later additions count the gate as one part, X̃ itself being the first value.
        after, mixed = _follow(
            gate_run.output, behind, [(at - 1, branch) for at, branch in later], block_run, whole=ends
        )
    squeezed = None if z is None else torch.from_numpy(z)
    return BlockValues(
        block=block,
        input=_maps(block_run.input),
        convolution=source.convolution,
        missing=source.missing,
        before=source.operations,
        layers=excitation_layers(layers.calls, squeezed, torch.from_numpy(s), gate.gate_function, dtype),
        after=after,
        mixed_by=mixed,
        output=_maps(block_run.output),
    )


@dataclass(frozen=True, slots=True)
class _ConvolutionBefore:
    """The convolution before U, the reason if there is no convolution, and the operations from its output to U."""

    convolution: LayerCall | None
    missing: str
    operations: tuple[Operation, ...]


def _source(
    runs: Sequence[PartRun],
    gate_run: PartRun,
    path: Sequence[PartRun],
    joins: Sequence[tuple[int, Branch]],
    begins: bool,
    block_run: PartRun,
) -> _ConvolutionBefore:
    last = ""
    if not path and not begins:
        # The activation before U may be a function and not a module.
        earlier = runs[: runs.index(gate_run)] if gate_run in runs else []
        found = next(
            (
                (run, name)
                for run in reversed(earlier)
                if run.output.shape == gate_run.input.shape
                for name, apply in ACTIVATIONS.items()
                if _near(apply(run.output), gate_run.input)
            ),
            None,
        )
        if found is None:
            return _ConvolutionBefore(
                None, "the operations between the last convolution and U could not be followed", ()
            )
        run, last = found
        tracer = BlockTracer(runs, block_run, gate_run)
        path, joins, begins = tracer.back(run)
        path = [*path, run]
    at = next((at for at in reversed(range(len(path))) if isinstance(path[at].module, nn.Conv2d)), None)
    if at is None:
        known = "this block has no convolution before the gate: U is made of the block's input"
        return _ConvolutionBefore(None, known if begins else "no convolution could be followed back from U", ())
    convolution = path[at]
    call = _called(convolution)
    if call is None:
        return _ConvolutionBefore(None, f"{convolution.path} is made of several convolutions", ())
    operations, mixed = _follow(
        convolution.output,
        path[at + 1 :],
        [(place - at - 1, branch) for place, branch in joins if place > at],
        block_run,
        whole=False,
    )
    if mixed is not None:
        return _ConvolutionBefore(
            None, f"between the last convolution and U lies a part that mixes pixels ({mixed.text})", ()
        )
    if last:
        operations = (*operations, Operation("activation", last, _maps(gate_run.input)))
    return _ConvolutionBefore(call, "", operations)


def _called(run: PartRun) -> LayerCall | None:
    """Return the call of a convolution that a module makes; None if it makes several."""
    with torch.no_grad(), LayerCalls(maps=True) as made:
        run.module(run.input.clone())
    calls = [call for call in made.calls if call.kind == "conv2d"]
    return calls[0] if len(calls) == 1 and _near(calls[0].output[None], run.output) else None


def _follow(
    value: Tensor,
    parts: Sequence[PartRun],
    joins: Sequence[tuple[int, Branch]],
    block_run: PartRun,
    *,
    whole: bool,
) -> tuple[tuple[Operation, ...], BlockPart | None]:
    """Return the operations on a value up to the first part that mixes channels or pixels, and that part.

    Args:
        value: the value at the beginning (1, C, H, W).
        parts: the parts after it.
        joins: the additions, each with the number of ``parts`` before it.
        block_run: the run of the block.
        whole: whether the path ends at the block's output.
    """
    operations: list[Operation] = []
    for at in range(len(parts) + 1):
        for _, (branch, _) in [join for join in joins if join[0] == at]:
            added = branch[-1].output if branch else block_run.input
            value, function = _sum(value, added, parts[at].input if at < len(parts) else block_run.output)
            operations.append(
                Operation(
                    "addition",
                    "the identity" if not branch else "the other branch",
                    _maps(value),
                    function=function,
                    added=_maps(added),
                    identity=not branch,
                )
            )
        if at == len(parts):
            break
        run = parts[at]
        kind = part(run.path, run.module, run.output)
        if kind.kind not in _FOLLOWED and not (kind.kind == "other" and _same_size(run) and _is_quiet(run)):
            return tuple(operations), kind
        operations.append(_operation(run, kind))
        value = run.output
    end = operations[-1] if operations else None
    if whole and end is not None and not _near(torch.from_numpy(end.output)[None], block_run.output.cpu()):
        operations[-1] = replace(end, output=_maps(block_run.output), function=end.function or "other")
    return tuple(operations), None


def _sum(value: Tensor, added: Tensor, result: Tensor) -> tuple[Tensor, str]:
    """Return the value after an addition, and the name of the function that code applies to the sum."""
    total = value + added
    if _near(total, result):
        return total, ""
    if _near(torch.relu(total), result):
        return result, "ReLU"
    return total, ""


def _operation(run: PartRun, kind: BlockPart) -> Operation:
    module = run.module
    output = _maps(run.output)
    if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None:
        with torch.no_grad():
            scale = 1 / (_exact(module.running_var) + module.eps).sqrt()
            scale = scale if module.weight is None else scale * _exact(module.weight)
            shift = -_exact(module.running_mean) * scale
            shift = shift if module.bias is None else shift + _exact(module.bias)
        plain = _exact(run.input) * scale[:, None, None] + shift[:, None, None]
        function = ""
        if not _near(plain.to(run.output), run.output):
            function = next(
                (name for name, apply in ACTIVATIONS.items() if _near(apply(plain).to(run.output), run.output)), "other"
            )
        return Operation("norm", "batch norm", output, singles(scale), singles(shift), function)
    if kind.kind == "norm":
        return Operation("norm", kind.text, output)
    text = "ReLU" if kind.text in ("ReLU", "relu") else kind.text
    return Operation("activation" if kind.kind == "activation" else "other", text, output)


def _exact(tensor: Tensor) -> Tensor:
    """Return a tensor in double precision, on the CPU, as not every device has it."""
    return tensor.cpu().double()


def _same_size(run: PartRun) -> bool:
    return run.input.shape == run.output.shape


def _is_quiet(run: PartRun) -> bool:
    """Return whether a part owns no weights, as an activation without a known class."""
    return next(run.module.parameters(), None) is None


def _maps(value: Tensor) -> Float32s:
    maps: Float32s = value[0].detach().float().cpu().contiguous().numpy()
    return maps


def _near(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    tolerance = {torch.float16: 1e-2, torch.bfloat16: 5e-2}.get(other.dtype, 1e-4)
    return bool((one - other.to(one)).abs().amax() <= tolerance * other.abs().amax().clamp_min(1e-12))
