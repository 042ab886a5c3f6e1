"""Networks of the user: found in the user's folder, compared beside the shipped ones, and never a reason to fail."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from support import pages
from support.synthetic_family import with_answers
from typer.testing import CliRunner

from se_viz import load
from se_viz.analysis.demo_responses import Responses, bundled_path, known, of_user
from se_viz.cli.app import app
from se_viz.demo import pretrained as demo
from se_viz.demo import user_networks as users
from se_viz.demo.build import name_of
from se_viz.demo.design_choices import DESIGN_CHOICES, RATIO
from se_viz.demo.recipe import Recipe
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.reports.design_choices import conclusions, design_report
from se_viz.zoo import registry

RUN = CliRunner()
CONFIG = SEResNetConfig(r=24, squeeze="max", gated_stages=(4, 5))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(users.VARIABLE, str(tmp_path / "networks"))
    (tmp_path / "networks" / "seeds").mkdir(parents=True)
    return tmp_path / "networks"


def add(folder, config=CONFIG, seed=0, *, lost=60, weights=True, **fields):
    """A card of a network that gets as many images right as r16 but some; its weights are random."""
    torch.manual_seed(0)
    content = demo.store(SEResNet(config)) if weights else b""
    standard = demo.card("r16")
    right = standard.right.unpacked()
    right[np.flatnonzero(right)[:lost]] = False
    card = with_answers(replace(standard, right=None), right)
    card = replace(card, right=replace(card.right, order=standard.right.order))
    digest = hashlib.sha256(content).hexdigest()
    card = replace(card, name=name_of(config, seed), network=config, seed=seed, sha256=digest, **fields)
    place = folder / "seeds" if seed else folder
    card.write(place / f"{card.name}.json")
    if weights:
        (place / f"{card.name}.safetensors").write_bytes(content)
    return card


def test_the_folder_is_in_the_users_cache_unless_the_variable_names_one(folder, monkeypatch):
    assert users.folder() == folder
    monkeypatch.delenv(users.VARIABLE)
    assert users.folder().parts[-3:] == (".cache", "se-viz", "networks")


@pytest.mark.slow
def test_a_network_is_found_loaded_and_compared(folder):
    before = users.changed()
    card = add(folder)
    add(folder, seed=1, lost=58, weights=False)
    assert users.changed() >= before
    found = users.user_networks()
    assert [one.name for one in found.cards] == [card.name, f"{card.name}-seed1"]
    assert found.weights == {card.name}
    assert f"demo/{card.name}" in registry.names()
    assert registry.params(f"demo/{card.name}") == card.params
    assert len(load(f"demo/{card.name}", "cpu").gates) == 4
    report = design_report(RATIO)
    assert report.parts["verdicts"] == conclusions(RATIO, demo.cards()).verdicts
    (said,) = (one for one in report.text if one.startswith("Your network"))
    assert said.startswith(f"Your network {card.name}: yes, ")
    assert "exact McNemar p < 0.0001" in said
    assert f"(2 and {sum(one.network == SEResNetConfig() for one in demo.cards())} seeds)" in said
    assert list(report.tables["comparisons_over_images"]["network"])[-1] == card.name
    assert f"demo/{card.name}" in set(report.tables["demo_models"]["model"])
    for choice in DESIGN_CHOICES:
        yours = next(one for one in design_report(choice).charts["family"].figure.data if one.name == "your networks")
        assert list(yours.text) == [card.name]


def test_a_ratio_between_the_shipped_ones_has_its_place_on_the_axis(folder):
    add(folder, SEResNetConfig(r=24), lost=0)
    figure = design_report(RATIO).charts["family"].figure
    yours = next(one for one in figure.data if one.name == "your networks")
    assert (list(yours.text), list(yours.x)) == (["r = 24"], [24])
    assert "24" in figure.layout.xaxis.ticktext


def test_another_recipe_is_listed_but_not_compared(folder):
    card = add(folder, recipe=Recipe(epochs=1))
    report = design_report(RATIO)
    assert any(note.startswith(f"{card.name}: trained with another recipe") for note in report.notes)
    assert f"demo/{card.name}" in set(report.tables["demo_models"]["model"])
    assert card.name not in set(report.tables["comparisons_over_images"]["network"])
    assert not any("Your network" in one for one in report.sentences)


def test_what_is_no_card_or_has_a_taken_name_is_left_out_with_a_note(folder):
    (folder / "broken.json").write_text("{")
    add(folder, SEResNetConfig(), weights=False)
    renamed = add(folder, weights=False)
    (folder / f"{renamed.name}.json").rename(folder / "other.json")
    found = users.user_networks()
    assert found.cards == ()
    said = " ".join(found.notes)
    assert "broken.json is left out, because it is not a card or damaged" in said
    assert "r16.json is left out, because r16 is a shipped network: train it with another --seed." in said
    assert "other.json is left out: the name of its card is r24-max-stages45" in said
    assert users.find(renamed.name) is None
    listed = RUN.invoke(app, ["family"])
    assert listed.exit_code == 0
    assert "broken.json is left out" in listed.output


def test_weights_of_another_network_are_not_loaded(folder):
    card = add(folder)
    path = folder / f"{card.name}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    found = users.user_networks()
    assert ([one.name for one in found.cards], found.weights) == ([card.name], frozenset())
    assert "sha256 differs" in found.notes[0]
    assert f"demo/{card.name}" not in registry.names()


@pytest.mark.slow
def test_train_writes_there_and_the_command_lists_it(folder, tiny_imagenette, tmp_path):
    options = ["--r", "24", "--squeeze", "max", "--stages", "45", "--epochs", "1"]
    arguments = ["train", "--data", str(tiny_imagenette), "--device", "cpu", "--work", str(tmp_path / "work"), *options]
    made = RUN.invoke(app, arguments)
    assert made.exit_code == 0, made.output
    assert (folder / "r24-max-stages45.json").is_file()
    assert "r24-max-stages45" in RUN.invoke(app, ["family"]).output


@pytest.mark.slow
def test_the_responses_of_its_gates_are_measured_beside_those_of_r_16(folder, tiny_imagenette):
    add(folder, SEResNetConfig(r=24))
    options = ["responses", "--yours", "--device", "cpu"]
    made = RUN.invoke(app, [*options, "--data", str(tiny_imagenette)])
    assert made.exit_code == 0, made.output
    assert {line.split()[0] for line in made.output.splitlines()[2:]} == {"r16", "r24"}
    assert set(Responses.read(of_user()).networks) == {"r16", "r24"}
    assert known() == Responses.read(bundled_path())  # those of ten images are not comparable
    of_user().write_text(of_user().read_text().replace('"images": 10', '"images": 3925'))
    assert set(known().networks) > {"r16", "r24", "r2"}
    names = [line.name for line in design_report(RATIO).charts["spread_by_gate"].figure.data]
    assert {"r = 2", "r = 24"} <= set(names)


@pytest.mark.slow
def test_the_page_shows_it_beside_the_shipped_networks(folder):
    card = add(folder, weights=True)
    page: AppTest = pages.open_page("reduction")
    shown = [text.value for text in page.markdown]
    assert any(text.startswith(f"**Your network {card.name}".replace("-", r"\-")) for text in shown)
    pages.open_tab(page, "Your images")
    assert any(f"{card.name}, bottleneck".replace("-", r"\-") in text.value for text in page.caption)
    pages.open_tab(page, "Predictions")
    predictions = next(one.value for one in page.dataframe if next(iter(one.value.columns)) == "network")
    assert card.name in set(predictions["network"])
