"""Fetching pretrained weights from the page: what they are and how large, asked before, and shown while it goes on."""

import streamlit as st
import torch

from se_viz.ui.text import plain
from se_viz.zoo import catalogue
from se_viz.zoo.catalogue import Listing
from se_viz.zoo.download import Progress
from se_viz.zoo.errors import DownloadFailed, WeightsRefused
from se_viz.zoo.memory import DeviceFull
from se_viz.zoo.room import expect_room


def there(name: str) -> bool:
    """Whether the weights are on this machine; where they are not, a button fetches them, once for all sessions."""
    about = catalogue.listing(name)
    if about.cached:
        return True
    st.caption(plain(_described(about)))
    try:
        expect_room(name, torch.device("cpu"))
    except DeviceFull as error:
        st.error(plain(str(error)))
        return False
    if not st.button(f"Download {about.size / 1e6:,.0f} MB", type="primary", icon=":material/download:", key="fetch"):
        return False
    place = st.empty()
    with place.container():
        bar = st.progress(0.0, "Asking for the file …")
        # Any click ends this run at the next step of the bar; what has come is kept, and the next try goes on from it.
        st.button("Stop", key="fetch_stop")

    def report(progress: Progress) -> None:
        bar.progress(*_shown(progress, about))

    try:
        catalogue.fetch(name, report)
    except (DownloadFailed, WeightsRefused) as error:
        place.empty()
        st.error(plain(str(error)))
        return False
    st.rerun()  # never returns
    return False


def _described(about: Listing) -> str:
    said = [f"{about.params / 1e6:,.1f} M parameters, {about.gates} gates ({', '.join(about.kinds)})"]
    said += [f"{about.top1:.1%} top-1 on ImageNet"] if about.top1 else []
    said += [f"licence {about.licence}"] if about.licence else []
    return f"{'; '.join(said)}. The weights are not on this machine yet."


def _shown(progress: Progress, about: Listing) -> tuple[float, str]:
    total = progress.total or about.size
    text = f"{progress.done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
    if progress.speed:
        text += f", {progress.speed / 1e6:,.1f} MB/s"
    if progress.left is not None:
        text += f", {progress.left:,.0f} s left"
    return min(1.0, progress.done / total), text
