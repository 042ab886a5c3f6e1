"""Class profiles of the demo models on Imagenette's validation set, in ``pretrained/profiles/``."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from se_viz.data import dataset_sources
from se_viz.demo import pretrained
from se_viz.disk.errors import friendly_errors
from se_viz.model.loading import load
from se_viz.profiles.class_profiles import ClassProfiles, open_profiles
from se_viz.profiles.compact import compact
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.metadata import VERSION
from se_viz.profiles.profile import profile
from se_viz.zoo import registry


def folder() -> Path:
    """Return the folder of the bundled class profiles."""
    return pretrained.folder() / "profiles"


def path(name: str, root: Path | None = None) -> Path:
    """Return the path of a model's class profiles, for instance of "demo/r16"; the file need not exist."""
    return (root or folder()) / f"{name.removeprefix('demo/')}.safetensors.xz"


def bundled_profiles(name: str) -> ClassProfiles:
    """Return the compact class profiles of a demo model, read into memory.

    Raises:
        ProfilesRefused: the package has no class profiles of that model.
    """
    return open_profiles(path(name))


def rebuild(
    data: str | Path, root: Path | None = None, device: str = "auto", progress: bool = False
) -> Iterator[ClassProfiles]:
    """Make the class profiles of each available demo model, and yield them one after the other.

    Existing class profiles are kept, unless they have an older format.

    Args:
        data: Imagenette; its validation set is used.
        root: folder to write to (default: ``folder()``).
        device: device to compute on.
        progress: as in ``profile``.
    """
    root = root or folder()
    with friendly_errors(path("", root)):
        root.mkdir(parents=True, exist_ok=True)
    dataset = dataset_sources.dataset(data, "val")
    for name in registry.names():
        if not name.startswith("demo/"):
            continue
        model = load(name, device, fast=False)
        file = path(name, root)
        try:
            profiles = open_profiles(file, model, dataset)
        except ProfilesError:
            profiles = None
        if profiles is None or profiles.header.version < VERSION:
            with TemporaryDirectory(prefix=f".{file.stem}-", dir=root) as work:
                profiles = compact(profile(model, dataset, work, images=True, progress=progress), file)
        model.close()
        yield profiles
