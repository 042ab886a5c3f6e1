"""The sentences of the Intervene page: the gate with the largest effect, and gates that weigh all channels alike."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from se_viz.interventions.gate_effects import GateEffects
from se_viz.reports.intervention import edit_words
from se_viz.reports.intervention_sentences import gates_sentence
from se_viz.reports.target_output import outcome_of
from se_viz.reports.uniform_weights import uniform_weights
from se_viz.weights.head import Head, fit

BEFORE = np.array([2.0, 1.0, 0.0])
NAMES = ("cat", "dog", "owl")


def effects(**after):
    """Effects of "s := 1" and "s := mean" by gate: outputs (2, 3), or one row for both."""
    rows = {gate: np.broadcast_to(np.asarray(outputs, float), (2, 3)) for gate, outputs in after.items()}
    return GateEffects(("1", "mean"), BEFORE, rows)


def said(found, target=None, kind="classes"):
    outcome = outcome_of(fit(Head(kind), 3, NAMES), found.before, target)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return gates_sentence(outcome, found, edit_words(found, ""))


CALM = [[2.1, 1, 0], [1.9, 1, 0]]
FLIPS = [[0.5, 1, 0], [1.5, 1, 0]]  # s := 1, to dog


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            effects(SE_1=CALM, SE_2=[[2, 1, 0], [1.4, 1, 0]]),
            "**SE_2 := mean** has the largest effect: it lowers cat from 67% to 52% (change of the logit: −0.6). "
            "No single gate "
            "changes this prediction.",
        ),
        (
            effects(SE_1=CALM, SE_2=FLIPS),
            "**SE_2 := 1** has the largest effect: it lowers cat from 67% to 31% (change of the logit: −1.5), "
            "and the network says "
            "dog. It is the only one of the 2 gates that can change this prediction alone.",
        ),
        (
            effects(SE_1=FLIPS, SE_2=[[2, 1, 3.5], [5, 1, 0]]),
            "**SE_2 := mean** has the largest effect: it raises cat from 67% to 98% (change of the logit: +3). "
            "Each of the 2 gates "
            "can change this prediction alone: with **SE_1 := 1** the network says dog.",
        ),
        (
            effects(SE_1=FLIPS, SE_2=[[-1, 1, 0], [2, 1, 0]], SE_3=CALM),
            "**SE_2 := 1** has the largest effect: it lowers cat from 67% to 9% (change of the logit: −3), "
            "and the network says dog. "
            "2 of the 3 gates can change this prediction alone: with **SE_1 := 1** the network says dog.",
        ),
        (
            effects(SE_1=[[2, 1, 2.5], [4, 1, 0]]),
            "**SE_1 := mean** has the largest effect: it raises cat from 67% to 94% (change of the logit: +2). "
            "The one gate can "
            "change this prediction alone: with **SE_1 := 1** the network says owl.",
        ),
        (effects(SE_1=BEFORE, SE_2=BEFORE), "No single gate has an effect on cat: no edit changes its logit."),
        (
            effects(SE_1=CALM, SE_2=[[np.nan, 1, 0], [9, np.inf, 0]]),
            "**SE_1 := 1** has the largest effect: it raises cat from 67% to 69% (change of the logit: +0.1). "
            "No single gate changes "
            "this prediction. With SE_2 := 1 and 1 other edit the network returns NaN or infinite numbers, which are "
            "not compared.",
        ),
        (
            effects(SE_1=np.full(3, np.nan)),
            "Every edit makes the network return NaN or infinite numbers, so no effect can be measured.",
        ),
    ],
)
def test_the_gate_with_the_largest_effect_is_named_and_one_that_changes_the_prediction(found, expected):
    assert said(found) == expected


def test_a_target_that_is_not_the_prediction_and_a_number():
    found = effects(SE_1=CALM, SE_2=[[2, 1.2, 0], [2, 1, 0]])
    assert said(found, "dog").endswith("(change of the logit: +0.2). No single gate changes this prediction (cat).")
    assert said(found, "dog", "number") == "**SE_2 := 1** has the largest effect: it raises dog from 1 to 1.2."


@given(
    st.dictionaries(
        st.sampled_from(["SE_1", "SE_2", "SE_3"]),
        arrays(float, (2, 3), elements=st.integers(-36, 36).map(lambda number: number / 4)),
        min_size=1,
    )
)
def test_the_named_edit_is_the_largest_and_the_count_is_that_of_the_gates_that_flip(after):
    found = effects(**after)
    text = said(found)
    changes = {
        f"{gate} := {edit}": rows[place][0] - 2
        for gate, rows in after.items()
        for place, edit in enumerate(("1", "mean"))
    }
    largest = max(map(abs, changes.values()))
    flips = sum((rows.argmax(1) != 0).any() for rows in after.values())
    if "has the largest effect" in text:
        assert abs(changes[text.split("**")[1]]) == largest
    else:
        assert largest == flips == 0
    if flips == 0:
        assert "can change" not in text
    elif flips > 1:
        many = f"Each of the {len(after)}" if flips == len(after) else f"{flips} of the {len(after)}"
        assert f"{many} gates can change this prediction alone: with **" in text


def test_gates_that_weigh_all_channels_alike_are_named(captured):
    assert uniform_weights(captured, 0) == ()

    def with_s(*values):
        new = {name: replace(one, s=one.s.copy()) for name, one in captured.gates.items()}
        for one, value in zip(new.values(), values, strict=False):
            one.s[1] = value
        return replace(captured, gates=new)

    count = captured["SE_2_1"].s.shape[1]
    (text,) = uniform_weights(with_s(0.5), 1)
    assert text == (
        "For this image, s is nearly the same number in all channels of SE_2_1 (0.50). This gate rescales all its "
        "channels alike and favours none of them."
    )
    assert uniform_weights(with_s(0.5), 0) == ()
    (text,) = uniform_weights(with_s(np.linspace(0.494, 0.5037, count), np.nan, 0.0), 1)
    assert "SE_2_1 (0.49 to 0.50) and SE_3_1 (0.00). These gates rescale" in text
    assert uniform_weights(with_s(np.linspace(0.001, 0.002, count)), 1) == ()
    (text,) = uniform_weights(with_s(*[1.0] * 8), 1)
    assert "SE_2_1 (1.00), SE_2_2 (1.00), SE_3_1 (1.00), SE_3_2 (1.00) and 4 more. These" in text
