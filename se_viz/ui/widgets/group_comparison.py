"""Yours against the atlas: groups of the chosen pictures over the classes, and which class each resembles."""

import pandas as pd
import streamlit as st

from se_viz.analysis.predictions import Predictions, predict
from se_viz.analysis.resemblance import group_mean, groups
from se_viz.figures.class_profiles import mean_excitation, sampled
from se_viz.profiles.class_profiles import Atlas
from se_viz.reports.class_selection import MOST_CLASSES
from se_viz.ui.markdown import plain
from se_viz.ui.state import captures as readings
from se_viz.ui.state.class_overview import overview
from se_viz.ui.widgets import chart, notes
from se_viz.ui.widgets.page_header import Head


@st.fragment
def show(head: Head, atlas: Atlas) -> None:
    """Draw the section."""
    st.header("Yours against the atlas", anchor=False)
    pictures = head.chosen.pictures
    names = [picture.name for picture in pictures]
    captured = readings.values(head.model, pictures)
    if captured.not_finite:
        notes.warn([f"{captured.not_finite} Groups are those of the images whose s is finite."], "groups_lost")
    said = predict(head.model, captured)
    found = _named(names, groups(names, said.groups), said)
    if len(found) > MOST_CLASSES:
        st.caption(f"{len(found)} groups; the first {MOST_CLASSES} are compared.")
        found = dict(list(found.items())[:MOST_CLASSES])
    gate_names = [gate.name for gate in atlas]
    name = st.selectbox("Gate", gate_names, index=len(gate_names) - 1, key="yours_gate", bind="query-params", width=160)
    gate = atlas[name]
    overall = overview(atlas, gate).patterns.common
    of_group = {f"{group} ({len(rows)})": group_mean(captured[name].s[rows]) for group, rows in found.items()}
    means = {group: mean for group, mean in of_group.items() if mean is not None}
    shown = mean_excitation(name, means, overall, gate.span, sampled(gate.entry.channels), of="group")
    chart.show(shown)
    table = {"group": list(found), "pictures": [len(rows) for rows in found.values()]}
    for one in atlas:
        known = overview(atlas, one)
        column = []
        for rows in found.values():
            mean = group_mean(captured[one.name].s[rows])
            best = None if mean is None else known.nearest(mean)
            column.append("–" if best is None else f"{atlas.classes[best[0]]} {best[1]:+.2f}")
        table[one.name] = column
    st.dataframe(pd.DataFrame(table), hide_index=True, column_config={"group": st.column_config.Column(pinned=True)})
    st.caption(
        "The class whose pattern each group resembles most at each gate: the correlation, over channels, of what sets "
        "the group and the class apart from the mean over classes, −1 to 1. A group of one or two pictures says little."
    )


def _named(names: list[str], found: dict[str, list[int]], said: Predictions) -> dict[str, list[int]]:
    """The groups as they were found, or as a person names them."""
    with st.popover("Groups", icon=":material/folder:"):
        predicts = any(group is not None for group in said.groups)
        other = "what the network says" if predicts else "all pictures, as the network says no class of any"
        st.caption(f"Folders of a ZIP or of an uploaded folder are groups; else {other}. Or name your own.")
        if said.missing:
            st.caption(plain(said.missing))
        own = {index: group for group, rows in found.items() for index in rows}
        table = pd.DataFrame({"picture": names, "group": [own[index] for index in range(len(names))]})
        # The key holds the pictures, so that an edit does not land on others.
        edited = st.data_editor(
            table,
            hide_index=True,
            disabled=["picture"],
            key=f"groups_{hash(tuple(zip(names, own.values(), strict=True)))}",
        )
    named: dict[str, list[int]] = {}
    for index, group in enumerate(edited["group"]):
        named.setdefault(str(group).strip() or "unnamed", []).append(index)
    return named
