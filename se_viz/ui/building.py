"""Making an atlas on the page: pictures on the server that whoever runs it allowed, with progress, Stop and Go on."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import streamlit as st

from se_viz.atlas.errors import OtherPass
from se_viz.atlas.header import LabelSource
from se_viz.atlas.profile import profile
from se_viz.atlas.unfinished import discard, kept
from se_viz.data.datasets import dataset
from se_viz.data.folders import holds_image, subfolders
from se_viz.data.meanings import meaning
from se_viz.gates.capture import Capture
from se_viz.gates.model import Model
from se_viz.study.account import account
from se_viz.ui import turns
from se_viz.ui.atlases import folder, slug
from se_viz.ui.code import head_options, shell_options
from se_viz.ui.models import or_on_cpu
from se_viz.ui.text import plain

DATA = "SE_VIZ_DATA"
BATCH = 16  # pictures that readings of others wait for at most
SHARD = 128  # pictures that Stop costs at most
_LABELS: dict[str, LabelSource] = {"folders": "given", "what the network says": "predictions"}
_LAST = "last_build"  # where, and how it ended
_ACCOUNT = "last_account"  # what it counted and left out
_building: set[Path] = set()
_lock = Lock()


def build(model: Model, *, first: bool = False) -> None:
    """Make an atlas; stopped, it goes on where it was when started again."""
    # Open, too, where somebody has built: a page that gets another atlas is laid out anew, and would shut it.
    shown = first or _LAST in st.session_state
    with st.expander("Build an atlas from pictures on this server", icon=":material/library_add:", expanded=shown):
        allowed = _allowed()
        if not allowed:
            _elsewhere(model)
            return
        place = st.selectbox("Folder", list(allowed), key="build_folder")
        by = st.segmented_control("Classes are", list(_LABELS), default="folders", key="build_labels", required=True)
        data = allowed[place]
        names = {
            path: f"{path.parent.name} {path.name}" if meaning(path.name) else path.name for path in allowed.values()
        }
        alone = list(names.values()).count(names[data]) == 1
        name = names[data] if alone else str(data)
        out = folder(model) / slug(f"{name} {'' if by == 'folders' else 'predicted'}")
        if st.session_state.get(_LAST) == (out, "other"):
            st.warning("Its pictures, the network or the settings are not those of the atlas that was begun here.")
            if st.button("Start over", key="build", type="primary"):
                _build(model, data, out, _LABELS[by], anew=True)
            return
        done = kept(out)
        if done:
            st.info(f"This atlas is unfinished: {done:,} pictures are counted and kept. It goes on after them.")
        elif st.session_state.get(_LAST) == (out, "stopped"):
            st.info(f"Stopped. Nothing is kept yet, as pictures are kept {SHARD} at a time.")
        elif st.session_state.get(_LAST) == (out, "finished"):
            st.success("Finished. The page shows this atlas, or offers it at the top.")
            st.markdown("\n".join(f"- {plain(line)}" for line in st.session_state.get(_ACCOUNT, ())))
        if st.button("Go on" if done else "Build", key="build", type="primary"):
            _build(model, data, out, _LABELS[by])


def _elsewhere(model: Model) -> None:
    st.markdown(
        f"Whoever runs this page allows folders by the environment variable `{DATA}`, several separated by "
        f"`{os.pathsep}`; none is. Elsewhere any folder will do:"
    )
    st.code(f"python -m se_viz profile {shell_options(model)}{head_options()} --data DIR --out ATLAS", language="bash")


def _build(model: Model, data: Path, out: Path, labels: LabelSource, *, anew: bool = False) -> None:
    with _lock:
        if out in _building:
            st.info("Another session is building this atlas: open the page again when it is finished.")
            return
        _building.add(out)
    st.session_state[_LAST] = (out, "stopped")  # as long as nothing else is said
    try:
        with st.container(horizontal=True, vertical_alignment="center"):
            bar = st.progress(0.0)
            # Any click ends this run the next time the bar is written, and the shards that are finished stay.
            st.button("Stop", key="build_stop")
        share, said = 0.0, "Listing the pictures …"
        bar.progress(share, said)

        def report(done: int, total: int) -> None:
            nonlocal share, said
            share, said = done / total, f"{done:,} of {total:,} pictures"
            bar.progress(share, said)

        def turn(work: Callable[[], Capture]) -> Capture:
            return turns.take(work, str(model.device), lambda _: bar.progress(share, said))

        if anew:
            discard(out)
        with or_on_cpu(str(model.device)):
            listed = dataset(data)
            made = profile(model, listed, out, labels=labels, batch=BATCH, shard=SHARD, report=report, turn=turn)
        st.session_state[_ACCOUNT] = account(made, listed.notes)
    except OtherPass:
        st.session_state[_LAST] = (out, "other")
        st.rerun(scope="app")
    except (ValueError, OSError) as error:
        del st.session_state[_LAST]
        st.error(plain(str(error)))
        return
    finally:
        with _lock:
            _building.discard(out)
    st.session_state[_LAST] = (out, "finished")
    st.rerun(scope="app")


def _allowed() -> dict[str, Path]:
    """The folders that may be read, and their splits, as of a folder itself one is taken."""
    listed = [Path(part) for part in os.environ.get(DATA, "").split(os.pathsep) if part]
    there = [path for path in listed if path.exists()]
    named = [path / name for path in there if path.is_dir() for name in subfolders(path) if meaning(name)]
    split = [path for path in named if holds_image(path, below=True)]
    return {str(path): path for path in (*there, *split)}
