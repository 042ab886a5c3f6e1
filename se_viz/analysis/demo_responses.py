"""Responses of the demo models' gates to the whole validation set: measured once and shipped with the package."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import AliasChoices, Field, TypeAdapter

from se_viz.analysis.health import health
from se_viz.analysis.similarity import effective_rank, linear_cka
from se_viz.data.imagenette import Labelled
from se_viz.demo import pretrained as demo
from se_viz.demo import user_networks
from se_viz.demo.card import Card
from se_viz.device.transfer import moved
from se_viz.disk.atomic import write_bytes
from se_viz.disk.errors import friendly_errors
from se_viz.model.capture import captured
from se_viz.model.model import Model
from se_viz.types import Float32s


@dataclass(frozen=True, slots=True)
class Response:
    """Response of one gate to all images.

    Attributes:
        channels: C.
        mean, spread, variation, near_0, near_1, clipped: statistics of s, as in ``health.Health``.
        rank: effective rank of s, 1 to C; 0 if s is constant (``similarity.effective_rank``).
    """

    channels: int
    mean: float
    spread: float
    variation: float
    near_0: Annotated[float, Field(validation_alias=AliasChoices("near_0", "shut"))]
    near_1: Annotated[float, Field(validation_alias=AliasChoices("near_1", "open"))]
    clipped: float
    rank: float


@dataclass(frozen=True, slots=True)
class NetworkResponses:
    """Responses of one network: the SHA-256 of its weights, and its gates by name in execution order."""

    sha256: str
    gates: dict[str, Response]


@dataclass(frozen=True, slots=True)
class Responses:
    """Responses of all demo models.

    Attributes:
        images: number of images measured.
        networks: networks by the name of their card.
        alike: linear CKA of two networks' gates of the same name, 0 to 1, by "a, b" with the names in order, for the
            pairs of ``measure``. A gate whose s is constant has no CKA and is left out.
    """

    images: int
    networks: dict[str, NetworkResponses]
    alike: dict[str, dict[str, float]]

    def cka(self, a: str, b: str) -> dict[str, float]:
        """Return the CKA of the gates that two networks have in common; empty if the pair was not measured."""
        return self.alike.get(_pair(a, b), {})

    def keeping(self, older: "Responses", weights: Mapping[str, str]) -> "Responses":
        """Return these responses, with those of networks that only an older measurement of the same images has.

        Only the cards of other seeds than the first are shipped, so their networks cannot be measured again.

        Args:
            older: an older measurement.
            weights: name → SHA-256 of every existing network; responses of other weights are dropped.
        """
        if older.images != self.images:
            return self
        same = {name: network for name, network in older.networks.items() if weights.get(name) == network.sha256}
        alike = {pair: by for pair, by in older.alike.items() if set(pair.split(", ")) <= same.keys()}
        return Responses(self.images, same | self.networks, alike | self.alike)

    def write(self, path: Path) -> None:
        """Write the responses as JSON, atomically."""
        with friendly_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, _JSON.dump_json(self, indent=1) + b"\n")

    @classmethod
    def read(cls, path: Path) -> "Responses":
        """Read a file written by ``write``, and check the type of every field."""
        return _JSON.validate_json(path.read_bytes())


_JSON = TypeAdapter(Responses)


def bundled_path() -> Path:
    """Return the path of the responses of the shipped networks."""
    return demo.folder() / "responses" / "imagenette-val.json"


def of_user() -> Path:
    """Return the path of the responses of the user's networks, measured together with those of r = 16."""
    return user_networks.folder() / "responses" / "imagenette-val.json"


def known() -> Responses | None:
    """Return the responses of the shipped networks, and of the user's to as many images; None if nothing is measured.

    Raises:
        ValueError: a file is damaged.
    """
    ours = Responses.read(bundled_path()) if bundled_path().is_file() else None
    if ours is None or not of_user().is_file():
        return ours
    yours = Responses.read(of_user())
    if yours.images != ours.images:
        return ours
    return yours.keeping(ours, {card.name: card.sha256 for card in demo.cards()})


def measure(family: Iterable[tuple[Card, Path]], data: Labelled, device: torch.device) -> Responses:
    """Run a dataset through networks, one at a time, and measure each gate and each pair that the page compares.

    Two networks are compared if both are of seed 0, or if they differ only in their seed.

    Args:
        family: cards of networks with gates, and the folders of their weights, from ``demo.stored``.
        data: images cropped to the networks' input size.
        device: where to compute.

    Raises:
        WeightsRefused: weights do not match their card.
        ValueError: some s of a gate is NaN or infinite, or there is only one image.
        DeviceFull: the device has too little memory for a network, or for a single image in it.
    """
    seen: list[tuple[Card, dict[str, Float32s]]] = []
    networks: dict[str, NetworkResponses] = {}
    for card, folder in family:
        model = Model(card.name, moved(demo.network(card, folder), device, card.name), card.preprocess, card.classes)
        gates = excitations(model, data)
        seen.append((card, gates))
        model.close()
        networks[card.name] = NetworkResponses(card.sha256, _responses(card.name, gates))
    alike = {
        _pair(a.name, b.name): _alike(one, other)
        for (a, one), (b, other) in combinations(sorted(seen, key=lambda pair: pair[0].name), 2)
        if a.network == b.network or a.seed == b.seed == 0
    }
    return Responses(len(data), networks, alike)


def _responses(network: str, gates: dict[str, Float32s]) -> dict[str, Response]:
    found = {}
    for gate, s in gates.items():
        try:
            found[gate] = response(s)
        except ValueError as error:
            raise ValueError(f"{network}, {gate}: {error}") from error
    return found


def _alike(one: dict[str, Float32s], other: dict[str, Float32s]) -> dict[str, float]:
    found = {gate: linear_cka(s, other[gate]) for gate, s in one.items() if gate in other}
    return {gate: _rounded(value) for gate, value in found.items() if not np.isnan(value)}


def excitations(model: Model, data: Labelled, batch: int = 128) -> dict[str, Float32s]:
    """Return s (N, C) of every gate, by name, for N images that are already cropped to the input size."""
    parts: dict[str, list[Float32s]] = {gate.name: [] for gate in model.gates}
    for images in _batches(model, data, batch):
        for gate_capture in captured(model, images, batch=batch):
            parts[gate_capture.gate.name].append(gate_capture.s)
    return {name: np.concatenate(listed) for name, listed in parts.items()}


def _batches(model: Model, data: Labelled, batch: int) -> Iterator[torch.Tensor]:
    for start in range(0, len(data), batch):
        yield model.preprocess.normalise(torch.from_numpy(data.pixels[start : start + batch]))


def response(s: Float32s) -> Response:
    """Compute the response of one gate from its s (N, C), N ≥ 2.

    Raises:
        ValueError: some s is NaN or infinite, or there is only one image.
    """
    found = health(s)
    if found.mean is None or found.spread is None or found.variation is None:
        raise ValueError(found.sentence.replace("**", ""))
    return Response(
        channels=s.shape[1],
        mean=_rounded(found.mean),
        spread=_rounded(found.spread),
        variation=_rounded(found.variation),
        near_0=_rounded(found.near_0),
        near_1=_rounded(found.near_1),
        clipped=_rounded(found.clipped),
        rank=_rounded(effective_rank(s)),
    )


def _pair(a: str, b: str) -> str:
    return ", ".join(sorted((a, b)))


def _rounded(value: float) -> float:
    # Processors round differently from the sixth digit on; four digits hide that in the shipped file.
    return float(f"{value:.4g}")
