"""A network in which some gates are constants, and its file."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from se_viz.data.preprocess import Preprocess
from se_viz.gates.gate import Layout
from se_viz.interventions import frozen_file
from se_viz.interventions.constant_gates import MULTIPLIES, in_eval_mode, own_copy, replace_module
from se_viz.interventions.fold_gate import ConstantGate, Passing
from se_viz.model.model import Model
from se_viz.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class FrozenGate:
    """A gate that multiplies by the same s for each image.

    Attributes:
        name: name of the gate.
        path: path of the module that it was.
        s: (C,).
        how: "into BatchNorm layer4.1.bn3", "into convolution conv_pwl", "as a multiplication".
        layout: order of the axes of U.
        overwrites: whether X̃ takes the place of U, as in the module that it was.
    """

    name: str
    path: str
    s: Floats
    how: str
    layout: Layout = "nchw"
    overwrites: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FrozenNetwork:
    """A network in which some gates are constants.

    Attributes:
        network: a copy that shares no weights with the original, in eval mode.
        gates: the gates that are constants.
        parameters_before, parameters_after: weights and biases of the network.
        macs_before, macs_after: multiply-accumulates of one image, by ``macs.RULE``.
        input: channels, height and width of the image for which they were counted.
        name: name of the model; empty if it has none.
        classes: names of the logits; empty where they are not known.
        preprocess: the preprocessing of images; None where it is not known.
    """

    network: nn.Module
    gates: tuple[FrozenGate, ...]
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    input: tuple[int, int, int]
    name: str = ""
    classes: tuple[str, ...] = ()
    preprocess: Preprocess | None = field(default=None, repr=False)

    @property
    def constants(self) -> int:
        """Number of weights s that are stored beside the parameters, for the multiplications that remain."""
        return sum(len(gate.s) for gate in self.gates if gate.how == MULTIPLIES)

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors, and a description of the network as .json beside them.

        The header of the safetensors file has the same description, which ``load`` reads.

        Raises:
            ValueError: the name of the file does not end in .safetensors.
            WriteFailed: the system refused it; the sentence says why.
        """
        about = {
            "model": self.name,
            "input": list(self.input),
            "parameters": [self.parameters_before, self.parameters_after],
            "macs": [self.macs_before, self.macs_after],
            "gates": [
                {
                    **{"name": one.name, "path": one.path, "how": one.how, "layout": one.layout},
                    **{"s": one.s.tolist(), "overwrites": one.overwrites},
                }
                for one in self.gates
            ],
            "classes": list(self.classes),
            "preprocess": asdict(self.preprocess) if self.preprocess else None,
        }
        frozen_file.write(Path(path), self.network, about)

    @classmethod
    def load(cls, path: str | Path, network: Model | nn.Module | None = None) -> "FrozenNetwork":
        """Read what ``save`` wrote.

        Args:
            path: the safetensors file.
            network: a network of the same architecture, which is not changed; not needed for a demo model or one of
                timm or torchvision.

        Raises:
            FrozenRefused: the file cannot be read, or does not fit the network.
        """
        path = Path(path)
        about, tensors = frozen_file.read(path)
        given = network.network if isinstance(network, Model) else network
        loaded = frozen_file.without_weights(about, path) if given is None else own_copy(given)
        like = next((tensor for tensor in tensors.values() if tensor.is_floating_point()), torch.empty(0))
        loaded = loaded.to(like.device, like.dtype)
        gates = tuple(
            FrozenGate(
                one["name"],
                one["path"],
                np.asarray(one["s"], np.float64),
                one["how"],
                one["layout"],
                one.get("overwrites", False),  # older files do not say
            )
            for one in about["gates"]
        )
        with frozen_file.refusing(path, about):
            for gate in {gate.path: gate for gate in gates}.values():
                weights = torch.from_numpy(gate.s).to(like.dtype)
                constant = ConstantGate(weights, gate.layout, overwrites=gate.overwrites)
                old = loaded.get_submodule(gate.path)
                replace_module(loaded, old, constant if gate.how == MULTIPLIES else Passing())
            loaded.load_state_dict(tensors)
        (before, after), (macs, macs_after) = about["parameters"], about["macs"]
        prepared: dict[str, Any] | None = about["preprocess"] and {
            key: tuple(value) if isinstance(value, list) else value for key, value in about["preprocess"].items()
        }
        size = tuple(about["input"])
        return cls(
            in_eval_mode(loaded), gates, before, after, macs, macs_after, size, about["model"], tuple(about["classes"]),
            Preprocess(**prepared) if prepared else None,
        )  # fmt: skip
