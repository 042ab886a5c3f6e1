"""The output of a network: the number of values for each image, or a description of another output.

Arrays and tensors are treated alike: both have a ``shape``.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import numpy as np
import torch
from torch import Tensor

from se_viz.types import Float32s
from se_viz.weights.tensor_kinds import singles, table_of

_MOST = 6  # maximum number of names in a sentence


def columns(output: object, images: int) -> int | None:
    """Return K of an output (N, K), 1 of an output (N,), None of any other; N is ``images``.

    A number without an axis counts as (1,): networks that end in ``squeeze()`` return it for a single image.
    """
    shape = _shape(output)
    if shape is not None and len(shape) == 2 and shape[0] == images:
        return shape[1]
    return 1 if shape == (images,) or (shape == () and images == 1) else None


def table(output: object, images: int) -> Float32s | None:
    """Return an output of arrays as a table (N, K); None where ``columns`` returns None.

    A list of the outputs of N single images counts as the output of N images.
    """
    if isinstance(output, list) and len(output) == images and all(columns(part, 1) == 1 for part in output):
        output = np.array([np.asarray(part).item() for part in output], dtype=np.float32)
    found = columns(output, images)
    if isinstance(output, Tensor):
        dense = table_of(output)
        if dense is None or dense.is_complex():
            return None
        output = singles(dense)
    return None if found is None else np.asarray(output, dtype=np.float32).reshape(images, found)


def not_fractions(output: object) -> str:
    """Return what the numbers of a table are if they are no fractions: "whole numbers"; "" for fractions."""
    kind = getattr(output, "dtype", None)
    if isinstance(kind, torch.dtype):
        whole = not (kind.is_floating_point or kind.is_complex)
        name = "complex" if kind.is_complex else "truth" if kind == torch.bool else "whole" if whole else ""
    elif isinstance(kind, np.dtype):
        name = {"b": "truth", "i": "whole", "u": "whole", "c": "complex"}.get(kind.kind, "")
    else:
        name = ""
    return {"": "", "truth": "truth values"}.get(name, f"{name} numbers")


def describe_output(output: object, images: int) -> str:
    """Describe an output for a sentence: "a dict with out, aux", "an array of shape (1, 21, 32, 32)"."""
    if isinstance(output, list | tuple) and len(output) == images and images:
        # One part for each image: from a detection network, or from images that were read one by one.
        parts = {describe_output(part, 1) for part in output}
        if len(parts) == 1 and not hasattr(output, "_fields"):
            return f"{parts.pop()}{' for each image' if images > 1 else ''}"
    return _described(output)


def parts_with_table(output: object, images: int) -> list[str]:
    """Return the names of the parts of a dict, a named tuple or a dataclass that are tables."""
    if isinstance(output, list) and len(output) == images and images:
        return parts_with_table(output[0], 1)  # one part for each image, as in ``describe_output``
    found = {name: output[name] if isinstance(output, Mapping) else getattr(output, name) for name in _names(output)}
    return [name for name, part in found.items() if columns(part, images)]


def _described(output: object) -> str:
    shape, kind = _shape(output), type(output).__name__
    if shape is not None:
        return f"an array of shape {shape}" if shape else "a single number"
    names = _names(output)
    if names:
        more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
        return f"{_article(kind)} {kind} with {', '.join(names[:_MOST])}{more}"
    if isinstance(output, Tensor):
        return "a nested tensor"
    if isinstance(output, list | tuple):
        shapes = [str(_shape(part) or type(part).__name__) for part in output[:_MOST]]
        of = f" ({', '.join(shapes)}{', …' if len(output) > _MOST else ''})" if shapes else ""
        return f"a {kind} of {len(output)}{of}"
    return "nothing" if output is None else f"{_article(kind)} {kind}"


def _names(output: object) -> list[str]:
    """Return the names of the parts of a dict, a named tuple or a dataclass."""
    if isinstance(output, Mapping):
        return [str(key) for key in output]
    if is_dataclass(output):
        return [field.name for field in fields(output)]
    return [str(name) for name in getattr(output, "_fields", ())]


def _shape(output: object) -> tuple[int, ...] | None:
    if isinstance(output, Tensor) and output.is_nested:
        return None
    shape = getattr(output, "shape", None)
    return None if shape is None else tuple(int(side) for side in shape)


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"
