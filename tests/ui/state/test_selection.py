"""One selection for the whole app: it stays when the page changes, and a click on a chart makes it."""

import pytest
from support.pages import open_page, open_tab

from se_viz.ui.state import selection
from se_viz.ui.widgets.chart_clicks import chosen_by


@pytest.mark.slow
def test_the_bar_of_a_page_writes_the_url_that_another_page_reads():
    page = open_page("inspect", samples="cat,coffee")
    page.selectbox(key="gate").set_value("SE_4_1").run()
    page.selectbox(key="focus").select("2 A cup of coffee").run()
    page.number_input(key="channel").set_value(7).run()
    address = {name: page.query_params[name] for name in page.query_params}
    address.pop(selection.MARK)  # which the script in the page takes out
    assert {key: value if isinstance(value, str) else value[0] for key, value in address.items()} == {
        **{"samples": "cat,coffee", "gate": "SE_4_1", "focus": "2", "channel": "7"}
    }
    assert any("**Channel 7** of SE_4_1 for A cup of coffee" in text.value for text in page.markdown)
    for other in ("how", "intervene", "network"):
        opened = open_page(other, **address)
        assert opened.selectbox(key="gate").value == "SE_4_1"
        if other == "how":
            assert opened.number_input(key="channel").value == 7
        if other != "network":
            assert opened.selectbox(key="focus").index == 1
    classes = open_page("classes", **address)
    assert classes.selectbox(key="gate").value == "SE_4_1"
    for tab in ("A against B", "Channel"):  # the bar has no channel in the first tab, but keeps it
        assert open_tab(classes, tab).number_input(key="channel").value == 7
        if tab == "A against B":
            assert classes.selectbox(key="focus").index == 1


def test_a_first_choice_is_no_choice_and_a_page_keeps_its_own():
    assert open_page("how").selectbox(key="gate").value == "SE_2_1"
    inspect = open_page("inspect")
    assert inspect.selectbox(key="gate").value == "SE_5_2"
    assert "gate" not in inspect.query_params


def test_an_emptied_channel_is_taken_back():
    page = open_page("inspect", channel="7")
    page.number_input(key="channel").set_value(None).run()
    assert "channel" not in page.query_params
    assert not any("**Channel 7**" in text.value for text in page.markdown)


@pytest.mark.parametrize("folder", ["", "_photos"])  # the user's own class profiles were named by their folder
def test_links_of_an_older_version_choose_the_same_classes_and_gate(folder):
    classes = {f"one{folder}": "church", f"other{folder}": "golf ball"}
    page = open_page("classes", **classes, faceoff_gate="SE_4_2")
    assert page.session_state["view"] == "A against B"
    assert [page.selectbox(key=key).value for key in ("class_a", "class_b", "gate")] == [
        "church",
        "golf ball",
        "SE_4_2",
    ]


@pytest.mark.parametrize(
    ("click", "choices"),
    [
        (
            {"chart": "heatmap_SE_4_2", "row": 1, "x": 17, "y": "2 coffee"},
            {"gate": "SE_4_2", "channel": 17, "focus": 2},
        ),
        ({"chart": "heatmap_SE_4_2", "row": 0, "x": "17"}, {"gate": "SE_4_2", "channel": 17, "focus": 1}),
        ({"chart": "z_against_s_SE_2_1b", "x": 0.5, "custom": 3}, {"gate": "SE_2_1b", "channel": 3}),
        ({"chart": "effect_SE_5_2", "x": -1.5, "y": "450"}, {"gate": "SE_5_2", "channel": 450}),
        ({"chart": "eta_by_gate", "x": "SE_3_1"}, {"gate": "SE_3_1"}),
        ({"chart": "gates", "id": "SE_3_1"}, {"gate": "SE_3_1"}),
        ({"chart": "gates", "id": "stage 3"}, {}),
        ({"chart": "cards", "row": 2}, {"focus": 3}),
        ({"chart": "deviation_SE_4_2", "row": 0, "x": 17}, {"gate": "SE_4_2", "channel": 17, "focus": 1}),
        ({"chart": "heatmap_r2_SE_4_2", "row": 0, "x": 3}, {}),  # of another model
        ({"chart": "heatmap_SE_4_2", "x": "<img>"}, {}),
        ({}, {}),
    ],
)
def test_a_click_on_a_chart_chooses(click, choices):
    assert chosen_by(click) == choices


class Address(dict):
    """A URL that keeps what was written, and that Streamlit does not let write while the visitor has asked for more."""

    def __init__(self, **values):
        super().__init__(values)
        self.asked, self.written = False, []

    def update(self, values):
        super().update(values)
        if self.asked:
            raise InterruptedError
        self.written.append(dict(self))


@pytest.fixture
def address(monkeypatch):
    """The URL of a session that has just begun, without Streamlit."""
    address = Address(samples="cat", gate="SE_2_1")
    monkeypatch.setattr(selection.st, "session_state", {})
    monkeypatch.setattr(selection.st, "query_params", address)
    selection.start()
    selection.open_page("")
    assert selection.MARK not in address  # the script that takes it out is not there yet
    return address


def counts(address):
    return address[selection.MARK].split(".")


def test_a_choice_that_the_url_of_the_browser_lacks_is_put_back(monkeypatch, address):
    selection.choose(gate="SE_4_1")
    address.clear()
    address |= {"gate": "SE_2_1", "channel": "3"}  # of a click that the browser sent before it had the new URL
    selection.start()
    assert address["gate"] == selection.chosen("gate") == "SE_4_1"
    assert address["samples"] == "cat"
    assert "channel" not in address
    address["gate"] = "SE_3_1"
    monkeypatch.setattr(selection, "moved_in_history", lambda: True)
    selection.start()
    assert selection.chosen("gate") == "SE_3_1"


def test_the_mark_of_the_url_counts_runs_changes_and_moves_and_no_corrections(monkeypatch, address):
    selection.choose(gate="SE_4_1", channel=7)
    selection.choose(gate="SE_4_1")  # the same again
    selection.correct(focus=2)
    selection.forget("channel")
    selection.forget("channel")
    assert counts(address) == ["0", "2", "0", ""]
    selection.open_page("network")
    selection.open_page("network")
    selection.start()
    assert counts(address) == ["1", "3", "0", "network"]
    monkeypatch.setattr(selection, "moved_in_history", lambda: True)
    selection.open_page("")  # by Back
    selection.start()
    assert counts(address) == ["2", "3", "1", ""]


def test_a_change_that_streamlit_interrupts_is_written_before_the_next(monkeypatch, address):
    address.asked = True
    for values in ({"gate": "SE_4_1"}, {"focus": 2}):
        with pytest.raises(InterruptedError):
            selection.choose(**values)
    address.asked = False
    address.clear()
    selection.open_page("network")
    written = [(one["gate"], one.get("focus"), *counts(one)[1::2]) for one in address.written]
    assert written == [("SE_4_1", None, "1", ""), ("SE_4_1", "2", "2", ""), ("SE_4_1", "2", "3", "network")]
    address.asked = True
    with pytest.raises(InterruptedError):
        selection.choose(gate="SE_5_1")
    address.asked, before = False, len(address.written)
    monkeypatch.setattr(selection, "moved_in_history", lambda: True)
    selection.start()
    assert len(address.written) == before + 1  # the visitor has gone back: no change is left


def test_a_choice_that_a_visitor_made_before_going_back_is_dropped(monkeypatch, address):
    selection.choose(gate="SE_4_1")
    address["gate"] = "SE_3_1"
    monkeypatch.setattr(selection, "moved_in_history", lambda: True)
    selection.choose(gate="SE_5_2", channel=7)  # callbacks run first
    selection.start()
    assert (address["gate"], selection.chosen("gate"), selection.chosen("channel")) == ("SE_3_1", "SE_3_1", "")


def test_a_link_to_another_page_chooses_what_the_visitor_has_not_chosen(address):
    address |= {"gate": "SE_5_2", "channel": "7"}
    selection.open_page("how-it-works")
    selection.start()
    assert (selection.chosen("gate"), selection.chosen("channel")) == ("SE_2_1", "7")
    assert (address["gate"], address["channel"]) == ("SE_2_1", "7")
