"""Presentation mode in Chromium: one switch for all pages, and no text below 20 pixels on a wall."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError as Late
from playwright.sync_api import expect
from support.chromium import settle

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)

# Texts below 20 px, with their sizes: in the page, in components, and in drawings, whose scale counts.
SMALL = """() => {
  const small = [];
  const look = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) look(element.shadowRoot);
      const text = [...element.childNodes].map((node) => node.nodeType === 3 ? node.data.trim() : "").join("");
      if (!text || ["STYLE", "SCRIPT", "TEMPLATE"].includes(element.tagName)) continue;
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      const box = element.getBoundingClientRect();
      if (box.width < 2 || box.height < 2) continue;
      const drawing = element.ownerSVGElement;
      const size = parseFloat(getComputedStyle(element).fontSize) * (drawing ? drawing.getScreenCTM().a : 1);
      if (size < 20) small.push(`${text.slice(0, 40)}: ${size}`);
    }
  };
  look(document.body);
  return small;
}"""
PAGES = ("Inspect", "How it works", "Intervene", "Classes", "Reduction", "Network")


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.exhaustive)])
def test_one_switch_presents_all_pages_with_text_of_20_pixels(open_page, scheme):
    page = open_page("?samples=golfball,cat", width=1920, height=1080, scheme=scheme)
    assert page.evaluate(SMALL)
    page.get_by_role("button", name="Present", exact=True).click()
    page.wait_for_url(re.compile("present=1"))
    for name in PAGES:
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page).to_have_title(re.compile(f"^{name} "))
        expect(page.get_by_role("button", name="End presentation").first).to_be_visible()
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        page.locator(".js-plotly-plot .main-svg:visible, .walk .panel:visible").first.wait_for()
        with suppress(Late):  # the last chart may still be drawn
            page.wait_for_function(f"() => ({SMALL})().length === 0")
        assert page.evaluate(SMALL) == []
        assert "present=1" in page.url
        expect(page.get_by_test_id("stSidebar")).to_be_hidden()
        expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.get_by_role("button", name="End presentation").click()
    expect(page.get_by_role("button", name="Present", exact=True)).to_be_visible()
    assert "present" not in page.url
    settle(page)
    expect(page.get_by_role("button", name="Save").first).to_be_visible()
