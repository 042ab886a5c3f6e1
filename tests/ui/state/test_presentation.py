"""Presentation mode: large text in charts, no controls of export, and a choice that stays when the page changes."""

import json

import pytest
from support.pages import open_page


def sizes(part) -> list[float]:
    """All sizes of fonts of a figure's JSON."""
    if isinstance(part, list):
        return [size for one in part for size in sizes(one)]
    if not isinstance(part, dict):
        return []
    own = [value["size"] for name, value in part.items() if name.endswith("font") and "size" in value]
    return own + [size for value in part.values() for size in sizes(value)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inspect", "how", "intervene", "classes", "reduction", "network"])
def test_a_page_is_presented_with_large_charts_and_nothing_to_export(name):
    page = open_page(name, present="1")
    assert "Export" not in [tab.label for tab in page.tabs]
    assert not [one for one in page.get("download_button") if one.proto.label in ("PDF", "Report as HTML")]
    for chart in page.get("plotly_chart"):
        spec = json.loads(chart.proto.spec)
        found = sizes(spec)
        assert found
        assert min(found) >= 20, chart.proto.id
        assert spec["layout"]["xaxis"]["tickfont"]["size"] >= 20 if "xaxis" in spec["layout"] else True
    assert page.query_params["present"] in ("1", ["1"])
