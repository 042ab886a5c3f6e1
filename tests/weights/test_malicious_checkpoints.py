"""Files made to do harm: to run code, or to take time and memory."""

import io
import pickle
import struct
import tarfile
import zipfile

import pytest
import torch
from safetensors.torch import save as save_safetensors
from support.checkpoints import pickled

from se_viz.weights.errors import WeightsRefused
from se_viz.weights.matching import check_fit
from se_viz.weights.safe_pickle import load_pickle
from se_viz.weights.state_dict import read_state

LIMIT = 1_000_000


class Calling:
    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "call",
    [
        Calling(bytearray, 10**15),
        Calling(torch._utils._rebuild_device_tensor_from_cpu_tensor, torch.zeros(1), torch.float32, "cpu", False),
    ],
)
def test_what_takes_memory_by_a_word_is_not_called(call, zipped):
    content = pickled({"a": call}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsRefused, match=r"requests a call of \S+(bytearray|cpu_tensor) .* nothing was run"):
        read_state(content, LIMIT)


def test_a_pickle_longer_than_any_checkpoints_is_not_followed():
    content = pickled({"a": torch.zeros(1), "b": [None] * 20_000})
    with pytest.raises(WeightsRefused, match="MB of instructions beside its tensors"):
        load_pickle(content, "long.pt", LIMIT, longest=10_000)


def test_an_archive_of_countless_entries_is_not_listed():
    with pytest.raises(WeightsRefused, match="more than 10 entries"):
        load_pickle(pickled({str(index): torch.zeros(1) for index in range(20)}), "many.pt", LIMIT, entries=10)


def test_names_do_not_grow_with_the_depth_of_a_file():
    deep = {"a": torch.zeros(1)}
    for _ in range(50):
        deep = {"x" * 100: deep}
    with pytest.raises(WeightsRefused, match="contains no named tensors"):
        read_state(pickled(deep), LIMIT)
    wide = {"k" * 400: {str(index).zfill(200): torch.zeros(1) for index in range(5)}, "a": torch.zeros(1)}
    assert read_state(pickled(wide), LIMIT).keys() == {"a"}


def test_names_that_a_terminal_would_obey_are_spelt_out():
    with pytest.raises(WeightsRefused) as caught:
        check_fit({"\x1b[2Jfc": torch.zeros(1)}, {}, "x.pth")
    assert str(caught.value) == "x.pth does not fit the network. 1 unexpected: '\\x1b[2Jfc'."


def header(text, numbers=b""):
    return struct.pack("<Q", len(text)) + text + numbers


def entry(name, begin, end, count):
    return b'"%s":{"dtype":"F32","shape":[%d],"data_offsets":[%d,%d]}' % (name, count, begin, end)


@pytest.mark.parametrize(
    "content",
    [
        header(b"{" + entry(b"a", 0, 8, 2) + b"," + entry(b"b", 4, 12, 2) + b"}", bytes(12)),
        header(b"{" + entry(b"a", 0, 8, 2**61) + b"}", bytes(8)),
        header(b"{" + entry(b"a", 4, 12, 2) + b"}", bytes(12)),
        header(b"{" + entry(b"a", 8, 0, 2) + b"}", bytes(8)),
        header(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', bytes(4)),
        header(b"{" + b" " * 100_000 + b"}"),
        struct.pack("<Q", 2**63) + b"{}",
    ],
)
def test_a_header_that_lies_is_refused(content):
    with pytest.raises(WeightsRefused, match=r"is a broken safetensors file|is neither|contains no named tensors"):
        read_state(content, LIMIT)


def zipped(*entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_other_archives_and_programs_say_what_they_are():
    with pytest.raises(WeightsRefused, match="an archive that torch did not save"):
        read_state(zipped(("photo.jpg", b"x")), LIMIT)
    out = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), out)
    with pytest.raises(WeightsRefused, match=r"is a program \(TorchScript\), which is not run: save state_dict\(\)"):
        read_state(out.getvalue(), LIMIT)
    onnx = b"\x08\x08\x12\x07pytorch\x1a\x052.4.0" + bytes(100)
    with pytest.raises(WeightsRefused, match=r"is an ONNX network"):
        read_state(onnx, LIMIT, "net.pth")


def test_the_format_of_2016_is_refused():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("sys_info"))
    with pytest.raises(WeightsRefused, match=r"torch's format of before 2017"):
        read_state(out.getvalue(), LIMIT)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_bare_pickle_is_refused(protocol):
    with pytest.raises(WeightsRefused):
        read_state(pickle.dumps({"a": Calling(print, "run")}, protocol), LIMIT)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("zipped", [True, False])
def test_any_damage_ends_in_a_sentence(zipped):
    """Each byte of what is not numbers, changed in turn: it is read, or refused; nothing else."""
    content = pickled({"state_dict": {"a.b": torch.ones(2)}}, _use_new_zipfile_serialization=zipped)
    for index in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[index] ^= 0x55
        try:
            read_state(bytes(damaged), LIMIT, trusted=index % 60 > 0)
        except WeightsRefused as error:
            assert "\n" not in str(error)  # noqa: PT017
    content = save_safetensors({"a": torch.ones(2)})
    for index in range(len(content)):
        damaged = bytearray(content)
        damaged[index] ^= 0x55
        try:
            read_state(bytes(damaged), LIMIT, trusted=index % 20 > 0)
        except WeightsRefused:
            continue
