"""What the documentation says of the project's own files and names."""

import importlib
import re
import tomllib

import pytest
import yaml
from docs_support import PAGES, ROOT, name

import se_viz
from se_viz.demo.card import Card
from se_viz.interventions.ablation_file import open_ablation

_WORDS = 900
_BYTES = 200_000
_PATH = re.compile(r"`((?:se_viz|tests|benchmarks|docs)/[\w./-]+\.(?:py|csv|md|ipynb))`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= _WORDS


def test_the_readme_begins_with_an_image():
    assert (ROOT / "README.md").read_text().startswith("![")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_a_page_names_exist(page):
    for path in _PATH.findall(page.read_text()):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_of_a_page_lead_to_files(page):
    for link in _LINK.findall(page.read_text()):
        if not link.startswith(("https://", "#")):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_images_are_small():
    images = [path for path in (ROOT / "docs" / "images").iterdir() if path.suffix in (".png", ".webp")]
    assert images
    assert not [path for path in images if path.stat().st_size >= _BYTES]


def test_the_reference_has_every_public_name():
    told = set(
        re.findall(r"^::: se_viz\.(\w+)$", (ROOT / "docs" / "reference" / "python.md").read_text(), re.MULTILINE)
    )
    assert told == set(se_viz.__all__)


def test_every_environment_variable_is_described():
    sources = "\n".join(path.read_text() for path in (ROOT / "se_viz").rglob("*.py"))
    read = set(re.findall(r'"(SE_VIZ_[A-Z_]+)"', sources))
    assert read
    described = (ROOT / "docs" / "reference" / "variables.md").read_text()
    assert not [variable for variable in read if f"`{variable}`" not in described]


def test_the_table_of_demo_models_is_that_of_their_cards():
    page = (ROOT / "docs" / "explanation" / "demo-models.md").read_text()
    cards = [Card.read(path) for path in sorted((ROOT / "pretrained").glob("*.json"))]
    assert cards
    for card in cards:
        top1, low, high = (
            f"{100 * share:.1f}" for share in (card.accuracy.top1, card.accuracy.low, card.accuracy.high)
        )
        row = f"| {card.params:,} | {card.macs / 1e6:.1f} M | {top1}% ({low}–{high}) |"
        assert row in page, f"{card.name}: {row}"


def test_the_page_on_effects_has_the_numbers_of_the_ablations(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "scripts")
    page = importlib.import_module("ablations").on_page_markdown(
        (ROOT / "docs" / "explanation" / "weights-and-effects.md").read_text()
    )
    found = [open_ablation(path) for path in (ROOT / "pretrained" / "ablations").glob("*.json")]
    assert found
    for ablation in found:
        for row in (*ablation.by("stage"), *ablation.by("all")):
            value, low, high = (
                f"{100 * one:+.1f}".replace("-", "−") for one in (row.change.value, row.change.low, row.change.high)
            )
            assert f"{value} ({low} to {high})" in page, f"{ablation.model.name}: {row.name}"
    assert "<!--" not in page


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == "SE Viz"
    assert citation["references"][0]["identifiers"][0]["value"] == "arXiv:1709.01507"


def test_contributing_lists_every_room():
    """Folders and modules of se_viz/, except those that Python names."""
    listed = set(re.findall(r"`([a-z_]+(?:/|\.py))`", (ROOT / "CONTRIBUTING.md").read_text()))
    rooms = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (ROOT / "se_viz").iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("__")
    }
    assert rooms <= listed, rooms - listed
