"""The sentence on a network without gates, in every combination of what was seen: its parts do not contradict."""

from itertools import chain, combinations

import pytest
from torch import nn

from se_viz.gates.finding_sentences import none_found
from se_viz.gates.other_products import AXES
from se_viz.gates.trace import Trace
from se_viz.gates.watched_gates import NORMALISATION, PARTS, RESIZED, UNSEEN, Passed

REASONS = (NORMALISATION, RESIZED, PARTS, UNSEEN, AXES)
SEEN = tuple(chain.from_iterable(combinations(REASONS, count) for count in range(len(REASONS) + 1)))


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("copies", [(), ("SE",)])
def test_its_first_words_agree_with_the_list(quantised, copies):
    trace = Trace((), 224, quantized=quantised, copies=copies)
    for reasons in SEEN:
        passed = [Passed(f"block{number}", reason) for number, reason in enumerate(reasons)]
        said = none_found(nn.Linear(1, 1), trace, passed)
        assert ("none was seen to multiply" in said) == (not reasons)
        assert said.startswith(
            "No gate of Linear can be read: " if PARTS in reasons else "No channel gate found in Linear"
        )
        for item in passed:
            assert said.count(item.path) == 1
            assert item.reason in said or (item.reason == PARTS and f"{item.path} runs on parts" in said)
        assert ("quantised" in said) == quantised
        assert ("Copies of modules" in said) == bool(copies)
        assert said.endswith(".")
        assert ".." not in said


def test_the_network_itself_is_named():
    said = none_found(nn.Linear(1, 1), Trace((), 224), [Passed("", PARTS), Passed("", NORMALISATION)])
    assert said == (
        "No gate of Linear can be read: its own code runs on parts of an image or of the batch, so that no single s "
        f"belongs to an image. Not counted as gates: Linear: {NORMALISATION}."
    )
