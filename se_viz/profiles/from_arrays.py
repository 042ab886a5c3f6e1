"""Class profiles made from arrays of s, which were read elsewhere or computed."""

import hashlib
import math
import operator
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from se_viz.data.preprocess import Preprocess
from se_viz.disk.sole_writer import sole_writer
from se_viz.gates.gate_functions import GATE_FUNCTIONS, SOFTMAX, range_of
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles, open_profiles
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.metadata import DatasetInfo, GateEntry, Header, ModelInfo
from se_viz.profiles.store import store_images
from se_viz.profiles.top_images import ImageTable
from se_viz.types import AnyInts, Float32s, UInt32s
from se_viz.weights.tensor_kinds import singles

_NAME = re.compile(r"SE_(\d+)_(\d+)[a-z]*")
_UNKNOWN = "00" * 32  # in place of the sha256 of an image's file
_ROUNDING = 1e-5  # by which s may be outside the range of its gate function


def profiles_from_arrays(
    s: Mapping[str, npt.ArrayLike],
    labels: Sequence[str] | Sequence[int] | AnyInts,
    path: str | Path,
    *,
    z: Mapping[str, npt.ArrayLike] | None = None,
    classes: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    model: Model | None = None,
    functions: Mapping[str, str] | None = None,
    name: str = "arrays",
    examples: int = 8,
    images: bool = False,
) -> ClassProfiles:
    """Write class profiles of arrays of s, without a pass over a dataset.

    They are counted as in ``profile``, so all figures, numbers and reports of class profiles are available for weights
    that other code has read, or that were recorded during training.

    Args:
        s: for each gate, in execution order, excitation weights (N, C) of the same N images. Without ``model`` the
            gates are named SE_STAGE_BLOCK, as in the paper.
        labels: class of each image (N,): its name, or its index in ``classes``.
        path: file to write, for instance "profiles.safetensors".
        z: for each gate that has them, squeeze descriptors (N, C).
        classes: names of the classes, in their order. Default: the labels, sorted.
        names: names of the images (N,). Default: their numbers, from 0.
        model: the network that gave the weights; its gates must be those of ``s``. Without it no network can be
            compared with the class profiles, and the gates are assumed to be ``functions``.
        functions: gate functions by gate, such as {"SE_2_1": "tanh"}, if there is no ``model``: sigmoid (default),
            hard-sigmoid, tanh, relu, relu6, softmax or other.
        name: name of the network, if there is no ``model``, and of the dataset.
        examples: number of images to name with the highest, and with the lowest, s of each channel, 1 or more.
        images: store s of every single image, 4 bytes per channel.

    Raises:
        ProfilesError: the arrays do not fit each other, the labels or the model, are not finite, or outside the range
            of the gate function; or an argument is not one of these. The message names the first that is wrong.
        InUse: another process is writing ``path``.
        WriteFailed: ``path`` cannot be written.
    """
    try:
        examples = operator.index(examples)
    except TypeError:
        raise ProfilesError(f"examples must be a whole number, not {examples!r}.") from None
    if not s or examples < 1:
        raise ProfilesError("s must have an array (N, C) for at least one gate, and examples must be 1 or more.")
    count = _count(labels)
    weights = {gate: _checked(f"s of {gate}", array, count) for gate, array in s.items()}
    squeezed = {gate: _checked(f"z of {gate}", array, count) for gate, array in (z or {}).items()}
    gates = _entries(weights, squeezed, model, functions or {})
    for entry in gates:
        _check_range(entry, weights[entry.name], "" if model else f'functions={{"{entry.name}": "other"}}')
    classes, indices = _indices(labels, classes)
    listed = list(map(str, names)) if names is not None else [str(number) for number in range(count)]
    if len(listed) != count:
        raise ProfilesError(f"There are {count} labels, but {len(listed)} names of images.")
    digest = hashlib.sha256(repr((listed, indices.tolist(), classes)).encode())
    for array in weights.values():
        digest.update(array.tobytes())
    header = Header(
        model=_info(model) if model else ModelInfo(name, hashlib.sha256(name.encode()).hexdigest(), Preprocess()),
        gates=gates,
        sources=(DatasetInfo(name, "arrays", count, digest.hexdigest()),),
        labels="given",
        classes=classes,
        counts=tuple(np.bincount(indices, minlength=len(classes)).tolist()),
        examples=examples,
        images=images,
    )
    table = ImageTable(listed, [_UNKNOWN] * count, indices)
    with sole_writer(Path(path)):
        store_images(Path(path), header, table, weights, squeezed)
    return open_profiles(path)


def _count(labels: object) -> int:
    """Return the number of labels.

    Raises:
        ProfilesError: they are not a row of names or whole numbers.
    """
    try:
        given = np.asarray(labels)
    except (TypeError, ValueError, RuntimeError):
        given = np.empty((0, 0))
    if given.ndim != 1 or (given.size and given.dtype.kind in "fc"):
        raise ProfilesError("labels must be a list (N,) of names or of whole numbers, one for each image.")
    return len(given)


def _info(model: Model) -> ModelInfo:
    """Return the information on the network.

    Raises:
        ProfilesError: class profiles cannot name its precision.
    """
    if model.precision == "fp16":
        raise ProfilesError(
            f"{model.name} computes in fp16, and class profiles are of fp32 or bf16: load it in one of them."
        )
    return ModelInfo.of(model, model.precision)


def _check_range(gate: GateEntry, s: Float32s, argument: str) -> None:
    """Raise if the gate function cannot have given s; ``argument`` names another function, where that is possible.

    Raises:
        ProfilesError: s is outside its range.
    """
    low, high = range_of(gate.function) or (0.0 if gate.function == "relu" else -math.inf, math.inf)
    found = float(s.min()), float(s.max())
    if found[0] < low - _ROUNDING or found[1] > high + _ROUNDING:
        other = f", or name another function, as in {argument}" if argument else ""
        raise ProfilesError(
            f"s of {gate.name} is {found[0]:.4g} … {found[1]:.4g}, and {gate.function} gives {low:g} … {high:g}: "
            f"pass s as the gate function returns it{other}."
        )


def _checked(what: str, array: npt.ArrayLike, count: int) -> Float32s:
    """Return an array of all images as float32.

    Raises:
        ProfilesError: it is not (N, C), or not finite numbers.
    """
    if isinstance(array, Tensor):
        array = singles(array)
    try:
        numbers = np.asarray(array, np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ProfilesError(f"{what} must be an array of numbers ({count}, C): {error}.") from None
    if not count:
        raise ProfilesError("There are no images: pass s and the labels of one image or more.")
    if numbers.ndim != 2 or len(numbers) != count or not numbers.size:
        raise ProfilesError(f"{what} must have the shape ({count}, C), a row for each label, not {numbers.shape}.")
    broken = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(broken):
        raise ProfilesError(
            f"{what} is not finite for {len(broken)} of {count} images, the first at {broken[0]}: leave them out."
        )
    return numbers


def _entries(
    s: Mapping[str, Float32s], z: Mapping[str, Float32s], model: Model | None, functions: Mapping[str, str]
) -> tuple[GateEntry, ...]:
    """Return the gates of the arrays.

    Raises:
        ProfilesError: they are not those of the model, a name says no stage and block, z does not fit s, or a gate
            function is not known or of no gate.
    """
    if model is not None and functions:
        raise ProfilesError(f"Leave out functions: the gate functions are those of {model.name}.")
    for gate, function in functions.items():
        if gate not in s:
            raise ProfilesError(f"functions names {gate!r}, and s has the gates {', '.join(map(str, s))}.")
        if function not in (*GATE_FUNCTIONS, SOFTMAX, "other"):
            known = ", ".join((*GATE_FUNCTIONS, SOFTMAX, "other"))
            raise ProfilesError(f"The gate function of {gate} must be one of {known}, not {function!r}.")
    for gate, squeezed in z.items():
        if gate not in s or squeezed.shape != s[gate].shape:
            raise ProfilesError(f"z of {gate} must have the shape of s of the same gate, not {squeezed.shape}.")
    if model is not None:
        expected = {gate.name: gate.channels for gate in model.gates}
        given = {name: weights.shape[1] for name, weights in s.items()}
        if given != expected:
            raise ProfilesError(f"{model.name} has the gates and channels {expected}, and s has {given}.")
        named = {gate.name: gate.gate_function for gate in model.gates}
        places = {gate.name: (gate.stage, gate.block) for gate in model.gates}
        order = list(expected)
    else:
        named, order, places = dict(functions), list(s), {}
        for gate in order:
            found = _NAME.fullmatch(gate) if isinstance(gate, str) else None
            if not found:
                raise ProfilesError(f"Name the gates SE_STAGE_BLOCK, such as SE_2_1, not {gate!r}; or pass model.")
            places[gate] = int(found[1]), int(found[2])
    return tuple(
        GateEntry(gate, *places[gate], s[gate].shape[1], named.get(gate, "sigmoid"), z=gate in z) for gate in order
    )


def _indices(
    labels: Sequence[str] | Sequence[int] | AnyInts, classes: Sequence[str] | None
) -> tuple[tuple[str, ...], UInt32s]:
    """Return the names of the classes, and the class of each image.

    Raises:
        ProfilesError: a label is not one of the classes, or is a number without ``classes``, or the classes are not
            different names.
    """
    if classes is not None:
        if not all(isinstance(one, str) for one in classes):
            raise ProfilesError("classes must be a list of names.")
        twice = [one for one, times in Counter(classes).items() if times > 1]
        if twice:
            raise ProfilesError(f"classes must be different names: {twice[0]!r} is there twice.")
    given = np.asarray(labels)
    if np.issubdtype(given.dtype, np.integer):
        if classes is None:
            raise ProfilesError("Labels that are numbers need classes, the names of the classes.")
        if given.min() < 0 or given.max() >= len(classes):
            raise ProfilesError(f"Labels must be 0 … {len(classes) - 1}, not {given.min()} … {given.max()}.")
        return tuple(classes), given.astype(np.uint32)
    ordered = tuple(sorted({str(label) for label in labels}) if classes is None else classes)
    rows = {label: row for row, label in enumerate(ordered)}
    unknown = sorted({str(label) for label in labels} - rows.keys())
    if unknown:
        raise ProfilesError(f"The label {unknown[0]!r} is not one of the {len(ordered)} classes.")
    return ordered, np.array([rows[str(label)] for label in labels], np.uint32)
