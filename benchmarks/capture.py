"""The cost of reading z and s of every gate, beside the same network's bare forward pass.

Ours is ``se_viz.capture`` on a ``Model``, with everything it does: mode, sink, hooks, copies, NumPy arrays. The peers
read the same tensors of the same weights: captum's LayerActivation (one pass for z and one for s, as a call takes
either inputs or outputs), nnsight, TorchLens, torchvision's feature extractor, and forward hooks put on and taken off
by hand. Each peer runs in a separate process, as some patch torch, in turns with the bare network, ours, and the
bare network once more: what these two differ by is the noise. All ratios are medians over turns.

All run without gradients, in torch's ``no_grad``. The column "inference" is the bare pass in ``inference_mode``, which
saves some per cent of a small network; a capture cannot use it, because a tensor that a module keeps from such a pass
cannot be used in training afterwards.

Bar: for sixteen images ours at most 1.02 of bare, for one image at most 20 µs a gate more than bare, and no peer
lower by more than the noise.

Ours misses the bar for one image, and the table says so: 33 µs a gate on demo/r16 (8 gates), 48 on SE-ResNet-50 (16).
``kept_hooks``, the least that reading can cost, take 8 and 35 µs, as a large network pushes more of the code out of the
processor's caches. The rest, about 0.2 ms, is spent once a call: on the copy of the images, the state of the
generators, the check that no gate has changed, the modes, the copy of all numbers and the look for NaN in them. So a
second bar, of 0.4 ms a call and 20 µs a gate, is shown beside the first.

Where gates are no modules, so that every multiplication is watched, no peer reads them, and the bar is 1.08 for one
image and 1.03 for sixteen.

Usage: python benchmarks/capture.py [--quick] [--json FILE] [--threads N] [--peers NAME …]
"""

import copy
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import timm
import torch
from common import arguments, in_fresh_process, keep_memory, milliseconds, quartiles, turns, write
from torch import Tensor, nn

import se_viz
from se_viz.data.preprocess import Preprocess
from se_viz.gates.gate import Gate
from se_viz.model.model import Model

BAR = 1.02
MICROSECONDS_A_GATE = 20
MICROSECONDS_A_CALL = 400  # which no network with few gates can do without
WATCHED_BARS = {1: 1.08, 16: 1.03}
CASES = (("legacy_seresnet50", 224, 1), ("legacy_seresnet50", 224, 16), ("demo/r16", 128, 1), ("demo/r16", 128, 16))

Values = list[Tensor]  # z and s of each gate in turn


def load(name: str) -> Model:
    """The model, on the CPU; weights from timm would be a download, and cost the same."""
    if name.startswith("demo/"):
        # The plain network, so that the bare pass is that of the same modules.
        return se_viz.load(name, "cpu", fast=False)
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False).eval()
    return Model(name, network, Preprocess(crop=(224, 224), resize=224))


def twin(network: nn.Module) -> nn.Module:
    """The same weights in other modules, on which there is no hook."""
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    plain = copy.deepcopy(network, shared)
    for module in plain.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return plain


def taps(network: nn.Module, gates: tuple[Gate, ...]) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Return for each gate the module that takes z and the one that returns s, which all models here have."""
    for gate in gates:
        unit = network.get_submodule(gate.path)
        yield unit.get_submodule(gate.z_tap.path), unit.get_submodule(gate.s_tap.path)


def by_hand(network: nn.Module, gates: tuple[Gate, ...], images: Tensor) -> Callable[[], Values]:
    """Plain forward hooks."""
    parts = list(taps(network, gates))

    def read() -> Values:
        values: Values = []
        with ExitStack() as stack, torch.no_grad():
            for z, s in parts:
                hook = z.register_forward_pre_hook(lambda _module, args: values.append(args[0].clone()))
                stack.callback(hook.remove)
                hook = s.register_forward_hook(lambda _module, _args, output: values.append(output.clone()))
                stack.callback(hook.remove)
            network(images)
        return values

    return read


def kept_hooks(network: nn.Module, gates: tuple[Gate, ...], images: Tensor) -> Callable[[], Values]:
    """Forward hooks that stay on and do nothing but copy: the least that reading two tensors of a gate can cost."""
    values: Values = []
    for z, s in taps(network, gates):
        z.register_forward_pre_hook(lambda _module, args: values.append(args[0].clone()))
        s.register_forward_hook(lambda _module, _args, output: values.append(output.clone()))

    def read() -> Values:
        values.clear()
        with torch.no_grad():
            network(images)
        return list(values)

    return read


def captum(network: nn.Module, gates: tuple[Gate, ...], images: Tensor) -> Callable[[], Values]:
    """Two calls, each with the list of layers."""
    from captum.attr import LayerActivation  # noqa: PLC0415

    z, s = (LayerActivation(network, list(layers)) for layers in zip(*taps(network, gates), strict=True))

    def read() -> Values:
        with torch.no_grad():
            pairs = zip(z.attribute(images, attribute_to_layer_input=True), s.attribute(images), strict=True)
            return [value for pair in pairs for value in pair]

    return read


def nnsight(network: nn.Module, gates: tuple[Gate, ...], images: Tensor) -> Callable[[], Values]:
    """One trace."""
    from nnsight import NNsight  # noqa: PLC0415

    model = NNsight(network)
    parts = [
        (model.get(f"{gate.path}.{gate.z_tap.path}"), model.get(f"{gate.path}.{gate.s_tap.path}")) for gate in gates
    ]

    def read() -> Values:
        with torch.no_grad(), model.trace(images):
            values = []
            for z, s in parts:
                values.append(z.input)
                values.append(s.output)
            values.save()
        return values

    return read


def torchlens(network: nn.Module, gates: tuple[Gate, ...], images: Tensor) -> Callable[[], Values]:
    """``record``, its fast path, with a predicate that keeps the 2 × gates tensors and nothing else.

    It leaves torch's functions wrapped, which slows what runs beside it by some per cent as well.
    """
    import torchlens as tl  # noqa: PLC0415

    units = {gate.path for gate in gates}
    activations = {f"{gate.path}.{gate.s_tap.path}" for gate in gates}

    def wanted(event: object) -> bool:
        # z is what the squeeze puts out in the unit's own code, last flattened where it is.
        return event.address in activations or (event.address in units and event.func_name in {"mean", "flatten"})

    def read() -> Values:
        with torch.no_grad():
            return [record.ram_payload for record in tl.record(network, images, save=wanted)]

    return read


def torchvision(network: nn.Module, gates: tuple[Gate, ...], images: Tensor) -> Callable[[], Values]:
    """A graph traced once, which returns the nodes. It stops after the last of them, and has no logits to give."""
    from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names  # noqa: PLC0415

    nodes = get_graph_node_names(network)[1]
    wanted = []
    for gate in gates:
        before = nodes[nodes.index(f"{gate.path}.{gate.z_tap.path}") - 1]
        wanted += [before, f"{gate.path}.{gate.s_tap.path}"]
    extractor = create_feature_extractor(network, wanted).eval()

    def read() -> Values:
        with torch.no_grad():
            values = extractor(images)
        return [values[name] for name in wanted]

    return read


PEERS = {peer.__name__: peer for peer in (by_hand, kept_hooks, captum, nnsight, torchlens, torchvision)}


class Inline(nn.Module):
    """The gate of legacy_seresnet50 as code that applies its sigmoid without a module."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.fc1, self.relu, self.fc2 = gate.fc1, gate.relu, gate.fc2

    def forward(self, x: Tensor) -> Tensor:
        """X̃ = s · U."""
        return x * torch.sigmoid(self.fc2(self.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


def watched(batch: int, seconds: float, least: int) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Quartiles of the bare pass again and of ours, as shares of the bare pass, where multiplications are watched."""
    torch.manual_seed(0)
    network = timm.create_model("legacy_seresnet50", pretrained=False).eval()
    for block in network.modules():
        if hasattr(block, "se_module"):
            block.se_module = Inline(block.se_module)
    plain = twin(network)
    model = Model("inline", network, Preprocess(crop=(224, 224), resize=224))
    assert len(model.gates) == 16  # noqa: S101
    assert all(gate.found_by == "watch" for gate in model.gates)  # noqa: S101
    images = torch.rand(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    def bare() -> Tensor:
        with torch.no_grad():
            return plain(images)

    times = turns({"bare": bare, "ours": lambda: se_viz.capture(model, images), "again": bare}, seconds, least)
    again, ours = (
        quartiles([took / base for took, base in zip(times[way], times["bare"], strict=True)])
        for way in ("again", "ours")
    )
    return again, ours


@dataclass
class Result:
    """A case in the turns of one peer: milliseconds of a bare pass; ratios to it as quartiles; whether values agree."""

    bare_ms: float
    gates: int
    inference: tuple[float, float, float]
    noise: tuple[float, float, float]
    ours: tuple[float, float, float]
    peer: tuple[float, float, float]
    same: bool


def measure(peer: str, case: tuple[str, int, int], threads: int | None, seconds: float, least: int) -> Result:
    """One case beside one peer, in the process this runs in."""
    if threads:
        torch.set_num_threads(threads)
    name, side, batch = case
    model = load(name)
    plain = twin(model.network)
    images = torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0))
    theirs = PEERS[peer](twin(model.network), model.gates, images)

    def bare() -> Tensor:
        with torch.no_grad():
            return plain(images)

    def ours() -> se_viz.Capture:
        return se_viz.capture(model, images)

    mine = [torch.from_numpy(value) for gate_capture in ours() for value in (gate_capture.z, gate_capture.s)]
    found = [value.reshape(batch, -1) for value in theirs()]
    same = len(mine) == len(found) and all(
        a.shape == b.shape and torch.allclose(a, b, atol=1e-5) for a, b in zip(mine, found, strict=True)
    )

    def inference() -> Tensor:
        with torch.inference_mode():
            return plain(images)

    ways = {"bare": bare, "ours": ours, "peer": theirs, "again": bare, "inference": inference}
    times = turns(ways, seconds, least)
    ratios = {
        way: quartiles([took / base for took, base in zip(times[way], times["bare"], strict=True)])
        for way in ("inference", "again", "ours", "peer")
    }
    return Result(statistics.median(times["bare"]), len(model.gates), *ratios.values(), same)


def shown(ratio: tuple[float, float, float]) -> str:
    """A median with its quartiles."""
    low, middle, high = ratio
    return f"{middle:7.3f} ({low:.3f}–{high:.3f})"


def main() -> None:
    """Print the tables."""
    parser = arguments(__doc__)
    parser.add_argument("--threads", type=int, help="of torch; its own choice if not given")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    options = parser.parse_args()
    if not options.quick:
        keep_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    seconds, least, cases = (0.0, 1, CASES[2:3]) if options.quick else (30.0, 9, CASES)

    numbers: dict[str, object] = {}
    for case in cases:
        name, side, batch = case
        print(f"\n{name}, {side} px, batch {batch}: time as a share of the bare pass, median (quartiles)")
        print(f"{'beside':14}{'bare, ms':>9}  {'inference':22}{'bare again':22}{'ours':22}{'peer':22}values")
        rest = (case, options.threads, seconds, least)
        imported = ("timm", "se_viz.model.model")
        results = {peer: in_fresh_process(measure, peer, *rest, imported=imported) for peer in options.peers}
        for peer, result in results.items():
            if isinstance(result, str):
                print(f"{peer:14}{result}")
                continue
            same = "the same to 1e-5" if result.same else "DIFFER"
            row = "".join(f"{shown(ratio):22}" for ratio in (result.inference, result.noise, result.ours, result.peer))
            print(f"{peer:14}{result.bare_ms:9.1f}  {row}{same}")
        print(verdict(results, batch))
        numbers[f"{name} {side} px × {batch}"] = {
            peer: result if isinstance(result, str) else vars(result) for peer, result in results.items()
        }

    print("\nlegacy_seresnet50 with gates that are no modules, 224 px: share of the bare pass, median (quartiles)")
    for batch in (1,) if options.quick else tuple(WATCHED_BARS):
        again, ours = watched(batch, seconds, least)
        met = "met" if ours[1] <= WATCHED_BARS[batch] else "missed"
        print(f"batch {batch:3}: bare again {shown(again)}, ours {shown(ours)}. Bar {WATCHED_BARS[batch]} {met}.")
        numbers[f"watched × {batch}"] = {"noise": again, "ours": ours}

    print("\nFinding and proving the gates, ms")
    found = {name: finding(name, 1 if options.quick else 5) for name in dict.fromkeys(case[0] for case in cases)}
    for name, took in found.items():
        print(f"{name:20}{took:8.0f}")
    write(options.json, {"capture": numbers, "find_gates_ms": found})


def verdict(results: dict[str, Result | str], batch: int) -> str:
    """Return whether a case meets the bar: ours over all peers' turns, and each peer against ours beside it."""
    done = {peer: result for peer, result in results.items() if isinstance(result, Result)}
    if not done:
        return "Nothing was measured."
    ours = statistics.median(result.ours[1] for result in done.values())
    noise = statistics.median((result.noise[2] - result.noise[0]) / 2 for result in done.values())
    gate = statistics.median(1000 * result.bare_ms * (result.ours[1] - 1) / result.gates for result in done.values())
    lower = [peer for peer, result in done.items() if result.peer[1] < result.ours[1] - noise]
    bar = f"{MICROSECONDS_A_GATE} µs a gate" if batch == 1 else f"{BAR}"
    within = gate <= MICROSECONDS_A_GATE if batch == 1 else ours <= BAR
    met = "met" if within and not lower else "missed"
    gates = next(result.gates for result in done.values())
    reachable = MICROSECONDS_A_GATE + MICROSECONDS_A_CALL / gates
    beside = f" With {MICROSECONDS_A_CALL} µs a call, {'met' if gate <= reachable else 'missed'}." if batch == 1 else ""
    return (
        f"Ours {ours:.3f}, {gate:.0f} µs a gate, bar {bar}; noise ±{noise:.3f}; "
        f"lower than ours: {', '.join(lower) or 'none'}. Bar {met}.{beside}"
    )


def finding(name: str, times: int) -> float:
    """Milliseconds that ``find_gates`` takes on a network that has not run before."""
    network = load(name).network
    networks = [twin(network) for _ in range(times)]
    return statistics.median(milliseconds(partial(se_viz.find_gates, fresh)) for fresh in networks)


if __name__ == "__main__":
    main()
