"""The table of networks that hold channel gates, ``gates.csv``: made by ``python -m se_viz discover``, read here."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

from se_viz.disk.atomic import write_bytes

PATH = Path(__file__).with_name("gates.csv")


@dataclass(frozen=True, slots=True)
class Row:
    """What was found in one architecture of a library.

    Attributes:
        model: source and architecture, for instance "timm/seresnet50".
        family: the library's module that holds it, for instance "resnet".
        weights: the tags of its pretrained classifiers, for instance ("ra2_in1k",); the library's default comes first.
        params: weights and biases.
        gates: how many channel gates it has; of a network that is only sketched, how many modules of a known class.
        kinds: their classes, for instance ("SEModule",).
        channels: C summed over the gates; 0 of a network that is only sketched.
        seconds: of a processor's time that finding and proving them took; None while it is only sketched.
        note: what else was found that is no channel gate, or why nothing could be found.
    """

    model: str
    family: str
    weights: tuple[str, ...]
    params: int
    gates: int
    kinds: tuple[str, ...]
    channels: int
    seconds: float | None
    note: str = ""


def read(path: Path = PATH) -> dict[str, Row]:
    """The rows by model, in the file's order; none where there is no file."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {
            line["model"]: Row(
                model=line["model"],
                family=line["family"],
                weights=tuple(line["weights"].split()),
                params=int(line["params"]),
                gates=int(line["gates"]),
                kinds=tuple(line["kinds"].split()),
                channels=int(line["channels"]),
                seconds=float(line["seconds"]) if line["seconds"] else None,
                note=line["note"],
            )
            for line in csv.DictReader(file)
        }


def write(rows: Iterable[Row], path: Path = PATH) -> None:
    """Write rows as CSV, at once or not at all."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(asdict(row) | {"weights": " ".join(row.weights), "kinds": " ".join(row.kinds)})
    write_bytes(path, out.getvalue().encode())


@cache
def shipped() -> dict[str, Row]:
    """The rows of ``gates.csv``."""
    return read()
