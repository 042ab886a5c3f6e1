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

# A rule that an element of Streamlit breaks.
_NOT_OURS = {"presentation-role-conflict": ("stFileUploaderDropzone",)}
_DARK = "(getComputedStyle(document.querySelector('.stApp')).backgroundColor === 'rgb(18, 21, 28)')"


@pytest.fixture
def page(open_page_of, serving, tmp_path):
    with serving("tests/browser/component_app.py", tmp_path, {}) as address:
        yield open_page_of(server=address, wait=False)


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


PAGES = {
    "Classes": classes,
    "Reduction": reduction,
    "Network": network,
    "Intervene": intervene,
    "How it works": how,
    "Inspect": inspect,
}
DESK, PHONE = (1440, 900), (390, 844)


def settled(page):
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def look(page, scheme, size):
    """Show the page in a theme and at a size."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.wait_for_function(f"() => {'' if scheme == 'dark' else '!'}{_DARK}")
    settled(page)  # the server draws some things again for another theme, and what is old is pale until then


def go_to(page, title):
    look(page, "light", DESK)
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", name=PAGES[title].QUESTION)).to_be_visible()
    settled(page)
    page.mouse.wheel(0, 20_000)
    settled(page)


def test_nothing_of_a_page_is_blocked_and_axe_finds_nothing(open_page):
    """Each page once, by turns light on a desk and dark on a phone; the exhaustive run has all of both."""
    page = open_page("?samples=cat")
    for place, title in enumerate(PAGES):
        go_to(page, title)
        if place % 2:
            look(page, "dark", PHONE)
        assert not violations(page), title


@pytest.mark.exhaustive
def test_axe_finds_nothing_in_any_tab_in_both_themes_and_at_both_sizes(open_page):
    page, found = open_page("?samples=cat,coffee"), {}

    def settled_violations():
        # Colours change gradually after a change of the theme; what is wrong stays wrong.
        return violations(page) and violations(page)

    for title in PAGES:
        go_to(page, title)
        for tab in range(max(1, page.get_by_role("tab").count())):
            name = title
            if page.get_by_role("tab").count():
                look(page, "light", DESK)
                page.get_by_role("tab").nth(tab).click()
                settled(page)
                name = f"{title}, {page.get_by_role('tab').nth(tab).inner_text()}"
            for scheme, size in ((scheme, size) for scheme in ("light", "dark") for size in (DESK, PHONE)):
                look(page, scheme, size)
                found[name, scheme, size] = settled_violations()
    assert len(found) > 4 * len(PAGES)
    assert not {where: what for where, what in found.items() if what}
