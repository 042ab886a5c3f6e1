"""The Intervene page in Chromium: another target, a click on a gate, a slider, and the link in a fresh browser."""

import re

import pytest
from playwright.sync_api import expect
from support.chromium import SCREENS, settle

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)

CAT = "intervene?samples=cat,temple"


def chart(page, words):
    return page.get_by_role("figure", name=re.compile(words))


def click(page, mark):
    """Click into the middle of a bar or point: plotly takes clicks on a layer above them."""
    mark.scroll_into_view_if_needed()
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollBy(0, -200)")  # from under the menu
    box = mark.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def sentence(page):
    """The sentence on the edit."""
    return page.get_by_text(re.compile("The effect on .* is ")).first


@pytest.mark.parametrize(("width", "height", "scheme"), SCREENS)
def test_the_first_screen_answers_and_fits_and_its_numbers_are_saved(open_page, width, height, scheme):
    page = open_page(CAT, width=width, height=height, scheme=scheme)
    answer = page.get_by_text(re.compile("has the largest effect")).first.bounding_box()
    assert answer["y"] + answer["height"] < height
    bars = chart(page, "Change of the logit of tench").first
    assert width < 600 or bars.bounding_box()["y"] + 200 < height
    assert page.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('[data-testid=stMain]'))")

    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Channels as CSV").click()
    with open(download.value.path()) as file:  # noqa: PTH123
        assert file.readline().strip() == "image,output,channel,attribution,s,mean,baseline,model"


def test_a_target_a_gate_and_a_slider_change_what_is_shown_and_a_link_reopens_it(open_page):
    page = open_page(CAT)
    page.get_by_role("combobox", name="Target class").click()
    page.get_by_role("option", name="church").click()
    expect(chart(page, "Change of the logit of church")).to_have_count(1)
    settle(page)

    # The third bar of the first trace is s := 1 in SE_3_1.
    click(page, chart(page, "Change of the logit of church").locator(".barlayer .trace").first.locator("path").nth(2))
    page.wait_for_url(re.compile("gate=SE_3_1"))
    settle(page)
    page.get_by_role("tab", name="Channels", exact=True).click()
    expect(page.get_by_role("heading", name="Channels of SE_3_1")).to_be_visible()
    expect(chart(page, "Attribution of church to 20 channels of SE_3_1")).to_have_count(1)
    settle(page)

    page.get_by_role("tab", name="Edit channels").click()
    page.get_by_role("radio", name="all", exact=True).click()
    expect(sentence(page)).to_contain_text("in all channels of SE_3_1")
    settle(page)
    before = sentence(page).inner_text()
    predictions = chart(page, "without and with the edit").get_attribute("aria-label")
    slider = page.get_by_role("slider", name="Weight s")
    slider.focus()
    for _ in range(10):
        slider.press("ArrowRight")
    expect(sentence(page)).to_contain_text("s := 0.1 in all channels of SE_3_1")
    assert sentence(page).inner_text() != before
    expect(chart(page, "without and with the edit")).not_to_have_attribute("aria-label", predictions)
    settle(page)
    page.wait_for_url(re.compile("weight=0.1"))
    after, shown = sentence(page).inner_text(), chart(page, "without and with the edit").get_attribute("aria-label")

    fresh = open_page(page.url.partition("/")[2].partition("/")[2].partition("/")[2])
    assert sentence(fresh).inner_text() == after
    assert chart(fresh, "without and with the edit").get_attribute("aria-label") == shown
    fresh.get_by_role("tab", name="Gates").click()
    expect(chart(fresh, "Change of the logit of church")).to_have_count(1)
    expect(fresh.get_by_role("combobox", name="Gate")).to_have_value("SE_3_1")


@pytest.mark.exhaustive
def test_a_click_on_the_probability_opens_the_gate_too(open_page):
    page = open_page(CAT)
    points = chart(page, "Probability of tench").locator(".scatterlayer .trace").first.locator("path.point")
    click(page, points.nth(1))
    expect(page.get_by_role("combobox", name="Gate")).to_have_value("SE_2_2")
    settle(page)
