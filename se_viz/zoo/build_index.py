"""Which architectures of timm and torchvision hold channel gates: build each at random, search it, write it down."""

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
from se_viz.zoo import gate_index as table
from se_viz.zoo import libraries as sources
from se_viz.zoo.gate_index import Row

# What looks like a channel gate and is none, by class, with the reason; and what may be one and is only searched.
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

# A network with more weights than this is left out: at four bytes each it would not fit beside what else runs.
LARGEST = 1_500_000_000

# Pixels. Small ones first: the gates are proved alone, so the size only has to let every module run.
_SIZES = (64, 128, None)


def discover(path: Path, wanted: Callable[[str], bool], report: Callable[[Row], None]) -> None:
    """Fill the table in ``path`` with every architecture that is ``wanted``: first sketched, then proved.

    It is written as it grows, so that a run that was ended goes on where it stopped. Those with pretrained weights, and
    the paper's own among them, come first.

    Raises:
        InUse: another process is writing ``path``.
        WriteFailed: ``path`` cannot be written; what was written before is kept.
    """
    with sole_writer(path):
        _fill(path, wanted, report)


def _fill(path: Path, wanted: Callable[[str], bool], report: Callable[[Row], None]) -> None:
    architectures = sources.architectures()
    order = {name: index for index, name in enumerate(architectures)}
    known = table.read(path)
    rows = {name: replace(known[name], weights=tags) for name, tags in architectures.items() if name in known}
    for name in filter(wanted, architectures):
        if name not in rows:
            rows[name] = sketch(name, architectures[name])
    _write(rows, order, path)
    waiting = [row for name, row in rows.items() if row.seconds is None and wanted(name)]
    for row in sorted(waiting, key=lambda row: (not row.weights, "legacy_se" not in row.model, row.params)):
        rows[row.model] = prove(row)
        report(rows[row.model])
        _write(rows, order, path)


def sketch(name: str, weights: tuple[str, ...] = ()) -> Row:
    """The row of one architecture, for instance "timm/seresnet50", built without numbers (on torch's meta device).

    That takes some hundredths of a second, and tells whether any module is of a gate's class or looks like one. Where
    none is, the row is final; else ``seconds`` is None, and ``prove`` tells.
    """
    source, architecture, _ = sources.split(name)
    family = source.family(architecture)
    try:
        network = sketched(lambda: source.create(architecture))
    except Exception as error:  # noqa: BLE001 - networks fail without numbers in ways of their own
        return Row(name, family, weights, 0, 0, (), 0, None, f"cannot be sketched: {_brief(error)}")
    params = count_params(network)
    known = Counter(type(module).__name__ for module in network.modules() if kind_of(module) is not None)
    seconds = None if known or _alike(network) else 0.0
    return Row(name, family, weights, params, known.total(), tuple(known), 0, seconds)


def prove(row: Row) -> Row:
    """The row of a sketched architecture once it is built at random and searched."""
    source, architecture, _ = sources.split(row.model)
    if row.params > LARGEST:
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
    left = known - len({gate.path for gate in gates if kind_of(network.get_submodule(gate.path)) is not None})
    if left > 0:
        notes.append(f"{left} modules of a known class do not run just once, or not as a gate")
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
    """How many modules of the classes of ``LOOKALIKES`` there are."""
    names = (type(module).__name__ for module in network.modules() if kind_of(module) is None)
    return Counter(name for name in names if name in LOOKALIKES)


def _write(rows: dict[str, Row], order: dict[str, int], path: Path) -> None:
    table.write(sorted(rows.values(), key=lambda row: order[row.model]), path)


def _search(network: nn.Module, known: int) -> tuple[tuple[Gate, ...], float]:
    """The gates, and the processor's seconds it took to find them, at the smallest size at which all of them show."""
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
