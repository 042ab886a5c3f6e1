"""Downloads of class profiles, and the code that gives the same numbers."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from se_viz.analysis.significance import significance_table
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.profiles.export import export
from se_viz.reports.report import Report
from se_viz.reports.subject_facts import about_profiles, profiles_source
from se_viz.reports.tables import table_bytes, with_source
from se_viz.ui.widgets import report_download
from se_viz.ui.widgets.chart import choose_size
from se_viz.ui.widgets.code_lines import head_options, load_line, shell_options, show_code
from se_viz.ui.widgets.download import download

MOST_ROWS = 500_000  # about 60 MB as CSV, which the server would hold in memory


def show(model: Model, profiles: ClassProfiles, report: Callable[[], Report]) -> None:
    """Draw the downloads of the class profiles and of the report, and the code that gives the same numbers."""
    choose_size()
    rows = len(profiles.classes) * sum(gate.entry.channels for gate in profiles)
    with st.container(horizontal=True):
        if rows > MOST_ROWS:
            st.markdown(
                f"The table of these class profiles has {rows:,} rows, too many to download: write it from a shell, as "
                "below."
            )
        for kind, name in (("csv", "CSV"), ("parquet", "Parquet")) if rows <= MOST_ROWS else ():
            made = partial(_table, profiles, kind)
            download(f"Means and SDs by class as {name}", made, f"profiles.{kind}", f"save_profiles_{kind}")
        download(
            "η² by channel, observed and expected by chance, as CSV",
            lambda: table_bytes(with_source(significance_table(profiles), profiles_source(profiles)), "csv"),
            "eta2.csv",
            "save_eta2",
        )
        report_download.show(lambda: about_profiles(report(), profiles), "classes")
    gate, name = next(iter(profiles)).name, profiles.classes[0]
    options = f"{shell_options(model)}{head_options()}"
    line = f"python -m se_viz profile {options} --data DIR --out PROFILES --table profiles.csv --eta2 eta2.csv"
    show_code(
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
        f"{line}\npython -m se_viz classes PROFILES --out classes",
    )


def _table(profiles: ClassProfiles, kind: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"profiles.{kind}"
        export(profiles, path)
        return path.read_bytes()
