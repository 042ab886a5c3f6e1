"""Which models there are, and building one by name."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pickle import UnpicklingError

from safetensors import SafetensorError
from torch import nn

from se_viz.data.preprocess import Preprocess
from se_viz.demo import pretrained as demo
from se_viz.weights.download import Report, ShouldCancel
from se_viz.weights.errors import UnknownModel, WeightsRefused
from se_viz.weights.head import Head
from se_viz.weights.meta_model import LARGEST, count_params
from se_viz.zoo import gate_index as table
from se_viz.zoo import libraries as sources

__all__ = ["Listing", "Network", "UnknownModel", "architectures", "build", "listing", "names", "register"]

# Those of the paper come before the rest, in the order of its tables.
_PAPERS = ("timm/legacy_seresnet", "timm/legacy_seresnext", "timm/legacy_senet", "timm/seresnet50.")


_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Network:
    """A network with what it takes to use it; ``head`` says what its outputs mean, None where nobody has said."""

    module: nn.Module
    preprocess: Preprocess
    classes: tuple[str, ...]
    about: str
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of a pretrained network of a library before it is fetched.

    Attributes:
        name: what ``build`` takes.
        family: the library's module that holds it.
        params: weights and biases.
        gates, kinds, channels: of its channel gates: how many, their classes, and C summed.
        licence: of the weights; empty where the library does not say.
        top1: share of ImageNet's validation set that is right; None where the library does not say.
        size: bytes to download, estimated from the parameters where the library does not say.
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
    """Add a model of your own to the catalogue, for Python and for the page of this process."""
    _registered[name] = build


def names() -> tuple[str, ...]:
    """The models with gates to look into: those of ``pretrained/``, what was registered, then those of the libraries.

    The libraries' come from ``table``, so that listing them imports nothing. One whose name ends at its architecture
    has the library's default weights.
    """
    return (*_local(), *_pretrained())


def architectures() -> tuple[str, ...]:
    """The architectures that a file of one's own may be for: those with gates, the paper's first, then the rest.

    Those with more weights than ``sketch.LARGEST`` are left out. They come from ``table``, so that listing them imports
    nothing; ``table.shipped()`` says more of each.
    """
    rows = [row for row in table.shipped().values() if row.params <= LARGEST]
    return tuple(row.model for row in sorted(rows, key=lambda row: (not row.gates, _place(row.model))))


def build(name: str, report: Report | None = None, cancelled: ShouldCancel | None = None) -> Network:
    """Build a network on the CPU, in eval mode, with its weights checked and loaded.

    Args:
        name: "demo/r16", "timm/seresnet50.ra2_in1k", "torchvision/regnet_y_400mf", or what was registered.
        report: told how a download goes.
        cancelled: asked during a download whether to stop.

    Raises:
        UnknownModel: no model has that name, or it has no gate; one without gates of ``pretrained/`` (``demo/no-se``)
            may be built but is not in ``names()``.
        WeightsRefused: the weights are not what their card says, or do not fit the network.
        DownloadFailed: they are not here and cannot be fetched.
        Cancelled: ``cancelled`` returned True.
    """
    if name in _registered:
        return _registered[name]()
    library, _, rest = name.partition("/")
    if library == "demo" and rest in demo.names():
        card = demo.card(rest)
        return Network(demo.network(card), card.preprocess, card.classes, card.summary(), Head(card.head))
    source, architecture, tag = _find(name)
    facts = source.facts(architecture, tag)
    path = source.weights(architecture, tag).path(report, cancelled)
    try:
        module = source.load_pretrained(architecture, tag, path)
    except (RuntimeError, KeyError, ValueError, EOFError, UnpicklingError, SafetensorError) as error:
        raise WeightsRefused(
            f"{path} does not hold the weights of {name}; delete it to fetch it anew. What is wrong with it: "
            f"{' '.join(str(error).split())[:300]}."
        ) from error
    about = f"{architecture} of {library}, weights {tag}, {count_params(module) / 1e6:.1f} M parameters"
    about += f", {facts.top1:.1%} top-1 on ImageNet" if facts.top1 else ""
    about += f", licence {facts.licence}" if facts.licence else ""
    classes = source.classes(architecture, tag)
    # A classifier of a known data set; where the library does not tell which, it is assumed to be one.
    return Network(module, source.preprocess(architecture, tag), classes, about, Head("classes") if classes else None)


def pretrained(name: str) -> bool:
    """Whether the weights of that name are a library's, which may have to be fetched."""
    return name not in _registered and name.partition("/")[0] in ("timm", "torchvision")


def params(name: str) -> int | None:
    """Weights and biases of what ``build`` would build; None of what was registered, which nobody has counted.

    Raises:
        UnknownModel: no model has that name, or it has no gate.
    """
    if name in _registered:
        return None
    library, _, rest = name.partition("/")
    if library == "demo" and rest in demo.names():
        return demo.card(rest).params
    _, architecture, _ = _find(name)
    return table.shipped()[f"{library}/{architecture}"].params


def fetch(name: str, report: Report | None = None, cancelled: ShouldCancel | None = None) -> None:
    """Fetch the weights of a pretrained network, and check them; raises as ``build`` does, and builds nothing."""
    source, architecture, tag = _find(name)
    source.weights(architecture, tag).path(report, cancelled)


def listing(name: str) -> Listing:
    """What is known of a pretrained network of timm or torchvision; nothing is fetched.

    Raises:
        UnknownModel: no model has that name, or it has no gate.
    """
    source, architecture, tag = _find(name)
    facts = source.facts(architecture, tag)
    row = table.shipped()[f"{name.partition('/')[0]}/{architecture}"]
    return Listing(
        name=name,
        family=row.family,
        params=row.params,
        gates=row.gates,
        kinds=row.kinds,
        channels=row.channels,
        licence=facts.licence,
        top1=facts.top1,
        size=facts.size or 4 * row.params,
        crop=source.preprocess(architecture, tag).crop,
        cached=source.weights(architecture, tag).cached() is not None,
    )


def _local() -> tuple[str, ...]:
    gated = (name for name in demo.names() if demo.card(name).network.gated)
    return (*(f"demo/{name}" for name in gated), *_registered)


def _pretrained() -> list[str]:
    tagged = [
        row.model if row.model.startswith("torchvision/") and not index else f"{row.model}.{tag}"
        for row in table.shipped().values()
        if row.gates
        for index, tag in enumerate(row.weights)
    ]

    return sorted(tagged, key=_place)


def _place(name: str) -> int:
    return next((index for index, prefix in enumerate(_PAPERS) if f"{name}.".startswith(prefix)), len(_PAPERS))


def _find(name: str) -> tuple[sources.ModelSource, str, str]:
    """Source, architecture and tag of a pretrained network with gates."""
    try:
        source, architecture, tag = sources.split(name)
    except UnknownModel:
        raise _unknown(name) from None
    row = table.shipped().get(f"{name.partition('/')[0]}/{architecture}")
    if row is None or not row.weights or (tag and tag not in row.weights):
        raise _unknown(name)
    if not row.gates:
        raise UnknownModel(f"{name} has no channel gate to look into{f' ({row.note})' if row.note else ''}.")
    return source, architecture, tag or row.weights[0]


def _unknown(name: str) -> UnknownModel:
    libraries = _pretrained()
    name = name[:_SHOWN]  # It may come from an address, and be of any length.
    close = get_close_matches(name, libraries, n=3)
    hint = f"; close to it are {', '.join(close)}" if close else ""
    return UnknownModel(
        f"No model {name!r}; there are {', '.join(_local())} and {len(libraries)} of timm and torchvision, "
        f"which `python -m se_viz models` lists{hint}."
    )
