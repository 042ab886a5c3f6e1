"""Training of a demo network on Imagenette: reproducible from its seed, resumable after every epoch."""

import io
import math
import pickle
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.transforms import v2
from tqdm import tqdm

from se_viz.data.imagenette import Labelled
from se_viz.demo.recipe import PREPROCESS, Recipe
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.disk.atomic import write_bytes
from se_viz.disk.errors import DiskError, friendly_errors
from se_viz.gates.se_unit import SEGate
from se_viz.types import UInt8s


class Diverged(ValueError):
    """The loss of a training is not a finite number; the message says in which epoch."""


@dataclass
class Trained:
    """A finished training: the averaged network in eval mode, the time in seconds and the log."""

    network: SEResNet
    seconds: float
    log: list[dict[str, float]] = field(default_factory=list)


def train(
    config: SEResNetConfig,
    data: Labelled,
    *,
    recipe: Recipe,
    seed: int,
    checkpoint: Path,
    device: torch.device,
    evaluate: Callable[[nn.Module], float],
) -> Trained:
    """Train a network, or resume the training from ``checkpoint``.

    Each epoch draws its order, crops and flips only from (seed, epoch), so a resumed training gets the same images as
    an uninterrupted one.

    Args:
        config: the network.
        data: training images, all of the same size, which is at least that of the recipe's crops.
        recipe: the training recipe.
        seed: seed of the initial weights and of every epoch.
        checkpoint: file that is written after each epoch; the caller removes it when the result is stored.
        device: device to train on; bfloat16 is used if the hardware multiplies it natively.
        evaluate: function from the averaged network to its accuracy, called when the crop size changes and at the end,
            for the log.

    Raises:
        ValueError: the checkpoint belongs to another network, recipe or seed, or is damaged.
        Diverged: the loss is no longer a number.
        DiskError: the checkpoint cannot be written; the message says which epoch is kept.
    """
    torch.manual_seed(seed)
    network = SEResNet(config)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging), use_buffers=True)
    steps = -(-len(data) // recipe.batch)
    optimiser = _optimiser(network, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [group["lr"] for group in optimiser.param_groups],
        total_steps=recipe.epochs * steps,
        pct_start=recipe.warmup,
        cycle_momentum=False,
    )
    identity = repr((config, recipe, seed))
    state = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    first, seconds, log = _resume(checkpoint, identity, state)
    loss_of = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    dtype = torch.bfloat16 if has_native_bfloat16(device) else torch.float32

    with tqdm(total=recipe.epochs * steps, initial=first * steps, unit="step", smoothing=0.05) as bar:
        for epoch in range(first, recipe.epochs):
            started = time.monotonic()
            network.train()
            total = 0.0
            for pixels, labels in _batches(data, recipe, seed, epoch):
                images = PREPROCESS.normalise(pixels.to(device)).contiguous(memory_format=torch.channels_last)
                with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                    loss = loss_of(network(images), labels.to(device))
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                schedule.step()
                average.update_parameters(network)
                total += loss.item()
                if not math.isfinite(total):
                    raise Diverged(
                        f"The training diverged in epoch {epoch + 1} of {recipe.epochs}: its loss is not a finite "
                        "number, so its weights are of no use and are not written. Try another seed."
                    )
                bar.update()
            seconds += time.monotonic() - started
            entry = {"epoch": epoch + 1, "size": recipe.size(epoch), "loss": round(total / steps, 4)}
            if epoch + 1 == recipe.epochs or recipe.size(epoch) != recipe.size(epoch + 1):
                entry["top1"] = round(evaluate(average.module.eval()), 4)
            log.append(entry)
            bar.set_postfix(entry)
            _save(checkpoint, identity, state, epoch + 1, seconds, log)
    return Trained(cast("SEResNet", average.module.eval()), seconds, log)


def has_native_bfloat16(device: torch.device) -> bool:
    """Return True if bfloat16 is faster than float32; a CPU without such instructions is ten times slower."""
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    supported = getattr(torch.get_device_module(device), "is_bf16_supported", None)  # MPS has no such function
    return supported is not None and bool(supported(including_emulation=False))


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Return SGD over three groups: kernels; biases and BatchNorm, without weight decay; gates, with a higher rate."""
    gates = [p for module in network.modules() if isinstance(module, SEGate) for p in module.parameters()]
    others = [p for p in network.parameters() if not any(p is gate for gate in gates)]
    groups = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": recipe.weight_decay, "lr": recipe.peak_lr},
        {"params": [p for p in others if p.ndim <= 1], "lr": recipe.peak_lr},
        {"params": gates, "weight_decay": recipe.weight_decay, "lr": recipe.peak_lr * recipe.gate_lr},
    ]
    used = [group for group in groups if group["params"]]
    return torch.optim.SGD(used, momentum=recipe.momentum, nesterov=True, fused=True)


def _batches(data: Labelled, recipe: Recipe, seed: int, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch of (uint8 (B, 3, size, size), int64 (B,)) in random order, with random crops and flips."""
    rng = np.random.default_rng((seed, epoch))
    torch.manual_seed(int(rng.integers(2**63)))  # TrivialAugment draws from torch's generator
    augment = v2.TrivialAugmentWide(fill=128) if recipe.augment else v2.Identity()
    size = recipe.size(epoch)
    order = rng.permutation(len(data))
    for start in range(0, len(data), recipe.batch):
        chosen = order[start : start + recipe.batch]
        crops = [augment(_random_crop(data.pixels[i], size, recipe.scale, rng)) for i in chosen]
        yield torch.stack(crops), torch.from_numpy(data.labels[chosen])


def _random_crop(pixels: UInt8s, size: int, scale: tuple[float, float], rng: np.random.Generator) -> Tensor:
    """Return a box of random area and aspect ratio (3:4 … 4:3), resized to ``size``, flipped with probability 1/2."""
    height, width = pixels.shape[1:]
    area = height * width * rng.uniform(*scale)
    aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    h = min(height, round(float(np.sqrt(area / aspect))))
    w = min(width, round(float(np.sqrt(area * aspect))))
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    box = torch.from_numpy(pixels[:, top : top + h, left : left + w])
    crop: Tensor = v2.functional.resize(box, [size, size], antialias=True)
    return crop.flip(-1) if rng.random() < 0.5 else crop


def _save(
    checkpoint: Path, identity: str, state: dict[str, Any], epoch: int, seconds: float, log: list[dict[str, float]]
) -> None:
    content, file = {name: holder.state_dict() for name, holder in state.items()}, io.BytesIO()
    torch.save({"identity": identity, "epoch": epoch, "seconds": seconds, "log": log, "state": content}, file)
    try:
        with friendly_errors(checkpoint):
            if epoch == 1:
                checkpoint.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(checkpoint, file.getvalue())
    except DiskError as error:
        kept = (
            f"The training is kept in {checkpoint} as it was after epoch {epoch - 1}: start again to resume it."
            if checkpoint.is_file()
            else "Nothing of the training is kept: start it again."
        )
        raise type(error)(f"{error} {kept}") from error


def _resume(checkpoint: Path, identity: str, state: dict[str, Any]) -> tuple[int, float, list[dict[str, float]]]:
    if not checkpoint.exists():
        return 0, 0.0, []
    saved = _load(checkpoint)
    if saved["identity"] != identity:
        raise ValueError(
            f"{checkpoint} belongs to another network, recipe or seed; remove it to start over.\n"
            f"  checkpoint: {saved['identity']}\n  requested: {identity}"
        )
    for name, holder in state.items():
        holder.load_state_dict(saved["state"][name])
    return saved["epoch"], saved["seconds"], saved["log"]


def _load(checkpoint: Path) -> dict[str, Any]:
    """Return the content of a checkpoint.

    Raises:
        ValueError: a byte differs from what was written (torch does not verify the checksums in its files), or the file
            is not a checkpoint.
    """
    file = io.BytesIO(checkpoint.read_bytes())
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged is None:
            file.seek(0)
            saved: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            if saved.keys() >= {"identity", "epoch", "seconds", "log", "state"}:
                return saved
        reason = f"checksum of {damaged}" if damaged else "it has no training state"
    except (zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, RuntimeError, ValueError, LookupError,
            AttributeError, TypeError, EOFError, NotImplementedError, struct.error) as error:  # fmt: skip
        reason = (str(error).splitlines() or [type(error).__name__])[0]
    raise ValueError(f"{checkpoint} is damaged or not a checkpoint ({reason}): remove it to train from the start.")
