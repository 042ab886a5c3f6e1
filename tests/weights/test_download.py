"""Both protocols against a server on this machine, and every way in which it may fail."""

import errno
import random
import shutil
import socket
import subprocess
import sys
import threading
from collections import namedtuple

import pytest
from requests import exceptions
from support.faulty_disk import full_disk

from se_viz.weights import cache, download, http
from se_viz.weights.errors import Cancelled, DownloadFailed
from se_viz.weights.remote_files import HubFile, ReleaseFile

CONTENT = random.Random(0).randbytes(1_000_000)


@pytest.fixture(params=["hub", "release"])
def weights(request, weight_server):
    """The same content by either protocol."""
    if request.param == "release":
        return ReleaseFile(weight_server.release_file("net", CONTENT))
    weight_server.hub_file("timm/net.in1k", CONTENT)
    return HubFile("timm/net.in1k")


def ranges(weight_server):
    return [
        headers.get("Range")
        for method, path, headers in weight_server.asked
        if method == "GET" and "resolve" not in path
    ]


def leftovers(suffix):
    return list(cache.folder().rglob(f"*{suffix}"))


def test_weights_are_fetched_once_and_reported_on_the_way(weights, weight_server):
    seen = []
    assert weights.cached() is None
    path = weights.path(seen.append)
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(cache.folder())
    assert weights.cached() == path
    assert [progress.done for progress in seen] == sorted({progress.done for progress in seen})
    assert (seen[-1].done, seen[-1].total, seen[-1].left) == (len(CONTENT), len(CONTENT), 0)
    assert len(seen) > 2
    assert all(progress.speed > 0 for progress in seen)
    assert not leftovers(".part")
    asked = len(weight_server.asked)
    assert weights.path() == path
    assert len(weight_server.asked) == asked


def test_what_is_cut_is_taken_up_where_it_was_cut(weights, weight_server):
    weight_server.faults.extend(["cut", "cut"])
    assert weights.path().read_bytes() == CONTENT
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for wanted in ranges(weight_server)[1:]]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(CONTENT)


def test_a_server_that_cannot_resume_sends_everything_again(weights, weight_server):
    weight_server.resumes = False
    weight_server.faults.append("cut")
    assert weights.path().read_bytes() == CONTENT


def test_a_server_that_sends_nothing_more_is_given_up(weights, weight_server):
    weight_server.resumes = False
    weight_server.faults.extend(["cut"] * 3)
    with pytest.raises(DownloadFailed, match=r"broke at 0\.\d MB: load again to continue"):
        weights.path()
    weight_server.resumes = True
    assert weights.path().read_bytes() == CONTENT
    assert ranges(weight_server)[-1].startswith("bytes=")


def test_wrong_bytes_are_never_used_nor_kept(weights, weight_server):
    weight_server.faults.append("wrong")
    with pytest.raises(DownloadFailed, match=r"is not .*sha256 does not begin with .*was deleted"):
        weights.path()
    assert weights.cached() is None
    assert not leftovers(".part")
    assert weights.path().read_bytes() == CONTENT


def test_a_file_that_was_damaged_in_the_cache_is_fetched_again(weights):
    path = weights.path()
    path.write_bytes(CONTENT[:-1])
    assert weights.path().read_bytes() == CONTENT


def test_a_download_that_had_all_but_its_name_is_not_fetched_again(weights, weight_server):
    path = weights.path().resolve()
    (lock,) = leftovers(".safetensors.lock") + leftovers(".pth.lock")
    path.rename(lock.with_suffix(".part"))
    assert weights.path().read_bytes() == CONTENT
    assert ranges(weight_server) == [None, "bytes=1000000-"]


def test_a_stalled_server_is_not_waited_for(weights, weight_server, monkeypatch):
    monkeypatch.setattr(http, "TIMEOUT", (10.0, 0.2))
    weight_server.faults.append("stall")
    with pytest.raises(DownloadFailed, match="sent nothing for"):
        weights.path()
    monkeypatch.setattr(http, "TIMEOUT", (10.0, 10.0))
    assert weights.path().read_bytes() == CONTENT
    assert ranges(weight_server)[-1].startswith("bytes=")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (404, r"does not exist \(404\)"),
        (401, r"requires permission for .* \(401\): (set HF_TOKEN|load a file)"),
        (403, r"requires permission for .* \(403\): (set HF_TOKEN|load a file)"),
        (410, r"refuses .*410"),
        (429, r"too many requests .*\(429\): try again in 7 seconds"),
        (503, r"returned a server error \(503\)"),
    ],
)
def test_an_error_of_the_server_has_its_sentence(weights, weight_server, code, said):
    weight_server.faults.append(code)
    with pytest.raises(DownloadFailed, match=said):
        weights.path()
    assert weights.path().read_bytes() == CONTENT


def test_two_who_ask_at_once_download_once(weights, weight_server):
    weight_server.faults.append("hold")
    paths = []

    def waiting(progress):
        if progress.speed == 0:
            weight_server.release.set()

    first = threading.Thread(target=lambda: paths.append(weights.path()))
    first.start()
    assert weight_server.held.wait(60)
    second = threading.Thread(target=lambda: paths.append(weights.path(waiting)))
    second.start()
    first.join()
    second.join()
    assert len(paths) == 2
    assert paths[0] == paths[1]
    assert len(ranges(weight_server)) == 1


def test_a_download_can_be_cancelled_and_gone_on_with(weights, weight_server):
    seen = []
    with pytest.raises(Cancelled, match="was cancelled"):
        weights.path(seen.append, lambda: len(seen) > 0)
    assert weights.cached() is None
    (part,) = leftovers(".part")
    assert 0 < part.stat().st_size < len(CONTENT)
    assert weights.path().read_bytes() == CONTENT
    assert ranges(weight_server)[-1].startswith("bytes=")


def test_who_waits_for_another_can_cancel_too(weights, weight_server):
    weight_server.faults.append("hold")
    first = threading.Thread(target=weights.path)
    first.start()
    assert weight_server.held.wait(60)
    with pytest.raises(Cancelled):
        weights.path(cancelled=lambda: True)
    weight_server.release.set()
    first.join()
    assert weights.path().read_bytes() == CONTENT


def test_a_full_disk_is_noticed_before_and_while_writing(weights, monkeypatch):
    usage = namedtuple("usage", "free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _path: usage(999_999))
        with pytest.raises(
            DownloadFailed, match=r"is full: 1 MB more are needed; free some space, or set SE_VIZ_CACHE"
        ):
            weights.path()

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(download, "_write", full)
        with pytest.raises(DownloadFailed, match="is full: free some space"):
            weights.path()
    assert weights.path().read_bytes() == CONTENT


def test_what_came_before_the_disk_was_full_is_kept_said_and_gone_on_with(weights, weight_server):
    with full_disk(cache.folder(), 600_000), pytest.raises(DownloadFailed) as failed:
        weights.path()
    (part,) = leftovers(".part")
    size = part.stat().st_size
    assert 0 < size <= 600_000
    assert f"The disk of {part.parent} is full: free some space, or set SE_VIZ_CACHE to a folder on another" in str(
        failed.value
    )
    assert str(failed.value).endswith(f"{size / 1e6:.1f} MB of it are kept: load again to continue.")
    assert weights.path().read_bytes() == CONTENT
    assert ranges(weight_server)[-1] == f"bytes={size}-"


def test_a_cache_that_vanishes_is_said_and_made_again_at_the_next_try(weights):
    with pytest.raises(
        DownloadFailed, match=r"\.part was removed while it was written.* Load again to download it, or set"
    ):
        weights.path(lambda _progress: shutil.rmtree(cache.folder(), ignore_errors=True))
    assert weights.path().read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_to_is_named(weights, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SE_VIZ_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadFailed, match=r"file/.* cannot be used .*set SE_VIZ_CACHE"):
        weights.path()


def test_what_is_too_large_is_not_fetched(weights, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 999_999)
    with pytest.raises(DownloadFailed, match=r"larger than 0\.000999999 GB"):
        weights.path()
    assert not leftovers(".part")


def test_without_a_network_the_cache_still_serves(weights, weight_server, monkeypatch):
    path = weights.path()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", nobody)
    assert weights.path() == path
    shutil.rmtree(cache.folder())
    gone = (
        weights
        if isinstance(weights, HubFile)
        else ReleaseFile(weights.url.replace(weight_server.url, nobody.replace("127.0.0.1", "localhost")))
    )
    with pytest.raises(DownloadFailed, match=r"cannot be reached: check the connection.*load_checkpoint") as caught:
        gone.path()
    assert ("HF_ENDPOINT" in str(caught.value)) == isinstance(weights, HubFile)


def test_a_token_is_for_the_hub_and_not_for_where_it_sends_us(weight_server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    weight_server.hub_file("timm/net.in1k", CONTENT)
    HubFile("timm/net.in1k").path()
    sent = {path: headers.get("Authorization") for _, path, headers in weight_server.asked}
    assert sent.pop("/timm/net.in1k/resolve/main/model.safetensors") == "Bearer secret"
    assert list(sent.values()) == [None]


def test_a_repository_that_was_renamed_is_followed(weight_server):
    weight_server.hub_file("timm/new", CONTENT)
    weight_server.moved["/timm/old/resolve/main/model.safetensors"] = "/timm/new/resolve/main/model.safetensors"
    assert HubFile("timm/old").path().read_bytes() == CONTENT


def test_a_repository_without_safetensors_has_a_pickle(weight_server):
    weight_server.hub_file("timm/net.in1k", CONTENT, "pytorch_model.bin")
    assert HubFile("timm/net.in1k").path().suffix == ".bin"


def test_a_release_may_lie_elsewhere(weight_server):
    url = weight_server.release_file("net", CONTENT)
    path = url.removeprefix(weight_server.url)
    weight_server.files["/elsewhere"] = weight_server.files.pop(path)
    weight_server.moved[path] = f"{weight_server.elsewhere}/elsewhere"
    assert ReleaseFile(url).path().read_bytes() == CONTENT


def test_redirects_without_end_are_not_followed(weight_server):
    url = weight_server.release_file("net", CONTENT)
    path = url.removeprefix(weight_server.url)
    weight_server.moved[path] = path
    with pytest.raises(DownloadFailed, match="redirects more than 5 times"):
        ReleaseFile(url).path()
    weight_server.moved["/timm/old/resolve/main/model.safetensors"] = "/timm/old/resolve/main/model.safetensors"
    with pytest.raises(DownloadFailed, match="redirects more than 5 times"):
        HubFile("timm/old").path()


def test_an_invalid_mirror_is_named(weight_server, monkeypatch):
    weight_server.files["/timm/net/resolve/main/model.safetensors"] = b"<html>Welcome</html>"
    with pytest.raises(DownloadFailed, match=r"does not state the sha256 or the commit of timm/net.*HF_ENDPOINT"):
        HubFile("timm/net").path()
    with pytest.raises(DownloadFailed, match=r"does not exist \(404\).*HF_ENDPOINT is http"):
        HubFile("timm/none").path()
    monkeypatch.setenv("HF_ENDPOINT", "mirror")
    with pytest.raises(DownloadFailed, match="is not a web address; HF_ENDPOINT is mirror"):
        HubFile("timm/net").path()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.SSLError(), r"certificate of host is not trusted.*REQUESTS_CA_BUNDLE"),
        (exceptions.ProxyError(), "proxy does not allow connections to host: check HTTPS_PROXY"),
        (exceptions.ConnectTimeout(), "host has sent nothing for"),
        (exceptions.InvalidHeader("odd"), "host gave no usable response: odd"),
    ],
)
def test_what_a_network_may_do_has_its_sentence(error, said):
    with pytest.raises(DownloadFailed, match=said), http.friendly_errors("https://host/file"):
        raise error


def test_a_release_without_a_hash_in_its_name_is_not_fetched(weight_server):
    with pytest.raises(DownloadFailed, match="could not be verified"):
        ReleaseFile(f"{weight_server.url}/net.pth").path()
    assert not weight_server.asked


def test_the_cache_is_in_the_users_folder_unless_it_is_set(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SE_VIZ_CACHE", raising=False)
    assert cache.folder().name == "se-viz"
    monkeypatch.setenv("SE_VIZ_CACHE", "~/weights")
    assert cache.folder().name == "weights"
    assert cache.folder().is_absolute()


@pytest.mark.slow
def test_another_process_that_asks_waits_and_downloads_nothing(weights, weight_server):
    code = (
        "from se_viz.weights.remote_files import HubFile, ReleaseFile\n"
        f"print({weights!r}.path(lambda progress: print('waiting' if not progress.speed else 'fetching', flush=True)))"
    )
    weight_server.faults.append("hold")
    first = threading.Thread(target=weights.path)
    first.start()
    assert weight_server.held.wait(60)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "waiting\n"
        weight_server.release.set()
        said = other.communicate()[0].splitlines()
    first.join()
    assert said[-1] == str(weights.cached())
    assert "fetching" not in said
    assert len(ranges(weight_server)) == 1
