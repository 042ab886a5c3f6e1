"""Commands and profiles on a device: what they write is what the CPU gives."""

import accel
import numpy as np
import pandas as pd
import pytest
import torch
from support.profiling import SETTINGS, parcel_of, tiny
from support.profiling import make_images as photographs
from support.quick import exhaustive
from typer.testing import CliRunner

import se_viz
from se_viz.cli.app import app
from se_viz.data import imagenette
from se_viz.data.dataset_sources import dataset
from se_viz.demo import build as making
from se_viz.demo.recipe import PREPROCESS, Recipe
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.demo.verify import verify
from se_viz.device import devices as device
from se_viz.model.loading import load
from se_viz.profiles.profile import profile
from se_viz.profiles.ray_worker import Worker

RUN = CliRunner()


def run(*arguments, status=0):
    ran = RUN.invoke(app, [str(argument) for argument in arguments])
    assert ran.exit_code == status, ran.output
    return ran.output


@pytest.fixture
def photos(tmp_path):
    return photographs(tmp_path / "photos", count=3)


# Each name's device is in test_device.py; that a command reads there is seen by one of them and the second device.
@pytest.mark.parametrize("device", ["accel:1", *exhaustive("auto", "gpu", "accel")])
def test_inspect_writes_what_the_cpu_reads(device, tmp_path):
    run("inspect", "--sample", "cat", "--device", device, "--out", tmp_path, "--maps", "SE_5_2")
    frame = pd.read_csv(tmp_path / "capture.csv")
    expected = se_viz.capture(load("demo/r16", "cpu", fast=False), se_viz.sample("cat"), ["SE_5_2"])
    for gate_capture in expected:
        rows = frame[frame["gate"] == gate_capture.gate.name]
        np.testing.assert_allclose(rows["s"], gate_capture.s[0], rtol=1e-6)
        np.testing.assert_allclose(rows["z"], gate_capture.z[0], rtol=1e-6)
    with np.load(tmp_path / "maps_SE_5_2.npz") as maps:
        np.testing.assert_array_equal(maps["U"], expected["SE_5_2"].u)
    assert accel.fetched


@pytest.mark.parametrize("precision", ["bf16", *exhaustive("fp16")])
def test_inspect_in_other_precisions(precision, tmp_path):
    run("inspect", "--sample", "cat", "--device", "accel", "--precision", precision, "--out", tmp_path)
    frame = pd.read_csv(tmp_path / "capture.csv")
    expected = se_viz.capture(load("demo/r16", "cpu", precision, fast=False), se_viz.sample("cat"))
    for gate_capture in expected:
        np.testing.assert_allclose(frame[frame["gate"] == gate_capture.gate.name]["s"], gate_capture.s[0], rtol=1e-6)


def test_a_class_is_compared_with_images_read_there(photos, tmp_path):
    run(
        "classes",
        "--class",
        "tench",
        "--class",
        "church",
        "--group",
        f"mine={photos}",
        "--device",
        "accel",
        "--out",
        tmp_path,
    )
    assert accel.fetched
    assert any(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["bfloat16", *exhaustive("float32")])
def test_profiles_are_those_of_the_cpu(precision, photos, tmp_path):
    files = []
    for name in ("accel", "cpu"):
        out = tmp_path / name
        run(
            "profile",
            "--data",
            photos,
            "--device",
            name,
            "--out",
            out,
            "--batch",
            4,
            "--images",
            "--precision",
            precision,
        )
        files.append(se_viz.open_profiles(out))
    there, here = files
    for gate, other in zip(there, here, strict=True):
        # The commands take the faster copy on the CPU only where it reads the same to 1e-5.
        off = np.abs(gate.images() - other.images())
        assert off.max() <= (1e-5 if precision == "float32" else 0.05)
        assert gate.images().any()


def test_profiles_from_python_are_the_same_file(photos, tmp_path):
    model = tiny()
    here = profile(model, photos, tmp_path / "cpu", **SETTINGS)
    model.network.to("accel")
    there = profile(model, photos, tmp_path / "accel", **SETTINGS)
    assert there.path.read_bytes() == here.path.read_bytes()
    assert accel.fetched


def test_a_worker_of_a_cluster_takes_the_accelerator_of_its_machine(photos, tmp_path, monkeypatch):
    moved = []
    monkeypatch.setattr(
        "se_viz.device.transfer.set_deterministic", lambda place: moved.append(place) or device.set_deterministic(place)
    )
    model, listed = tiny(), dataset(photos)
    parcel = parcel_of(model, listed, Reads(photos), tmp_path, device="gpu")
    worker = Worker(lambda: parcel)
    assert worker({"item": np.array([1])})["problem"].tolist() == [""]
    assert moved == [torch.device("accel:0")]
    assert accel.fetched
    with accel.memory[0].limited(free=100):
        said = Worker(lambda: parcel)({"item": np.array([0])})["problem"].tolist()[0]
    assert "Not enough memory for test/tiny on accel:0" in said


class Reads:
    """Unlike the closure of a dataset it can be pickled."""

    def __init__(self, photos):
        self.photos = photos

    def __call__(self, index):
        return dataset(self.photos).read(index)


def test_a_demo_network_is_trained_and_measured_there(tiny_imagenette, tmp_path):
    recipe = Recipe(epochs=1, batch=10, sizes=((32, 1.0),))
    card = making.make(
        SEResNetConfig(width=4),
        tiny_imagenette,
        out=tmp_path,
        work=tmp_path,
        recipe=recipe,
        device=torch.device("accel:0"),
    )
    assert card.device == "Test accelerator"
    # Its file is the CPU's, wherever it was made.
    for place in ("accel:1", "cpu"):
        images = imagenette.load(tiny_imagenette, "val", PREPROCESS.pixels)
        assert verify(card, images, tmp_path, torch.device(place)).changed == 0
    assert "of 10 correct" in run("verify", "--data", tiny_imagenette, "--root", tmp_path, "--device", "accel")
