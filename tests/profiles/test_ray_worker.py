import pickle
from dataclasses import replace

import numpy as np
import pytest
from support.profiling import parcel_of, tiny

from se_viz.data.dataset_sources import dataset
from se_viz.gates.clone import copy_without_hooks
from se_viz.model.model import Model
from se_viz.profiles.metadata import ModelInfo
from se_viz.profiles.ray_worker import Worker


@pytest.fixture
def listed(photos):
    return dataset(photos)


@pytest.fixture
def parcel(tiny_model, listed, tmp_path):
    """As the driver packs it; the pickled dataset, which has a closure in it, aside."""
    return parcel_of(tiny_model, listed, print, tmp_path)


def outcome(parcel, number=1):
    """What is said of a shard."""
    given = Worker(lambda: parcel)({"item": np.array([number])})
    assert given["shard"].tolist() == [number]
    return given["problem"].tolist()[0]


class Reads:
    """Images by the names of a folder; unlike a closure it can be pickled."""

    def __init__(self, photos, shift=0):
        self.photos, self.shift = photos, shift

    def __call__(self, index):
        return dataset(self.photos).read(index + self.shift)


def test_a_shard_is_made_and_nothing_else_is_left(parcel, listed, photos, tmp_path):
    sent = replace(
        parcel, dataset=pickle.dumps(replace(listed, read=Reads(photos))), first_readable=(0, read_hash(listed, 0))
    )
    assert outcome(sent) == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001.safetensors", "token"]


def read_hash(listed, index):
    return listed.read(index)[0].sha256


def test_a_shard_that_has_ended_four_workers_is_not_tried_again(parcel, tmp_path):
    (tmp_path / "000001.tries").write_bytes(b"....")
    said = outcome(parcel)
    assert "4 workers crashed on the images from ape/4.png to bee/2.png" in said
    assert not list(tmp_path.glob("*.safetensors"))


def test_another_folder_is_not_taken_for_the_drivers(parcel, tmp_path):
    (tmp_path / "token").write_text("another pass's")
    assert "a file system that all machines share" in outcome(parcel)
    (tmp_path / "token").unlink()
    assert "a file system that all machines share" in outcome(parcel)


def test_images_that_are_missing_or_others_are_found_before_a_shard_is_made(parcel, listed, photos, tmp_path):
    first_readable = (0, read_hash(listed, 0))
    others = replace(
        parcel, dataset=pickle.dumps(replace(listed, read=Reads(photos, 1))), first_readable=first_readable
    )
    assert "ape/0.png is not the same file here" in outcome(others)
    broken = replace(
        parcel, dataset=pickle.dumps(replace(listed, read=Reads(photos, 7))), first_readable=first_readable
    )
    assert "readable at the same path on all machines" in outcome(broken)


def test_another_network_is_refused(parcel):
    other = replace(parcel, network=pickle.dumps(copy_without_hooks(tiny(seed=1).network)))
    assert "not the same network here" in outcome(other)


def test_code_that_is_not_there_is_named(parcel):
    missing = replace(parcel, network=b"cnowhere_at_all\nNetwork\n.")
    assert "nowhere_at_all" in outcome(missing)
    assert "Install it" in outcome(missing)


def test_a_device_that_is_not_there_is_named(parcel):
    assert "no device 'tpu'" in outcome(replace(parcel, device="tpu"))


def test_a_copy_has_no_hooks_but_those_of_others():
    heard = []
    model = tiny()
    handle = model.network.head.register_forward_hook(lambda *_: heard.append(1))
    copy = copy_without_hooks(model.network)
    hooks = [
        hook for part in copy.modules() for hook in (*part._forward_hooks.values(), *part._forward_pre_hooks.values())
    ]
    assert len(hooks) == 1
    handle.remove()
    again = Model("again", copy, model.preprocess)
    assert ModelInfo.of(again).sha256 == ModelInfo.of(model).sha256
    assert sum(len(part._forward_hooks) for part in model.network.modules()) > 0


def test_a_worker_whose_driver_has_ended_writes_no_shard_into_the_folder_of_the_next(parcel, listed, photos, tmp_path):
    class Ends(Reads):
        def __call__(self, index):
            (tmp_path / "token").unlink(missing_ok=True)
            return super().__call__(index)

    worker = Worker(lambda: parcel)
    worker.__dict__["_ready"] = (tiny(), replace(listed, read=Ends(photos)))
    said = worker({"item": np.array([1])})["problem"].tolist()[0]
    assert "or its pass has ended" in said
    assert [path.name for path in tmp_path.iterdir()] == ["000001.tries"]
