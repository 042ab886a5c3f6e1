"""The cache of huggingface_hub, so that timm, transformers and SE Viz use what one of them has downloaded."""

import os
from pathlib import Path
from types import ModuleType
from typing import cast

from se_viz.weights import cache
from se_viz.weights.errors import DownloadFailed

# Variables that move the cache of huggingface_hub.
_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME")

_HEX_DIGITS_OF_SHA256 = 64


def folder() -> Path:
    """Return the cache folder of huggingface_hub, or one in ``SE_VIZ_CACHE`` if only that variable is set."""
    if os.environ.get("SE_VIZ_CACHE") and not any(map(os.environ.get, _VARIABLES)):
        return cache.folder() / "huggingface"
    return Path(_library().constants.HF_HUB_CACHE)


def find(repo: str, file: str, revision: str) -> Path | None:
    """Return the path of a file of a repository if it is in the cache, without asking the hub."""
    path = _library().try_to_load_from_cache(repo, file, cache_dir=folder(), revision=revision)
    return Path(path) if isinstance(path, str) else None


def blob(repo: str, sha256: str) -> Path:
    """Return the path where the cache keeps the content of a file."""
    from huggingface_hub.file_download import repo_folder_name

    return folder() / repo_folder_name(repo_id=repo, repo_type="model") / "blobs" / sha256


def sha256_of(path: Path) -> str:
    """Return the sha256 that the hub stated for a file of the cache, or "" where the cache does not keep it.

    The path is a symbolic link to the content, which is named by its sha256. On a Windows machine without such links
    the path is the content, and the hash is known only while the file is downloaded.
    """
    # One step only: the content may be a link, too, to a file that several repositories share.
    name = path.readlink().name if path.is_symlink() else ""
    return name if len(name) == _HEX_DIGITS_OF_SHA256 else ""


def add(repo: str, file: str, revision: str, endpoint: str) -> Path:
    """Return the path of a file in the cache whose content is at ``blob``; the library creates the link to it.

    Raises:
        DownloadFailed: the hub cannot be asked for the revision, or the cache cannot be written to.
    """
    try:
        # The content exists, so nothing is downloaded.
        path = _library().hf_hub_download(repo, file, revision=revision, cache_dir=folder(), endpoint=endpoint)
    except Exception as error:  # the library passes on the errors of its HTTP client
        raise DownloadFailed(
            f"{repo} was downloaded, but huggingface_hub could not add it to {folder()} "
            f"({' '.join(str(error).split())[:300]}). Load again; the file is kept."
        ) from error
    return Path(path)


def token() -> str | None:
    """Return the token for the hub: ``HF_TOKEN``, or that of ``hf auth login``."""
    library = _library()
    return None if library.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else cast("str | None", library.get_token())


def is_offline() -> bool:
    """Return whether ``HF_HUB_OFFLINE`` forbids requests to the hub."""
    return bool(_library().is_offline_mode())


def _library() -> ModuleType:
    """Import huggingface_hub (0.2 s), without telemetry and without its warning on symbolic links."""
    import huggingface_hub
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True
    constants.HF_HUB_DISABLE_SYMLINKS_WARNING = True
    # Its HTTP client ignores the variable of ``requests``, which downloads the files.
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    if bundle and Path(bundle).is_file():
        os.environ.setdefault("SSL_CERT_FILE", bundle)
    return huggingface_hub
