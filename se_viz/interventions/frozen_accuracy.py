"""Top-1 of a frozen network and of the network that it was made of, over the same images of a dataset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from se_viz.data.dataset_sources import UNLABELLED, Dataset
from se_viz.data.images import ImageRefused
from se_viz.demo.card import Accuracy
from se_viz.demo.evaluate import accuracy
from se_viz.demo.paired_comparison import Change, accuracy_change, mcnemar
from se_viz.device.memory import raise_if_full
from se_viz.gates.eval_mode import hold_eval_mode
from se_viz.gates.trace import placement
from se_viz.interventions.frozen_network import FrozenNetwork
from se_viz.model.model import Model
from se_viz.types import Int64s

_LISTED = 5


class NotComparable(ValueError):
    """The labels of a dataset are not classes of the network; the message says what to do."""


@dataclass(frozen=True, slots=True)
class FrozenAccuracy:
    """Top-1 of a network and of the frozen one over the same images.

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


def measure_accuracy(model: Model, frozen: FrozenNetwork, data: Dataset, batch: int = 32) -> FrozenAccuracy:
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
    return FrozenAccuracy(
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
