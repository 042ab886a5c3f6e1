"""Fetching pretrained weights from the page: what they are and how large, asked before, and shown while it goes on."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event

import streamlit as st
import torch

from se_viz.device.memory import DeviceFull
from se_viz.ui.markdown import plain
from se_viz.weights.download import Progress
from se_viz.weights.errors import DownloadFailed, WeightsRefused
from se_viz.zoo import registry as catalogue
from se_viz.zoo.device_room import check_memory
from se_viz.zoo.registry import Listing

_ASKED = "asked_fetch"  # in the session: the model whose weights are wanted
_GLANCE = 0.2  # seconds between two looks at how far it is


def there(name: str) -> bool:
    """Whether the weights are on this machine; where they are not, a button fetches them, once for all sessions."""
    about = catalogue.listing(name)
    if about.cached:
        return True
    st.caption(plain(_described(about)))
    try:
        check_memory(name, torch.device("cpu"))
    except DeviceFull as error:
        st.error(plain(str(error)))
        return False
    place = st.empty()
    if st.session_state.get(_ASKED) != name:
        _forget()  # what was asked for before another model was chosen
        place.button(
            f"Download {about.size / 1e6:,.0f} MB",
            type="primary",
            icon=":material/download:",
            key="fetch",
            on_click=_ask,
            args=(name,),
        )
        return False
    with place.container():
        bar = st.progress(0.0, "Asking for the file …")
        # Any click ends this run the next time the bar is written, and the next run goes on with what has come; after
        # this one it does not.
        st.button("Stop", key="fetch_stop", on_click=_forget)
    try:
        _fetch(name, lambda progress: bar.progress(*_shown(progress, about)))
    except (DownloadFailed, WeightsRefused) as error:
        _forget()
        st.error(plain(str(error)))
        place.button("Try again", type="primary", key="fetch", on_click=_ask, args=(name,))
        return False
    _forget()
    st.rerun()  # never returns
    return False


def _ask(name: str) -> None:
    """Note what to fetch. Callbacks run before the page does, so no other click can come in between."""
    st.session_state[_ASKED] = name


def _forget() -> None:
    st.session_state.pop(_ASKED, None)


def _fetch(name: str, show: Callable[[Progress], object]) -> None:
    """Fetch in another thread, so that the bar is written, and a click seen, also while nothing arrives."""
    latest, ended = Progress(0, None, 0.0), Event()

    def report(progress: Progress) -> None:
        nonlocal latest
        latest = progress

    executor = ThreadPoolExecutor(1, thread_name_prefix="fetch")
    try:
        future = executor.submit(catalogue.fetch, name, report, ended.is_set)
        while not wait([future], timeout=_GLANCE).done:
            show(latest)
        future.result()
    finally:
        ended.set()
        executor.shutdown(wait=False)  # a connection that hangs ends by itself


def _described(about: Listing) -> str:
    said = [
        f"Of {about.family}: {about.params / 1e6:,.1f} M parameters, {about.gates} gates ({', '.join(about.kinds)})"
    ]
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
