"""The fixtures that all tests share."""

import io
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image
from playwright.sync_api import sync_playwright
from torch.utils.benchmark import Timer

import se_viz
from se_viz.data.imagenette import CLASSES
from se_viz.demo.recipe import PREPROCESS
from se_viz.demo.seresnet import SEResNet
from se_viz.gates.capture import Capture
from se_viz.interventions.capture import capture
from se_viz.model.model import Model
from se_viz.profiles.from_arrays import profiles_from_arrays
from se_viz.weights import http
from se_viz.zoo import registry
from support.weight_server import WeightServer

# The same examples at every run: a test that fails one day in ten says nothing of the change it fails on.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# One thread a process: tests run side by side, and sums then come out the same each time.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _main_module():
    """Put the main module back: a test of a page leaves the page's script there, and a spawned process would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session", autouse=True)
def _brief_timing():
    """Let a measurement of time take a hundredth of a second; no test asks how long something took."""

    class Brief(Timer):
        def blocked_autorange(self, callback=None, min_run_time=0.2):
            return super().blocked_autorange(callback, min(min_run_time, 0.01))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.utils.benchmark.Timer", Brief)
        yield


@pytest.fixture(scope="session")
def model() -> Model:
    """The demo architecture with random weights."""
    torch.manual_seed(0)
    return Model("test/r16", SEResNet(), PREPROCESS, tuple(f"kind {i}" for i in range(10)))


@pytest.fixture(scope="module")
def demo() -> Iterator[Model]:
    """The trained demo model with r = 16."""
    model = se_viz.load("demo/r16", "cpu")
    yield model
    model.close()


@pytest.fixture(scope="session")
def captured(model: Model) -> Capture:
    """Five images of noise, with the maps of the last gate."""
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 3, 128, 128)).astype(np.float32))
    return capture(model, images, maps=["SE_5_2"])


@pytest.fixture
def make_profiles(tmp_path):
    """A function that gives the class profiles of single images' weights, {gate: (N, C)}, and their labels (N,); z is
    s.
    """

    def made(weights, labels, classes, *, images=False, functions=(), z=True):
        return profiles_from_arrays(
            weights,
            labels,
            tmp_path / f"{uuid4().hex}.safetensors",
            z=weights if z else None,
            classes=classes,
            names=[f"{index:04}" for index in range(len(labels))],
            functions=dict(functions),
            name="test",
            examples=1,
            images=images,
        )

    return made


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the test is skipped, or fails where SE_VIZ_BROWSER=required.

    The headless shell is the same engine without windows: a page takes two thirds of the processor time.
    """
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    reason = "Needs Chromium: install Debian's package chromium, or Chrome."
    if os.environ.get("SE_VIZ_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tiny_imagenette(tmp_path_factory):
    """A tar file laid out as Imagenette, with two training and one validation image of each class."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "imagenette2-224.tar"
    with tarfile.open(path, "w") as archive:
        for split, count in (("train", 2), ("val", 1)):
            for wnid in CLASSES:
                for index in range(count):
                    out = io.BytesIO()
                    pixels = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
                    Image.fromarray(pixels).convert("L" if index else "RGB").save(out, "JPEG")
                    member = tarfile.TarInfo(f"imagenette2-224/{split}/{wnid}/{index}.JPEG")
                    member.size = out.tell()
                    out.seek(0)
                    archive.addfile(member, out)
    return path


@pytest.fixture
def weight_server(tmp_path, monkeypatch):
    """A server of weights, which is the hub too, and an empty cache."""
    weight_server = WeightServer()
    monkeypatch.setenv("SE_VIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", weight_server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    for variable in ("HF_TOKEN", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(http, "TIMEOUT", (10.0, 10.0))
    yield weight_server
    weight_server.close()


@pytest.fixture(scope="session")
def browser(chromium):
    """One Chromium for all tests of a process, which can hold only one of Playwright's loops."""
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
        flags += ["--disable-component-update", "--disable-sync"]
        started = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield started
        started.close()


@pytest.fixture
def cluster():
    """A Ray cluster of two processors on this machine, which the tests of the group "ray" share."""
    import ray

    if not ray.is_initialized():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
            # The workers load the small network by its name.
            places = [
                *map(str, (Path(__file__).parents[1], Path(__file__).parents[2])),
                os.environ.get("PYTHONPATH", ""),
            ]
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))
            ray.init(
                "local", num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
            )


@pytest.fixture
def register(monkeypatch):
    """The function that registers a model, for this test alone."""
    monkeypatch.setattr(registry, "_registered", {})
    return registry.register
