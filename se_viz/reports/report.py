"""The answer to one question, composed once: the page displays it, a command writes it, a notebook shows it."""

import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd
from tqdm import tqdm

from se_viz.disk.output_folder import output_folder
from se_viz.figures.chart import Chart
from se_viz.figures.export import Format, figure_bytes, figure_fragment
from se_viz.figures.presets import PresetName
from se_viz.figures.provenance import Provenance
from se_viz.reports.tables import table_bytes, with_source

T = TypeVar("T")

_ROWS = 50  # rows of a table that a notebook shows


class Later(Mapping[str, T], Generic[T]):
    """Values by name, in order; each is computed at its first use, and kept.

    A page computes only the charts that it shows.
    """

    def __init__(self, makers: Mapping[str, Callable[[], T]] | None = None) -> None:
        self._makers = dict(makers or {})
        self._made: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers  # the method of Mapping would compute the value

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True)
class Report:
    """Sentences, charts and tables that answer a question.

    Attributes:
        question: the question.
        answer: returns the sentences.
        charts: charts by name, which is also the name of their file; each is drawn at its first use.
        tables: tables by name, likewise.
        notes: sentences on what was left out, or on the limits of the numbers.
        files: contents of further files by name, with the numbers themselves.
    """

    question: str
    answer: Callable[[], tuple[str, ...]]
    charts: Mapping[str, Chart] = field(default_factory=Later[Chart])
    tables: Mapping[str, pd.DataFrame] = field(default_factory=Later[pd.DataFrame])
    notes: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=Later[bytes])

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The answer, the most important sentence first.

        ``**`` marks emphasis; everything else is plain text, and names in it may contain any characters.
        """
        return self.answer()

    @property
    def text(self) -> tuple[str, ...]:
        """The sentences without emphasis, for a shell."""
        return tuple(sentence.replace("**", "") for sentence in self.sentences)

    def write(
        self,
        folder: Path,
        figures: Format = "html",
        *,
        preset: PresetName | None = None,
        provenance: Provenance | None = None,
        progress: bool = False,
    ) -> None:
        """Write each table as CSV, each chart, and the further files into a folder, which is created if necessary.

        Args:
            folder: the folder.
            figures: format of the charts; PNG, SVG and PDF need Chrome or Chromium.
            preset: size of PNG, SVG and PDF: "column" (3.5 in), "double" (7 in) or "slide" (16:9), without titles. The
                names of the files then say model, images and version, too.
            provenance: model and images, for the metadata of PNG, SVG and PDF, and the last columns of the tables.
            progress: whether to show a progress bar while charts are drawn.

        Raises:
            InUse: another process is writing these files.
            WriteFailed: a file cannot be written; the message says how many were written.
            CannotDraw: no browser is available to draw PNG, SVG or PDF.
            ValueError: a preset is given for HTML.
        """
        if preset and figures == "html":
            raise ValueError("A preset is a size of PDF, SVG and PNG files: choose one of these as the format.")
        source = provenance or Provenance()
        main = next((f"{name}.csv" for name in self.tables), "report")
        with output_folder(folder, main) as write:
            for name, frame in self.tables.items():
                write(f"{name}.csv", table_bytes(with_source(frame, source), "csv"))
            for name, content in self.files.items():
                write(name, content)
            for name in tqdm(self.charts, desc="figures", disable=None if progress else True):
                content = figure_bytes(self.charts[name].figure, figures, preset, name=name, provenance=source)
                write(source.file_name(name, preset, figures) if preset else f"{name}.{figures}", content)

    def show(self) -> None:
        """Show the report below the cell of a notebook; outside a notebook, in the browser."""
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        if ipython and hasattr(shell, "kernel"):
            ipython.display.display(self)
            return
        page = f'<!doctype html><meta charset="utf-8"><title>{escape(self.question)}</title>{self._repr_html_()}'
        path = Path(tempfile.mkdtemp(prefix="se-viz-")) / "report.html"
        path.write_text(page, encoding="utf-8")
        webbrowser.open(path.as_uri())

    def _repr_html_(self) -> str:
        """Return the report as HTML that sends no requests; it contains plotly's script once."""
        parts = [f"<h2>{escape(self.question)}</h2>"]
        parts += [f"<p>{_emphasised(sentence)}</p>" for sentence in self.sentences]
        parts += [f"<p><small>{escape(note)}</small></p>" for note in self.notes]
        for place, chart in enumerate(self.charts.values()):
            parts.append(
                f'<figure aria-label="{escape(chart.alt)}" style="margin: 1em 0">'
                f"{figure_fragment(chart.figure, script=not place)}"
                f"<details><summary>How to read this</summary>{escape(chart.how_to_read)}</details></figure>"
            )
        for name, frame in self.tables.items():
            more = f"<p>{len(frame) - _ROWS:,} more rows.</p>" if len(frame) > _ROWS else ""
            parts.append(f"<h3>{escape(name)}</h3>{frame.head(_ROWS).to_html(index=False, na_rep='')}{more}")
        return f'<section class="se-viz-report">{"".join(parts)}</section>'


def _emphasised(sentence: str) -> str:
    """Return a sentence as HTML, with the text between ``**`` in bold."""
    pieces = [escape(piece) for piece in sentence.split("**")]
    return "".join(f"<b>{piece}</b>" if place % 2 else piece for place, piece in enumerate(pieces))
