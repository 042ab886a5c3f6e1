"""The list of the channel gates in every architecture of timm and torchvision, built with random weights."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time

import torch
from torch import nn

from se_viz.disk.sole_writer import sole_writer
from se_viz.gates.errors import InstrumentError, NoGateFound, NotAnImageModel
from se_viz.gates.find import Finding, survey
from se_viz.gates.gate import Gate
from se_viz.gates.known_gates import kind_of
from se_viz.weights.meta_model import count_params, sketched
from se_viz.zoo import gate_index, libraries
from se_viz.zoo.gate_index import ArchitectureRow

# Classes that look like channel gates and are not, with the reason, and classes that may be and are only searched.
LOOKALIKES = {
    "SplitAttn": "split attention weighs radix copies of each channel, which then add up",
    "SelectiveKernelAttn": "a softmax shares each channel out among kernels, which then add up",
    "SpatialAttn": "spatial attention has one weight a pixel",
    "LightSpatialAttn": "spatial attention has one weight a pixel",
    "GhostModuleV3": "its attention has a weight for each channel and pixel",
    "GhostModuleV2": "its attention has a weight for each channel and pixel",
    "GlobalResponseNorm": "a normalisation by the channels' norms, with no gate function",
    "CoordAttn": "its weights differ by row and column",
    "SimpleCoordAttn": "its weights differ by row and column",
    "EfficientLocalAttn": "its weights differ by row and column",
    "StripAttn": "its weights differ by row and column",
    "XCA": "channel self-attention mixes channels",
    "CrossCovarianceAttn": "channel self-attention mixes channels",
    "ChannelAttention": "channel self-attention mixes channels",
    "ChannelAttentionV2": "channel self-attention mixes channels",
    "NonLocalAttn": "self-attention mixes pixels",
    "BatNonLocalAttn": "self-attention mixes pixels",
    "GatherExcite": "has a weight for each channel and pixel unless it gathers from all of the map",
    "GlobalContext": "here its context is added, not multiplied",
}

# Larger networks are left out: at four bytes per weight they may not fit in memory.
LARGEST = 1_500_000_000

# Sides of images, pixels. Small ones first: gates are verified alone, so every module only has to run.
_SIZES = (64, 128, None)


def discover(path: Path, wanted: Callable[[str], bool], report: Callable[[ArchitectureRow], None]) -> None:
    """Complete the table in ``path`` with every architecture that is ``wanted``: each is sketched, then verified.

    The table is written after each row, so an interrupted run continues where it stopped. Architectures with pretrained
    weights come first, and among them those of the paper.

    Raises:
        InUse: another process is writing ``path``.
        WriteFailed: ``path`` cannot be written; its earlier content is kept.
    """
    with sole_writer(path):
        _fill(path, wanted, report)


def _fill(path: Path, wanted: Callable[[str], bool], report: Callable[[ArchitectureRow], None]) -> None:
    architectures = libraries.architectures()
    order = {name: index for index, name in enumerate(architectures)}
    known = gate_index.read(path)
    rows = {name: replace(known[name], weights=tags) for name, tags in architectures.items() if name in known}
    for name in filter(wanted, architectures):
        if name not in rows:
            rows[name] = sketch(name, architectures[name])
    _write(rows, order, path)
    waiting = [row for name, row in rows.items() if row.seconds is None and wanted(name)]
    for row in sorted(waiting, key=lambda row: (not row.weights, "legacy_se" not in row.model, row.params)):
        rows[row.model] = verify_architecture(row)
        report(rows[row.model])
        _write(rows, order, path)


def sketch(name: str, weights: tuple[str, ...] = ()) -> ArchitectureRow:
    """Return the row of one architecture, for instance "timm/seresnet50", built on torch's meta device.

    That takes a few hundredths of a second and tells whether any module is of a known class of gates or looks like one.
    If not, the row is final; otherwise ``seconds`` is None, and ``verify_architecture`` completes it.
    """
    source, architecture, _ = libraries.split(name)
    family = source.family(architecture)
    try:
        network = sketched(lambda: source.create(architecture))
    except Exception as error:  # noqa: BLE001 - networks without numbers fail in many ways
        return ArchitectureRow(name, family, weights, 0, 0, (), 0, None, f"cannot be sketched: {_brief(error)}")
    params = count_params(network)
    known = Counter(type(module).__name__ for module in network.modules() if kind_of(module) is not None)
    seconds = None if known or _alike(network) else 0.0
    return ArchitectureRow(name, family, weights, params, known.total(), tuple(known), 0, seconds)


def verify_architecture(row: ArchitectureRow, largest: int = LARGEST) -> ArchitectureRow:
    """Return the row of a sketched architecture, built with random weights and searched for gates.

    One of more than ``largest`` parameters is not built.
    """
    source, architecture, _ = libraries.split(row.model)
    if row.params > largest:
        return replace(
            row, note="too large to be built where this table was made; modules of a known class are counted"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = source.create(architecture)
    params = count_params(network)
    known = sum(kind_of(module) is not None for module in network.modules())
    try:
        gates, seconds = _search(network, known)
    except InstrumentError as error:
        return replace(row, params=params, gates=0, kinds=(), seconds=0.0, note=f"cannot be read: {_brief(error)}")
    kinds = Counter(gate.kind for gate in gates)
    notes = [f"{kind}: {LOOKALIKES[kind]}" for kind, count in _alike(network).items() if kinds[kind] < count]
    missed = known - len({gate.path for gate in gates if kind_of(network.get_submodule(gate.path)) is not None})
    if missed > 0:
        notes.append(f"{missed} modules of a known class do not run just once, or not as a gate")
    return replace(
        row,
        params=params,
        gates=len(gates),
        kinds=tuple(kinds),
        channels=sum(gate.channels for gate in gates),
        seconds=round(seconds, 2),
        note="; ".join(notes),
    )


def _alike(network: nn.Module) -> Counter[str]:
    """Return the number of modules of each class in ``LOOKALIKES``."""
    names = (type(module).__name__ for module in network.modules() if kind_of(module) is None)
    return Counter(name for name in names if name in LOOKALIKES)


def _write(rows: dict[str, ArchitectureRow], order: dict[str, int], path: Path) -> None:
    gate_index.write(sorted(rows.values(), key=lambda row: order[row.model]), path)


def _search(network: nn.Module, known: int) -> tuple[tuple[Gate, ...], float]:
    """Return the gates at the smallest image size that shows all of them, and the CPU seconds of the search."""
    best: tuple[Gate, ...] = ()
    seconds = 0.0
    failure: NotAnImageModel | None = None
    for size in _SIZES:
        started = process_time()
        try:
            finding = survey(network, size)
        except NoGateFound:
            finding = Finding(())
        except NotAnImageModel as error:
            failure = error
            continue
        seconds, failure = process_time() - started, None
        best = max(best, finding.gates, key=len)
        if len(best) >= known and not finding.notes:
            break
    if failure is not None and not best:
        raise failure
    return best, seconds


def _brief(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]
