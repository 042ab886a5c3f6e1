"""Files that take memory and time without end where nothing bounds the work itself."""

import io
import os
import pickle
import re
import struct
import sys
import threading
import zipfile

import pytest
import torch
from safetensors.torch import save as save_safetensors
from support.quick import exhaustive

from se_viz.sandbox import Ended, Limits
from se_viz.weights import state_dict as state
from se_viz.weights.errors import Cancelled, WeightsRefused
from se_viz.weights.state_dict import read_state
from se_viz.weights.transfer import packed, unpacked

LIMIT = 400_000_000

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not bound memory")


def archive(instructions, compression=zipfile.ZIP_STORED, **records):
    """A file as torch.save makes it, whose pickle is given."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as written:
        written.writestr("x/data.pkl", instructions)
        written.writestr("x/byteorder", b"little")
        for name, content in records.items():
            written.writestr(f"x/data/{name}", content)
        written.writestr("x/version", b"3\n")
    return out.getvalue()


def old(instructions):
    """The same in the format before ZIP: three pickles, the one that is given, and a list of storages."""
    return b"".join([
        pickle.dumps(0x1950A86A20F9469CFC6C, 2),
        pickle.dumps(1001, 2),
        pickle.dumps({"little_endian": True, "protocol_version": 1001, "type_sizes": {}}, 2),
        instructions,
        pickle.dumps([], 2),
    ])  # fmt: skip


def wide(times=60):
    """t = (t, t), a number of times: its hash takes 2 to that power steps."""
    return b")" + b"".join(b"q%ch%c\x86" % (place, place) for place in range(times))


CODECS = b"c_codecs\nencode\n"


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


def chain(links=40):
    """bytes → twice as many hexadecimal digits, a number of times."""
    first = CODECS + text(b"x" * 1000) + text(b"latin1") + b"\x86R"
    return CODECS * links + first + (text(b"hex") + b"\x86R") * links


def escapes(links=30):
    """Bytes → what escapes them, a number of times."""
    first = CODECS + text(b"\\" * 1000) + text(b"latin1") + b"\x86R"
    return CODECS * links + first + (text(b"quopri") + b"\x86R") * links


def storage(kind=b"FloatStorage", key=b"0", count=1):
    number = b"J" + struct.pack("<i", count)
    return b"(" + text(b"storage") + b"ctorch\n" + kind + b"\n" + text(key) + text(b"cpu") + number + b"tQ"


REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def tensor(shape, key=b"0", count=1):
    sizes = b"".join(b"\x8a\x08" + struct.pack("<q", size) for size in shape)
    steps = b"K\x00" * len(shape)
    return (
        REBUILD
        + b"("
        + storage(key=key, count=count)
        + b"K\x00("
        + sizes
        + b"t("
        + steps
        + b"t\x89ccollections\nOrderedDict\n)RtR"
    )


def many_tensors(count):
    """Many tensors of one storage, in instructions that are as short as can be."""
    head = (
        b"\x80\x02}("
        + text(b"0")
        + REBUILD
        + b"q\x01("
        + storage()
        + b"K\x00))\x89ccollections\nOrderedDict\n)Rtq\x02R"
    )
    return head + b"".join(text(b"%d" % place) + b"h\x01h\x02R" for place in range(1, count)) + b"u."


# Pickles that take a second of processor time until their end, as others do in which the same function is called.
ALIKE = (
    "a wide tuple as a key of an OrderedDict",
    "a wide tuple that is counted",
    "a wide tuple as the key of a storage",
)

PICKLES = {
    "a wide tuple as a key": b"\x80\x02}" + wide() + b"K\x01s.",
    "a wide tuple as a key of an OrderedDict": b"\x80\x02ccollections\nOrderedDict\n)R" + wide() + b"K\x01s.",
    "a wide tuple in a set": b"\x80\x02c__builtin__\nset\n]" + wide() + b"a\x85R.",
    "a wide tuple that is counted": b"\x80\x02ccollections\nCounter\n]" + wide() + b"a\x85R.",
    "a wide tuple among arguments": b"\x80\x02ctorch\nSize\n" + wide() + b"\x85R.",
    "a wide tuple as the key of a storage": b"\x80\x02("
    + text(b"storage")
    + b"ctorch\nFloatStorage\n"
    + wide()
    + text(b"cpu")
    + b"K\x01tQ.",
    "a chain of codecs": b"\x80\x02}" + text(b"a") + chain() + b"s.",
    "a codec that grows": b"\x80\x02}" + text(b"a") + escapes() + b"s.",
    "a tensor of 40 GB": b"\x80\x02}"
    + text(b"a")
    + b"ctorch\nFloatTensor\n\x8a\x08"
    + struct.pack("<q", 10**10)
    + b"\x85Rs.",
    "a storage of 100 GB": b"\x80\x02}"
    + text(b"a")
    + b"ctorch\nUntypedStorage\n\x8a\x08"
    + struct.pack("<q", 10**11)
    + b"\x85Rs.",
}


@pytest.fixture
def brief(monkeypatch):
    """A second of processor time, as the system counts whole ones, so that a test does not take longer."""
    monkeypatch.setattr(state, "_limits", lambda *_: Limits(memory=10**9, cpu=0.5, wall=60, output=LIMIT))


@pytest.mark.slow
@linux
@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(
    ("what", "form"),
    [
        *((what, archive) for what in PICKLES if what not in ALIKE),
        *((what, old) for what in ("a wide tuple as a key", "a chain of codecs")),
        *exhaustive(*((what, archive) for what in ALIKE)),
        *exhaustive(*((what, old) for what in PICKLES if what not in ("a wide tuple as a key", "a chain of codecs"))),
    ],
)
def test_a_small_pickle_ends_in_a_sentence(what, form):
    content = form(PICKLES[what])
    assert len(content) < 6000
    with pytest.raises(WeightsRefused, match=r"^x\.pth (was not read: |is |contains |requests )") as caught:
        read_state(content, LIMIT, "x.pth")
    ours(caught.value)


def ours(error):
    """Nothing of torch's advice, which is for those who call it, on one line."""
    said = str(error).replace('torch.load(…, weights_only=False)["state_dict"]', "")  # is ours
    assert not re.search(r"weights_only|2\.6|torch\.load|https?:|serialization|WeightsUnpickler", said)
    assert "\n" not in str(error)
    assert str(error).endswith(".")


@pytest.mark.slow
@linux
def test_the_hash_of_a_wide_tuple_ends_by_the_time_of_a_small_file():
    content = archive(PICKLES["a wide tuple as a key"])
    with pytest.raises(WeightsRefused) as caught:
        read_state(content, LIMIT, "x.pth")
    assert str(caught.value) == (
        f"x.pth was not read: reading it took more than 3 s, more than any checkpoint of {len(content):,} bytes needs. "
        f"It is damaged or malicious: save model.state_dict() as safetensors."
    )


@pytest.mark.slow
@linux
@pytest.mark.exhaustive  # four seconds of processor time, after which a small file has been ended above
@pytest.mark.parametrize("form", [archive, old])
def test_ten_megabytes_of_empty_sets(form):
    with pytest.raises(WeightsRefused, match=r"was not read: reading it took more than (3\.99 s|1\.0 GB)") as caught:
        read_state(form(b"\x80\x02(" + b"\x8f" * 9_900_000 + b"t."), LIMIT, "x.pth")
    ours(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"),
    [(b"data_offsets", 900_000), (b"data_offset\\u0073", 100_000), *exhaustive((b"data_offset\\u0073", 900_000))],
)
def test_a_safetensors_file_of_very_many_empty_tensors(name, count):
    entries = b",".join(b'"%d":{"dtype":"F32","shape":[0],"%s":[0,0]}' % (place, name) for place in range(count))
    header = b"{" + entries + b"}"
    content = struct.pack("<Q", len(header)) + header
    with pytest.raises(
        WeightsRefused, match=r"^x\.safetensors (contains more than 20,000 tensors|was not read)"
    ) as caught:
        read_state(content, LIMIT, "x.safetensors")
    ours(caught.value)


@pytest.mark.slow
def test_a_pickle_of_countless_tensors():
    with pytest.raises(
        WeightsRefused, match=r"contains more than 20,000 tensors, more than any network\.$|was not read"
    ):
        read_state(archive(many_tensors(25_000), **{"0": bytes(4)}), LIMIT, "x.pth")
    assert len(read_state(archive(many_tensors(500), **{"0": bytes(4)}), LIMIT, "x.pth")) == 500


@pytest.mark.slow
def test_names_that_are_longer_than_any_networks():
    content = save_safetensors({"a." * 200 + str(place): torch.zeros(1) for place in range(6_000)})
    with pytest.raises(WeightsRefused, match=r"has more than 2 MB of names of tensors, more than any network\.$"):
        read_state(content, LIMIT, "x.safetensors")


@pytest.mark.slow
def test_an_archive_that_unpacks_to_more_than_the_limit():
    content = archive(b"\x80\x02}.", zipfile.ZIP_DEFLATED, **{"0": bytes(500_000_000)})
    assert len(content) < 1_000_000
    with pytest.raises(WeightsRefused, match="would unpack to 500 MB; the limit is 400"):
        read_state(content, LIMIT, "x.pth")


@pytest.mark.slow
@pytest.mark.parametrize("lie", [b"PK\x01\x02", b"PK\x03\x04"])
def test_an_archive_that_lies_about_its_size(lie):
    instructions = b"\x80\x02}" + text(b"a") + tensor([1]) + b"s."
    content = bytearray(archive(instructions, zipfile.ZIP_DEFLATED, **{"0": bytes(300_000_000)}))
    sizes = {b"PK\x01\x02": 24, b"PK\x03\x04": 22}
    place = content.index(struct.pack("<I", 300_000_000), content.index(lie))
    assert place - content.rindex(lie, 0, place) == sizes[lie]
    content[place : place + 4] = struct.pack("<I", 4)
    try:
        found = read_state(bytes(content), LIMIT, "x.pth")
    except WeightsRefused as error:
        ours(error)
    else:
        assert found["a"].shape == (1,)


ODD = {
    "a long integer": b"\x80\x02\x8b" + struct.pack("<i", 5_000_000) + b"\x7f" * 5_000_000 + b".",
    "an integer in digits": b"\x80\x02L" + b"9" * 9_000_000 + b"L\n.",
    "a frame": b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N.",
    "a persistent text": b"\x80\x02" + text(b"storage") + b"Q.",
    "a persistent number": b"\x80\x02K\x07Q.",
    "a persistent tuple of nothing": b"\x80\x02)Q.",
    "a persistent tuple of another kind": b"\x80\x02" + text(b"module") + b"\x85Q.",
    "a persistent list": b"\x80\x02]Q.",
    "a storage that is not there": b"\x80\x02}" + text(b"a") + tensor([1], key=b"../../etc/passwd") + b"s.",
    "a tensor beyond its storage": b"\x80\x02}"
    + text(b"a")
    + REBUILD
    + b"("
    + storage()
    + b"K\x00K\x63\x85K\x01\x85\x89NtRs.",
    "code that builds": b"\x80\x02]}b.",
    "an object of torch": b"\x80\x02ctorch\nSize\n)\x81}b.",
    "a nested tensor": b"\x80\x02ctorch.nested._internal.nested_tensor\nNestedTensor\n)R.",
    "a distributed tensor": b"\x80\x02ctorch.distributed.tensor\nDTensor\n)R.",
    "an empty stack": b"\x80\x02.",
    "a mark alone": b"\x80\x02t.",
    "an item that is missing": b"\x80\x02h\x63.",
    "a negative length": b"\x80\x02X\xff\xff\xff\xff.",
    "a function that is called with nonsense": b"\x80\x02" + REBUILD + b"(NNNNNNtR.",
    "a call of a number": b"\x80\x02K\x01)R.",
    "a call of the system": b"\x80\x02cposix\nsystem\n" + text(b"true") + b"\x85R.",
    "a call of a blocked module": b"\x80\x02csys\nexit\n)R.",
    "an operation of another protocol": b"\x80\x02\x97.",
}


@pytest.mark.parametrize("form", [archive, old])
@pytest.mark.parametrize("what", ODD)
def test_an_odd_pickle_gets_a_sentence_of_ours(what, form):
    with pytest.raises(WeightsRefused, match=r"^x\.pth (was not read|is |contains |requests )") as caught:
        read_state(form(ODD[what]), LIMIT, "x.pth")
    ours(caught.value)


def test_a_users_file_may_be_read_in_this_process():
    content = save_safetensors({"a": torch.arange(3.0)})
    torch.testing.assert_close(read_state(content, LIMIT, trusted=True), read_state(content, LIMIT), rtol=0, atol=0)


@linux
def test_reading_ends_when_its_visitor_leaves():
    left = threading.Event()
    left.set()
    with pytest.raises(Cancelled, match=r"^Reading x\.pth was cancelled\.$"):
        read_state(archive(PICKLES["a wide tuple as a key"]), LIMIT, "x.pth", cancelled=left.is_set)


@pytest.mark.slow
@linux
@pytest.mark.usefixtures("brief")
def test_others_read_meanwhile():
    sentences, good = [], save_safetensors({"a": torch.arange(3.0)})

    def bad():
        with pytest.raises(WeightsRefused) as caught:
            read_state(archive(PICKLES["a wide tuple as a key"]), LIMIT, "bad.pth")
        sentences.append(str(caught.value))

    thread = threading.Thread(target=bad)
    thread.start()
    while thread.is_alive():
        assert read_state(good, LIMIT)["a"].tolist() == [0, 1, 2]
        thread.join(0.1)  # leaves the processor to the other reading
    assert sentences[0].startswith("bad.pth was not read")


def test_tensors_arrive_as_they_were():
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "a": base,
        "its transpose": base.T,
        "a part": base[1:3, ::2],
        "expanded": torch.ones(1).expand(10**9, 10**6),
        "one": torch.tensor(3),
        "none": torch.empty(0, 3),
        "bits": torch.tensor([1.5, -2], dtype=torch.bfloat16),
        "small": torch.tensor([0.5, 2]).to(torch.float8_e4m3fn),
        "complex": torch.tensor([1 + 2j], dtype=torch.complex128),
        "conjugate": torch.tensor([1 + 2j]).conj(),
        "truth": torch.tensor([True, False]),
        "long": torch.tensor([2**63], dtype=torch.uint64),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    out = io.BytesIO()
    torch.save(tensors, out)
    found = read_state(out.getvalue(), LIMIT)
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        if name != "expanded":
            assert torch.equal(found[name].to(torch.complex128), tensor.detach().to(torch.complex128)), name
    assert found["a part"].stride() == tensors["a part"].stride()
    assert found["expanded"].stride() == (0, 0)
    found["a"][0, 0] = 7
    assert found["its transpose"][0, 0] == 7


@pytest.mark.parametrize(
    "entry",
    [
        ["a", "strided", "torch.float32", 0, 0, [3], [1]],
        ["a", "strided", "torch.float32", 0, 1, [2], [1]],
        ["a", "strided", "torch.float32", 0, 0, [2], [9]],
        ["a", "strided", "torch.float32", 0, 0, [2**40, 2**40], [0, 0]],
        ["a", "strided", "torch.float32", 0, -1, [1], [1]],
        ["a", "strided", "torch.float32", 0, 0, [2], [-1]],
        ["a", "strided", "torch.float32", 0, 0, [2.5], [1]],
        ["a", "strided", "torch.float32", 0, 0, [2], []],
        ["a", "strided", "torch.float32", 9, 0, [2], [1]],
        ["a", "strided", "os.system", 0, 0, [2], [1]],
        ["a", "other", "torch.float32", 0, 0, [2], [1]],
        ["a", "strided"],
        7,
    ],
)
def test_what_is_no_tensor_of_its_bytes_is_not_taken(entry):
    import json

    with pytest.raises(Ended):
        unpacked([bytearray(json.dumps([entry]).encode()), bytearray(8)])
    assert unpacked(packed({"a": torch.ones(2)}, "x", 100))["a"].tolist() == [1, 1]


def test_no_other_file_is_opened(tmp_path):
    """A path in a pickle is a key of the archive, and no path."""
    (tmp_path / "0").write_bytes(bytes(4))
    name = os.fsencode(tmp_path / "0")
    with pytest.raises(WeightsRefused):
        read_state(archive(b"\x80\x02}" + text(b"a") + tensor([1], key=name) + b"s."), LIMIT, "x.pth")
