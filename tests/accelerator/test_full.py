"""A device that runs out of memory: a reading goes on in smaller batches, or ends with a sentence; nothing is kept."""

import gc

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from support.networks import make_images
from support.profiling import make_images as photographs
from support.profiling import tiny
from typer.testing import CliRunner

from se_viz.analysis.demo_responses import measure as responses
from se_viz.cli.app import app
from se_viz.data.imagenette import Labelled
from se_viz.demo import pretrained as demo
from se_viz.demo.evaluate import count_correct
from se_viz.demo.recipe import PREPROCESS
from se_viz.device.memory import DeviceFull, raise_if_full
from se_viz.gates.block import block_of
from se_viz.interventions.capture import capture
from se_viz.model.loading import load, load_checkpoint
from se_viz.profiles.profile import profile

ACCEL = torch.device("accel:0")
WEIGHTS = 4 * 2_176_874  # bytes of demo/r16
IMAGE = 3 * 64 * 64 * 4


@pytest.fixture
def model():
    return load("demo/r16", "accel")


@pytest.fixture
def batches(model):
    """How many images each forward pass was given."""
    seen = []
    with model.network.register_forward_pre_hook(lambda _module, args: seen.append(len(args[0]))):
        yield seen


def needed(memory, work):
    """The most bytes that some work takes beside what was there before."""
    before = memory.live
    memory.peak = before
    work()
    return memory.peak - before


def assert_close(one, other):
    np.testing.assert_allclose(one.logits, other.logits, rtol=1e-4, atol=1e-5)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a.s, b.s, rtol=0, atol=1e-6)
        np.testing.assert_allclose(a.z, b.z, rtol=1e-4, atol=1e-5)


def test_the_batch_is_halved_and_nothing_is_lost(memory, model, batches):
    images = make_images(12, 64)
    four = needed(memory, lambda: capture(model, images[:4], ["SE_5_2"]))
    expected = capture(model, images, ["SE_5_2"])
    batches.clear()
    before = memory.live
    with memory.limited(free=four):
        found = capture(model, images, ["SE_5_2"])
    assert batches == [12, 6, 3, 3, 3, 3]
    assert_close(found, expected)
    np.testing.assert_allclose(found["SE_5_2"].u, expected["SE_5_2"].u, rtol=1e-4, atol=1e-5)
    gc.collect()
    assert memory.live == before


def test_images_that_lie_there_already_count_too(memory, model, batches):
    images = make_images(8, 64)
    expected = capture(model, images)
    images = images.to(ACCEL)
    four = needed(memory, lambda: capture(model, images[:4]))
    batches.clear()
    with memory.limited(free=four):
        assert_close(capture(model, images), expected)
    assert batches == [8, 4, 4]


def test_a_single_image_too_many_is_said_and_gives_all_back(memory, model, batches):
    expected = capture(model, make_images(3, 64))
    batches.clear()
    before = memory.live
    with memory.limited(free=3 * IMAGE):
        with pytest.raises(DeviceFull) as raised:
            capture(model, make_images(3, 64))
        gc.collect()
        assert memory.free == 3 * IMAGE
    assert batches == [3, 1]
    assert str(raised.value) == (
        "Not enough memory for one image of 3 × 64 × 64 in SEResNet on accel:0 (0.0 of 0.0 GB free): stop other "
        "programs that use this device, or choose a smaller network, or use the CPU (device='cpu')."
    )
    assert memory.live == before
    assert_close(capture(model, make_images(3, 64)), expected)


def test_the_weights_are_foreseen(memory):
    with (
        memory.limited(free=WEIGHTS - 1),
        pytest.raises(DeviceFull, match=r"Not enough memory for demo/r16 \(0\.0 GB\) on"),
    ):
        load("demo/r16", "accel")
    assert not memory.live


@pytest.mark.parametrize("beside", [0, 100_000])
def test_a_network_that_cannot_run_is_no_model_and_leaves_nothing(memory, beside):
    """Room for all parameters, but not for buffers; or for those, but not for what shows its gates."""
    with memory.limited(free=WEIGHTS + beside):
        with pytest.raises(DeviceFull, match=r"Not enough memory for demo/r16 on accel:0"):
            load("demo/r16", "accel")
        gc.collect()
        assert not memory.live


def test_a_users_checkpoint_likewise(memory, tmp_path):
    save_file(timm.create_model("test_efficientnet").state_dict(), tmp_path / "own.safetensors")

    def own():
        return load_checkpoint(str(tmp_path / "own.safetensors"), "timm/test_efficientnet", device="accel")

    weights = own().network
    size = sum(tensor.nbytes for tensor in weights.state_dict().values())
    del weights
    gc.collect()
    assert not memory.live
    for free in (size // 2, size + 4 * IMAGE):
        with memory.limited(free=free):
            with pytest.raises(DeviceFull, match=r"Not enough memory for own\.safetensors on accel:0"):
                own()
            gc.collect()
            assert not memory.live


def test_what_failed_is_gone_before_the_free_memory_is_told(memory):
    def fill(parts):
        parts += [torch.zeros(25_000_000, device=ACCEL), torch.zeros(25_000_000, device=ACCEL)]
        torch.zeros(25_000_000, device=ACCEL)

    def work():
        fill([])

    with (
        memory.limited(free=260e6),
        pytest.raises(DeviceFull, match=r"a cat on accel:0 \(0\.3 of 0\.3 GB free\)"),
        raise_if_full(ACCEL, "a cat"),
    ):
        work()


def test_another_error_is_left_as_it_is():
    with pytest.raises(RuntimeError, match="same device"), raise_if_full(ACCEL, "a cat"):
        torch.ones(2, device=ACCEL) + torch.ones(2)


def test_a_block_that_cannot_be_watched_is_said(memory, model):
    with memory.limited(free=IMAGE), raise_if_full(ACCEL, "one image"), pytest.raises(torch.OutOfMemoryError):
        block_of(model.network, model.gates[0], 64)
    gc.collect()
    assert block_of(model.network, model.gates[0], 64).parts


@pytest.fixture
def photos(tmp_path):
    return photographs(tmp_path / "photos", count=4)


def test_profiles_are_the_same_in_less_memory(memory, model, photos, tmp_path, batches):
    whole = profile(model, photos, tmp_path / "whole", batch=12, images=True)
    one = needed(memory, lambda: capture(model, make_images(1, 128)))
    batches.clear()
    with memory.limited(free=1.5 * one):
        less = profile(model, photos, tmp_path / "less", batch=12, images=True)
    assert set(batches) >= {12, 1}
    assert less.counts.tolist() == whole.counts.tolist() == [4, 4, 4]
    for gate, other in zip(less, whole, strict=True):
        np.testing.assert_allclose(gate.images(), other.images(), atol=1e-5)


def test_profiles_without_room_for_the_batch_itself(memory, photos, tmp_path):
    """Less than the images of the batch take, but room for one of them and what becomes of it."""
    small = tiny()
    small.network.to(ACCEL)
    whole = profile(small, photos, tmp_path / "whole", batch=12, images=True)
    one = needed(memory, lambda: capture(small, make_images(1, 16)))
    assert one < 12 * 3 * 16 * 16 * 4
    with memory.limited(free=one):
        less = profile(small, photos, tmp_path / "less", batch=12, images=True)
    for gate, other in zip(less, whole, strict=True):
        np.testing.assert_allclose(gate.images(), other.images(), atol=1e-5)


def test_profiles_without_room_for_one_image_are_said_by_the_command(memory, photos, tmp_path):
    with memory.limited(free=1.05 * WEIGHTS + 400_000):
        ran = CliRunner().invoke(
            app, ["profile", "--data", str(photos), "--device", "gpu", "--out", str(tmp_path / "out")]
        )
    said = " ".join(ran.output.split())
    assert ran.exit_code == 1
    assert "Not enough memory for" in said
    assert "on accel:0" in said
    assert isinstance(ran.exception, SystemExit)
    del ran
    gc.collect()
    assert not memory.live


def test_what_counts_and_measures_says_it(memory, model):
    pixels = np.zeros((4, 3, 128, 128), np.uint8)
    data = Labelled(pixels, np.zeros(4, np.int64), ("a", "b", "c", "d"))
    with memory.limited(free=IMAGE), pytest.raises(DeviceFull, match="Not enough memory for 128 images on accel:0"):
        count_correct(model.network, data, PREPROCESS)
    model.close()
    with memory.limited(free=IMAGE), pytest.raises(DeviceFull, match="Not enough memory for r16 on accel:0"):
        responses([(demo.card("r16"), demo.folder())], data, ACCEL)
