"""Atlases of the loaded model: those that ship, those that were made here, and taking one away."""

import hashlib
import os
import re
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from se_viz.analysis import class_similarity as kinship
from se_viz.analysis import profile_limits as study_limits
from se_viz.analysis import significance as chance
from se_viz.analysis.by_depth import Depth, by_depth
from se_viz.model.model import Model
from se_viz.profiles.bundled import folder as shipped_folder
from se_viz.profiles.bundled import path as shipped_path
from se_viz.profiles.class_profiles import FILE, Atlas, open_atlas
from se_viz.profiles.errors import AtlasError
from se_viz.profiles.export import export
from se_viz.reports.tables import table_bytes
from se_viz.ui.state import models
from se_viz.ui.widgets import notes
from se_viz.ui.widgets.code_lines import head_options, load_line, shell_options

KEPT = "SE_VIZ_ATLASES"
_LONGEST = 80  # characters of a folder's name
_MOST_ROWS = 500_000  # about 60 MB as CSV, which the server would hold in memory


def of(model: Model) -> Atlas | None:
    """The atlas to look at, chosen where there are several; None where there is none of this model."""
    found = _found(model)
    if not found:
        return None
    name = next(iter(found))
    if len(found) > 1:
        name = st.selectbox("Atlas", list(found), key="atlas", bind="query-params")
    return found[name]


def _found(model: Model) -> dict[str, Atlas]:
    paths = [path for path in [shipped_path(model.name)] if path.is_file()]
    own = folder(model)
    paths += sorted(path for path in own.glob(f"*/{FILE}")) if own.is_dir() else []
    atlases: dict[str, Atlas] = {}
    unread: list[str] = []
    for path in paths:
        # What ships was made in fp32, what was made here in the precision of the page.
        reference = models.exact(model) if path.parent == shipped_folder() else model
        try:
            atlas = _open(str(path), path.stat().st_mtime, reference.key, reference)
        except AtlasError as error:
            unread.append(str(error))
            continue
        name = _named(atlas)
        # The same pictures may have been counted before, here or elsewhere; folders differ.
        atlases[name if name not in atlases else f"{name} ({path.parent.name})"] = atlas
    notes.warn(unread, "atlases")
    return atlases


def _named(atlas: Atlas) -> str:
    said = " + ".join(source.name for source in atlas.header.sources)
    by = ", by prediction" if atlas.header.labels == "predictions" else ""
    return f"{said}, {int(atlas.counts.sum()):,} images{by}"


@st.cache_resource(max_entries=16, show_spinner="Opening the atlas …")
def _open(path: str, changed: float, model: str, _model: Model) -> Atlas:
    del changed, model  # the key, with the path: opened anew when it is made anew
    return open_atlas(path, _model)


def tag(atlas: Atlas) -> str:
    """Sets the choice of classes in one atlas apart from that in another, whose classes are others."""
    return "" if atlas.path.parent == shipped_folder() else f"_{atlas.path.parent.name}"


def depths(atlas: Atlas) -> tuple[Depth, ...]:
    """Numbers of every gate, computed once."""
    return _depths(str(atlas.path), atlas.path.stat().st_mtime, atlas)


@st.cache_resource(max_entries=16, show_spinner="Going through all classes of all gates …")
def _depths(path: str, changed: float, _atlas: Atlas) -> tuple[Depth, ...]:
    del path, changed
    return by_depth(_atlas)


def limits(atlas: Atlas) -> tuple[str, ...]:
    """What the atlas cannot say, or says only roughly, worked out once."""
    return _limits(str(atlas.path), atlas.path.stat().st_mtime, atlas)


@st.cache_resource(max_entries=16, show_spinner=False)
def _limits(path: str, changed: float, _atlas: Atlas) -> tuple[str, ...]:
    del path, changed
    return study_limits.limits(_atlas)


def gate_similarity(atlas: Atlas) -> kinship.GateSimilarity:
    """Which gates are alike, computed once."""
    return _gate_similarity(str(atlas.path), atlas.path.stat().st_mtime, atlas)


@st.cache_resource(max_entries=16, show_spinner="Comparing the gates …")
def _gate_similarity(path: str, changed: float, _atlas: Atlas) -> kinship.GateSimilarity:
    del path, changed
    return kinship.gate_similarity(_atlas)


def take_away(model: Model, atlas: Atlas) -> None:
    """The atlas as a table, and the lines that give the same numbers."""
    st.header("Take it away", anchor=False)
    rows = len(atlas.classes) * sum(gate.entry.channels for gate in atlas)
    with st.container(horizontal=True):
        if rows > _MOST_ROWS:
            st.markdown(f"A table of this atlas has {rows:,} rows, too many to send: make it in a shell, as below.")
        for kind, mime in (
            () if rows > _MOST_ROWS else (("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet"))
        ):
            st.download_button(
                f"Means and deviations by class as {'CSV' if kind == 'csv' else 'Parquet'}",
                partial(_table, atlas, kind),
                file_name=f"atlas.{kind}",
                mime=mime,
                key=f"save_atlas_{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
        st.download_button(
            "η² by channel, and by chance, as CSV",
            lambda: table_bytes(chance.table(atlas), "csv"),
            file_name="eta2.csv",
            mime="text/csv",
            key="save_eta2",
            on_click="ignore",
            icon=":material/download:",
        )
    st.markdown("The same numbers from Python, and from a shell:")
    gate, name = next(iter(atlas)).name, atlas.classes[0]
    st.code(
        "import se_viz\nfrom se_viz.analysis import significance as chance\n"
        "from se_viz.analysis.by_depth import by_depth\n"
        "from se_viz.analysis.class_similarity import gate_similarity\n"
        "from se_viz.analysis.class_separation import cohens_d\n\n"
        f"{load_line(model)}\n"
        'atlas = se_viz.profile(model, "DIR", "ATLAS")  # once; or se_viz.open_atlas("ATLAS")\n'
        f"atlas[{gate!r}].s({name!r}).mean  # Figure 6, one class; .std beside it for Figure 7\n"
        "by_depth(atlas)  # where classes part\n"
        "chance.table(atlas)  # η² of every channel, and what labels at random give\n"
        "gate_similarity(atlas).cka  # which gates are alike\n"
        f"cohens_d(atlas[{gate!r}], {name!r}, {atlas.classes[-1]!r})",
        language="python",
    )
    options = f"{shell_options(model)}{head_options()}"
    line = f"python -m se_viz profile {options} --data DIR --out ATLAS --table atlas.csv --eta2 eta2.csv"
    st.code(f"{line}\npython -m se_viz classes ATLAS --out classes", language="bash")


def _table(atlas: Atlas, kind: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"atlas.{kind}"
        export(atlas, path)
        return path.read_bytes()


def folder(model: Model) -> Path:
    """Where atlases of a model that were made here lie, each in a folder of its own."""
    base = os.environ.get(KEPT) or Path.home() / ".cache" / "se-viz" / "atlases"
    return Path(base) / slug(model.name)


def slug(name: str) -> str:
    """A name as that of a folder; systems take 255 bytes at most."""
    short = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "unnamed"
    if len(short) <= _LONGEST:
        return short
    return f"{short[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
