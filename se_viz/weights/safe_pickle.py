"""Unpickling of untrusted files that torch saved, without running code in them.

``torch.load(weights_only=True)`` runs no code, but a file of a few bytes can make it allocate any amount of memory or
run for hours. No library guards against that, so the instructions of a file are checked here before torch reads it.
"""

import argparse
import io
import pickletools
import re
import zipfile
from pickle import UnpicklingError

import torch
from torch import _weights_only_unpickler

from se_viz.device.memory import is_out_of_memory
from se_viz.weights import file_formats as formats
from se_viz.weights.errors import WeightsRefused

# Maximum bytes of opcodes, without the numbers of tensors. Any network of timm with its optimiser needs less than 10%.
LONGEST = 10 * 10**6

# Maximum number of entries of a ZIP archive, one per tensor.
MOST_ENTRIES = 100_000

# torch allows these calls, although a file of a few bytes can make them allocate any amount of memory.
_MEMORY_BOMBS = frozenset({
    *("builtins.bytearray", "__builtin__.bytearray"),
    *("torch._utils._rebuild_device_tensor_from_cpu_tensor", "torch._utils._rebuild_device_tensor_from_numpy"),
})  # fmt: skip

# Magic number in the first pickle of the format before ZIP.
_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")

# A file of the format before ZIP consists of this many pickles, then the numbers of the tensors.
_PICKLES = 5

# The training scripts of timm and torchvision save their arguments beside the weights in this class without behaviour.
torch.serialization.add_safe_globals([argparse.Namespace])

# Messages of the readers for a file that ends too early.
_CUT_SHORT = re.compile(r"exhausted|truncated|ran out of input|unexpected (eof|end)|not enough|central directory", re.I)

# Messages of torch that are advice for its caller and do not describe the file.
_ADVICE = re.compile(r"weights_only|torch\.(load|serialization)|pytorch \d|https?:|please", re.I)

_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def load_pickle(
    content: bytes, name: str, largest: int, *, longest: int = LONGEST, entries: int = MOST_ENTRIES
) -> object:
    """Return what ``torch.load`` reads from a file; ``weights_only`` restricts its calls to those that make tensors.

    Args:
        content: the file.
        name: name of the file, for messages.
        largest: maximum number of bytes of the unpacked file.
        longest: maximum number of bytes of a pickle's instructions.
        entries: maximum number of entries of a ZIP archive.

    Raises:
        WeightsRefused: the file is broken, requests code, or would take more time or memory than weights need.
    """
    try:
        if content.startswith(b"PK"):
            _check_archive(content, name, largest, entries)
            pickles = io.BytesIO(torch._C.PyTorchFileReader(io.BytesIO(content)).get_record("data.pkl"))
            _check_calls(pickles, name, 1, longest)
        elif _MAGIC not in content[:40]:
            raise _bare(content, name)
        else:
            _check_calls(io.BytesIO(content), name, _PICKLES, longest)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except WeightsRefused:
        raise
    except UnpicklingError as error:
        called = _GLOBAL.search(str(error))
        if called is None:
            raise _unknown(name, len(content), error) from error
        raise _code(name, called[1]) from error
    # Errors that a broken or hostile pickle causes in the unpickler and in the readers of torch.
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, OSError, zipfile.BadZipFile,
            AssertionError, OverflowError, NotImplementedError) as error:  # fmt: skip
        if is_out_of_memory(error):
            raise  # The file is not broken.
        raise _broken(name, len(content), error) from error


def brief(error: Exception) -> str:
    """Return the message of an error of a library on one line, without its final full stop."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def encode_latin1_only() -> None:
    """Restrict ``torch.load`` of this process to the text encoding that ``torch.save`` uses.

    It is called in child processes only, because it changes the whole process. A chain of other codecs would double the
    memory in use at each step, and not every operating system can limit that.
    """

    def encode(text: str, encoding: str = "") -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise UnpicklingError("A codec that torch does not use.")
        return text.encode("latin1")

    _weights_only_unpickler._get_allowed_globals()["_codecs.encode"] = encode


def _unknown(name: str, size: int, error: UnpicklingError) -> WeightsRefused:
    """Return the error for a pickle that torch's reader refuses, without the advice of torch to its caller."""
    said = str(error).rpartition("WeightsUnpickler error:")[2]
    if _CUT_SHORT.search(said):
        return _broken(name, size, EOFError())
    return WeightsRefused(
        f"{name} is a pickle with instructions that torch.save does not write for tensors by default; reading was "
        f"stopped. Save model.state_dict() by torch.save, without another pickle_protocol than 2."
    )


def _broken(name: str, size: int, error: Exception) -> WeightsRefused:
    if isinstance(error, zipfile.BadZipFile | EOFError) or _CUT_SHORT.search(str(error)):
        return WeightsRefused(
            f"{name} is incomplete: it ends after {size:,} bytes, so its download, copy or saving was cut short. "
            f"Repeat it."
        )
    said = f": {brief(error).partition('. ')[0]}" if not _ADVICE.search(str(error)) else ""
    return WeightsRefused(f"{name} is broken, or not a checkpoint of torch{said}.")


def _bare(content: bytes, name: str) -> WeightsRefused:
    """Return the error for a pickle that torch did not write, by the calls that it requests."""
    words: list[str] = []
    called: dict[str, None] = {}
    for opcode, argument, place in pickletools.genops(content):
        if (place or 0) > LONGEST:
            break
        if opcode.name == "GLOBAL":
            called[str(argument).replace(" ", ".")] = None
        elif opcode.name == "STACK_GLOBAL":
            called[".".join(words[-2:])] = None
        elif isinstance(argument, str):
            words = [*words[-1:], argument]
    telling = next((one for one in called if formats.advice_on(one)), next(iter(called), ""))
    if telling:
        return _code(name, telling)
    return WeightsRefused(f"{name} is a pickle that torch did not save: save model.state_dict() by torch.save.")


def _check_archive(content: bytes, name: str, largest: int, most: int) -> None:
    """Raise WeightsRefused by the list of entries of a ZIP archive, before any is unpacked."""
    if content.count(b"PK\x01\x02") > most:
        raise WeightsRefused(f"{name} is an archive of more than {most:,} entries, more than any network needs.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    # torch stores tensors uncompressed, so an archive that grows when unpacked was not written by torch.
    if unpacked > largest:
        raise WeightsRefused(f"{name} would unpack to {unpacked / 1e6:,.0f} MB; the limit is {largest / 1e6:,.0f}.")
    other = formats.archived([entry.filename for entry in entries])
    if other:
        raise WeightsRefused(f"{name} {other}.")


def _check_calls(file: io.BytesIO, name: str, pickles: int, longest: int) -> None:
    """Raise WeightsRefused for harmful calls that ``weights_only`` allows, in the opcodes that torch will run."""
    for _ in range(pickles):
        begun = file.tell()
        for opcode, argument, place in pickletools.genops(file):
            if (place or 0) - begun > longest:
                raise WeightsRefused(f"{name} has more than {longest / 1e6:.0f} MB of instructions beside its tensors.")
            if opcode.name == "GLOBAL" and (called := str(argument).replace(" ", ".")) in _MEMORY_BOMBS:
                raise _code(name, called)


def _code(name: str, called: str) -> WeightsRefused:
    advice = formats.advice_on(called) or (
        'Save tensors only: model.state_dict(), or, if you trust it, torch.load(…, weights_only=False)["state_dict"] '
        "of a trainer's file"
    )
    return WeightsRefused(
        f"{name} requests a call of {called} when it is loaded. Weights need no code: nothing was run. {advice}."
    )
