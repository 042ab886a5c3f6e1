"""The section that makes class profiles of folders on the server, with progress, Stop and Continue."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import streamlit as st

from se_viz.data.datasets import dataset
from se_viz.data.meanings import meaning
from se_viz.gates.capture import Capture
from se_viz.model.model import Model
from se_viz.profiles.engine import LocalEngine
from se_viz.profiles.errors import OtherPass
from se_viz.profiles.metadata import LabelSource
from se_viz.profiles.profile import profile
from se_viz.profiles.unfinished import discard, images_done
from se_viz.reports.pass_account import account
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import data_folders, device_queue
from se_viz.ui.state.models import with_cpu_fallback
from se_viz.ui.state.profiles import folder, slug
from se_viz.ui.widgets.code_lines import head_options, shell_options

BATCH = 16  # images of a batch: captures of other sessions wait for at most this many
SHARD = 128  # images of a shard: Stop loses at most this many
_LABELS: dict[str, LabelSource] = {"folders": "given", "predictions": "predictions"}
_LAST = "last_build"  # in the session: the folder of the last pass, and how it ended
_ACCOUNT = "last_account"  # in the session: what the last pass counted and left out
_ASKED = "asked_build"  # in the session: the pass that was requested and has not ended
_building: set[Path] = set()
_lock = Lock()


@dataclass(frozen=True)
class _Asked:
    """A requested pass; it is kept until it is finished or stopped, whatever else is clicked meanwhile."""

    model: str
    place: str
    by: str
    restart: bool


def build(model: Model, *, first: bool = False) -> None:
    """Draw the section that makes class profiles; a pass that was stopped continues where it was.

    It is not an expander, because the animation of an expander moves the buttons away from the pointer.
    """
    allowed = data_folders.allowed()
    if not allowed and not first:
        with st.popover("Build class profiles of your images", icon=":material/library_add:"):
            _elsewhere(model)
        return
    st.header("Build class profiles from images on this server", anchor=False)
    if not allowed:
        _elsewhere(model)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        place = st.selectbox("Folder", list(allowed), key="build_folder")
        by = st.segmented_control("Classes are", list(_LABELS), default="folders", key="build_labels", required=True)
    if first:
        go_on(model)
    if not _asked_for(model):
        _offer(model, _out(model, allowed, place, by))


def go_on(model: Model) -> None:
    """Draw the pass that was requested, and run it to its end; a page calls it last, whatever part of it is open."""
    asked, allowed = _asked_for(model), data_folders.allowed()
    if asked is not None and asked.place in allowed:
        st.caption(escape_markdown(f"Class profiles from {asked.place}; classes are {asked.by}."))
        _build(model, allowed[asked.place], _out(model, allowed, asked.place, asked.by), asked)
    elif other := st.session_state.get(_ASKED):
        st.info(
            escape_markdown(f"The class profiles of {other.place} are of another network. Choose it again to continue.")
        )


def _asked_for(model: Model) -> _Asked | None:
    """Return the requested pass, if it is of this model."""
    asked: _Asked | None = st.session_state.get(_ASKED)
    return asked if asked is not None and asked.model == _named(model) else None


def _offer(model: Model, out: Path) -> None:
    """Draw the button that starts a pass, and the state of the last one."""
    last, done = st.session_state.get(_LAST), images_done(out)
    if last and last[0] == out and last[1].startswith("failed: "):
        st.error(escape_markdown(last[1].removeprefix("failed: ")))
    elif last == (out, "other"):
        st.warning(
            "The images, the network or the settings differ from those of the unfinished class profiles in this folder."
        )
    elif done:
        st.info(
            f"These class profiles are unfinished: {done:,} images are counted and kept. Building continues after them."
        )
    elif last == (out, "stopped"):
        st.info(f"Stopped. No images are kept yet: they are kept {SHARD} at a time.")
    elif last == (out, "finished"):
        st.success("Finished. The page shows these class profiles, or offers them at the top.")
        st.markdown("\n".join(f"- {escape_markdown(line)}" for line in st.session_state.get(_ACCOUNT, ())))
    other = last == (out, "other")
    st.button(
        "Start over" if other else "Continue" if done else "Build",
        key="build",
        type="primary",
        on_click=_ask,
        args=(_named(model), other),
    )


def _named(model: Model) -> str:
    """Return a name for the model of class profiles; the device does not matter."""
    return f"{model.name} {model.precision}"


def _ask(model: str, restart: bool) -> None:
    """Record what to build. Callbacks run before the page does, so no other click can come in between."""
    state = st.session_state
    state[_ASKED] = _Asked(model, state["build_folder"], state["build_labels"], restart)


def _stop() -> None:
    st.session_state.pop(_ASKED, None)


def _out(model: Model, allowed: dict[str, Path], place: str, by: str) -> Path:
    """Return the folder for the class profiles of a dataset."""
    names = {path: f"{path.parent.name} {path.name}" if meaning(path.name) else path.name for path in allowed.values()}
    data = allowed[place]
    name = names[data] if list(names.values()).count(names[data]) == 1 else str(data)
    return folder(model) / slug(f"{name} {'' if by == 'folders' else 'predicted'}")


def _elsewhere(model: Model) -> None:
    st.markdown(
        f"This page can read the folders on the server that the environment variable `{data_folders.DATA}` names, "
        f"separated by `{os.pathsep}`. It is not set. From a shell, any folder can be read:"
    )
    st.code(
        f"python -m se_viz profile {shell_options(model)}{head_options()} --data DIR --out PROFILES", language="bash"
    )


def _build(model: Model, data: Path, out: Path, asked: _Asked) -> None:
    """Make the requested class profiles, and run the page again, unless another session makes them."""
    with _lock:
        free = out not in _building
        _building.add(out)
    if not free:
        _stop()
        st.info("Another session is building these class profiles. Open the page again when they are finished.")
        return
    try:
        if asked.restart:
            discard(out)
            st.session_state[_ASKED] = replace(asked, restart=False)  # only once, not at every rerun
        st.session_state[_LAST] = (out, "stopped")  # until another outcome is recorded
        _run(model, data, out, _LABELS[asked.by])
        st.session_state[_LAST] = (out, "finished")
    except OtherPass:
        st.session_state[_LAST] = (out, "other")
    except (ValueError, OSError) as error:
        st.session_state[_LAST] = (out, f"failed: {error}")
    finally:
        with _lock:
            _building.discard(out)
    _stop()
    st.rerun(scope="app")


def _run(model: Model, data: Path, out: Path, labels: LabelSource) -> None:
    """Make the class profiles with a progress bar.

    A click on anything ends this run at the next update of the bar, and the next run continues.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0)
        st.button("Stop", key="build_stop", on_click=_stop)
    share, said = 0.0, "Listing the images …"
    bar.progress(share, said)

    def report(done: int, total: int) -> None:
        nonlocal share, said
        share, said = done / total, f"{done:,} of {total:,} images"
        bar.progress(share, said)

    def turn(work: Callable[[], Capture]) -> Capture:
        return device_queue.take(work, str(model.device), lambda _: bar.progress(share, said))

    with with_cpu_fallback(str(model.device)):
        listed = dataset(data)
        engine = LocalEngine(turn)
        made = profile(model, listed, out, labels=labels, batch=BATCH, shard=SHARD, engine=engine, report=report)
    st.session_state[_ACCOUNT] = account(made, listed.notes)
