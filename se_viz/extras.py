"""Error message for an optional dependency that is not installed."""

from typing import Literal

Extra = Literal["app", "attribution", "export", "ray"]


def missing(what: str, error: ImportError, extra: Extra) -> str:
    """Return a sentence that says which module is missing, and the command that installs the extra it belongs to.

    Args:
        what: the feature that needs the module, as the subject of the sentence.
        error: the failed import.
        extra: a key of ``[project.optional-dependencies]`` in pyproject.toml.
    """
    return f"{what} needs {error.name}, which is not installed: `pip install 'se-viz[{extra}]'`."
