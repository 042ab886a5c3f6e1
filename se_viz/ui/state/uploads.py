"""Uploads that are kept while their uploader is not on the page."""

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.ui.markdown import escape_markdown
from se_viz.ui.server.uploads import HELD
from se_viz.ui.state.visitor import session_id


def upload(label: str, types: Sequence[str], *, key: str, megabytes: int, help: str) -> UploadedFile | None:  # noqa: A002 - as Streamlit calls it
    """Show an uploader of one file and return the file.

    Streamlit forgets a file as soon as its uploader is not drawn. Here the session keeps it until another file is
    uploaded or the user removes it.

    Args:
        label: label of the uploader.
        types: file extensions that it accepts.
        key: key of the uploader; the file is kept under a key made from it.
        megabytes: largest size of a file in MB.
        help: a sentence on the expected file.
    """
    kept = f"{key}_kept"

    def changed() -> None:
        st.session_state[kept] = st.session_state[key]

    new: UploadedFile | None = st.file_uploader(
        label, type=list(types), key=key, max_upload_size=megabytes, on_change=changed, help=help
    )
    if new is not None:
        st.session_state[kept] = new
        HELD.keep(session_id(), new)
        return new
    old: UploadedFile | None = st.session_state.get(kept)
    if old is not None:
        HELD.keep(session_id(), old)
        name, remove = st.columns([3, 1], vertical_alignment="center")
        name.caption(escape_markdown(f"{old.name}, {old.size / 1e6:,.1f} MB, uploaded earlier"))
        remove.button("Remove", key=f"{key}_remove", type="tertiary", on_click=st.session_state.pop, args=(kept, None))
    return old
