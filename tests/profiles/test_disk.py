"""What a disk and a second process may do to a pass: it ends with the same bytes, or with a sentence."""

import json
import logging
import os
import random
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from support.faulty_disk import full_disk, read_only
from support.profiling import SETTINGS
from typer.testing import CliRunner

from se_viz.cli.app import app
from se_viz.data.dataset_sources import dataset
from se_viz.disk import sole_writer as locks
from se_viz.disk.errors import FolderGone, InUse, WriteFailed
from se_viz.disk.sole_writer import sole_writer
from se_viz.profiles.class_profiles import open_profiles
from se_viz.profiles.compact import compact
from se_viz.profiles.errors import OtherPass, ProfilesError, ProfilesRefused
from se_viz.profiles.merge import combine, merge
from se_viz.profiles.profile import profile
from se_viz.profiles.safetensors_io import verify
from se_viz.profiles.shards import read_finished
from se_viz.profiles.unfinished import discard, images_done


class Stopped(Exception):
    pass


@pytest.fixture
def unfinished(tiny_model, photos, tmp_path):
    """A folder of a pass that was stopped after two of its four shards."""

    def stop(done, of):
        if done > 8:
            raise Stopped

    with pytest.raises(Stopped):
        profile(tiny_model, photos, tmp_path / "out", report=stop, **SETTINGS)
    assert images_done(tmp_path / "out") == 8
    return tmp_path / "out"


def old(path):
    """Write a file of class profiles as it was before there were checksums."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    head = json.loads(content[8 : 8 + length])
    del head["__metadata__"]["sha256"]
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def harm(path, start, content):
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


def flip(path, start):
    harm(path, start, bytes([path.read_bytes()[start] ^ 16]))


def test_a_flipped_byte_anywhere_in_a_shard_is_found_and_it_is_made_again(
    whole, unfinished, tiny_model, photos, tmp_path, caplog
):
    shard, rng = unfinished / "shards" / "000001.safetensors", random.Random(0)
    header = replace(whole.header, run=replace(whole.header.run, index=1))
    size = shard.stat().st_size
    for start in [*range(120), *(rng.randrange(size) for _ in range(120))]:
        flip(shard, start)
        assert read_finished(shard, header) is None
        flip(shard, start)
    assert read_finished(shard, header) is not None
    flip(shard, size - 100)
    caplog.clear()
    assert profile(tiny_model, photos, unfinished, **SETTINGS).path.read_bytes() == whole.path.read_bytes()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "The shard 000001.safetensors is made again" in caplog.text
    assert "is damaged: its bytes are not those that were written" in caplog.text


@pytest.mark.parametrize("start", [0, 10, 100, 4000, -64])
def test_a_zeroed_stretch_of_a_shard_is_found_and_it_is_made_again(whole, unfinished, tiny_model, photos, start):
    shard = unfinished / "shards" / "000000.safetensors"
    harm(shard, start % shard.stat().st_size, bytes(64))
    assert profile(tiny_model, photos, unfinished, **SETTINGS).path.read_bytes() == whole.path.read_bytes()


def test_a_shard_that_is_damaged_while_it_is_added_up_is_made_again(whole, unfinished, tiny_model, photos, monkeypatch):
    calls = []

    def damaging(shards, header, path):
        calls.append(path)
        if len(calls) == 1:
            flip(shards[0].path, shards[0].path.stat().st_size // 2)
        return combine(shards, header, path)

    monkeypatch.setattr("se_viz.profiles.profile.combine", damaging)
    assert profile(tiny_model, photos, unfinished, **SETTINGS).path.read_bytes() == whole.path.read_bytes()
    assert len(calls) == 2


def test_a_disk_that_damages_every_shard_is_named(tiny_model, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("se_viz.profiles.profile.read_finished", lambda *_: None)
    with pytest.raises(ProfilesError, match="damaged each time they are written: the disk or the memory is failing"):
        profile(tiny_model, photos, tmp_path, **SETTINGS)


def test_finished_means_verified(whole, tiny_model, photos, tmp_path):
    out = shutil.copytree(whole.path.parent, tmp_path / "out")
    path = out / "profiles.safetensors"
    for start in (9, 60, 500, path.stat().st_size - 9):
        flip(path, start)
        for use in (
            lambda: profile(tiny_model, photos, out, **SETTINGS),
            lambda: open_profiles(out),
            lambda: merge([replaced(whole, path)], tmp_path / "sum.safetensors"),
            lambda: compact(replaced(whole, path), tmp_path / "small.safetensors.xz"),
        ):
            with pytest.raises(ProfilesRefused, match="damaged"):
                use()
        flip(path, start)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out"]
    (out / "report.json").write_text("{")
    before = path.stat().st_mtime_ns
    profile(tiny_model, photos, out, **SETTINGS)
    assert (out / "report.json").read_bytes() == (whole.path.parent / "report.json").read_bytes()
    assert path.stat().st_mtime_ns == before


def replaced(whole, path):
    """Class profiles that were opened before their file was damaged."""
    return type(whole)(path, whole.header, whole.tensors)


def test_old_class_profiles_are_read_and_finished_and_old_shards_are_made_again(
    whole, unfinished, tiny_model, photos, tmp_path, caplog
):
    out = shutil.copytree(whole.path.parent, tmp_path / "old")
    old(out / "profiles.safetensors")
    assert verify(out / "profiles.safetensors") is False
    assert profile(tiny_model, photos, out, **SETTINGS).counts.tolist() == whole.counts.tolist()
    for shard in (unfinished / "shards").iterdir():
        old(shard)
    assert profile(tiny_model, photos, unfinished, **SETTINGS).path.read_bytes() == whole.path.read_bytes()
    assert caplog.text.count("is made again: an older SE Viz wrote it without a checksum") == 2


def test_an_old_unfinished_folder_of_another_pass_says_what_to_do(unfinished, tiny_model, photos):
    for shard in (unfinished / "shards").iterdir():
        old(shard)
    with pytest.raises(OtherPass, match="other settings: name another folder, or remove this one"):
        profile(tiny_model, photos, unfinished, **SETTINGS | {"batch": 3})


@pytest.mark.slow
def test_a_second_process_is_told_who_writes_and_changes_nothing(whole, tiny_model, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    out, script = tmp_path / "out", Path(sys.modules[tiny_model.network.__class__.__module__].__file__)
    other = subprocess.Popen(
        [sys.executable, str(script), str(photos), str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        while not (out / "shards" / "000000.safetensors").exists():
            assert other.poll() is None, other.stderr.read()
            Event().wait(0.05)
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        named = rf"is being written by process {other.pid} on .* \(`.*profiling\.py .*`\) since .*: wait until"
        with pytest.raises(InUse, match=named):
            profile(tiny_model, photos, out, **SETTINGS)
        with pytest.raises(InUse, match=named):
            discard(out)
        with pytest.raises(InUse, match=named):
            merge([whole], out / "profiles.safetensors")
        command = ["profile", "--data", str(photos), "--out", str(out), "--device", "cpu"]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 1
        assert f"is being written by process {other.pid} on" in result.output
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    finally:
        other.kill()
        other.communicate()
    assert profile(tiny_model, photos, out, **SETTINGS).path.read_bytes() == whole.path.read_bytes()


def test_a_finished_folder_is_read_while_it_cannot_be_written(whole, tiny_model, photos):
    out = whole.path.parent
    with read_only(out), sole_writer(out.parent / "another"):
        assert profile(tiny_model, photos, out, **SETTINGS).counts.tolist() == whole.counts.tolist()


def test_what_is_discarded_is_what_a_pass_writes(unfinished):
    (unfinished / "mine.txt").touch()
    discard(unfinished)
    assert [path.name for path in unfinished.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_byte_says_what_is_kept_and_the_pass_goes_on(whole, tiny_model, photos, tmp_path):
    rng, seen = random.Random(0), set()
    for number in range(24):
        out, done = tmp_path / f"{number}", True
        try:
            with full_disk(out, rng.randrange(40_000) if number else 100):
                profile(tiny_model, photos, out, **SETTINGS)
        except WriteFailed as failed:
            said, done = str(failed), (out / "profiles.safetensors").exists()
            assert f"The disk of {out}" in said
            count = images_done(out)
            if count:
                assert f"{count} images are counted and kept in {out / 'shards'}. Start again to continue" in said
            seen.add(count)
        assert not list(out.rglob("*.tmp"))
        asked = []
        listed = dataset(photos)
        noted = replace(listed, read=lambda index: asked.append(index) or listed.read(index))  # noqa: B023
        before = images_done(out)
        assert profile(tiny_model, noted, out, **SETTINGS).path.read_bytes() == whole.path.read_bytes()
        assert len(asked) == (0 if done else 15 - before)
        assert sorted(path.name for path in out.iterdir()) == ["profiles.safetensors", "report.json"]
    assert seen >= {0, 4, 8}


@pytest.mark.slow
def test_a_limit_of_the_size_of_files_is_said(unfinished, photos):
    resource = pytest.importorskip("resource")
    del resource
    code = (
        "import resource, sys; from pathlib import Path; from support.profiling import SETTINGS, tiny\n"
        "from se_viz.profiles.profile import profile\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "try: profile(tiny(), sys.argv[1], sys.argv[2], **SETTINGS)\n"
        "except OSError as error: print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(photos), str(unfinished)],
        capture_output=True, text=True, check=True, env=environment(),
    )  # fmt: skip
    assert "was not written, as it exceeds the largest file size allowed here (File too large)" in ended.stdout
    assert "8 images are counted and kept in" in ended.stdout


def environment():
    """This process's, with the modules of these tests."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_counted(tiny_model, photos, tmp_path):
    def never(index):
        raise AssertionError

    listed = replace(dataset(photos), read=never)
    with (
        read_only(tmp_path),
        pytest.raises(
            WriteFailed,
            match=r"out/profiles\.safetensors cannot be written "
            r"\(Read-only",
        ),
    ):
        profile(tiny_model, listed, tmp_path / "out", **SETTINGS)
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailed, match="file is not a folder: name another one"):
        profile(tiny_model, listed, tmp_path / "file", **SETTINGS)


@pytest.mark.slow
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("at", [2, 6, 15])
def test_a_folder_that_vanishes_is_said_and_not_made_again(whole, tiny_model, photos, tmp_path, at, again):
    out = tmp_path / "out"

    def vanish(done, of):
        if done == at:
            shutil.rmtree(out)
            if again:
                (out / "shards").mkdir(parents=True)

    with pytest.raises(FolderGone) as failed:
        profile(tiny_model, photos, out, report=vanish, **SETTINGS)
    assert str(out) in str(failed.value)
    if not again:
        assert not out.exists()
        assert "The images counted so far are lost with it: start again to count all images." in str(failed.value)
    assert profile(tiny_model, photos, out, **SETTINGS).path.read_bytes() == whole.path.read_bytes()


def test_a_folder_that_another_pass_has_taken_over_is_left_to_it(whole, tiny_model, photos, tmp_path):
    out, taken = tmp_path / "out", []

    def take_over(done, of):
        if not taken:
            shutil.rmtree(out)
            taken.append(profile(tiny_model, photos, out, **SETTINGS).path.read_bytes())

    with pytest.raises(FolderGone):
        profile(tiny_model, photos, out, report=take_over, **SETTINGS)
    assert taken == [whole.path.read_bytes()]
    assert open_profiles(out).path.read_bytes() == taken[0]
    assert sorted(path.name for path in out.iterdir()) == ["profiles.safetensors", "report.json"]
