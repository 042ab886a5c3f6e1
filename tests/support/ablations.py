"""Images for ablations, and a pass that never ends to be killed."""

import sys
from dataclasses import replace
from pathlib import Path
from threading import Event

import torch

from se_viz.data.dataset_sources import dataset
from se_viz.interventions.ablate import ablate
from se_viz.interventions.edits import shuffle
from support.profiling import make_images, tiny

CLASSES = ("red", "green", "blue")
SETTINGS = {"batch": 4, "shard": 8}
EDITS = [1.0, 0.0, shuffle()]

__all__ = ["CLASSES", "EDITS", "SETTINGS", "make_images", "tiny"]


def stalled(data, out):
    """A pass that finishes its first shard and waits for ever in the second."""
    listed = dataset(data)
    begun = []

    def read(index):
        begun.append(index)
        if len(begun) > SETTINGS["shard"]:
            Event().wait()
        return listed.read(index)

    ablate(tiny(classes=CLASSES), replace(listed, read=read), out, edits=EDITS, **SETTINGS)


if __name__ == "__main__":
    torch.set_num_threads(1)
    stalled(Path(sys.argv[1]), Path(sys.argv[2]))
