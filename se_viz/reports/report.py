"""The answer to one question, composed once: the page displays it, a command writes it, a notebook shows it."""

import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from html import escape
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd
from tqdm import tqdm

from se_viz.disk.output_folder import output_folder
from se_viz.figures.chart import Chart
from se_viz.figures.drawing import one_browser
from se_viz.figures.export import Format, figure_bytes
from se_viz.figures.export_presets import PresetName
from se_viz.figures.provenance import Provenance
from se_viz.reports.html_page import charts_html, html_page, sentences_html, tables_html
from se_viz.reports.tables import table_bytes, with_source

T = TypeVar("T")


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
        answer: returns the sentences, or those of each part by the name of the part, in order.
        charts: charts by name, which is also the name of their file; each is drawn at its first use.
        tables: tables by name, likewise.
        how_measured: how the numbers were measured or counted, in a few sentences.
        notes: sentences on what was left out, or on the limits of the numbers.
        files: contents of further files by name, with the numbers themselves.
        about: facts on the subject by name; ``source`` is made of those called Model, Images and Gate.
    """

    question: str
    answer: Callable[[], tuple[str, ...] | Mapping[str, tuple[str, ...]]]
    charts: Mapping[str, Chart] = field(default_factory=Later[Chart])
    tables: Mapping[str, pd.DataFrame] = field(default_factory=Later[pd.DataFrame])
    notes: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=Later[bytes])
    about: Mapping[str, str] = field(default_factory=dict)
    how_measured: str = ""

    @cached_property
    def parts(self) -> Mapping[str, tuple[str, ...]]:
        """The sentences of each part of the answer, for a page that shows the parts in different places.

        A report whose parts have no names has one, "".
        """
        said = self.answer()
        return {"": said} if isinstance(said, tuple) else said

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The answer, the most important sentence first.

        ``**`` marks emphasis; everything else is plain text, and names in it may contain any characters.
        """
        return tuple(chain.from_iterable(self.parts.values()))

    @property
    def text(self) -> tuple[str, ...]:
        """The sentences without emphasis, for a shell."""
        return tuple(sentence.replace("**", "") for sentence in self.sentences)

    @property
    def source(self) -> Provenance:
        """The model, the images and the gate of the report, which its files name."""
        return Provenance(*(self.about.get(fact, "") for fact in ("Model", "Images", "Gate")))

    def csv(self, name: str) -> bytes:
        """Return a table as CSV, with the model and the data as its last columns; see ``with_source``."""
        return table_bytes(with_source(self.tables[name], self.source), "csv")

    def write(
        self,
        folder: Path,
        figures: Format = "html",
        *,
        preset: PresetName | None = None,
        progress: bool = False,
    ) -> None:
        """Write each table as CSV, each chart, and the further files into a folder, which is created if necessary.

        The metadata of PNG, SVG and PDF, and the last columns of the tables, say what ``source`` says.

        Args:
            folder: the folder.
            figures: format of the charts; PNG, SVG and PDF need Chrome or Chromium.
            preset: size of PNG, SVG and PDF: "column" (3.5 in), "double" (7 in) or "slide" (16:9), without titles. The
                names of the files then say model, images and version, too.
            progress: whether to show a progress bar while charts are drawn.

        Raises:
            InUse: another process is writing these files.
            WriteFailed: a file cannot be written; the message says how many were written.
            CannotDraw: no browser is available to draw PNG, SVG or PDF.
            ValueError: a preset is given for HTML.
        """
        if preset and figures == "html":
            raise ValueError("A preset is a size of PDF, SVG and PNG files: choose one of these as the format.")
        source = self.source
        main = next((f"{name}.csv" for name in self.tables), "report")
        drawing = nullcontext() if figures == "html" else one_browser()
        with output_folder(folder, main) as write, drawing as browser:
            for name in self.tables:
                write(f"{name}.csv", self.csv(name))
            for name, content in self.files.items():
                write(name, content)
            for name in tqdm(self.charts, desc="figures", disable=None if progress else True):
                figure = self.charts[name].figure
                content = figure_bytes(figure, figures, preset, name=name, provenance=source, browser=browser)
                write(source.file_name(name, preset, figures) if preset else f"{name}.{figures}", content)

    def to_html(self, date: datetime | None = None) -> str:
        """Return the report as one HTML file that sends no requests: sentences, charts, and 50 rows of each table.

        It contains plotly's script once, 4.6 MB, as plotly has no smaller one for Python.

        Args:
            date: when it was made (default: now).
        """
        return html_page(self.question, self.about, self._contents(clear=True), date)

    def _contents(self, *, clear: bool = False) -> str:
        said = sentences_html(self.sentences, [*filter(None, [self.how_measured]), *self.notes])
        return f"{said}{charts_html(self.charts, clear=clear)}{tables_html(self.tables)}"

    def write_html(self, path: str | Path) -> None:
        """Write the report as one HTML file, for an e-mail, a wiki or a printer; see ``to_html``.

        The folder is created if necessary.

        Raises:
            InUse: another process is writing this file.
            WriteFailed: the file cannot be written.
        """
        file = Path(path)
        content = self.to_html().encode()
        with output_folder(file.parent, file.name) as write:
            write(file.name, content)

    def described(self, **about: str) -> "Report":
        """Return the report with facts on its subject, as "Model", "Weights" or "Images"; empty ones are left out."""
        facts = {name: value for name, value in about.items() if value}
        return replace(self, about={**self.about, **facts})

    def with_charts(self, names: Iterable[str]) -> "Report":
        """Return the report with some of its charts, in the given order; names that it does not have are ignored."""
        return replace(
            self, charts=Later({name: partial(self.charts.__getitem__, name) for name in names if name in self.charts})
        )

    def show(self) -> None:
        """Show the report below the cell of a notebook; outside a notebook, in the browser."""
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        if ipython and hasattr(shell, "kernel"):
            ipython.display.display(self)
            return
        path = Path(tempfile.mkdtemp(prefix="se-viz-")) / "report.html"
        path.write_text(self.to_html(), encoding="utf-8")
        webbrowser.open(path.as_uri())

    def _repr_html_(self) -> str:
        """Return the report as HTML that sends no requests; it contains plotly's script once."""
        return f'<section class="se-viz-report"><h2>{escape(self.question)}</h2>{self._contents()}</section>'
