"""The report on a frozen network: what becoming constants saves, and what it costs."""

import pandas as pd

from se_viz.analysis.latency import median_latency_ms
from se_viz.demo.card import Accuracy
from se_viz.demo.paired_comparison import points
from se_viz.interventions.ablation import Ablation
from se_viz.interventions.ablation_effects import AblationRow
from se_viz.interventions.constant_gates import MULTIPLIES
from se_viz.interventions.frozen_accuracy import FrozenAccuracy
from se_viz.interventions.frozen_network import FrozenNetwork
from se_viz.model.model import Model
from se_viz.reports.report import Later, Report
from se_viz.wording import counted, signed

QUESTION = "What does the network lose when gates become constants?"


def frozen_report(
    frozen: FrozenNetwork,
    compared: FrozenAccuracy | None = None,
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
    said = [*_changes(frozen, compared), *filter(None, [known])]
    if times is not None:
        said.append(_times_sentence(*times))
    return Report(
        QUESTION,
        lambda: tuple(said),
        tables=Later(
            {
                "before_and_after": lambda: before_and_after_table(frozen, compared, times),
                "gates": lambda: frozen_gates_table(frozen),
            }
        ),
    ).described(Model=frozen.name, Images="" if compared is None else f"{data}, {counted(compared.before.of, 'image')}")


def before_and_after_table(
    frozen: FrozenNetwork, compared: FrozenAccuracy | None = None, times: tuple[float, float] | None = None
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


def measure_times(model: Model, frozen: FrozenNetwork) -> tuple[float, float]:
    """Return the median time of one image before and after, in milliseconds, on the device of the network."""
    side = model.preprocess.crop[0]
    after = frozen.network.to(model.device)
    return median_latency_ms(model.network, side), median_latency_ms(after, side)


def _changes(frozen: FrozenNetwork, compared: FrozenAccuracy | None) -> tuple[str, ...]:
    """Return sentences on what freezing has changed."""
    less = frozen.parameters_before - frozen.parameters_after
    fewer = frozen.macs_before - frozen.macs_after
    became = "constants" if len(frozen.gates) > 1 else "a constant"
    lines = [
        f"{counted(len(frozen.gates), 'gate')} became {became}: {less:,} parameters "
        f"({less / frozen.parameters_before:.1%}) and {fewer:,} multiply-accumulates of one image "
        f"({fewer / max(1, frozen.macs_before):.2%}) are saved."
    ]
    kept = sum(gate.how == MULTIPLIES for gate in frozen.gates)
    if kept:
        lines.append(
            f"{kept} of them still multiply by {frozen.constants:,} stored numbers, because no neighbouring layer "
            "takes their maps alone; the others cost nothing."
        )
    if compared is not None:
        cost = _cost("Top-1", compared.before, compared.after, compared)
        lines.append(f"{cost} Both networks give the same answer for {counted(compared.same, 'image')}.")
    return tuple(lines)


def known_cost(frozen: FrozenNetwork, ablation: Ablation | None, otherwise: str) -> str:
    """Return what freezing costs in accuracy by an ablation with an edit of exactly these gates to these weights.

    Args:
        frozen: the frozen network.
        ablation: the ablation of the network that it was made of, if there is one.
        otherwise: a sentence on what to do where the ablation does not say it.
    """
    row = None if ablation is None else ablation.row_of({gate.name: gate.s for gate in frozen.gates})
    if ablation is None or row is None:
        missing = (
            "there is no ablation of this network"
            if ablation is None
            else "no edit of the ablation sets exactly these gates to these weights"
        )
        return f"The accuracy that this costs is not known: {missing}. {otherwise}"
    right = "Top-1" if ablation.labels == "given" else "Agreement with the network's own answers"
    cost = _cost(right, ablation.as_it_is.accuracy, row.accuracy, row)
    return f"{cost} The ablation measured it with {row.name} on {ablation.source.name}."


def _cost(what: str, before: Accuracy, after: Accuracy, effect: FrozenAccuracy | AblationRow) -> str:
    change = effect.change
    return (
        f"{what} over {counted(before.of, 'image')}: {before.top1:.1%} before (95% interval {before.low:.1%} to "
        f"{before.high:.1%}), {after.top1:.1%} after ({after.low:.1%} to {after.high:.1%}), a change of "
        f"{points(change.value)} points (95% interval {points(change.low)} to {points(change.high)}): "
        f"{counted(effect.lost, 'image')} {'is' if effect.lost == 1 else 'are'} lost and {effect.gained:,} gained "
        f"(McNemar's exact p = {effect.p:.2g})."
    )


def _times_sentence(before: float, after: float) -> str:
    """Return the time of one image before and after freezing, in milliseconds, as a sentence."""
    faster = signed((after - before) / before, "+.1%")
    return f"One image takes {before:.2f} ms before and {after:.2f} ms after ({faster}; medians on this machine)."
