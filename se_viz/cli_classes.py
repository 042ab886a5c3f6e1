"""The command on an atlas: what the Classes page shows, as files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli_common import fail

if TYPE_CHECKING:
    from se_viz.atlas.store import Atlas, GateAtlas
    from se_viz.figures.chart import Chart
    from se_viz.study.depth import Depth

_AT_FIRST, _MOST = 4, 6
_TOP = 12


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
        tuple[str, str] | None, typer.Option(help="Two classes to compare; if not given, the two least alike.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Draw all channels, not fifty as in the paper.")] = False,
    figures: Annotated[Literal["html", "png", "svg"], typer.Option(help="Format of the figures.")] = "html",
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("classes"),
) -> None:
    """Say where classes part, and draw it: Figures 6 and 7, two classes face to face, which are alike, gate by gate."""
    from tqdm import tqdm

    from se_viz import open_atlas
    from se_viz.atlas.shipped import shipped
    from se_viz.figures.export import CannotDraw, figure_bytes
    from se_viz.study import chance
    from se_viz.study.depth import by_depth
    from se_viz.study.table import table_bytes

    try:
        opened = open_atlas(atlas) if atlas else shipped(model)
        chosen = only or [name for name, count in zip(opened.classes, opened.counts, strict=True) if count][:_AT_FIRST]
        if len(chosen) > _MOST:
            raise ValueError(f"Six classes are drawn at most, and {len(chosen)} are named.")
        for name in (*chosen, *(against or ())):
            opened.class_index(name)
        gates = [opened[name] for name in gate] if gate else _last_of_stages(opened)
        depths = by_depth(opened)
        drawn = [*_of_all(opened, depths)]
        for one in gates:
            drawn += _of_one(opened, one, chosen, against, everything=everything)
        out.mkdir(parents=True, exist_ok=True)
        (out / "eta2.csv").write_bytes(table_bytes(chance.table(opened), "csv"))
        for chart in tqdm(drawn, desc="figures", disable=None):
            (out / f"{chart.name}.{figures}").write_bytes(figure_bytes(chart.figure, figures))
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    for sentence in _said(opened, depths):
        typer.echo(sentence.replace("**", ""))
    typer.echo(f"{len(drawn)} figures, and η² of every channel beside chance, are in {out}/")


def _last_of_stages(atlas: "Atlas") -> list["GateAtlas"]:
    return list({gate.entry.stage: gate for gate in atlas}.values())


def _said(atlas: "Atlas", depths: Sequence["Depth"]) -> Iterator[str]:
    from se_viz.study.kinship import gate_similarity
    from se_viz.study.observations import against_chance, gates_alike, observations, where_classes_part

    yield where_classes_part(depths)
    for one in observations(depths):
        yield f"{one.claim} Here it {one.verdict}. {one.said}"
    yield against_chance(depths)
    if len(depths) > 1:
        yield gates_alike([depth.gate for depth in depths], gate_similarity(atlas))


def _of_all(atlas: "Atlas", depths: Sequence["Depth"]) -> Iterator["Chart"]:
    """What compares the gates."""
    from se_viz.figures.kinship import gate_heatmap
    from se_viz.figures.parting import parting, saturation_by_gate
    from se_viz.study.kinship import gate_similarity

    yield parting(depths)
    yield saturation_by_gate(depths)
    if len(depths) > 1:
        alike = gate_similarity(atlas)
        yield gate_heatmap([depth.gate for depth in depths], alike.cka, alike.chance)


def _of_one(
    atlas: "Atlas", gate: "GateAtlas", chosen: Sequence[str], against: tuple[str, str] | None, *, everything: bool
) -> Iterator["Chart"]:
    """What compares the classes in one gate."""
    import numpy as np

    from se_viz.figures.kinship import class_heatmap, class_tree
    from se_viz.figures.profiles import class_band, mean_excitation, sampled
    from se_viz.figures.two_classes import effect_sizes
    from se_viz.study.kinship import class_similarity, farthest, tree
    from se_viz.study.separation import auroc, cohens_d

    entry, moments = gate.entry, gate.s()
    span, channels = (entry.low, entry.high), range(entry.channels) if everything else sampled(entry.channels)
    there = np.flatnonzero(moments.count)
    means = {name: gate.s(name).mean for name in chosen}
    yield mean_excitation(gate.name, means, moments.mean[there].mean(axis=0), span, channels)
    for place, name in enumerate(chosen):
        own = gate.s(name)
        ends = own.mean - own.std, own.mean + own.std
        yield class_band(gate.name, name, own.mean, ends, "mean ± deviation", span, channels, place)
    similarity = class_similarity(gate)
    if len(there) > 1:
        grown = tree(similarity[np.ix_(there, there)])
        names = [atlas.classes[row] for row in there]
        rows, order = there[grown.order], np.argsort(-moments.mean[there].mean(axis=0), kind="stable")
        labels = [atlas.classes[row] for row in rows]
        yield class_heatmap(gate.name, labels, moments.mean[np.ix_(rows, order)], span)
        yield class_tree(gate.name, names, grown.links)
    apart = farthest(similarity, moments.count)
    pair = against or (apart and (atlas.classes[apart[0]], atlas.classes[apart[1]]))
    if pair:
        d, area = cohens_d(gate, *pair), auroc(gate, *pair).value
        most = np.argsort(-np.abs(np.nan_to_num(d)), kind="stable")[:_TOP].tolist()
        yield effect_sizes(gate.name, pair, most, d[most], area[most])
