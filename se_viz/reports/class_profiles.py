"""Where do classes part? Class profiles, answered gate by gate, class by class."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import pandas as pd

from se_viz.analysis.band import Band, band
from se_viz.analysis.class_overview import Kin, kin
from se_viz.analysis.significance import significance_table
from se_viz.figures.chart import Chart
from se_viz.figures.class_profiles import class_band, mean_excitation, sampled
from se_viz.figures.class_similarity import class_heatmap, class_tree, gate_heatmap
from se_viz.figures.separation_by_gate import parting, saturation_by_gate
from se_viz.profiles.class_profiles import ClassProfiles, GateProfile
from se_viz.reports.class_groups import Group, group_chart, resemblances
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.reports.class_pair import distributions_chart, effect_chart, separation_table
from se_viz.reports.class_selection import (
    check_classes,
    check_pair,
    first_classes,
    first_pair,
    rows_shown,
    stages,
    with_images,
)
from se_viz.reports.observations import against_chance, gates_alike, observations, where_classes_part
from se_viz.reports.report import Later, Report

QUESTION = "Where do classes part?"

Charts = dict[str, Callable[[], Chart]]


def class_report(
    profiles: ClassProfiles,
    classes: Sequence[str] | None = None,
    gates: Sequence[str] | None = None,
    pair: tuple[str, str] | tuple[()] | None = None,
    *,
    channel: int | None = None,
    spread: Band = "mean ± deviation",
    everything: bool = False,
    groups: Mapping[str, Group] | None = None,
    numbers: ClassNumbers | None = None,
) -> Report:
    """Compose the report on class profiles.

    Sentences: where classes part, with the verdicts on the paper's observations; each observation; η² by chance; which
    gates are alike. Charts: ``eta_by_gate``, ``class_saturation``, ``gate_heatmap``; of each gate ``classes_GATE``,
    ``band_GATE_0`` and so on, ``class_heatmap_GATE``, ``tree_GATE``, ``effect_GATE``, ``two_GATE_CHANNEL``,
    ``groups_GATE``. Tables: ``eta2``, ``separation_GATE``, ``groups``.

    Args:
        profiles: of the classes.
        classes: those to draw, six at most; the first four with images if not given.
        gates: those to draw; the last of each stage if not given.
        pair: two classes to compare; those that the last gate sets farthest apart if not given, none if empty.
        channel: whose distribution to draw for the pair; the one that differs most if not given.
        spread: what to draw around each class.
        everything: whether to draw all channels, and not fifty as in the paper.
        groups: images to compare with the classes, by the name of their group.
        numbers: of these profiles, where they are computed already.

    Raises:
        ValueError: the classes are too many, or there are too few images of one.
        KeyError: the profiles have no such class or gate.
    """
    numbers = numbers or ClassNumbers(profiles)
    chosen = first_classes(profiles) if classes is None else classes
    check_classes(profiles, chosen)
    if pair:
        check_pair(profiles, *pair)
    elif pair is None and len(with_images(profiles, 2)) > 1:
        pair = first_pair(profiles, numbers.overview(list(profiles)[-1].name))
    drawn = [profiles[name] for name in gates or [listed[-1] for _, listed in stages(profiles)]]
    charts = _of_all(numbers)
    tables: dict[str, Callable[[], pd.DataFrame]] = {"eta2": partial(significance_table, profiles)}
    for gate in drawn:
        channels = range(gate.entry.channels) if everything else sampled(gate.entry.channels)
        if chosen:
            charts |= _of_classes(numbers, gate, chosen, spread, channels)
        if pair:
            charts |= _of_pair(numbers, gate, pair, channel)
            tables[f"separation_{gate.name}"] = partial(separation_table, numbers, gate.name, pair)
        if groups:
            charts[f"groups_{gate.name}"] = partial(group_chart, numbers, gate, groups, channels)
    if groups:
        tables["groups"] = partial(resemblances, numbers, groups)
    notes = [*numbers.limits(), *filter(None, [rows_shown(profiles)])]
    return Report(QUESTION, partial(_sentences, numbers), Later(charts), Later(tables), tuple(notes))


def _sentences(numbers: ClassNumbers) -> tuple[str, ...]:
    depths = numbers.depths()
    found = observations(depths)
    verdicts = ", ".join(f"“{one.claim.rstrip('.')}” {one.verdict}" for one in found)
    said = [f"{where_classes_part(depths)} Of the paper's three observations, {verdicts}."]
    said += [f"{one.claim} Here it **{one.verdict}**. {one.said}" for one in found]
    said.append(against_chance(depths))
    if len(depths) > 1:
        said.append(gates_alike([depth.gate for depth in depths], numbers.similarity()))
    return tuple(said)


def _of_all(numbers: ClassNumbers) -> Charts:
    """What compares the gates."""
    charts: Charts = {
        "eta_by_gate": lambda: parting(numbers.depths()),
        "class_saturation": lambda: saturation_by_gate(numbers.depths()),
    }
    if len(numbers.profiles) > 1:
        names = [gate.name for gate in numbers.profiles]
        charts["gate_heatmap"] = lambda: gate_heatmap(names, numbers.similarity().cka, numbers.similarity().chance)
    return charts


def _of_classes(
    numbers: ClassNumbers, gate: GateProfile, chosen: Sequence[str], spread: Band, channels: Sequence[int]
) -> Charts:
    """The chosen classes in one gate: the paper's Figures 6 and 7, and which classes the gate treats alike."""
    charts: Charts = {f"classes_{gate.name}": partial(_means, numbers, gate, chosen, channels)}
    for place, name in enumerate(chosen):
        charts[f"band_{gate.name}_{place}"] = partial(_band, gate, name, spread, channels, place)
    names = numbers.profiles.classes
    if len(with_images(numbers.profiles)) > 1:
        related = cache(partial(_kin, numbers, gate, chosen))  # for the two charts of it

        def heatmap() -> Chart:
            found = related()
            return class_heatmap(gate.name, [names[row] for row in found.ordered], found.means, gate.span)

        def tree() -> Chart:
            found = related()
            return class_tree(gate.name, [names[row] for row in found.rows], found.links)

        charts |= {f"class_heatmap_{gate.name}": heatmap, f"tree_{gate.name}": tree}
    return charts


def _means(numbers: ClassNumbers, gate: GateProfile, chosen: Sequence[str], channels: Sequence[int]) -> Chart:
    means = {name: gate.s(name).mean for name in chosen}
    return mean_excitation(gate.name, means, numbers.overview(gate.name).patterns.common, gate.span, channels)


def _band(gate: GateProfile, name: str, spread: Band, channels: Sequence[int], place: int) -> Chart:
    centre, ends = band(gate, name, spread)
    return class_band(gate.name, name, centre, ends, spread, gate.span, channels, place)


def _kin(numbers: ClassNumbers, gate: GateProfile, chosen: Sequence[str]) -> Kin:
    rows = [numbers.profiles.class_index(name) for name in chosen]
    found = kin(gate, numbers.overview(gate.name), rows)
    if found is None:
        raise ValueError("It takes two classes with images to say which are alike.")
    return found


def _of_pair(numbers: ClassNumbers, gate: GateProfile, pair: tuple[str, str], channel: int | None) -> Charts:
    """Two classes in one gate, and the distribution of s in one channel."""
    one = numbers.separation(gate.name, pair).channels[0] if channel is None else channel
    return {
        f"effect_{gate.name}": partial(effect_chart, numbers, gate.name, pair),
        f"two_{gate.name}_{one}": partial(distributions_chart, gate, pair, one),
    }
