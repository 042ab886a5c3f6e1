"""Words of strangers on the page."""

import re


def plain(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is: a file's name must not become a link, a picture or a formula."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", text)
