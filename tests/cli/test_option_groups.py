from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from se_viz.cli.engine_options import EngineOptions
from se_viz.cli.option_groups import with_groups
from se_viz.profiles.engine import RayEngine


@dataclass(frozen=True)
class Inputs:
    files: Annotated[list[Path] | None, typer.Argument()] = None
    scale: Annotated[tuple[float, float] | None, typer.Option()] = None


@dataclass(frozen=True)
class Marked(Inputs):
    mark: Annotated[bool, typer.Option("--mark")] = False


def test_fields_of_groups_are_options_in_their_place_and_come_as_one_object():
    came = []

    def command(
        *, first: int = 1, inputs: Marked, cluster: EngineOptions, last: Annotated[str, typer.Option()]
    ) -> None:
        """Explain itself."""
        came.append((first, inputs, cluster, last))

    app = typer.Typer()
    app.command()(with_groups(command))
    listed = CliRunner().invoke(app, ["--help"]).output
    names = ("Explain itself.", "--first", "--scale", "--mark", "--engine", "--workers", "--cpus", "--last")
    assert sorted(map(listed.index, names)) == [listed.index(name) for name in names]
    for given, inputs, cluster in (
        ([], Marked(None, None, False), EngineOptions()),
        (
            ["a", "b", "--scale", "1", "2", "--mark", "--engine", "ray", "--workers", "3"],
            Marked([Path("a"), Path("b")], (1.0, 2.0), True),
            EngineOptions("ray", workers=3),
        ),
    ):
        result = CliRunner().invoke(app, [*given, "--last", "x"])
        assert result.exit_code == 0, result.output
        assert came.pop() == (1, inputs, cluster, "x")
    assert CliRunner().invoke(app, ["a"]).exit_code == 2  # --last has no default


def test_options_of_a_cluster_need_a_cluster():
    assert EngineOptions().chosen() == "local"
    assert EngineOptions("ray", "auto", gpus=0.5).chosen() == RayEngine("auto", None, 0.5)
    with pytest.raises(ValueError, match="only for --engine ray"):
        EngineOptions(workers=2).chosen()
