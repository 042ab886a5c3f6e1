"""Files of format 1 are read, with margins that hold; ``format1/`` has two, and the weights that they were made of."""

import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from se_viz.analysis.by_depth import by_depth
from se_viz.analysis.class_separation import auroc, difference
from se_viz.analysis.profile_limits import limits
from se_viz.profiles.class_profiles import open_profiles
from se_viz.profiles.errors import NotInProfiles, OtherPass, ProfilesMismatch
from se_viz.profiles.merge import merge
from se_viz.profiles.metadata import Header
from se_viz.profiles.shards import read_finished

FOLDER = Path(__file__).parent / "format1"
LABELS = np.repeat([0, 1, 2], 40)


@pytest.fixture(scope="module")
def weights():
    with np.load(FOLDER / "weights.npz") as found:
        return dict(found)


@pytest.fixture(scope="module")
def exact():
    return open_profiles(FOLDER / "exact.safetensors")


@pytest.fixture(scope="module")
def small():
    return open_profiles(FOLDER / "compact.safetensors.xz")


def test_both_are_read(exact, small, weights):
    for profiles in (exact, small):
        assert profiles.header.version == 1
        assert len(by_depth(profiles)) == 2
        for name, s in weights.items():
            gate = profiles[name]
            stored = np.clip(s, *gate.span)
            means = np.stack([stored[label == LABELS].mean(0) for label in range(3)])
            np.testing.assert_allclose(gate.s().mean, means, atol=3e-4)
            assert gate.histogram().counts.sum(-1).tolist() == [[40] * 5] * 3
    gate = exact["SE_3_1"]
    assert gate.clipped().sum() == (weights["SE_3_1"] > 8).sum()
    np.testing.assert_allclose(gate.images(), np.clip(weights["SE_3_1"], 0, 8), atol=1e-4)
    assert gate.highest(0)[0].s == 8
    assert exact["SE_2_1"].z("ape", 1).mean == pytest.approx(weights["SE_2_1"][:40, 1].mean())
    with pytest.raises(NotInProfiles, match="count of s outside the range"):
        small["SE_3_1"].clipped()


def test_the_margin_of_an_auroc_holds_the_truth(exact, small, weights):
    for profiles in (exact, small):
        for name, s in weights.items():
            for a, b in combinations(range(3), 2):
                own, other = (s[label == LABELS].astype(np.float64) for label in (a, b))
                wanted = mannwhitneyu(own, other, axis=0).statistic / 1600
                found = auroc(profiles[name], a, b)
                assert (np.abs(found.value - wanted) <= found.margin + 1e-6).all()
    # At a heap each class's rounded quantiles lie elsewhere, so ties become an order: the margin must say so.
    assert auroc(small["SE_2_1"], "ape", "bee").margin.max() > 0.1
    assert difference(small["SE_2_1"], "ape", "bee").margin.max() > 0.1


def test_what_they_cannot_say_is_said(exact, small, weights):
    clipped = (weights["SE_3_1"] > 8).mean()
    assert limits(exact)[0] == f"{clipped:.1%} of s of SE_3_1 were above 8 and are counted as 8."
    assert limits(small)[0] == "Some s of SE_3_1 were above 8 and are counted as 8; the file does not say how many."
    assert "especially AUROC are approximate" in limits(small)[-1]
    assert all("Make them again" in limits(profiles)[-1] for profiles in (exact, small))
    assert len(limits(exact)) == len(limits(small)) == 2


def test_they_are_not_added_up_or_gone_on_with(exact, tmp_path, whole):
    with pytest.raises(ProfilesMismatch, match="older SE Viz"):
        merge([exact], tmp_path / "merged.safetensors")
    shutil.copy(exact.path, tmp_path / "profiles.safetensors")
    with pytest.raises(OtherPass, match="older SE Viz"):
        read_finished(tmp_path / "profiles.safetensors", whole.header)


def test_a_header_comes_back_with_its_version(exact):
    assert Header.of_metadata(exact.header.to_metadata(), "here") == exact.header
