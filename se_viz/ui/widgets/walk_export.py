"""Export of the walk-through: its numbers as files, and Python and shell code that gives the same numbers."""

import shlex
from functools import partial

import streamlit as st

from se_viz.analysis.walk import Walk
from se_viz.model.model import Model
from se_viz.reports.subject_facts import about_model
from se_viz.reports.walk import walk_bytes, walk_report
from se_viz.ui.widgets import report_download
from se_viz.ui.widgets.code_lines import load_line, shell_options, show_code
from se_viz.ui.widgets.download import download
from se_viz.ui.widgets.image_picker import Chosen


def show(model: Model, chosen: Chosen, walk: Walk, image: str, pixel: tuple[int, int]) -> None:
    """Draw the downloads and the code, which a button opens, below the walk-through."""
    report = about_model(walk_report(walk, image, *pixel), model, [image])
    name = f"{walk.gate.name}_{walk.channel}"
    with st.popover("Export and reproduce", icon=":material/download:", key="walk_export"):
        with st.container(horizontal=True):
            for table in report.tables:
                of_table = partial(report.csv, table)
                download(f"{table.capitalize()} as CSV", of_table, f"{table}_{name}.csv", f"save_walk_{table}")
            download("Arrays as NPZ", partial(walk_bytes, walk), f"walk_{name}.npz", "save_walk_npz")
            report_download.show(lambda: report, f"walk_{name}")
        show_code(_python(model, chosen, walk), _shell(model, chosen, walk, pixel))


def _python(model: Model, chosen: Chosen, walk: Walk) -> str:
    source = (
        f"se_viz.sample({chosen.samples[0]!r})" if chosen.samples else "se_viz.read_paths(['./image.jpg']).images[0]"
    )
    return (
        f"import se_viz\n\n{load_line(model)}\n"
        f"walk = se_viz.walk(model, {source}, {walk.gate.name!r}, {walk.channel})\n"
        "walk.x, walk.filter, walk.u  # X (I, H, W), the filter of the channel, its map U\n"
        "walk.z, walk.h, walk.s, walk.x_tilde  # the numbers of this page"
    )


def _shell(model: Model, chosen: Chosen, walk: Walk, pixel: tuple[int, int]) -> str:
    words = [shlex.quote(f"./{name}") for name in chosen.uploads[:1]] or [
        f"--sample {key}" for key in chosen.samples[:1]
    ]
    return (
        f"python -m se_viz walk {' '.join(words)} {shell_options(model)} --gate {walk.gate.name} "
        f"--channel {walk.channel} --pixel {pixel[0]} {pixel[1]} --out walk"
    )
