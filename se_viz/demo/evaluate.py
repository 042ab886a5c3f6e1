"""Cost and accuracy of a network."""

import numpy as np
import scipy
import torch
from torch import nn

from se_viz.data.imagenette import Labelled
from se_viz.data.preprocess import Preprocess
from se_viz.demo.card import Accuracy
from se_viz.device.memory import raise_if_full
from se_viz.gates.macs import counting
from se_viz.types import Bools


def count_macs(network: nn.Module, crop: tuple[int, int]) -> int:
    """Return the multiply-accumulates of one image (1, 3, H, W) by the rule of ``macs.RULE``."""
    parameter = next(network.parameters())
    image = torch.zeros((1, 3, *crop), device=parameter.device, dtype=parameter.dtype)
    with torch.no_grad(), counting() as count:
        network(image)
    return count.macs


def right_answers(network: nn.Module, data: Labelled, preprocess: Preprocess, batch: int = 128) -> Bools:
    """Return whether the top-1 prediction of each image, already cropped, is its class (N,).

    Raises:
        DeviceFull: the device has not enough memory for a batch.
    """
    device = next(network.parameters()).device
    right = np.zeros(len(data), bool)
    with torch.inference_mode(), raise_if_full(device, f"{batch} images"):
        for start in range(0, len(data), batch):
            pixels = torch.from_numpy(data.pixels[start : start + batch]).to(device)
            labels = torch.from_numpy(data.labels[start : start + batch]).to(device)
            images = preprocess.normalise(pixels).contiguous(memory_format=torch.channels_last)
            right[start : start + batch] = (network(images).argmax(1) == labels).cpu().numpy()
    return right


def count_correct(network: nn.Module, data: Labelled, preprocess: Preprocess, batch: int = 128) -> int:
    """Return the number of images that ``right_answers`` finds right; raises as it does."""
    return int(right_answers(network, data, preprocess, batch).sum())


def accuracy(correct: int, of: int) -> Accuracy:
    """Return the accuracy from counts, with Wilson's 95% interval."""
    # By its whole name, as everywhere here: scipy imports its statistics, 0.4 s, when they are used.
    interval = scipy.stats.binomtest(correct, of).proportion_ci(method="wilson")
    return Accuracy(correct, of, correct / of, float(interval.low), float(interval.high))
