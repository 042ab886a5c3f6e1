"""Your images against the class profiles: groups of the chosen images over the classes, and which class each
resembles.
"""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from se_viz.analysis.predictions import Predictions, predict
from se_viz.analysis.resemblance import groups
from se_viz.reports.class_groups import Group
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.reports.class_profiles import class_report
from se_viz.reports.class_selection import MOST_CLASSES
from se_viz.ui.markdown import plain
from se_viz.ui.state import captures as readings
from se_viz.ui.widgets import chart, notes
from se_viz.ui.widgets.page_header import Head


@st.fragment
def show(head: Head, numbers: ClassNumbers) -> None:
    """Draw the section."""
    st.header("Your images against the class profiles", anchor=False)
    images = head.chosen.images
    names = [image.name for image in images]
    captured = readings.values(head.model, images)
    if captured.not_finite:
        notes.warn([f"{captured.not_finite} Groups are those of the images whose s is finite."], "groups_lost")
    said = predict(head.model, captured)
    found = _named(names, groups(names, said.groups), said)
    if len(found) > MOST_CLASSES:
        st.caption(f"{len(found)} groups; the first {MOST_CLASSES} are compared.")
        found = dict(list(found.items())[:MOST_CLASSES])
    gates = [gate.name for gate in numbers.profiles.header.gates]
    gate = st.selectbox("Gate", gates, index=len(gates) - 1, key="yours_gate", bind="query-params", width=160)
    compared = {name: Group.of(captured, rows) for name, rows in found.items()}
    report = class_report(numbers.profiles, (), [gate], (), groups=compared, numbers=numbers)
    chart.show(report.charts[f"groups_{gate}"])
    st.dataframe(
        _by_group(report.tables["groups"], compared),
        hide_index=True,
        column_config={"group": st.column_config.Column(pinned=True)},
    )
    st.caption(
        "The class whose pattern each group resembles most at each gate: the correlation, over channels, of what sets "
        "the group and the class apart from the mean over classes, −1 to 1. A group of one or two images says little."
    )


def _by_group(rows: pd.DataFrame, compared: Mapping[str, Group]) -> pd.DataFrame:
    """A row for each group and a column for each gate, of the table that has a row for each of both."""
    table: dict[str, list[object]] = {
        "group": list(compared),
        "images": [group.images for group in compared.values()],
    }
    for row in rows.to_dict("records"):
        best = "–" if pd.isna(row["resemblance"]) else f"{row['class']} {row['resemblance']:+.2f}"
        table.setdefault(str(row["gate"]), []).append(best)
    return pd.DataFrame(table)


def _named(names: list[str], found: dict[str, list[int]], said: Predictions) -> dict[str, list[int]]:
    """The groups as they were found, or as a person names them."""
    with st.popover("Groups", icon=":material/folder:"):
        predicts = any(group is not None for group in said.groups)
        other = "what the network says" if predicts else "all images, as the network says no class of any"
        st.caption(f"Folders of a ZIP or of an uploaded folder are groups; else {other}. Or name your own.")
        if said.missing:
            st.caption(plain(said.missing))
        own = {index: group for group, rows in found.items() for index in rows}
        table = pd.DataFrame({"image": names, "group": [own[index] for index in range(len(names))]})
        # The key holds the images, so that an edit does not land on others.
        edited = st.data_editor(
            table,
            hide_index=True,
            disabled=["image"],
            key=f"groups_{hash(tuple(zip(names, own.values(), strict=True)))}",
        )
    named: dict[str, list[int]] = {}
    for index, group in enumerate(edited["group"]):
        named.setdefault(str(group).strip() or "unnamed", []).append(index)
    return named
