"""The report on a network that is not a demo model, beside the demo models that differ in one design choice."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pandas as pd

from se_viz.analysis.demo_responses import Responses, known
from se_viz.analysis.loaded_network import LoadedNetwork
from se_viz.demo.card import Card
from se_viz.demo.design_choices import DesignChoice, choice_label, comparable, variants_of
from se_viz.demo.seresnet import BLOCKS_PER_STAGE
from se_viz.model.model import Model
from se_viz.reports.demo_responses import MOVES, patterns
from se_viz.reports.report import Later, Report
from se_viz.wording import counted

T = TypeVar("T")

QUESTION = "How does this network compare with the demo models?"


def loaded_report(
    choice: DesignChoice, cards: Sequence[Card], network: LoadedNetwork, responses: Responses | None = None
) -> Report:
    """Compose the report on a network beside the demo models.

    Sentences: its cost; its responses, and the images that they are of. Charts: ``spread_by_gate``,
    ``saturation_by_gate``, ``rank_by_gate`` with a line for it, ``cka_by_gate`` without. Table: ``cost``.

    Args:
        choice: the design choice in which the demo models differ.
        cards: the cards of the demo models.
        network: the network.
        responses: the responses of the demo models (default: the shipped ones, and those of the user's networks).
    """
    responses = known() if responses is None else responses
    both = comparable(cards)
    drawn = None if responses is None else patterns(choice, both, responses, network)
    sentences = (_known(network), *_responses(network, responses))
    charts = {} if drawn is None else drawn.charts
    return Report(
        QUESTION, lambda: sentences, Later(charts), Later({"cost": partial(_cost_table, choice, both, network)})
    )


def with_loaded(design: Report, loaded: Report, name: str, model: Model) -> Report:
    """Return the report on a design choice with a network beside the demo models.

    Args:
        design: the report on the design choice.
        loaded: the report on the network, whose charts replace those of the same names; its sentences and its table
            come last.
        name: name of the network as the user named it.
        model: the network.
    """
    height, width = model.preprocess.crop
    return replace(
        design,
        answer=lambda: (*design.sentences, *loaded.sentences),
        charts=_together(design.charts, loaded.charts),
        tables=_together(design.tables, loaded.tables),
    ).described(
        Model=f"{design.about.get('Model', 'demo models')}, and {name}",
        **{"Loaded network": f"{model.about}. Input {height} × {width}, {model.precision} on {model.device}"},
    )


def _together(first: Mapping[str, T], second: Mapping[str, T]) -> Later[T]:
    """Return the values of both, those of the second where a name is in both; none is computed."""
    return Later({name: partial((second if name in second else first).__getitem__, name) for name in [*first, *second]})


def _known(network: LoadedNetwork) -> str:
    params, macs = network.cost.params, network.cost.macs
    of_gates = params - network.cost.totals()[0]
    gates = counted(len(network.gates), "gate")
    return (
        f"**{network.name}** has {gates}, {params:,} parameters, of which {of_gates / params:.1%} are in the gates, "
        f"and {macs / 1e6:,.1f} M multiply-accumulates for an image of {network.side} × {network.side} pixels. Its "
        "accuracy is not measured here; a command measures it on a dataset of its classes."
    )


def _responses(network: LoadedNetwork, found: Responses | None) -> list[str]:
    measured = network.measured
    if measured is None:
        return [
            f"The gates of **{network.name}** are drawn when two images or more are chosen, or when it has class "
            "profiles that keep s of single images, as those made on the Classes page do."
        ]
    gates = list(measured.gates.values())
    if not gates:
        return [f"No gate of **{network.name}** has finite weights over {measured.of}."]
    ranks = [gate.rank for gate in gates if gate.variation >= MOVES]
    rank = f", effective rank {sum(ranks) / len(ranks):.0f}" if ranks else ""
    spread = sum(gate.spread for gate in gates) / len(gates)
    demo = f"; those of the demo models from {found.images:,} images" if found is not None else ""
    sentences = [
        f"The numbers of **{network.name}** are from {measured.of}{demo}. Means over its gates: spread of s "
        f"{spread:.2f}{rank}. From {measured.images:,} images the effective rank is at most {measured.images - 1:,}."
    ]
    if measured.left_out:
        sentences.append(f"{', '.join(measured.left_out)}: some s is not finite, so it is not drawn.")
    return sentences


def _cost_table(choice: DesignChoice, cards: Sequence[Card], network: LoadedNetwork) -> pd.DataFrame:
    """Return a row for the network and for each demo model: parameters, multiply-accumulates, gates and accuracy."""
    rows: list[dict[str, object]] = [
        {
            "network": network.name,
            "parameters": network.cost.params,
            "MACs, millions": network.cost.macs / 1e6,
            "gates": len(network.gates),
            "input": f"{network.side} × {network.side}",
            "top-1": "not measured here",
        }
    ]
    for card in variants_of(choice, cards):
        height, width = card.preprocess.crop
        rows.append(
            {
                "network": choice_label(choice, card.network),
                "parameters": card.params,
                "MACs, millions": card.macs / 1e6,
                "gates": BLOCKS_PER_STAGE * len(card.network.gated_stages) if card.network.gated else 0,
                "input": f"{height} × {width}",
                "top-1": f"{card.accuracy.top1:.1%}",
            }
        )
    return pd.DataFrame(rows)
