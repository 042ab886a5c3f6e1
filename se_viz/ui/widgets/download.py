"""The button that saves a file."""

from collections.abc import Callable
from pathlib import PurePath

import streamlit as st

_TYPES = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet", ".json": "application/json"}


def download(label: str, content: bytes | Callable[[], bytes], name: str, key: str) -> None:
    """Draw a button that saves a file; a click does not run the page again.

    Args:
        label: the text of the button.
        content: the bytes of the file, or a function that is called at the click.
        name: name of the file, whose ending gives its type.
        key: key of the widget.
    """
    st.download_button(
        label,
        content,
        file_name=name,
        mime=_TYPES.get(PurePath(name).suffix, "application/octet-stream"),
        key=key,
        on_click="ignore",
        icon=":material/download:",
    )
