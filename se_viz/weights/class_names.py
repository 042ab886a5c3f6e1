"""Names of classes from a file: one per line, or JSON."""

import json
from pathlib import Path

from se_viz.weights.errors import WeightsRefused

_LARGEST = 4 * 10**6


def read_classes(source: Path | bytes) -> tuple[str, ...]:
    """Return names of classes in the order of the logits.

    Args:
        source: a file or its content, UTF-8: a name on each line; or JSON, as a list of names, as an object from index
            to name (or to a list that ends in the name, a common form of ImageNet's), or from name to index.

    Raises:
        WeightsRefused: the content has another form, or is larger than 4 MB.
    """
    try:
        content = source.read_bytes() if isinstance(source, Path) else source
        if len(content) > _LARGEST:
            raise WeightsRefused(
                f"The class list is {len(content) / 1e6:.0f} MB; the limit is {_LARGEST / 1e6:.0f} MB."
            )
        text = content.decode("utf-8-sig").strip()
        if text.startswith(("[", "{")):
            return _from_json(json.loads(text))
    except OSError as error:
        raise WeightsRefused(f"{source!s} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise WeightsRefused(f"The class list is neither UTF-8 text nor JSON: {error}.") from error
    names = tuple(line.strip() for line in text.splitlines())
    if not text or not all(names):
        raise WeightsRefused(
            "The class list is empty or has empty lines: write one name per line, in the order of the logits."
        )
    return names


def _from_json(content: object) -> tuple[str, ...]:
    if isinstance(content, dict):
        if all(isinstance(value, int) for value in content.values()):
            content = {str(index): name for name, index in content.items()}
        if content.keys() != {str(index) for index in range(len(content))}:
            raise WeightsRefused(f"The classes are not numbered from 0 to {len(content) - 1} without a gap.")
        content = [content[str(index)] for index in range(len(content))]
    names = (
        [item[-1] if isinstance(item, list) and item else item for item in content] if isinstance(content, list) else []
    )
    if not names or not all(isinstance(name, str) and name for name in names):
        raise WeightsRefused("The classes must be a list of names, or an object from index to name or name to index.")
    return tuple(map(str, names))
