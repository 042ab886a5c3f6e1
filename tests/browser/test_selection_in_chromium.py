"""One selection in Chromium: clicks on charts make it, each change is a step of the history, and a link carries it."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect
from support.chromium import settle

from se_viz.ui.component_files import joined

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
# During a run, Streamlit may draw an element again and keep the old one hidden beside it.
_DRAWN = ":not([data-retained])"


def shown(page, key):
    return page.locator(f".st-key-{key}{_DRAWN} input")


def chart(page, name):
    return page.locator(f".st-key-chart_{name}{_DRAWN}")


def pick(page, name, option):
    page.get_by_role("combobox", name=name).click()
    page.get_by_role("option", name=option, exact=True).click()


def copy_link(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="The link to this view was copied.")).to_have_count(1)
    return page.evaluate("navigator.clipboard.readText()")


def test_each_change_is_one_step_back_and_a_link_shows_the_view_elsewhere(open_page):
    page = open_page("?samples=cat,coffee")
    steps = page.evaluate("history.length")
    pick(page, "Gate", "SE_4_1")
    page.wait_for_url(re.compile("gate=SE_4_1"))
    settle(page)
    page.get_by_role("radio", name="similarity").click()
    expect(chart(page, "deviation_SE_5_2")).to_contain_text("neighbours respond alike")
    settle(page)
    # A cell of a heatmap: its image, gate and channel.
    cells = chart(page, "deviation_SE_5_2").locator(".nsewdrag").first  # the second one is of the marks
    cells.hover()
    place = {"x": 101, "y": cells.bounding_box()["height"] * 0.75}
    cells.hover(position=place)
    cells.click(position=place)
    page.wait_for_url(re.compile("channel="))
    settle(page)
    expect(shown(page, "gate")).to_have_value("SE_5_2")
    expect(shown(page, "focus")).to_have_value("2 A cup of coffee")
    channel = shown(page, "channel").input_value()
    expect(page.get_by_text(f"Channel {channel} of SE_5_2 for A cup of coffee")).to_be_visible()
    page.get_by_role("link", name="Network").click()
    expect(page).to_have_title(re.compile("Network"))
    settle(page)
    expect(shown(page, "gate")).to_have_value("SE_5_2")
    assert page.evaluate("history.length") == steps + 4

    page.go_back()
    expect(page).to_have_title(re.compile("Inspect"))
    expect(shown(page, "channel")).to_have_value(channel)
    settle(page)
    page.go_back()
    expect(shown(page, "gate")).to_have_value("SE_4_1")
    expect(shown(page, "focus")).to_have_value("1 Chelsea the cat")
    expect(page.get_by_role("radio", name="similarity")).to_be_checked()
    settle(page)
    page.go_back()
    expect(page.get_by_role("radio", name="variance")).to_be_checked()
    expect(shown(page, "gate")).to_have_value("SE_4_1")
    settle(page)
    page.go_back()
    expect(shown(page, "gate")).to_have_value("SE_5_2")
    settle(page)
    page.go_forward()
    expect(shown(page, "gate")).to_have_value("SE_4_1")
    settle(page)

    copied = copy_link(page)
    assert "model=demo%2Fr16" in copied  # which the page shows at first
    fresh = open_page(copied.partition("//")[2].partition("/")[2])
    expect(shown(fresh, "gate")).to_have_value("SE_4_1")
    expect(shown(fresh, "focus")).to_have_value("1 Chelsea the cat")


@pytest.fixture
def late_page(opening, server):
    """A function that opens a page, with two more: one holds the server's messages from the first one with a text on,
    the other lets them through.
    """
    sockets, texts, waiting = [], [], []

    def between(socket):
        sockets.append(socket)

        def passed(message):
            late = waiting or (texts and texts[0] in message)
            (waiting.append if late else socket.send)(message)

        socket.connect_to_server().on_message(passed)

    def release():
        texts.clear()
        for message in waiting:
            sockets[-1].send(message)
        waiting.clear()

    with opening(server) as open_page:
        yield lambda query: (open_page(query, route=between), lambda text: texts.append(text.encode()), release)


def addresses(page):
    """The addresses in the browser's history, without host."""
    return [re.sub("^[a-z]+://[^/]+", "", url) for url in page.evaluate("navigation.entries().map(one => one.url)")]


def parts(address):
    return urlsplit(address).path, dict(parse_qsl(urlsplit(address).query))


def running(page):
    page.locator('[data-testid="stApp"][data-test-script-state="running"]').wait_for()


def test_changes_faster_than_the_server_are_one_step_back_each(late_page):
    page, hold, release = late_page("?samples=cat,coffee")
    before = addresses(page)
    hold("gate=SE_4_1")
    pick(page, "Gate", "SE_4_1")  # the server writes it into the address
    running(page)
    page.get_by_role("radio", name="similarity").click()  # the browser does
    page.wait_for_url(re.compile("order=similarity"))
    release()
    page.wait_for_url(re.compile("gate=SE_4_1"))
    settle(page)
    first = {"samples": "cat,coffee", "order": "similarity"}
    assert [parts(one)[1] for one in addresses(page)[len(before) :]] == [first, first | {"gate": "SE_4_1"}]


def test_changes_before_another_page_are_one_step_back_each(late_page):
    page, hold, release = late_page("?samples=cat,coffee&gate=SE_4_1&order=similarity")
    before = addresses(page)
    hold("gate=SE_2_1")
    pick(page, "Gate", "SE_2_1")
    running(page)
    pick(page, "Image", "2 A cup of coffee")
    page.get_by_role("link", name="Network").click()
    release()
    expect(page).to_have_title(re.compile("Network"))
    settle(page)
    expect(shown(page, "gate")).to_have_value("SE_2_1")
    gate, image, network = addresses(page)[len(before) :]
    assert [parts(gate), parts(image), parts(network)] == [
        ("/", {"samples": "cat,coffee", "gate": "SE_2_1", "order": "similarity"}),
        ("/", {"samples": "cat,coffee", "gate": "SE_2_1", "focus": "2", "order": "similarity"}),
        ("/network", {"samples": "cat,coffee", "gate": "SE_2_1", "focus": "2"}),
    ]

    page.go_back()
    expect(page).to_have_title(re.compile("Inspect"))
    expect(shown(page, "gate")).to_have_value("SE_2_1")
    expect(shown(page, "focus")).to_have_value("2 A cup of coffee")
    expect(page.get_by_role("radio", name="similarity")).to_be_checked()


def test_back_before_an_answer_takes_the_change_back(late_page):
    page, hold, release = late_page("?samples=cat,coffee")
    before = addresses(page)
    pick(page, "Image", "2 A cup of coffee")
    page.wait_for_url(re.compile("focus=2"))
    settle(page)
    hold("gate=SE_4_1")
    pick(page, "Gate", "SE_4_1")
    running(page)
    page.go_back()
    release()
    expect(shown(page, "focus")).to_have_value("1 Chelsea the cat")
    expect(shown(page, "gate")).to_have_value("SE_5_2")
    settle(page)
    first = {"samples": "cat,coffee"}
    assert [parts(one)[1] for one in addresses(page)[len(before) - 1 :]] == [first, first | {"focus": "2"}]
    assert parts(page.url)[1] == first


def test_a_choice_before_the_answer_to_another_shows_charts_that_were_there_before(late_page):
    page, hold, release = late_page("?samples=cat,coffee")
    deviations = chart(page, "deviation_SE_5_2")
    for order, words in (("similarity", "neighbours respond alike"), ("variance", "most varying first")):
        page.get_by_role("radio", name=order).click()
        expect(deviations).to_contain_text(words)
        settle(page)
    hold("page.py")  # the first message of a run names the script
    pick(page, "Gate", "SE_4_1")
    page.get_by_role("radio", name="similarity").click()
    page.wait_for_url(re.compile("order=similarity"))
    release()
    expect(deviations).to_contain_text("neighbours respond alike")
    settle(page)
    page.wait_for_url(re.compile("gate=SE_4_1.*order=similarity|order=similarity.*gate=SE_4_1"))


@pytest.fixture
def history(browser):
    """A page without a server whose history the script has taken over, with the names that Python writes."""
    context, address = browser.new_context(), "http://127.0.0.1/?samples=cat&order=similarity"
    page = context.new_page()
    page.route("**", lambda route: route.fulfill(body='<div class="stApp">', content_type="text/html"))
    page.goto(address)
    names = ["samples", "gate", "focus"]
    page.evaluate(f"names => {{ {joined('view', 'history.js')}; followHistory(names); }}", names)
    yield page
    context.close()


def streamlit(page, *written, way="pushState"):
    for address in written:
        page.evaluate("([way, address]) => history[way]({}, '', address)", [way, address])


def touch(page):
    page.evaluate("window.dispatchEvent(new Event('pointerdown'))")


def test_what_python_counts_is_an_entry_and_what_it_corrects_joins_it(history):
    # The mark: run, changes, moves, page.
    streamlit(history, "/?samples=cat&order=similarity&gate=SE_4_1&history=0.1.0.")
    streamlit(history, "/?samples=cat&order=similarity&gate=SE_4_1&focus=2&history=1.1.0.")
    # Two changes at once, then another page: Streamlit writes its address without the selection, before Python does.
    streamlit(history, "/?samples=cat&order=similarity&gate=SE_2_1&focus=2&history=1.2.0.")
    streamlit(history, "/", "/network", "/?samples=cat&gate=SE_2_1&focus=2&history=1.3.0.network")
    assert addresses(history) == [
        "/?samples=cat&order=similarity",
        "/?samples=cat&order=similarity&gate=SE_4_1&focus=2",
        "/?samples=cat&order=similarity&gate=SE_2_1&focus=2",
        "/network?samples=cat&gate=SE_2_1&focus=2",
    ]


def test_what_a_widget_writes_is_an_entry_and_stays_until_python_changes_it(history):
    touch(history)
    streamlit(history, "/?samples=cat&order=variance", way="replaceState")
    streamlit(history, "/?samples=cat&order=variance&step=norm", way="replaceState")  # without a touch
    touch(history)
    streamlit(history, "/?samples=cat&order=variance&step=squeeze", way="replaceState")  # no choice
    streamlit(history, "/?samples=cat&order=variance&view=Maps", way="replaceState")
    # Runs that were asked for before that.
    streamlit(history, "/?samples=cat&order=similarity&gate=SE_4_1&history=0.1.0.")
    streamlit(history, "/?samples=cat&order=similarity&gate=SE_4_1&history=1.1.0.")
    assert addresses(history)[1:] == [
        "/?samples=cat&order=variance&step=squeeze",
        "/?samples=cat&order=variance&view=Maps",
        "/?samples=cat&order=variance&view=Maps&gate=SE_4_1",
    ]
    # Python corrects a widget's part, and drops one.
    streamlit(history, "/?samples=cat&order=variance&view=Mapps&gate=SE_4_1&history=2.1.0.")
    streamlit(history, "/?samples=cat&order=variance&view=Gate&gate=SE_4_1&history=2.1.0.")
    streamlit(history, "/?samples=cat&view=Gate&gate=SE_4_1&history=2.1.0.")
    assert addresses(history)[3:] == ["/?samples=cat&view=Gate&gate=SE_4_1"]


def test_what_python_wrote_before_it_knew_of_back_is_left_out(history):
    for number in (1, 2, 3):
        streamlit(history, f"/?samples=cat&gate=SE_{number}_1&history={number}.{number}.0.")
    entries = addresses(history)
    history.go_back(wait_until="commit")
    history.go_back(wait_until="commit")
    streamlit(history, "/?samples=cat&gate=SE_4_1&history=3.4.0.", "/?samples=cat&gate=SE_4_1&history=4.4.0.")
    streamlit(history, "/?samples=cat&gate=SE_2_1&history=5.4.1.")  # the first of the two
    assert addresses(history) == entries
    assert history.url.endswith(entries[1])
    streamlit(history, "/?samples=cat&gate=SE_1_1&history=6.4.2.", way="replaceState")
    assert addresses(history) == entries
    streamlit(history, "/?samples=cat&gate=SE_2_2&history=6.5.2.")
    assert addresses(history) == [*entries[:2], entries[1].replace("SE_1_1", "SE_2_2")]


def test_streamlit_is_told_again_of_back_once(history):
    streamlit(history, "/?samples=cat&gate=SE_1_1&history=1.1.0.")
    history.evaluate("() => { window.told = 0; window.addEventListener('popstate', () => { window.told += 1; }); }")
    history.go_back(wait_until="commit")
    ended = "document.querySelector('.stApp').setAttribute('data-test-script-state', 'notRunning')"
    for _ in range(3):
        history.evaluate(ended)
    assert history.evaluate("window.told") == 2
    streamlit(history, "/?samples=cat&gate=SE_3_1&history=2.2.0.")  # it goes on, though Python has not followed
    assert addresses(history)[-1].endswith("gate=SE_3_1")


def test_the_bar_stays_in_view_and_is_low(open_page):
    page = open_page("classes?samples=cat")
    for width, height, most in ((1440, 900, 60), (390, 844, 110)):
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
        if width < 640:
            pages = page.locator(".st-key-phone_pages a")
            expect(pages).to_have_count(6)
            assert all(link.bounding_box()["x"] + link.bounding_box()["width"] <= width for link in pages.all())
        page.mouse.move(width / 2, height / 2)
        page.mouse.wheel(0, 20_000)
        expect(page.get_by_role("heading", level=1)).not_to_be_in_viewport()
        bar = page.locator(".st-key-selection_bar")
        expect(bar).to_be_in_viewport()
        assert bar.bounding_box()["height"] < most
        # It is not wider than the page.
        assert page.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('[data-testid=stMain]'))")
    # A name that is cut off can be read under the pointer.
    shown(page, "class_a").hover()
    expect(shown(page, "class_a")).to_have_attribute("title", "cassette player")


def test_a_report_opens_without_a_network_with_the_charts_and_sentences_of_the_page(open_page, browser, tmp_path):
    page = open_page("?samples=cat")
    answer = page.get_by_text("the closest is").inner_text()
    on_page = [figure.get_attribute("aria-label") for figure in page.get_by_role("figure").all()]
    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report as HTML").click()
    download.value.save_as(tmp_path / "report.html")
    context = browser.new_context(offline=True, color_scheme="dark")
    requests, failures = [], []
    report = context.new_page()
    report.on("request", lambda request: requests.append(request.url))
    report.on("pageerror", lambda error: failures.append(str(error)))
    report.on("console", lambda said: failures.append(said.text) if said.type == "error" else None)
    report.goto((tmp_path / "report.html").as_uri())
    expect(report.get_by_text(answer)).to_be_visible()
    names = [figure.get_attribute("aria-label") for figure in report.locator("figure").all()]
    assert {name for name in on_page if name and name.startswith(("Heatmap", "Scatter"))} <= set(names)
    expect(report.locator(".js-plotly-plot > .plot-container")).to_have_count(len(names))
    expect(report.get_by_text("Chelsea the cat", exact=True).first).to_be_visible()
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert not failures
    # On paper it is light, and as wide as a page, 180 mm.
    report.emulate_media(media="print")
    report.evaluate("dispatchEvent(new Event('beforeprint'))")
    parts = report.locator(".main-svg, table")
    assert max(part.bounding_box()["width"] for part in parts.all()) <= 680
    assert report.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    context.close()
