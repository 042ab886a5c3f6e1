"""The two places where pretrained weights are kept: repositories of the Hugging Face hub, and release files."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

import requests

from se_viz.types import ShouldCancel
from se_viz.weights import cache, http, hub_cache
from se_viz.weights.download import OnProgress, Remote, fetch
from se_viz.weights.errors import DownloadFailed

# In the order in which they are looked for: safetensors cannot contain code.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Weights(Protocol):
    """A file of weights that is in the cache or can be downloaded."""

    def cached(self) -> Path | None:
        """Return its path in the cache, not verified; None if it has to be downloaded."""

    def path(self, report: OnProgress | None = None, cancelled: ShouldCancel | None = None) -> Path:
        """Return its verified path and download it if necessary; see ``download.fetch``."""


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A release file of timm or torchvision, with the first digits of its sha256 in its name.

    The weights of the paper's SE-ResNet-50 are one. No library downloads them with a resumed connection, a Stop button,
    one download for all visitors and a limit in bytes, so ``download.fetch`` does.
    """

    url: str

    def cached(self) -> Path | None:
        """Return its path in the cache, not verified; None if it has to be downloaded."""
        path = cache.folder() / self._cache_path
        return path if path.is_file() else None

    def path(self, report: OnProgress | None = None, cancelled: ShouldCancel | None = None) -> Path:
        """Return its verified path and download it if necessary; see ``download.fetch``."""
        sha256 = cache.hash_in(self._cache_path)
        if sha256 is None:
            raise DownloadFailed(f"The name of {self.url} does not contain its hash, so it could not be verified.")
        return fetch(Remote(self.url, self._cache_path, sha256), report, cancelled)

    @property
    def _cache_path(self) -> str:
        return f"releases/{PurePosixPath(urlsplit(self.url).path).name}"


@dataclass(frozen=True, slots=True)
class HubFile:
    """The weights of a repository of the Hugging Face hub, or of the mirror that ``HF_ENDPOINT`` names.

    They are kept in the cache of huggingface_hub, which timm and transformers share; a file in it is used without
    asking the hub. The library also decides on the token and on offline mode. Its ``hf_hub_download`` does not download
    the bytes: ``download.fetch`` does, because version 2.4

    * deletes what has arrived when a download is stopped or its connection breaks. On the page every click ends a run
      and the next one continues the download, which would start again at each click;
    * reports progress, and can be stopped, every 10 MB only; a transfer by Xet cannot be stopped beside others;
    * has no limit in bytes, and lets a second visitor wait without progress or Stop.

    The request for hash and size is made here, too, so that the same rules of proxies, certificates, redirects and
    tokens, and the same messages, hold for all requests of a download.
    """

    repo: str
    revision: str = "main"

    def cached(self) -> Path | None:
        """Return its path in the cache, not verified; None if it has to be downloaded."""
        paths = (hub_cache.find(self.repo, file, self.revision) for file in _HUB_FILES)
        return next(filter(None, paths), None) or self._cached_by_earlier_versions()

    def path(self, report: OnProgress | None = None, cancelled: ShouldCancel | None = None) -> Path:
        """Return its verified path and download it if necessary; see ``download.fetch``."""
        path = self.cached()
        if path is not None and cache.is_verified(path, cache.hash_in(path.name) or hub_cache.sha256_of(path)):
            return path
        if hub_cache.is_offline():
            raise DownloadFailed(
                f"The weights of {self.repo} are not in {hub_cache.folder()}, and HF_HUB_OFFLINE forbids downloads: "
                f"unset it, {http.OWN_FILE}."
            )
        remote, file = self._remote()
        fetch(remote, report, cancelled)
        path = hub_cache.add(self.repo, file, self.revision, http.hub())
        if hub_cache.sha256_of(path) not in ("", remote.sha256):
            raise DownloadFailed(f"{self.repo} was changed on {http.hub()} during the download: load again.")
        cache.record(remote.cache_path, path)
        return path

    @property
    def _folder(self) -> str:
        return f"hub/{self.repo.replace('/', '--')}"

    def _cached_by_earlier_versions(self) -> Path | None:
        """Return the file of an SE Viz that had its own cache of the hub, in ``SE_VIZ_CACHE``."""
        files = (cache.folder() / self._folder).glob("*")
        weights = [path for path in files if cache.hash_in(path.name) and path.suffix in (".safetensors", ".bin")]
        return max(weights, key=lambda path: path.stat().st_mtime, default=None)

    def _remote(self) -> tuple[Remote, str]:
        """Ask the hub for the file; its sha256 and its size are in the answer that redirects to it."""
        token = hub_cache.token()
        for file in _HUB_FILES:
            url = f"{http.hub()}/{self.repo}/resolve/{self.revision}/{file}"
            with http.open_response("HEAD", url, token=token, final=_leads_to_the_file) as response:
                if response.status_code == requests.codes.not_found and file != _HUB_FILES[-1]:
                    continue
                http.check_answer(response, url)
                headers = response.headers
                redirected = response.is_redirect
            break
        sha256 = (headers.get("X-Linked-Etag") or headers.get("ETag", "")).strip('"')
        if not _SHA256.fullmatch(sha256) or "X-Repo-Commit" not in headers:
            raise DownloadFailed(
                f"{http.hub()} does not state the sha256 or the commit of {self.repo}, so its weights cannot be "
                f"verified. It is not a hub, or a mirror that omits them: set HF_ENDPOINT to another, or unset it for "
                f"{http.HUB}."
            )
        size = http.number(headers.get("X-Linked-Size") or ("" if redirected else headers.get("Content-Length")))
        name = PurePosixPath(file)
        cache_path = f"{self._folder}/{name.stem}-{sha256}{name.suffix}"
        return Remote(url, cache_path, sha256, size, token, hub_cache.blob(self.repo, sha256)), file


def _leads_to_the_file(response: requests.Response, target: str) -> bool:
    """Return whether this answer is the hub's own, not a redirect within it (of a renamed repository)."""
    return "X-Linked-Etag" in response.headers or http.origin(target) != http.origin(response.url)
