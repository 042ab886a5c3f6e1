"""Making class profiles on the page: images on the server that whoever runs it allowed, with progress, Stop and Go
on.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import streamlit as st

from se_viz.data.datasets import dataset
from se_viz.data.folders import holds_image, subfolders
from se_viz.data.meanings import meaning
from se_viz.gates.capture import Capture
from se_viz.model.model import Model
from se_viz.profiles.errors import OtherPass
from se_viz.profiles.metadata import LabelSource
from se_viz.profiles.profile import profile
from se_viz.profiles.unfinished import discard, images_done
from se_viz.reports.pass_account import account
from se_viz.ui.markdown import plain
from se_viz.ui.state import device_queue as turns
from se_viz.ui.state.models import with_cpu_fallback
from se_viz.ui.state.profiles import folder, slug
from se_viz.ui.widgets.code_lines import head_options, shell_options

DATA = "SE_VIZ_DATA"
BATCH = 16  # images that readings of others wait for at most
SHARD = 128  # images that Stop costs at most
_LABELS: dict[str, LabelSource] = {"folders": "given", "what the network says": "predictions"}
_LAST = "last_build"  # where, and how it ended
_ACCOUNT = "last_account"  # what it counted and left out
_ASKED = "asked_build"  # what was asked for and has not come to its end
_building: set[Path] = set()
_lock = Lock()


@dataclass(frozen=True)
class _Asked:
    """What a person asked for; it stays until it is finished or stopped, whatever else is clicked meanwhile."""

    model: str
    place: str
    by: str
    anew: bool


def build(model: Model, *, first: bool = False) -> None:
    """Draw the section that makes class profiles; stopped, it goes on where it was when started again.

    No expander, whose animation moves what is in it from under the pointer.
    """
    allowed = _allowed()
    if not allowed and not first:
        with st.popover("Build class profiles of your own images", icon=":material/library_add:"):
            _elsewhere(model)
        return
    st.header("Build class profiles from images on this server", anchor=False)
    if not allowed:
        _elsewhere(model)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        place = st.selectbox("Folder", list(allowed), key="build_folder")
        by = st.segmented_control("Classes are", list(_LABELS), default="folders", key="build_labels", required=True)
    asked: _Asked | None = st.session_state.get(_ASKED)
    if asked is not None and asked.model == _named(model) and asked.place in allowed:
        st.caption(plain(f"From {asked.place}; classes are {asked.by}."))
        _build(model, allowed[asked.place], _out(model, allowed, asked.place, asked.by), asked)
    elif asked is not None:
        st.info(
            plain(
                f"The class profiles of {asked.place} wait for their network: choose that again, and the pass goes on."
            )
        )
    _offer(model, _out(model, allowed, place, by))


def _offer(model: Model, out: Path) -> None:
    """Draw the button that starts, and what became of what was started before."""
    last, done = st.session_state.get(_LAST), images_done(out)
    if last == (out, "other"):
        st.warning("The images, the network or the settings are not those of the class profiles that were begun here.")
    elif done:
        st.info(
            f"These class profiles are unfinished: {done:,} images are counted and kept. Building goes on after them."
        )
    elif last == (out, "stopped"):
        st.info(f"Stopped. Nothing is kept yet, as images are kept {SHARD} at a time.")
    elif last == (out, "finished"):
        st.success("Finished. The page shows these class profiles, or offers them at the top.")
        st.markdown("\n".join(f"- {plain(line)}" for line in st.session_state.get(_ACCOUNT, ())))
    other = last == (out, "other")
    st.button(
        "Start over" if other else "Go on" if done else "Build",
        key="build",
        type="primary",
        on_click=_ask,
        args=(_named(model), other),
    )


def _named(model: Model) -> str:
    """Whose class profiles they are; on which device they are made does not matter."""
    return f"{model.name} {model.precision}"


def _ask(model: str, anew: bool) -> None:
    """Note what to build. Callbacks run before the page does, so no other click can come in between."""
    state = st.session_state
    state[_ASKED] = _Asked(model, state["build_folder"], state["build_labels"], anew)


def _stop() -> None:
    st.session_state.pop(_ASKED, None)


def _out(model: Model, allowed: dict[str, Path], place: str, by: str) -> Path:
    """The folder of the class profiles of a place."""
    names = {path: f"{path.parent.name} {path.name}" if meaning(path.name) else path.name for path in allowed.values()}
    data = allowed[place]
    name = names[data] if list(names.values()).count(names[data]) == 1 else str(data)
    return folder(model) / slug(f"{name} {'' if by == 'folders' else 'predicted'}")


def _elsewhere(model: Model) -> None:
    st.markdown(
        f"Whoever runs this page allows folders by the environment variable `{DATA}`, several separated by "
        f"`{os.pathsep}`; none is. Elsewhere any folder will do:"
    )
    st.code(
        f"python -m se_viz profile {shell_options(model)}{head_options()} --data DIR --out PROFILES", language="bash"
    )


def _build(model: Model, data: Path, out: Path, asked: _Asked) -> None:
    """Make what was asked for, and run the page again; return only where that cannot be done."""
    with _lock:
        free = out not in _building
        _building.add(out)
    if not free:
        _stop()
        st.info("Another session is building these class profiles: open the page again when they are finished.")
        return
    try:
        if asked.anew:
            discard(out)
            st.session_state[_ASKED] = replace(asked, anew=False)  # once, not whenever the page runs again
        st.session_state[_LAST] = (out, "stopped")  # as long as nothing else is said
        _run(model, data, out, _LABELS[asked.by])
        st.session_state[_LAST] = (out, "finished")
    except OtherPass:
        st.session_state[_LAST] = (out, "other")
    except (ValueError, OSError) as error:
        del st.session_state[_LAST]
        _stop()
        st.error(plain(str(error)))
        return
    finally:
        with _lock:
            _building.discard(out)
    _stop()
    st.rerun(scope="app")


def _run(model: Model, data: Path, out: Path, labels: LabelSource) -> None:
    """Make the class profiles with a bar. A click on anything ends this run when the bar is written, and the next goes
    on.
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
        return turns.take(work, str(model.device), lambda _: bar.progress(share, said))

    with with_cpu_fallback(str(model.device)):
        listed = dataset(data)
        made = profile(model, listed, out, labels=labels, batch=BATCH, shard=SHARD, report=report, turn=turn)
    st.session_state[_ACCOUNT] = account(made, listed.notes)


def _allowed() -> dict[str, Path]:
    """The folders that may be read, and their splits, as of a folder itself one is taken."""
    listed = [Path(part) for part in os.environ.get(DATA, "").split(os.pathsep) if part]
    there = [path for path in listed if path.exists()]
    named = [path / name for path in there if path.is_dir() for name in subfolders(path) if meaning(name)]
    split = [path for path in named if holds_image(path, below=True)]
    return {str(path): path for path in (*there, *split)}
