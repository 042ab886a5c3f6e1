import numpy as np
from streamlit.testing.v1 import AppTest

from se_viz import capture, load, sample
from se_viz.study.robust import by_ratio, robustness
from se_viz.ui import reduction
from se_viz.ui.text import plain
from se_viz.zoo import demo

# AppTest cannot follow navigation by callables, so the page stands alone here; Chromium goes through the menu.
SCRIPT = """
from se_viz.ui import head, reduction
reduction.page(head.draw(reduction.QUESTION))
"""


def open_page(**query: str) -> AppTest:
    page = AppTest.from_string(SCRIPT, default_timeout=120)
    page.query_params.update(query)
    page.run()
    assert not page.exception
    return page


def cards():
    return tuple(demo.card(name) for name in demo.names())


def test_the_answer_is_computed_from_the_cards():
    page = open_page()
    assert page.title[0].value == reduction.QUESTION
    assert any(robustness(cards()) in text.value for text in page.markdown)
    assert list(page.dataframe[1].value["model"]) == [f"demo/{card.name}" for card in cards()]


def test_every_ratio_shows_the_same_gate_of_its_own_network():
    page = open_page(samples="cat")
    names = [f"r = {card.network.r}" for card in by_ratio(cards())]
    assert list(page.dataframe[0].value.columns) == ["picture", *names]
    for card in by_ratio(cards()):
        spread = capture(load(f"demo/{card.name}", "cpu"), sample("cat"))["SE_5_2"].s.std(axis=1).mean()
        words = [text.value for text in page.caption if text.value.startswith(f"r = {card.network.r},")]
        assert len(words) == 1
        assert abs(float(words[0].rsplit(" ", 1)[1]) - np.float64(spread)) < 2e-3


def test_the_calculator_gives_the_papers_numbers():
    page = open_page()
    added = next(metric for metric in page.metric if metric.label == "SE adds")
    assert added.value == "2,514,944"
    page.toggle(key="last").set_value(False).run()
    assert next(metric for metric in page.metric if metric.label == "SE adds").value == "942,080"
    page.select_slider(key="ratio").set_value(2).run()
    assert next(metric for metric in page.metric if metric.label == "SE adds").value == f"{942_080 * 8:,}"


def test_without_pictures_it_says_what_to_do():
    assert plain("Drop pictures") in open_page(samples="").info[0].value
