"""Metadata of class profiles, as JSON in the head of their file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, TypeAdapter

from se_viz import former_names
from se_viz.data.dataset_sources import Dataset
from se_viz.data.preprocess import Preprocess
from se_viz.gates.gate import Gate
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesRefused
from se_viz.weights.head import Head
from se_viz.weights.weights_sha256 import weights_sha256

# 1: s in 16-bit codes of a fixed range, 64 bins of equal width, compact files with quantiles (see ``format1``).
VERSION = 2
FORMAT = "se-viz-profiles"

LabelSource: TypeAlias = Literal["given", "predictions"]
PassPrecision: TypeAlias = Literal["fp32", "bf16"]
_PRECISIONS: dict[str, PassPrecision] = {"fp32": "fp32", "bf16": "bf16", "float32": "fp32", "bfloat16": "bf16"}


def pass_precision(name: object) -> PassPrecision:
    """Return the precision of a pass from its name or its former name, "float32" or "bfloat16".

    Raises:
        ValueError: the name is another one.
    """
    if not isinstance(name, str) or name not in _PRECISIONS:
        raise ValueError(f"The precision of a pass is fp32 or bf16, not {name!r}.")
    return _PRECISIONS[name]


@dataclass(frozen=True, slots=True)
class GateEntry:
    """A gate of the class profiles' network.

    Attributes:
        name, stage, block: name and position.
        channels: C.
        function: the gate function.
        low, high: range in which format 1 stored s; None in later formats, which store s unchanged.
        z: True if the squeeze descriptor is known, and so is in the class profiles.
    """

    name: str
    stage: int
    block: int
    channels: int
    function: str
    low: float | None = None
    high: float | None = None
    z: bool = True

    @classmethod
    def of(cls, gate: Gate) -> "GateEntry":
        """Return the entry of a gate that was found."""
        return cls(gate.name, gate.stage, gate.block, gate.channels, gate.gate_function, z=gate.has_z)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The network that was profiled: name, sha256 of its weights, preprocessing and precision."""

    name: str
    sha256: str
    preprocess: Preprocess
    precision: Annotated[PassPrecision, BeforeValidator(pass_precision)] = "fp32"

    @classmethod
    def of(cls, model: Model, precision: str = "fp32") -> "ModelInfo":
        """Return the information on a loaded model."""
        return cls(model.name, weights_sha256(model.network), model.preprocess, pass_precision(precision))

    def difference(self, model: Model) -> str:
        """Return what differs in a loaded model, "weights" or "preprocessing"; "" if this is the same network.

        A model that ``load`` rounded to half precision is the network whose weights it rounded, too.
        """
        if self.sha256 not in model.weights_sha256s():
            return "weights"
        return "" if model.preprocess == self.preprocess else "preprocessing"


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A dataset that was profiled: name, kind, number of listed images, sha256 of their names and labels."""

    name: str
    kind: str
    images: int
    sha256: str

    @classmethod
    def of(cls, dataset: Dataset) -> "DatasetInfo":
        """Return the information on a dataset."""
        return cls(dataset.name, dataset.kind, len(dataset), dataset.sha256)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Settings of a pass: images per forward pass, images per shard, index of this shard (None for the whole pass)."""

    batch: int
    shard: int
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The metadata of class profiles.

    Attributes:
        model, gates: the network, and its gates in execution order.
        sources: the datasets.
        labels: the source of the images' classes.
        classes, counts: names of the K classes, and number of images of each.
        refused: name of each image that was left out → reason.
        examples: number of images with the highest, and with the lowest, s of each channel that are stored.
        images: True if s of every image is stored.
        form: "exact" sums, or "compact": rounded means and standard deviations, and histograms, as bundled with the
            demo models.
        run: settings of the pass; None for merged class profiles.
        head: the head that gave the predictions by which images count; None if it predicts classes, and for given
            labels.
        version: version of the file format.
    """

    model: ModelInfo
    gates: tuple[GateEntry, ...]
    sources: tuple[DatasetInfo, ...]
    labels: LabelSource
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    examples: int = 8
    images: bool = False
    form: Literal["exact", "compact"] = "exact"
    run: RunSettings | None = None
    head: Head | None = None
    version: int = VERSION

    def to_metadata(self) -> dict[str, str]:
        """Return the header as strings, as a safetensors file stores them."""
        text = _JSON.dump_json(self).decode()
        return {"format": FORMAT, "version": str(self.version), "header": text}

    @classmethod
    def of_metadata(cls, metadata: Mapping[str, str] | None, path: object) -> "Header":
        """Read what ``to_metadata`` wrote.

        Raises:
            ProfilesRefused: the file has another format or a newer version, or its header is damaged.
        """
        if not metadata or metadata.get("format") not in (FORMAT, former_names.FORMAT):
            raise ProfilesRefused(
                f"{path} is a safetensors file, but contains no class profiles. Make them with "
                "`python -m se_viz profile`."
            )
        version = metadata.get("version", "")
        if version.isdecimal() and int(version) > VERSION:
            raise ProfilesRefused(
                f"{path} was written by a newer SE Viz (format {version}; this version reads formats up to {VERSION}). "
                "Update SE Viz, or make the class profiles again."
            )
        try:
            return replace(_JSON.validate_json(metadata["header"]), version=int(version))
        except (KeyError, ValueError) as error:
            raise ProfilesRefused(
                f"The header of {path} is damaged. Copy the file again, or make the class profiles again."
            ) from error

    def report(self) -> str:
        """Return the header as indented JSON; it includes each image that was left out, with the reason."""
        return json.dumps(json.loads(_JSON.dump_json(self)), indent=2, ensure_ascii=False) + "\n"


_JSON = TypeAdapter(Header)
