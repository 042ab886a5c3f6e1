"""A visitor's own weights on the page, and the precision they are run in."""

import hashlib
import io
import re
import shlex

import numpy as np
import pytest
import torch
from safetensors.torch import save
from support.checkpoints import SMALL, Evil, small_weights
from support.pages import hand_in, open_page
from typer.testing import CliRunner

import se_viz
from se_viz.cli.app import app
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import profiles as profiles_state
from se_viz.ui.state import uploaded_model
from se_viz.ui.widgets import head_picker
from se_viz.zoo import timm_source


@pytest.mark.slow
def test_a_checkpoint_is_read_and_its_lines_run(tmp_path, monkeypatch):
    content, names = save(small_weights(3)), b"smooth\npalmate\ngreat crested\n"
    page = hand_in(open_page("inspect", view="Export"), "newts.safetensors", content, names)
    assert not page.error
    assert page.selectbox(key="gate").options == ["SE_4_1", "SE_5_1"]
    assert any(escape_markdown("softmax over 3 classes (assumed)") in text.value for text in page.caption)
    (tmp_path / "newts.safetensors").write_bytes(content)
    (tmp_path / "newts.txt").write_bytes(names)
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(page.code[0].value, found)  # noqa: S102
    assert found["model"].classes == ("smooth", "palmate", "great crested")
    assert found["gate_capture"].s.shape[0] == 1
    assert "--checkpoint ./newts.safetensors --arch timm/test_efficientnet --classes ./newts.txt" in page.code[1].value


@pytest.mark.slow
def test_one_file_for_two_architectures_gives_two_readings():
    torch.manual_seed(0)
    content = save(timm_source.create("efficientnet_b0").state_dict())
    page = open_page("inspect")
    page.segmented_control(key="origin").set_value("your weights").run()
    page.file_uploader(key="own_weights").set_value(("b0.safetensors", content, ""))
    found = []
    for name in ("timm/efficientnet_b0", "timm/tf_efficientnet_b0"):  # alike but for padding and BatchNorm's epsilon
        page.selectbox(key="own_architecture").set_value(name).run()
        assert not page.exception
        assert not page.error
        found.append([spec.proto.spec for spec in page.get("plotly_chart")])
    assert all(one != other for one, other in zip(*found, strict=True))


@pytest.mark.slow
def test_images_are_prepared_as_asked_and_the_lines_say_so(tmp_path, monkeypatch):
    content = save(small_weights(3))
    page = hand_in(open_page("inspect", view="Export"), "newts.safetensors", content)
    page.number_input(key="own_size").set_value(96)
    page.selectbox(key="own_scale").set_value("mean 0.5 and SD 0.5: −1 … 1").run()
    assert not page.exception
    assert any("input 96 × 96" in text.value for text in page.caption)
    assert "--size 96 --mean 0.5 0.5 0.5 --std 0.5 0.5 0.5" in page.code[1].value
    (tmp_path / "newts.safetensors").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(page.code[0].value, found)  # noqa: S102
    assert found["model"].preprocess.crop == (96, 96)
    assert found["model"].preprocess.mean == (0.5, 0.5, 0.5)


@pytest.mark.slow
def test_an_upload_stays_while_a_network_is_chosen_by_name():
    page = hand_in(
        open_page("inspect"), "newts.safetensors", save(small_weights(3)), b"smooth\npalmate\ngreat crested\n"
    )
    page.text_input(key="own_arguments").set_value("drop_rate=0.1")
    page.number_input(key="own_size").set_value(96).run()
    page.segmented_control(key="origin").set_value("by name").run()
    assert not page.get("file_uploader") or "own_weights" not in {one.key for one in page.get("file_uploader")}
    page.segmented_control(key="origin").set_value("your weights").run()
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="own_architecture").value == SMALL
    assert page.text_input(key="own_arguments").value == "drop_rate=0.1"
    assert any("input 96 × 96" in text.value for text in page.caption)
    assert any("softmax over 3 classes" in text.value for text in page.caption)
    assert any(escape_markdown("newts.safetensors, ") in text.value for text in page.caption)
    page.button(key="own_weights_remove").click().run()
    assert any("architecture must be the one" in text.value for text in page.caption)
    assert not page.error


@pytest.mark.slow
def test_the_architecture_that_fits_is_offered_and_a_click_takes_it():
    torch.manual_seed(0)
    content = save(timm_source.create("mobilenetv3_small_050", num_classes=3).state_dict())
    page = hand_in(open_page("inspect"), "newts.safetensors", content)
    (said,) = (error.value for error in page.error)
    assert escape_markdown(f"newts.safetensors does not fit {SMALL}.") in said
    assert escape_markdown("The file's tensors are those of timm/mobilenetv3_small_050") in said
    assert "--arch" not in said
    assert "conv_head" not in said  # No wall of names; they are in the list to open.
    page.button(key="choose_timm/mobilenetv3_small_050").click().run()
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="own_architecture").value == "timm/mobilenetv3_small_050"
    assert any("with the weights of newts" in text.value for text in page.caption)


def main_part(page, kind):
    """Texts of a kind in the page itself, without the sidebar."""
    return [element.value for element in getattr(page.main, kind)]


@pytest.mark.slow
def test_a_misfit_is_said_in_the_page_with_the_button_right_below_it():
    torch.manual_seed(0)
    content = save(timm_source.create("mobilenetv3_small_050", num_classes=3).state_dict())
    page = hand_in(open_page("inspect"), "newts.safetensors", content)
    assert len(main_part(page, "error")) == 1
    assert not page.sidebar.error
    assert "choose_timm/mobilenetv3_small_050" in {button.key for button in page.main.button}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "names", "said", "left"),
    [
        ("binary", None, "A binary head has one output, and this network has 3", "without the head;"),
        (
            "classes",
            b"one\ntwo\n",
            "There are 2 names of classes and 3 logits",
            "without the head and the class names;",
        ),
        ("automatic", b"one\ntwo\n", "There are 2 names of classes and 3 logits", "without the class names;"),
    ],
)
def test_a_head_or_names_that_do_not_fit_leave_the_network_on_the_page(kind, names, said, left):
    page = hand_in(open_page("inspect", head=kind), "newts.safetensors", save(small_weights(3)), names)
    assert not page.error
    (warning,) = main_part(page, "warning")
    assert escape_markdown(said) in warning
    assert escape_markdown(left) in warning
    assert page.selectbox(key="gate").options == ["SE_4_1", "SE_5_1"]
    assert not any("--classes" in code.value for code in page.code)
    assert any(escape_markdown("softmax over 3 classes (assumed)") in text.value for text in page.caption)
    if kind == "binary":
        page.button(key="head_back").click().run()
        assert not page.exception
        assert not page.warning
        assert page.selectbox(key="head").value == "automatic"


@pytest.mark.slow
def test_every_head_says_what_it_means():
    page = open_page("inspect")
    for kind in page.selectbox(key="head").options:
        page.selectbox(key="head").set_value(kind).run()
        assert head_picker._CAPTIONS[kind] in [caption.value for caption in page.sidebar.caption]


@pytest.mark.slow
def test_no_sentence_has_the_hash_that_sets_a_file_apart():
    for module in ("classes", "network"):
        page = hand_in(open_page(module), "newts.safetensors", save(small_weights(3)))
        texts = [text.value for kind in ("markdown", "caption", "title") for text in getattr(page, kind)]
        texts += [chart.proto.alt for chart in page.get("plotly_chart")]
        assert not [text for text in texts if re.search(r"[0-9a-f]{16}", text)]
        assert any("newts" in text for text in texts)


@pytest.mark.slow
def test_what_was_refused_is_not_read_at_every_run(monkeypatch):
    page = hand_in(open_page("inspect"), "a.safetensors", save({"a": torch.zeros(1)}))
    said = page.error[0].value

    def read(*_, **__):
        raise AssertionError

    monkeypatch.setattr(uploaded_model, "load_checkpoint", read)
    page.run()
    assert not page.exception
    assert page.error[0].value == said


@pytest.mark.slow
def test_arguments_of_the_architecture_are_taken_and_the_lines_have_them(tmp_path, monkeypatch):
    torch.manual_seed(0)
    content = save(timm_source.create("test_efficientnet", num_classes=3, se_layer="ese").state_dict())
    page = hand_in(open_page("inspect", view="Export"), "newts.safetensors", content)
    assert page.error
    page.text_input(key="own_arguments").set_value("se_layer=ese, act_layer=silu").run()
    assert not page.exception
    assert not page.error
    (tmp_path / "newts.safetensors").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(page.code[0].value, found)  # noqa: S102
    assert {gate.kind for gate in found["model"].gates} == {"EffectiveSEModule"}
    assert "--arg 'se_layer=\"ese\"' --arg 'act_layer=\"silu\"'" in page.code[1].value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depth=1000000", "numbers up to 2,048"),
        ("pretrained=true", "The argument pretrained is not allowed"),
        ("device=cpu", "The argument device is not allowed"),
        ("nonsense=1", "takes no argument nonsense"),
        ("a", "An argument has the form KEY=VALUE"),
    ],
)
def test_arguments_that_are_not_taken_are_named(text, said):
    page = hand_in(open_page("inspect"), "newts.safetensors", save(small_weights(3)))
    page.text_input(key="own_arguments").set_value(text).run()
    assert not page.exception
    assert escape_markdown(said) in page.error[0].value


@pytest.mark.slow
def test_what_was_left_out_of_a_file_stands_on_the_page():
    page = hand_in(open_page("inspect"), "a.safetensors", save(small_weights(3) | {"total_ops": torch.zeros(1)}))
    assert not page.error
    assert any(escape_markdown("Left out: counters of a profiler (total_ops)") in text.value for text in page.caption)


@pytest.mark.slow
def test_class_profiles_are_made_by_the_line_for_the_shell(tmp_path, monkeypatch, tiny_imagenette):
    monkeypatch.setenv("SE_VIZ_PROFILES", str(tmp_path / "profiles"))
    content = save(small_weights(3))
    page = hand_in(
        open_page("classes", view="Export"), "my newts.safetensors", content, b"smooth\npalmate\ngreat crested\n"
    )
    (line,) = (code.value for code in page.code if code.value.startswith("python -m se_viz profile"))
    (tmp_path / "my newts.safetensors").write_bytes(content)
    (tmp_path / "newts.txt").write_text("smooth\npalmate\ngreat crested\n")
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line.replace("DIR", str(tiny_imagenette)))
    result = CliRunner().invoke(app, [*words[3:], "--labels", "predictions", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    profiles = se_viz.open_profiles("PROFILES")
    assert profiles.classes == ("smooth", "palmate", "great crested")
    # Put where the page looks, it is taken for this network's, and the page has the same line again.
    made_of = hashlib.sha256(content + f"{SMALL} {{}}".encode()).hexdigest()[:16]
    made = tmp_path / "profiles" / profiles_state.slug(f"my newts.safetensors {made_of}")
    made.mkdir(parents=True)
    (tmp_path / "PROFILES").rename(made / "newts")
    page.run()
    assert not page.exception
    assert not page.warning, [warning.value for warning in page.warning]
    lines = next(code.value for code in page.code if "--eta2" in code.value)
    assert lines.startswith(f"{line} --table profiles.csv --eta2 eta2.csv")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.safetensors", b"nothing of the kind", "is a text file"),
        ("a.safetensors", save({"a": torch.zeros(1)}), "does not fit"),
        ("a.pth", b"", "empty|neither"),
    ],
)
def test_an_invalid_file_is_refused_and_another_taken(name, content, said):
    page = hand_in(open_page("inspect"), name, content)
    assert any(word in page.error[0].value for word in said.split("|")), page.error[0].value
    page.file_uploader(key="own_weights").set_value(("b.safetensors", save(small_weights(3)), "")).run()
    assert not page.error
    assert page.selectbox(key="gate").options == ["SE_4_1", "SE_5_1"]


def test_a_pickle_that_would_run_code_runs_none(tmp_path):
    out = io.BytesIO()
    torch.save({"a": Evil(tmp_path / "trap")}, out)
    page = hand_in(open_page("inspect"), "evil.pth", out.getvalue())
    assert "nothing was run" in page.error[0].value
    assert not (tmp_path / "trap").exists()


@pytest.mark.slow
def test_precision_is_chosen_stated_and_in_the_lines():
    page = open_page("inspect", precision="bf16", view="Export")
    assert any(escape_markdown("bf16 on cpu") in text.value for text in page.caption)
    assert "precision='bf16'" in page.code[0].value
    assert "--precision bf16" in page.code[1].value
    exact, rough = (se_viz.capture(se_viz.load("demo/r16", "cpu", p), se_viz.sample("cat")) for p in ("fp32", "bf16"))
    difference = np.abs(exact["SE_5_2"].s - rough["SE_5_2"].s)
    assert 0 < difference.mean() < 5e-3


@pytest.mark.slow
@pytest.mark.parametrize("module", ["classes", "reduction", "network"])
@pytest.mark.parametrize("precision", ["bf16"])
def test_the_other_pages_stand_any_precision(module, precision):
    page = open_page(module, precision=precision)
    assert not page.error
    assert not page.warning, [warning.value for warning in page.warning]


@pytest.mark.slow
@pytest.mark.parametrize("module", ["classes", "reduction", "network"])
def test_the_other_pages_stand_own_weights(module):
    page = hand_in(open_page(module), "newts.safetensors", save(small_weights(3)))
    assert not page.error
