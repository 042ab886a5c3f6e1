"""Reading the tensors out of a checkpoint that anybody may have made, without running what may be in it."""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from se_viz.zoo.errors import WeightsRefused

LARGEST = 2 * 10**9

# Under which names trainers file the weights beside the optimiser's state and the like.
_WRAPPERS = ("state_dict", "model_state", "model_state_dict", "model", "net", "network", "weights")

_DEEPEST = 4

_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def read_state(source: Path | bytes, name: str = "", largest: int = LARGEST) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a pickle of torch, on the CPU, by their names.

    What a file is, its first bytes say; where its name says something else, it is refused.

    Args:
        source: the file, or its content.
        name: of the file, for messages and for what its ending says; the path's own if not given.
        largest: how many bytes it may have, unpacked too.

    Raises:
        WeightsRefused: it is too large, broken, not what its name says, wants code to be run, or holds no weights.
    """
    name = name or (source.name if isinstance(source, Path) else "The file")
    content = _content(source, name, largest)
    suffix = Path(name).suffix.lower()
    # A header's length in 8 bytes, then its JSON.
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") < len(content):
        kind = "safetensors"
    elif content.startswith((b"PK\x03\x04", b"\x80")):
        kind = "a pickle"
    else:
        raise WeightsRefused(f"{name} is neither a safetensors file nor a state dict saved by torch.")
    if suffix and (suffix == ".safetensors") != (kind == "safetensors"):
        raise WeightsRefused(f"{name} is {kind}, which its name denies: get it from where you trust it, or rename it.")
    found = _safetensors(content, name) if kind == "safetensors" else _pickle(content, name, largest)
    tensors = _unwrapped(found)
    if not tensors:
        raise WeightsRefused(
            f"{name} holds no state dict (names with tensors): save model.state_dict(), alone or as one of "
            f"{', '.join(_WRAPPERS)}."
        )
    return tensors


def _content(source: Path | bytes, name: str, largest: int) -> bytes:
    try:
        if isinstance(source, Path) and source.exists() and not source.is_file():
            raise WeightsRefused(f"{name} cannot be read: it is no file.")
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > largest:
            raise WeightsRefused(f"{name} has {size / 1e6:.0f} MB; {largest / 1e6:.0f} MB is the limit.")
        return source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise WeightsRefused(f"{name} cannot be read: {error.strerror}.") from error


def _safetensors(content: bytes, name: str) -> object:
    try:
        return load_safetensors(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsRefused(f"{name} is a broken safetensors file: {_brief(error)}.") from error


def _pickle(content: bytes, name: str, largest: int) -> object:
    try:
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
            # torch stores its tensors as they are, so what grows on unpacking is not its own.
            if unpacked > largest:
                raise WeightsRefused(
                    f"{name} would unpack to {unpacked / 1e6:.0f} MB; the limit is {largest / 1e6:.0f}."
                )
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        called = _GLOBAL.search(str(error))
        if called is None:
            raise WeightsRefused(f"{name} is a broken or unusual pickle: {_brief(error)}.") from error
        raise WeightsRefused(
            f"{name} asks for {called[1]} to be called when it is loaded, and weights need no code: nothing was run. "
            f"Save model.state_dict() with tensors only, best as safetensors."
        ) from error
    # What a broken or hostile pickle makes of the unpickler's stack and of torch's readers.
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, OSError, zipfile.BadZipFile,
            AssertionError, OverflowError, RecursionError, MemoryError) as error:  # fmt: skip
        if isinstance(error, WeightsRefused):
            raise
        raise WeightsRefused(f"{name} is broken, or no checkpoint of torch: {_brief(error)}.") from error


def _unwrapped(found: object) -> dict[str, Tensor]:
    # Counted, as a file may say that it contains itself.
    for _ in range(_DEEPEST):
        if not isinstance(found, Mapping):
            return {}
        inner = next((found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            return {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, Tensor)}
        found = inner
    return {}


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
