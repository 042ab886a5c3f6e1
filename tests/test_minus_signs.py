"""Numbers that people read have a true minus sign, "−0.3"; "-0.3" is for machines."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from se_viz import capture, load, sample
from se_viz.analysis.predictions import predict
from se_viz.figures.export import figure_bytes
from se_viz.figures.not_finite import texts
from se_viz.interventions.gate_effects import gate_means
from se_viz.reports.inspection import inspection_report
from se_viz.wording import signed

ROOT = Path(__file__).parents[1] / "se_viz"
# A hyphen before a digit, but not within a word, a date or a range.
HYPHEN = re.compile(r"(?<![\w.\-/])-(?=\.?\d)")
# A number that the pointer shows with a separate format has a hyphen; that of an axis (``yhoverformat``) has not. In
# these modules such numbers are accuracies, shares, standard deviations, and s of gates with a range from 0.
NOT_NEGATIVE = {"accuracy.py", "separation_by_gate.py", "class_comparison.py", "heatmap.py"}


def test_a_number_has_a_minus_sign():
    assert [signed(-0.25, ".2f"), signed(0.25, "+.1f"), signed(-2e-5, ".0e")] == ["−0.25", "+0.2", "−2e−05"]
    assert texts(np.array([[-0.1234, np.nan], [2, -np.inf]], np.float32)).tolist() == [
        ["−0.123", "NaN"],
        ["2.000", "−∞"],
    ]


def _signs_in_code(path: Path) -> list[int]:
    """Lines on which a number with its sign is formatted by Python, which writes a hyphen."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            first = node.format_spec.values[0] if node.format_spec.values else None
            if isinstance(first, ast.Constant) and str(first.value).startswith("+"):
                found.append(node.lineno)
    return found


def test_numbers_with_their_sign_are_written_by_one_function():
    found = {str(path.relative_to(ROOT)): lines for path in ROOT.rglob("*.py") if (lines := _signs_in_code(path))}
    assert found.keys() <= {"demo/paired_comparison.py"}  # below the function, and with a minus sign as well


def test_the_pointer_of_charts_reads_numbers_of_the_axes():
    own_format = re.compile(r"%\{+(?:[xyz]|text|customdata(?:\[\d\])?):")
    found = {path.name for path in (ROOT / "figures").glob("*.py") if own_format.search(path.read_text())}
    assert found <= NOT_NEGATIVE


@pytest.mark.slow
def test_a_report_on_negative_weights_has_no_hyphen_before_a_number():
    model, images = load("demo/r16-tanh", "cpu"), [sample("cat"), sample("coffee")]
    captured, names = capture(model, images, maps=["SE_5_2"]), [image.name for image in images]
    report = inspection_report(
        captured, predict(model, captured, images=images), names, gates=["SE_5_2"], means=gate_means(model)
    )
    assert min(gate.s.min() for gate in captured) < 0
    said = [*report.text, *report.notes]
    for chart in report.charts.values():
        said += [chart.alt, chart.how_to_read, chart.figure.layout.title.text, chart.figure.layout.xaxis.title.text]
        said += [text for trace in chart.figure.data for text in _texts_of(trace)]
    assert any("−" in text for text in said)
    assert [text for text in said if HYPHEN.search(text)] == []
    page = replace(report, charts={}).to_html()
    assert "−" in page
    assert [cell for cell in re.findall(r"<td>([^<]*)</td>", page) if HYPHEN.search(cell)] == []
    assert figure_bytes(next(iter(report.charts.values())).figure, "html")


def _texts_of(trace) -> list[str]:
    found = []
    for part in (trace.text, trace.customdata):
        found += [str(text) for text in np.ravel(np.asarray(part, dtype=object)) if isinstance(text, str)]
    return found
