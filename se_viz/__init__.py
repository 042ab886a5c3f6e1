"""SE Viz: look inside channel attention.

    model = se_viz.load("demo/r16")
    reading = se_viz.capture(model, images)
    reading["SE_5_2"].s  # excitation weights (N, C)
    atlas = se_viz.profile(model, "photos/", out="atlas/")
    atlas["SE_5_2"].s("cat").mean  # of the photos in photos/cat/ (C,)

Names are imported when they are first used, so that ``import se_viz`` does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from se_viz.analysis.cost import cost
    from se_viz.analysis.predictions import predict
    from se_viz.data.image_files import read_paths
    from se_viz.data.sample_images import load as sample
    from se_viz.gates.block import block_of
    from se_viz.gates.capture import Capture, Reading
    from se_viz.gates.errors import NotFiniteValues, PartlyFound
    from se_viz.gates.find import find_gates, survey
    from se_viz.gates.gate import Gate
    from se_viz.gates.insert_gates import insert_gates
    from se_viz.model.capture import capture
    from se_viz.model.model import Model, load, load_checkpoint
    from se_viz.profiles.class_profiles import Atlas, open_atlas
    from se_viz.profiles.merge import merge
    from se_viz.profiles.profile import profile
    from se_viz.weights.head import Head

_HOMES = {
    "Atlas": ("profiles.class_profiles", "Atlas"),
    "Capture": ("gates.capture", "Capture"),
    "Gate": ("gates.gate", "Gate"),
    "Head": ("weights.head", "Head"),
    "Model": ("model.model", "Model"),
    "NotFiniteValues": ("gates.errors", "NotFiniteValues"),
    "PartlyFound": ("gates.errors", "PartlyFound"),
    "Reading": ("gates.capture", "Reading"),
    "block_of": ("gates.block", "block_of"),
    "capture": ("model.capture", "capture"),
    "cost": ("analysis.cost", "cost"),
    "find_gates": ("gates.find", "find_gates"),
    "insert_gates": ("gates.insert_gates", "insert_gates"),
    "load": ("model.model", "load"),
    "load_checkpoint": ("model.model", "load_checkpoint"),
    "merge": ("profiles.merge", "merge"),
    "open_atlas": ("profiles.class_profiles", "open_atlas"),
    "predict": ("analysis.predictions", "predict"),
    "profile": ("profiles.profile", "profile"),
    "read_paths": ("data.image_files", "read_paths"),
    "sample": ("data.sample_images", "load"),
    "survey": ("gates.find", "survey"),
}

__all__ = [
    "Atlas",
    "Capture",
    "Gate",
    "Head",
    "Model",
    "NotFiniteValues",
    "PartlyFound",
    "Reading",
    "block_of",
    "capture",
    "cost",
    "find_gates",
    "insert_gates",
    "load",
    "load_checkpoint",
    "merge",
    "open_atlas",
    "predict",
    "profile",
    "read_paths",
    "sample",
    "survey",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'se_viz' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(f"se_viz.{module}"), attribute)
