"""The runs of a block's parts in one forward pass, of noise or of an image."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor, nn

from se_viz.gates.errors import GatesChanged
from se_viz.gates.eval_mode import hold_eval_mode
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.tables import TableKey
from se_viz.gates.trace import Size, image_channels, placement, watched


@dataclass(eq=False, slots=True)
class PartRun:
    """A run of a part, with copies of its input and output, because later operations may overwrite these."""

    path: str
    module: nn.Module
    input: Tensor
    output: Tensor


def watch_block(
    network: nn.Module, path: str, gate: Gate, size: Size, image: Tensor | None = None
) -> tuple[list[PartRun], PartRun, PartRun]:
    """Return the runs of a block's parts in the order in which they began, the run of the block, and that of the gate.

    Args:
        network, gate: the network and one of its gates.
        path: path of the block.
        size: size of the image of noise, if no image is given.
        image: a preprocessed image (1, 3, H, W).

    Raises:
        GatesChanged: the gate no longer runs.
    """
    block, unit = network.get_submodule(path), network.get_submodule(gate.path)
    watching = {module: name for name, module in _units(block, path, unit)}
    if gate.product is None:
        watching[unit] = gate.path
    # One ReLU may run several times in a block, so every run is recorded.
    begun: list[tuple[nn.Module, Tensor]] = []
    finished: dict[int, Tensor] = {}
    open_runs: list[int] = []

    def before(module: nn.Module, value: object) -> None:
        if isinstance(value, Tensor):
            open_runs.append(len(begun))
            begun.append((module, value.clone()))

    def after(module: nn.Module, value: object) -> None:
        if open_runs and begun[open_runs[-1]][0] is module:
            number = open_runs.pop()
            if isinstance(value, Tensor):
                finished[number] = value.clone()

    device, dtype = placement(network)
    if image is None:
        height, width = (size, size) if isinstance(size, int) else size
        image = torch.rand((1, image_channels(network), height, width), generator=torch.Generator().manual_seed(0))
    image = image.to(device, dtype).clone()
    kept = _ProductBuffer(begun)
    with hold_eval_mode(network), watched([block, *watching], before, after), torch.no_grad():
        if gate.product is None:
            network(image)
        else:
            with Instrument(network, (gate,)).capturing(frozenset([gate.name])) as sink:
                sink.kept = kept
                sink.network(image)
    timed_runs = [
        (number, PartRun(path if module is block else watching[module], module, taken, finished[number]))
        for number, (module, taken) in enumerate(begun)
        if number in finished
    ]
    gate_run: tuple[int, PartRun] | None = None
    if gate.product is None:
        gate_run = next(iter([item for item in timed_runs if item[1].module is unit][gate.run :]), None)
    elif (gate.name, "u") in kept and (gate.name, "x") in kept:
        gate_run = kept.position, PartRun(gate.path, unit, kept[gate.name, "u"], kept[gate.name, "x"])
        timed_runs.insert(sum(number < kept.position for number, _ in timed_runs), gate_run)
    if gate_run is None:
        raise GatesChanged(f"{gate.name} at {gate.path} no longer runs. Find the gates of this network again.")
    runs, block_run = _around(gate_run, timed_runs, block)
    return runs, block_run, gate_run[1]


def _around(
    gate_run: tuple[int, PartRun], timed_runs: list[tuple[int, PartRun]], block: nn.Module
) -> tuple[list[PartRun], PartRun]:
    """Return the runs within the run of the block that contains the gate's, and that run of the block."""
    before = timed_runs[: timed_runs.index(gate_run)]
    start, block_run = next((item for item in reversed(before) if item[1].module is block), gate_run)
    if block_run is gate_run[1]:  # the block takes anything but one tensor, so nothing outside the gate is analysed
        return [run for _, run in timed_runs], block_run
    later = (at for at, run in timed_runs if run.module is block and at > start and run is not gate_run[1])
    end = next(later, inf)
    return [run for at, run in timed_runs if start <= at < end and run is not block_run], block_run


class _ProductBuffer(dict[TableKey, Tensor]):
    """U and X̃ of a gate that is not a module, and how many parts had begun to run at the multiplication."""

    def __init__(self, begun: list[tuple[nn.Module, Tensor]]) -> None:
        super().__init__()
        self.position = 0
        self._begun = begun

    def __setitem__(self, key: TableKey, value: Tensor) -> None:
        self.position = len(self._begun)
        super().__setitem__(key, value)


def _units(block: nn.Module, path: str, gate: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield what counts as one part: the gate, modules that own weights directly, and modules without children."""
    for name, child in block.named_children():
        full = f"{path}.{name}" if path else name
        has_weights = next(child.parameters(recurse=False), None) is not None
        if child is gate or has_weights or next(child.children(), None) is None:
            yield full, child
        else:
            yield from _units(child, full, gate)
