"""A network that profiles in a moment, images for it, and a pass that never ends to be killed."""

import pickle
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.ops import SqueezeExcitation

from se_viz.data.dataset_sources import dataset
from se_viz.data.preprocess import Preprocess
from se_viz.gates.clone import copy_without_hooks
from se_viz.model.model import Model
from se_viz.profiles.metadata import DatasetInfo, GateEntry, Header, ModelInfo, RunSettings
from se_viz.profiles.profile import profile
from se_viz.profiles.ray_worker import Parcel
from se_viz.profiles.shards import plan_shards

SETTINGS = {"batch": 2, "shard": 4, "examples": 2, "images": True}


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), SqueezeExcitation(8, 4))
        relu = SqueezeExcitation(6, 4, scale_activation=nn.ReLU)
        self.second = nn.Sequential(nn.Conv2d(8, 6, 3, 2, 1), nn.ReLU(), relu)
        self.head = nn.Linear(6, 3)
        with torch.no_grad():
            for name, weights in self.named_parameters():
                weights.mul_(8 if ".2." in name else 1)

    def forward(self, x):
        return self.head(self.second(self.first(x)).mean((2, 3)))


def tiny(seed=0, name="test/tiny", classes=("red", "green", "blue")):
    torch.manual_seed(seed)
    return Model(name, Tiny(), Preprocess(crop=(16, 16), resize=16), classes)


def make_images(folder, classes=("ape", "bee", "cat"), count=5, seed=0):
    """A folder of class folders; an image is of noise around its class's colour."""
    rng = np.random.default_rng(seed)
    for name in classes:
        (folder / name).mkdir(parents=True)
        colour = rng.integers(60, 196, 3)
        for index in range(count):
            pixels = (colour + rng.integers(-60, 60, (16, 20, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


def parcel_of(model, listed, read, folder, device="cpu"):
    """Return what the driver of a cluster sends to a worker; ``read``, which can be pickled, reads the images."""
    run = RunSettings(2, 4)
    header = Header(
        model=ModelInfo.of(model),
        gates=tuple(GateEntry.of(gate) for gate in model.gates),
        sources=(DatasetInfo.of(listed),),
        labels="given",
        classes=listed.classes,
        counts=(),
        run=run,
    )
    token = folder / "token"
    token.write_text("mine")
    return Parcel(
        network=pickle.dumps(copy_without_hooks(model.network)),
        dataset=pickle.dumps(replace(listed, read=read)),
        tasks=dict(enumerate(plan_shards(header, run, len(listed), folder))),
        batch=2,
        cwd=str(Path.cwd()),
        device=device,
        threads=1,
        token=(token, "mine"),
        first_readable=None,
    )


def stalled(data, out):
    """A pass that finishes its first shard and waits for ever in the second."""
    listed = dataset(data)

    def read(index):
        if index >= SETTINGS["shard"]:
            Event().wait()
        return listed.read(index)

    profile(tiny(), replace(listed, read=read), out, **SETTINGS)


if __name__ == "__main__":
    torch.set_num_threads(1)
    stalled(Path(sys.argv[1]), Path(sys.argv[2]))
