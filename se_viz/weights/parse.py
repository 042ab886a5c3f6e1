"""Parsing the tensors of an untrusted file; this runs in a child process, see ``state_dict``."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from se_viz.sandbox import messages
from se_viz.weights import file_formats as formats
from se_viz.weights.errors import WeightsRefused
from se_viz.weights.safe_pickle import brief, encode_latin1_only, load_pickle
from se_viz.weights.transfer import packed

# Maximum depth of nested dicts, and characters of the name of a tensor. No checkpoint has more.
_DEEPEST = 6
_LONGEST = 500

# Maximum number of tensors and of characters of all their names, because work on names takes time in the server. The
# largest number in timm is 3,108.
_MOST = 20_000
_MOST_CHARACTERS = 2_000_000

# Maximum bytes of a safetensors header: the limit of the library.
_LONGEST_HEADER = 100_000_000

# Maximum bytes of a header that is read for the expected length of an incomplete file.
_LONGEST_READ = 10_000_000


def parsed_and_packed(content: bytearray, name: str, largest: int) -> messages.Value:
    """Return the result of ``parsed`` in the format of ``transfer``; called in a child process."""
    encode_latin1_only()
    return packed(parsed(bytes(content), name, largest), name, largest)


def parsed(content: bytes, name: str, largest: int) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file or of a pickle of torch, see ``state_dict.read_state``.

    Args:
        content: the whole file.
        name: name of the file, for messages; its suffix must match the format.
        largest: maximum number of bytes of the unpacked file.

    Raises:
        WeightsRefused: the file is broken, has another format than its name, requests code, or contains no weights.
    """
    suffix = Path(name).suffix.lower()
    # The length of the header in 8 bytes, then its JSON.
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") < _LONGEST_HEADER:
        kind = "a safetensors file"
    elif content.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x80")):
        kind = "a pickle"
    else:
        raise WeightsRefused(f"{name} {formats.describe_format(content, name)}.")
    if suffix and (suffix == ".safetensors") != (kind == "a safetensors file"):
        other = ".pth" if suffix == ".safetensors" else ".safetensors"
        raise WeightsRefused(
            f"{name} ends in {suffix} but is {kind}. Rename it to end in {other} if you trust where it comes from."
        )
    found = _safetensors(content, name) if kind == "a safetensors file" else load_pickle(content, name, largest)
    tensors = _flat(found)
    if len(tensors) > _MOST:
        raise _too_many(name)
    if sum(map(len, tensors)) > _MOST_CHARACTERS:
        raise WeightsRefused(
            f"{name} has more than {_MOST_CHARACTERS / 1e6:.0f} MB of names of tensors, more than any network."
        )
    if not tensors:
        raise WeightsRefused(f"{name} contains no named tensors{_instead(found)}: save model.state_dict().")
    return tensors


def _instead(found: object) -> str:
    """Describe the content of a file without named tensors, as the rest of a sentence."""
    if isinstance(found, Tensor):
        return ", but one tensor"
    if isinstance(found, list | tuple):
        return f", but a list of {len(found)} entries"
    if not isinstance(found, Mapping):
        return ""
    inner = [found, *(value for value in found.values() if isinstance(value, Mapping))]
    if any({"param_groups", "state"} <= holder.keys() for holder in inner):
        return ", only the state of an optimiser"
    keys = [key if key.isprintable() else ascii(key) for key in found if isinstance(key, str) and len(key) < 40]
    return f", only {', '.join(keys[:5])}" if keys else ""


def _too_many(name: str) -> WeightsRefused:
    return WeightsRefused(f"{name} contains more than {_MOST:,} tensors, more than any network.")


def _safetensors(content: bytes, name: str) -> object:
    if content.count(b'"data_offsets"', 8, 8 + int.from_bytes(content[:8], "little")) > _MOST:
        raise _too_many(name)  # Checked before memory is allocated for each.
    try:
        return load_safetensors(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        stated = _stated_size(content)
        if stated > len(content):
            raise WeightsRefused(
                f"{name} is a broken safetensors file: it has {len(content):,} of {stated:,} bytes, so "
                f"its download, copy or saving was cut short. Repeat it."
            ) from error
        raise WeightsRefused(f"{name} is a broken safetensors file: {brief(error)}.") from error


def _stated_size(content: bytes) -> int:
    """Return the expected bytes of a safetensors file by its header; 0 if the header cannot be read."""
    start = 8 + int.from_bytes(content[:8], "little")
    if start > len(content) or start > _LONGEST_READ:
        return start if start > len(content) else 0
    try:
        header = json.loads(content[8:start])
        return start + max(int(entry["data_offsets"][1]) for key, entry in header.items() if key != "__metadata__")
    except (ValueError, KeyError, TypeError, LookupError, AttributeError, RecursionError):
        return 0


def _flat(content: object) -> dict[str, Tensor]:
    """Return the tensors of nested dicts; each dict once, because a dict in a file may contain itself."""
    tensors: dict[str, Tensor] = {}
    level: list[tuple[str, object]] = [("", content)]
    seen: set[int] = set()
    for _ in range(_DEEPEST):
        inner: list[tuple[str, object]] = []
        for prefix, holder in level:
            if not isinstance(holder, Mapping) or id(holder) in seen:
                continue
            seen.add(id(holder))
            for key, value in holder.items():
                if not isinstance(key, str) or len(prefix) + len(key) > _LONGEST:
                    continue
                if isinstance(value, Tensor):
                    tensors[prefix + key] = value
                else:
                    inner.append((f"{prefix}{key}.", value))
        level = inner
    return tensors
