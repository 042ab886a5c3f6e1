"""The class profiles of the demo models on Imagenette's validation set, in ``pretrained/profiles/``."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from se_viz.data import datasets
from se_viz.demo import pretrained as demo
from se_viz.disk.errors import friendly_errors
from se_viz.model.model import load
from se_viz.profiles.class_profiles import ClassProfiles, open_profiles
from se_viz.profiles.compact import compact
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.metadata import VERSION
from se_viz.profiles.profile import profile
from se_viz.zoo import registry as catalogue


def folder() -> Path:
    """Where they are."""
    return demo.folder() / "profiles"


def path(name: str, root: Path | None = None) -> Path:
    """The file of a model, for instance of "demo/r16"; it need not be there."""
    return (root or folder()) / f"{name.removeprefix('demo/')}.safetensors.xz"


def shipped(name: str) -> ClassProfiles:
    """The class profiles of a demo model, compact, read into memory.

    Raises:
        ProfilesRefused: none ships with that model.
    """
    return open_profiles(path(name))


def rebuild(
    data: str | Path, root: Path | None = None, device: str = "auto", progress: bool = False
) -> Iterator[ClassProfiles]:
    """Make the class profiles of each demo model that is there, but for those that are made, and give each in turn.

    One that was written in an older format is made again.

    Args:
        data: Imagenette, of which the validation set is taken.
        root: where the class profiles go; the folder they ship in if not given.
        device: to compute on.
        progress: as in ``profile``.
    """
    root = root or folder()
    with friendly_errors(path("", root)):
        root.mkdir(parents=True, exist_ok=True)
    dataset = datasets.dataset(data, "val")
    for name in catalogue.names():
        if not name.startswith("demo/"):
            continue
        model = load(name, device, fast=False)
        file = path(name, root)
        try:
            found = open_profiles(file, model, dataset)
        except ProfilesError:
            found = None
        if found is None or found.header.version < VERSION:
            with TemporaryDirectory(prefix=f".{file.stem}-", dir=root) as work:
                found = compact(profile(model, dataset, work, images=True, progress=progress), file)
        model.close()
        yield found
