"""The two kinds of places where pretrained weights lie: repositories of a hub, and release files."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

import requests

from se_viz.weights import cache
from se_viz.weights import http as web
from se_viz.weights.download import Remote, Report, ShouldCancel, fetch
from se_viz.weights.errors import DownloadFailed

# In the order in which they are looked for: safetensors cannot hold code.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Weights(Protocol):
    """A file of weights that may be in the cache, and can be fetched."""

    def cached(self) -> Path | None:
        """Its path in the cache, not checked; None where it would have to be fetched."""

    def path(self, report: Report | None = None, cancelled: ShouldCancel | None = None) -> Path:
        """Its path, fetched if need be and checked; see ``download.fetch``."""


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A file with the first digits of its sha256 in its name, as timm and torchvision release them."""

    url: str

    def cached(self) -> Path | None:
        """Its path in the cache, not checked; None where it would have to be fetched."""
        path = cache.folder() / self._place
        return path if path.is_file() else None

    def path(self, report: Report | None = None, cancelled: ShouldCancel | None = None) -> Path:
        """Its path, fetched if need be and checked; see ``download.fetch``."""
        sha256 = cache.hash_in(self._place)
        if sha256 is None:
            raise DownloadFailed(f"{self.url} does not carry its hash in its name, so it could not be checked.")
        return fetch(Remote(self.url, self._place, sha256), report, cancelled)

    @property
    def _place(self) -> str:
        return f"releases/{PurePosixPath(urlsplit(self.url).path).name}"


@dataclass(frozen=True, slots=True)
class HubFile:
    """The weights of a repository of the Hugging Face hub, or of the mirror that ``HF_ENDPOINT`` names.

    What the hub says of a file is asked once; what is in the cache is used without asking, also where there is no
    network. ``HF_TOKEN`` is sent if it is set.
    """

    repo: str
    revision: str = "main"

    def cached(self) -> Path | None:
        """Its path in the cache, not checked; None where it would have to be fetched."""
        files = (path for name in _HUB_FILES for path in self._folder.glob(f"*{PurePosixPath(name).suffix}"))
        return max(
            (path for path in files if cache.hash_in(path.name)), key=lambda path: path.stat().st_mtime, default=None
        )

    def path(self, report: Report | None = None, cancelled: ShouldCancel | None = None) -> Path:
        """Its path, fetched if need be and checked; see ``download.fetch``."""
        here = self.cached()
        if here is not None and cache.is_verified(here, cache.hash_in(here.name) or ""):
            return here
        return fetch(self._remote(), report, cancelled)

    @property
    def _folder(self) -> Path:
        return cache.folder() / "hub" / self.repo.replace("/", "--")

    def _remote(self) -> Remote:
        """What the hub says of the file: its sha256 and its size stand in the answer that redirects to it."""
        token = os.environ.get("HF_TOKEN")
        for name in _HUB_FILES:
            url = f"{web.hub()}/{self.repo}/resolve/{self.revision}/{name}"
            with web.open_response("HEAD", url, token=token, final=_leads_to_the_file) as response:
                if response.status_code == requests.codes.not_found and name != _HUB_FILES[-1]:
                    continue
                web.check_answer(response, url)
                headers = response.headers
                redirected = response.is_redirect
            break
        sha256 = (headers.get("X-Linked-Etag") or headers.get("ETag", "")).strip('"')
        if not _SHA256.fullmatch(sha256):
            raise DownloadFailed(
                f"{web.hub()} does not say the sha256 of {self.repo}, so its weights cannot be checked: it is no hub, "
                f"or a mirror that keeps it back. Set HF_ENDPOINT to another, or unset it for {web.HUB}."
            )
        size = web.number(headers.get("X-Linked-Size") or ("" if redirected else headers.get("Content-Length")))
        file = PurePosixPath(name)
        return Remote(url, f"hub/{self._folder.name}/{file.stem}-{sha256}{file.suffix}", sha256, size, token)


def _leads_to_the_file(response: requests.Response, onward: str) -> bool:
    """Whether this is the hub's own answer: one within it (a renamed repository) only leads to another."""
    return "X-Linked-Etag" in response.headers or web.origin(onward) != web.origin(response.url)
