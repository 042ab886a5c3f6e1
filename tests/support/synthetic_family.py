"""Demo families whose truth is known: every network of the family, trained with luck alone between them, or more."""

import base64
from dataclasses import replace
from functools import cache

import numpy as np

from se_viz.demo import pretrained
from se_viz.demo.evaluate import accuracy
from se_viz.demo.right_answers import RightAnswers, order_of
from se_viz.demo.variants import VARIANTS

IMAGES = 3925
MEAN = 0.905
DISCORDANT = 0.06
"""Share of the images of which exactly one of two trainings of a network is right."""

_ORDER = order_of([f"{index:064x}" for index in range(IMAGES)])

counted = cache(accuracy)  # Wilson's interval takes a millisecond


def difficulties(rng, shape):
    """The probability that a training gets an image right: most are nearly certain, as of real networks."""
    variance = MEAN * (1 - MEAN) - DISCORDANT / 2
    total = MEAN * (1 - MEAN) / variance - 1
    return rng.beta(total * MEAN, total * (1 - MEAN), shape)


def with_answers(card, right):
    """A card whose network gets these images right (N,)."""
    bits = base64.b64encode(np.packbits(right).tobytes()).decode()
    return replace(card, accuracy=counted(int(right.sum()), len(right)), right=RightAnswers(len(right), _ORDER, bits))


def families(count, *, worse=(), by=0.0, members=VARIANTS, seed=0):
    """Cards of families: all networks answer alike but for luck, except that some are worse by a share.

    Args:
        count: how many families.
        worse: configurations that are less often right.
        by: by which share.
        members: configurations and seeds of a family; those that ship if not given.
        seed: of the random numbers.
    """
    rng, standard = np.random.default_rng(seed), pretrained.card("r16")
    blank = [replace(standard, name=one.name, network=one.config, seed=one.seed, right=None) for one in members]
    chance = difficulties(rng, IMAGES)
    for _ in range(count):
        right = rng.random((len(members), IMAGES)) < chance
        for place, one in enumerate(members):
            if one.config in worse:
                # Right answers of some images become wrong, whatever the image.
                right[place] &= rng.random(IMAGES) >= by / MEAN
        yield [with_answers(card, row) for card, row in zip(blank, right, strict=True)]
