"""Demo models from their configuration: train, store, evaluate the stored weights, write the card."""

import hashlib
import platform
from pathlib import Path

import torch
import torchvision
from torch import nn

from se_viz.data import imagenette
from se_viz.data.preprocess import Preprocess
from se_viz.demo import evaluate, pretrained
from se_viz.demo.card import Card
from se_viz.demo.recipe import PREPROCESS, Recipe
from se_viz.demo.right_answers import RightAnswers
from se_viz.demo.seresnet import STAGES, SEResNetConfig
from se_viz.demo.training import train
from se_viz.device.devices import device_name, set_deterministic
from se_viz.device.memory import raise_if_full
from se_viz.device.transfer import moved
from se_viz.disk.atomic import write_bytes
from se_viz.disk.errors import DiskError
from se_viz.disk.sole_writer import sole_writer
from se_viz.weights.meta_model import count_params

# Training images are cached at this size; each epoch takes its random crops from them.
_CACHE = Preprocess(crop=(224, 224), resize=224)


def name_of(config: SEResNetConfig, seed: int = 0) -> str:
    """Return the name of a configuration, which says how it differs from the standard network: "r16-max"."""
    if not config.gated:
        parts = ["no-se"]
    else:
        parts = [f"r{config.r}"]
        parts += [config.squeeze] * (config.squeeze != "avg") + [config.gate] * (config.gate != "sigmoid")
        parts += [config.integration] * (config.integration != "standard") + ["bias"] * config.bias
        if config.gated_stages != STAGES:
            parts.append("stages" + "".join(map(str, config.gated_stages)))
    return "-".join([*parts, *([f"seed{seed}"] if seed else [])])


def make(
    config: SEResNetConfig,
    data: Path,
    *,
    out: Path,
    work: Path,
    seed: int = 0,
    recipe: Recipe | None = None,
    device: torch.device,
) -> Card:
    """Train a demo network on Imagenette, or resume its training, and write ``<name>.safetensors`` and its card.

    Args:
        config: the network.
        data: Imagenette, as ``imagenette.load`` takes it.
        out: folder for weights and card.
        work: folder for the checkpoint of an unfinished training, which is removed at the end.
        seed, recipe, device: of the training.

    Raises:
        FileNotFoundError: ``data`` has no images.
        ValueError: the checkpoint in ``work`` is of another network or recipe, or damaged.
        Diverged: the loss of the training is not a finite number.
        InUse: another process trains this network in ``work``, or writes it into ``out``.
        WriteFailed: a file cannot be written; the message says what is kept.
        DeviceFull: the device has not enough memory for the training; the checkpoint of the last epoch is kept.
    """
    name = name_of(config, seed)
    checkpoint, weights = work / f"{name}.pt", out / f"{name}.safetensors"
    with sole_writer(checkpoint), sole_writer(weights) as writer:
        card, content = _trained(name, config, data, checkpoint, seed, recipe or Recipe(), device)
        try:
            writer.require_held()
            # The card is written last, so that the page never finds a card without weights.
            write_bytes(weights, content)
            card.write(weights.with_suffix(".json"))
        except DiskError as error:
            raise type(error)(
                f"{error} The training is finished and kept in {checkpoint}. Run the command again to write the model."
            ) from error
        checkpoint.unlink(missing_ok=True)
    return card


def _trained(
    name: str,
    config: SEResNetConfig,
    data: Path,
    checkpoint: Path,
    seed: int,
    recipe: Recipe,
    device: torch.device,
) -> tuple[Card, bytes]:
    """Train a network, or resume its training; return its card and the content of its weights file."""
    set_deterministic(device)  # the answers in the card are those that any other device gives, but for rounding
    training = imagenette.load(data, "train", _CACHE.pixels)
    validation = imagenette.load(data, "val", PREPROCESS.pixels)

    def top1(network: nn.Module) -> float:
        return evaluate.count_correct(network, validation, PREPROCESS) / len(validation)

    with raise_if_full(device, f"the training of {name}"):
        trained = train(config, training, recipe=recipe, seed=seed, checkpoint=checkpoint, device=device, evaluate=top1)
    content = pretrained.store(trained.network)
    network = moved(pretrained.restore(content, config), device, name)
    right = evaluate.right_answers(network, validation, PREPROCESS)
    card = Card(
        name=name,
        network=config,
        recipe=recipe,
        data={"train": len(training), "val": len(validation)},
        seed=seed,
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        preprocess=PREPROCESS,
        classes=tuple(imagenette.CLASSES.values()),
        accuracy=evaluate.accuracy(int(right.sum()), len(validation)),
        params=count_params(network),
        macs=evaluate.count_macs(network, PREPROCESS.crop),
        seconds=round(trained.seconds, 1),
        device=_describe(device),
        log=tuple(trained.log),
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        right=RightAnswers.of(right, validation.sha256),
    )
    return card, content


def _describe(device: torch.device) -> str:
    if device.type != "cpu":
        return device_name(device)
    return f"{torch.get_num_threads()} CPU threads ({torch.backends.cpu.get_cpu_capability()})"
