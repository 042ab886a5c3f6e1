"""Responses to the validation set of networks that differ in one design choice, from the shipped measurements."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from se_viz.analysis.demo_responses import Responses
from se_viz.analysis.health import CLOSE
from se_viz.demo.card import Card
from se_viz.demo.design_choices import DesignChoice, choice_label, variants_of
from se_viz.figures.by_gate import by_gate
from se_viz.figures.chart import Chart

_STANDARD = "r16"
_MOVES = 1e-3  # minimum SD of s between images; below it, directions come from rounding


@dataclass(frozen=True, slots=True)
class Patterns:
    """A few sentences, and charts by name."""

    words: str
    charts: Mapping[str, Callable[[], Chart]]


def patterns(choice: DesignChoice, cards: Sequence[Card], responses: Responses) -> Patterns | None:
    """Return spread, saturation, effective rank and similarity by depth; None if the networks were not measured.

    Args:
        choice: the design choice in which the networks differ.
        cards: the cards of the demo models.
        responses: the measurements; networks with other weights are left out.
    """
    networks = {
        choice_label(choice, card.network): card.name
        for card in variants_of(choice, cards)
        if card.name in responses.networks and responses.networks[card.name].sha256 == card.sha256
    }
    if not networks:
        return None
    standard = next((label for label, name in networks.items() if name == _STANDARD), "")
    gates = list(dict.fromkeys(gate for name in networks.values() for gate in responses.networks[name].gates))

    def numbers(field: str) -> dict[str, dict[str, float]]:
        return {
            label: {gate: getattr(response, field) for gate, response in responses.networks[name].gates.items()}
            for label, name in networks.items()
        }

    moving = numbers("variation")
    ranks = {
        label: {gate: rank for gate, rank in by.items() if moving[label][gate] >= _MOVES}
        for label, by in numbers("rank").items()
    }
    spreads = numbers("spread")
    near_0, near_1 = numbers("near_0"), numbers("near_1")
    saturated = {
        label: {gate: 100 * (near_0[label][gate] + near_1[label][gate]) for gate in near_0[label]} for label in near_0
    }
    alike: dict[str, Mapping[str, float]] = {
        label: responses.cka(_STANDARD, name) for label, name in networks.items() if name != _STANDARD
    }
    seeds = [name for name in responses.networks if name.startswith(f"{_STANDARD}-seed")]
    context = [f"r = 16, seed {name.removeprefix(f'{_STANDARD}-seed')}" for name in seeds]
    alike |= {label: responses.cka(_STANDARD, name) for label, name in zip(context, seeds, strict=True)}
    charts = {
        "spread_by_gate": partial(
            by_gate,
            "spread_by_gate",
            "Spread of s over the channels",
            "standard deviation of s",
            gates,
            spreads,
            "The standard deviation of s over the channels of one image, averaged over the images. Near 0: all "
            "channels get the same weight. 0.5 is the maximum of a sigmoid.",
            standard=standard,
        ),
        "saturation_by_gate": partial(
            by_gate,
            "saturation_by_gate",
            "Saturation of s",
            f"s within {CLOSE} of 0 or 1, %",
            gates,
            saturated,
            "The share of weights near 0, which suppress their channel, or near 1, which pass it unchanged. A gate "
            "with nearly all weights at these ends switches channels on and off, and hardly learns any more. A gate "
            "with all weights near 1 could be removed.",
            standard=standard,
            top=100,
        ),
        "rank_by_gate": partial(
            by_gate,
            "rank_by_gate",
            "Effective rank of s",
            "independent directions",
            gates,
            ranks,
            "The number of independent directions in which the weights of a gate vary between images: 1 if all "
            "channels rise and fall together, at most the number of channels. Gates whose s varies by less than 0.001 "
            "between images are left out, because their directions are not meaningful.",
            standard=standard,
        ),
        "cka_by_gate": partial(
            by_gate,
            "cka_by_gate",
            "Similarity to the gates of r = 16 (CKA)",
            "linear CKA, 0 to 1",
            gates,
            alike,
            "Linear CKA of the gates of two networks, whatever the order of their channels: 1 if their weights are "
            "similar for the same images. Another seed of the same network shows how similar two trainings are anyway.",
            context=context,
            top=1,
        ),
    }
    return Patterns(_words(spreads, ranks, alike, context), charts)


def _words(
    spreads: Mapping[str, Mapping[str, float]],
    ranks: Mapping[str, Mapping[str, float]],
    alike: Mapping[str, Mapping[str, float]],
    context: list[str],
) -> str:
    """Summarise the charts in a few sentences: means over the gates."""
    labels = list(spreads)
    said = "Means over the gates, on the validation set: spread of s " + _listed(labels, spreads, ".2f")
    said += "; effective rank " + _listed(labels, ranks, ".0f") + "."
    others = [label for label in alike if label not in context and alike[label]]
    if others:
        said += " Similarity (CKA) to r = 16: " + _listed(others, alike, ".2f")
        said += f"; to other seeds of r = 16, {_listed(context, alike, '.2f')}." if context else "."
    return said


def _listed(labels: list[str], values: Mapping[str, Mapping[str, float]], form: str) -> str:
    return ", ".join(f"{sum(values[one].values()) / len(values[one]):{form}} ({one})" for one in labels if values[one])
