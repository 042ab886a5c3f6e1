import io
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import expect
from support.chromium import POPOVER, SCREENS, close_popover, open_popover, settle
from support.images import encoded

import se_viz
from se_viz.demo import pretrained as demo
from se_viz.demo.design_choices import RATIO, variants_of

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)

CAT = "?samples=cat"


def photo(seed=0) -> bytes:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:900, 0:1200]
    pixels = np.stack([x / 5, y / 4, 255 - x / 6], axis=2) + rng.normal(scale=8, size=(900, 1200, 3))
    return encoded(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), "JPEG")


def drop(page, name, content, mime="image/jpeg"):
    page.locator('.st-key-upload [data-testid="stFileUploaderDropzoneInput"]').set_input_files(
        {"name": name, "mimeType": mime, "buffer": content}
    )


def chart(page, words):
    return page.get_by_role("figure", name=re.compile(words))


@pytest.mark.parametrize(("width", "height", "scheme"), SCREENS)
def test_the_first_screen_shows_heatmaps_and_fits(open_page, width, height, scheme):
    page = open_page(width=width, height=height, scheme=scheme)
    expect(page.locator(".js-plotly-plot")).to_have_count(6)
    for gate in ("SE_2_2", "SE_3_2", "SE_4_2", "SE_5_2"):
        expect(chart(page, f"Heatmap of the excitation weights s of {gate}")).to_have_count(1)
    first = page.locator(".js-plotly-plot .heatmaplayer image").first
    first.wait_for()
    answer = page.get_by_text("The network says").bounding_box()
    assert answer["y"] + answer["height"] < height
    # A phone's first screen has the answer in words and the images; a desk's has the heatmaps, too.
    assert width < 600 or first.bounding_box()["y"] < height
    # The page itself never scrolls sideways; what is in its main part must not either.
    assert page.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('[data-testid=stMain]'))")


def test_a_hostile_file_is_named_and_a_photograph_after_it_shows_its_weights_and_maps(open_page):
    page = open_page()
    drop(page, "evil.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "image/png")
    expect(page.get_by_role("alert")).to_contain_text("evil.png")
    expect(page.locator(".se-card")).to_have_count(4)
    drop(page, "holiday.jpg", photo())
    expect(page.locator(".se-card").first).to_contain_text("1 holiday.jpg")
    expect(page.locator(".se-card")).to_have_count(1)  # the first samples go
    expect(chart(page, r"SE_5_2: 768 channels of one image.*holiday\.jpg")).to_have_count(1)
    page.get_by_role("tab", name="Maps").click()
    expect(chart(page, r"Maps of SE_5_2 for holiday\.jpg")).to_have_count(1)


def test_images_stay_chosen_from_page_to_page(open_page):
    page = open_page(CAT)
    drop(page, "holiday.jpg", photo())
    expect(page.locator(".se-card")).to_have_count(2)
    page.get_by_role("link", name="Reduction").click()
    expect(page.get_by_role("heading", name="Does the reduction ratio matter?")).to_be_visible()
    page.get_by_role("tab", name="Your images").click()
    ratios = len([card for card in variants_of(RATIO, demo.cards()) if card.network.gated])
    expect(chart(page, r"SE_5_2: 2 images by 768 channels.*For holiday\.jpg")).to_have_count(ratios)
    settle(page)
    page.get_by_role("link", name="Inspect").click()
    expect(page.locator(".se-card").first).to_contain_text("1 holiday.jpg")
    expect(page.locator(".se-card")).to_have_count(2)


# tests/ui/pages/test_classes_page.py has its groups, and test_profile_pass_in_chromium.py hands in a ZIP of folders.
@pytest.mark.exhaustive
def test_two_classes_and_two_uploaded_groups_are_compared(open_page):
    page = open_page("classes?samples=cat&one=church&other=golf+ball")
    expect(chart(page, "Cohen's d between church and golf ball in SE_5_2")).to_have_count(1)
    page.get_by_role("tab", name="Your images").click()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("left/1.jpg", "left/2.jpg", "right/1.jpg"):
            archive.writestr(name, photo(len(archive.namelist())))
    drop(page, "groups.zip", packed.getvalue(), "application/zip")
    expect(chart(page, r"Mean of s by group for 50 of 768 channels.*left \(2\).*right \(1\)")).to_have_count(1)
    page.get_by_role("tab", name="Figure 6").click()
    for gate in ("SE_2_2", "SE_3_2", "SE_4_2", "SE_5_2"):
        expect(chart(page, f"Mean of s by class for .* channels of {gate}")).to_have_count(1)
    settle(page)


def test_many_refusals_take_one_box_and_a_list_that_moves_nothing(open_page):
    page = open_page("?samples=", wait=False)
    packed = io.BytesIO()
    small = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(small, "PNG")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/1.png", small.getvalue())
        for number in range(900):
            archive.writestr(f"a/{number}.xml", f"<xml>{number}</xml>")
    drop(page, "voc.zip", packed.getvalue(), "application/zip")
    expect(page.locator(".se-card")).to_have_count(1)
    settle(page)
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text("900 files were left out: they are not images")
    before = page.locator(".se-card").bounding_box()
    assert before["y"] < 900
    page.get_by_role("button", name="List all 900").click()
    expect(page.locator(f'{POPOVER} [data-testid="stDataFrame"]')).to_be_visible()
    assert page.locator(".se-card").bounding_box() == before


# test_selection_in_chromium.py opens a link again, too.
@pytest.mark.exhaustive
def test_a_choice_is_in_the_address_and_a_link_reopens_it(open_page):
    page = open_page()
    page.get_by_role("radio", name="SE_5_1").click()
    expect(chart(page, "Heatmap of the excitation weights s of SE_5_1")).to_have_count(1)
    page.get_by_role("radio", name="similarity").click()
    page.wait_for_url(re.compile("order=similarity"))
    assert "stage5=SE_5_1" in page.url
    again = open_page(page.url.partition("/")[2].rpartition("/")[2])
    expect(chart(again, "Heatmap of the excitation weights s of SE_5_1")).to_have_count(1)
    expect(again.locator(".js-plotly-plot").first).to_contain_text("neighbours respond alike")


def test_inspect_has_an_address_and_a_title_and_says_what_a_link_lacks(open_page):
    page = open_page("inspect?samples=cat&gate=SE_9_9")
    expect(page).to_have_title("Inspect · demo/r16 · SE Viz")
    expect(page.get_by_text("The link asks for gate SE_9_9")).to_be_visible()
    expect(page.get_by_role("link", name="Inspect", exact=True)).to_have_attribute("aria-current", "page")


def test_a_folder_of_two_folders_is_uploaded_with_its_names(open_page, tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "1.jpg").write_bytes(photo(1 if name == "cats" else 2))
        (tmp_path / "pets" / name / "._1.jpg").write_bytes(b"resource fork")
    (tmp_path / "pets" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    page = open_page("?samples=", wait=False)
    page.locator('.st-key-upload_folder [data-testid="stFileUploaderDropzoneInput"]').set_input_files(tmp_path / "pets")
    expect(page.locator(".se-name")).to_have_text(["1 cats/1.jpg", "2 dogs/1.jpg"])
    settle(page)
    expect(page.get_by_text("was left out")).to_have_count(0)
    drop(page, "IMG_0001.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic")
    expect(page.get_by_text("it is a HEIC photo; save it as JPEG")).to_be_visible()


@pytest.fixture(scope="module")
def cat(opening, server):
    """A page that the tests below leave as it was."""
    with opening(server) as open_page:
        yield open_page(f"{CAT}&view=Export")


def test_paper_has_the_view_without_controls_and_no_chart_in_two(cat):
    # A function, as an expression is parsed again at each look, which the policy of the page forbids.
    cat.wait_for_function("() => window.seVizView?.started")
    cat.evaluate("dispatchEvent(new Event('beforeprint'))")
    cat.emulate_media(media="print")
    for hidden in ("stSidebar", "stFileUploader", "stPopover"):
        expect(cat.get_by_test_id(hidden).first).to_be_hidden()
    plots = cat.get_by_test_id("stElementContainer").filter(has=cat.get_by_test_id("stPlotlyChart"))
    expect(plots.first).to_be_attached()
    for plot in plots.all():
        expect(plot).to_have_css("break-inside", "avoid")
    style = (
        "(e => [e.zoom, e.width].map(parseFloat))(getComputedStyle(document.querySelector('.stMainBlockContainer')))"
    )
    zoom, width = cat.evaluate(style)
    assert zoom * width == pytest.approx(700, abs=2)
    cat.emulate_media(media="screen")


def test_what_opens_does_not_move_its_controls(cat):
    """From the first frame in which a popover is there, the buttons in it stay where they are.

    Their place is that in the popover's body: the page behind may still move, and the popover with it.
    """
    opens = cat.get_by_role("button", name="Save").first
    opens.scroll_into_view_if_needed()
    cat.evaluate(
        """() => {
            window.places = [];
            const look = () => {
                const body = document.querySelector('[data-testid="stPopoverBody"]');
                const inside = body && body.querySelector("button");
                if (inside) {
                    const [outer, box] = [body.getBoundingClientRect(), inside.getBoundingClientRect()];
                    window.places.push(`${box.x - outer.x} ${box.y - outer.y}`);
                }
                if (window.places.length < 30) requestAnimationFrame(look);
            };
            look();
        }"""
    )
    opens.click()
    cat.wait_for_function("() => window.places.length >= 30", timeout=30_000)
    places = cat.evaluate("() => window.places")
    assert places == places[:1] * len(places)
    close_popover(cat)


def test_saved_numbers_are_those_of_python(cat):
    with cat.expect_download() as download:
        cat.get_by_role("button", name="z and s as CSV").click()
    frame = pd.read_csv(download.value.path())
    gate_capture = se_viz.capture(se_viz.load("demo/r16", "cpu"), se_viz.sample("cat"))["SE_5_1"]
    np.testing.assert_allclose(frame[frame["gate"] == "SE_5_1"]["s"], gate_capture.s[0], atol=1e-6)


def test_a_figure_is_saved(cat):
    for label, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("Interactive HTML", b"<!doc")):
        open_popover(cat, cat.get_by_role("button", name="Save").first)
        with cat.expect_download() as download:
            cat.get_by_role("button", name=label, exact=True).click()
        with open(download.value.path(), "rb") as file:  # noqa: PTH123
            assert file.read(len(start)) == start
        close_popover(cat)
