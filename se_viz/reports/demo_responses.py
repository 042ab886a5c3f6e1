"""How the gates of networks that differ in one choice respond to the validation set, as measured and shipped."""

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
_MOVES = 1e-3  # of s between images; below it, directions are those of rounding


@dataclass(frozen=True, slots=True)
class Patterns:
    """What there is to show: a sentence or two, and charts by name."""

    words: str
    charts: Mapping[str, Callable[[], Chart]]


def patterns(ablation: DesignChoice, cards: Sequence[Card], found: Responses) -> Patterns | None:
    """Spread, saturation, effective rank and similarity by depth; None where the networks were not measured.

    Args:
        ablation: the choice in which the networks differ.
        cards: of the family.
        found: measured; networks of other weights are left out.
    """
    networks = {
        choice_label(ablation, card.network): card.name
        for card in variants_of(ablation, cards)
        if card.name in found.networks and found.networks[card.name].sha256 == card.sha256
    }
    if not networks:
        return None
    standard = next((label for label, name in networks.items() if name == _STANDARD), "")
    gates = list(dict.fromkeys(gate for name in networks.values() for gate in found.networks[name].gates))

    def numbers(field: str) -> dict[str, dict[str, float]]:
        return {
            label: {gate: getattr(response, field) for gate, response in found.networks[name].gates.items()}
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
        label: found.cka(_STANDARD, name) for label, name in networks.items() if name != _STANDARD
    }
    twins = [name for name in found.networks if name.startswith(f"{_STANDARD}-seed")]
    context = [f"r = 16, seed {name.removeprefix(f'{_STANDARD}-seed')}" for name in twins]
    alike |= {label: found.cka(_STANDARD, name) for label, name in zip(context, twins, strict=True)}
    charts = {
        "spread_by_gate": partial(
            by_gate,
            "spread_by_gate",
            "Spread of s over the channels",
            "standard deviation of s",
            gates,
            spreads,
            "How differently a gate weighs the channels of one image, on average over the images: near 0 all "
            "channels are treated alike, 0.5 is the most a sigmoid can do.",
            standard=standard,
        ),
        "saturation_by_gate": partial(
            by_gate,
            "saturation_by_gate",
            "Saturation of s",
            f"s within {CLOSE} of 0 or 1, %",
            gates,
            saturated,
            "The share of weights near 0, which suppress their channel, and near 1, which pass it unchanged. A gate "
            "whose weights are nearly all at "
            "the ends decides, and learns no more; one at 1 throughout could be left out.",
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
            "In how many independent ways the weights of a gate move from image to image: 1 when all channels rise "
            "and fall together, at most the number of channels. Left out where s moves by less than 0.001 between "
            "images, as there is nothing to have a direction.",
            standard=standard,
        ),
        "cka_by_gate": partial(
            by_gate,
            "cka_by_gate",
            "Likeness to the gates of r = 16",
            "linear CKA, 0 to 1",
            gates,
            alike,
            "Whether two networks' gates see the same images as alike, whatever the order of their channels: 1 if "
            "they do. Another seed of the same network says how alike two trainings are in any case.",
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
    """The charts in a few sentences: means over the gates."""
    labels = list(spreads)
    said = "Mean over the gates, over the validation set: spread of s " + _listed(labels, spreads, ".2f")
    said += "; effective rank " + _listed(labels, ranks, ".0f") + "."
    others = [label for label in alike if label not in context and alike[label]]
    if others:
        said += " Likeness to r = 16: " + _listed(others, alike, ".2f")
        said += f"; to another training of it, {_listed(context, alike, '.2f')}." if context else "."
    return said


def _listed(labels: list[str], values: Mapping[str, Mapping[str, float]], form: str) -> str:
    return ", ".join(f"{sum(values[one].values()) / len(values[one]):{form}} ({one})" for one in labels if values[one])
