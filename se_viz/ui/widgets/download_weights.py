"""Download of pretrained weights on the page: facts and size before the download, progress during it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event

import streamlit as st
import torch

from se_viz.device.memory import DeviceFull
from se_viz.ui.markdown import escape_markdown
from se_viz.weights.download import Progress
from se_viz.weights.errors import DownloadFailed, WeightsRefused
from se_viz.zoo import registry
from se_viz.zoo.memory_check import check_memory
from se_viz.zoo.registry import Listing

_ASKED = "asked_fetch"  # in the session: the model whose weights are to be downloaded
_GLANCE = 0.2  # seconds between two updates of the progress
_failed = False  # whether the last download of this server failed


def ensure_weights(name: str) -> bool:
    """Return whether the weights are on this machine; if not, draw a button that downloads them for all sessions."""
    about = registry.listing(name)
    if about.cached:
        return True
    st.caption(escape_markdown(_described(about)))
    try:
        check_memory(name, torch.device("cpu"))
    except DeviceFull as error:
        st.error(escape_markdown(str(error)))
        return False
    place = st.empty()
    if st.session_state.get(_ASKED) != name:
        _forget()  # a request for the model that was chosen before
        place.button(
            f"Download {about.size / 1e6:,.0f} MB",
            type="primary",
            icon=":material/download:",
            key="fetch",
            on_click=ask,
            args=(name,),
        )
        return False
    with place.container():
        bar = st.progress(0.0, "Requesting the file …")
        # Any click ends this run at the next update of the bar, and the next run continues the download; after Stop it
        # does not.
        st.button("Stop", key="fetch_stop", on_click=_forget)
    try:
        _fetch(name, lambda progress: bar.progress(*_shown(progress, about)))
    except (DownloadFailed, WeightsRefused) as error:
        _note(failed=True)
        _forget()
        st.error(escape_markdown(str(error)))
        place.button("Try again", type="primary", key="fetch", on_click=ask, args=(name,))
        return False
    _note(failed=False)
    _forget()
    st.rerun()  # never returns
    return False


def ask(name: str) -> None:
    """Record what to download. For callbacks: they run before the page does, so no other click can come in between."""
    st.session_state[_ASKED] = name


def unreachable() -> bool:
    """Return whether the last download of this server failed, so that another one is not offered unasked."""
    return _failed


def _note(*, failed: bool) -> None:
    global _failed  # noqa: PLW0603 - of the server, not of a session
    _failed = failed


def _forget() -> None:
    st.session_state.pop(_ASKED, None)


def _fetch(name: str, show: Callable[[Progress], object]) -> None:
    """Download in another thread, so that the bar is updated, and a click noticed, also while no data arrives."""
    latest, ended = Progress(0, None, 0.0), Event()

    def report(progress: Progress) -> None:
        nonlocal latest
        latest = progress

    executor = ThreadPoolExecutor(1, thread_name_prefix="fetch")
    try:
        future = executor.submit(registry.fetch, name, report, ended.is_set)
        while not wait([future], timeout=_GLANCE).done:
            show(latest)
        future.result()
    finally:
        ended.set()
        executor.shutdown(wait=False)  # a stalled connection ends by its timeout


def _described(about: Listing) -> str:
    said = [
        f"Family {about.family}: {about.params / 1e6:,.1f} M parameters, {about.gates} gates ({', '.join(about.kinds)})"
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
