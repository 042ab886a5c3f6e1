"""The folder of weights stays within its limit, and what is in use stays in it."""

import hashlib
import os
import time

import pytest
from typer.testing import CliRunner

from se_viz.cli.app import app
from se_viz.weights import cache
from se_viz.weights.errors import DownloadFailed, UnknownModel
from se_viz.weights.remote_files import HubFile, ReleaseFile
from se_viz.zoo import registry

RUN = CliRunner()
LONG_AGO = 10_000


def put(name, size, ago):
    path = cache.folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - ago,) * 2)
    return path


@pytest.fixture(autouse=True)
def limited(weight_server, monkeypatch):
    monkeypatch.setenv("SE_VIZ_CACHE_LIMIT", "1000")
    return weight_server


def test_what_was_used_longest_ago_makes_room(limited):
    oldest = put("hub/timm--a/model-00000001.safetensors", 400, 3 * LONG_AGO)
    older = put("releases/b-00000002.pth.part", 300, 2 * LONG_AGO)
    old = put("releases/c-00000003.pth", 200, LONG_AGO)
    fetched = ReleaseFile(limited.release_file("net", bytes(500))).path()
    assert not oldest.exists()
    assert older.exists()
    assert old.exists()
    ReleaseFile(limited.release_file("other", bytes(range(200)))).path()
    assert not older.exists()
    assert old.exists()
    assert fetched.exists()


def test_use_counts_and_not_only_arrival(limited):
    url = limited.release_file("net", bytes(500))
    used = ReleaseFile(url).path()
    os.utime(used, (1, 1))
    assert ReleaseFile(url).path() == used
    assert time.time() - used.stat().st_mtime < 60


def test_what_is_in_use_is_not_removed_and_the_message_says_what_to_do(limited):
    recent = put("releases/a-00000001.pth", 600, 1)
    limited.hub_file("timm/net", bytes(500))
    with pytest.raises(DownloadFailed, match=r"is limited to 1e-06 GB: set SE_VIZ_CACHE_LIMIT .* cache --free"):
        HubFile("timm/net").path()
    assert recent.exists()
    os.utime(recent, (1, 1))
    with cache.lock("releases/a-00000001.pth"), pytest.raises(DownloadFailed, match="do not fit"):
        HubFile("timm/net").path()
    HubFile("timm/net").path()
    assert not recent.exists()


def test_what_has_arrived_of_a_file_is_not_removed_for_the_rest_of_it(limited):
    url = limited.release_file("net", bytes(range(250)) * 4)
    name = ReleaseFile(url)._cache_path
    part = put(f"{name}.part", 0, 0)
    part.write_bytes((bytes(range(250)) * 4)[:600])
    os.utime(part, (1, 1))
    assert ReleaseFile(url).path().stat().st_size == 1000
    assert [headers.get("Range") for _, _, headers in limited.asked] == ["bytes=600-"]


def test_only_weights_are_ever_removed(limited):
    kept = [put("notes.txt", 900, LONG_AGO), put("hub/x/readme.md", 900, LONG_AGO), put("releases/mine", 9, LONG_AGO)]
    ReleaseFile(limited.release_file("net", bytes(500))).path()
    assert all(path.exists() for path in kept)
    assert [entry.size for entry in cache.entries()] == [500]


@pytest.mark.parametrize("stated", ["20GB", "-1", "nan", "much"])
def test_an_invalid_limit_is_named(stated, monkeypatch, limited):
    monkeypatch.setenv("SE_VIZ_CACHE_LIMIT", stated)
    with pytest.raises(DownloadFailed, match="give a number of bytes, as in 20e9"):
        ReleaseFile(limited.release_file("net", bytes(500))).path()


def test_the_limit_is_20_gb(monkeypatch):
    monkeypatch.delenv("SE_VIZ_CACHE_LIMIT")
    assert cache.limit() == 20e9


def test_a_shell_lists_and_frees():
    put("hub/timm--a/model-00000001.safetensors", 400, LONG_AGO)
    path = put("releases/b-00000002.pth", 300, 1)
    lines = RUN.invoke(app, ["cache"]).output.splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == [
        "releases/b-00000002.pth",
        "hub/timm--a/model-00000001.safetensors",
    ]
    assert "0.0 MB of 1e-06 GB" in lines[3]
    with cache.lock("releases/b-00000002.pth"):
        assert "is being downloaded, and was kept" in RUN.invoke(app, ["cache", "--free", "b-0"]).output
    assert path.exists()
    assert "removed" in RUN.invoke(app, ["cache", "--free", "b-0"]).output
    assert not path.exists()
    none = RUN.invoke(app, ["cache", "--free", "nothing"])
    assert (none.exit_code, "has 'nothing' in its name" in none.output) == (1, True)
    RUN.invoke(app, ["cache", "--free", "all"])
    assert not cache.entries()


@pytest.mark.parametrize(
    "name",
    ["timm/../../etc/passwd", "timm/resnet50\0", "timm/seresnet50.../x", "torchvision/os", "hf-hub:a/b", "x" * 10**6],
)
def test_a_name_from_an_address_reaches_no_file_and_no_network(name, limited):
    for ask in (registry.listing, registry.fetch, registry.build):
        with pytest.raises(UnknownModel) as caught:
            ask(name)
        assert len(str(caught.value)) < 600
    assert not limited.asked
    assert not cache.folder().exists()


def test_weights_in_a_folder_that_is_shared_read_only_are_used(monkeypatch, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"weights")

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(os, "utime", refused)
    assert cache.is_verified(path, hashlib.sha256(b"weights").hexdigest())
