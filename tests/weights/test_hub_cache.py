"""The hub's files are in the cache of huggingface_hub, where timm and transformers find them, and SE Viz theirs."""

import errno
import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from safetensors.torch import save

from se_viz.weights import cache, download, hub_cache
from se_viz.weights.errors import DownloadFailed
from se_viz.weights.remote_files import HubFile
from se_viz.zoo import timm_source

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REPO = "timm/net.in1k"
FILE = "model.safetensors"


@pytest.fixture
def hub(weight_server):
    weight_server.hub_file(REPO, CONTENT)
    return weight_server


@pytest.fixture
def shared(hub, tmp_path, monkeypatch):
    """A cache of huggingface_hub outside the folder of SE Viz."""
    folder = tmp_path / "shared"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def test_a_file_of_the_hub_is_in_the_shared_cache(hub, shared):
    path = HubFile(REPO).path()
    assert path.is_relative_to(shared)
    assert path.name == FILE
    assert path.resolve() == shared / "models--timm--net.in1k" / "blobs" / SHA256
    asked = len(hub.asked)
    assert huggingface_hub.hf_hub_download(REPO, FILE, local_files_only=True) == str(path)
    assert huggingface_hub.hf_hub_download(REPO, FILE, endpoint=hub.url) == str(path)
    assert [method for method, *_ in hub.asked[asked:]] == ["HEAD"]
    (repository,) = huggingface_hub.scan_cache_dir(shared).repos
    assert (repository.repo_id, repository.size_on_disk) == (REPO, len(CONTENT))
    assert not huggingface_hub.scan_cache_dir(shared).warnings


@pytest.mark.slow
def test_timm_loads_offline_what_se_viz_downloaded(weight_server):
    name = "test_efficientnet.r160_in1k"
    weight_server.hub_file(f"timm/{name}", save(timm_source.create("test_efficientnet").state_dict()))
    HubFile(f"timm/{name}").path()
    variables = {"HF_HUB_CACHE": str(hub_cache.folder()), "HF_HUB_OFFLINE": "1"}
    code = f"import timm; print(timm.create_model({name!r}, pretrained=True).num_classes)"
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, env=os.environ | variables, text=True) == "1000\n"


def test_a_file_that_another_program_downloaded_is_used_without_a_request(hub, shared):
    path = huggingface_hub.hf_hub_download(REPO, FILE, endpoint=hub.url)
    asked = len(hub.asked)
    assert HubFile(REPO).cached() == Path(path)
    assert HubFile(REPO).path() == Path(path)
    assert len(hub.asked) == asked
    assert cache.entries() == []


def test_a_file_that_another_program_downloaded_is_never_removed(hub, shared, monkeypatch):
    path = Path(huggingface_hub.hf_hub_download(REPO, FILE, endpoint=hub.url))
    os.utime(path, (1, 1))
    monkeypatch.setenv("SE_VIZ_CACHE_LIMIT", "400000")
    hub.hub_file("timm/other", CONTENT[::-1])
    HubFile("timm/other").path()
    assert path.is_file()


def test_a_file_that_se_viz_downloaded_counts_and_is_removed_for_another(hub, shared, monkeypatch):
    monkeypatch.setenv("SE_VIZ_CACHE_LIMIT", "400000")
    path = HubFile(REPO).path()
    content = path.resolve()
    (entry,) = cache.entries()
    assert (entry.name, entry.size) == (f"hub/timm--net.in1k/model-{SHA256}.safetensors", len(CONTENT))
    os.utime(path, (1, 1))
    hub.hub_file("timm/other", CONTENT[::-1])
    HubFile("timm/other").path()
    assert not path.is_symlink()
    assert not content.exists()
    assert HubFile(REPO).cached() is None
    (entry,) = cache.entries()
    assert entry.name.startswith("hub/timm--other/")


def test_a_file_that_was_removed_by_another_program_is_not_listed(hub, shared):
    HubFile(REPO).path().unlink()
    assert cache.entries() == []


def test_a_file_of_an_earlier_version_is_still_used(hub):
    path = cache.folder() / "hub" / "timm--net.in1k" / f"model-{SHA256}.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert HubFile(REPO).cached() == path
    assert HubFile(REPO).path() == path
    assert not hub.asked


@pytest.mark.parametrize(
    ("variables", "inside"),
    [({}, True), ({"HF_HOME": "x"}, False), ({"HF_HUB_CACHE": "x"}, False), ({"SE_VIZ_CACHE": ""}, False)],
)
def test_the_cache_is_in_the_folder_of_se_viz_only_if_that_is_set_alone(weight_server, monkeypatch, variables, inside):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (hub_cache.folder() == cache.folder() / "huggingface") == inside
    assert inside or hub_cache.folder() == Path(constants.HF_HUB_CACHE)


def test_offline_the_cache_serves_and_nothing_is_asked(hub, monkeypatch):
    path = HubFile(REPO).path()
    asked = len(hub.asked)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert HubFile(REPO).path() == path
    with pytest.raises(DownloadFailed, match=r"timm/other are not in .*huggingface, and HF_HUB_OFFLINE forbids"):
        HubFile("timm/other").path()
    assert len(hub.asked) == asked


def test_the_token_of_a_login_is_sent(hub, monkeypatch):
    Path(constants.HF_TOKEN_PATH).write_text("stored")
    HubFile(REPO).path()
    sent = {headers.get("Authorization") for _, path, headers in hub.asked if "resolve" in path}
    assert sent == {"Bearer stored"}
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    assert hub_cache.token() is None


def test_without_symbolic_links_the_file_is_used_as_well(hub, shared, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    path = HubFile(REPO).path()
    assert not path.is_symlink()
    assert path.read_bytes() == CONTENT
    assert HubFile(REPO).path() == path
    (entry,) = cache.entries()
    assert cache.remove(entry)
    assert not path.exists()


def test_a_cache_on_another_disk_gets_the_complete_file(hub, shared, monkeypatch):
    replace = Path.replace

    def across_disks(source, target):
        if source.suffix == ".part":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", across_disks)
    assert HubFile(REPO).path().read_bytes() == CONTENT
    assert not [
        path for path in (*shared.rglob("*"), *cache.folder().rglob("*")) if path.suffix in (".part", ".incomplete")
    ]


def test_a_shared_cache_that_cannot_be_written_to_is_named_before_the_download(hub, shared, monkeypatch):
    shared.mkdir()
    monkeypatch.setattr(download.os, "access", lambda path, _mode: not Path(path).is_relative_to(shared))
    with pytest.raises(DownloadFailed, match=r"shared/.*blobs cannot be used .*set HF_HUB_CACHE to a writable folder"):
        HubFile(REPO).path()
    assert {method for method, *_ in hub.asked} == {"HEAD"}


def test_a_hub_that_is_lost_after_the_download_keeps_the_file(hub, monkeypatch):
    def lost(*_args, **_kwargs):
        raise OSError("No route to host")

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "hf_hub_download", lost)
        with pytest.raises(DownloadFailed, match=r"could not add it to .*No route to host.* the file is kept"):
            HubFile(REPO).path()
    gets = hub.count("GET")
    assert HubFile(REPO).path().read_bytes() == CONTENT
    assert hub.count("GET") == gets


@pytest.mark.slow
def test_there_is_no_telemetry_and_no_import_before_it_is_needed(hub):
    code = (
        "import sys, se_viz, se_viz.weights.remote_files as files\n"
        "early = 'huggingface_hub' in sys.modules\n"
        f"files.HubFile({REPO!r}).cached()\n"
        "from huggingface_hub import constants\n"
        "print(early, constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_SYMLINKS_WARNING)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "False True True\n"


def test_the_certificate_of_a_proxy_is_for_the_library_too(hub, tmp_path, monkeypatch):
    (tmp_path / "proxy.pem").touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "proxy.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.delenv("SSL_CERT_FILE")
    hub_cache.token()
    assert os.environ["SSL_CERT_FILE"] == str(tmp_path / "proxy.pem")
