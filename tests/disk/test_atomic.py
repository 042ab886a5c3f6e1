"""A file is there whole, or as it was."""

import errno
import os
from pathlib import Path

import pytest
from support.faulty_disk import full_disk

from se_viz.disk.atomic import remove_unfinished, replacing, write_bytes
from se_viz.disk.errors import FolderGone, WriteFailed, write_failed
from se_viz.disk.output_folder import output_folder


def test_what_was_there_stays_until_all_is_written(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")

    def interrupted():
        with replacing(path) as unfinished:
            unfinished.write_bytes(b"half")
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]
    write_bytes(path, b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"new"]


def test_two_writers_have_their_own_temporary_files(tmp_path):
    path = tmp_path / ("ä" * 120)  # 240 bytes, and systems take 255
    with replacing(path) as one, replacing(path) as other:
        one.write_bytes(b"one")
        other.write_bytes(b"other")
        assert one != other
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"one"]


def test_leftovers_of_one_file_are_removed_and_nothing_else(tmp_path):
    path = tmp_path / "a[1].bin"
    for name in (".a[1].bin.0123456789abcdef.tmp", ".a1.bin.0123456789abcdef.tmp", ".a[1].bin.mine.tmp", "x.tmp"):
        (tmp_path / name).touch()
    remove_unfinished(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        ".a1.bin.0123456789abcdef.tmp",
        ".a[1].bin.mine.tmp",
        "x.tmp",
    ]


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "a.bin")
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "a.bin").read_bytes() == b"new"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_the_device_that_is_always_full_is_full_and_still_a_device(tmp_path):
    (tmp_path / "link").symlink_to("/dev/full")
    for path in (Path("/dev/full"), tmp_path / "link"):
        with pytest.raises(WriteFailed, match=r"The disk of .* is full, so .* was not written: free some space"):
            write_bytes(path, b"x")
        assert path.is_char_device()


def test_a_full_disk_keeps_what_was_there(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    for room in (0, 3, 99_999):
        with full_disk(tmp_path, room), pytest.raises(WriteFailed, match=f"The disk of {tmp_path} is full, so {path}"):
            write_bytes(path, bytes(100_000))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "The disk of {folder} is full, so {path} was not written: free some space"),
        (errno.EDQUOT, "The disk of {folder} is full"),
        (errno.EFBIG, "{path} was not written, as it exceeds the largest file size allowed here"),
        (errno.EACCES, "{path} cannot be written (Permission denied): make {folder} writable"),
        (errno.EISDIR, "{path} cannot be written, as it is a folder"),
        (errno.EIO, "{path} was not written (Input/output error): check the disk of {folder}"),
        (errno.ENOENT, "{path} was not written (No such file or directory)"),
    ],
)
def test_each_reason_has_a_sentence_with_the_path_and_what_to_do(tmp_path, code, said):
    path = tmp_path / "a.bin"
    failed = write_failed(OSError(code, os.strerror(code)), path)
    assert str(failed).startswith(said.format(path=path, folder=tmp_path))
    assert str(failed).endswith(".")


def test_a_folder_that_is_gone_is_said(tmp_path):
    path = tmp_path / "gone" / "a.bin"
    with pytest.raises(FolderGone, match=f"{path} was not written, as {path.parent} does not exist"):
        write_bytes(path, b"")


def test_an_export_says_how_many_files_are_kept_and_leaves_no_lock(tmp_path):
    out = tmp_path / "out"

    def export():
        with output_folder(out, "a.csv") as write:
            write("a.csv", b"a")
            write("b.csv", b"b")
            with full_disk(out, 10):
                write("c.csv", bytes(11))

    with pytest.raises(WriteFailed) as failed:
        export()
    assert str(failed.value) == (
        f"The disk of {out} is full, so {out / 'c.csv'} was not written: free some space, or name a folder on another "
        "disk. "
        f"The 2 files before it are complete and kept in {out}. Run the same command again to write all files."
    )
    assert sorted(file.name for file in out.iterdir()) == ["a.csv", "b.csv"]
