"""The report on class profiles: where the gates become class-specific, by gate and by class."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import pandas as pd

from se_viz.analysis.band import Band, band
from se_viz.analysis.by_depth import Depth
from se_viz.analysis.class_overview import Kin, kin
from se_viz.analysis.significance import significance_table
from se_viz.figures.chart import Chart
from se_viz.figures.class_profiles import class_band, mean_excitation, sampled
from se_viz.figures.class_similarity import class_heatmap, class_tree, gate_heatmap
from se_viz.figures.separation_by_gate import saturation_by_gate, specificity_by_gate
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
from se_viz.reports.observations import eta2_by_chance, most_specific_gate, observations, similar_gates
from se_viz.reports.paper_figures import paper_charts
from se_viz.reports.report import Later, Report

QUESTION = "Where do the gates become class-specific?"

Charts = dict[str, Callable[[], Chart]]


def class_report(
    profiles: ClassProfiles,
    classes: Sequence[str] | None = None,
    gates: Sequence[str] | None = None,
    pair: tuple[str, str] | tuple[()] | None = None,
    *,
    channel: int | None = None,
    spread: Band = "mean ± SD",
    everything: bool = False,
    groups: Mapping[str, Group] | None = None,
    paper_figures: bool = False,
    numbers: ClassNumbers | None = None,
) -> Report:
    """Compose the report on class profiles.

    Sentences: where the gates become class-specific, with the verdicts on the paper's observations; each observation;
    η² by chance; the similarity of the gates. Charts: ``eta_by_gate``, ``class_saturation``, ``gate_heatmap``; for each
    gate ``classes_GATE``, ``band_GATE_0`` and so on, ``class_heatmap_GATE``, ``tree_GATE``, ``effect_GATE``,
    ``two_GATE_CHANNEL``, ``groups_GATE``. Tables: ``by_depth``, ``eta2``, ``separation_GATE``, ``groups``.

    Args:
        profiles: the class profiles.
        classes: the classes to draw, six at most (default: four that differ most in the last gate, the two farthest
            apart first).
        gates: the gates to draw (default: the last of each stage).
        pair: two classes to compare (default: the two that differ most in the last gate); no comparison if empty.
        channel: the channel whose distribution is drawn for the pair (default: the channel that differs most).
        spread: the line and band to draw for each class.
        everything: whether to draw all channels, instead of 50 as in the paper.
        groups: images to compare with the classes, by the name of their group.
        paper_figures: whether to draw Figures 6 and 7 as one figure each, of six gates: ``paper_figure_6`` and
            ``paper_figure_7``.
        numbers: the numbers of these profiles, if they are computed already.

    Raises:
        ValueError: there are too many classes, or too few images of a class.
        KeyError: the profiles have no such class or gate.
    """
    numbers = numbers or ClassNumbers(profiles)
    chosen = first_classes(numbers) if classes is None else classes
    check_classes(profiles, chosen)
    if pair:
        check_pair(profiles, *pair)
    elif pair is None:
        pair = first_pair(numbers)
    drawn = [profiles[name] for name in gates or [listed[-1] for _, listed in stages(profiles)]]
    charts = _of_all(numbers)
    tables: dict[str, Callable[[], pd.DataFrame]] = {
        "by_depth": lambda: by_depth_table(numbers.depths()),
        "eta2": partial(significance_table, profiles),
    }
    for gate in drawn:
        channels = range(gate.entry.channels) if everything else sampled(gate.entry.channels)
        if chosen:
            charts |= _of_classes(numbers, gate, chosen, spread, channels)
        if pair:
            charts |= _of_pair(numbers, gate, pair, channel)
            tables[f"separation_{gate.name}"] = partial(separation_table, numbers, gate.name, pair)
        if groups:
            charts[f"groups_{gate.name}"] = partial(group_chart, numbers, gate, groups, channels)
    if paper_figures and chosen:
        charts |= paper_charts(numbers, chosen)
    if groups:
        tables["groups"] = partial(resemblances, numbers, groups)
    notes = [*numbers.limits(), *filter(None, [rows_shown(profiles)])]
    return Report(QUESTION, partial(_sentences, numbers), Later(charts), Later(tables), tuple(notes))


def by_depth_table(depths: Sequence[Depth]) -> pd.DataFrame:
    """Return a row for each gate, in execution order.

    Columns: gate, stage, block, eta2 (of the gate as a whole), chance (its mean over random labellings), limit (95th
    percentile of η² of a channel over random labellings, median over the channels), cosine (mean between the patterns
    of two classes), near 0 and near 1 (shares of s). What cannot be computed is NaN.
    """
    return pd.DataFrame(
        {
            "gate": [depth.gate for depth in depths],
            "stage": [depth.stage for depth in depths],
            "block": [depth.block for depth in depths],
            "eta2": [depth.share for depth in depths],
            "chance": [depth.expected_eta2 for depth in depths],
            "limit": [depth.limit for depth in depths],
            "cosine": [depth.class_cosine for depth in depths],
            "near 0": [depth.saturation.near_0 for depth in depths],
            "near 1": [depth.saturation.near_1 for depth in depths],
        }
    )


def _sentences(numbers: ClassNumbers) -> tuple[str, ...]:
    depths = numbers.depths()
    judged = observations(depths)
    verdicts = ", ".join(f"“{one.claim.rstrip('.')}” {one.verdict}" for one in judged)
    answer = f"{most_specific_gate(depths)} Of the paper's three observations, {verdicts}."
    few = numbers.few_images()
    sentences = [f"{answer} {few}" if few else answer]
    sentences += [f"{one.claim} Here this **{one.verdict}**. {one.said}" for one in judged]
    sentences.append(eta2_by_chance(depths))
    if len(depths) > 1:
        sentences.append(similar_gates([depth.gate for depth in depths], numbers.similarity()))
    return tuple(sentences)


def _of_all(numbers: ClassNumbers) -> Charts:
    """Return the charts that compare the gates."""
    charts: Charts = {
        "eta_by_gate": lambda: specificity_by_gate(numbers.depths()),
        "class_saturation": lambda: saturation_by_gate(numbers.depths()),
    }
    if len(numbers.profiles) > 1:
        names = [gate.name for gate in numbers.profiles]
        charts["gate_heatmap"] = lambda: gate_heatmap(names, numbers.similarity().cka, numbers.similarity().chance)
    return charts


def _of_classes(
    numbers: ClassNumbers, gate: GateProfile, chosen: Sequence[str], spread: Band, channels: Sequence[int]
) -> Charts:
    """Return the charts of the chosen classes in one gate: Figures 6 and 7, and the similarity of classes."""
    charts: Charts = {f"classes_{gate.name}": partial(_means, numbers, gate, chosen, channels)}
    for place, name in enumerate(chosen):
        charts[f"band_{gate.name}_{place}"] = partial(_band, gate, name, spread, channels, place)
    names = numbers.profiles.classes
    if len(with_images(numbers.profiles)) > 1:
        related = cache(partial(_kin, numbers, gate, chosen))  # for the heatmap and the tree

        def heatmap() -> Chart:
            drawn = related()
            return class_heatmap(gate.name, [names[row] for row in drawn.ordered], drawn.means, gate.span)

        def tree() -> Chart:
            drawn = related()
            return class_tree(gate.name, [names[row] for row in drawn.rows], drawn.links)

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
    related = kin(gate, numbers.overview(gate.name), rows)
    if related is None:
        raise ValueError("The similarity of classes needs two classes with images.")
    return related


def _of_pair(numbers: ClassNumbers, gate: GateProfile, pair: tuple[str, str], channel: int | None) -> Charts:
    """Return the charts of two classes in one gate: effect sizes, and the distribution of s in one channel."""
    shown = numbers.separation(gate.name, pair).channels[0] if channel is None else channel
    return {
        f"effect_{gate.name}": partial(effect_chart, numbers, gate.name, pair),
        f"two_{gate.name}_{shown}": partial(distributions_chart, gate, pair, shown),
    }
