"""Words of strangers on the page."""

import re


def plain(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is: a file's name must not become a link, an image or a formula."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", text)


def emphasised(sentence: str) -> str:
    """A sentence of a report: what stands between ``**`` in bold, all else as it is."""
    return "**".join(map(plain, sentence.split("**")))
