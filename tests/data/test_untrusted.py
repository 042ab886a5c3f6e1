"""Images and archives that are read in child processes: the same images, and a sentence for whatever ends a child."""

import io
import zipfile
from functools import partial
from pathlib import Path

import hostile_decoders
import numpy as np
import pytest
from PIL import Image
from support.images import encoded

from se_viz.data import pixels, untrusted
from se_viz.data.image_files import read, read_paths
from se_viz.data.images import FORMATS, ImageRefused, decode
from se_viz.data.pixels import Budget, Gone
from se_viz.data.untrusted import decode_files, unpack
from se_viz.data.zip_archive import ArchiveRefused
from se_viz.sandbox import Limits

RNG = np.random.default_rng(0)


def noise(width, height):
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


def packed(*files, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return file.getvalue()


GOOD = encoded(noise(20, 12))


def same(image, other):
    assert image == other
    assert (image.name, image.original_size) == (other.name, other.original_size)
    assert np.array_equal(np.asarray(image.rgb), np.asarray(other.rgb))


@pytest.fixture
def hostile(monkeypatch):
    monkeypatch.setattr(untrusted, "decode_all", hostile_decoders.decode_all)


@pytest.mark.slow
def test_a_child_decodes_to_the_same_pixels():
    exif = Image.Exif()
    exif[0x0112] = 6
    large = noise(110, 120).resize((1100, 1200), Image.Resampling.BICUBIC)
    files = [(f"a.{kind}", encoded(large, kind)) for kind in FORMATS]
    files.append(("turned.jpg", encoded(noise(30, 20), "JPEG", exif=exif)))
    for image, file in zip(decode_files(files), files, strict=True):
        same(image, decode(*file))


def test_refusals_are_the_same_sentences():
    files = [
        ("empty", b""),
        ("large", bytes(50_000_001)),
        ("x/text", b"text"),
        ("cut.png", GOOD[:50]),
        ("heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("small.png", encoded(noise(4, 4))),
        ("float.tif", encoded(Image.new("F", (9, 9)), "TIFF")),
    ]
    for outcome, file in zip(decode_files(files), files, strict=True):
        with pytest.raises(ImageRefused) as caught:
            decode(*file)
        assert isinstance(outcome, ImageRefused)
        assert str(outcome) == str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"crash", "reading it crashed the process that read it (by signal 6); save a smaller copy as JPEG or PNG"),
        (b"take memory", "reading it took more than 912 MB of memory; save a smaller copy as JPEG or PNG"),
        (b"say much", "reading it returned more than "),
        *((lie, "reading it gave an invalid result; save it again with") for lie in hostile_decoders.LIES),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)  # fmt: skip
def test_whatever_a_file_does_to_its_decoder_is_a_sentence_and_the_others_go_on(content, reason, hostile):
    if content == b"take memory" and not Path("/proc/self/statm").exists():
        pytest.skip("no limit of memory on this system")
    result = read([("a.png", GOOD), ("bad.png", content), ("b.png", encoded(noise(9, 9)))])
    assert [image.name for image in result.images] == ["a.png", "b.png"]
    (refusal,) = result.refusals
    assert refusal.startswith(f"bad.png was left out: {reason}")


def test_an_answer_for_other_files_than_were_asked_for_is_refused(monkeypatch):
    monkeypatch.setattr(untrusted, "decode_all", hostile_decoders.nothing)
    reasons = [outcome.reason for outcome in decode_files([("a", GOOD), ("b", GOOD)])]
    assert [reason.startswith("reading it gave an invalid result") for reason in reasons] == [True, True]


@pytest.mark.slow
def test_a_file_that_takes_long_ends_at_a_limit_and_the_others_go_on(hostile, monkeypatch):
    monkeypatch.setattr(untrusted, "WAIT", 2.0)
    result = read([("a.png", GOOD), ("bad.png", b"hang")])
    assert [image.name for image in result.images] == ["a.png"]
    assert result.refusals == (
        "bad.png was left out: reading it took more than 2 s; save a smaller copy as JPEG or PNG.",
    )


def test_work_ends_with_the_one_who_asked(hostile):
    asked = []

    def gone():
        asked.append(1)
        return len(asked) > 20

    with pytest.raises(Gone):
        read([("a.png", GOOD), ("bad.png", b"hang")], cancelled=gone)
    assert pixels.budget().left == pixels.AT_ONCE
    with pytest.raises(Gone):
        read([("a.png", GOOD)], cancelled=lambda: True)


def test_who_waits_for_pixels_can_leave(monkeypatch):
    budget = Budget(10**8)
    monkeypatch.setattr(pixels, "budget", lambda: budget)
    with budget.hold(10**8), pytest.raises(Gone):
        decode_files([("a.png", GOOD)], lambda: True)
    assert budget.left == 10**8


def test_a_large_image_waits_for_its_turn_in_the_budget(monkeypatch):
    budget = Budget(10**8)
    held = []

    def hold(wanted, cancelled=None):
        held.append(wanted)
        return Budget.hold(budget, wanted, cancelled)

    monkeypatch.setattr(budget, "hold", hold)
    monkeypatch.setattr(pixels, "budget", lambda: budget)
    monkeypatch.setattr(untrusted, "ALLOWANCE", 10_000)
    files = [("a.png", GOOD), ("large.webp", encoded(Image.new("RGB", (200, 100)), "WEBP")), ("b.png", GOOD)]
    assert [outcome.original_size for outcome in decode_files(files)] == [(20, 12), (200, 100), (20, 12)]
    assert held == [10_000, 20_000]
    assert budget.left == 10**8


def test_a_users_files_are_read_without_a_child(monkeypatch, tmp_path):
    (tmp_path / "a.png").write_bytes(GOOD)
    (tmp_path / "b.zip").write_bytes(packed(("x/c.png", encoded(noise(9, 9)))))
    names = [image.name for image in read_paths(tmp_path.glob("*")).images]
    monkeypatch.setattr(untrusted.sandbox, "run", lambda *_, **__: pytest.fail("a child"))
    trusted = read_paths(tmp_path.glob("*"), trusted=True)
    assert [image.name for image in trusted.images] == names
    assert sorted(names) == ["a.png", "x/c.png"]


def test_where_no_child_can_be_started_the_way_out_is_said(monkeypatch):
    def unavailable(*_, **__):
        raise untrusted.Ended("unavailable", "needs a child process, but none can be started (no memory)")

    monkeypatch.setattr(untrusted.sandbox, "run", unavailable)
    assert [str(outcome) for outcome in decode_files([("a.png", GOOD)])] == [
        "a.png was left out: reading it needs a child process, but none can be started (no memory); "
        "give trusted=True (--trusted) if you trust the file."
    ]


# ---- archives


def test_an_archive_is_unpacked_part_by_part(monkeypatch):
    monkeypatch.setattr(untrusted, "PART", 5_000)
    files = [(f"x/{i}.bin", RNG.bytes(1000 * i)) for i in range(1, 9)]
    assert list(unpack("a.zip", io.BytesIO(packed(*files)))) == files


def test_an_archive_on_disk_is_read_by_the_child(monkeypatch, tmp_path):
    files = [("x/1.bin", RNG.bytes(1000)), ("2.bin", b"two")]
    (tmp_path / "a.zip").write_bytes(packed(*files))
    given = []
    really_run = untrusted.sandbox.run
    monkeypatch.setattr(
        untrusted.sandbox, "run", lambda *call, **limits: given.append(call[2]) or really_run(*call, **limits)
    )
    with (tmp_path / "a.zip").open("rb") as file:
        assert list(unpack("a.zip", file)) == files
    assert given == [str(tmp_path / "a.zip")]


def test_damaged_members_are_told_after_the_others(monkeypatch):
    monkeypatch.setattr(untrusted, "PART", 10)
    content = packed(("a/1", b"first first"), ("a/2", b"contents"), ("a/3", b"third third"), ("a/4", b"contents"))
    members = unpack("a.zip", io.BytesIO(content.replace(b"contents", b"c0ntents")))
    assert [next(members), next(members)] == [("a/1", b"first first"), ("a/3", b"third third")]
    with pytest.raises(ArchiveRefused, match=r"2 in a.zip was left out: it is damaged, like 1 more of its files"):
        next(members)


def entries(count):
    return packed(*((f"{i}", b"") for i in range(count)))


def overlapping():
    """Two entries of the directory that are one member."""
    content = packed(("a", b"a" * 100), ("b", b"b" * 100))
    start = content.rindex(b"PK\1\2")
    return content[: start + 42] + bytes(4) + content[start + 46 :]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (partial(entries, 10_001), "it has more than 10,000 entries"),
        (partial(entries, 1_001), "it holds more than 1,000 files"),
        (overlapping, "its files overlap"),
        (partial(packed, ("a", bytes(10**7)), compression=zipfile.ZIP_DEFLATED), "packed more than 100 to 1"),
        (partial(packed, ("a", b"b"), compression=zipfile.ZIP_LZMA), "unusual method"),
        (lambda: b"PK\3\4" + bytes(100), "damaged or not a ZIP archive"),
    ],
)
def test_archives_that_are_bombs_are_the_same_sentences(make, reason):
    content = make()
    result = read([("a.zip", content), ("b.png", GOOD)])
    assert [image.name for image in result.images] == ["b.png"]
    assert result.refusals == read([("a.zip", content)], trusted=True).refusals
    assert reason in result.refusals[0]


def test_an_archive_in_an_archive_in_itself_is_not_opened():
    inner = packed(("../../x/a.png", GOOD), ("C:\\y\\b.png", encoded(noise(9, 9))))
    result = read([("a.zip", packed(("inner.zip", packed(("again.zip", inner)))))])
    assert result.refusals[0].startswith("inner.zip was left out: it is a ZIP archive")
    assert [image.name for image in read([("a.zip", inner)]).images] == ["x/a.png", "y/b.png"]


def test_an_archive_that_takes_long_ends_at_a_limit(monkeypatch):
    really_run = untrusted.sandbox.run

    def short(*call, limits, **given):
        return really_run(*call, limits=Limits(limits.memory, limits.cpu, limits.wall, 1000), **given)

    monkeypatch.setattr(untrusted.sandbox, "run", short)
    with pytest.raises(ArchiveRefused, match=r"^a.zip was left out: reading it returned more than .*; pack it again"):
        list(unpack("a.zip", io.BytesIO(packed(("a", bytes(5_000))))))
