"""The gain of faster ways of computing over the plain network, and how far their s is from that network's.

Ours is ``se_viz.capture`` on what ``se_viz.load`` gives for the CPU, in float32 (BatchNorm folded, channels_last) and
in bfloat16, reading z and s of every gate. The peers are OpenVINO, in both, and onnxruntime: the same weights, exported
with z and s of every gate as outputs beside the logits, so that they do the same work. Each runs in a separate process
in turns with the bare eager pass of the plain network in float32; ratios are medians over turns, to that pass.

|Δs| is the distance from s of the plain network in float32, mean and worst over images, gates and channels: of the
sample images, or of the first images of a folder. SE-ResNet-50 has random weights here, and its s hardly moves
from 0.5, so that the trained demo model says more.

Bars: ours in float32 at most 1.00 for a single image of SE-ResNet-50, with |Δs| ≤ 1e-5; in bfloat16 at most 0.40
for sixteen, on a processor that multiplies it.

Usage: python benchmarks/precision.py [--quick] [--json FILE] [--threads N] [--seconds S] [--ways NAME …]
       [--data FOLDER]
"""

import logging
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import timm
import torch
from common import arguments, in_fresh_process, quartiles, turns, write
from torch import Tensor, nn

import se_viz
from se_viz.data import dataset_sources
from se_viz.data import sample_images as samples
from se_viz.data.preprocess import Preprocess
from se_viz.gates.gate import Gate
from se_viz.zoo import registry

LARGE, SMALL = "random/legacy_seresnet50", "demo/r16"
CASES = ((LARGE, 1), (LARGE, 16), (SMALL, 1), (SMALL, 16))
BARS = {("ours fp32", LARGE, 1): 1.00, ("ours bf16", LARGE, 16): 0.40}
EXACT = 1e-5
MOST_IMAGES = 256

Read = Callable[[Tensor], list[np.ndarray]]  # images (N, 3, H, W) → s (N, C) of each gate


def random_large() -> registry.Network:
    """SE-ResNet-50 with the same random weights every time; pretrained ones would be a download, and cost the same."""
    torch.manual_seed(0)
    network = timm.create_model("legacy_seresnet50", pretrained=False).eval()
    return registry.Network(network, Preprocess(crop=(224, 224), resize=256), (), "random")


class Outputs(nn.Module):
    """A network that returns its logits, and z and s of each gate, for a graph that is to have them as outputs."""

    def __init__(self, network: nn.Module, gates: tuple[Gate, ...]) -> None:
        super().__init__()
        self.network = network
        self.read: list[Tensor] = []
        for gate in gates:
            unit = network.get_submodule(gate.path)
            unit.get_submodule(gate.z_tap.path).register_forward_pre_hook(lambda _, args: self.keep(args[0]))
            unit.get_submodule(gate.s_tap.path).register_forward_hook(lambda _, _args, output: self.keep(output))

    def keep(self, value: Tensor) -> None:
        """Note a value; of a hook, so that it must return nothing."""
        self.read.append(value.flatten(1))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) → logits (N, K), then z and s (N, C) of each gate."""
        self.read = []
        logits = self.network(images)
        read, self.read = self.read, []
        return (logits, *read)


def exported(name: str, images: Tensor, folder: Path) -> Path:
    """The plain network with z and s as outputs, in ONNX, for as many images; one file for all ways that read it."""
    path = folder / f"{name.replace('/', ' ')} {len(images)}.onnx"
    if path.exists():
        return path
    model = se_viz.load(name, "cpu", fast=False)
    model.close()  # its hooks are no part of the graph
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = Outputs(model.network, model.gates).eval()
        unfinished = path.with_suffix(".tmp")
        torch.onnx.export(outputs, (images,), unfinished, dynamo=True, verbose=False, external_data=False)
    return unfinished.rename(path)


def ours(precision: str, name: str, _images: Tensor, _folder: Path) -> Read:
    """A capture."""
    model = se_viz.load(name, "cpu", precision)
    return lambda images: [gate_capture.s for gate_capture in se_viz.capture(model, images)]


def openvino(precision: str, name: str, images: Tensor, folder: Path) -> Read:
    """OpenVINO, told to answer as soon as it can."""
    # It reports its use to its makers unless this package is missing.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino as ov  # noqa: PLC0415

    core = ov.Core()
    graph = core.read_model(exported(name, images, folder))
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(graph, "CPU", options)

    def read(images: Tensor) -> list[np.ndarray]:
        found = compiled(images.numpy())
        return [np.array(found[index]) for index in range(1, len(found))][1::2]

    return read


def onnxruntime(_precision: str, name: str, images: Tensor, folder: Path) -> Read:
    """onnxruntime's own processor kernels, with all its optimisations."""
    import onnxruntime as ort  # noqa: PLC0415

    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    path = exported(name, images, folder)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    return lambda images: session.run(None, {entry.name: images.numpy()})[1:][1::2]


WAYS: dict[str, Callable[[str, Tensor, Path], Read]] = {
    "ours fp32": partial(ours, "fp32"),
    "ours bf16": partial(ours, "bf16"),
    "openvino fp32": partial(openvino, "f32"),
    "openvino bf16": partial(openvino, "bf16"),
    "onnxruntime fp32": partial(onnxruntime, "fp32"),
}


@dataclass
class Result:
    """One way in one case: milliseconds of the plain pass and of the way, ratio as quartiles, |Δs| mean and worst."""

    plain_ms: float
    ms: float
    ratio: tuple[float, float, float]
    mean: float
    worst: float
    images: int


def photographs(preprocess: Preprocess, data: Path | None) -> Tensor:
    """The sample images, or up to ``MOST_IMAGES`` of a folder, evenly taken, as input (N, 3, H, W)."""
    if data is None:
        return preprocess(samples.sample(sample.key).rgb for sample in samples.SAMPLES)
    listed = dataset_sources.dataset(data)
    chosen = range(0, len(listed), max(1, len(listed) // MOST_IMAGES))
    return preprocess(listed.read(index)[0].rgb for index in chosen)


def measure(way: str, cases: list[tuple[str, int]], options: dict[str, object]) -> dict[tuple[str, int], Result]:
    """All cases of one way, in the process this runs in."""
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    registry.register(LARGE, random_large)
    results = {}
    for name, batch in cases:
        plain = se_viz.load(name, "cpu", fast=False)
        photos = photographs(plain.preprocess, options["data"])
        images = torch.stack(list(islice(cycle(photos), batch)))
        read = WAYS[way](name, images, options["folder"])
        # Graphs are made for one number of images, so the last ones are read again to fill the batch.
        padded = torch.cat([photos, photos[-1:].expand(-len(photos) % batch, -1, -1, -1)]).split(batch)
        off = [
            np.abs(found.reshape(batch, -1) - gate_capture.s)
            for part in padded
            for found, gate_capture in zip(read(part), se_viz.capture(plain, part), strict=True)
        ]
        network = plain.network
        plain.close()

        def bare(network: nn.Module = network, images: Tensor = images) -> Tensor:
            with torch.inference_mode():
                return network(images)

        times = turns({"plain": bare, "way": partial(read, images)}, options["seconds"], options["least"])
        ratios = [took / base for took, base in zip(times["way"], times["plain"], strict=True)]
        results[name, batch] = Result(
            statistics.median(times["plain"]),
            statistics.median(times["way"]),
            quartiles(ratios),
            float(np.concatenate([each.ravel() for each in off]).mean()),
            max(float(each.max()) for each in off),
            len(photos),
        )
    return results


def main() -> None:
    """Print the tables."""
    parser = arguments(__doc__)
    parser.add_argument("--threads", type=int, help="of torch and of the peers; torch's own choice if not given")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--data", type=Path, help="images for |Δs|; samples if not given")
    parser.add_argument("--seconds", type=float, default=10.0, help="of measuring each way in each case")
    options = parser.parse_args()
    cases = [(SMALL, 1)] if options.quick else list(CASES)
    shared = {
        "threads": options.threads,
        "data": options.data,
        "seconds": 0.0 if options.quick else options.seconds,
        "least": 1 if options.quick else 7,
    }
    imported = ("timm", "se_viz.model.model")
    with tempfile.TemporaryDirectory() as folder:
        shared["folder"] = Path(folder)
        results = {way: in_fresh_process(measure, way, cases, shared, imported=imported) for way in options.ways}
    for case in cases:
        print(f"\n{case[0]}, batch {case[1]}: time as a share of the plain eager pass in float32")
        print(f"{'':20}{'plain, ms':>10}{'ms':>9}  {'ratio (quartiles)':24}{'mean |Δs|':>11}{'worst |Δs|':>12}")
        for way, found in results.items():
            if isinstance(found, str):
                print(f"{way:20}{found}")
                continue
            result = found[case]
            low, middle, high = result.ratio
            print(
                f"{way:20}{result.plain_ms:10.1f}{result.ms:9.1f}  {f'{middle:.3f} ({low:.3f}–{high:.3f})':24}"
                f"{result.mean:11.1e}{result.worst:12.1e}  {verdict(way, case, result)}"
            )
    numbers = {
        way: found
        if isinstance(found, str)
        else {f"{name} × {batch}": vars(result) for (name, batch), result in found.items()}
        for way, found in results.items()
    }
    write(options.json, numbers)


def verdict(way: str, case: tuple[str, int], result: Result) -> str:
    """Return whether a bar is met, where there is one."""
    missed = [f"|Δs| over {EXACT}"] if way == "ours fp32" and result.worst > EXACT else []
    bar = BARS.get((way, *case))
    if bar is None:
        return "; ".join(missed)
    missed += [f"over {bar:.2f}"] if result.ratio[1] > bar else []
    return f"bar {bar:.2f}: {'; '.join(missed) or 'met'}"


if __name__ == "__main__":
    main()
