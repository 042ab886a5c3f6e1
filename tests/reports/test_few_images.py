"""The verdicts on the paper's observations over a grid of class profiles: few and many images, and what is true."""

import numpy as np
import pytest

from se_viz.analysis.by_depth import by_depth
from se_viz.analysis.class_noise import ClassNoise, class_noise, depth_correlation
from se_viz.analysis.detectable import smallest_d
from se_viz.profiles.gate_summary import Moments
from se_viz.reports.class_profiles import class_report
from se_viz.reports.observations import observations

GATES = ("SE_2_1", "SE_3_1", "SE_4_1", "SE_5_1", "SE_5_2")
CLASSES, CHANNELS = ("ants", "bees", "cats", "dogs"), 24
# SD of the class means of s in each gate; that of the images of a class is 0.08.
TRUTHS = {
    "as in the paper": (0.0, 0.02, 0.06, 0.12, 0.2),
    "no class matters": (0.0,) * 5,
    "the first gates part the classes": (0.2, 0.15, 0.08, 0.04, 0.0),
}
WITHIN = 0.08
EXPECTED = {
    "as in the paper": ("holds", "holds", "does not hold"),
    "no class matters": ("holds", "does not hold", "holds"),
    "the first gates part the classes": ("does not hold", "does not hold", "holds"),
}


def grid(make_profiles, truth, images, seed):
    rng = np.random.default_rng([seed, images])
    labels = np.repeat(np.arange(len(CLASSES)), images)
    weights = {}
    for gate, sd in zip(GATES, TRUTHS[truth], strict=True):
        means = 0.5 + rng.uniform(-0.2, 0.2, CHANNELS) + sd * rng.standard_normal((len(CLASSES), CHANNELS))
        noise = WITHIN * rng.standard_normal((len(labels), CHANNELS))
        weights[gate] = np.clip(means[labels] + noise, 0, 1)
    return make_profiles(weights, labels, list(CLASSES)), weights, labels


def visible(s, labels):
    """Return the difference of two classes that a t-test of the images in the median channel finds in 80%."""
    groups = [s[labels == label] for label in np.unique(labels)]
    free = len(s) - len(groups)
    pooled = np.sqrt(sum(((group - group.mean(0)) ** 2).sum(0) for group in groups) / free)
    return smallest_d(len(groups[0])) * np.median(pooled)


@pytest.mark.slow
@pytest.mark.parametrize("truth", TRUTHS)
def test_no_verdict_is_wrong_with_few_images_and_all_are_given_with_many(make_profiles, truth):
    for images in (1, 3, 12, 150):
        for seed in range(2):
            profiles, weights, labels = grid(make_profiles, truth, images, seed)
            found = observations(by_depth(profiles))
            verdicts = tuple(one.verdict for one in found)
            for verdict, right in zip(verdicts, EXPECTED[truth], strict=True):
                assert verdict in (right, "cannot be determined"), (images, seed, verdicts)
            if images == 1:
                assert verdicts[:2] == ("cannot be determined",) * 2
            elif verdicts[0] == "holds":
                assert visible(weights["SE_2_1"], labels) <= np.sqrt(2) * 0.05
            if images == 150:
                assert verdicts[0] == EXPECTED[truth][0]
                assert truth == "no class matters" or verdicts == EXPECTED[truth]


def test_the_answer_of_few_images_says_with_each_claim_that_it_cannot_be_told(make_profiles):
    profiles, _, _ = grid(make_profiles, "no class matters", 3, 0)
    answer, *claims = class_report(profiles).text
    assert answer.startswith("At no gate that can be told from chance: the class explains at most ")
    assert "With 3 images of a class, a difference of two classes' mean s below " in answer
    assert "“Early gates barely differ between classes” cannot be determined" in answer
    assert "With so few images, a difference below 0.2" in claims[0]
    assert "More images are needed to tell whether the correlation is 0.5 or more." in claims[1]


def test_a_class_with_one_image_among_others_does_not_silence_them(make_profiles):
    rng = np.random.default_rng(0)
    labels = np.r_[np.repeat([0, 1], 60), 2]
    profiles = make_profiles({gate: 0.5 + 0.02 * rng.standard_normal((121, 8)) for gate in GATES}, labels, CLASSES[:3])
    answer = class_report(profiles).text[0]
    assert "1 class has a single image, from which nothing can be concluded: add images of it." in answer
    assert observations(by_depth(profiles))[0].verdict == "holds"


@pytest.mark.parametrize(("images", "classes"), [(2, 5), (8, 3), (40, 2)])
def test_the_chance_in_a_pattern_is_that_of_repeated_draws(images, classes):
    rng = np.random.default_rng(1)
    true = rng.uniform(0.2, 0.8, (classes, 200))
    lengths, said = [], []
    for _ in range(200):
        s = true[:, None] + 0.3 * rng.standard_normal((classes, images, 200))
        mean = s.mean(1)
        moments = Moments(np.full(classes, images), mean, s.std(1))
        lengths.append(np.square(mean).sum(1))
        said.append(class_noise(moments).pattern)
    extra = 1 - np.square(true).sum(1) / np.mean(lengths, 0)
    assert np.mean(said) == pytest.approx(extra.mean(), rel=0.1, abs=5e-4)


def test_the_interval_of_the_correlation_is_narrow_with_many_images_and_wide_with_few():
    shares = [0.05, 0.1, 0.2, 0.4, 0.6]
    many = depth_correlation(shares, [ClassNoise((9, 4000), 0.01, 0.0)] * 5)
    few = depth_correlation(shares, [ClassNoise((9, 20), 0.2, 0.1)] * 5)
    assert many[0] == few[0] == pytest.approx(1)
    assert many[1] > 0.85
    assert few[1] < 0.5
    assert depth_correlation(shares, [ClassNoise((9, 1), 0.2, 0.1)] * 5)[1:] == (-1, 1)
