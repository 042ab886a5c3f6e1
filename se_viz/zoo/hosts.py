"""The two kinds of places where pretrained weights lie: repositories of a hub, and release files."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import requests

from se_viz.zoo import cache, web
from se_viz.zoo.download import Asked, Remote, Report, fetch
from se_viz.zoo.errors import DownloadFailed

_HUB = "https://huggingface.co"
_REDIRECTS = 5

# In the order in which they are looked for: safetensors cannot hold code.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Weights(Protocol):
    """A file of weights that may be in the cache, and can be fetched."""

    def cached(self) -> Path | None:
        """Its path in the cache, not checked; None where it would have to be fetched."""

    def path(self, report: Report | None = None, cancelled: Asked | None = None) -> Path:
        """Its path, fetched if need be and checked; see ``download.fetch``."""


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A file with the first digits of its sha256 in its name, as timm and torchvision release them."""

    url: str

    def cached(self) -> Path | None:
        """Its path in the cache, not checked; None where it would have to be fetched."""
        path = cache.folder() / self._place
        return path if path.is_file() else None

    def path(self, report: Report | None = None, cancelled: Asked | None = None) -> Path:
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

    def path(self, report: Report | None = None, cancelled: Asked | None = None) -> Path:
        """Its path, fetched if need be and checked; see ``download.fetch``."""
        here = self.cached()
        if here is not None and cache.holds(here, cache.hash_in(here.name) or ""):
            return here
        return fetch(self._remote(), report, cancelled)

    @property
    def _folder(self) -> Path:
        return cache.folder() / "hub" / self.repo.replace("/", "--")

    def _remote(self) -> Remote:
        endpoint = (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
        token = os.environ.get("HF_TOKEN")
        safe, pickled = (f"{endpoint}/{self.repo}/resolve/{self.revision}/{name}" for name in _HUB_FILES)
        url, answer = safe, _head(safe, token)
        if answer.status_code == requests.codes.not_found:
            url, answer = pickled, _head(pickled, token)
        web.check_answer(answer, url)
        # The hash and the size of a large file stand in the answer that redirects to it.
        sha256 = (answer.headers.get("X-Linked-Etag") or answer.headers.get("ETag", "")).strip('"')
        if not _SHA256.fullmatch(sha256):
            raise DownloadFailed(
                f"{endpoint} does not say the sha256 of {self.repo}, so its weights cannot be checked: it is no hub, "
                f"or a mirror that keeps it back. Set HF_ENDPOINT to another, or unset it for {_HUB}."
            )
        size = answer.headers.get(
            "X-Linked-Size", "" if answer.is_redirect else answer.headers.get("Content-Length", "")
        )
        name = PurePosixPath(url)
        place = f"hub/{self._folder.name}/{name.stem}-{sha256}{name.suffix}"
        return Remote(url, place, sha256, int(size) if size.isdigit() else None, token)


def _head(url: str, token: str | None) -> requests.Response:
    """The hub's own answer: redirects within it (a renamed repository) are followed, one to where files lie is not."""
    with web.session(token) as session, web.explained(url):
        for _ in range(_REDIRECTS):
            answer = session.head(url, allow_redirects=False, timeout=web.TIMEOUT)
            onward = urljoin(url, answer.headers.get("Location", ""))
            if (
                not answer.is_redirect
                or "X-Linked-Etag" in answer.headers
                or urlsplit(onward).netloc != urlsplit(url).netloc
            ):
                return answer
            url = onward
    raise DownloadFailed(f"{url} redirects without end: check HF_ENDPOINT.")
