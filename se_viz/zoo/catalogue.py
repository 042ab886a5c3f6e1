"""Which models there are, and building one by name."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from se_viz.data.preprocess import Preprocess
from se_viz.zoo import demo


class UnknownModel(KeyError):
    """No model has that name; the message lists those there are."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Network:
    """A network with what it takes to use it."""

    module: nn.Module
    preprocess: Preprocess
    classes: tuple[str, ...]
    about: str


_registered: dict[str, Callable[[], Network]] = {}


def register(name: str, build: Callable[[], Network]) -> None:
    """Add a model of your own to the catalogue, for Python and for the page of this process."""
    _registered[name] = build


def names() -> tuple[str, ...]:
    """The models with gates to look into: those of ``pretrained/``, then what was registered."""
    gated = (name for name in demo.names() if demo.card(name).network.gated)
    return (*(f"demo/{name}" for name in gated), *_registered)


def build(name: str) -> Network:
    """Build a network on the CPU, in eval mode, with its weights checked and loaded.

    Raises:
        UnknownModel: no model has that name; one without gates (``demo/no-se``) may be built but is not in ``names()``.
        WeightsRefused: the weights are not what their card says.
    """
    if name in _registered:
        return _registered[name]()
    source, _, rest = name.partition("/")
    if source == "demo" and rest in demo.names():
        card = demo.card(rest)
        return Network(demo.network(card), card.preprocess, card.classes, card.summary())
    raise UnknownModel(f"No model {name!r}; there are {', '.join(names())}.")
