"""What the Content-Security-Policy lets work, and what it does not; open_page fails where anything is blocked.

And what axe finds on each page, for people who use a keyboard, a screen reader, or weak eyes.
"""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from se_viz.ui.pages import classes, how, inspect, intervene, network, reduction

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)

# Rules that Streamlit's own elements break, and browsers that let the keyboard scroll whatever scrolls.
_NOT_OURS = {
    "presentation-role-conflict": ("stFileUploaderDropzone",),
    "scrollable-region-focusable": ("st-key-wide_", "katex-display"),
}
_DARK = "(getComputedStyle(document.querySelector('.stApp')).backgroundColor === 'rgb(18, 21, 28)')"


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


def violations(page):
    """What axe finds: rule, element and advice."""
    found = Axe().run(page).response["violations"]
    return [
        (rule["id"], node["html"][:200], node["failureSummary"])
        for rule in found
        for node in rule["nodes"]
        if not any(part in node["html"] for part in _NOT_OURS.get(rule["id"], ()))
    ]


def test_nothing_of_a_page_is_blocked_and_axe_finds_nothing(open_page):
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
        assert not violations(page), title
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_function(f"() => {_DARK}")
        assert not violations(page), f"{title}, dark, on a phone"
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.wait_for_function(f"() => !{_DARK}")
