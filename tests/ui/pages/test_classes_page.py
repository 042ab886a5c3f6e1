import io
import os
import shutil
import zipfile
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support import pages
from support.images import encoded

from se_viz import capture, load, profile, sample
from se_viz.analysis.by_depth import by_depth
from se_viz.analysis.class_separation import cohens_d
from se_viz.analysis.class_similarity import gate_similarity
from se_viz.disk import sole_writer
from se_viz.interventions.gate_effects import outputs_of
from se_viz.profiles.bundled import bundled_profiles
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.reports.class_selection import first_pair
from se_viz.reports.observations import eta2_by_chance, most_specific_gate, observations, similar_gates
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.pages import classes
from se_viz.ui.state import class_numbers
from se_viz.ui.state import profiles as profiles_state
from se_viz.ui.widgets import profile_pass, server_profiles
from se_viz.wording import signed

open_page = partial(pages.open_page, "classes")


def charts(page):
    return [chart.proto.id for chart in page.get("plotly_chart")]


def test_it_opens_on_the_answer_by_depth_and_computes_no_other_tab():
    page = open_page(samples="cat")
    profiles = bundled_profiles("demo/r16")
    assert page.title[0].value == classes.QUESTION
    assert [name.rpartition("-chart_")[2] for name in charts(page)] == [
        "eta_by_gate",
        "class_saturation",
        "gate_heatmap",
    ]
    depths = by_depth(profiles)
    assert any(emphasised(most_specific_gate(depths)) in text.value for text in page.markdown)
    for one in observations(depths):
        assert any(
            escape_markdown(one.said) in text.value and f"**{one.verdict}**" in text.value for text in page.markdown
        )


def test_figure_6_opens_on_the_farthest_classes_with_the_last_block_of_each_stage():
    page = open_page(samples="cat", view="Figure 6")
    profiles = bundled_profiles("demo/r16")
    pair = first_pair(ClassNumbers(profiles))
    assert page.multiselect(key="classes").value[:2] == list(pair)
    assert len(page.multiselect(key="classes").value) == 4
    for gate in ("SE_2_2", "SE_3_2", "SE_4_2", "SE_5_2"):
        assert any(f"chart_classes_{gate}" in name for name in charts(page))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "view", "drawn"),
    [
        ({"classes": "church"}, "Figure 6", "classes_SE_5_2"),
        ({"class_stage3": "SE_3_1"}, "Figure 6", "classes_SE_3_1"),
        ({"class_gate": "SE_4_1"}, "Figure 7", "band_SE_4_1_0"),
        ({"one": "church"}, "A against B", "effect_SE_5_2"),  # which is B until another class is chosen
        ({"faceoff_gate": "SE_3_1"}, "A against B", "effect_SE_3_1"),
        ({"yours_gate": "SE_4_2"}, "Your images", "groups_SE_4_2"),
        ({"class_gate": "SE_4_1", "view": "Export"}, "Export", ""),
    ],
)
def test_a_link_made_before_there_were_tabs_opens_the_tab_of_what_it_names(query, view, drawn):
    page = open_page(samples="cat", **query)
    assert page.session_state["view"] == view
    assert not drawn or any(name.endswith(f"chart_{drawn}") for name in charts(page))
    page.run()
    assert page.session_state["view"] == view
    assert not page.warning


@pytest.mark.slow
def test_choices_of_a_closed_tab_are_kept():
    page = open_page(samples="cat", view="Figure 6")
    page.multiselect(key="classes").set_value(["church", "golf ball"]).run()
    pages.open_tab(page, "Export")
    assert "classes" not in [one.key for one in page.multiselect]
    pages.open_tab(page, "Figure 7")
    assert page.multiselect(key="classes").value == ["church", "golf ball"]


@pytest.mark.slow
def test_any_block_and_class_can_be_chosen_and_none_is_said_to_be_none():
    page = open_page(samples="cat", view="Figure 6")
    page.segmented_control(key="class_stage3").set_value("SE_3_1").run()
    assert any("chart_classes_SE_3_1" in name for name in charts(page))
    page.multiselect(key="classes").set_value(["church", "golf ball"]).run()
    pages.open_tab(page, "Figure 7")
    page.segmented_control(key="band").set_value("median and quartiles").run()
    assert not page.exception
    assert sum("chart_band_SE_5_2" in name for name in charts(page)) == 2
    page.multiselect(key="classes").set_value([]).run()
    assert any("at least one class" in info.value for info in page.info)


def test_two_classes_are_told_apart_by_their_most_different_channels():
    page = open_page(samples="cat", one="church", other="golf ball")
    d = np.abs(cohens_d(bundled_profiles("demo/r16")["SE_5_2"], "church", "golf ball"))
    channel = page.number_input(key="channel")
    assert channel.value == np.nanargmax(d)
    assert any(f"channel {channel.value} the weight **s = " in text.value for text in page.markdown)
    channel.set_value(int(np.argsort(-d)[2])).run()
    assert not page.exception
    page.selectbox(key="class_b").set_value("church").run()
    assert any("two different classes" in info.value for info in page.info)


@pytest.mark.slow
def test_a_class_that_is_chosen_alone_is_compared_with_another():
    profiles = bundled_profiles("demo/r16")
    one, other = first_pair(ClassNumbers(profiles))
    for query, pair in (
        ({}, [one, other]),
        ({"class_a": other}, [other, one]),
        ({"class_b": one}, [other, one]),
        ({"class_a": "golf ball"}, ["golf ball", other]),
    ):
        page = open_page(samples="cat", view="A against B", **query)
        assert [page.selectbox(key=key).value for key in ("class_a", "class_b")] == pair
        assert not page.warning
    page.selectbox(key="class_a").set_value(other).run()
    assert [page.selectbox(key=key).value for key in ("class_a", "class_b")] == [other, one]
    assert any(name.endswith("chart_effect_SE_5_2") for name in charts(page))


def image(colour):
    noise = np.random.default_rng(colour[0]).integers(0, 60, (160, 160, 3))
    return encoded(Image.fromarray((np.asarray(colour) + noise).clip(0, 255).astype(np.uint8)))


def test_folders_of_a_zip_are_groups_with_their_nearest_class():
    page = open_page(samples="", view="Your images")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, colour in (("red/1.png", (180, 20, 10)), ("red/2.png", (160, 40, 20)), ("blue/1.png", (10, 20, 190))):
            archive.writestr(name, image(colour))
    page.file_uploader(key="upload").set_value(("two groups.zip", packed.getvalue(), "application/zip")).run()
    assert not page.exception
    table = next(frame.value for frame in page.dataframe if "images" in frame.value.columns)
    assert dict(zip(table["group"], table["images"], strict=True)) == {"red": 2, "blue": 1}
    assert all(words.rsplit(" ", 1)[0] in bundled_profiles("demo/r16").classes for words in table["SE_5_2"])
    assert any("chart_groups_SE_5_2" in name for name in charts(page))


def test_a_groups_name_is_shown_as_it_is():
    page = open_page(samples="", view="Your images")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("my_cats-big/1.png", image((180, 20, 10)))
        archive.writestr("b/1.png", image((10, 20, 190)))
    page.file_uploader(key="upload").set_value(("two groups.zip", packed.getvalue(), "application/zip")).run()
    table = next(frame.value for frame in page.dataframe if "images" in frame.value.columns)
    assert set(table["group"]) == {"my_cats-big", "b"}


@pytest.mark.slow
@given(st.text(max_size=400))
def test_any_name_is_that_of_a_folder(name):
    slug = profiles_state.slug(name)
    assert 1 <= len(slug.encode()) <= 128
    assert slug == profiles_state.slug(name)
    assert not {"/", "\\", "\0"} & set(slug)
    assert slug not in (".", "..")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    for name, colour in (("ants", (180, 20, 10)), ("bees", (10, 20, 190))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(3):
            (tmp_path / "photos" / name / f"{index}.png").write_bytes(image((colour[0] + index, *colour[1:])))
    monkeypatch.setenv("SE_VIZ_PROFILES", str(tmp_path / "profiles"))
    return tmp_path / "photos"


@pytest.mark.slow
def test_class_profiles_are_built_from_a_folder_that_was_allowed(photos, monkeypatch):
    assert any("SE_VIZ_DATA" in text.value for text in open_page(samples="cat", view="Your images").markdown)
    monkeypatch.setenv("SE_VIZ_DATA", str(photos))
    page = open_page(samples="cat", view="Your images")
    page.button(key="make_server_profiles").click().run()
    assert not page.exception
    choice = page.selectbox(key="profiles")
    assert choice.options[1].endswith("6 images")
    choice.set_value(choice.options[1]).run()
    pages.open_tab(page, "Figure 6")
    assert sorted(page.multiselect(key="classes_photos").value) == ["ants", "bees"]
    pages.open_tab(page, "Channel")
    (strongest,) = (one.proto.body for one in page.get("html") if "Images with the highest weight" in one.proto.body)
    assert strongest.count("<img") == 6
    settings = {"batch": profile_pass.BATCH, "shard": server_profiles.SHARD}
    again = profile(load("demo/r16", "cpu"), photos, photos.parent / "again", **settings)
    (built,) = (photos.parent / "profiles").rglob("profiles.safetensors")
    assert built.read_bytes() == again.path.read_bytes()


@pytest.mark.slow
def test_a_build_ends_with_an_account_and_a_split_can_be_chosen(photos, monkeypatch):
    for split in ("Train", "Val"):
        shutil.copytree(photos / "ants", photos / split / "ants")
        shutil.copytree(photos / "bees", photos / split / "bees")
    (photos / "Train" / "bees" / "0.png").write_bytes(b"")
    shutil.rmtree(photos / "ants")
    shutil.rmtree(photos / "bees")
    monkeypatch.setenv("SE_VIZ_DATA", str(photos))
    page = open_page(samples="cat", view="Your images")
    page.button(key="make_server_profiles").click().run()
    assert not page.exception
    said = [text.value.replace("\\", "") for text in page.markdown]
    assert any(
        "- 6 images of 2 classes: ants 3, bees 3.\n- photos is split into Train, Val: Val was taken" in text
        for text in said
    )
    page.selectbox(key="server_folder").set_value(str(photos / "Train")).run()
    page.button(key="make_server_profiles").click().run()
    assert not page.exception
    said = [text.value.replace("\\", "") for text in page.markdown]
    assert any(
        "- 5 images of 2 classes: ants 3, bees 2.\n- bees/0.png was left out: it is empty" in text for text in said
    )


@pytest.mark.slow
def test_class_profiles_of_other_images_is_started_over_when_asked(photos, monkeypatch):
    monkeypatch.setenv("SE_VIZ_DATA", str(photos))
    page = open_page(view="Your images")
    page.button(key="make_server_profiles").click().run()
    (photos / "ants" / "3.png").write_bytes(image((90, 90, 90)))
    page.button(key="make_server_profiles").click().run()
    assert not page.exception
    assert any("differ from those of the unfinished class profiles" in warning.value for warning in page.warning)
    page.button(key="make_server_profiles").click().run()
    assert not page.exception
    assert page.success
    assert any(option.endswith("7 images") for option in page.selectbox(key="profiles").options)


@pytest.mark.slow
def test_two_folders_of_one_name_have_class_profiles_each(photos, monkeypatch, tmp_path):
    other = tmp_path / "other" / "photos"
    shutil.copytree(photos, other)
    monkeypatch.setenv("SE_VIZ_DATA", f"{photos}{os.pathsep}{other}")
    page = open_page(view="Your images")
    for place in (photos, other):
        page.selectbox(key="server_folder").set_value(str(place))
        page.button(key="make_server_profiles").click().run()
        assert page.success
    assert len(list((tmp_path / "profiles").rglob("profiles.safetensors"))) == 2
    options = page.selectbox(key="profiles").options
    assert len(options) == len(set(options)) == 3  # the one that ships, and these two


def test_a_folder_for_class_profiles_that_cannot_be_written_to_gets_a_sentence(photos, monkeypatch, tmp_path):
    monkeypatch.setenv("SE_VIZ_DATA", str(photos))
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SE_VIZ_PROFILES", str(tmp_path / "file"))
    page = open_page(samples="cat", view="Your images")
    page.button(key="make_server_profiles").click().run()
    assert not page.exception
    assert "file is not a folder" in page.error[0].value


@pytest.mark.slow
def test_a_folder_that_another_process_writes_is_neither_built_nor_started_over(photos, monkeypatch, tmp_path):
    monkeypatch.setattr(sole_writer, "PATIENCE", 0.05)
    monkeypatch.setenv("SE_VIZ_DATA", str(photos))
    page = open_page(view="Your images")
    page.button(key="make_server_profiles").click().run()
    (built,) = (tmp_path / "profiles").rglob("profiles.safetensors")
    before = built.read_bytes()
    (photos / "ants" / "3.png").write_bytes(image((90, 90, 90)))
    page.button(key="make_server_profiles").click().run()
    assert page.button(key="make_server_profiles").label == "Start over"
    with sole_writer.sole_writer(built):
        page.button(key="make_server_profiles").click().run()
        assert "is being written by another thread of this process since" in page.error[0].value
        assert built.read_bytes() == before
    page.button(key="make_server_profiles").click().run()
    assert not page.exception


def test_a_folder_without_images_gets_a_sentence(photos, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SE_VIZ_DATA", str(tmp_path / "empty"))
    page = open_page(samples="cat", view="Your images")
    page.button(key="make_server_profiles").click().run()
    assert not page.exception
    assert len(page.error) == 1


def test_gates_are_compared_and_chance_is_told():
    page = open_page(samples="cat")
    profiles = bundled_profiles("demo/r16")
    depths = by_depth(profiles)
    said = " ".join(text.value for text in page.markdown)
    assert emphasised(eta2_by_chance(depths)) in said
    assert emphasised(similar_gates([depth.gate for depth in depths], gate_similarity(profiles))) in said
    assert any("chart_gate_heatmap" in name for name in charts(page))


def test_what_the_profiles_cannot_say_is_said_above_the_charts(monkeypatch):
    clipped = "12.3% of s of SE_5_1 were above 8 and are counted as 8."
    monkeypatch.setattr(class_numbers.SharedNumbers, "limits", lambda *_: (clipped,))
    page = open_page(samples="cat")
    assert [warning.value for warning in page.warning] == [escape_markdown(clipped)]


@pytest.mark.slow
def test_a_link_opens_the_card_of_a_channel():
    page = open_page(samples="cat", view="Channel", gate="SE_5_2", channel="450")
    assert any("Channel 450 of SE" in text.value for text in page.markdown)
    assert any(name.endswith("chart_class_means_SE_5_2_450") for name in charts(page))
    model, image = load("demo/r16", "cpu"), sample("cat")
    before, after = (outputs_of(capture(model, [image], edits=edits))[0] for edits in (None, {"SE_5_2": {450: "mean"}}))
    said = next(text.value.replace("\\", "") for text in page.markdown if "If s is set to its mean" in text.value)
    assert f"the logit of tench changes by **{signed((after - before)[0], '+.2g')}**" in said
    assert any("se-thumbs" in one.proto.body and "Chelsea the cat" in one.proto.body for one in page.get("html"))
    page.selectbox(key="gate").set_value("SE_2_1").run()
    assert not page.exception
    assert any(name.rpartition("chart_")[2].startswith("class_means_SE_2_1_") for name in charts(page))
