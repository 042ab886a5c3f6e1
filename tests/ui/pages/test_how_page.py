"""The page How it works: its answer and its data are those of capture; links that ask for what is not there say so."""

import json
from functools import partial

import pytest
from support import pages

import se_viz
from se_viz.reports.walk_numbers import number

open_page = partial(pages.open_page, "how")


def payload(page):
    (component,) = page.get("bidi_component")
    return json.loads(
        component.proto.mixed.json if component.proto.WhichOneof("data") == "mixed" else component.proto.json
    )


@pytest.fixture(scope="module")
def gate_capture():
    model = se_viz.load("demo/r16", "cpu")
    yield se_viz.capture(model, se_viz.sample("cat"), maps=["SE_3_1"])["SE_3_1"]
    model.close()


@pytest.mark.slow
def test_the_page_shows_the_numbers_of_capture(gate_capture):
    page = open_page(gate="SE_3_1", channel="5", pixel="3,4", step="squeeze")
    answer = page.markdown[0].value.replace("\\", "")
    assert f"z = {number(gate_capture.z[0, 5])}" in answer
    assert f"s = {number(gate_capture.s[0, 5])}" in answer
    data = payload(page)
    assert data["step"] == "squeeze"
    assert data["pixel"] == [3, 4]
    steps = {step["key"]: "\n".join(step["arithmetic"]) for step in data["steps"]}
    assert f"U_5 at row 3, column 4 = {number(gate_capture.u[0, 5, 3, 4])}" in steps["norm"]
    assert f"= {number(gate_capture.z[0, 5])}" in steps["squeeze"]
    assert f" = {number(gate_capture.s[0, 5])}, with" in steps["excite"]
    assert any("se_viz.walk(" in code.value for code in page.code)
    assert any("--gate SE_3_1 --channel 5 --pixel 3 4" in code.value for code in page.code)


def test_another_channel_and_gate_are_followed():
    page = open_page(gate="SE_3_1")
    page.number_input(key="channel").set_value(7).run()
    assert payload(page)["about"].startswith("SE_3_1, channel 7")
    assert page.query_params["channel"] in ("7", ["7"])
    page.selectbox(key="gate").set_value("SE_5_2").run()
    assert payload(page)["about"].startswith("SE_5_2, channel 7")
    assert not page.exception


def test_a_link_that_asks_for_what_is_not_there_says_so():
    page = open_page(gate="SE_3_1", channel="999", pixel="77,1")
    assert "asks for channel 999, but there are channels 0 to 191" in page.warning[0].value
    assert payload(page)["pixel"] != [77, 1]


def test_the_sections_below_are_tabs_of_which_one_is_made():
    page = open_page(gate="SE_3_1", about="What SE costs")
    assert len(page.table) == 1
    assert list(page.table[0].value.iloc[:, 1]) == ["+10%", "+0.26%", "about +4%"]
    assert not page.get("plotly_chart")
