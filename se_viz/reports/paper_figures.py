"""The paper's Figures 6 and 7 for the network of class profiles, each as one figure of six gates."""

from collections.abc import Callable, Sequence
from functools import partial

from se_viz.figures.chart import Chart
from se_viz.figures.paper_panels import figure_6, figure_7
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.reports.class_selection import stages

_PANELS = 6
_LAST = 3  # gates of the last stage, as in the paper
_CLASSES_OF_FIGURE_7 = 2  # goldfish and plane in the paper


def paper_gates(staged: Sequence[tuple[int, Sequence[str]]]) -> list[str]:
    """Return the six gates that correspond to those of the paper's Figures 6 and 7, in execution order.

    The paper draws SE_2_3, SE_3_4, SE_4_6, the last of each stage before the last, and the three of the last stage.
    Where a network has fewer of these, the deepest of its other gates are added.

    Args:
        staged: the stages in order, each with the names of its gates.
    """
    if not staged:
        return []
    *early, (_, last) = staged
    chosen = [gates[-1] for _, gates in early][-(_PANELS - _LAST) :] + list(last[-_LAST:])
    every = [gate for _, gates in staged for gate in gates]
    others = [gate for gate in every if gate not in chosen]
    missing = max(0, _PANELS - len(chosen))
    shown = {*chosen, *others[len(others) - missing if missing < len(others) else 0 :]} if missing else {*chosen}
    return [gate for gate in every if gate in shown]


def paper_charts(numbers: ClassNumbers, classes: Sequence[str]) -> dict[str, Callable[[], Chart]]:
    """Return the charts ``paper_figure_6`` of the classes and ``paper_figure_7`` of the first two of them.

    Args:
        numbers: the numbers of the class profiles.
        classes: one to six classes with images.
    """
    return {
        "paper_figure_6": partial(_figure_6, numbers, classes),
        "paper_figure_7": partial(_figure_7, numbers, classes[:_CLASSES_OF_FIGURE_7]),
    }


def _figure_6(numbers: ClassNumbers, classes: Sequence[str]) -> Chart:
    gates = paper_gates(stages(numbers.profiles))
    means = {gate: {name: numbers.profiles[gate].s(name).mean for name in classes} for gate in gates}
    overall = {gate: numbers.overview(gate).patterns.common for gate in gates}
    return figure_6(means, overall, _span(numbers, gates))


def _figure_7(numbers: ClassNumbers, classes: Sequence[str]) -> Chart:
    gates = paper_gates(stages(numbers.profiles))
    moments = {gate: {name: numbers.profiles[gate].s(name) for name in classes} for gate in gates}
    bands = {gate: {name: (one.mean, one.std) for name, one in by.items()} for gate, by in moments.items()}
    return figure_7(bands, _span(numbers, gates))


def _span(numbers: ClassNumbers, gates: Sequence[str]) -> tuple[float, float]:
    spans = [numbers.profiles[gate].span for gate in gates]
    return min(low for low, _ in spans), max(high for _, high in spans)
