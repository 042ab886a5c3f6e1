"""Gates that may go, by hand-made rows."""

from dataclasses import replace

import pytest
from support.ablations import CLASSES, SETTINGS, make_images, tiny

from se_viz.demo.paired_comparison import Change
from se_viz.interventions.ablate import ablate
from se_viz.interventions.edits import shuffle
from se_viz.interventions.suggest import suggest


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suggest")
    photos = make_images(folder / "photos", CLASSES)
    return ablate(tiny(classes=CLASSES), photos, folder / "out", edits=[1.0, 0.0, shuffle()], **SETTINGS)


def with_changes(measured, changes):
    rows = tuple(replace(row, change=changes.get(row.name, Change(-1, -1, -1))) for row in measured.rows)
    return replace(measured, rows=rows)


def test_a_gate_may_go_when_its_whole_interval_is_within_the_loss(measured):
    changes = {
        "SE_1_1 := 1": Change(-0.002, -0.008, 0.004),
        "SE_1_1 := 0": Change(-0.3, -0.4, -0.2),
        "SE_2_1 := 1": Change(0.0, -0.012, 0.012),
        "SE_2_1 := 0": Change(0.004, -0.002, 0.01),
        "SE_2_1 := shuffled": Change(0.1, 0.1, 0.1),
        "all := 1": Change(0.1, 0.1, 0.1),
    }
    ablation = with_changes(measured, changes)
    found = suggest(ablation, loss=0.01)
    assert [(one.gate, one.value) for one in found] == [("SE_2_1", 0.0), ("SE_1_1", 1.0)]
    assert found[0].edit == {"SE_2_1": 0.0}
    assert str(found[1]) == "SE_1_1 := 1: −0.20 points (95% interval −0.80 to +0.40)"
    assert [one.gate for one in suggest(ablation, loss=0.005)] == ["SE_2_1"]
    assert suggest(ablation, loss=0.001) == ()


@pytest.mark.parametrize("loss", [-0.01, 1.5, float("nan")])
def test_a_loss_is_a_share(measured, loss):
    with pytest.raises(ValueError, match="loss is a share of the images"):
        suggest(measured, loss)


def test_without_constants_it_says_what_to_do(measured):
    shuffled = replace(measured, rows=tuple(row for row in measured.rows if row.value == "shuffled"))
    with pytest.raises(ValueError, match=r"No gate .* was set to a constant"):
        suggest(shuffled)
