"""The models of SE Viz by name."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from pickle import UnpicklingError

from safetensors import SafetensorError
from torch import nn

from se_viz.data.preprocess import Preprocess
from se_viz.demo import pretrained as demo
from se_viz.demo import user_networks
from se_viz.demo.card import Card
from se_viz.device.memory import is_out_of_memory
from se_viz.types import ShouldCancel
from se_viz.weights.download import OnProgress
from se_viz.weights.errors import BuildFailed, Cancelled, UnknownModel, WeightsRefused
from se_viz.weights.head import Head
from se_viz.weights.meta_model import LARGEST, count_params
from se_viz.zoo import gate_index, libraries

__all__ = ["Listing", "Network", "UnknownModel", "architectures", "build", "listing", "names", "register"]

# The networks of the paper come first, in the order of its tables.
_PAPERS = ("timm/legacy_seresnet", "timm/legacy_seresnext", "timm/legacy_senet", "timm/seresnet50.")


_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Network:
    """A network with its preprocessing, names of classes, a description and its head, which is None if unknown."""

    module: nn.Module
    preprocess: Preprocess
    classes: tuple[str, ...]
    about: str
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Facts on a pretrained network of a library that are known before its download.

    Attributes:
        name: its name, see ``build``.
        family: the module of the library that contains it.
        params: number of weights and biases.
        gates, kinds, channels: number of its channel gates, their classes, and C summed over them.
        licence: licence of the weights; empty if the library does not state it.
        top1: top-1 accuracy on the validation set of ImageNet, 0–1; None if the library does not state it.
        size: bytes to download, estimated from the parameters if the library does not state them.
        crop: height and width of its input, pixels.
        cached: whether the weights are on this machine.
    """

    name: str
    family: str
    params: int
    gates: int
    kinds: tuple[str, ...]
    channels: int
    licence: str
    top1: float | None
    size: int
    crop: tuple[int, int]
    cached: bool


_registered: dict[str, Callable[[], Network]] = {}


def register(name: str, build: Callable[[], Network]) -> None:
    """Add your model to the registry, for Python and for the page of this process.

    Args:
        name: a name for it, such as "mine/net".
        build: makes the network; what it raises, if it is no ValueError, becomes ``BuildFailed`` in ``build``.
    """
    _registered[name] = build


def names() -> tuple[str, ...]:
    """Return the names of models with gates: of ``pretrained/`` and of the user, registered ones, then of libraries.

    The latter are read from ``gate_index``, so listing them imports no library. A name without a tag stands for the
    default weights of the library.
    """
    return (*_local(), *_pretrained())


def architectures() -> tuple[str, ...]:
    """Return the architectures for a user's checkpoint: those with gates, with the paper's first, then the others.

    Those with more weights than ``meta_model.LARGEST`` are left out. The names are read from ``gate_index``, so listing
    them imports no library; ``gate_index.bundled_gates()`` has more facts on each.
    """
    rows = [row for row in gate_index.bundled_gates().values() if row.params <= LARGEST]
    return tuple(row.model for row in sorted(rows, key=lambda row: (not row.gates, _place(row.model))))


def build(name: str, report: OnProgress | None = None, cancelled: ShouldCancel | None = None) -> Network:
    """Build a network on the CPU, in eval mode, with its weights checked and loaded.

    Args:
        name: "demo/r16", "timm/seresnet50.ra2_in1k", "torchvision/regnet_y_400mf", or the name of a registered model.
        report: called with the progress of a download.
        cancelled: called during a download; True ends it.

    Raises:
        UnknownModel: no model has that name, or it has no gate. A model of ``pretrained/`` without gates
            (``demo/no-se``) can be built but is not in ``names()``.
        BuildFailed: the function of a registered model failed.
        WeightsRefused: the weights are not those of their card, or do not fit the network.
        DownloadFailed: the weights are not in the cache and cannot be downloaded.
        Cancelled: ``cancelled`` returned True.
    """
    if name in _registered:
        return _build_registered(name)
    library, _, rest = name.partition("/")
    found = _demo(rest) if library == "demo" else None
    if found is not None:
        card, folder = found
        return Network(demo.network(card, folder), card.preprocess, card.classes, card.summary(), Head(card.head))
    source, architecture, tag = _find(name)
    facts = source.facts(architecture, tag)
    path = source.weights(architecture, tag).path(report, cancelled)
    try:
        module = source.load_pretrained(architecture, tag, path)
    except (RuntimeError, KeyError, ValueError, EOFError, UnpicklingError, SafetensorError) as error:
        raise WeightsRefused(
            f"{path} does not contain the weights of {name}. Delete the file to download it again. The error: "
            f"{' '.join(str(error).split())[:300]}."
        ) from error
    about = f"{architecture} of {library}, weights {tag}, {count_params(module) / 1e6:.1f} M parameters"
    about += f", {facts.top1:.1%} top-1 on ImageNet" if facts.top1 else ""
    about += f", licence {facts.licence}" if facts.licence else ""
    classes = source.classes(architecture, tag)
    # A classifier of a known dataset; if the library does not state which, the head is assumed later.
    return Network(module, source.preprocess(architecture, tag), classes, about, Head("classes") if classes else None)


def _build_registered(name: str) -> Network:
    """Build a registered model; its function is the user's, so it may raise anything, or return anything."""
    try:
        network = _registered[name]()
    except (ValueError, UnknownModel, Cancelled):  # these are said as they are
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise BuildFailed(f"The function that was registered for {name} failed with {said}.") from error
    if not isinstance(network, Network):
        raise BuildFailed(
            f"The function that was registered for {name} returned a {type(network).__name__}, no Network."
        )
    return network


def pretrained(name: str) -> bool:
    """Return whether the weights of that name are those of a library, which may have to be downloaded."""
    return name not in _registered and name.partition("/")[0] in ("timm", "torchvision")


def params(name: str) -> int | None:
    """Return the number of weights and biases of a model; None for a registered one, whose number is unknown.

    Raises:
        UnknownModel: no model has that name, or it has no gate.
    """
    if name in _registered:
        return None
    library, _, rest = name.partition("/")
    found = _demo(rest) if library == "demo" else None
    if found is not None:
        return found[0].params
    _, architecture, _ = _find(name)
    return gate_index.bundled_gates()[f"{library}/{architecture}"].params


def fetch(name: str, report: OnProgress | None = None, cancelled: ShouldCancel | None = None) -> None:
    """Download and verify the weights of a pretrained network without building it; raises as ``build`` does."""
    source, architecture, tag = _find(name)
    source.weights(architecture, tag).path(report, cancelled)


def is_cached(name: str) -> bool:
    """Return whether the weights of a pretrained network are on this machine; nothing is downloaded.

    Raises:
        UnknownModel: no model has that name, or it has no gate.
    """
    source, architecture, tag = _find(name)
    return source.weights(architecture, tag).cached() is not None


def estimated_size(name: str) -> int:
    """Return the bytes of the weights of a pretrained network, estimated from its parameters in fp32.

    Raises:
        UnknownModel: no model has that name, or it has no gate.
    """
    return 4 * (params(name) or 0)


def listing(name: str) -> Listing:
    """Return the facts on a pretrained network of timm or torchvision; nothing is downloaded.

    Raises:
        UnknownModel: no model has that name, or it has no gate.
    """
    source, architecture, tag = _find(name)
    facts = source.facts(architecture, tag)
    row = gate_index.bundled_gates()[f"{name.partition('/')[0]}/{architecture}"]
    return Listing(
        name=name,
        family=row.family,
        params=row.params,
        gates=row.gates,
        kinds=row.kinds,
        channels=row.channels,
        licence=facts.licence,
        top1=facts.top1,
        size=facts.size or estimated_size(name),
        crop=source.preprocess(architecture, tag).crop,
        cached=source.weights(architecture, tag).cached() is not None,
    )


def _local() -> tuple[str, ...]:
    gated = [name for name in demo.names() if demo.card(name).network.gated]
    yours = user_networks.user_networks()
    gated += [card.name for card in yours.cards if card.network.gated and not card.seed and card.name in yours.weights]
    return (*(f"demo/{name}" for name in gated), *_registered)


def _demo(name: str) -> tuple[Card, Path] | None:
    """Return the card of a shipped demo model, or of one that the user trained, and the folder of its weights."""
    if name in demo.names():
        return demo.card(name), demo.folder()
    card = user_networks.find(name)
    return None if card is None else (card, user_networks.folder())


def _pretrained() -> list[str]:
    tagged = [
        row.model if row.model.startswith("torchvision/") and not index else f"{row.model}.{tag}"
        for row in gate_index.bundled_gates().values()
        if row.gates
        for index, tag in enumerate(row.weights)
    ]

    return sorted(tagged, key=_place)


def _place(name: str) -> int:
    return next((index for index, prefix in enumerate(_PAPERS) if f"{name}.".startswith(prefix)), len(_PAPERS))


def _find(name: str) -> tuple[libraries.ModelSource, str, str]:
    """Return library, architecture and tag of a pretrained network with gates."""
    try:
        source, architecture, tag = libraries.split(name)
    except UnknownModel:
        raise _unknown(name) from None
    row = gate_index.bundled_gates().get(f"{name.partition('/')[0]}/{architecture}")
    if row is None or not row.weights or (tag and tag not in row.weights):
        raise _unknown(name)
    if not row.gates:
        raise UnknownModel(f"{name} has no channel gate{f' ({row.note})' if row.note else ''}.")
    return source, architecture, tag or row.weights[0]


def _unknown(name: str) -> UnknownModel:
    known = _pretrained()
    name = name[:_SHOWN]  # It may come from a URL and have any length.
    close = get_close_matches(name, known, n=3)
    hint = f" Similar names are {', '.join(close)}." if close else ""
    return UnknownModel(
        f"There is no model {name!r}.{hint} Choose one of {', '.join(_local())}, or one of the {len(known)} models "
        "of timm and torchvision that `python -m se_viz models` lists."
    )
