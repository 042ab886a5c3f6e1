"""The chosen images in groups, compared with the class profiles: mean s, and the most similar class."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from se_viz.analysis.predictions import Predictions, predict
from se_viz.analysis.resemblance import groups
from se_viz.reports.class_groups import Group
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.reports.class_profiles import class_report
from se_viz.reports.class_selection import MOST_CLASSES
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import captures
from se_viz.ui.widgets import chart, notes
from se_viz.ui.widgets.page_header import PageHeader
from se_viz.wording import signed


@st.fragment
def show(header: PageHeader, numbers: ClassNumbers, gate: str) -> None:
    """Draw the section for a gate."""
    images = header.chosen.images
    names = [image.name for image in images]
    captured = captures.values(header.model, images)
    if captured.not_finite:
        notes.warn([f"{captured.not_finite} Groups contain only the images whose s is finite."], "groups_lost")
    said = predict(header.model, captured)
    grouped = _named(names, groups(names, said.groups), said)
    if len(grouped) > MOST_CLASSES:
        st.caption(f"There are {len(grouped)} groups; the first {MOST_CLASSES} are compared.")
        grouped = dict(list(grouped.items())[:MOST_CLASSES])
    compared = {name: Group.of(captured, rows) for name, rows in grouped.items()}
    report = class_report(numbers.profiles, (), [gate], (), groups=compared, numbers=numbers)
    chart.show(report.charts[f"groups_{gate}"])
    st.dataframe(
        _by_group(report.tables["groups"], compared),
        hide_index=True,
        column_config={"group": st.column_config.Column(pinned=True)},
    )
    st.caption(
        "For each group and gate, the class that the group resembles most. Resemblance is a correlation over the "
        "channels, −1 to 1, between two differences from the mean over classes: that of the group, and that of the "
        "class. A group of one or two images is weak evidence."
    )


def _by_group(rows: pd.DataFrame, compared: Mapping[str, Group]) -> pd.DataFrame:
    """Return a table with a row for each group and a column for each gate, from the table with a row for each pair."""
    table: dict[str, list[object]] = {
        "group": list(compared),
        "images": [group.images for group in compared.values()],
    }
    for row in rows.to_dict("records"):
        best = "–" if pd.isna(row["resemblance"]) else f"{row['class']} {signed(row['resemblance'], '+.2f')}"
        table.setdefault(str(row["gate"]), []).append(best)
    return pd.DataFrame(table)


def _named(names: list[str], grouped: dict[str, list[int]], said: Predictions) -> dict[str, list[int]]:
    """Return the groups as they were found, or as the user renames them."""
    with st.popover("Groups", icon=":material/folder:"):
        predicts = any(group is not None for group in said.groups)
        other = "the predicted classes" if predicts else "one group of all images, as there are no predictions"
        st.caption(
            f"The folders in a ZIP archive or in an uploaded folder are groups; without folders, {other}. "
            "You can edit the groups."
        )
        if said.missing:
            st.caption(escape_markdown(said.missing))
        group_of = {index: group for group, rows in grouped.items() for index in rows}
        table = pd.DataFrame({"image": names, "group": [group_of[index] for index in range(len(names))]})
        # The key has the images, so that an edit is not applied to other images.
        edited = st.data_editor(
            table,
            hide_index=True,
            disabled=["image"],
            key=f"groups_{hash(tuple(zip(names, group_of.values(), strict=True)))}",
        )
    named: dict[str, list[int]] = {}
    for index, group in enumerate(edited["group"]):
        named.setdefault(str(group).strip() or "unnamed", []).append(index)
    return named
