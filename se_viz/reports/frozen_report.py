"""The report on a frozen network: what becoming constants saves, and what it costs."""

import pandas as pd

from se_viz.interventions.frozen_network import FrozenNetwork
from se_viz.reports.frozen_network import Comparison, sentences, times_sentence
from se_viz.reports.report import Later, Report

QUESTION = "What does the network lose when gates become constants?"


def frozen_report(
    frozen: FrozenNetwork,
    compared: Comparison | None = None,
    times: tuple[float, float] | None = None,
    known: str = "",
    data: str = "",
) -> Report:
    """Compose the report on a frozen network.

    Sentences: what is saved; the accuracy before and after, or what an ablation says of it; the time. Tables:
    ``before_and_after``, ``gates``.

    Args:
        frozen: the frozen network.
        compared: top-1 of both networks over a dataset, if it was counted.
        times: milliseconds for one image before and after, if they were measured.
        known: a sentence on the accuracy from an ablation.
        data: name of the dataset of ``compared``.
    """
    said = [*sentences(frozen, compared), *filter(None, [known])]
    if times is not None:
        said.append(times_sentence(*times))
    return Report(
        QUESTION,
        lambda: tuple(said),
        tables=Later(
            {
                "before_and_after": lambda: before_and_after_table(frozen, compared, times),
                "gates": lambda: frozen_gates_table(frozen),
            }
        ),
    ).described(Model=frozen.name, Images="" if compared is None else f"{data}, {compared.before.of:,} images")


def before_and_after_table(
    frozen: FrozenNetwork, compared: Comparison | None = None, times: tuple[float, float] | None = None
) -> pd.DataFrame:
    """Return a row for each quantity: parameters, MACs of one image, milliseconds for one image, top-1 (a share)."""
    rows: list[tuple[str, float, float]] = [
        ("parameters", frozen.parameters_before, frozen.parameters_after),
        ("MACs of one image", frozen.macs_before, frozen.macs_after),
    ]
    if times is not None:
        rows.append(("milliseconds for one image", *times))
    if compared is not None:
        rows.append(("top-1", compared.before.top1, compared.after.top1))
    return pd.DataFrame(rows, columns=["quantity", "before", "after"])


def frozen_gates_table(frozen: FrozenNetwork) -> pd.DataFrame:
    """Return a row for each gate that is a constant: its name, channels, the mean of its s, and where it went."""
    return pd.DataFrame(
        {
            "gate": [gate.name for gate in frozen.gates],
            "C": [len(gate.s) for gate in frozen.gates],
            "mean of s": [float(gate.s.mean()) for gate in frozen.gates],
            "folded": [gate.how for gate in frozen.gates],
        }
    )
