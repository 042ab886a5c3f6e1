"""Suggestions of architectures for a file whose tensors are not those of the requested one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from se_viz.weights.errors import Misfit, WeightsRefused
from se_viz.weights.key_matching import match
from se_viz.weights.parametrized import multiplied_out
from se_viz.zoo import gate_index, registry
from se_viz.zoo import tensor_names as names
from se_viz.zoo.checkpoint_plan import Sketch, plan, sketch_of

# Maximum number of candidates of the index that are sketched (0.1 s each), and of these fitted (0.3 s each).
_CHECKED = 4
_TRIED = 2
_SHOWN = 3

# Minimum share of common tensors for a fit: the others may be the classifier.
_NEARLY = 0.75

# Minimum share of common tensors for a suggestion.
_LEAST = 0.5

# Patterns of names that tell how a file was made → what to do.
_PECULIAR = (
    (
        r"(^|\.)(_?flat_param(_\d+)?)$",
        "Its weights are flattened by FSDP: save them with StateDictType.FULL_STATE_DICT.",
    ),
    (r"\.lora_[AB]\.|(^|\.)base_layer\.", "It is an adapter (LoRA): merge it into the network, and save that."),
    (
        r"(^|\.)parametrizations\.",
        "Its weights are parametrised: call torch.nn.utils.parametrize.remove_parametrizations, then save them.",
    ),
    (
        r"(^|\.)(qweight|qzeros|_packed_params(\.|$)|zero_point|weight_scale)",
        "Its weights are quantised: save those of the network before quantisation.",
    ),
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Architectures with the same tensors, the share of tensors in common with a file, and whether they fit."""

    models: tuple[str, ...]
    share: float
    fits: bool


def advised(error: Misfit, state: Mapping[str, Tensor], largest: int) -> Misfit:
    """Return the error with a sentence on the architectures that the tensors of a file may be for.

    Architectures whose tensors match exactly are preferred to those with the largest share of tensors in common.

    Args:
        error: error for the requested architecture.
        state: tensors of the file.
        largest: maximum number of weights and biases of an architecture.
    """
    for pattern, advice in _PECULIAR:
        if any(re.search(pattern, name) for name in state):
            return error.advised(advice)
    found = _candidates(state, error.called, largest)
    exact = [model for candidate in found if candidate.fits for model in candidate.models]
    rows = gate_index.bundled_gates()
    gated = tuple(model for model in exact if rows[model].gates)
    if gated:
        advice = f"The file's tensors are those of {_listed(gated)}: choose that architecture (--arch {gated[0]})."
        return error.advised(advice, gated[:_SHOWN], exact=True)
    if exact:
        advice = f"The file's tensors are those of {_listed(exact)}, which has no channel gates."
        return error.advised(advice, exact=True)
    own = "In Python and from a shell, a function may build the network (--arch package.module:function)."
    near = [candidate for candidate in found if candidate.share >= _LEAST]
    if not near:
        return error.advised(f"No architecture of timm or torchvision has most of its tensors. {own}")
    closest, share = near[0].models, f"{near[0].share:.0%} of the tensors the same"
    if error.called in closest:
        return error.advised(f"No other architecture is closer ({share}). {own}")
    better = tuple(model for model in closest if rows[model].gates)[:_SHOWN]
    return error.advised(f"Closest is {_listed(closest)}, with {share}: the network was changed. {own}", better)


def _candidates(state: Mapping[str, Tensor], refused: str, largest: int) -> list[_Candidate]:
    """Return the candidates of the index, checked on sketches: fitting ones first, then by the share in common."""
    order = {model: place for place, model in enumerate(registry.architectures())}
    rows = gate_index.bundled_gates()
    checked = []
    tries = 0
    for alike in names.likely(state)[:_CHECKED]:
        models = [model for model in alike.models if model in order and rows[model].params <= largest]
        if not models:
            continue
        models.sort(key=order.__getitem__)
        sketch = sketch_of(models[0], largest)
        share = _share(state, sketch)
        fits = False
        if share >= _NEARLY and refused not in models and tries < _TRIED:
            tries += 1
            fits = _fits(state, sketch)
        checked.append(_Candidate(tuple(models), share, fits))
        if fits:
            break
    return sorted(checked, key=lambda candidate: (not candidate.fits, -candidate.share))


def _share(state: Mapping[str, Tensor], sketch: Sketch) -> float:
    """Return the number of tensors common to a file and an architecture, as a share of those in either."""
    try:
        shapes = sketch.create().state_dict()
    except WeightsRefused:
        return 0
    found = match(multiplied_out(state, shapes)[0], shapes)
    same = sum(bool(tensor.shape == shapes[name].shape) for name, tensor in found.weights.items())
    return same / (len(shapes) + len(found.weights) - same + len(found.strange))


def _fits(state: Mapping[str, Tensor], sketch: Sketch) -> bool:
    try:
        plan(state, sketch, {}, (), "")
    except WeightsRefused:
        return False
    return True


def _listed(models: Sequence[str]) -> str:
    more = len(models) - _SHOWN
    return " or ".join(models[:_SHOWN]) + (f" or {more} more" if more > 0 else "")
