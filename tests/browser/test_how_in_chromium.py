"""The page How it works in Chromium: its numbers, the keyboard, the link, a phone, and a wall."""

import re

import pytest
from playwright.sync_api import expect

import se_viz
from se_viz.reports.walk_numbers import number

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)

PAGE = "how-it-works?samples=cat&gate=SE_3_1&channel=5"


@pytest.fixture
def open_how(open_page):
    """A function that opens the page at a step."""

    def opened(query=PAGE, **options):
        page = open_page(query, wait=False, **options)
        expect(page.locator(".walk .title")).not_to_be_empty()
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        return page

    return opened


def words(page):
    return page.locator(".walk .live").inner_text()


def test_the_keyboard_alone_walks_through_the_numbers_of_capture(open_how):
    page = open_how()
    gate_capture = se_viz.capture(se_viz.load("demo/r16", "cpu"), se_viz.sample("cat"))["SE_3_1"]
    seen = {}
    for _ in range(8):
        seen[page.locator(".walk").get_attribute("data-step")] = words(page)
        page.keyboard.press("ArrowRight")
    assert list(seen) == ["image", "filter", "norm", "squeeze", "bottleneck", "excite", "scale", "add"]
    assert f"256 = {number(gate_capture.z[0, 5])}" in seen["squeeze"]
    assert f"= {number(gate_capture.s[0, 5])}, with" in seen["excite"]
    assert f"{number(gate_capture.s[0, 5])} · U" in seen["scale"]
    page.wait_for_url(re.compile("step=add"))
    # Arrow keys in a field belong to the field; Tab reaches every control.
    page.locator(".walk .scrubber").focus()
    page.keyboard.press("Home")
    assert page.locator(".walk").get_attribute("data-step") == "image"
    page.locator(".walk .open summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("7")  # the brightest pixel is in another row
    page.keyboard.press("Tab")
    expect(page.locator(".walk .open summary")).to_contain_text("at row 7, column")
    assert page.locator(".walk").get_attribute("data-step") == "image"  # a rerun does not move the step
    page.wait_for_url(re.compile("pixel=7%2C"))
    fresh = open_how(
        page.url.partition("/")[2].partition("/")[2].partition("/")[2].replace("step=image", "step=excite")
    )
    assert words(fresh) == seen["excite"]
    expect(fresh.locator(".walk .open summary")).to_contain_text("at row 7, column")


def test_a_change_of_the_gate_keeps_the_step_and_the_block_lights_up(open_how):
    page = open_how(PAGE + "&step=squeeze")
    lit = page.locator(".walk .flow .node.lit text").all_text_contents()
    assert "z" in lit
    assert "h" not in lit
    for _ in range(3):
        page.get_by_role("button", name="Next").click()
    page.get_by_role("spinbutton", name="Channel").fill("9")
    page.keyboard.press("Enter")
    expect(page.locator(".walk .title")).to_contain_text("X̃9")
    page.wait_for_url(re.compile("channel=9"))
    assert "step=scale" in page.url
    page.locator(".walk canvas.pick").first.click(position={"x": 5, "y": 5})
    expect(page.locator(".walk .arithmetic")).to_contain_text("at row 0, column 0")


@pytest.mark.exhaustive
def test_play_waits_under_the_pointer(open_how):
    page = open_how()
    page.get_by_role("button", name="Play").click()
    page.locator(".walk .stage").hover()
    expect(page.get_by_text("Paused while the pointer is here.")).to_be_visible()
    page.mouse.move(5, 5)
    expect(page.get_by_text("Paused while the pointer is here.")).to_be_hidden()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.exhaustive)])
def test_a_phone_shows_one_panel_at_a_time_and_never_scrolls_sideways(open_how, scheme):
    page = open_how(PAGE + "&step=filter", width=390, height=844, scheme=scheme)
    expect(page.locator(".walk .panel:visible")).to_have_count(1)
    page.locator(".walk .tabs").get_by_role("button", name="X", exact=True).click()
    expect(page.locator(".walk .panel:visible")).to_have_attribute("data-panel", "x")
    assert page.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('[data-testid=stMain]'))")


SIZES = """root => {
    const parts = 'button, .count, .title, .sentence, .arithmetic li, figcaption, .key, summary';
    const seen = [...root.querySelectorAll(parts)].filter(node => node.offsetParent);
    const small = seen.filter(node => parseFloat(getComputedStyle(node).fontSize) < 20).map(node => node.textContent);
    const drawn = [...root.querySelectorAll('.flow text')].filter(node => node.getBoundingClientRect().height < 20);
    return [[...small, ...drawn.map(node => node.textContent)], root.getBoundingClientRect().bottom];
}"""


@pytest.mark.exhaustive  # test_presentation_in_chromium.py opens this page, too
def test_a_wall_shows_the_whole_step_in_large_text(open_how):
    page = open_how(PAGE + "&step=excite", width=1920, height=1080)
    page.get_by_role("button", name="Present", exact=True).click()
    expect(page.locator(".walk.presenting")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_hidden()
    small, bottom = page.locator(".walk").evaluate(SIZES)
    assert small == []
    assert bottom <= 1080
    page.keyboard.press("ArrowRight")
    expect(page.locator(".walk .title")).to_contain_text("Scale")
    page.get_by_role("tab", name="What SE costs").click()  # what follows can be presented, too
    expect(page.get_by_role("tabpanel").get_by_role("table")).to_be_visible()
    page.get_by_role("button", name="End presentation").press("Escape")
    expect(page.locator(".walk.presenting")).to_have_count(0)
