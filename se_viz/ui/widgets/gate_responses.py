"""How the gates of networks that differ in one choice respond to the validation set, from what ships measured."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from se_viz.analysis.demo_responses import Responses, shipped
from se_viz.analysis.health import CLOSE
from se_viz.demo.card import Card
from se_viz.demo.design_choices import ABLATIONS, members, variant
from se_viz.figures.by_gate import by_gate
from se_viz.figures.chart import Chart
from se_viz.ui.markdown import plain
from se_viz.ui.widgets import chart

_STANDARD = "r16"
_MOVES = 1e-3  # of s between pictures; below it, directions are those of rounding


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What there is to show, the charts two in a row."""

    words: str
    charts: tuple[Chart, ...]
    images: int


def show(title: str, cards: tuple[Card, ...]) -> None:
    """Spread, saturation, effective rank and similarity by depth, over the validation set.

    Args:
        title: of the choice in which the networks differ.
        cards: of the family.
    """
    st.header("How the patterns change", anchor=False)
    path = shipped()
    if not path.is_file():
        st.info("Not measured yet: run `python -m se_viz responses --data DIR`.")
        return
    found = _patterns(title, path.stat().st_mtime, cards)
    if found is None:
        st.info("Not measured for these networks: run `python -m se_viz responses --data DIR`.")
        return
    st.markdown(plain(found.words))
    for start in range(0, len(found.charts), 2):
        for column, one in zip(st.columns(2, gap="medium"), found.charts[start : start + 2], strict=True):
            with column:
                chart.show(one)
    st.caption(
        f"Over {found.images:,} validation images of Imagenette; `python -m se_viz responses` prints the numbers."
    )


@st.cache_resource(max_entries=2 * len(ABLATIONS), show_spinner=False)
def _patterns(title: str, changed: float, _cards: tuple[Card, ...]) -> _Patterns | None:
    """Words and charts for one choice, drawn again when the file is measured anew; None where it lacks its networks."""
    del changed
    ablation = next(one for one in ABLATIONS if one.title == title)
    found = Responses.read(shipped())
    networks = {
        variant(ablation, card.network): card.name
        for card in members(ablation, _cards)
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
    shut, left = numbers("shut"), numbers("open")
    saturated = {label: {gate: 100 * (shut[label][gate] + left[label][gate]) for gate in shut[label]} for label in shut}
    alike: dict[str, Mapping[str, float]] = {
        label: found.cka(_STANDARD, name) for label, name in networks.items() if name != _STANDARD
    }
    twins = [name for name in found.networks if name.startswith(f"{_STANDARD}-seed")]
    context = [f"r = 16, seed {name.removeprefix(f'{_STANDARD}-seed')}" for name in twins]
    alike |= {label: found.cka(_STANDARD, name) for label, name in zip(context, twins, strict=True)}
    charts = (
        by_gate(
            "spread_by_gate",
            "Spread of s over the channels",
            "standard deviation of s",
            gates,
            spreads,
            "How differently a gate weighs the channels of one picture, on average over the pictures: near 0 all "
            "channels are treated alike, 0.5 is the most a sigmoid can do.",
            standard=standard,
        ),
        by_gate(
            "saturation_by_gate",
            "Saturation of s",
            f"s within {CLOSE} of 0 or 1, %",
            gates,
            saturated,
            "The share of weights that shut their channel or leave it as it is. A gate whose weights are nearly all at "
            "the ends decides, and learns no more; one at 1 throughout could be left out.",
            standard=standard,
            top=100,
        ),
        by_gate(
            "rank_by_gate",
            "Effective rank of s",
            "independent directions",
            gates,
            ranks,
            "In how many independent ways the weights of a gate move from picture to picture: 1 when all channels rise "
            "and fall together, at most the number of channels. Left out where s moves by less than 0.001 between "
            "pictures, as there is nothing to have a direction.",
            standard=standard,
        ),
        by_gate(
            "cka_by_gate",
            "Likeness to the gates of r = 16",
            "linear CKA, 0 to 1",
            gates,
            alike,
            "Whether two networks' gates see the same pictures as alike, whatever the order of their channels: 1 if "
            "they do. Another seed of the same network says how alike two trainings are in any case.",
            context=context,
            top=1,
        ),
    )
    return _Patterns(_words(spreads, ranks, alike, context), charts, found.images)


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
