"""A frozen network beside the network that it was made of: parameters, MACs, time, and accuracy over a dataset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from se_viz.analysis.latency import median_latency_ms
from se_viz.data.datasets import UNLABELLED, Dataset
from se_viz.data.images import ImageRefused
from se_viz.demo.card import Accuracy
from se_viz.demo.evaluate import accuracy
from se_viz.demo.paired_comparison import Change, accuracy_change, mcnemar, points
from se_viz.device.memory import raise_if_full
from se_viz.gates.eval_mode import hold_eval_mode
from se_viz.gates.trace import placement
from se_viz.interventions.ablation import Ablation
from se_viz.interventions.constant_gates import MULTIPLIES
from se_viz.interventions.frozen_network import FrozenNetwork
from se_viz.model.model import Model
from se_viz.types import Int64s
from se_viz.wording import signed

_LISTED = 5


class NotComparable(ValueError):
    """The labels of a dataset are not classes of the network; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Top-1 of two networks over the same images.

    Attributes:
        before, after: accuracy of the network as it is and of the frozen one, each with Wilson's 95% interval.
        lost, gained: images that the frozen network alone gets wrong, and those that it alone gets right.
        same: number of images for which both give the same answer.
        left_out: a sentence for each image that was not read.
    """

    before: Accuracy
    after: Accuracy
    lost: int
    gained: int
    same: int
    left_out: tuple[str, ...] = ()

    @property
    def change(self) -> Change:
        """Change of top-1 as a share, with Newcombe's 95% interval for pairs."""
        return accuracy_change(self.before.correct, self.lost, self.gained, self.before.of)

    @property
    def p(self) -> float:
        """McNemar's exact p: the probability of a change as uneven as this if the networks are equally accurate."""
        return mcnemar(self.lost, self.gained)


def compare(model: Model, frozen: FrozenNetwork, data: Dataset, batch: int = 32) -> Comparison:
    """Run both networks over a dataset, in this process.

    Raises:
        NotComparable: the labels are not classes of the network, or no image could be read.
        DeviceFull: the device has no room for a batch.
    """
    numbers = np.array(_outputs(data, model.classes))
    left_out: list[str] = []
    labels: list[int] = []
    said: list[tuple[Int64s, ...]] = []
    device, dtype = placement(model.network)
    after = frozen.network.to(device)
    with hold_eval_mode(model.network), torch.no_grad(), raise_if_full(device, f"{batch} images"):
        for pixels, codes in _batches(model, data, batch, left_out):
            images = model.preprocess.normalise(pixels.to(device)).to(dtype)
            said.append(tuple(_answers(network, images) for network in (model.network, after)))
            labels += codes
    if not labels:
        raise NotComparable(" ".join([f"No image of {data.name} could be read.", *left_out[:_LISTED]]))
    one, other = (np.concatenate(answers) for answers in zip(*said, strict=True))
    expected = numbers[labels]
    right, still = one == expected, other == expected
    return Comparison(
        accuracy(int(right.sum()), len(right)),
        accuracy(int(still.sum()), len(right)),
        int((right & ~still).sum()),
        int((~right & still).sum()),
        int((one == other).sum()),
        tuple(left_out),
    )


def _answers(network: nn.Module, images: torch.Tensor) -> Int64s:
    output = network(images)
    if not isinstance(output, torch.Tensor) or output.ndim != 2:
        raise NotComparable(f"{type(network).__name__} returns no logits (N, K), so its accuracy cannot be counted.")
    found: Int64s = output.argmax(1).cpu().numpy()
    return found


def _batches(model: Model, data: Dataset, batch: int, left_out: list[str]) -> Iterator[tuple[torch.Tensor, list[int]]]:
    """Yield images, uint8 (N, 3, H, W), with their labels, and note those that cannot be read."""
    pixels, codes = [], []
    for index, name in enumerate(data.names):
        try:
            image, label = data.read(index)
        except ImageRefused as refused:
            left_out.append(str(refused))
            continue
        if label == UNLABELLED:
            left_out.append(f"{name} was left out: it has no label.")
            continue
        pixels.append(model.preprocess.pixels(image.rgb))
        codes.append(label)
        if len(codes) == batch:
            yield torch.from_numpy(np.stack(pixels)), codes
            pixels, codes = [], []
    if codes:
        yield torch.from_numpy(np.stack(pixels)), codes


def _outputs(data: Dataset, classes: Sequence[str]) -> list[int]:
    """Return the number of the logit of each class of a dataset: by its name, or by its number where it is one."""
    known = {name.casefold(): number for number, name in reversed(list(enumerate(classes)))}
    if data.classes and all(name.casefold() in known for name in data.classes):
        return [known[name.casefold()] for name in data.classes]
    if data.classes and all(name.isdecimal() for name in data.classes):
        return [int(name) for name in data.classes]
    if not data.classes:
        raise NotComparable(f"{data.name} has no labels: {data.unlabelled}.")
    unknown = [repr(name) for name in data.classes if name.casefold() not in known]
    raise NotComparable(
        f"The network has no class {', '.join(unknown[:_LISTED])}{' …' if len(unknown) > _LISTED else ''}. Name the "
        "folders or labels as the network's classes, or number them from 0."
    )


def times(model: Model, frozen: FrozenNetwork) -> tuple[float, float]:
    """Return the median time of one image before and after, in milliseconds, on the device of the network."""
    side = model.preprocess.crop[0]
    after = frozen.network.to(model.device)
    return median_latency_ms(model.network, side), median_latency_ms(after, side)


def sentences(frozen: FrozenNetwork, comparison: Comparison | None = None) -> tuple[str, ...]:
    """Return sentences on what freezing has changed."""
    less = frozen.parameters_before - frozen.parameters_after
    fewer = frozen.macs_before - frozen.macs_after
    gates = f"{len(frozen.gates)} gate{'s' * (len(frozen.gates) > 1)}"
    became = "constants" if len(frozen.gates) > 1 else "a constant"
    lines = [
        f"{gates} became {became}: {less:,} parameters ({less / frozen.parameters_before:.1%}) and {fewer:,} "
        f"multiply-accumulates of one image ({fewer / max(1, frozen.macs_before):.2%}) are saved."
    ]
    kept = sum(gate.how == MULTIPLIES for gate in frozen.gates)
    if kept:
        lines.append(
            f"{kept} of them still multiply by {frozen.constants:,} stored numbers, because no neighbouring layer "
            "takes their maps alone; the others cost nothing."
        )
    if comparison is not None:
        cost = _cost(
            "Top-1",
            comparison.before,
            comparison.after,
            comparison.change,
            comparison.lost,
            comparison.gained,
            comparison.p,
        )
        lines.append(f"{cost} Both networks give the same answer for {comparison.same:,} images.")
    return tuple(lines)


def known_cost(frozen: FrozenNetwork, ablation: Ablation | None, otherwise: str) -> str:
    """Return what freezing costs in accuracy by an ablation with an edit of exactly these gates to these weights.

    Args:
        frozen: the frozen network.
        ablation: the ablation of the network that it was made of, if there is one.
        otherwise: a sentence on what to do where the ablation does not say it.
    """
    row = None if ablation is None else ablation.row_of({gate.name: gate.s for gate in frozen.gates})
    if ablation is None or row is None:
        missing = (
            "there is no ablation of this network"
            if ablation is None
            else ("no edit of the ablation sets exactly these gates to these weights")
        )
        return f"The accuracy that this costs is not known: {missing}. {otherwise}"
    right = "Top-1" if ablation.labels == "given" else "Agreement with the network's own answers"
    cost = _cost(right, ablation.as_it_is.accuracy, row.accuracy, row.change, row.lost, row.gained, row.p)
    return f"{cost} The ablation measured it with {row.name} on {ablation.source.name}."


def _cost(what: str, before: Accuracy, after: Accuracy, change: Change, lost: int, gained: int, p: float) -> str:
    return (
        f"{what} over {before.of:,} images: {before.top1:.1%} before (95% interval {before.low:.1%} to "
        f"{before.high:.1%}), {after.top1:.1%} after ({after.low:.1%} to {after.high:.1%}), a change of "
        f"{points(change.value)} points (95% interval {points(change.low)} to {points(change.high)}): {lost:,} images "
        f"are lost and {gained:,} gained (McNemar's exact p = {p:.2g})."
    )


def times_sentence(before: float, after: float) -> str:
    """Return the time of one image before and after freezing, in milliseconds, as a sentence."""
    faster = signed((after - before) / before, "+.1%")
    return f"One image takes {before:.2f} ms before and {after:.2f} ms after ({faster}; medians on this machine)."
