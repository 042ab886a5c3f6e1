"""A report as one HTML file that sends no request, reads well in light and dark, and prints."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from se_viz.figures.chart import Chart
from se_viz.figures.export import figure_fragment
from se_viz.wording import signed

_ROWS = 50  # rows of a table; the CSV file of the table has all

# The file cannot load anything, whatever is in it: names of images and classes come from others.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)

_STYLE = """
:root { color-scheme: light dark }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif;
  color: light-dark(#1c2430, #e8e6df); background: light-dark(#fdfcf9, #12151c) }
h1 { line-height: 1.2 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .9rem }
dt { font-weight: 600 }
dd { margin: 0; overflow-wrap: anywhere }
figure { margin: 1.5rem 0; break-inside: avoid }
figcaption, .note, .more { font-size: .85rem }
.table { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { border: 0; border-bottom: 1px solid rgba(126,135,146,.35); padding: .2rem .6rem; text-align: left }
/* Text to which a chart gives no colour has plotly's default; here it has the colour of the page. */
.js-plotly-plot text[style*="rgb(68, 68, 68)"] { fill: currentColor !important }
@page { margin: 15mm }
@media print {
  :root { color-scheme: light }
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; color: #000; background: none }
  figure { margin: .6rem 0 }
  h1, h2, h3 { break-after: avoid }
  tr { break-inside: avoid }
  details { display: none }
  .table { overflow: visible } /* nothing scrolls on paper */
  table { font-size: 7.5pt }
  th, td { padding: .1rem .4rem }
}
"""

# Charts and tables may be wider than a page, whose width is 180 mm on A4 and 186 mm on US letter: 680 pixels. The text
# of tables is three quarters as large on paper.
_PRINTED = """
const size = (layout) => document.querySelectorAll(".js-plotly-plot").forEach((one) => Plotly.relayout(one, layout));
const fit = (table) => {
  table.style.width = "min-content";
  const zoom = Math.min(1, 680 / (0.75 * table.offsetWidth));
  table.style.width = "";
  table.style.zoom = zoom;
};
addEventListener("beforeprint", () => {
  size({ width: 680 });
  document.querySelectorAll("table").forEach(fit);
});
addEventListener("afterprint", () => {
  size({ width: null, autosize: true });
  document.querySelectorAll("table").forEach((table) => { table.style.zoom = ""; });
});
"""


def html_page(question: str, about: Mapping[str, str], contents: str, date: datetime | None = None) -> str:
    """Return the contents of a report as the text of an HTML file.

    Args:
        question: the question of the report.
        about: facts on its subject by name.
        contents: its sentences, charts and tables as HTML.
        date: when it was made (default: now).
    """
    made = (date or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    facts = {**about, "Made": f"{made}, with {_program()}"}
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    title = " · ".join([question, *filter(None, [about.get("Model", "")]), "SE Viz"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(question)}</h1><dl>{listed}</dl>{contents}</main><script>{_PRINTED}</script></body></html>"
    )


def sentences_html(sentences: Sequence[str], notes: Sequence[str]) -> str:
    """Return the sentences and notes of a report as paragraphs."""
    said = "".join(f"<p>{_emphasised(sentence)}</p>" for sentence in sentences)
    return said + "".join(f'<p class="note"><small>{_with_code(note)}</small></p>' for note in notes)


def _with_code(note: str) -> str:
    """Return a note as HTML; what it has between backticks is code, as on the page."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(note))


def charts_html(charts: Mapping[str, Chart], *, clear: bool = False) -> str:
    """Return charts as figures, the first with plotly's script; each has its description as its name.

    Args:
        charts: the charts, whose elements have fixed ids if ``clear``, so that two files of one report are equal.
        clear: whether the background of the page shows through.
    """
    return "".join(
        f'<figure role="group" aria-label="{escape(chart.alt)}">'
        f"{figure_fragment(chart.figure, script=not place, identity=f'chart_{place}' if clear else None, clear=clear)}"
        f"<figcaption><details><summary>How to read this</summary>{escape(chart.how_to_read)}</details></figcaption>"
        "</figure>"
        for place, chart in enumerate(charts.values())
    )


def tables_html(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return tables with at most 50 rows each."""
    return "".join(map(_table, tables, tables.values()))


def _table(name: str, frame: pd.DataFrame) -> str:
    more = f'<p class="more">{len(frame) - _ROWS:,} more rows.</p>' if len(frame) > _ROWS else ""
    rows = frame.head(_ROWS).to_html(index=False, na_rep="", border=0, float_format=_number)
    head, end, body = rows.partition("</thead>")
    rows = head.replace("_", "_<wbr>") + end + body  # a long name of a column wraps
    title = re.sub(r"_(?!\d)", " ", name)  # "channels SE_5_2": the name of a gate stays as it is
    return f'<h3>{escape(title)}</h3><div class="table">{rows}</div>{more}'


def _number(value: float) -> str:
    """Return a number with five digits; the CSV file of the table has all."""
    return signed(value, ",.0f" if abs(value) >= 1e5 else ".5g")


def _emphasised(sentence: str) -> str:
    """Return a sentence as HTML, with the text between ``**`` in bold."""
    pieces = [escape(piece) for piece in sentence.split("**")]
    return "".join(f"<b>{piece}</b>" if place % 2 else piece for place, piece in enumerate(pieces))


def _program() -> str:
    try:
        return f"SE Viz {version('se-viz')}"
    except PackageNotFoundError:  # a checkout that is not installed
        return "SE Viz"
