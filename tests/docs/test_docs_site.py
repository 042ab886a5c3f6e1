"""The site that ``make docs`` builds: without a warning, and with nothing from another host."""

import re
import subprocess
import sys

import pytest
from docs_support import ROOT

pytestmark = pytest.mark.slow

_LOADS = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*?\bsrc=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|<link\b[^>]*?\bhref=[\"']?((?:https?:)?//[^\"'\s>]+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_pages_load_nothing_from_another_host(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    assert not {(page.name, found) for page in pages for found in _LOADS.findall(page.read_text())}


def test_the_reference_shows_docstrings_and_options(site):
    assert "Run images through a network" in (site / "reference" / "python.html").read_text()
    assert "--precision" in (site / "reference" / "commands.html").read_text()


def test_scripts_are_not_published(site):
    assert not list(site.rglob("*.py"))
