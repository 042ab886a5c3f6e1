"""Python code and shell options that load the model of the page."""

import json
import shlex

import streamlit as st

from se_viz.model.model import Model
from se_viz.ui.state.uploaded_model import inputs_of
from se_viz.ui.widgets import head_picker
from se_viz.ui.widgets.image_picker import Chosen

DEFAULT = 0.5  # default threshold of a ``Head``


def show_code(python: str, shell: str) -> None:
    """Draw the script and the commands that give the numbers of a page."""
    st.markdown("The same numbers from Python, and from a shell:")
    st.code(python, language="python")
    st.code(shell, language="bash")


def load_line(model: Model) -> str:
    """Return the Python code that loads the model; files are expected in the folder of the script."""
    options = f", device={str(model.device)!r}" + (
        f", precision={model.precision!r}" if model.precision != "fp32" else ""
    )
    head = head_picker.chosen()
    if head is not None:
        said = f"{head.kind!r}" if head.threshold == DEFAULT else f"se_viz.Head({head.kind!r}, {head.threshold})"
        options += f", head={said}"
    own = inputs_of(model)
    if own is None:
        return f"model = se_viz.load({model.name!r}{options})"
    named = f", classes=read_classes(Path({f'./{own.classes}'!r}))" if own.classes else ""
    named += "".join(f", {key}={value!r}" for key, value in own.prepared.items())
    line = f"model = se_viz.load_checkpoint({f'./{own.weights}'!r}, {own.architecture!r}{named}{options})"
    if not own.classes:
        return line
    return f"from pathlib import Path\nfrom se_viz.weights.class_names import read_classes\n\n{line}"


def head_options() -> str:
    """Return the shell options for the head, for commands that predict; empty if no head was chosen."""
    head = head_picker.chosen()
    if head is None:
        return ""
    return f" --head {head.kind}" + (f" --threshold {head.threshold}" if head.threshold != DEFAULT else "")


def shell_images(chosen: Chosen) -> str:
    """Return the shell arguments that name the images; uploads are expected in the folder of the shell."""
    words = [shlex.quote(f"./{name}") for name in chosen.uploads]
    split = [f"--split {shlex.quote(chosen.split)}"] if chosen.split and chosen.uploads else []
    return " ".join([*words, *split, *(f"--sample {key}" for key in chosen.samples)])


def python_images(chosen: Chosen) -> str:
    """Return the Python code of a list of the images; uploads are expected in the folder of the script."""
    files = [f"./{name}" for name in chosen.uploads]
    split = f", split={chosen.split!r}" if chosen.split else ""
    parts = [f"*se_viz.read_paths({files!r}{split}).images"] * bool(files)
    return f"[{', '.join([*parts, *(f'se_viz.sample({key!r})' for key in chosen.samples)])}]"


def shell_options(model: Model, *, option: str = "--model ") -> str:
    """Return the shell options that name the model; ``option`` is put before a registry name."""
    own = inputs_of(model)
    if own is None:
        return f"{option}{shlex.quote(model.name)}"
    named = f" --classes {shlex.quote(f'./{own.classes}')}" if own.classes else ""
    for key, value in own.prepared.get("arguments", {}).items():
        named += f" --arg {shlex.quote(f'{key}={json.dumps(value)}')}"
    for key, value in own.prepared.items():
        if key == "arguments":
            continue
        named += f" --{key} {value if isinstance(value, int) else ' '.join(map(str, value))}"
    return f"--checkpoint {shlex.quote(f'./{own.weights}')} --arch {own.architecture}{named}"
