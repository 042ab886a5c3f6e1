"""The table of networks with channel gates, ``gates.csv``, made by ``python -m se_viz discover``."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

from se_viz.disk.atomic import write_bytes

PATH = Path(__file__).with_name("gates.csv")


@dataclass(frozen=True, slots=True)
class ArchitectureRow:
    """The gates of one architecture of a library.

    Attributes:
        model: library and architecture, for instance "timm/seresnet50".
        family: the module of the library that contains it, for instance "resnet".
        weights: the tags of its pretrained classifiers, for instance ("ra2_in1k",); the default of the library first.
        params: number of weights and biases.
        gates: number of channel gates; for a network that is only sketched, number of modules of a known class.
        kinds: classes of the gates, for instance ("SEModule",).
        channels: C summed over the gates; 0 for a network that is only sketched.
        seconds: CPU time of finding and verifying the gates; None if the network is only sketched.
        note: modules that look like channel gates and are not, or the reason why no gate was found.
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


def read(path: Path = PATH) -> dict[str, ArchitectureRow]:
    """Return the rows by model, in the order of the file; empty if there is no file."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {
            line["model"]: ArchitectureRow(
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


def write(rows: Iterable[ArchitectureRow], path: Path = PATH) -> None:
    """Write rows as CSV, completely or not at all."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(ArchitectureRow)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(asdict(row) | {"weights": " ".join(row.weights), "kinds": " ".join(row.kinds)})
    write_bytes(path, out.getvalue().encode())


@cache
def bundled_gates() -> dict[str, ArchitectureRow]:
    """Return the rows of ``gates.csv``."""
    return read()
