import json
import struct

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from support.profiling import make_images, tiny

from se_viz.data.dataset_sources import dataset
from se_viz.profiles.class_profiles import ClassProfiles, open_profiles
from se_viz.profiles.errors import NotInProfiles, ProfilesError, ProfilesMismatch, ProfilesRefused
from se_viz.profiles.export import export
from se_viz.profiles.from_arrays import profiles_from_arrays
from se_viz.profiles.metadata import FORMAT, VERSION, Header
from se_viz.profiles.profile import profile
from se_viz.weights.weights_sha256 import weights_sha256


def test_the_file_is_an_ordinary_safetensors_file_and_can_be_mapped(whole):
    with safe_open(whole.path, "pt") as file:
        assert file.metadata()["format"] == FORMAT
        assert file.get_tensor("SE_1_1.sum").shape == (3, 8)
    content = whole.path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name != "__metadata__" and entry["dtype"] in ("U64", "F64"):
            assert (8 + length + entry["data_offsets"][0]) % 8 == 0


def test_one_class_and_one_channel_are_what_the_whole_has_there(whole):
    for gate in whole:
        everything, histogram = gate.s(), gate.histogram()
        np.testing.assert_array_equal(gate.s("bee").mean, everything.mean[1])
        np.testing.assert_array_equal(gate.s(channels=2).std, everything.std[:, 2])
        np.testing.assert_array_equal(gate.s(slice(1, 3), slice(0, 4)).mean, everything.mean[1:3, :4])
        assert gate.s(np.int64(1), np.int64(2)).mean == everything.mean[1, 2]
        assert gate.s("cat", 2).count == 5
        np.testing.assert_array_equal(gate.histogram("bee", 3).counts, histogram.counts[1, 3])
        np.testing.assert_array_equal(gate.z("cat").std, gate.z().std[2])
        assert gate.clipped("ape", 1) == gate.clipped()[0, 1]


def test_a_slice_does_not_read_the_rest(whole):
    asked, tensors = [], whole.tensors

    class Watched:
        metadata = tensors.metadata

        def __contains__(self, name):
            return name in tensors

        def __getitem__(self, name):
            inner = tensors[name]

            class Slices:
                def __getitem__(self, index):
                    asked.append((name, index))
                    return inner[index]

            return Slices()

    ClassProfiles(whole.path, whole.header, Watched())["SE_1_1"].s("bee", 2)
    assert asked == [("SE_1_1.sum", (1, 2)), ("SE_1_1.squares", (slice(None), 1, 2))]


def test_unknown_names_are_refused_with_those_there_are(whole):
    with pytest.raises(KeyError, match="SE_1_1, SE_2_1"):
        whole["SE_9_9"]
    with pytest.raises(KeyError, match="ape, bee, cat"):
        whole["SE_1_1"].s("dog")
    with pytest.raises(IndexError, match="channels 0 to 7"):
        whole["SE_1_1"].s(channels=8)


def test_single_images_are_there_only_if_they_were_asked_for(tiny_model, photos, tmp_path):
    profiles = profile(tiny_model, photos, tmp_path)
    with pytest.raises(NotInProfiles, match="--images"):
        profiles["SE_1_1"].images()


def test_it_is_checked_against_the_network_and_the_dataset(whole, tiny_model, photos, tmp_path):
    open_profiles(whole.path.parent, tiny_model, dataset(photos))
    open_profiles(whole.path, tiny(name="another name"))
    with pytest.raises(ProfilesMismatch, match=r"class profiles of test/tiny, not of the loaded other .weights differ"):
        open_profiles(whole.path, tiny(seed=1, name="other"))
    with pytest.raises(ProfilesMismatch, match=r"\(15 images\), not of .* \(15 images\)"):
        open_profiles(whole.path, dataset=dataset(make_images(tmp_path / "x", ("ape", "bee", "dog"))))


def test_the_hash_of_the_weights_sees_every_number_and_name():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)).to(torch.bfloat16)
    first = weights_sha256(network)
    assert weights_sha256(network) == first
    network[1].running_mean[1] += 1
    assert weights_sha256(network) != first


def test_other_files_are_refused_with_a_sentence(whole, tmp_path):
    content = whole.path.read_bytes()
    path = tmp_path / "profiles.safetensors"
    for damaged in (b"", b"no class profiles", content[:100], content[:-1], b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(ProfilesRefused, match="truncated or damaged"):
            open_profiles(path)
    packed = tmp_path / "profiles.safetensors.xz"
    packed.write_bytes(content)
    with pytest.raises(ProfilesRefused, match="truncated or damaged"):
        open_profiles(packed)
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ProfilesRefused, match="but contains no class profiles"):
        open_profiles(path)
    with pytest.raises(ProfilesRefused, match="There are no class profiles at"):
        open_profiles(tmp_path / "nothing")


def test_a_newer_version_and_a_damaged_header_are_refused(whole):
    metadata = whole.header.to_metadata()
    assert Header.of_metadata(metadata, "here") == whole.header
    with pytest.raises(ProfilesRefused, match=f"newer SE Viz .format {VERSION + 1}"):
        Header.of_metadata(metadata | {"version": str(VERSION + 1)}, "here")
    with pytest.raises(ProfilesRefused, match="header of here is damaged"):
        Header.of_metadata(metadata | {"header": "{}"}, "here")


def test_tables_hold_what_the_class_profiles_hold(whole, tmp_path):
    for name in ("profiles.csv", "profiles.parquet"):
        export(whole, tmp_path / name)
    frame = pd.read_parquet(tmp_path / "profiles.parquet")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "profiles.csv"), frame, check_dtype=False)
    assert len(frame) == 3 * (8 + 6)
    row = frame[(frame["gate"] == "SE_2_1") & (frame["class"] == "bee") & (frame["channel"] == 4)].iloc[0]
    assert row["images"] == 4
    assert row["s_mean"] == whole["SE_2_1"].s("bee", 4).mean
    assert row["z_max"] == whole["SE_2_1"].z_range("bee", 4)[1]
    with pytest.raises(ProfilesError, match=r"\.parquet or \.csv"):
        export(whole, tmp_path / "profiles.xlsx")


def test_slices_may_end_behind_the_last_class_and_channel(whole):
    gate = next(iter(whole))
    np.testing.assert_array_equal(gate.s(slice(1, 99), slice(-2, None)).mean, gate.s().mean[1:, -2:])
    assert gate.histogram(slice(2, 4)).counts.shape[:2] == (1, gate.entry.channels)


def test_any_stage_can_be_exported(tmp_path):
    stages = {"SE_200_1": np.full((2, 3), 0.5), "SE_200_40000": np.full((2, 3), 0.5)}
    export(profiles_from_arrays(stages, ["a", "b"], tmp_path / "x.safetensors"), tmp_path / "x.csv")
    table = pd.read_csv(tmp_path / "x.csv")
    assert set(zip(table.stage, table.block, strict=True)) == {(200, 1), (200, 40000)}
