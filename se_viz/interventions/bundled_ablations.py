"""The ablations of demo models on Imagenette's validation set, in ``pretrained/ablations/``."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from se_viz.data import dataset_sources
from se_viz.data.dataset_sources import Dataset
from se_viz.demo import pretrained as demo
from se_viz.disk.errors import friendly_errors
from se_viz.interventions.ablate import ablate
from se_viz.interventions.ablation import Ablation
from se_viz.interventions.ablation_file import open_ablation
from se_viz.model.loading import load
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.metadata import DatasetInfo
from se_viz.zoo import registry


def folder() -> Path:
    """Return the folder of these ablations."""
    return demo.folder() / "ablations"


def path(name: str, root: Path | None = None) -> Path:
    """Return the path of the file of a model, for instance of "demo/r16"; the file may be missing."""
    return (root or folder()) / f"{name.removeprefix('demo/')}.json"


def bundled_ablation(name: str) -> Ablation:
    """Return the ablation that comes with a demo model, for instance "demo/r16".

    Raises:
        AblationRefused: there is no ablation of that model.
    """
    return open_ablation(path(name))


def ablation_of(model: Model) -> Ablation | None:
    """Return the ablation that comes with a demo model; None for another network, or for other weights."""
    file = path(model.name)
    try:
        return open_ablation(file, model) if model.name.startswith("demo/") and file.is_file() else None
    except ProfilesError:
        return None


def rebuild_ablations(
    data: str | Path,
    root: Path | None = None,
    device: str = "auto",
    progress: bool = False,
    only: str | None = None,
) -> Iterator[tuple[Path, Ablation]]:
    """Make the missing ablations of the demo models with gates, and yield each with its file.

    Args:
        data: Imagenette, of which the validation set is taken.
        root: where the ablations go; the folder of those that come with SE Viz if not given.
        device: to compute on.
        progress: as in ``ablate``.
        only: name of the only model to make an ablation of.
    """
    root = root or folder()
    with friendly_errors(path("", root)):
        root.mkdir(parents=True, exist_ok=True)
    dataset = dataset_sources.dataset(data, "val")
    for name in registry.names():
        if not name.startswith("demo/") or only not in (None, name) or not demo.card(name[5:]).network.gated:
            continue
        model = load(name, device, fast=False)
        file = path(name, root)
        ablation = _made(file, model, dataset)
        if ablation is None:
            with TemporaryDirectory(prefix=f".{file.stem}-", dir=root) as work:
                ablation = ablate(model, dataset, work, progress=progress)
            ablation.write(file)
        model.close()
        yield file, ablation


def _made(file: Path, model: Model, dataset: Dataset) -> Ablation | None:
    """Return the ablation in a file if it is of this network and these images, otherwise None."""
    try:
        ablation = open_ablation(file, model)
    except ProfilesError:
        return None
    return ablation if ablation.source == DatasetInfo.of(dataset) else None
