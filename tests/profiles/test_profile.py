import csv
import hashlib
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from support import forked
from support.profiling import SETTINGS, make_images, tiny
from torchvision.datasets import ImageFolder

from se_viz.analysis.profile_limits import limits
from se_viz.data.dataset_sources import dataset
from se_viz.data.image_files import read_paths
from se_viz.data.preprocess import Preprocess
from se_viz.interventions.capture import capture
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import open_profiles
from se_viz.profiles.errors import OtherPass, ProfilesError, ProfilesRefused
from se_viz.profiles.profile import profile
from se_viz.profiles.shard_writer import prefetch
from se_viz.weights.head import Head


def test_it_counts_what_the_instrument_reads(whole, raw):
    assert whole.classes == ("ape", "bee", "cat")
    assert whole.counts.tolist() == [5, 4, 5]
    labels = whole.table.labels
    for gate in whole:
        gate_capture = raw[gate.name]
        np.testing.assert_allclose(gate.images(), gate_capture.s, rtol=1e-5, atol=1e-6)
        for label in range(3):
            own, z = gate.images()[labels == label], gate_capture.z[labels == label]
            np.testing.assert_allclose(gate.s(label).mean, own.mean(0), rtol=0, atol=2.0**-25)
            np.testing.assert_allclose(gate.s(label).std, own.std(0), atol=1e-7)
            np.testing.assert_allclose(gate.z(label).mean, z.mean(0), atol=1e-5)
            np.testing.assert_allclose(gate.z(label).std, z.std(0), atol=1e-5)
            np.testing.assert_allclose(gate.z_range(label), [z.min(0), z.max(0)], atol=1e-5)
            assert gate.histogram(label).counts.sum(-1).tolist() == [len(own)] * own.shape[1]
        assert gate.clipped().sum() == 0


def test_it_names_the_images_at_both_ends(whole):
    s, names = whole["SE_1_1"].images(), whole.table.names
    for channel in range(s.shape[1]):
        highest, lowest = whole["SE_1_1"].highest(channel), whole["SE_1_1"].lowest(channel)
        assert [one.s for one in highest] == pytest.approx(np.sort(s[:, channel])[::-1][:2])
        assert [one.s for one in lowest] == pytest.approx(np.sort(s[:, channel])[:2])
        assert highest[0].name == names[s[:, channel].argmax()]
        assert highest[0].label == highest[0].name.split("/")[0]


def test_hashes_are_those_of_the_files(whole, photos):
    assert list(whole.table.sha256) == [
        hashlib.sha256((photos / name).read_bytes()).hexdigest() for name in whole.table.names
    ]


def test_a_broken_image_is_counted_named_and_skipped(whole):
    assert list(whole.header.refused) == ["bee/2.png"]
    report = json.loads((whole.path.parent / "report.json").read_text())
    assert "damaged" in report["refused"]["bee/2.png"]
    assert report["counts"] == [5, 4, 5]
    assert sorted(path.name for path in whole.path.parent.iterdir()) == ["profiles.safetensors", "report.json"]


def test_again_gives_the_same_bytes_and_a_finished_one_is_left_alone(whole, tiny_model, photos, tmp_path):
    profile(tiny_model, photos, tmp_path, **SETTINGS)
    path = tmp_path / "profiles.safetensors"
    assert path.read_bytes() == whole.path.read_bytes()
    before = path.stat().st_mtime_ns
    profile(tiny_model, photos, tmp_path, **SETTINGS)
    assert path.stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.xdist_group("servers")  # where there are forks
def test_killed_after_the_first_shard_it_goes_on_and_ends_with_the_same_bytes(whole, tiny_model, photos, tmp_path):
    out = tmp_path / "out"
    forked.kill_once_written(
        out / "shards" / "000000.safetensors", "support.profiling", [str(photos), str(out)], tmp_path
    )
    assert not (out / "profiles.safetensors").exists()
    (out / "shards" / "000001.safetensors.tmp").write_bytes(b"half a shard")
    (out / "shards" / "000002.safetensors").write_bytes(b"a shard that the disk has damaged")
    finished = profile(tiny_model, photos, out, **SETTINGS)
    assert finished.path.read_bytes() == whole.path.read_bytes()


def test_finished_shards_are_not_read_again(tiny_model, photos, tmp_path, whole):
    listed = dataset(photos)

    def stops(index):
        if index == 9:
            raise KeyboardInterrupt
        return listed.read(index)

    with pytest.raises(KeyboardInterrupt):
        profile(tiny_model, replace(listed, read=stops), tmp_path, **SETTINGS)
    asked = []

    def notes(index):
        asked.append(index)
        return listed.read(index)

    profiles = profile(tiny_model, replace(listed, read=notes), tmp_path, **SETTINGS)
    assert sorted(asked) == list(range(8, 15))
    assert profiles.path.read_bytes() == whole.path.read_bytes()


def test_the_cut_into_shards_changes_nothing_but_z_in_its_last_digits(whole, tiny_model, photos, tmp_path):
    other = profile(tiny_model, photos, tmp_path, **SETTINGS | {"shard": 6})
    for gate in whole:
        for what in ("sum", "squares", "histogram", "heaps", "binned", "examples", "s"):
            name = f"{gate.name}.{what}"
            np.testing.assert_array_equal(other.tensors[name][:,], whole.tensors[name][:,])
        np.testing.assert_allclose(other[gate.name].z().mean, gate.z().mean, rtol=1e-12)


@pytest.mark.parametrize("labels", ["prediction", "Given", "", None])
def test_labels_of_no_kind_are_refused_before_anything_is_computed(labels, tiny_model, tmp_path):
    with pytest.raises(ValueError, match=f"^labels must be given or predictions, not {labels!r}\\.$"):
        profile(tiny_model, tmp_path / "nothing", tmp_path / "out", labels=labels)
    assert not list(tmp_path.iterdir())


def test_classes_may_come_from_the_predictions(tiny_model, photos, raw, tmp_path):
    profiles = profile(tiny_model, photos, tmp_path, labels="predictions", batch=1)
    assert profiles.classes == ("red", "green", "blue")
    assert profiles.counts.tolist() == np.bincount(raw.logits.argmax(1), minlength=3).tolist()
    absent = np.flatnonzero(profiles.counts == 0)
    assert np.isnan(profiles["SE_1_1"].s().mean[absent]).all()
    unnamed = profile(tiny(classes=()), photos, tmp_path / "unnamed", labels="predictions", batch=1)
    assert unnamed.classes == ("class 0", "class 1", "class 2")


def test_a_csv_tars_and_a_dataset_object_give_what_their_folder_gives(whole, tiny_model, photos, tmp_path):
    with (tmp_path / "list.csv").open("w", newline="") as file:
        rows = [(str(path), path.parent.name) for path in sorted(photos.rglob("*.png"), reverse=True)]
        csv.writer(file).writerows([("path", "label"), *rows])
    (tmp_path / "tars").mkdir()
    for number in range(2):
        with tarfile.open(tmp_path / "tars" / f"{number}.tar", "w") as archive:
            for path in sorted(photos.rglob("*.png"))[number::2]:
                archive.add(path, f"{path.parent.name}/{path.name}")
    for source in (tmp_path / "list.csv", tmp_path / "tars", ImageFolder(str(photos))):
        profiles = profile(tiny_model, source, tmp_path / type(source).__name__ / str(source)[-4:], batch=1)
        assert profiles.classes == whole.classes
        assert profiles.counts.tolist() == [5, 4, 5]
        assert len(profiles.header.refused) == 1
        for gate in whole:
            np.testing.assert_allclose(profiles[gate.name].s().mean, gate.s().mean, atol=1e-4)


def test_without_labels_it_says_what_to_do(tiny_model, photos, tmp_path):
    with pytest.raises(ProfilesError, match="no labels"):
        profile(tiny_model, photos / "ape", tmp_path)
    profiles = profile(tiny_model, photos / "ape", tmp_path, labels="predictions")
    assert profiles.counts.sum() == 5


def test_a_folder_with_another_pass_is_refused(tiny_model, photos, whole, tmp_path):
    with pytest.raises(ProfilesError, match="other settings"):
        profile(tiny_model, photos, whole.path.parent)
    with pytest.raises(ProfilesError, match="other weights"):
        profile(tiny(seed=1), photos, whole.path.parent, **SETTINGS)
    with pytest.raises(ProfilesError, match="other images"):
        profile(tiny_model, make_images(tmp_path), whole.path.parent, **SETTINGS)


def test_numbers_that_are_not_finite_are_refused(photos, tmp_path):
    broken = tiny()
    with torch.no_grad():
        broken.network.second[2].fc2.bias[0] = float("nan")
    with pytest.raises(ProfilesError, match="not finite"):
        profile(broken, photos, tmp_path)
    with pytest.raises(ProfilesError, match="1 or more"):
        profile(broken, photos, tmp_path, shard=0)


class Overflowing(torch.nn.Module):
    """A sigmoid that gives NaN for images whose first channel is above a limit."""

    limit = float("inf")

    def forward(self, x):
        return torch.sigmoid(torch.where(x[:, :1] > self.limit, torch.nan, x))


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_images_without_finite_numbers_are_left_out_counted_and_said(photos, whole, tmp_path, batch):
    highest = np.argsort(whole["SE_1_1"].images()[:, 0])[-2:]
    limit = float(np.sort(whole["SE_1_1"].images()[:, 0])[-3])
    network = tiny().network
    network.first[2].scale_activation = Overflowing()
    model = Model("test/tiny", network, Preprocess(crop=(16, 16), resize=16))
    network.first[2].scale_activation.limit = float(np.log(limit / (1 - limit))) + 1e-5
    profiles = profile(model, photos, tmp_path, images=True, batch=batch, shard=4)
    left_out = {whole.table.names[index] for index in highest}
    reasons = {name: reason for name, reason in profiles.header.refused.items() if name != "bee/2.png"}
    assert set(reasons) == left_out
    assert all("s of SE_1_1 is not finite (NaN or infinite)" in reason for reason in reasons.values())
    assert profiles.counts.sum() == 12
    assert np.isfinite(profiles["SE_1_1"].s().mean).all()
    kept = [index for index, name in enumerate(whole.table.names) if name not in left_out]
    np.testing.assert_allclose(profiles["SE_1_1"].images(), whole["SE_1_1"].images()[kept], atol=1e-5)
    assert limits(profiles) == (
        "2 images were left out because some weights of a gate were not finite (NaN or infinite).",
    )


def test_images_are_read_a_bounded_way_ahead_and_come_in_order():
    started = []

    def read(index):
        started.append(index)
        return index

    with ThreadPoolExecutor(4) as pool:
        read_ahead = prefetch(pool, read, range(100), 7)
        assert next(read_ahead) == 0
        assert len(started) <= 7
        assert list(read_ahead) == list(range(1, 100))


def test_damaged_class_profiles_are_not_overwritten(tiny_model, photos, tmp_path):
    (tmp_path / "profiles.safetensors").write_bytes(b"mine")
    with pytest.raises(ProfilesRefused, match="damaged"):
        profile(tiny_model, photos, tmp_path)
    assert (tmp_path / "profiles.safetensors").read_bytes() == b"mine"


def test_bfloat16_is_stated_and_close(tiny_model, photos, whole, tmp_path):
    profiles = profile(tiny_model, photos, tmp_path, precision="bf16")
    assert open_profiles(tmp_path).header.model.precision == "bf16"
    np.testing.assert_allclose(profiles["SE_1_1"].s().mean, whole["SE_1_1"].s().mean, atol=0.1)
    assert (profiles["SE_1_1"].s().mean != whole["SE_1_1"].s().mean).any()


def test_a_gate_of_relu_is_held_however_far_it_reaches(photos, tmp_path):
    model = tiny()
    with torch.no_grad():
        model.network.second[2].fc2.bias += 20
    gate = list(profile(model, photos, tmp_path, images=True))[1]
    s = gate.images()
    assert gate.entry.function == "relu"
    assert s.max() > 19
    np.testing.assert_allclose(gate.s().mean[0], s[:5].mean(0), rtol=1e-7)
    assert gate.clipped().max() == 0
    assert gate.span == (0, s.max())
    assert gate.histogram().edges.max() == s.max()


def test_weights_beyond_what_can_be_added_up_are_counted_and_said(photos, tmp_path):
    model = tiny()
    with torch.no_grad():
        model.network.second[2].fc2.bias += 1e5
    profiles = profile(model, photos, tmp_path)
    gate = list(profiles)[1]
    assert gate.clipped().max() == 5
    assert gate.s().mean.max() == 65_536
    assert gate.highest(0)[0].s > 99_000
    assert "of s of SE_2_1 were outside −65536 … 65536 and are counted as the nearer end." in limits(profiles)[0]


def headed(outputs, head, names=()):
    """The tiny network with another head, whose outputs differ much between images."""
    made = tiny(classes=tuple(names))
    made.network.head = torch.nn.Linear(6, outputs)
    with torch.no_grad():
        made.network.head.weight.mul_(40)
    return made.with_head(head)


def outputs_of(made, photos):
    """Of all images but the broken one."""
    shown = read_paths([photos]).images
    return torch.tensor(capture(made, shown, batch=1).logits).double()


def test_a_binary_head_counts_two_groups_by_its_threshold(photos, tmp_path):
    made = headed(1, "binary", ["ill"])
    probability = outputs_of(made, photos)[:, 0].sigmoid()
    middle = float(probability.sort().values[4])
    for threshold in (0.5, middle):
        profiles = profile(
            made.with_head(Head("binary", threshold)), photos, tmp_path / str(threshold), labels="predictions", batch=1
        )
        assert profiles.classes == ("not ill", "ill")
        yes = int((probability >= threshold).sum())
        assert profiles.counts.tolist() == [len(probability) - yes, yes]
        assert profiles.header.head == Head("binary", threshold)


def test_of_labels_an_image_counts_for_the_most_probable_or_for_none(photos, tmp_path):
    made = headed(3, "labels")
    probability = outputs_of(made, photos).sigmoid()
    profiles = profile(made, photos, tmp_path, labels="predictions", batch=1)
    assert profiles.classes == ("label 0", "label 1", "label 2", "no label")
    best, which = probability.max(1)
    expected = torch.where(best >= 0.5, which, 3).bincount(minlength=4)
    assert profiles.counts.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("outputs", "head", "said"),
    [
        (1, None, "The network returns one number per image, not a class.*labels='given'.*head='binary'"),
        (2, "number", "The network returns 2 numbers per image, not a class.*labels='given'"),
        (3, "features", "taken as features.*labels='given'"),
        (3, "binary", "has one output, and this network has 3.*labels='given'"),
    ],
)
def test_what_predicts_no_classes_is_refused_with_what_to_do(photos, tmp_path, outputs, head, said):
    with pytest.raises(ProfilesError, match=said):
        profile(headed(outputs, head), photos, tmp_path, labels="predictions")
    assert profile(headed(outputs, head), photos, tmp_path, batch=1).counts.sum() == 14


def test_another_threshold_is_another_pass(photos, tmp_path):
    made = headed(1, "binary")
    profile(made, photos, tmp_path, labels="predictions", batch=1)
    with pytest.raises(OtherPass, match="other settings"):
        profile(made.with_head(Head("binary", 0.6)), photos, tmp_path, labels="predictions", batch=1)


def test_predictions_that_are_not_numbers_are_refused(photos, tmp_path):
    made = headed(3, "classes")
    with torch.no_grad():
        made.network.head.bias[1] = float("nan")
    with pytest.raises(ProfilesError, match=r"ape/0\.png predicts nothing"):
        profile(made, photos, tmp_path, labels="predictions", batch=1)
    assert profile(made, photos, tmp_path / "given", batch=1).counts.sum() == 14
