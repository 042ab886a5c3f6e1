"""Unpickling what torch saved, from anybody, without running what may be in it."""

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

# Bytes of opcodes, without the tensors' numbers: those of any network of timm, with an optimiser's, are under a tenth.
_LONGEST = 10 * 10**6

# Entries of a ZIP archive, one a tensor.
_MOST = 100_000

# torch calls these itself though they take up as much memory as a file of a few bytes says.
_MEMORY_BOMBS = frozenset({
    *("builtins.bytearray", "__builtin__.bytearray"),
    *("torch._utils._rebuild_device_tensor_from_cpu_tensor", "torch._utils._rebuild_device_tensor_from_numpy"),
})  # fmt: skip

# In the first pickle of the format before ZIP.
_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")

# A file of the format before ZIP is this many pickles, then the tensors' numbers.
_PICKLES = 5

# timm's and torchvision's training scripts put their arguments beside the weights: a class that does nothing but hold.
torch.serialization.add_safe_globals([argparse.Namespace])

# What the readers say of a file that ends too early.
_CUT_SHORT = re.compile(r"exhausted|truncated|ran out of input|unexpected (eof|end)|not enough|central directory", re.I)

# What torch says to who calls it, and not of a file.
_ADVICE = re.compile(r"weights_only|torch\.(load|serialization)|pytorch \d|https?:|please", re.I)

_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def load_pickle(content: bytes, name: str, largest: int) -> object:
    """What ``torch.load`` makes of a file; ``weights_only`` lets it call nothing but what makes tensors.

    Args:
        content: the file.
        name: of the file, for messages.
        largest: how many bytes it may unpack to.

    Raises:
        WeightsRefused: it is broken, wants code to be run, or would take more time or memory than weights do.
    """
    try:
        if content.startswith(b"PK"):
            _check_archive(content, name, largest)
            pickles = io.BytesIO(torch._C.PyTorchFileReader(io.BytesIO(content)).get_record("data.pkl"))
            _check_calls(pickles, name, 1)
        elif _MAGIC not in content[:40]:
            raise _bare(content, name)
        else:
            _check_calls(io.BytesIO(content), name, _PICKLES)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except WeightsRefused:
        raise
    except UnpicklingError as error:
        called = _GLOBAL.search(str(error))
        if called is None:
            raise _unknown(name, len(content), error) from error
        raise _code(name, called[1]) from error
    # What a broken or hostile pickle makes of the unpickler's stack and of torch's readers.
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, OSError, zipfile.BadZipFile,
            AssertionError, OverflowError, NotImplementedError) as error:  # fmt: skip
        if is_out_of_memory(error):
            raise  # It is not the file that is broken.
        raise _broken(name, len(content), error) from error


def brief(error: Exception) -> str:
    """The message of an error of a library on one line, without its last full stop."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def encode_latin1_only() -> None:
    """Let ``torch.load`` of this process encode texts as ``torch.save`` has it, and not so that they grow.

    Called in child processes, as it is a change for all of the process: a chain of other codecs doubles the memory in
    use with each link, and not every system bounds that.
    """

    def encode(text: str, encoding: str = "") -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise UnpicklingError("A codec that torch does not use.")
        return text.encode("latin1")

    _weights_only_unpickler._get_allowed_globals()["_codecs.encode"] = encode


def _unknown(name: str, size: int, error: UnpicklingError) -> WeightsRefused:
    """Return the error for a pickle that torch's reader does not follow, without the advice that torch gives."""
    said = str(error).rpartition("WeightsUnpickler error:")[2]
    if _CUT_SHORT.search(said):
        return _broken(name, size, EOFError())
    return WeightsRefused(
        f"{name} is a pickle with instructions that torch does not write for tensors, and was read no further: save "
        f"model.state_dict() by torch.save."
    )


def _broken(name: str, size: int, error: Exception) -> WeightsRefused:
    if isinstance(error, zipfile.BadZipFile | EOFError) or _CUT_SHORT.search(str(error)):
        return WeightsRefused(
            f"{name} is broken: it breaks off after {size:,} bytes, so that downloading, copying or saving it was cut "
            f"short. Do it again."
        )
    said = f": {brief(error).partition('. ')[0]}" if not _ADVICE.search(str(error)) else ""
    return WeightsRefused(f"{name} is broken, or no checkpoint of torch{said}.")


def _bare(content: bytes, name: str) -> WeightsRefused:
    """Return the error for a pickle that torch did not write, by what it asks for."""
    words: list[str] = []
    called: dict[str, None] = {}
    for opcode, argument, place in pickletools.genops(content):
        if (place or 0) > _LONGEST:
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


def _check_archive(content: bytes, name: str, largest: int) -> None:
    """Look at the list of a ZIP archive before anything is unpacked."""
    if content.count(b"PK\x01\x02") > _MOST:
        raise WeightsRefused(f"{name} is an archive of more than {_MOST:,} entries, which no network has.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    # torch stores its tensors as they are, so what grows on unpacking is not its own.
    if unpacked > largest:
        raise WeightsRefused(f"{name} would unpack to {unpacked / 1e6:,.0f} MB; the limit is {largest / 1e6:,.0f}.")
    other = formats.archived([entry.filename for entry in entries])
    if other:
        raise WeightsRefused(f"{name} {other}.")


def _check_calls(file: io.BytesIO, name: str, pickles: int) -> None:
    """Look for what ``weights_only`` would call though it should not, in the opcodes that torch will follow."""
    for _ in range(pickles):
        begun = file.tell()
        for opcode, argument, place in pickletools.genops(file):
            if (place or 0) - begun > _LONGEST:
                raise WeightsRefused(
                    f"{name} has more than {_LONGEST / 1e6:.0f} MB of instructions beside its tensors."
                )
            if opcode.name == "GLOBAL" and (called := str(argument).replace(" ", ".")) in _MEMORY_BOMBS:
                raise _code(name, called)


def _code(name: str, called: str) -> WeightsRefused:
    advice = formats.advice_on(called) or (
        'Save tensors only: model.state_dict(), or, if you trust it, torch.load(…, weights_only=False)["state_dict"] '
        "of a trainer's file"
    )
    return WeightsRefused(
        f"{name} asks for {called} to be called when it is loaded, and weights need no code: nothing was run. {advice}."
    )
