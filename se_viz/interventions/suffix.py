"""The network as a function of the excitation weights of one gate."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.clone import clone_sharing_weights
from se_viz.gates.errors import NotReadable
from se_viz.gates.forward_pass import descriptor, refusals_told
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.instrument_cache import instrument_of
from se_viz.gates.refusals import REJECTIONS, require_images
from se_viz.gates.trace import placement
from se_viz.interventions.recorder import Kept, OutputRecorder, TensorPosition, shared_parts
from se_viz.interventions.replay import Replay
from se_viz.model.model import Images, Model
from se_viz.types import AnyFloats
from se_viz.weights.tensor_kinds import table_of

# How far the last part of the network may be from the whole of it, as a share of the largest logit.
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.bfloat16: 5e-2, torch.float16: 5e-3}

Logits: TypeAlias = Callable[[Tensor], Tensor]


class Suffix:
    """The logits of a network for N images, as a function of the weights s that multiply U at one gate.

    The part before the gate was computed once. The network is a private copy that shares the weights, so captum and
    other tools may add hooks; calls from several threads wait for one another.

    Attributes:
        gate: the gate.
        s: excitation weights as the network computes them (N, C), on its device and in its precision.
        logits: the logits for these (N, K).
        norms: Euclidean norm of each channel of U (N, C).
    """

    def __init__(self, network: nn.Module, gate: Gate, images: Tensor, *, batch: int) -> None:
        self.gate = gate
        self._batch = batch
        if gate.threaded:
            raise NotReadable(f"{gate.name} runs in a thread that the network starts, and a pass cannot start there.")
        copy = private_network(network)
        with torch.inference_mode(False), torch.no_grad():
            recorder = OutputRecorder(copy, gate)
            instrument = Instrument(copy, (gate,))
            told = refusals_told(network, images)
            with recorder, instrument.capturing(frozenset()) as sink, recorder.recording(sink), told:
                output = copy(images.clone())
            kept = recorder.kept()
            if kept is None:
                raise NotReadable(f"{gate.name} did not run for these images.")
            output = _table(output)
            if output is None or len(output) != len(images):
                raise NotReadable(
                    f"{type(network).__name__} returns no logits (N, K). Wrap it in a module that returns the numbers "
                    "of interest as one table."
                )
            require_finite(output)
            self.s = descriptor(sink, gate, "s", len(images)).clone()
            self.logits = output.clone()
            self._replay = Replay(copy, gate, kept, images, shared=self._shared(copy, kept, images))
            self._check(_table(self._replay.learn(self.s)))
            self.norms = self._replay.norms.float()

    def __call__(self, s: Tensor | AnyFloats) -> Tensor:
        """Return the logits for other excitation weights, with gradients where s asks for them.

        Args:
            s: (N, C) → (N, K), a row for each image; (N, R, C) → (N, R, K), R rows for each image; or (M · N, C) →
                (M · N, K), where row i belongs to image i mod N, as captum lays out what it asks at once. A tensor, or
                an array of NumPy.

        Raises:
            TypeError: s is neither a tensor nor an array.
            ValueError: s has another shape.
        """
        if isinstance(s, np.ndarray):
            s = torch.tensor(s, dtype=torch.float64)
        if not isinstance(s, Tensor):
            raise TypeError(f"s of {self.gate.name} must be a tensor or an array, not {type(s).__name__}.")
        images, channels = self.s.shape
        if s.shape[-1:] != (channels,) or s.ndim not in (2, 3) or len(s) == 0 or len(s) % images:
            raise ValueError(f"s of {self.gate.name} must be ({images}, {channels}), not {tuple(s.shape)}.")
        if s.ndim == 3 and (len(s) != images or not s.shape[1]):
            raise ValueError(
                f"s of {self.gate.name} must be ({images}, R, {channels}) with R ≥ 1, not {tuple(s.shape)}."
            )
        repeats = s.shape[1] if s.ndim == 3 else len(s) // images
        by_image = s if s.ndim == 3 else s.reshape(repeats, images, channels).transpose(0, 1)
        with torch.inference_mode(False):
            if repeats == 1:
                logits = self._rows(by_image[:, 0].to(self.s), torch.arange(images))[:, None]
            else:
                logits = torch.stack([self.of_image(image, rows) for image, rows in enumerate(by_image)])
        return logits if s.ndim == 3 else logits.transpose(0, 1).reshape(len(s), -1)

    def of_image(self, image: int, s: Tensor) -> Tensor:
        """Return the logits of one image (R, K) for rows of s (R, C)."""
        with torch.inference_mode(False):
            return self._rows(s.to(self.s), torch.full((len(s),), image))

    def _rows(self, s: Tensor, rows: Tensor) -> Tensor:
        """Return the logits of rows of s (B, C), computed in batches."""
        if len(s) == len(self.s):  # all images at once, as they were recorded
            return self._pass(s, rows)
        parts = [
            self._pass(s[start : start + self._batch], rows[start : start + self._batch])
            for start in range(0, len(s), self._batch)
        ]
        return torch.cat(parts)

    def _pass(self, s: Tensor, rows: Tensor) -> Tensor:
        output = _table(self._replay(s, rows))
        if output is None:
            raise NotReadable(f"The network returned no tensor for other weights of {self.gate.name}.")
        return output

    def _shared(self, copy: nn.Module, kept: Kept, images: Tensor) -> frozenset[TensorPosition]:
        """Return the kept tensors that do not belong to images, by recording another number of images.

        Raises:
            NotReadable: the network makes other calls for another number of images.
        """
        others = images[:1] if len(images) > 1 else images.repeat(2, 1, 1, 1)
        recorder = OutputRecorder(copy, self.gate)
        instrument = Instrument(copy, (self.gate,))
        try:
            with recorder, instrument.capturing(frozenset()) as sink, recorder.recording(sink):
                copy(others.clone())
        except REJECTIONS as error:
            if is_out_of_memory(error):
                raise
            raise NotReadable(
                f"The network takes {len(images)} images but not {len(others)} ({error}), so the logits of one image "
                "cannot be computed alone."
            ) from error
        found = shared_parts(kept, recorder.kept(), len(images), len(others))
        if found is None:
            raise NotReadable(
                f"A pass of {len(others)} images makes other calls before {self.gate.name} than one of {len(images)}, "
                "so the logits cannot be computed from s alone."
            )
        return found

    def _check(self, again: object) -> None:
        expected = self.logits
        allowed = TOLERANCE.get(expected.dtype, 1e-5) * expected.abs().max()
        if not (
            isinstance(again, Tensor)
            and again.shape == expected.shape
            and bool(((again - expected).abs() <= allowed).all())
        ):
            raise NotReadable(
                f"A pass that starts at {self.gate.name} gives other logits than a whole pass, so the logits cannot be "
                "computed from s alone."
            )


def _table(output: object) -> Tensor | None:
    """Return logits (N, K), also of a network that returns one number for each image (N,); None for anything else."""
    table = table_of(output)
    if table is None or not table.is_floating_point():
        return None
    return table[:, None] if table.ndim == 1 else table if table.ndim == 2 else None


def suffix(network: Model | nn.Module, images: Images, gate: str, *, batch: int = 64) -> Suffix:
    """Return the network as a function of one gate's excitation weights: ``suffix(model, images, "SE_5_2")(s)``.

    Args:
        network: a ``Model``, or any network that takes the images and whose gates can be found.
        images: as ``capture`` takes them.
        gate: its name.
        batch: rows of s that run at once.

    Raises:
        KeyError: no gate has this name.
        ValueError: batch is not a whole number, or less than 1.
        InputRefused: the images cannot be read as images.
        InstrumentError: the network cannot be read, returns no logits, or cannot start at this gate.
    """
    if not isinstance(batch, int) or batch < 1:
        raise ValueError(f"batch must be a whole number of rows, 1 or more, not {batch!r}.")
    instrument, inputs = instrument_and_inputs(network, images)
    found = instrument.gate(gate)
    inputs = inputs.to(*placement(instrument.network))
    with instrument.attached():
        return Suffix(instrument.network, found, inputs, batch=batch)


def require_finite(logits: Tensor) -> None:
    """Check that logits of any shape can be compared.

    Raises:
        NotReadable: some are NaN or infinite.
    """
    if not bool(logits.isfinite().all()):
        raise NotReadable(
            "The network returns NaN or infinite numbers for these images, so no effect can be measured. Check the "
            "images, the weights and the precision."
        )


def instrument_and_inputs(network: Model | Instrument | nn.Module, images: Images) -> tuple[Instrument, Tensor]:
    """Return the instrument of a model or a network, and the images as the network takes them.

    Raises:
        NotAnImageModel: they are not a batch of images.
        InputRefused, InstrumentError: see ``suffix``.
    """
    inputs = require_images(network.inputs(images) if isinstance(network, Model) else images)
    if inputs.is_inference():
        with torch.inference_mode(False):
            inputs = inputs.clone()  # an inference tensor takes part in no gradients
    if isinstance(network, Model):
        return network.instrument, inputs
    if isinstance(network, Instrument):
        return network, inputs
    height, width = inputs.shape[2:]
    return instrument_of(network, (int(height), int(width))), inputs


def private_network(network: nn.Module) -> nn.Module:
    """Return a copy that shares the weights, without gradients for them, so that only those of s are computed.

    Raises:
        NotReadable: the network cannot be copied.
    """
    try:
        copy = clone_sharing_weights(network)
    except Exception as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        # Parts of any kind may refuse to be copied, in any way.
        raise NotReadable(
            f"{type(network).__name__} cannot be copied ({error}), and a pass that starts at a gate or asks for "
            "gradients needs a copy."
        ) from error
    plain: dict[int, nn.Parameter] = {}
    for module in copy.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                made = plain.setdefault(id(parameter), nn.Parameter(parameter.detach(), requires_grad=False))
                module._parameters[name] = made
    return copy
