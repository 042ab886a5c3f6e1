"""Names of classes from a file: one a line, or JSON."""

import json
from pathlib import Path

from se_viz.weights.errors import WeightsRefused

_LARGEST = 4 * 10**6


def read_classes(source: Path | bytes) -> tuple[str, ...]:
    """Names of classes in the order of the logits.

    Args:
        source: a file or its content, UTF-8: a name on each line; or JSON, as a list of names, as an object from index
            to name (or to a list that ends in the name, as ImageNet's is often passed around), or from name to index.

    Raises:
        WeightsRefused: it is none of these.
    """
    try:
        content = source.read_bytes() if isinstance(source, Path) else source
        if len(content) > _LARGEST:
            raise WeightsRefused(f"A list of classes of {len(content) / 1e6:.0f} MB is none.")
        text = content.decode("utf-8-sig").strip()
        if text.startswith(("[", "{")):
            return _from_json(json.loads(text))
    except OSError as error:
        raise WeightsRefused(f"{source!s} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise WeightsRefused(f"The names of the classes are neither text in UTF-8 nor JSON: {error}.") from error
    names = tuple(line.strip() for line in text.splitlines())
    if not text or not all(names):
        raise WeightsRefused("The list of classes is empty, or has empty lines: one name a line, in the logits' order.")
    return names


def _from_json(found: object) -> tuple[str, ...]:
    if isinstance(found, dict):
        if all(isinstance(value, int) for value in found.values()):
            found = {str(index): name for name, index in found.items()}
        if found.keys() != {str(index) for index in range(len(found))}:
            raise WeightsRefused(f"The classes are not numbered from 0 to {len(found) - 1} without a gap.")
        found = [found[str(index)] for index in range(len(found))]
    names = [item[-1] if isinstance(item, list) and item else item for item in found] if isinstance(found, list) else []
    if not names or not all(isinstance(name, str) and name for name in names):
        raise WeightsRefused("The classes must be a list of names, or an object from index to name or name to index.")
    return tuple(map(str, names))
