"""Metadata of a saved figure: what it shows, of which network and images, and by which version of SE Viz."""

import io
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from xml.sax.saxutils import escape

from PIL import Image, PdfParser
from PIL.PngImagePlugin import PngInfo

_GATE = re.compile(r"SE_\d+_\d+")
_LONGEST = 60  # characters of a part of a file's name


@cache  # for each name of a file otherwise, of which a page has dozens
def _version() -> str:
    try:
        return version("se-viz")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Provenance of a figure.

    Attributes:
        model: name of the network.
        images: the images or the dataset, in words.
        gate: the gate, for charts whose name has none.
    """

    model: str = ""
    images: str = ""
    gate: str = ""

    def fields(self, chart: str) -> dict[str, str]:
        """Return what is known about a chart, given its name, of Title, Model, Images, Gate and Software."""
        named = _GATE.search(chart)
        fields = {
            "Title": chart,
            "Model": self.model,
            "Images": self.images,
            "Gate": named[0] if named else self.gate,
            "Software": f"SE Viz {_version()}",
        }
        return {name: value for name, value in fields.items() if value}

    def file_name(self, chart: str, size: str, kind: str) -> str:
        """Return the name of a chart's file, in characters for any disk.

        It has the chart, the gate, the model, the images, the version and the size; what is not known is left out.
        """
        gate = "" if _GATE.search(chart) else self.gate
        parts = (chart, gate, self.model, self.images, f"se-viz-{_version()}", size)
        safe = [re.sub(r"[^A-Za-z0-9._]+", "-", part).strip("-")[:_LONGEST] for part in parts]
        return f"{'__'.join(part for part in safe if part)}.{kind}"


def with_metadata(content: bytes, kind: str, fields: dict[str, str], dpi: float = 96) -> bytes:
    """Return a figure's file with metadata: tEXt or iTXt of PNG, ``<metadata>`` of SVG, Info of PDF.

    Args:
        content: the file.
        kind: "png", "svg" or "pdf"; other files are returned as they are.
        fields: the metadata by name.
        dpi: resolution that a PNG states.
    """
    if kind == "png":
        texts = PngInfo()
        for name, value in fields.items():
            texts.add_text(name, value)
        out = io.BytesIO()
        with Image.open(io.BytesIO(content)) as image:
            image.save(out, "PNG", pnginfo=texts, dpi=(dpi, dpi))
        return out.getvalue()
    if kind == "svg":
        text = content.decode()
        listed = "".join(f'<meta name="{name}">{escape(value)}</meta>' for name, value in fields.items())
        start = text.index(">", text.index("<svg")) + 1
        return f'{text[:start]}<metadata xmlns:se="https://arxiv.org/abs/1709.01507">{listed}</metadata>{text[start:]}'.encode()
    if kind == "pdf":
        return _with_info(content, fields)
    return content


def _with_info(content: bytes, fields: dict[str, str]) -> bytes:
    """Return a PDF with the fields in its Info dictionary, appended as an update."""
    buffer = io.BytesIO(content)
    parser = PdfParser.PdfParser(f=buffer, mode="r+b")
    said = {"Title": fields.get("Title", ""), "Subject": "; ".join(f"{k}: {v}" for k, v in fields.items())}
    for name, value in (said | {name: value for name, value in fields.items() if name not in said}).items():
        setattr(parser.info, name, value)  # replaces what the browser wrote; an item would be a second entry
    parser.start_writing()
    parser.write_xref_and_trailer()
    parser.close()
    return buffer.getvalue()
