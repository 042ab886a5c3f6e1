"""Responses to the validation set of networks that differ in one design choice, from the shipped measurements."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from statistics import mean
from typing import TypeAlias

import pandas as pd

from se_viz.analysis.demo_responses import Response, Responses
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
    "The grey band begins at the least similar two of {}, which differ only in their seed: inside it, two networks are "
    "as similar as two trainings of the same network may be."
)

_Numbers: TypeAlias = Callable[[str], dict[str, float]]
_ByLabel: TypeAlias = Mapping[str, Mapping[str, float]]


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
class ResponsePatterns:
    """A few sentences, and charts by name."""

    words: str
    charts: Mapping[str, Callable[[], Chart]]


def patterns(
    choice: DesignChoice, cards: Sequence[Card], responses: Responses, beside: LoadedNetwork | None = None
) -> ResponsePatterns | None:
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
    gates = list(dict.fromkeys(gate for name in networks.values() for gate in measured[name]))
    other, own_gates = {}, {}
    if beside is not None and beside.measured is not None:
        label = chart_label(beside.name, _NAME)
        other[label] = beside.name
        measured[beside.name] = beside.measured.gates
        own_gates = {label: beside.gates} if list(beside.gates) != gates else {}
    colours = dict.fromkeys(other, YOURS)
    if choice is RATIO:
        colours |= {
            choice_label(choice, card.network): ratio_colour(card.network.r) for card in variants if card.network.r
        }
    trainings = [card.name for card in cards if card.network == SEResNetConfig() and card.name in measured]
    trainings = trainings if _STANDARD in trainings and len(trainings) > 1 else []
    lines = _Lines(measured, gates, networks, other, own_gates, colours, trainings)
    similar = {label: responses.cka(_STANDARD, name) for label, name in networks.items() if name != _STANDARD}
    # Trainings whose weights were never on one machine have not been compared.
    seeds = [found for pair in combinations(trainings, 2) if (found := responses.cka(*pair))]
    same = {gate: (min(of[gate] for of in seeds), 1.0) for gate in gates if seeds and all(gate in of for of in seeds)}
    charts = {
        "spread_by_gate": partial(_spread_chart, lines),
        "saturation_by_gate": partial(_saturation_chart, lines),
        "rank_by_gate": partial(_rank_chart, lines),
        "cka_by_gate": partial(_similarity_chart, lines, similar, same),
    }
    return ResponsePatterns(_words(lines, similar, [{gate: of[gate] for gate in same} for of in seeds]), charts)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The networks that have a line in each chart.

    Attributes:
        measured: responses of each gate, by the name of the network.
        gates: names of the gates, in the order of the axis.
        networks: name of each variant of the design choice, by its label.
        other: name of a network with other gates, by its label; empty without one.
        own_gates: the gates of that network by its label; empty if they are those of the axis.
        colours: colours of networks by their label; the others take those of networks in turn.
        trainings: names of the trainings of the standard network that differ in their seed; empty if there is one only.
    """

    measured: Mapping[str, Mapping[str, Response]]
    gates: Sequence[str]
    networks: Mapping[str, str]
    other: Mapping[str, str]
    own_gates: Mapping[str, Sequence[str]]
    colours: Mapping[str, str]
    trainings: Sequence[str]

    @property
    def seeds(self) -> str:
        """Name of the band that the trainings span."""
        return f"{len(self.trainings)} trainings of r = 16"

    def spread(self, network: str) -> dict[str, float]:
        """Return the spread of s of each gate."""
        return {gate: response.spread for gate, response in self.measured[network].items()}

    def rank(self, network: str) -> dict[str, float]:
        """Return the effective rank of each gate whose s differs between images."""
        return {gate: one.rank for gate, one in self.measured[network].items() if one.variation >= MOVES}

    def saturation(self, network: str) -> dict[str, float]:
        """Return the share of s near 0 or near 1 of each gate, in percent."""
        return {gate: 100 * (one.near_0 + one.near_1) for gate, one in self.measured[network].items()}

    def chart(
        self, name: str, title: str, y: str, numbers: _Numbers, how_to_read: str, top: float | None = None
    ) -> Chart:
        """Draw a number of each gate of each network, with the band of the trainings; see ``by_gate``."""
        of_seeds = [numbers(training) for training in self.trainings]
        ends = {
            gate: (min(of[gate] for of in of_seeds), max(of[gate] for of in of_seeds))
            for gate in self.gates
            if of_seeds and all(gate in of for of in of_seeds)
        }
        return by_gate(
            name,
            title,
            y,
            self.gates,
            {label: numbers(network) for label, network in {**self.networks, **self.other}.items()},
            f"{how_to_read} {_SEEDS.format(self.seeds)}" if ends else how_to_read,
            standard=next((label for label, network in self.networks.items() if network == _STANDARD), ""),
            band=(self.seeds, ends) if ends else None,
            top=top,
            own_gates=self.own_gates,
            colours=self.colours,
        )


def _spread_chart(lines: _Lines) -> Chart:
    return lines.chart(
        "spread_by_gate",
        "Spread of s over the channels",
        "standard deviation of s",
        lines.spread,
        "The standard deviation of s over the channels of one image, averaged over the images. Near 0: all "
        "channels get the same weight. 0.5 is the maximum of a sigmoid.",
    )


def _saturation_chart(lines: _Lines) -> Chart:
    return lines.chart(
        "saturation_by_gate",
        "Saturation of s",
        f"s within {CLOSE} of 0 or 1, %",
        lines.saturation,
        "The share of weights near 0, which suppress their channel, or near 1, which pass it unchanged. A gate "
        "with nearly all weights at these ends switches channels on and off, and hardly learns any more. A gate "
        "with all weights near 1 could be removed.",
        100,
    )


def _rank_chart(lines: _Lines) -> Chart:
    return lines.chart(
        "rank_by_gate",
        "Effective rank of s",
        "independent directions",
        lines.rank,
        "The number of independent directions in which the weights of a gate vary between images: 1 if all "
        "channels rise and fall together, at most the number of channels. Gates whose s varies by less than 0.001 "
        "between images are left out, because their directions are not meaningful.",
    )


def _similarity_chart(lines: _Lines, similar: _ByLabel, same: Mapping[str, tuple[float, float]]) -> Chart:
    """Draw the similarity of each network to the standard one.

    Args:
        lines: the networks.
        similar: linear CKA of each gate with that of the standard network, by the label of the network.
        same: the lowest CKA of two trainings of the standard network, and 1, by gate.
    """
    how_to_read = (
        "Linear CKA of the gates of two networks, whatever the order of their channels: 1 if their weights are similar "
        "for the same images."
    )
    return by_gate(
        "cka_by_gate",
        "Similarity to the gates of r = 16 (CKA)",
        "linear CKA, 0 to 1",
        lines.gates,
        similar,
        f"{how_to_read} {_ALIKE.format(lines.seeds)}" if same else how_to_read,
        band=(lines.seeds, same) if same else None,
        top=1,
        colours=lines.colours,
    )


def _words(lines: _Lines, similar: _ByLabel, seeds: Sequence[Mapping[str, float]]) -> str:
    """Summarise the charts in a few sentences: means over the gates.

    Args:
        lines: the networks.
        similar: see ``_similarity_chart``.
        seeds: CKA by gate of each two trainings of the standard network.
    """
    spreads = {label: lines.spread(name) for label, name in lines.networks.items()}
    ranks = {label: lines.rank(name) for label, name in lines.networks.items()}
    said = "Means over the gates, on the validation set: spread of s " + _listed(spreads, ".2f")
    said += "; effective rank " + _listed(ranks, ".0f") + "."
    if any(similar.values()):
        said += " Similarity (CKA) to r = 16: " + _listed(similar, ".2f")
        pairs = [mean(pair.values()) for pair in seeds if pair]
        said += f". Two of {lines.seeds}: {mean(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})." if pairs else "."
    return said


def _listed(values: _ByLabel, form: str) -> str:
    return ", ".join(f"{sum(of.values()) / len(of):{form}} ({label})" for label, of in values.items() if of)
