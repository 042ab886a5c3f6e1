import pytest

import se_viz
from se_viz.demo.design_choices import RATIO
from se_viz.profiles.bundled import bundled_profiles
from se_viz.reports import class_profiles, design_choices, inspection, network


@pytest.fixture(scope="module")
def r16():
    return se_viz.load("demo/r16", "cpu")


@pytest.mark.slow
def test_images_of_a_model(r16):
    images = [se_viz.sample("cat"), se_viz.sample("coffee")]
    report = se_viz.report(r16, images, ["SE_4_1"])
    assert report.question == inspection.QUESTION
    assert {f"{kind}_SE_4_1_2" for kind in ("z_against_s", "distribution", "maps", "overlay")} < set(report.charts)
    own = se_viz.capture(r16, images)
    said = inspection.summary(own, 0, se_viz.predict(r16, own, images=images).images[0].sentence)
    assert report.sentences[0] == said
    assert set(report.tables["predictions"]["image"]) == {image.name for image in images}
    alone = se_viz.report(r16, se_viz.sample("cat"))
    assert "maps_SE_5_2_1" in alone.charts
    assert alone.text[1].startswith("One image cannot tell")


def test_a_model_alone(r16):
    report = se_viz.report(r16)
    assert report.question == network.QUESTION
    assert list(report.charts) == ["gates", "block_SE_5_2"]
    assert report.text[-1].startswith("SE_5_2 is at the end of the residual branch")


def test_class_profiles():
    report = se_viz.report(bundled_profiles("demo/r16"), gates=["SE_3_1"])
    assert report.question == class_profiles.QUESTION
    assert "classes_SE_3_1" in report.charts
    assert "classes_SE_5_2" not in report.charts


def test_a_choice():
    report = se_viz.report("reduction ratio r")
    assert report.question == design_choices.QUESTION
    said = design_choices.conclusions(RATIO, design_choices.family_cards())
    assert report.sentences[: len(said.sentences)] == said.sentences
    assert f"table_{RATIO.table}" in report.charts


def test_mistakes_get_a_sentence(r16):
    with pytest.raises(
        ValueError, match="There is no choice 'size': choose one of reduction ratio r, squeeze operator"
    ):
        se_viz.report("size")
    with pytest.raises(ValueError, match="pass the model first"):
        se_viz.report(bundled_profiles("demo/r16"), se_viz.sample("cat"))
    with pytest.raises(ValueError, match="leave them out"):
        se_viz.report("reduction ratio r", gates=["SE_5_2"])
    with pytest.raises(ValueError, match="no image"):
        se_viz.report(r16, [])
    with pytest.raises(KeyError, match="SE_9_9"):
        se_viz.report(r16, gates=["SE_9_9"])
