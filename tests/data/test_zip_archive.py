import io
import stat
import warnings
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from se_viz.data import zip_archive as archives
from se_viz.data.class_folders import labels_of
from se_viz.data.images import MAX_BYTES
from se_viz.data.zip_archive import LIMITS, ArchiveLimits, ArchiveRefused, is_archive, members


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def with_directory_size(content: bytes, field: int, value: int) -> bytes:
    """The archive with one 4-byte field of its first directory entry overwritten."""
    at = content.index(b"PK\1\2") + field
    return content[:at] + value.to_bytes(4, "little") + content[at + 4 :]


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that must be refused with nothing unpacked."""
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda *_: pytest.fail("unpacked"))


def refusal(content: bytes, limits: ArchiveLimits = LIMITS) -> str:
    with pytest.raises(ArchiveRefused) as caught:
        list(members("photos.zip", content, limits))
    assert str(caught.value) == f"photos.zip was left out: {caught.value.reason}."
    return caught.value.reason


# ---- what comes out

names = st.text("abc", min_size=1, max_size=4)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@pytest.mark.slow
@settings(deadline=None)
@given(st.dictionaries(paths, st.binary(max_size=300), min_size=1), st.sampled_from([0, zipfile.ZIP_DEFLATED]))
def test_round_trip(files: dict[str, bytes], method: int) -> None:
    expected = list(zip(labels_of(list(files)), files.values(), strict=True))
    content = packed(files, method)
    assert is_archive(content)
    assert list(members("any.zip", content)) == expected
    assert list(members("any.zip", io.BytesIO(content))) == expected


def test_folders_and_hidden_files_are_skipped() -> None:
    files = {
        "cats/": b"",
        "dogs\\": b"",
        "cats/a.jpg": b"a",
        "__MACOSX/cats/._a.jpg": b"x",
        "cats/.DS_Store": b"x",
        ".git/b.jpg": b"x",
    }
    assert list(members("photos.zip", packed(files))) == [("cats/a.jpg", b"a")]


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/absolute.jpg", "absolute.jpg"),
        ("C:\\photos\\cat.jpg", "photos/cat.jpg"),
        ("./a/../b/c/d.jpg", "c/d.jpg"),
        ("new\nline/\x1b.jpg", "newline/.jpg"),
    ],
)
def test_paths_are_labels(path: str, label: str) -> None:
    assert list(members("photos.zip", packed({path: b"a"}))) == [(label, b"a")]


def test_a_link_is_a_file_with_its_target_as_text() -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert list(members("photos.zip", file.getvalue())) == [("link.jpg", b"/etc/passwd")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(packed({}), True), (packed({"a": b"a"})[:4], True), (b"PK", False), (b"\x89PNG", False), (b"", False)],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_is_archive(content: bytes, expected: bool) -> None:
    assert is_archive(content) is expected


def test_a_damaged_member_costs_itself_and_a_sentence() -> None:
    content = packed({"good.jpg": b"good", "bad.jpg": b"first", "worse.jpg": b"second", "fine.jpg": b"fine"}, 0)
    unpacked = members("photos.zip", content.replace(b"first", b"f1rst").replace(b"second", b"sec0nd"))
    assert next(unpacked) == ("good.jpg", b"good")
    assert next(unpacked) == ("fine.jpg", b"fine")
    with pytest.raises(ArchiveRefused, match=r"^bad.jpg in photos.zip was left out: it is damaged, like 1 more of its"):
        next(unpacked)


# ---- what is refused, with nothing unpacked


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (packed({}), "no files"),
        (packed({"folder/": b"", ".hidden": b"x"}), "no files"),
        (packed({"a.jpg": b"a"})[:-30], "damaged"),
        (b"PK\3\4" + bytes(100), "damaged"),
        (packed({"a.jpg": b"a"}, zipfile.ZIP_BZIP2), "unusual method"),
        (packed({"a.jpg": b"a"}, zipfile.ZIP_LZMA), "unusual method"),
        (packed({"a.bmp": bytes(200_000), "b.jpg": b"b"}), "a.bmp in it is packed more than 100 to 1"),
        (packed(dict.fromkeys(map(str, range(LIMITS.files + 1)), b"")), "more than 1,000 files"),
        (with_directory_size(packed({"a.jpg": b"a"}), 24, MAX_BYTES + 1), "a.jpg in it is larger than 50 MB"),
        (with_directory_size(packed({"a.jpg": b"a"}), 24, 100 * LIMITS.ratio), "packed more than 100 to 1"),
        (with_directory_size(packed({"a.jpg": b"a"}), 20, 1000), "overlap"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_refused_before_anything_is_unpacked(content: bytes, reason: str) -> None:
    assert reason in refusal(content)


@pytest.mark.usefixtures("sealed")
def test_passwords() -> None:
    content = bytearray(packed({"a.jpg": b"a"}))
    content[content.index(b"PK\1\2") + 8] |= 1
    assert "password" in refusal(bytes(content))


@pytest.mark.usefixtures("sealed")
def test_files_that_share_their_bytes() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(5000))
        archive.filelist *= 300
    assert "overlap" in refusal(file.getvalue())


@pytest.mark.usefixtures("sealed")
def test_the_total_is_bounded() -> None:
    content = packed({name: bytes(range(250)) * 4 for name in "abc"})
    assert "unpacked" in refusal(content, ArchiveLimits(total=2999))
    assert "split it" in refusal(content, ArchiveLimits(total=len(content) - 1))


def test_the_total_may_be_reached() -> None:
    content = packed({name: bytes(range(250)) * 4 for name in "abc"})
    assert len(list(members("photos.zip", content, ArchiveLimits(total=3000)))) == 3


def test_a_directory_is_not_parsed_when_it_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    content = packed(dict.fromkeys("abcdef", b""))
    # Blocks so small that signatures lie across their seams.
    monkeypatch.setattr(archives, "BLOCK", 5)
    assert len(list(members("photos.zip", content, ArchiveLimits(entries=6)))) == 6
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("parsed"))
    assert "more than 5 entries" in refusal(content, ArchiveLimits(entries=5))


def test_no_more_is_unpacked_than_was_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    read = zipfile.ZipExtFile.read
    sizes = []

    def measured(member: zipfile.ZipExtFile, size: int = -1) -> bytes:
        sizes.append(size)
        return read(member, size)

    monkeypatch.setattr(zipfile.ZipExtFile, "read", measured)
    liar = with_directory_size(packed({"a.bmp": bytes(10_000_000), "b.jpg": b"b"}), 24, 100)
    unpacked = members("photos.zip", liar)
    assert next(unpacked) == ("b.jpg", b"b")
    assert sizes == [100, 1]
    with pytest.raises(ArchiveRefused, match=r"a\.bmp in photos\.zip"):
        next(unpacked)


# ---- whatever the bytes are


def drained(content: bytes) -> Iterator[tuple[str, bytes]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield from members("any.zip", content)
        except ArchiveRefused:
            return


SAMPLE = packed({"cats/a.jpg": bytes(range(50)), "b.jpg": b"b" * 200, "folder/": b""})


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(SAMPLE)),
)
@example([(SAMPLE.index(b"PK\1\2") + 28, 0)], 0)  # an entry without a name
def test_mutated_archives(changes: list[tuple[int, int]], start: int) -> None:
    mutant = bytearray(SAMPLE)
    for position, value in changes:
        mutant[position] = value
    for content in (bytes(mutant), bytes(mutant[start:]), bytes(mutant[:start])):
        assert sum(len(member) for _, member in drained(content)) <= LIMITS.ratio * len(SAMPLE)
