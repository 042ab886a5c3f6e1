"""Reading of ablations from files that are not trusted."""

import base64
import json
from math import isfinite
from pathlib import Path

from pydantic import ValidationError

from se_viz.interventions.ablation import FILE, JSON, VERSION, Ablation, AblationRefused
from se_viz.model.model import Model

_LARGEST = 256_000_000  # bytes of a file that is read
_NEAR = 1e-9  # of rounding, by which a share may be outside 0 … 1
_NOT_ONE = (
    "{name} contains no ablation that this version reads, or is damaged ({where}): copy it again, or make it again "
    "with `se-viz ablate`."
)


def open_ablation(path: str | Path, model: Model | None = None) -> Ablation:
    """Open an ablation that ``ablate`` wrote.

    Args:
        path: the folder, or the file.
        model: the network that it must belong to; any if not given.

    Raises:
        AblationRefused: there is no such file, or it is damaged, of another kind, or of a newer version.
        ProfilesMismatch: it is of another network.
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST)  # one that is cut off is no JSON
    except FileNotFoundError:
        raise AblationRefused(f"There is no ablation at {file}: make one with `se-viz ablate`.") from None
    except OSError as error:
        raise AblationRefused(f"{file} cannot be read ({error.strerror}): check the path and its disk.") from error
    return read_ablation(content, str(file), model)


def read_ablation(content: bytes, name: str, model: Model | None = None) -> Ablation:
    """Return the ablation in the content of a file.

    Args:
        content: JSON, not trusted.
        name: name of the file, for messages.
        model: the network that it must belong to; any if not given.

    Raises:
        AblationRefused: it is damaged, of another kind, or of a newer version.
        ProfilesMismatch: it is of another network.
    """
    try:
        found = json.loads(content)
        _check_finite(found)
        newer = found.get("version") if isinstance(found, dict) else None
        if isinstance(newer, int) and newer > VERSION:
            raise AblationRefused(
                f"{name} was written by a newer SE Viz (format {newer}, this one reads up to {VERSION}): update SE "
                "Viz, or make the ablation again."
            )
        ablation = JSON.validate_python(found)
        _check_lengths(ablation)
        _check_rows(ablation)
    except ValidationError as error:
        where = f"at {'.'.join(map(str, error.errors(include_input=False)[0]['loc'][:3])) or 'the whole file'}"
        raise AblationRefused(_NOT_ONE.format(name=name, where=where)) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, AblationRefused):
            raise
        raise AblationRefused(_NOT_ONE.format(name=name, where=error)) from error
    if model is not None:
        ablation.check(model)
    return ablation


def _check_finite(value: object) -> None:
    """Check that all numbers are finite: JSON allows 1e999, which is infinite.

    Raises:
        ValueError: a number is not finite.
    """
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_finite(part)
    elif isinstance(value, float) and not isfinite(value):
        raise ValueError("it has an infinite number.")


def _check_lengths(ablation: Ablation) -> None:
    """Check that lists that belong together have the same length.

    Raises:
        ValueError: two lengths differ.
    """
    kinds = len(ablation.classes)
    lengths = [len(ablation.counts), len(ablation.as_it_is.correct), *(len(row.by_class) for row in ablation.rows)]
    if any(length != kinds for length in lengths):
        raise ValueError(f"it does not have numbers of all {kinds} classes.")
    images, plain = ablation.images, ablation.as_it_is
    pairs = [(plain.right, plain.accuracy), *((row.right, row.accuracy) for row in ablation.rows)]
    for bits, accuracy in pairs:
        if len(base64.b64decode(bits, validate=True)) != (images + 7) // 8 or accuracy.of != images:
            raise ValueError(f"it does not have a bit for each of {images:,} images.")


def _check_rows(ablation: Ablation) -> None:
    """Check that edits name gates of the ablation, and that shares are between 0 and 1.

    Raises:
        ValueError: a gate is unknown, or a share is outside 0–1.
    """
    gates = {gate.name for gate in ablation.gates}
    for row in ablation.rows:
        if not set(row.gates) <= gates or (row.scope == "gate" and row.where not in gates):
            raise ValueError(f"the edit {row.name[:80]!r} is of a gate that the network does not have.")
        shares = (row.accuracy.low, row.accuracy.top1, row.accuracy.high, row.p)
        changes = (row.change.low, row.change.value, row.change.high)
        if not all(-_NEAR <= share <= 1 + _NEAR for share in (*shares, *map(abs, changes))):
            raise ValueError(f"the edit {row.name[:80]!r} has an accuracy, a change or a p that is not a share.")
