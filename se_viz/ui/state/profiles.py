"""Class profiles of the loaded model: bundled ones, ones made on this page, and their export."""

import hashlib
import os
import re
from functools import partial
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from se_viz import former_names
from se_viz.analysis.significance import significance_table
from se_viz.model.model import Model
from se_viz.profiles.bundled import folder as shipped_folder
from se_viz.profiles.bundled import path as shipped_path
from se_viz.profiles.class_profiles import ClassProfiles, file_in, open_profiles
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.export import export
from se_viz.reports.tables import table_bytes
from se_viz.ui.state import models
from se_viz.ui.widgets import notes
from se_viz.ui.widgets.code_lines import head_options, load_line, shell_options

KEPT = "SE_VIZ_PROFILES"
_LONGEST = 80  # characters of a folder name
_MOST_ROWS = 500_000  # about 60 MB as CSV, which the server would hold in memory


def of(model: Model) -> ClassProfiles | None:
    """Return the class profiles to show, with a choice if there are several; None if this model has none."""
    choices = _choices(model)
    if not choices:
        return None
    name = next(iter(choices))
    if len(choices) > 1:
        former = st.query_params.pop(former_names.PARAMETER, None)
        if former in choices:
            st.session_state.setdefault("profiles", former)
        name = st.selectbox("Class profiles", list(choices), key="profiles", bind="query-params")
    return choices[name]


def _choices(model: Model) -> dict[str, ClassProfiles]:
    paths = [path for path in [shipped_path(model.name)] if path.is_file()]
    made = folder(model)
    paths += sorted(path for path in map(file_in, made.iterdir()) if path.is_file()) if made.is_dir() else []
    all_profiles: dict[str, ClassProfiles] = {}
    unread: list[str] = []
    for path in paths:
        # Bundled profiles were made in fp32, profiles of this page in the precision of the model.
        reference = models.exact(model) if path.parent == shipped_folder() else model
        try:
            profiles = _open(str(path), path.stat().st_mtime, reference)
        except ProfilesError as error:
            unread.append(str(error))
            continue
        name = _named(profiles)
        # The same images may have been counted twice, so names may be equal; folders differ.
        all_profiles[name if name not in all_profiles else f"{name} ({path.parent.name})"] = profiles
    notes.warn(unread, "profiles")
    return all_profiles


def _named(profiles: ClassProfiles) -> str:
    said = " + ".join(source.name for source in profiles.header.sources)
    by = ", by prediction" if profiles.header.labels == "predictions" else ""
    return f"{said}, {int(profiles.counts.sum()):,} images{by}"


@st.cache_resource(max_entries=16, show_spinner="Opening the class profiles …", hash_funcs={Model: attrgetter("key")})
def _open(path: str, changed: float, model: Model) -> ClassProfiles:
    del changed  # part of the key: a file that was written again is opened again
    return open_profiles(path, model)


def tag(profiles: ClassProfiles) -> str:
    """Return a suffix for widget keys, so that each set of class profiles has its own choice of classes."""
    return "" if profiles.path.parent == shipped_folder() else f"_{profiles.path.parent.name}"


def take_away(model: Model, profiles: ClassProfiles) -> None:
    """Draw the downloads of the class profiles, and the code that gives the same numbers."""
    st.header("Export and reproduce", anchor=False)
    rows = len(profiles.classes) * sum(gate.entry.channels for gate in profiles)
    with st.container(horizontal=True):
        if rows > _MOST_ROWS:
            st.markdown(
                f"The table of these class profiles has {rows:,} rows, too many to download: write it from a shell, as "
                "below."
            )
        for kind, mime in (
            () if rows > _MOST_ROWS else (("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet"))
        ):
            st.download_button(
                f"Means and SDs by class as {'CSV' if kind == 'csv' else 'Parquet'}",
                partial(_table, profiles, kind),
                file_name=f"profiles.{kind}",
                mime=mime,
                key=f"save_profiles_{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
        st.download_button(
            "η² by channel, observed and expected by chance, as CSV",
            lambda: table_bytes(significance_table(profiles), "csv"),
            file_name="eta2.csv",
            mime="text/csv",
            key="save_eta2",
            on_click="ignore",
            icon=":material/download:",
        )
    st.markdown("The same numbers from Python, and from a shell:")
    gate, name = next(iter(profiles)).name, profiles.classes[0]
    st.code(
        "import se_viz\nfrom se_viz.analysis.significance import significance_table\n"
        "from se_viz.analysis.by_depth import by_depth\n"
        "from se_viz.analysis.class_similarity import gate_similarity\n"
        "from se_viz.analysis.class_separation import cohens_d\n\n"
        f"{load_line(model)}\n"
        'profiles = se_viz.profile(model, "DIR", "PROFILES")  # once; or se_viz.open_profiles("PROFILES")\n'
        f"profiles[{gate!r}].s({name!r}).mean  # Figure 6, one class; .std beside it for Figure 7\n"
        "by_depth(profiles)  # where the gates become class-specific\n"
        "significance_table(profiles)  # η² of every channel, and η² expected with random labels\n"
        "gate_similarity(profiles).cka  # how similar the gates are\n"
        f"cohens_d(profiles[{gate!r}], {name!r}, {profiles.classes[-1]!r})",
        language="python",
    )
    options = f"{shell_options(model)}{head_options()}"
    line = f"python -m se_viz profile {options} --data DIR --out PROFILES --table profiles.csv --eta2 eta2.csv"
    st.code(f"{line}\npython -m se_viz classes PROFILES --out classes", language="bash")


def _table(profiles: ClassProfiles, kind: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"profiles.{kind}"
        export(profiles, path)
        return path.read_bytes()


def folder(model: Model) -> Path:
    """Return the folder of the class profiles of a model that were made on this page; each set has a subfolder."""
    return _base() / slug(model.name)


def _base() -> Path:
    """Return the folder of all class profiles; the folder of an older SE Viz is used if there is no new one."""
    named = os.environ.get(KEPT) or os.environ.get(former_names.VARIABLE)
    cache = Path.home() / ".cache" / "se-viz"
    former = cache / former_names.FOLDER
    return (
        Path(named)
        if named
        else former
        if former.is_dir() and not (cache / "profiles").exists()
        else cache / "profiles"
    )


def slug(name: str) -> str:
    """Return a name as a folder name; file systems allow 255 bytes."""
    short = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "unnamed"
    if len(short) <= _LONGEST:
        return short
    return f"{short[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
