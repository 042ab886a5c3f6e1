"""The networks of timm, which is imported only when one of them is requested."""

from functools import cache
from pathlib import Path
from typing import Any, cast

from torch import nn

from se_viz.data.preprocess import Interpolation, Preprocess
from se_viz.weights.remote_files import HubFile, ReleaseFile, Weights
from se_viz.weights.weight_facts import Facts
from se_viz.zoo.torchvision_source import IMAGENET

# Arguments of ``timm.create_model`` that would download or read a file, hide modules, or allocate memory in a sketch.
FORBIDDEN = frozenset({
    *("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"),
    *("scriptable", "exportable", "features_only", "pretrained_strict", "device", "dtype"),
})  # fmt: skip


def architectures() -> dict[str, tuple[str, ...]]:
    """Return every architecture with the tags of its pretrained classifiers, the default first."""
    import timm

    return {name: _tags(name) for name in timm.list_models()}


def family(architecture: str) -> str:
    """Return the name of the module of timm that contains an architecture."""
    import timm

    return cast("str", timm.model_entrypoint(architecture).__module__.rpartition(".")[2])


def create(architecture: str, **arguments: Any) -> nn.Module:  # noqa: ANN401 - arguments of timm
    """Return an architecture with random weights, in eval mode."""
    import timm

    network: nn.Module = timm.create_model(architecture, pretrained=False, **arguments)
    return network.eval()


def load_pretrained(architecture: str, tag: str, path: Path) -> nn.Module:
    """Return an architecture with pretrained weights from a file, in eval mode; timm unpickles only tensors."""
    import timm

    network: nn.Module = timm.create_model(
        f"{architecture}.{tag}", pretrained=True, pretrained_cfg_overlay={"file": str(path)}
    )
    return network.eval()


def weights(architecture: str, tag: str) -> Weights:
    """Return the file of pretrained weights: on the hub, or in a release if there is no repository."""
    config = _config(architecture, tag)
    hub = config.get("hf_hub_id")
    return HubFile(hub) if hub else ReleaseFile(config["url"])


def preprocess(architecture: str, tag: str = "") -> Preprocess:
    """Return the preprocessing that ``timm.data.create_transform`` would make for this network."""
    from timm.data import resolve_data_config

    config = resolve_data_config(pretrained_cfg=_config(architecture, tag))
    height, width = config["input_size"][1:]
    resize = (int(height / config["crop_pct"]), int(width / config["crop_pct"]))
    return Preprocess(
        crop=(height, width),
        resize=resize if config["crop_mode"] == "squash" else resize[0],
        interpolation=cast("Interpolation", config["interpolation"]),
        mean=config["mean"],
        std=config["std"],
    )


def classes(architecture: str, tag: str) -> tuple[str, ...]:
    """Return the names of the classes in the order of the logits; empty if timm does not state the dataset."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    config = _config(architecture, tag)
    if config["num_classes"] == len(IMAGENET):
        return IMAGENET
    subset = infer_imagenet_subset(config)
    return tuple(ImageNetInfo(subset).label_descriptions()) if subset else ()


def facts(architecture: str, tag: str) -> Facts:
    """Return what timm states on pretrained weights; it does not state their accuracy."""
    config = _config(architecture, tag)
    return Facts(licence=config.get("license", ""), classes=config["num_classes"])


@cache  # timm copies every configuration that it returns: 0.3 s for all architectures
def _tags(architecture: str) -> tuple[str, ...]:
    from timm.models import get_arch_pretrained_cfgs

    configs = get_arch_pretrained_cfgs(architecture).items()
    usable = [tag for name, config in configs if (tag := name.partition(".")[2]) and _usable(config.to_dict())]
    default = _config(architecture, "").get("tag")
    return tuple(sorted(usable, key=lambda tag: (tag != default, tag)))


def _usable(config: dict[str, Any]) -> bool:
    """Return whether weights are those of a classifier of RGB images, in a format that contains only tensors."""
    return (
        config["num_classes"] > 0
        and not config.get("custom_load")
        and config["input_size"][0] == 3
        and config.get("crop_mode") != "border"
        and bool(config.get("hf_hub_id") or config.get("url"))
    )


def _config(architecture: str, tag: str) -> dict[str, Any]:
    from timm.models import get_pretrained_cfg

    found = get_pretrained_cfg(f"{architecture}.{tag}" if tag else architecture)
    return cast("dict[str, Any]", found.to_dict()) if found else {}
