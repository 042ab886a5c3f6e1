"""Captures with edits of s, against captures without, against other tools that do the same edit.

``capture``: s of one gate set to 1, of every gate to numbers, and of 20 channels to 0, as shares of a capture without
edits. The bar is 1.05. A swap and a shuffle first read s of other images, so they take a pass more and have no bar.

``peers``: the same edit of one gate, and of every gate, by nnsight and by forward hooks put on by hand as
TransformerLens has them (a hook on the module that returns s returns other numbers), as shares of a bare pass. Ours
reads z and s of every gate besides. Logits must be the same to 1e-5. A peer runs in a separate process, as nnsight
patches torch.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context

import torch
from capture import load, twin
from common import quartiles, turns, use_processor_time
from torch import Tensor, nn

import se_viz
from se_viz.gates.gate import Gate
from se_viz.interventions.edits import Edits

CAPTURE_BAR = 1.05
CASES = (("demo/r16", 128, 1), ("demo/r16", 128, 16), ("legacy_seresnet50", 224, 1), ("legacy_seresnet50", 224, 16))

Weights = Mapping[str, Tensor]  # that replace s (C,), by gate


def weights_of(gates: tuple[Gate, ...]) -> Weights:
    """Return other weights for each gate, always the same."""
    generator = torch.Generator().manual_seed(0)
    return {gate.name: torch.rand(gate.channels, generator=generator) for gate in gates}


def chosen(quick: bool) -> tuple[tuple[str, int, int], ...]:
    """Return the cases to measure: name of the network, side of the image, batch."""
    return CASES[:1] if quick else CASES


def capture(options: argparse.Namespace) -> dict[str, object]:
    """Compare captures with edits and without."""
    found: dict[str, object] = {}
    print(f"Captures with edits, as shares of one without, median (quartiles); bar {CAPTURE_BAR}")
    for name, side, batch in chosen(options.quick):
        model = load(name)
        images = torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0))
        last = model.gates[-1].name
        every = {gate: weights.numpy() for gate, weights in weights_of(model.gates).items()}
        edits = {"one gate := 1": {last: 1.0}, "20 channels := 0": {last: dict.fromkeys(range(20), 0.0)}, "all": every}
        ways: dict[str, Callable[[], object]] = {
            "without": lambda model=model, images=images: se_viz.capture(model, images),
            "again": lambda model=model, images=images: se_viz.capture(model, images),
        }
        for what, edit in edits.items():
            ways[what] = lambda model=model, images=images, edit=edit: se_viz.capture(model, images, edits=edit)
        taken = turns(ways, *(0.0, 1) if options.quick else (30.0, 15))
        ratios = {way: shares(taken[way], taken["without"]) for way in ways if way != "without"}
        for way, ratio in ratios.items():
            verdict = "" if way == "again" else ": met" if ratio[1] <= CAPTURE_BAR else ": missed"
            print(f"{name}, batch {batch:2}, {way:18}{shown(ratio)}{verdict}")
        found[f"{name} × {batch}"] = {"ratios": ratios, "milliseconds": taken}
        model.close()
    return found


def shares(taken: list[float], of: list[float]) -> tuple[float, float, float]:
    """Return quartiles of ratios that were measured side by side."""
    return quartiles([one / other for one, other in zip(taken, of, strict=True)])


def shown(ratio: tuple[float, float, float]) -> str:
    """Return a median with its quartiles."""
    low, middle, high = ratio
    return f"{middle:6.3f} ({low:.3f}–{high:.3f})"


def by_hand(network: nn.Module, gates: tuple[Gate, ...], weights: Weights, images: Tensor) -> Callable[[], Tensor]:
    """Forward hooks that return other weights than the module did, put on for one pass, as ``run_with_hooks`` does."""
    parts = [(s_module(network, gate), weights[gate.name]) for gate in gates if gate.name in weights]

    def run() -> Tensor:
        with ExitStack() as stack, torch.inference_mode():
            for part, s in parts:
                hook = part.register_forward_hook(lambda _module, _args, output, s=s: same_shape(s, output))
                stack.callback(hook.remove)
            return network(images)

    return run


def nnsight(network: nn.Module, gates: tuple[Gate, ...], weights: Weights, images: Tensor) -> Callable[[], Tensor]:
    """One trace, in which outputs of modules are replaced."""
    from nnsight import NNsight  # noqa: PLC0415

    model = NNsight(network)
    parts = [
        (model.get(f"{gate.path}.{gate.s_tap.path}"), weights[gate.name]) for gate in gates if gate.name in weights
    ]

    def run() -> Tensor:
        with torch.inference_mode(), model.trace(images):
            for part, s in parts:
                part.output = same_shape(s, part.output)
            logits = model.output.save()
        return logits  # noqa: RET504 - nnsight runs the block above as a separate function

    return run


def s_module(network: nn.Module, gate: Gate) -> nn.Module:
    """Return the module that s comes out of."""
    return network.get_submodule(gate.path).get_submodule(gate.s_tap.path)


def same_shape(s: Tensor, output: Tensor) -> Tensor:
    """Return weights (C,) in the shape of what a module returned for N images."""
    return s.reshape(1, -1, *[1] * (output.ndim - 2)).expand_as(output)


PEERS = {"hooks by hand": by_hand, "nnsight": nnsight}


def beside(peer: str, case: tuple[str, int, int], options: argparse.Namespace) -> dict[str, object]:
    """Measure the same edits by one peer and by us, in the process that this runs in."""
    torch.set_num_threads(options.threads)
    if options.processor:
        use_processor_time()
    name, side, batch = case
    model = load(name)
    images = torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0))
    plain = twin(model.network)
    found: dict[str, object] = {}
    every = weights_of(model.gates)
    last = model.gates[-1].name
    for what, weights in {"one gate": {last: every[last]}, "all gates": every}.items():
        edits = {gate: s.numpy() for gate, s in weights.items()}
        theirs = PEERS[peer](twin(model.network), model.gates, weights, images)

        def bare() -> Tensor:
            with torch.inference_mode():
                return plain(images)

        def ours(edits: Edits = edits) -> se_viz.Capture:
            return se_viz.capture(model, images, edits=edits)

        difference = float((torch.as_tensor(ours().logits) - theirs()).abs().max())
        changed = float((bare() - theirs()).abs().max())
        ways: dict[str, Callable[[], object]] = {"bare": bare, "ours": ours, "peer": theirs}
        taken = turns(ways, *(0.0, 1) if options.quick else (20.0, 9))
        found[what] = {
            "ours": shares(taken["ours"], taken["bare"]),
            "peer": shares(taken["peer"], taken["bare"]),
            "bare_ms": statistics.median(taken["bare"]),
            "difference": difference,
            "changed": changed,
        }
    model.close()
    return found


def peers(options: argparse.Namespace) -> dict[str, object]:
    """Compare captures with edits and other tools that do the same edits, a process for each."""
    found: dict[str, object] = {}
    print("The same edit by others, as shares of a bare pass, median (quartiles)")
    for case in chosen(options.quick):
        for peer in PEERS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                rows = pool.submit(beside, peer, case, options).result()
            for what, row in rows.items():
                if not (row["difference"] <= 1e-5 * max(1.0, row["changed"]) < row["changed"]):
                    raise AssertionError(f"{peer}, {what}: logits differ by {row['difference']:.1e}.")
                print(
                    f"{case[0]}, batch {case[2]:2}, {what}: ours {shown(row['ours'])}, {peer} {shown(row['peer'])}; "
                    f"logits the same to {row['difference']:.0e}"
                )
            found[f"{case[0]} × {case[2]}, {peer}"] = rows
    return found
