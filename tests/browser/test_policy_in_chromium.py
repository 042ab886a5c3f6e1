"""What the Content-Security-Policy lets work, and what it does not; open_page fails where anything is blocked."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from se_viz.ui.pages import classes, how, inspect, intervene, network, reduction

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)


@pytest.fixture
def page(open_page, serving, tmp_path):
    with serving("tests/browser/component_app.py", tmp_path, {}) as address:
        yield open_page(server=address, wait=False)


def test_components_charts_code_formulas_and_downloads_work(page):
    probe = page.get_by_text("runs", exact=True)
    expect(probe).to_be_visible()
    assert probe.evaluate("node => getComputedStyle(node).color") == "rgb(1, 2, 3)"
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    expect(page.locator(".katex").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    assert Path(download.value.path()).read_bytes() == b"content"


def test_nothing_of_a_page_is_blocked(open_page):
    page = open_page("?samples=cat")
    shown = {
        "Classes": classes,
        "Reduction": reduction,
        "Network": network,
        "Intervene": intervene,
        "How it works": how,
        "Inspect": inspect,
    }
    for title, module in shown.items():
        page.get_by_role("link", name=title, exact=True).click()
        expect(page.get_by_role("heading", name=module.QUESTION)).to_be_visible()
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        expect(page.locator('[data-testid="stException"]')).to_have_count(0)
        page.mouse.wheel(0, 20_000)
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
