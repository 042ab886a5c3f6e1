"""Untrusted text in Streamlit's Markdown."""

import re


def escape_markdown(text: str) -> str:
    """Escape text so that Markdown shows it literally: a file name must not become a link, an image or a formula."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", text)


def emphasised(sentence: str) -> str:
    """Return a sentence of a report as Markdown: text between ``**`` is bold, all other text is literal."""
    return "**".join(map(escape_markdown, sentence.split("**")))
