import json
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest
from support import pages

from se_viz.analysis.cost import Cost, StageCost
from se_viz.gates.macs import RULE
from se_viz.ui.markdown import escape_markdown

open_page = partial(pages.open_page, "network")


def charts(page: AppTest) -> dict[str, dict]:
    specs = [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]
    return {spec["layout"]["title"]["text"]: spec for spec in specs}


def test_the_answer_counts_the_gates_and_says_where_the_chosen_one_is():
    page = open_page(gate="SE_4_2")
    answer = page.markdown[0].value.replace("\\", "")
    assert "8 gates in 4 stages: squeeze avg, sigmoid, r = 16." in answer
    assert "195,840 of 2,176,874 parameters (9.0%)" in answer
    assert "SE_4_2** is at the end of the residual branch, before the identity is added" in answer


def test_the_tree_and_the_block_are_drawn():
    shown = charts(open_page(gate="SE_4_1"))
    tree = shown["Gates by stage"]["data"][0]
    assert list(tree["parents"]).count("network") == 4
    assert "<b>SE_5_2</b>  768 → 48 → 768" in tree["labels"]
    texts = [note["text"] for note in shown["SE_4_1 in its block"]["layout"]["annotations"]]
    assert "3 × 3 conv /2 → 96<br>batch norm, ReLU" in texts
    assert {"<b>+</b>", "<b>×</b>", "<b>U</b>  384 × 8 × 8", "sigmoid<br><b>s</b>  384"} <= set(texts)


def test_another_gate_redraws_the_block():
    page = open_page()
    page.selectbox(key="gate").set_value("SE_2_1").run()
    assert "SE_2_1 in its block" in charts(page)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["demo/r16-relu", "demo/r2"])
def test_every_gate_has_a_row(model):
    page = open_page(model=model)
    table = page.dataframe[0].value
    assert list(table["gate"]) == [f"SE_{stage}_{block}" for stage in (2, 3, 4, 5) for block in (1, 2)]
    assert table["parameters"].sum() == (195_840 if model.endswith("relu") else 195_840 * 8)


def test_no_image_is_needed():
    page = open_page(samples="")
    assert not page.info
    assert "Gates by stage" in charts(page)


def test_the_page_says_how_macs_are_counted_and_what_is_left_out(monkeypatch):
    page = open_page()
    assert escape_markdown(RULE) in [caption.value for caption in page.caption]  # on the page, and not in what opens
    assert not page.warning
    foreign = Cost(10, 10, (StageCost(2, 1, (8,), 1, 1, 1),), {"mamba.scan": 2})
    monkeypatch.setattr("se_viz.ui.state.walks.network_cost", lambda *_: foreign)
    assert "mamba.scan (2 calls)" in open_page().warning[0].value.replace("\\", "")
