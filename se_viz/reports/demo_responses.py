"""Responses to the validation set of networks that differ in one design choice, from the shipped measurements."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TypeAlias

import pandas as pd

from se_viz.analysis.demo_responses import Responses
from se_viz.analysis.health import CLOSE
from se_viz.analysis.loaded_network import LoadedNetwork
from se_viz.demo.card import Card
from se_viz.demo.design_choices import RATIO, DesignChoice, choice_label, variants_of
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.figures.by_gate import by_gate
from se_viz.figures.chart import Chart
from se_viz.figures.chart import label as chart_label
from se_viz.figures.palette import YOURS, ratio_colour

_STANDARD = "r16"
_NAME = 28  # characters of a name in a legend
MOVES = 1e-3
"""Minimum SD of s between images; below it, directions come from rounding."""
_SEEDS = "The grey band spans {}, which differ only in their seed: two trainings of the same network differ by as much."
_ALIKE = (
    "The grey band begins at the similarity of {}, which differ only in their seed: inside it, two networks are as "
    "similar as two trainings of the same network."
)

_Numbers: TypeAlias = Callable[[str], dict[str, float]]
_Draw: TypeAlias = Callable[[str], Chart]


def responses_table(responses: Responses) -> pd.DataFrame:
    """Return a row for each network and gate: model, gate, C, mean, spread, near_0 and near_1 (shares), rank."""
    return pd.DataFrame(
        [
            (name, gate, one.channels, one.mean, one.spread, one.near_0, one.near_1, one.rank)
            for name, network in responses.networks.items()
            for gate, one in network.gates.items()
        ],
        columns=["model", "gate", "C", "mean", "spread", "near_0", "near_1", "rank"],
    )


@dataclass(frozen=True, slots=True)
class Patterns:
    """A few sentences, and charts by name."""

    words: str
    charts: Mapping[str, Callable[[], Chart]]


def patterns(
    choice: DesignChoice, cards: Sequence[Card], responses: Responses, beside: LoadedNetwork | None = None
) -> Patterns | None:
    """Return spread, saturation, effective rank and similarity by depth; None if the networks were not measured.

    A band shows how much trainings of the standard network differ from each other, if more than one was measured.

    Args:
        choice: the design choice in which the networks differ.
        cards: the cards of the demo models.
        responses: the measurements; networks with other weights are left out.
        beside: a network with other gates, which has a line in all charts but that of similarity; the axis is then the
            relative depth.
    """
    measured = {
        card.name: responses.networks[card.name].gates
        for card in cards
        if card.name in responses.networks and responses.networks[card.name].sha256 == card.sha256
    }
    variants = [card for card in variants_of(choice, cards) if card.name in measured]
    networks = {choice_label(choice, card.network): card.name for card in variants}
    if not networks:
        return None
    standard = next((label for label, name in networks.items() if name == _STANDARD), "")
    gates = list(dict.fromkeys(gate for name in networks.values() for gate in measured[name]))
    other = {}
    if beside is not None and beside.measured is not None:
        other[chart_label(beside.name, _NAME)] = beside.name
        measured[beside.name] = beside.measured.gates
    colours = dict.fromkeys(other, YOURS)
    if choice is RATIO:
        colours |= {
            choice_label(choice, card.network): ratio_colour(card.network.r) for card in variants if card.network.r
        }
    trainings = [card.name for card in cards if card.network == SEResNetConfig() and card.name in measured]
    trainings = trainings if _STANDARD in trainings and len(trainings) > 1 else []
    number = f"{len(trainings)} trainings of r = 16"

    def drawn(title: str, y: str, numbers: _Numbers, how_to_read: str, top: float | None = None) -> _Draw:
        of_seeds = [numbers(name) for name in trainings]
        ends = {
            gate: (min(of[gate] for of in of_seeds), max(of[gate] for of in of_seeds))
            for gate in gates
            if of_seeds and all(gate in of for of in of_seeds)
        }
        lines = {label: numbers(name) for label, name in (networks | other).items()}
        how = f"{how_to_read} {_SEEDS.format(number)}" if ends else how_to_read
        return lambda name: by_gate(
            name,
            title,
            y,
            gates,
            lines,
            how,
            standard=standard,
            band=(number, ends) if ends else None,
            top=top,
            own_gates=dict.fromkeys(other, beside.gates) if beside and list(beside.gates) != gates else {},
            colours=colours,
        )

    def field(name: str) -> _Numbers:
        return lambda network: {gate: getattr(response, name) for gate, response in measured[network].items()}

    def ranks(network: str) -> dict[str, float]:
        return {gate: one.rank for gate, one in measured[network].items() if one.variation >= MOVES}

    def saturated(network: str) -> dict[str, float]:
        return {gate: 100 * (one.near_0 + one.near_1) for gate, one in measured[network].items()}

    alike = {label: responses.cka(_STANDARD, name) for label, name in networks.items() if name != _STANDARD}
    seeds = [responses.cka(*pair) for pair in combinations(trainings, 2)]
    same = {gate: (min(of[gate] for of in seeds), 1.0) for gate in gates if seeds and all(gate in of for of in seeds)}
    how = (
        "Linear CKA of the gates of two networks, whatever the order of their channels: 1 if their weights are similar "
        "for the same images."
    )
    makers: dict[str, _Draw] = {
        "spread_by_gate": drawn(
            "Spread of s over the channels",
            "standard deviation of s",
            field("spread"),
            "The standard deviation of s over the channels of one image, averaged over the images. Near 0: all "
            "channels get the same weight. 0.5 is the maximum of a sigmoid.",
        ),
        "saturation_by_gate": drawn(
            "Saturation of s",
            f"s within {CLOSE} of 0 or 1, %",
            saturated,
            "The share of weights near 0, which suppress their channel, or near 1, which pass it unchanged. A gate "
            "with nearly all weights at these ends switches channels on and off, and hardly learns any more. A gate "
            "with all weights near 1 could be removed.",
            100,
        ),
        "rank_by_gate": drawn(
            "Effective rank of s",
            "independent directions",
            ranks,
            "The number of independent directions in which the weights of a gate vary between images: 1 if all "
            "channels rise and fall together, at most the number of channels. Gates whose s varies by less than 0.001 "
            "between images are left out, because their directions are not meaningful.",
        ),
        "cka_by_gate": lambda name: by_gate(
            name,
            "Similarity to the gates of r = 16 (CKA)",
            "linear CKA, 0 to 1",
            gates,
            alike,
            f"{how} {_ALIKE.format(number)}" if same else how,
            band=(number, same) if same else None,
            top=1,
            colours=colours,
        ),
    }
    charts = {name: partial(make, name) for name, make in makers.items()}
    spread = field("spread")
    return Patterns(_words(networks, spread, ranks, alike, (number, same)), charts)


def _words(
    networks: Mapping[str, str],
    spread: _Numbers,
    ranks: _Numbers,
    alike: Mapping[str, Mapping[str, float]],
    seeds: tuple[str, Mapping[str, tuple[float, float]]],
) -> str:
    """Summarise the charts in a few sentences: means over the gates."""
    spreads = {label: spread(name) for label, name in networks.items()}
    said = "Means over the gates, on the validation set: spread of s " + _listed(spreads, ".2f")
    said += "; effective rank " + _listed({label: ranks(name) for label, name in networks.items()}, ".0f") + "."
    if any(alike.values()):
        said += " Similarity (CKA) to r = 16: " + _listed(alike, ".2f")
        lowest = [low for low, _ in seeds[1].values()]
        said += f"; of {seeds[0]}: {sum(lowest) / len(lowest):.2f}." if lowest else "."
    return said


def _listed(values: Mapping[str, Mapping[str, float]], form: str) -> str:
    return ", ".join(f"{sum(of.values()) / len(of):{form}} ({label})" for label, of in values.items() if of)
