"""Descriptions of files that are not checkpoints, from their first bytes, with advice.

Each is a sentence without its subject, which is the name of the file.
"""

import json
import re
from collections.abc import Mapping, Sequence

_SAVE = "save model.state_dict() by torch.save, or as safetensors"
_UNPACK = "unpack it and take the checkpoint inside"
_OTHER = f"load it there, and {_SAVE}"

# First bytes → format and what to do.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", f"is compressed by gzip: {_UNPACK}"),
    (b"\xfd7zXZ\x00", f"is compressed by xz: {_UNPACK}"),
    (b"BZh", f"is compressed by bzip2: {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"is compressed by Zstandard: {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"is a 7-Zip archive: {_UNPACK}"),
    (b"Rar!\x1a\x07", f"is a RAR archive: {_UNPACK}"),
    (
        b"\x89HDF\r\n\x1a\n",
        f"is HDF5, the format of Keras and TensorFlow (.h5): its network is not one of torch; {_OTHER}",
    ),
    (b"GGUF", "is GGUF, a format of language models: take the checkpoint in safetensors"),
    (b"\x93NUMPY", f"is one array of NumPy: {_SAVE}"),
    (b"\x89PNG", "is an image (PNG): choose the checkpoint"),
    (b"\xff\xd8\xff", "is an image (JPEG): choose the checkpoint"),
    (b"GIF8", "is an image (GIF): choose the checkpoint"),
    (b"%PDF", "is a PDF document: choose the checkpoint"),
    (b"\x7fELF", "is a program: choose the checkpoint"),
    (b"MZ", "is a program of Windows: choose the checkpoint"),
    (b"bvx", f"is compressed by Apple: {_UNPACK}"),
)

# Pattern of a name in a ZIP archive → format. Archives of torch have a folder before each name.
_IN_ARCHIVE: tuple[tuple[str, str], ...] = (
    (r"(^|/)\.data/extern_modules$", f"is a package of torch.package; it contains code, which is not run: {_OTHER}"),
    (r"(^|/)constants\.pkl$", "is a program (TorchScript), which is not run: save state_dict() of it instead"),
    (
        r"(^|/)(archive_format|serialized_exported_program\.json|models/\w+\.json)$",
        "is an exported program (torch.export), which is not run: save state_dict of the network that it was made from",
    ),
    (r"\.npy$", f"is an archive of NumPy (.npz): {_OTHER}"),
    (r"(^|/)model\.weights\.h5$", f"is a network of Keras (.keras): it is not one of torch; {_OTHER}"),
    (r"(^|/)saved_model\.pb$", f"is a SavedModel of TensorFlow: it is not one of torch; {_OTHER}"),
    (r"(^|/)MAR-INF/", f"is a model archive of TorchServe: {_UNPACK}"),
    (r"\.(pth|pt|bin|ckpt|safetensors|tar)$", f"is a ZIP archive around a checkpoint: {_UNPACK}"),
)

# Start of the name of a module in a pickle → kind of file. The first match is used.
_CALLED: tuple[tuple[str, str], ...] = (
    ("sklearn.", f"It is a model of scikit-learn, not a network of torch: {_SAVE}"),
    ("torch.storage._load_from_bytes", f"It was saved by pickle.dump: {_SAVE}"),
    ("joblib.", f"It was saved by joblib: {_SAVE}"),
    ("xgboost.", f"It is a model of XGBoost, not a network of torch: {_SAVE}"),
    ("paddle.", f"It is a checkpoint of PaddlePaddle: convert it to torch, and {_SAVE}"),
    ("jax", f"It is a checkpoint of JAX: convert it to torch, and {_SAVE}"),
    ("flax.", f"It is a checkpoint of Flax: convert it to torch, and {_SAVE}"),
    ("tensorflow.", f"It is of TensorFlow: convert it to torch, and {_SAVE}"),
    ("fastai.", "It is an exported learner of fastai, which is code: save learn.model.state_dict() by torch.save"),
    ("torch.fx.", "It is a whole network with its code (torch.fx): save model.state_dict() instead of model"),
)
_NETWORKS = ("torch.nn.modules.", "timm.", "torchvision.models", "torch.nn.parallel", "transformers.")

_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]{1,400}")


def describe_format(content: bytes, name: str) -> str:
    """Describe a file that is neither safetensors nor a pickle of torch, as in "is empty: download it again".

    Args:
        content: the whole file.
        name: name of the file; its suffix tells formats without a signature.
    """
    if not content:
        return "is empty (0 bytes): download or save it again"
    if not content.strip(b"\0"):
        return f"contains only {len(content):,} zero bytes: its download was not finished; download it again"
    found = next((what for magic, what in _MAGIC if content.startswith(magic)), "")
    return found or _by_place(content, name) or _text(content) or _neither()


def _neither() -> str:
    return f"is neither a safetensors file nor a state dict saved by torch: {_SAVE}"


def _by_place(content: bytes, name: str) -> str:
    """Describe a file whose signature is not at its start, or a format without one."""
    if content[4:8] == b"TFL3":
        return f"is a network of TensorFlow Lite: it is not one of torch; {_OTHER}"
    if content[4:6] == b"ET" and content[6:8].isdigit():
        return f"is a program of ExecuTorch (.pte): {_SAVE} of the network that it was made from"
    if content[4:12] in (b"ftypheic", b"ftypavif") or (content[:4] == b"RIFF" and content[8:12] == b"WEBP"):
        return "is an image: choose the checkpoint"
    if content[257:262] == b"ustar":
        if content[:100].rstrip(b"\0") in (b"sys_info", b"pickle", b"storages", b"tensors"):
            return f"is in torch's format of before 2017 (tar): load it with a torch of that time, and {_SAVE}"
        return f"is a tar archive: {_UNPACK}"
    # Protobuf has no signature: ONNX begins with its version (1), then the name of the program that wrote it (2).
    if content[0] == 8 and content[1] < 32 and content[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x2a", b"\x3a"):
        if content[2:3] == b"\x12" and not content[4:5].isalpha():
            return f"is a network of TensorFlow (.pb): it is not one of torch; {_OTHER}"
        return f"is an ONNX network: its weights have lost their names; {_SAVE} of the network that it was made from"
    if name.lower().endswith((".onnx", ".pb", ".tflite", ".h5", ".keras", ".pdparams", ".mlmodel", ".engine")):
        return f"does not have the format that its name says, or is damaged; {_SAVE}"
    return ""


def _text(content: bytes) -> str:
    """Describe a text file; return "" for another file."""
    head = content[:400].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not _TEXT.fullmatch(head):
        return ""
    lower = head.lower()
    if head.startswith(b"version https://git-lfs"):
        size = re.search(rb"size (\d+)", head)
        real = f" of {int(size[1][:15]) / 1e6:,.1f} MB" if size else ""
        return f"is a Git LFS pointer, not the file{real} itself: run git lfs pull, or download the file by its link"
    if head.startswith((b"/annex/objects", b"../.git/annex", b".git/annex")):
        return "is a git-annex pointer, not the file itself: run git annex get"
    if lower.startswith((b"<!doctype html", b"<html", b"<head")) or b"<html" in lower:
        return "is a web page (HTML), not the file: its link leads to a page or to a login; use the download link"
    if lower.startswith(b"<"):
        said = re.search(rb"<(?:Code|Message|title)>([^<]{1,80})", content[:4000])
        quoted = f" ({_printable(said[1])})" if said else ""
        return f"is XML{quoted}, the error or the page of a server, not the file: download it again"
    if head.startswith((b"{", b"[")):
        return _json(content)
    first = _printable(head[:40].splitlines()[0])
    return f"is a text file (it begins with {first!r}): choose the checkpoint, or download it again"


def _json(content: bytes) -> str:
    try:
        found = json.loads(content) if len(content) < 10_000_000 else None
    except (ValueError, RecursionError):
        return "is incomplete JSON: choose the checkpoint, or download it again"
    if isinstance(found, Mapping):
        if isinstance(found.get("weight_map"), Mapping):
            files = {str(file) for file in found["weight_map"].values()}
            return (
                f"is the index of a checkpoint in {len(files)} files and contains no tensors: load those and save them "
                f"as one (safetensors.torch.load_file for each, then save_file)"
            )
        if found.keys() & {"architectures", "model_type", "architecture"}:
            return "is the configuration of a network, not its weights: take model.safetensors beside it"
        if found.keys() & {"error", "message", "detail", "errors"}:
            said = next(found[key] for key in ("error", "message", "detail", "errors") if key in found)
            return f"is the error of a server ({_printable(str(said).encode()[:80])}), not the file: download it again"
    return "is JSON, not a checkpoint: choose the file with the weights"


def _printable(text: bytes) -> str:
    shown = " ".join(text.decode("utf-8", "replace").split())
    return shown if shown.isprintable() else ascii(shown)


def archived(names: Sequence[str]) -> str:
    """Describe a ZIP archive that torch.save did not write; return "" for one that it wrote.

    Args:
        names: names of its entries.
    """
    for pattern, what in _IN_ARCHIVE:
        if any(re.search(pattern, name) for name in names):
            return what
    if not any(name.endswith("/data.pkl") for name in names):
        return f"is an archive that torch did not save: {_SAVE}"
    return ""


def advice_on(called: str) -> str:
    """Describe a pickle that requests a call, and say what to do; return "" if the call tells nothing.

    Args:
        called: the requested callable, for instance "torch.nn.modules.conv.Conv2d".
    """
    found = next((what for module, what in _CALLED if called.startswith(module)), "")
    if found:
        return found
    if called.startswith(("numpy.", "numpy._core.")):
        return f"It contains NumPy's numbers or arrays, as checkpoints of PaddlePaddle and metrics do: {_SAVE}"
    if called.startswith(_NETWORKS) or called.startswith("__main__."):
        return (
            "It is a whole network with its code: load it where it was made, and save model.state_dict() by torch.save"
        )
    return ""
