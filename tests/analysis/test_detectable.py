"""What few images of a class cannot show."""

import numpy as np
import pytest
from scipy.stats import ttest_ind

from se_viz.analysis.detectable import detectable, few_images, smallest_d
from se_viz.profiles.bundled import bundled_profiles
from se_viz.reports.class_profiles import class_report


@pytest.mark.parametrize("images", [6, 12, 25])
def test_a_difference_of_the_size_that_is_named_is_found_four_times_of_five(images):
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, images, 4000))
    found = ttest_ind(one + smallest_d(images), other).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.04)


def profiles_of(make_profiles, images):
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], images)
    return make_profiles({"SE_5_1": rng.uniform(0.2, 0.8, (2 * images, 16))}, labels, ["ants", "bees"])


def test_few_images_are_said_in_the_answer_with_a_number_that_is_computed(make_profiles):
    few = profiles_of(make_profiles, 6)
    found = detectable(few)
    moments = few["SE_5_1"].s()
    within = np.sqrt((6 * np.square(moments.std)).sum(axis=0) / 10)
    assert found.images == 6
    assert found.s == pytest.approx(smallest_d(6) * np.median(within))
    answer = class_report(few).text[0]
    assert f"With 6 images of a class, a difference of two classes' mean s below {found.s:.2g}" in answer
    assert "nothing can be concluded" in few_images(profiles_of(make_profiles, 1))


def test_many_images_need_no_such_sentence(make_profiles):
    assert not few_images(profiles_of(make_profiles, 40))
    assert not few_images(bundled_profiles("demo/r16"))
