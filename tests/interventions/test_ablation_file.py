"""Files of ablations that are damaged or made up: each is refused with a sentence, or can be shown."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from se_viz.interventions.ablation import AblationRefused
from se_viz.interventions.ablation_file import read_ablation
from se_viz.interventions.bundled_ablations import bundled_ablation
from se_viz.reports.ablation import ablation_report

_WHOLE = json.loads(bundled_ablation("demo/r16").content())
_WHOLE["rows"] = [row for row in _WHOLE["rows"] if row["where"] in ("SE_2_1", "SE_5_2", "stage 5", "all")]
_HOSTILE = st.sampled_from([None, True, -1, 10**30, 1e308, -0.5, "", "x" * 500, "1", [], {}, [[]], {"a": 1}])


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_file_is_refused_or_reported(data):
    content = json.loads(json.dumps(_WHOLE))
    part, key = content, data.draw(st.sampled_from(sorted(content)))
    while isinstance(part[key], dict | list) and part[key] and data.draw(st.integers(0, 3)):
        part = part[key]
        key = data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
    part[key] = data.draw(_HOSTILE)
    try:
        found = read_ablation(json.dumps(content).encode(), "theirs.json")
    except AblationRefused as error:
        assert str(error).startswith("theirs.json ")  # noqa: PT017
        return
    report = ablation_report(found)
    assert report.sentences
    assert all(chart.alt for chart in report.charts.values())
    assert len(found.table()) == 1 + len(found.rows)
    found.table_by_class()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"where": "SE_9_9"}, "of a gate that the network does not have"),
        ({"gates": ["SE_9_9"]}, "of a gate that the network does not have"),
        ({"p": 2.0}, "not a share"),
        ({"change": {"value": -3.0, "low": -3.5, "high": -2.5}}, "not a share"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(change, said):
    rows = [_WHOLE["rows"][0] | change, *_WHOLE["rows"][1:]]
    with pytest.raises(AblationRefused, match=said):
        read_ablation(json.dumps(_WHOLE | {"rows": rows}).encode(), "theirs.json")


@pytest.mark.parametrize("precision", [{}, [], None, 1, "fp8"])
def test_a_precision_that_is_no_text_is_refused(precision):
    model = _WHOLE["model"] | {"precision": precision}
    with pytest.raises(AblationRefused, match=r"damaged \(at model\.precision"):
        read_ablation(json.dumps(_WHOLE | {"model": model}).encode(), "theirs.json")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(number):
    text = json.dumps(_WHOLE).replace(f'"entropy": {_WHOLE["as_it_is"]["entropy"]}', f'"entropy": {number}', 1)
    assert number in text
    with pytest.raises(AblationRefused, match="damaged"):
        read_ablation(text.encode(), "theirs.json")
