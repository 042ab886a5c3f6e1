"""Command line of SE Viz: what the pages show, written to files, and the commands that made the demo models."""

import typer

from se_viz.cli import demo, gates
from se_viz.cli.ablate import ablate
from se_viz.cli.attribute import attribute
from se_viz.cli.cache import cache
from se_viz.cli.classes import classes
from se_viz.cli.cost import cost
from se_viz.cli.family import family
from se_viz.cli.freeze import freeze
from se_viz.cli.inspect import inspect
from se_viz.cli.intervene import intervene
from se_viz.cli.option_groups import with_groups
from se_viz.cli.profile import profile
from se_viz.cli.serve import app as serve
from se_viz.cli.walk import walk

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

for command in (
    inspect,
    walk,
    intervene,
    attribute,
    profile,
    ablate,
    cost,
    freeze,
    serve,
    gates.models,
    gates.gates,
    gates.discover,
    classes,
    cache,
    demo.train,
    family,
    demo.responses,
    demo.verify,
):
    app.command()(with_groups(command))
