"""The command on an atlas: what the Classes page shows, as files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli.common import Device, Verbose, fail, unwarned, warn
from se_viz.cli.options import Trusted, load_network

if TYPE_CHECKING:
    import pandas as pd

    from se_viz.analysis.by_depth import Depth
    from se_viz.analysis.class_overview import Overview
    from se_viz.analysis.class_similarity import GateSimilarity
    from se_viz.figures.chart import Chart
    from se_viz.gates.capture import Capture
    from se_viz.profiles.class_profiles import Atlas, GateAtlas


def classes(
    atlas: Annotated[
        Path | None, typer.Argument(help="An atlas that `profile` made; if not given, the one of a demo model.")
    ] = None,
    model: Annotated[str, typer.Option(help="The demo model whose atlas is taken.")] = "demo/r16",
    only: Annotated[
        list[str] | None, typer.Option("--class", help="A class to draw, up to six; may be repeated.")
    ] = None,
    gate: Annotated[
        list[str] | None, typer.Option(help="A gate to draw; may be repeated. If not given, the last of each stage.")
    ] = None,
    against: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Two classes to compare; if not given, those the last gate holds farthest apart."),
    ] = None,
    band: Annotated[
        Literal["mean ± deviation", "median and quartiles"], typer.Option(help="What to draw of each class alone.")
    ] = "mean ± deviation",
    group: Annotated[
        list[str] | None,
        typer.Option(help="Pictures of your own to hold against the classes, NAME=FOLDER, up to six; may be repeated."),
    ] = None,
    device: Device = "auto",
    trusted: Trusted = False,
    everything: Annotated[bool, typer.Option("--all", help="Draw all channels, not fifty as in the paper.")] = False,
    figures: Annotated[Literal["html", "png", "svg"], typer.Option(help="Format of the figures.")] = "html",
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("classes"),
    verbose: Verbose = False,
) -> None:
    """Say where classes part, and draw it: Figures 6 and 7, two classes face to face, which are alike, gate by gate."""
    from tqdm import tqdm

    from se_viz import open_atlas
    from se_viz.analysis import significance as chance
    from se_viz.analysis.by_depth import by_depth
    from se_viz.analysis.class_overview import MOST_ROWS, Overview
    from se_viz.analysis.class_similarity import gate_similarity
    from se_viz.analysis.profile_limits import limits
    from se_viz.disk.output_folder import output_folder
    from se_viz.figures.export import CannotDraw, figure_bytes
    from se_viz.profiles.bundled import shipped
    from se_viz.reports.class_selection import check_classes, check_pair, first_classes, first_pair, stages, with_images
    from se_viz.reports.tables import table_bytes

    try:
        opened = open_atlas(atlas) if atlas else shipped(model)
        chosen = only or first_classes(opened)
        check_classes(opened, chosen)
        if against:
            check_pair(opened, *against)
        gates = [opened[name] for name in gate or [listed[-1] for _, listed in stages(opened)]]
        depths = by_depth(opened)
        alike = gate_similarity(opened) if len(depths) > 1 else None
        pair = against or first_pair(opened, Overview.of(list(opened)[-1]))
        drawn = [*_of_all(depths, alike)]
        for one in gates:
            overview = Overview.of(one)
            drawn += _of_classes(one, overview, chosen, band, everything=everything)
            drawn += _of_kin(opened, one, overview, chosen)
            drawn += _of_pair(one, pair) if pair else ()
        own = _groups(opened, group, device, verbose=verbose, trusted=trusted) if group else {}
        drawn += [_of_groups(one, own, everything=everything) for one in gates if own]
        with output_folder(out, "eta2.csv") as write:
            write("eta2.csv", table_bytes(chance.table(opened), "csv"))
            if own:
                write("groups.csv", table_bytes(_resemblances(opened, own), "csv"))
            for chart in tqdm(drawn, desc="figures", disable=None):
                write(f"{chart.name}.{figures}", figure_bytes(chart.figure, figures))
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    for sentence in _said(depths, alike):
        typer.echo(sentence.replace("**", ""))
    warn(limits(opened), verbose=verbose)
    if len(with_images(opened)) > MOST_ROWS:
        typer.echo(
            f"Of {len(opened.classes)} classes, a gate's tree and heatmap show the {MOST_ROWS} most like those chosen."
        )
    typer.echo(f"{len(drawn)} figures, and η² of every channel beside chance, are in {out}/")


def _said(depths: Sequence["Depth"], alike: "GateSimilarity | None") -> Iterator[str]:
    from se_viz.reports.observations import against_chance, gates_alike, observations, where_classes_part

    yield where_classes_part(depths)
    for one in observations(depths):
        yield f"{one.claim} Here it {one.verdict}. {one.said}"
    yield against_chance(depths)
    if alike is not None:
        yield gates_alike([depth.gate for depth in depths], alike)


def _of_all(depths: Sequence["Depth"], alike: "GateSimilarity | None") -> Iterator["Chart"]:
    """What compares the gates."""
    from se_viz.figures.class_similarity import gate_heatmap
    from se_viz.figures.separation_by_gate import parting, saturation_by_gate

    yield parting(depths)
    yield saturation_by_gate(depths)
    if alike is not None:
        yield gate_heatmap([depth.gate for depth in depths], alike.cka, alike.chance)


def _of_classes(
    gate: "GateAtlas",
    overview: "Overview",
    chosen: Sequence[str],
    kind: Literal["mean ± deviation", "median and quartiles"],
    *,
    everything: bool,
) -> Iterator["Chart"]:
    """The chosen classes in one gate: Figures 6 and 7."""
    from se_viz.analysis.band import band
    from se_viz.figures.class_profiles import class_band, mean_excitation, sampled

    span = gate.span
    channels = range(gate.entry.channels) if everything else sampled(gate.entry.channels)
    means = {name: gate.s(name).mean for name in chosen}
    yield mean_excitation(gate.name, means, overview.patterns.common, span, channels)
    for place, name in enumerate(chosen):
        centre, ends = band(gate, name, kind)
        yield class_band(gate.name, name, centre, ends, kind, span, channels, place)


def _of_kin(atlas: "Atlas", gate: "GateAtlas", overview: "Overview", chosen: Sequence[str]) -> Iterator["Chart"]:
    """Which classes one gate treats alike; of many, those most like the chosen."""
    from se_viz.analysis.class_overview import kin
    from se_viz.figures.class_similarity import class_heatmap, class_tree

    found = kin(gate, overview, [atlas.class_index(name) for name in chosen])
    if found is None:
        return
    ordered, rows = ([atlas.classes[row] for row in listed] for listed in (found.ordered, found.rows))
    yield class_heatmap(gate.name, ordered, found.means, gate.span)
    yield class_tree(gate.name, rows, found.links)


def _of_pair(gate: "GateAtlas", pair: tuple[str, str]) -> Iterator["Chart"]:
    """Two classes face to face in one gate, and how s is spread in the channel that differs most."""
    from se_viz.analysis.class_separation import difference
    from se_viz.figures.class_comparison import effect_sizes, two_distributions

    apart = difference(gate, *pair)
    channels = apart.channels
    yield effect_sizes(gate.name, pair, channels, *(one[channels] for one in (apart.d, apart.auroc, apart.margin)))
    one, other = (gate.histogram(name, channels[0]) for name in pair)
    drawn = (one.counts, one.edges), (other.counts, other.edges)
    yield two_distributions(gate.name, channels[0], pair, drawn, gate.span)


def _groups(atlas: "Atlas", named: Sequence[str], device: str, *, verbose: bool, trusted: bool) -> dict[str, "Capture"]:
    """The pictures of each NAME=FOLDER, read with the network of the atlas."""
    from se_viz import capture, read_paths
    from se_viz.reports.class_selection import MOST_CLASSES
    from se_viz.zoo import registry as catalogue

    folders = dict(pair.partition("=")[::2] for pair in named)
    wrong = [name for name, folder in folders.items() if not name or not folder]
    if wrong or not 0 < len(folders) <= MOST_CLASSES or len(folders) < len(named):
        raise typer.BadParameter("--group is NAME=FOLDER, six times at most, each with a name of its own.")
    model = atlas.header.model.name
    if model not in catalogue.names():
        raise ValueError(
            f"{atlas.path} is of {model}, which no model has as its name: compare your pictures on the page."
        )
    loaded = load_network(model, device, "fp32", None)
    atlas.check(loaded)
    found = {}
    for name, folder in folders.items():
        intake = read_paths(folder, trusted=trusted)
        warn(intake.refusals, verbose=verbose)
        if not intake.pictures:
            raise ValueError(f"There is no picture in {folder}.")
        with unwarned():
            found[name] = capture(loaded, intake.pictures)
        if broken := found[name].not_finite:
            warn([f"{name}: {broken}"], verbose=verbose)
    loaded.close()
    return found


def _of_groups(gate: "GateAtlas", groups: Mapping[str, "Capture"], *, everything: bool) -> "Chart":
    """Mean excitation of the groups in one gate, beside that of all classes."""
    from se_viz.analysis.class_overview import Overview
    from se_viz.analysis.resemblance import group_mean
    from se_viz.figures.class_profiles import mean_excitation, sampled

    channels = range(gate.entry.channels) if everything else sampled(gate.entry.channels)
    of_group = {f"{name} ({one.images})": group_mean(one[gate.name].s) for name, one in groups.items()}
    means = {name: mean for name, mean in of_group.items() if mean is not None}
    overall = Overview.of(gate).patterns.common
    return mean_excitation(gate.name, means, overall, gate.span, channels, of="group")


def _resemblances(atlas: "Atlas", groups: Mapping[str, "Capture"]) -> "pd.DataFrame":
    """Which class each group resembles most at each gate, and how much."""
    import pandas as pd

    from se_viz.analysis.class_overview import Overview
    from se_viz.analysis.resemblance import group_mean

    rows = []
    for gate in atlas:
        overview = Overview.of(gate)
        for name, one in groups.items():
            mean = group_mean(one[gate.name].s)
            best = None if mean is None else overview.nearest(mean)
            row = {"gate": gate.name, "group": name, "pictures": one.images}
            rows.append(row | ({"class": atlas.classes[best[0]], "resemblance": best[1]} if best else {}))
    return pd.DataFrame(rows, columns=["gate", "group", "pictures", "class", "resemblance"])
