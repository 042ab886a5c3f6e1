"""Files, settings, links and names of before are still read."""

import json
import lzma

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import se_viz
from se_viz import former_names
from se_viz.analysis.demo_responses import Responses, bundled_path
from se_viz.profiles import bundled
from se_viz.profiles.class_profiles import FILE
from se_viz.profiles.metadata import FORMAT, pass_precision
from se_viz.profiles.profile import profile
from se_viz.ui.server.limits import limits
from se_viz.ui.state import profiles as profiles_state


class Noise(list):
    """Two classes of images."""

    classes = ("a", "b")

    def __init__(self, count):
        pixels = np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
        super().__init__((image, index % 2) for index, image in enumerate(pixels))
        self.targets = [index % 2 for index in range(count)]


@pytest.mark.parametrize("former", ["Atlas", "open_atlas"])
def test_a_former_name_of_the_library_is_the_new_one_with_a_warning(former):
    new = {"Atlas": "ClassProfiles", "open_atlas": "open_profiles"}[former]
    with pytest.warns(DeprecationWarning, match=f"se_viz.{former} is now se_viz.{new}") as said:
        assert getattr(se_viz, former) is getattr(se_viz, new)
    assert said[0].filename == __file__
    assert former not in se_viz.__all__


def test_former_fields_of_images_are_the_new_ones_with_a_warning(tmp_path):
    se_viz.sample("cat").rgb.save(tmp_path / "cat.png")
    found = se_viz.read_paths(tmp_path)
    with pytest.warns(DeprecationWarning, match=r"Intake\.pictures is now Intake\.images"):
        assert found.pictures is found.images
    with pytest.warns(DeprecationWarning, match=r"InputImage\.image is now InputImage\.rgb") as said:
        assert found.images[0].image is found.images[0].rgb
    assert said[0].filename == __file__


def test_the_former_method_of_a_gate_is_the_new_one_with_a_warning():
    gate = bundled.bundled_profiles("demo/r16")["SE_2_1"]
    with pytest.warns(DeprecationWarning, match=r"GateProfile\.outside is now GateProfile\.clipped") as said:
        assert gate.outside("church", 0) == gate.clipped("church", 0)
    assert said[0].filename == __file__


@pytest.mark.slow
def test_former_names_of_a_gate_and_a_model_are_the_new_ones_with_a_warning():
    model = se_viz.load("demo/r16", "cpu")
    gate = model.gates[0]
    with pytest.warns(DeprecationWarning, match=r"Gate\.function is now Gate\.gate_function"):
        assert gate.function == gate.gate_function == "sigmoid"
    with pytest.warns(DeprecationWarning, match=r"Gate\.proof is now Gate\.found_by"):
        assert gate.proof == gate.found_by == "class"
    with pytest.warns(DeprecationWarning, match=r"Model\.as_published is now Model\.reference"):
        reference = model.as_published()
    with reference as exact:
        assert exact.instrument.network is model.network
    model.close()


@pytest.mark.slow
def test_a_folder_of_an_older_version_is_opened_and_is_finished(tmp_path):
    model = se_viz.load("demo/r16", "cpu")
    made = profile(model, Noise(4), tmp_path)
    assert made.path.name == FILE
    content = made.path.read_bytes()
    former = tmp_path / former_names.FILE
    made.path.rename(former)
    assert se_viz.open_profiles(tmp_path).path == former
    again = profile(model, Noise(4), tmp_path)
    assert again.path == former
    assert former.read_bytes() == content
    assert not (tmp_path / FILE).exists()


@pytest.mark.slow
def test_the_former_format_is_read_and_the_new_one_written(tmp_path):
    path = bundled.path("demo/r16")
    head = lzma.decompress(path.read_bytes())[:200_000]
    assert former_names.FORMAT.encode() in head  # shipped before the format got its name of today
    assert se_viz.open_profiles(path).header.model.precision == "fp32"
    made = profile(se_viz.load("demo/r16", "cpu"), Noise(2), tmp_path, precision="float32")
    head = made.path.read_bytes()[:200_000]
    assert f'"{FORMAT}"'.encode() in head
    assert former_names.FORMAT.encode() not in head
    assert json.loads((tmp_path / "report.json").read_text())["model"]["precision"] == "fp32"


def test_former_names_of_precisions_are_read():
    assert [pass_precision(name) for name in ("float32", "bfloat16", "fp32", "bf16")] == ["fp32", "bf16"] * 2
    with pytest.raises(ValueError, match="is fp32 or bf16, not 'fp16'"):
        pass_precision("fp16")


def test_measurements_with_former_keys_are_read(tmp_path):
    text = bundled_path().read_text()
    former = text.replace('"near_0"', '"shut"').replace('"near_1"', '"open"')
    assert former != text
    (tmp_path / "responses.json").write_text(former)
    found = Responses.read(tmp_path / "responses.json")
    assert found == Responses.read(bundled_path())
    found.write(tmp_path / "responses.json")
    assert json.loads((tmp_path / "responses.json").read_text()) == json.loads(text)


@pytest.mark.slow
def test_the_former_variable_and_the_former_folder_are_used_on(tmp_path, monkeypatch):
    model = se_viz.load("demo/r16", "cpu")
    for variable in (profiles_state.KEPT, former_names.VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    cache = tmp_path / ".cache" / "se-viz"
    assert profiles_state.folder(model).parent == cache / "profiles"
    (cache / former_names.FOLDER).mkdir(parents=True)
    assert profiles_state.folder(model).parent == cache / former_names.FOLDER
    (cache / "profiles").mkdir()
    assert profiles_state.folder(model).parent == cache / "profiles"
    monkeypatch.setenv(former_names.VARIABLE, str(tmp_path / "former"))
    assert profiles_state.folder(model).parent == tmp_path / "former"
    monkeypatch.setenv(profiles_state.KEPT, str(tmp_path / "new"))
    assert profiles_state.folder(model).parent == tmp_path / "new"


@pytest.mark.slow
def test_a_former_link_chooses_the_class_profiles(tmp_path, monkeypatch):
    monkeypatch.setenv(former_names.VARIABLE, str(tmp_path))
    made = profile(se_viz.load("demo/r16", "cpu"), Noise(6), tmp_path / "demo-r16" / "noise")
    made.path.rename(made.path.with_name(former_names.FILE))
    at = AppTest.from_string(
        "from se_viz.ui.pages import classes\n"
        "from se_viz.ui.widgets import page_header\n"
        "classes.page(page_header.draw(classes.QUESTION))\n",
        default_timeout=120,
    )
    at.query_params.update({"samples": "cat", "atlas": "Noise, 6 images"})
    at.run()
    assert not at.exception
    chosen = at.selectbox(key="profiles")
    assert chosen.label == "Class profiles"
    assert "6 images" in chosen.value
    assert "atlas" not in at.query_params


def test_a_former_link_shows_maps_over_the_image():
    at = AppTest.from_string(
        "from se_viz.ui.pages import inspect\n"
        "from se_viz.ui.widgets import page_header\n"
        "inspect.page(page_header.draw(inspect.QUESTION))\n",
        default_timeout=120,
    )
    at.query_params.update({"samples": "cat", "shown": former_names.OVERLAID})
    at.run()
    assert not at.warning
    assert not at.exception
    assert at.button_group(key="shown").value == "over the image"


def test_the_former_limit_of_captures_is_read_unless_there_is_a_new_one(monkeypatch):
    monkeypatch.setenv(former_names.CAPTURES_LIMIT, "7e6")
    assert limits.__wrapped__().captures == 7_000_000
    monkeypatch.setenv("SE_VIZ_CAPTURES_LIMIT", "8e6")
    monkeypatch.setenv(former_names.CAPTURES_LIMIT, "much")
    assert limits.__wrapped__().captures == 8_000_000
