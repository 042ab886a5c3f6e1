"""Files that are no checkpoints are called what they are, with what to do."""

import gzip
import io
import json
import lzma
import pickle
import re
import tarfile
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save as save_safetensors
from support.checkpoints import pickled
from torch import nn

from se_viz.weights.errors import WeightsRefused
from se_viz.weights.state_dict import read_state

LIMIT = 10_000_000


def zipped(**entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_DOT_", ".").replace("__", "/"), content)
    return out.getvalue()


def tarred(name):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return out.getvalue()


def numpy_archive():
    out = io.BytesIO()
    np.savez(out, a=np.zeros(3))
    return out.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\nsize 102537736\n"
WEIGHTS = {"a": torch.zeros(999)}

FILES = {
    "a pointer": ("x.pth", POINTER, r"is a Git LFS pointer, not the file of 102\.5 MB itself: run git lfs pull"),
    "a pointer called safetensors": ("x.safetensors", POINTER, "is a Git LFS pointer"),
    "an annex pointer": ("x.pt", b"/annex/objects/SHA256E-s12--ab.pth\n", "git-annex pointer.*git annex get"),
    "a page": ("x.pth", b"<!DOCTYPE html>\n<html lang=en><title>Sign in</title>", r"is a web page \(HTML\).*link"),
    "a page with a mark": ("x.pth", b"\xef\xbb\xbf\n  <HTML><body>404</body>", "is a web page"),
    "a page with a declaration": ("x.pth", b'<?xml version="1.0"?>\n<html xmlns="a">', "is a web page"),
    "an error in XML": (
        "x.safetensors",
        b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>',
        r"is XML \(AccessDenied\), the error or the page of a server",
    ),
    "an error in JSON": ("x.pth", b'{"error": "Repository not found"}', r"error of a server \(Repository not found\)"),
    "another error": ("x.pth", b'{"message":"Not Found","status":"404"}', r"the error of a server \(Not Found\)"),
    "a configuration": ("x.pth", b'{"architectures": ["ResNet"], "model_type": "resnet"}', "is the configuration of a"),
    "half a JSON": ("x.pth", b'{"a": [1, 2', "is incomplete JSON"),
    "an index": (
        "model.safetensors.index.json",
        json.dumps({"metadata": {}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}).encode(),
        "is the index of a checkpoint in 2 files and contains no tensors: load those and save them as one",
    ),
    "a text": ("x.pth", b"Quota exceeded\nfor this file", r"is a text file \(it begins with 'Quota exceeded'\)"),
    "nothing": ("x.pth", b"", r"is empty \(0 bytes\): download or save it again"),
    "nothing, safetensors": ("x.safetensors", b"", "is empty"),
    "zeros": ("x.pth", bytes(5000), "contains only 5,000 zero bytes"),
    "half a ZIP": ("x.pth", pickled(WEIGHTS)[:-30], "it ends after .* cut short. Repeat it"),
    "the start of a ZIP": ("x.pth", pickled(WEIGHTS)[:100], "it ends after 100 bytes"),
    "half of the old format": (
        "x.pth",
        pickled(WEIGHTS, _use_new_zipfile_serialization=False)[:-2000],
        "it ends after",
    ),
    "half of safetensors": ("x.safetensors", save_safetensors(WEIGHTS)[:-1000], r"it has 3,\d+ of 4,\d+ bytes.*Repeat"),
    "half of a header": ("x.safetensors", save_safetensors(WEIGHTS)[:20], "it has 20 of .* bytes"),
    "gzip": ("x.pth", gzip.compress(b"a"), "is compressed by gzip: unpack it"),
    "xz": ("x.pth", lzma.compress(b"a"), "is compressed by xz: unpack it"),
    "7z": ("x.pt", b"7z\xbc\xaf\x27\x1c\0\4" + bytes(30), "is a 7-Zip archive: unpack it"),
    "tar": ("x.tar", tarred("a/model.pth"), "is a tar archive: unpack it"),
    "the format of 2016": ("x.pth", tarred("sys_info"), "torch's format of before 2017"),
    "a ZIP around it": ("x.pth", zipped(a__model_DOT_pth=b"x"), "a ZIP archive around a checkpoint: unpack it"),
    "an empty ZIP": ("x.pth", zipped(), "is an archive that torch did not save"),
    "HDF5": ("x.bin", b"\x89HDF\r\n\x1a\n" + bytes(99), "is HDF5, the format of Keras and TensorFlow"),
    "Keras": ("x.pt", zipped(config_DOT_json=b"{}", model_DOT_weights_DOT_h5=b""), r"network of Keras \(\.keras\)"),
    "TFLite": ("x.bin", b"\x1c\0\0\0TFL3" + bytes(99), "is a network of TensorFlow Lite"),
    "TensorFlow": ("x.pb", b"\x08\x01\x12\x8a\x05\x0a\x90" + bytes(99), r"is a network of TensorFlow \(\.pb\)"),
    "ONNX": ("x.bin", b"\x08\x08\x12\x07pytorch\x1a\x052.4.0" + bytes(99), "is an ONNX network"),
    "GGUF": ("x.bin", b"GGUF\3\0\0\0" + bytes(99), "is GGUF, a format of language models"),
    "npz": ("x.pt", numpy_archive(), r"is an archive of NumPy \(\.npz\)"),
    "npy": ("x.pt", b"\x93NUMPY\1\0v\0{'descr': '<f4'}" + bytes(99), "is one array of NumPy"),
    "a package": ("x.pt", zipped(x___DOT_data__extern_modules=b""), "is a package of torch.package"),
    "an exported program": ("x.pt2", zipped(x__archive_format=b"pt2", x__models__m_DOT_json=b""), r"\(torch\.export\)"),
    "an image": ("x.pth", b"\x89PNG\r\n\x1a\n" + bytes(99), r"is an image \(PNG\): choose the checkpoint"),
    "anything": ("x.pth", b"\x01\x02\x03\x04", "is neither a safetensors file nor a state dict saved by torch"),
    "an optimiser": (
        "x.pth",
        pickled({"optimizer": torch.optim.SGD([nn.Parameter(torch.ones(1))], 0.1, momentum=0.9).state_dict()}),
        "contains no named tensors, only the state of an optimiser",
    ),
    "no tensors": ("x.pth", pickled({"epoch": 3, "lr": 0.1}), "contains no named tensors, only epoch, lr"),
    "a tensor": ("x.pth", pickled(torch.zeros(3)), "contains no named tensors, but one tensor"),
    "a list": ("x.pth", pickled([torch.zeros(3)] * 2), "contains no named tensors, but a list of 2 entries"),
    "a pickle called safetensors": (
        "x.safetensors",
        pickled(WEIGHTS),
        r"ends in \.safetensors but is a pickle\.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_a_file_is_called_what_it_is(what):
    name, content, said = FILES[what]
    with pytest.raises(WeightsRefused, match=f"^{re.escape(name)} .*{said}") as caught:
        read_state(content, LIMIT, name)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def asking(module, name, wrap=True):
    """A file that asks for a function of a module that is not here: its opcodes, by hand."""
    body = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b")R."
    if not wrap:
        return body
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pickled(WEIGHTS))) as read, zipfile.ZipFile(whole, "w") as written:
        for entry in read.namelist():
            written.writestr(entry, body if entry.endswith("data.pkl") else read.read(entry))
    return whole.getvalue()


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        ("sklearn.linear_model", "LogisticRegression", "It is a model of scikit-learn"),
        ("joblib.numpy_pickle", "NumpyArrayWrapper", "It was saved by joblib"),
        ("paddle.base", "EagerParamBase", "It is a checkpoint of PaddlePaddle"),
        ("fastai.learner", "Learner", "It is an exported learner of fastai"),
        ("timm.models.resnet", "ResNet", r"It is a whole network with its code: .* model\.state_dict\(\)"),
        ("torch.nn.modules.conv", "Conv2d", "It is a whole network with its code"),
        ("__main__", "Net", "It is a whole network with its code"),
        ("somebody.elses", "thing", "Save tensors only"),
    ],
)
@pytest.mark.parametrize("wrap", [True, False])
def test_a_pickle_that_asks_for_code_is_called_what_it_is(module, name, said, wrap):
    with pytest.raises(WeightsRefused, match=rf"requests a call of {module}\.{name} .* nothing was run\. {said}"):
        read_state(asking(module, name, wrap), LIMIT, "x.pth")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_without_torch_is_called_what_it_is():
    arrays = pickle.dumps(OrderedDict(a=np.zeros(3, np.float32)), protocol=2)
    with pytest.raises(WeightsRefused, match="It contains NumPy's numbers or arrays, as checkpoints of Paddle"):
        read_state(arrays, LIMIT, "x.pth")
    with pytest.raises(
        WeightsRefused, match=r"It was saved by pickle\.dump: save model\.state_dict\(\) by torch\.save"
    ):
        read_state(pickle.dumps(WEIGHTS, protocol=2), LIMIT, "x.pth")


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_a_pointer_or_page_may_break_off_anywhere(length):
    for content in (
        POINTER,
        b'{"error": {"message": "no such file", "code": 404}}',
        b"<!DOCTYPE html><html>" + bytes(60),
    ):
        with pytest.raises(WeightsRefused) as caught:
            read_state(content[:length], LIMIT, "x.pth")
        assert str(caught.value).endswith(".")
