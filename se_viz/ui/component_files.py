"""Files of the components of the page, which are in folders beside this module."""

from pathlib import Path

_HERE = Path(__file__).parent


def joined(folder: str, *files: str) -> str:
    """Return the text of files, one after the other: the browser gets the JavaScript of a component as one module."""
    return "\n".join((_HERE / folder / name).read_text(encoding="utf-8") for name in files)
