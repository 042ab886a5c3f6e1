"""What the Classes page asks of all classes of a gate at once, worked out once."""

import streamlit as st

from se_viz.analysis.class_overview import Overview
from se_viz.profiles.class_profiles import Atlas, GateAtlas


def overview(atlas: Atlas, gate: GateAtlas) -> Overview:
    """The overview of a gate, which is not to be changed."""
    return _overview(str(atlas.path), atlas.path.stat().st_mtime, gate.name, gate)


# About 130 MB for all gates of SE-ResNet-50 over 1,000 classes.
@st.cache_resource(max_entries=64, show_spinner="Comparing the classes …")
def _overview(path: str, changed: float, name: str, _gate: GateAtlas) -> Overview:
    del path, changed, name
    return Overview.of(_gate)
