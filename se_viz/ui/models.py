"""Models that sessions share: one per name and device, a few at a time."""

import streamlit as st

from se_viz.gates.model import Model, load
from se_viz.ui import fetching
from se_viz.ui.text import plain
from se_viz.zoo import catalogue, demo
from se_viz.zoo.catalogue import Network, UnknownModel
from se_viz.zoo.device import DeviceMissing, available, resolve

_KEPT = 3
_FAMILY = 16


@st.cache_resource(max_entries=_KEPT, on_release=Model.close, show_spinner="Loading the model …")
def _load(name: str, device: str) -> Model:
    return load(name, device)


@st.cache_resource(max_entries=_FAMILY, on_release=Model.close, show_spinner="Loading the demo models …")
def _member(name: str, device: str) -> Model:
    return load(name, device)


def member(name: str, device: str) -> Model:
    """A demo model beside the chosen one; they are small, and kept apart so that they do not displace it."""
    return _member(name, device)


@st.cache_resource(max_entries=_FAMILY, show_spinner="Loading the demo models …")
def plain_member(name: str, device: str) -> Network:
    """A demo model without gates, which is none to look into, but has predictions to compare."""
    network = catalogue.build(name)
    network.module.to(device)
    return network


def choose() -> Model | None:
    """The sidebar's choice of model and device, loaded; None where it says why not, or what to do."""
    names = list(catalogue.names())
    if not names:
        st.error(f"There is no model: {demo.folder()} holds no card. Get the project again, or train one (README).")
        return None
    default = names.index("demo/r16") if "demo/r16" in names else 0
    name = st.selectbox(
        "Model",
        names,
        index=default,
        key="model",
        bind="query-params",
        help="Type to search: the demo models, and those of timm and torchvision that have channel gates.",
    )
    device = st.selectbox("Device", ["auto", *available()], key="device", bind="query-params")
    try:
        if catalogue.pretrained(name) and not fetching.there(name):
            return None
        model = _load(name, str(resolve(device)))
    except (UnknownModel, DeviceMissing, ValueError) as error:
        st.error(plain(str(error)))
        return None
    st.caption(plain(f"{model.about or name}. {len(model.gates)} gates, on {model.device}."))
    return model
