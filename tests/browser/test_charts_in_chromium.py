"""Charts as a phone, a wall and a reader with weak eyes meet them."""

import pytest
from playwright.sync_api import expect
from support.quick import exhaustive

expect.set_options(timeout=60_000)
pytestmark = [pytest.mark.browser, pytest.mark.slow]

_TEXTS = '.js-plotly-plot :is([class$="tick"], [class$="title"], .cbaxis, .legend, .annotation) text, .stCode .token'

# Each text, and the contrast by WCAG of the colour that it is drawn in, on the background of the page.
_CONTRASTS = """texts => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number)
    .map((value, i) => colour.startsWith("color(srgb") && i < 3 ? 255 * value : value);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const back = channels(getComputedStyle(document.querySelector(".stApp")).backgroundColor);
  return texts.map(text => {
    const style = getComputedStyle(text);
    const [r, g, b, own = 1] = channels(text.ownerSVGElement ? style.fill : style.color);
    const alpha = own * style.fillOpacity * style.opacity;
    const seen = [r, g, b].map((c, i) => c * alpha + back[i] * (1 - alpha));
    const [high, low] = [light(seen), light(back)].sort((one, other) => other - one);
    return [text.textContent, (high + 0.05) / (low + 0.05)];
  });
}"""

# How far the page is scrolled as soon as it is 200 px further down, or after 600 frames.
_SCROLLED = """(main, before) => new Promise(done => {
  const look = frames => main.scrollTop >= before + 200 || !frames
    ? done(main.scrollTop) : requestAnimationFrame(() => look(frames - 1));
  look(600);
})"""

# Whether the page can be scrolled further down by 300 px.
_ROOM = """() => {
  const main = document.querySelector('[data-testid="stMain"]');
  return main.scrollHeight - main.clientHeight - main.scrollTop >= 300;
}"""


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        ("classes?view=Export", "dark"),  # figures of several panels, and code
        *exhaustive(("", "light"), ("", "dark"), ("classes?view=Export", "light")),
    ],
)
def test_the_text_of_charts_and_code_is_read_with_weak_eyes(open_page, path, scheme):
    page = open_page(path, scheme=scheme)
    page.wait_for_function("texts => document.querySelectorAll(texts).length > 40", arg=_TEXTS)
    expect(page.locator('[data-testid="stPlotlyChart"]:not(:has(.xtitle, .ytitle))')).to_have_count(0)
    # In one task of the page: a chart that is drawn again takes its texts away.
    contrasts = page.evaluate(f"texts => ({_CONTRASTS})([...document.querySelectorAll(texts)])", _TEXTS)
    assert len(contrasts) > 40  # of all charts
    assert not [(text, ratio) for text, ratio in contrasts if ratio < 4.5]


def test_a_swipe_that_begins_on_a_chart_scrolls_the_page(open_page):
    page = open_page(width=390, height=844, touch=True)
    assert not page.locator(".modebar-btn").count()  # each would be a stop of the Tab key
    chart = page.locator('[data-testid="stPlotlyChart"]').first
    chart.scroll_into_view_if_needed()
    page.wait_for_function(_ROOM)  # on a busy machine, what follows the chart comes late
    main, box = page.locator('[data-testid="stMain"]'), chart.bounding_box()
    before = main.evaluate("main => main.scrollTop")
    x, y, touch = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for moved in range(20, 320, 20):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y - moved}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert main.evaluate(_SCROLLED, before) >= before + 200
