import json
import socket
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from se_viz import capture, load, open_profiles, predict, sample
from se_viz.analysis.class_overview import Overview
from se_viz.analysis.class_separation import cohens_d
from se_viz.analysis.demo_responses import Responses
from se_viz.analysis.verdicts import VERDICTS
from se_viz.cli.app import app
from se_viz.data import untrusted
from se_viz.demo import pretrained as demo
from se_viz.demo.design_choices import RATIO, variants_of
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.demo.variants import VARIANTS, Variant
from se_viz.figures.chart import Chart
from se_viz.gates.macs import RULE
from se_viz.profiles import shard_writer as engine
from se_viz.profiles.bundled import bundled_profiles
from se_viz.profiles.engine import engine_of
from se_viz.reports.design_choices import conclusions

RUN = CliRunner()


@pytest.mark.slow
def test_models_and_gates_are_listed():
    assert "demo/r16" in RUN.invoke(app, ["models"]).output.split()
    lines = RUN.invoke(app, ["gates", "demo/r16"]).stdout.splitlines()
    assert lines[9].startswith("8 gates in 4 stages: squeeze avg, sigmoid, r = 16.")
    assert lines[10:] == [RULE]
    assert lines[8].split() == ["SE_5_2", "768", "48", "16", "avg", "sigmoid", "layer4.1.se"]


@pytest.mark.slow
def test_inspect_writes_what_python_reads(tmp_path):
    Image.new("RGB", (300, 200), (200, 30, 30)).save(tmp_path / "red.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not an image")
    out = tmp_path / "out"
    result = RUN.invoke(
        app,
        [
            *("inspect", str(tmp_path / "red.png"), str(tmp_path / "broken.jpg"), "--sample", "cat"),
            *("--maps", "SE_4_1", "--device", "cpu", "--out", str(out)),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "broken.jpg" in result.output
    frame = pd.read_parquet(out / "capture.parquet")
    gate_capture = capture(load("demo/r16", "cpu"), sample("cat"))["SE_3_2"]
    cat = frame[(frame["image"] == "Chelsea the cat") & (frame["gate"] == "SE_3_2")]
    np.testing.assert_allclose(cat["s"], gate_capture.s[0], atol=1e-6)
    assert len(pd.read_csv(out / "capture.csv")) == len(frame) == 2 * 2880
    assert len(list(out.glob("heatmap_SE_*.html"))) == 8
    assert {path.stem for path in out.glob("*_SE_4_1_*.html")} == {
        f"{kind}_SE_4_1_{number}" for kind in ("z_against_s", "distribution", "maps", "overlay") for number in (1, 2)
    }
    judged = json.loads((out / "health.json").read_text())
    assert judged["SE_5_2"]["verdict"] in VERDICTS.keys() - {"one image cannot tell", "not finite"}
    assert (judged["SE_5_2"]["images"], judged["SE_5_2"]["channels"]) == (2, 768)
    assert "Verdicts on 8 gates:" in result.output
    with np.load(out / "maps_SE_4_1.npz") as maps:
        assert maps["U"].shape == (2, 384, 8, 8)


@pytest.mark.slow
def test_many_files_that_are_left_out_are_summed_up_unless_all_are_wanted(tmp_path):
    files = [tmp_path / f"{index}.png" for index in range(40)]
    for index, file in enumerate(files):
        file.write_bytes(b"words" + bytes([index]))
    arguments = ["inspect", str(tmp_path), "--sample", "cat", "--device", "cpu", "--out", str(tmp_path / "out")]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.count("left out") == 1
    assert "40 files were left out: they are not images, or their first bytes are damaged (PNG)." in result.output
    result = RUN.invoke(app, [*arguments, "--verbose"])
    assert result.output.count("png was left out: it is not an image") == 40


_NORMALISING = """
from torch import nn
from se_viz.demo.seresnet import SEResNet

class Normalising(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = SEResNet()

    def forward(self, x):
        least = x.amin((2, 3), keepdim=True)
        return self.network((x - least) / (x - least).amax((1, 2, 3), keepdim=True))
"""


@pytest.mark.slow
def test_numbers_that_are_not_finite_are_said_and_the_rest_is_written(tmp_path, monkeypatch):
    (tmp_path / "normalising_of_a_test.py").write_text(_NORMALISING)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    save_file({f"network.{name}": tensor for name, tensor in SEResNet().state_dict().items()}, "own.safetensors")
    Image.new("RGB", (64, 64), (90, 90, 90)).save("flat.png")
    own = ["--checkpoint", "own.safetensors", "--arch", "normalising_of_a_test:Normalising", "--size", "64"]
    result = RUN.invoke(app, ["inspect", "flat.png", "--sample", "cat", *own, "--maps", "SE_5_2", "--out", "out"])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "first in SE_2_1: its z and s are NaN for 1 of 2 images (number 1). The network returned NaN, too." in said
    assert "flat.png The network returned NaN for this image, so it has no prediction." in said
    assert "nan" not in result.output
    frame = pd.read_parquet("out/capture.parquet")
    assert frame.loc[frame["image"] != "flat.png", "s"].notna().all()
    assert frame.loc[frame["image"] == "flat.png", "s"].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inspect"], "There is no image: name image files"),
        (["inspect", "nothing.jpg"], "None of these images can be read: name image files"),
        (["inspect", "--sample", "cat", "--size", "0"], "--size needs a --checkpoint."),
        (
            ["inspect", "--sample", "cat", "--report", "report.pdf"],
            "a report is written as .html, not as 'report.pdf'.",
        ),
        (["inspect", "--sample", "dog"], "cat"),
        (["inspect", "--sample", "cat", "--model", "demo/none"], "demo/r16"),
        (["inspect", "--sample", "cat", "--maps", "SE_9_9"], "SE_5_2"),
        (["inspect", "--sample", "cat", "--device", "tpu"], "no device 'tpu'"),
        (["gates", "demo/none"], "demo/r16"),
        (["cost", "demo/r16", "--r", "4"], "leave out --r and --stages"),
        (["cost", "resnet18", "--stages", "abc"], "--stages must be digits"),
        (["classes", "--group", "mine=a", "--group", "mine=b"], "each time with another name"),
        (["train", "--data", ".", "--r", "-1"], "r must be 1 or more"),
        (["train", "--data", ".", "--stages", "19"], "--stages takes digits of 2345 in order, each at most once"),
        (["responses", "--out", "nothing.json"], "There is no file of responses at nothing.json: add --data"),
        (["app", "--host", "nothing.invalid"], "The app cannot listen on nothing.invalid, port 8501"),
        (["profile", "--data", "nothing"], "There is no file or folder nothing"),
        (["profile", "--data", ".", "--model", "demo/none"], "demo/r16"),
    ],
)
def test_mistakes_end_in_a_sentence(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = RUN.invoke(app, arguments)
    assert result.exit_code != 0
    assert said in " ".join(result.output.replace("│", " ").split())
    assert isinstance(result.exception, SystemExit), result.exception


@pytest.mark.slow
def test_a_model_is_trained_stored_and_measured(tiny_imagenette, tmp_path):
    arguments = ["--data", str(tiny_imagenette), "--device", "cpu"]
    train = ["train", *arguments, "--r", "8", "--gate", "tanh", "--epochs", "1", "--out", str(tmp_path / "out")]
    result = RUN.invoke(app, [*train, "--work", str(tmp_path / "work")])
    assert result.exit_code == 0, result.output
    card = json.loads((tmp_path / "out/r8-tanh.json").read_text())
    assert card["data"] == {"train": 20, "val": 10}
    assert card["network"]["r"] == 8
    assert not list((tmp_path / "work").glob("*"))
    verified = RUN.invoke(app, ["verify", *arguments, "--root", str(tmp_path / "out")])
    assert verified.exit_code == 0, verified.output
    card["accuracy"]["correct"] += 1
    (tmp_path / "out/r8-tanh.json").write_text(json.dumps(card))
    assert RUN.invoke(app, ["verify", *arguments, "--root", str(tmp_path / "out")]).exit_code == 1


@pytest.mark.slow
def test_the_family_is_trained_in_turn_and_what_is_finished_is_skipped(tiny_imagenette, tmp_path, monkeypatch):
    members = (Variant(SEResNetConfig(r=4)), Variant(SEResNetConfig(r=None), seed=1))
    monkeypatch.setattr("se_viz.demo.variants.VARIANTS", members)
    arguments = ["train", "--family", "--data", str(tiny_imagenette), "--device", "cpu", "--epochs", "1"]
    arguments += ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")]
    first = RUN.invoke(app, arguments)
    assert first.exit_code == 0, first.output
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.json")) == [
        "r4.json",
        "seeds/no-se-seed1.json",
    ]
    again = RUN.invoke(app, arguments)
    assert "r4 is finished already" in again.output
    assert "no-se-seed1 is finished already" in again.output


def test_the_family_differs_from_the_standard_network_in_one_thing_each():
    standard = asdict(SEResNetConfig())
    for member in VARIANTS:
        differing = [key for key, value in asdict(member.config).items() if value != standard[key]]
        assert len(differing) <= 1
    assert len({member.name for member in VARIANTS}) == len(VARIANTS)


def test_the_family_is_tabulated_with_what_may_be_concluded():
    said = RUN.invoke(app, ["family", "--what", "reduction ratio r"]).output
    listed = [line.split()[0] for line in said.partition("\n\n")[0].splitlines()[1:]]
    assert set(listed) == {one.name for one in variants_of(RATIO, demo.cards(), seed=None)}  # each with its seeds
    assert list(dict.fromkeys(name.partition("-seed")[0] for name in listed))[:2] == ["r2", "r4"]
    assert "2,176,874" in said
    assert "90.60%" in said
    for sentence in conclusions(RATIO, demo.cards()).sentences:
        assert sentence.replace("**", "") in said.splitlines()


@pytest.mark.slow
def test_figures_of_a_choice_are_written_and_a_choice_is_asked_for(tmp_path):
    arguments = ["family", "--what", "gate function", "--out", str(tmp_path / "gate")]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    names = ("family", "table_12", "spread_by_gate", "saturation_by_gate", "rank_by_gate", "cka_by_gate")
    tables = {
        f"{name}.csv" for name in ("demo_models", "beside_paper", "comparisons_over_images", "comparisons_over_seeds")
    }
    assert {path.name for path in tmp_path.glob("gate/*")} == tables | {f"{name}.html" for name in names}
    refused = RUN.invoke(app, ["family", "--out", str(tmp_path / "none")])
    assert refused.exit_code != 0
    assert "name it with --what" in " ".join(refused.output.replace("│", " ").split())
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_the_sentences_are_about_the_image_in_focus(tmp_path):
    arguments = ["inspect", "--sample", "cat", "--sample", "coffee", "--device", "cpu", "--out", str(tmp_path / "out")]
    result = RUN.invoke(app, [*arguments, "--focus", "2"])
    assert result.exit_code == 0, result.output
    model = load("demo/r16", "cpu")
    images = [sample("cat"), sample("coffee")]
    said = predict(model, capture(model, images), images=images).images[1].sentence
    assert f"Image 2, {sample('coffee').name}:\n{said}" in result.output
    refused = RUN.invoke(app, [*arguments, "--focus", "3"])
    assert refused.exit_code == 1
    assert "There is no image 3 for --focus: the number of images is 2." in refused.output


@pytest.mark.slow
def test_responses_are_measured_and_printed(tiny_imagenette, tmp_path):
    arguments = ["responses", "--data", str(tiny_imagenette), "--device", "cpu", "--out", str(tmp_path / "new.json")]
    made = RUN.invoke(app, arguments)
    assert made.exit_code == 0, made.output
    assert set(Responses.read(tmp_path / "new.json").networks) >= {"r2", "r16"}
    assert RUN.invoke(app, ["responses", "--out", str(tmp_path / "new.json")]).output in made.output
    assert "3925 images" in RUN.invoke(app, ["responses"]).output
    missing = RUN.invoke(app, ["responses", "--out", str(tmp_path / "none.json")])
    assert missing.exit_code == 1
    assert "none.json" in missing.output


@pytest.mark.slow
def test_cost_is_what_the_paper_says_of_resnet_50():
    output = RUN.invoke(app, ["cost", "resnet50", "--size", "64", "--time"]).output
    assert "28,071,976" in output
    assert "+9.84%" in output
    assert "ms with these gates" in output


def test_cost_counts_the_gates_a_model_has_and_refuses_what_it_does_not_know():
    counted = RUN.invoke(app, ["cost", "demo/r16", "--size", "128"]).output
    assert "2,176,874" in counted
    assert RULE in counted
    refused = RUN.invoke(app, ["cost", "resnet5"])
    assert refused.exit_code == 1
    assert "resnet5" in refused.output


@pytest.fixture
def newts(tmp_path):
    """A checkpoint of a small network of timm, and the names of its classes."""
    torch.manual_seed(0)
    save_file(timm.create_model("test_efficientnet", num_classes=3).state_dict(), tmp_path / "newts.safetensors")
    (tmp_path / "classes.txt").write_text("smooth\npalmate\ngreat crested\n")
    return ["--checkpoint", str(tmp_path / "newts.safetensors"), "--arch", "timm/test_efficientnet"]


@pytest.mark.slow
def test_gates_of_a_checkpoint_are_listed(newts):
    result = RUN.invoke(app, ["gates", *newts])
    assert result.exit_code == 0, result.output
    assert "SE_" in result.output
    assert len(result.output.splitlines()) == 1 + 2 + 2  # the head, the gates, what is said of them


@pytest.mark.slow
def test_a_users_checkpoint_is_read_without_a_child_process(newts, monkeypatch):
    def run(*_, **__):
        raise AssertionError

    monkeypatch.setattr("se_viz.sandbox.run", run)
    result = RUN.invoke(app, ["gates", *newts, "--trusted"])
    assert result.exit_code == 0, result.output
    assert isinstance(RUN.invoke(app, ["gates", *newts]).exception, AssertionError)


@pytest.mark.slow
def test_a_checkpoint_is_inspected(newts, tmp_path):
    out = tmp_path / "out"
    given = ["--classes", str(tmp_path / "classes.txt"), "--mean", "0.5", "0.5", "0.5", "--std", "0.5", "0.5", "0.5"]
    command = ["inspect", "--sample", "cat", *newts, *given, "--size", "64", "--precision", "bf16", "--out", str(out)]
    result = RUN.invoke(app, [*command, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert "great crested" in result.output
    assert len(list(out.glob("heatmap_*"))) == 2


@pytest.mark.slow
def test_a_checkpoint_of_a_users_function(newts, tmp_path, monkeypatch):
    (tmp_path / "mine_of_the_test.py").write_text(
        "import timm\n\ndef make(classes):\n    return timm.create_model('test_efficientnet', num_classes=classes)\n"
    )
    monkeypatch.chdir(tmp_path)
    arguments = ["gates", *newts[:2], "--arch", "mine_of_the_test:make", "--arg", "classes=3"]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) == 1 + 2 + 2  # the head, the gates, what is said of them


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--arch", "timm/resnet18"], "does not fit timm/resnet18"),
        (["--arch", "timm/resnet18"], "choose that architecture (--arch timm/test_efficientnet)"),
        (["--arg", "num_classes=4"], "has 3 logits, not 4"),
        (["--arg", "num_classes"], "--arg must be KEY=VALUE"),
        (["--arg", "num_classes=3", "--std", "1", "0", "1"], "std must be three numbers above 0"),
        (["--arg", "num_classes=3", "--size", "5"], "size must be 16 to 1024"),
        (["--arch", "timm/none"], "No architecture 'timm/none'"),
        (["--arch", "nowhere:none"], "cannot be imported"),
        (["--arch", "json:nothing"], "cannot be imported"),
        (["--arch", "json:__name__"], "is not a function"),
        (["--arch", ""], "A checkpoint needs --arch"),
        (["--classes", "none.txt"], "cannot be read"),
    ],
)
def test_mistakes_with_a_checkpoint_end_in_a_sentence(newts, arguments, said):
    result = RUN.invoke(app, ["gates", *newts, *arguments])
    assert result.exit_code != 0
    assert said in " ".join(result.output.replace("│", " ").split())
    assert isinstance(result.exception, SystemExit), result.exception


@pytest.mark.slow
def test_what_was_left_out_of_a_checkpoint_is_said(newts, tmp_path):
    state = timm.create_model("test_efficientnet", num_classes=3).state_dict()
    save_file(state | {"total_ops": torch.zeros(1)}, tmp_path / "newts.safetensors")
    result = RUN.invoke(app, ["gates", *newts])
    assert result.exit_code == 0, result.output
    assert "Left out: counters of a profiler (total_ops)." in result.stderr


def test_options_of_a_checkpoint_without_one_are_a_mistake():
    result = RUN.invoke(app, ["gates", "demo/r16", "--arch", "timm/seresnet50"])
    assert result.exit_code != 0
    assert "--arch needs a --checkpoint" in result.output


def test_models_can_be_searched_and_described(monkeypatch, tmp_path):
    monkeypatch.setenv("SE_VIZ_CACHE", str(tmp_path))
    listed = RUN.invoke(app, ["models", "regnet_y_400mf"]).output.split()
    assert listed == ["torchvision/regnet_y_400mf", "torchvision/regnet_y_400mf.IMAGENET1K_V1"]
    header, row, _ = RUN.invoke(app, ["models", "regnet_y_400mf", "--facts"]).stdout.splitlines()
    assert header.split() == ["model", "parameters", "gates", "size", "top-1", "family", "licence", "downloaded"]
    assert row.split() == ["torchvision/regnet_y_400mf", "4.3", "M", "16", "18", "MB", "75.8%", "regnet"]


def test_a_search_without_a_hit_is_a_mistake_and_case_does_not_matter():
    none = RUN.invoke(app, ["models", "nosuchthing"])
    assert none.exit_code == 1
    assert "No model has 'nosuchthing' in its name" in none.output
    assert RUN.invoke(app, ["models", "DEMO/R16"]).output.split()[0] == "demo/r16"


@pytest.mark.slow
def test_the_table_of_gates_is_made(tmp_path):
    out = tmp_path / "gates.csv"
    result = RUN.invoke(app, ["discover", "--out", str(out), "--only", "torchvision/*mobilenet_v3_small"])
    assert result.exit_code == 0, result.output
    assert "9 gates" in result.output
    assert (
        out.read_text()
        .splitlines()[1]
        .startswith("torchvision/mobilenet_v3_small,mobilenetv3,IMAGENET1K_V1,2542856,9,")
    )
    again = RUN.invoke(app, ["discover", "--out", str(out), "--only", "torchvision/*mobilenet_v3_small"])
    assert "has a row for each of these architectures already" in again.output


def test_the_app_says_that_another_program_has_the_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = RUN.invoke(app, ["app", "--port", str(port)])
    assert result.exit_code == 1
    said = f"The app cannot listen on 127.0.0.1, port {port} (Address already in use): name another --host or --port."
    assert said in result.output


@pytest.mark.parametrize("kind", [[], ["--names"]])
def test_a_table_of_no_architecture_is_not_written(kind, tmp_path):
    out = tmp_path / "table"
    result = RUN.invoke(app, ["discover", "--out", str(out), "--only", "resnet", *kind])
    assert result.exit_code == 1
    assert "No architecture matches 'resnet'" in result.output
    assert not out.exists()


def test_an_index_of_a_part_does_not_replace_that_of_all():
    result = RUN.invoke(app, ["discover", "--names", "--only", "timm/*seresnet18*"])
    assert result.exit_code == 2
    assert "add --out" in result.output


def test_the_cost_is_that_of_an_image_of_the_models_size():
    output = RUN.invoke(app, ["cost", "demo/r16"]).output
    assert "127,605,504" in output
    assert "128 × 128" in output


def test_the_cost_of_a_network_of_timm_is_counted_without_fetching_it(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://nowhere.invalid")
    result = RUN.invoke(app, ["cost", "timm/test_efficientnet", "--size", "64"])
    assert result.exit_code == 0, result.output
    assert "2 gates" in result.output or result.output.count("1 gate") == 2
    assert "No architecture 'timm/none'" in RUN.invoke(app, ["cost", "timm/none"]).output


@pytest.mark.slow
def test_profile_writes_class_profiles_go_on_and_says_what_was_left_out(tiny_imagenette, tmp_path):
    out, table = tmp_path / "profiles", tmp_path / "table.parquet"
    arguments = ["profile", "--data", str(tiny_imagenette), "--device", "cpu", "--out", str(out)]
    eta2, report = tmp_path / "eta2.csv", tmp_path / "report.html"
    files = ["--table", str(table), "--eta2", str(eta2), "--report", str(report)]
    result = RUN.invoke(app, [*arguments, *files])
    assert result.exit_code == 0, result.output
    assert "10 images of 10 classes" in result.output
    assert f"The report is in {report}" in result.output
    assert "With 1 image of each class, nothing can be concluded about classes" in report.read_text()
    profiles = open_profiles(out, load("demo/r16", "cpu"))
    assert len(pd.read_parquet(table)) == 10 * 2880
    assert len(pd.read_csv(eta2)) == 2880
    assert list(pd.read_csv(eta2))[-2:] == list(pd.read_parquet(table))[-2:] == ["model", "data"]
    assert profiles.header.sources[0].name == "imagenette2-224.tar"
    assert RUN.invoke(app, arguments).exit_code == 0
    other = RUN.invoke(app, [*arguments, "--split", "train"])
    assert other.exit_code == 1
    assert "other images" in other.output
    folder = tmp_path / "photos" / "cat"
    folder.mkdir(parents=True)
    (folder / "broken.png").write_bytes(b"\x89PNG")
    Image.new("RGB", (64, 64)).save(folder / "whole.png")
    mine = ["profile", "--data", str(folder.parent), "--device", "cpu", "--out", str(tmp_path / "mine")]
    output = RUN.invoke(app, mine).output
    assert f"The class profiles are in {tmp_path / 'mine'}" in output
    assert output.count("1 image of 1 class: cat 1.") == output.count("1 image of") == 1
    assert "Left out 1 image;" in output


@pytest.mark.slow
def test_profile_says_which_split_it_takes_how_many_images_each_class_has_and_what_was_left_out(tmp_path):
    for place, name in enumerate(("Train/cat/1", "Valid/cat/1", "Valid/cat/2", "Valid/dog/1")):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (place, 0, 0)).save(tmp_path / "pets" / f"{name}.png")
    (tmp_path / "pets" / "Valid" / "dog" / "2.heic").write_bytes(b"x")
    (tmp_path / "pets" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "pets" / "Valid" / "dog" / "3.png").write_bytes(b"")
    arguments = ["profile", "--data", str(tmp_path / "pets"), "--device", "cpu", "--out"]
    result = RUN.invoke(app, [*arguments, str(tmp_path / "valid")])
    assert result.exit_code == 0, result.output
    assert (
        "pets is split into Train, Valid: Valid was taken (use --split, or split= in Python, for another)."
        in result.stderr
    )
    assert "3 images of 2 classes: cat 2, dog 1.\ndog/3.png was left out: it is empty" in result.stdout
    assert "1 HEIC file was left out: convert it to JPEG or PNG." in result.stdout
    result = RUN.invoke(app, [*arguments, str(tmp_path / "train"), "--split", "train"])
    assert "1 image of 1 class: cat 1." in result.stdout
    result = RUN.invoke(app, [*arguments, str(tmp_path / "test"), "--split", "test"])
    assert result.exit_code == 1
    assert "There is no 'test' in" in result.output


@pytest.mark.slow
def test_an_interrupted_profile_says_how_to_go_on(tiny_imagenette, tmp_path, monkeypatch):
    original, shards = engine.write_shard, []

    def stopped(*arguments):
        if shards:
            raise KeyboardInterrupt
        shards.append(original(*arguments))

    monkeypatch.setitem(engine_of.__kwdefaults__, "write", stopped)
    arguments = ["profile", "--data", str(tiny_imagenette), "--device", "cpu", "--out", str(tmp_path), "--shard", "4"]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 130
    assert "4 images counted and kept; the same command continues after them" in result.output


@pytest.mark.slow
def test_a_checkpoint_is_profiled(newts, tiny_imagenette, tmp_path):
    command = [
        "profile",
        "--data",
        str(tiny_imagenette),
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "profiles"),
        *newts,
    ]
    result = RUN.invoke(app, [*command, "--size", "64", "--mean", "0.5", "0.5", "0.5"])
    assert result.exit_code == 0, result.output
    header = open_profiles(tmp_path / "profiles").header
    assert header.model.name == "newts.safetensors"
    assert header.model.preprocess.crop == (64, 64)
    assert [gate.name for gate in header.gates] == ["SE_4_1", "SE_5_1"]
    refused = RUN.invoke(app, [*command[:3], "--arch", "timm/seresnet50"])
    assert refused.exit_code != 0
    assert "--arch needs a --checkpoint" in refused.output


@pytest.mark.slow
def test_profile_family_makes_the_small_class_profiles(tiny_imagenette, tmp_path, monkeypatch):
    monkeypatch.setattr("se_viz.zoo.registry.names", lambda: ("demo/r16",))
    arguments = ["profile", "--family", "--data", str(tiny_imagenette), "--device", "cpu", "--out", str(tmp_path)]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "demo/r16, 10 images" in result.output
    assert open_profiles(tmp_path / "r16.safetensors.xz").header.form == "compact"


def test_a_download_that_is_ended_says_how_it_goes_on(monkeypatch):
    def ended(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("se_viz.load", ended)
    result = RUN.invoke(app, ["gates", "timm/seresnet50.ra2_in1k"])
    assert result.exit_code == 130
    assert "The same command downloads the rest" in result.stderr


@pytest.mark.slow
def test_where_a_gate_sits_is_said_and_drawn(tmp_path):
    result = RUN.invoke(app, ["gates", "demo/r16", "--gate", "SE_4_2", "--out", str(tmp_path / "gates")])
    assert result.exit_code == 0, result.output
    assert "SE_4_2 is at the end of the residual branch, before the identity is added" in result.output
    assert {path.name for path in tmp_path.glob("gates/*")} == {
        *("gates.csv", "cost.csv", "gates.html", "block_SE_4_2.html")
    }
    rows = pd.read_csv(tmp_path / "gates" / "gates.csv")
    assert list(rows["gate"])[:2] == ["SE_2_1", "SE_2_2"]
    assert rows["parameters"].sum() == 195_840


def test_a_gate_that_is_not_there_is_named(tmp_path):
    result = RUN.invoke(app, ["gates", "demo/r16", "--gate", "SE_9_1"])
    assert result.exit_code == 1
    assert "There is no gate 'SE_9_1': choose one of SE_2_1" in result.stderr


@pytest.mark.slow
def test_classes_are_compared_and_drawn(tmp_path):
    arguments = ["--model", "demo/r16", "--class", "tench", "--class", "church", "--gate", "SE_5_2"]
    result = RUN.invoke(app, ["classes", *arguments, "--against", "church", "golf ball", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    header, *rows = result.stdout.splitlines()[:9]
    assert header.split("  ")[0] == "gate"
    assert [row.split()[0] for row in rows] == [gate.name for gate in bundled_profiles("demo/r16")]
    assert rows[-1].split()[1].startswith("0.63")
    assert "Most in SE_5_2: the class explains 63%" in result.output
    assert "By chance, with random labels" in result.output
    most = np.nanargmax(np.abs(cohens_d(bundled_profiles("demo/r16")["SE_5_2"], "church", "golf ball")))
    assert {path.name for path in tmp_path.iterdir()} == {
        *(
            "by_depth.csv",
            "eta2.csv",
            "separation_SE_5_2.csv",
            "eta_by_gate.html",
            "class_saturation.html",
            "gate_heatmap.html",
        ),
        *("classes_SE_5_2.html", "band_SE_5_2_0.html", "band_SE_5_2_1.html"),
        *("class_heatmap_SE_5_2.html", "tree_SE_5_2.html", "effect_SE_5_2.html", f"two_SE_5_2_{most}.html"),
    }
    assert "golf ball" in (tmp_path / "effect_SE_5_2.html").read_text()
    assert (pd.read_csv(tmp_path / "eta2.csv")["eta2"].dropna() <= 1).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--class", "newt"], "There is no class 'newt'"),
        (["--against", "church", "newt"], "There is no class 'newt'"),
        (["--gate", "SE_9_1"], "There is no gate 'SE_9_1'"),
        (["--against", "church", "church"], "two different classes to compare, not church twice"),
        (["--class=church"] * 7, "At most 6 classes can be drawn"),
        (["nowhere"], "There are no class profiles at"),
        (["--model", "timm/seresnet50.ra2_in1k"], "seresnet50"),
    ],
)
def test_what_cannot_be_compared_is_said(arguments, said, tmp_path):
    result = RUN.invoke(app, ["classes", *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_band_is_chosen(tmp_path):
    arguments = ["classes", "--class", "tench", "--gate", "SE_5_2", "--band", "median and quartiles"]
    result = RUN.invoke(app, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "tench, median and quartiles" in (tmp_path / "band_SE_5_2_0.html").read_text()


@pytest.fixture
def crowd(make_profiles):
    """Class profiles of 80 classes, of which the last but one has one image, and the last none."""
    labels = np.repeat(np.arange(79), 2)[:-1]
    weights = np.random.default_rng(0).uniform(size=(len(labels), 24))
    return make_profiles({"SE_1_1": weights}, labels, [f"class {number}" for number in range(80)])


@pytest.mark.slow
def test_of_many_classes_those_most_like_the_chosen_are_drawn(crowd, tmp_path, monkeypatch):
    drawn = {}

    def keep(gate, names, *_):
        drawn[gate] = names
        return Chart("class_heatmap", go.Figure(), "", "")

    monkeypatch.setattr("se_viz.reports.class_profiles.class_heatmap", keep)
    arguments = ["classes", str(crowd.path), "--class", "class 70", "--class", "class 7"]
    result = RUN.invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert len(drawn["SE_1_1"]) == 60
    assert {"class 70", "class 7"} < set(drawn["SE_1_1"])
    assert "Of 80 classes, a gate's tree and heatmap show the 60 most similar to the chosen ones" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "class 1", "class 78"], "class 78 has 1 image in"),
        (["--against", "class 79", "class 1"], "class 79 has 0 images in"),
        (["--class", "class 79"], "no image of class 79"),
    ],
)
def test_classes_with_too_few_images_are_refused(crowd, arguments, said, tmp_path):
    result = RUN.invoke(app, ["classes", str(crowd.path), *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert said in result.stderr


@pytest.mark.slow
def test_a_users_images_are_compared_with_the_classes(tmp_path):
    folder = tmp_path / "cats"
    folder.mkdir()
    sample("cat").rgb.save(folder / "cat.png")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    arguments = ["classes", "--gate", "SE_5_2", "--group", f"cats={folder}", "--device", "cpu"]
    result = RUN.invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "broken.png" in result.stderr
    assert "cats (1)" in (tmp_path / "out" / "groups_SE_5_2.html").read_text()
    table = pd.read_csv(tmp_path / "out" / "groups.csv")
    assert table["gate"].tolist() == [gate.name for gate in bundled_profiles("demo/r16")]
    assert set(table["class"]) <= set(bundled_profiles("demo/r16").classes)
    means = capture(load("demo/r16", "cpu"), sample("cat"))["SE_5_2"].s[0]
    expected = Overview.of(bundled_profiles("demo/r16")["SE_5_2"]).patterns.resemblance(means).max()
    assert table["resemblance"].iloc[-1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "said"), [("cats", "NAME=FOLDER"), ("=cats", "NAME=FOLDER"), ("cats=nowhere", "no image in nowhere")]
)
def test_a_group_without_images_is_refused(group, said, tmp_path):
    result = RUN.invoke(app, ["classes", "--group", group, "--device", "cpu", "--out", str(tmp_path / "out")])
    assert result.exit_code != 0
    assert said in result.output
    assert not (tmp_path / "out").exists()


def test_class_profiles_of_a_network_without_a_name_takes_no_groups(crowd, tmp_path):
    result = RUN.invoke(app, ["classes", str(crowd.path), "--group", f"cats={tmp_path}"])
    assert result.exit_code == 1
    assert "was made with test, which is not a model with a name" in result.stderr


@pytest.mark.slow
def test_classes_says_what_the_profiles_of_an_older_file_clipped_and_rounded(tmp_path):
    old = Path(__file__).parents[1] / "profiles" / "format1" / "exact.safetensors"
    result = RUN.invoke(app, ["classes", str(old), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "of s of SE_3_1 were above 8 and are counted as 8." in result.output
    assert "written by an older SE Viz, which rounded s" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("trusted", [False, True])
def test_a_users_images_are_read_without_a_child_process(trusted, tmp_path, monkeypatch):
    runs = []
    really_run = untrusted.sandbox.run
    monkeypatch.setattr(
        untrusted.sandbox, "run", lambda *call, **limits: runs.append(call) or really_run(*call, **limits)
    )
    Image.new("RGB", (20, 20), "red").save(tmp_path / "red.png")
    given = ["inspect", str(tmp_path / "red.png"), "--out", str(tmp_path / "out"), *["--trusted"] * trusted]
    done = RUN.invoke(app, given)
    assert done.exit_code == 0, done.output
    assert bool(runs) is not trusted
