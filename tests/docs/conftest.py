"""The files that the examples of the documentation name, small."""

import pytest
import timm
import torch
import torchvision
from PIL import Image

import se_viz


@pytest.fixture(scope="session")
def example_files(tmp_path_factory):
    """A folder with an image, two datasets and two checkpoints."""
    folder = tmp_path_factory.mktemp("examples")
    cat, temple = (se_viz.sample(key).rgb for key in ("cat", "temple"))
    cat.save(folder / "holiday.jpg")
    for data, classes in (("photos", ("cat", "dog")), ("ponds", ("palmate", "smooth"))):
        for image, label in zip((cat, temple), classes, strict=True):
            (folder / data / label).mkdir(parents=True)
            for index in range(3):
                cut = image.crop((20 * index, 10 * index, 200 + 20 * index, 200 + 10 * index))
                cut.resize((160, 160), Image.Resampling.BILINEAR).save(folder / data / label / f"{index}.png")
    (folder / "imagenette2-320").mkdir()
    torch.manual_seed(0)
    torch.save(timm.create_model("legacy_seresnet18", num_classes=3).state_dict(), folder / "newts.pth")
    torch.save(torchvision.models.efficientnet_b0(num_classes=1).state_dict(), folder / "ill.pth")
    return folder


@pytest.fixture
def at_examples(example_files, tmp_path, monkeypatch):
    """An empty folder to work in, with links to those files."""
    for path in example_files.iterdir():
        (tmp_path / path.name).symlink_to(path, target_is_directory=path.is_dir())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def without_downloads(monkeypatch):
    """Let ``se_viz.load`` give networks of the libraries random weights, so that nothing is downloaded."""
    load = se_viz.load

    def loaded(name, *args, **options):
        if name.startswith("demo/"):
            return load(name, *args, **options)
        architecture = name.removeprefix("timm/").partition(".")[0]
        return se_viz.Model(name, timm.create_model(architecture), load("demo/r16").preprocess)

    monkeypatch.setattr(se_viz, "load", loaded)
