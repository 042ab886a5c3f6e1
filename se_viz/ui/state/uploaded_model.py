"""The model of the weights that a visitor uploads, and the inputs that it was made of."""

import hashlib
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.device.devices import Precision
from se_viz.model.loading import load_checkpoint
from se_viz.model.model import Model
from se_viz.ui.state.cache_budget import model_bytes, models, release_model
from se_viz.ui.state.visitor import leaving
from se_viz.weights.class_names import read_classes
from se_viz.weights.errors import WeightsRefused
from se_viz.weights.head import HeadKind

_LARGEST = 100_000_000  # parameters
_KEY = "own_model"  # in the session: the inputs of the model
_REFUSED = "own_refused"  # in the session: the choice that was refused, and the error
_one = Lock()


@dataclass(frozen=True)
class CheckpointInputs:
    """The inputs of a model from an upload: names of its files and its architecture, and its preprocessing.

    ``prepared`` contains arguments of ``load_checkpoint``: size, mean and std, and arguments; the architecture's
    defaults apply to what is missing.
    """

    name: str
    weights: str
    architecture: str
    classes: str
    prepared: dict[str, Any]


def inputs_of(model: Model) -> CheckpointInputs | None:
    """Return the inputs of the session's uploaded model; None for any other model."""
    own: CheckpointInputs | None = st.session_state.get(_KEY)
    return own if own is not None and own.name == model.name else None


def remember(inputs: CheckpointInputs) -> None:
    """Make these the inputs of the session's uploaded model."""
    st.session_state[_KEY] = inputs


def called(model: Model) -> str:
    """Return the name of a model for sentences: an uploaded model has the name of its file, without the hash."""
    own = inputs_of(model)
    return model.name if own is None else own.weights


# The key has the upload's id, so that 200 MB are not hashed at every rerun. Only two entries, as they are large.
@st.cache_resource(max_entries=2, on_release=release_model, show_spinner="Reading the weights …")
def load(
    _weights: UploadedFile,
    _names: UploadedFile | None,
    key: tuple[str, ...],
    precision: Precision,
    head: HeadKind | None,
    prepared: dict[str, Any],
) -> Model:
    """Return the model of an uploaded file; see ``load_once``."""
    architecture, device = key[-2:]
    classes = read_classes(_names.getvalue()) if _names else ()
    # One at a time, as reading takes several times the size of the file in memory.
    with _one:
        model = load_checkpoint(
            _weights,
            architecture,
            classes=classes,
            head=head,
            device=device,
            precision=precision,
            name=_weights.name,
            largest=_LARGEST,
            cancelled=leaving(),
            **prepared,
        )
    # One file may fit two architectures that differ only in parts without weights, such as padding.
    made_of = hashlib.sha256(_weights.getvalue() + f"{architecture} {prepared}".encode())
    model.name = f"{_weights.name} {made_of.hexdigest()[:16]}"
    return model


def load_once(
    weights: UploadedFile,
    names: UploadedFile | None,
    key: tuple[str, ...],
    precision: Precision,
    kind: HeadKind | None,
    prepared: dict[str, Any],
) -> Model:
    """Return the model of an uploaded file; a file that was refused is not read again at each run of the page.

    Args:
        weights, names: the files of the weights and of the class names.
        key: identifiers of the two files, architecture and device.
        precision: the precision of the network.
        kind: the kind of its head, if it was chosen.
        prepared: further arguments of ``load_checkpoint``.

    Raises:
        HeadMismatch: the head or the class names do not fit the network.
        WeightsRefused: the file is refused.
        Cancelled: the visitor has left.
    """
    asked = (key[:3], kind, prepared)
    refused: tuple[object, WeightsRefused] | None = st.session_state.get(_REFUSED)
    if refused is not None and refused[0] == asked:
        raise refused[1].with_traceback(None)
    try:
        model = load(weights, names, key, precision, kind, prepared)
    except WeightsRefused as error:
        # Without cause and context, which hold the file's tensors.
        error.__cause__ = error.__context__ = None
        st.session_state[_REFUSED] = asked, error.with_traceback(None)
        raise
    size = model_bytes(model.network, model.instrument.network)
    # Without the file: the callback that removes a model would keep it alive.
    models().used((load, model.key, key), size, partial(load.clear, None, None, key, precision, kind, prepared))
    return model
