"""The command that prints the cost of SE in a network."""

from typing import Annotated

import typer

from se_viz.cli.common import fail, warn
from se_viz.cli.output_options import TableFile, write_table
from se_viz.wording import signed


def cost(
    network: Annotated[
        str,
        typer.Argument(help="Name of a torchvision, timm or demo model: resnet50, timm/resnet50, demo/r16."),
    ],
    r: Annotated[
        int | None,
        typer.Option(help="Reduction ratio of the gates to insert into a network without gates.", show_default="16"),
    ] = None,
    stages: Annotated[str, typer.Option(help="Stages that get gates, as digits (default: all).")] = "",
    size: Annotated[
        int | None, typer.Option(help="Side of the images in pixels (default: that of the model).", min=16, max=1024)
    ] = None,
    time: Annotated[bool, typer.Option("--time", help="Also measure the time of one image on this processor.")] = False,
    table: TableFile = None,
) -> None:
    """Print the cost of SE in a network: parameters and multiply-accumulates with SE, without SE and by stage."""
    from se_viz.analysis import cost as costs
    from se_viz.analysis.latency import latencies_ms
    from se_viz.cli.table import show_table
    from se_viz.gates.errors import NoGateFound
    from se_viz.gates.find import find_gates
    from se_viz.gates.insert_gates import insert_gates
    from se_viz.reports.cost import cost_report
    from se_viz.zoo import libraries, registry

    try:
        if network.startswith("demo/"):
            built = registry.build(network)
            module, size = built.module, size or built.preprocess.crop[0]
        else:
            # The cost does not depend on the weights, so none are downloaded.
            source, architecture, tag = libraries.find(network if "/" in network else f"torchvision/{network}")
            module = source.create(architecture)
            size = size or source.preprocess(architecture, tag).crop[0]
        where = {int(digit) for digit in stages if digit.isdecimal()}
        if len(where) < len(set(stages)):
            raise ValueError(f"--stages must be digits such as 234, not {stages!r}.")
        try:
            gates = find_gates(module, size)
        except NoGateFound:
            module = insert_gates(module, 16 if r is None else r, where=where or None, size=size)
            gates = find_gates(module, size)
        else:
            if r is not None or stages:
                raise ValueError(f"{network} has gates already, so none can be inserted: leave out --r and --stages.")
        total = costs.cost(module, size, gates)
        times, untimed = None, ""
        if time:
            try:
                networks = {
                    tuple(stage.stage for stage in total.stages): module,
                    (): costs.without_gates(module, gates),
                }
                times = latencies_ms(networks, size)
            except costs.CannotRemove as error:
                untimed = str(error)
        report = cost_report(total, network, size, times)
        rows = report.tables["cost"]
        write_table(table, rows, report.source)
    except (ValueError, KeyError, OSError) as error:
        raise fail(error) from error
    show_table(
        ("part", "channels", "parameters", "share", "MACs"),
        [
            (
                row["part"],
                row["channels"],
                f"{row['parameters']:,}",
                f"{signed(row['share'], '+.2%')}" if row["share"] else "",
                f"{row['MACs']:,}",
            )
            for row in rows.to_dict("records")
        ],
        left_aligned=("part", "channels"),
    )
    for sentence in (*report.text, report.how_measured):
        typer.echo(sentence)
    warn(report.notes, verbose=True)
    if untimed:
        raise fail(costs.CannotRemove(untimed))
