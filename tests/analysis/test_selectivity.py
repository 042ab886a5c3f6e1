import numpy as np
import pytest
from scipy.stats import f_oneway

from se_viz.analysis.selectivity import eta_squared, variance

CLASSES = ("a", "b", "empty", "c")


def test_eta_squared_is_one_way_anova_of_the_single_images(make_profiles, labelled):
    s, labels = labelled
    share = eta_squared(make_profiles({"SE_2_1": s}, labels, CLASSES)["SE_2_1"])
    groups = [s[labels == label, :3] for label in (0, 1, 3)]
    f = f_oneway(*groups).statistic
    np.testing.assert_allclose(share[:3] / (1 - share[:3]) * (90 - 3) / (3 - 1), f, rtol=1e-3)
    assert np.isnan(share[3])


def test_eta_squared_of_the_gate_weighs_channels_by_how_much_they_move(make_profiles, labelled):
    s, labels = labelled
    parts = variance(make_profiles({"SE_2_1": s}, labels, CLASSES)["SE_2_1"].s())
    total = ((s - s.mean(0)) ** 2).sum(0)
    np.testing.assert_allclose(parts.total, total, rtol=1e-3, atol=1e-9)
    assert parts.overall == pytest.approx(np.nansum(parts.share * total) / total.sum(), rel=1e-3)
