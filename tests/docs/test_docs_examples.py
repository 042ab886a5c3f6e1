"""Every line of Python and of the shell that the documentation shows.

Blocks marked ``python`` and ``bash`` are run, page by page. Blocks marked ``sh`` need data, a cluster or a download
that a test does not have: their commands are parsed, so that no option in them is unknown.
"""

import re
import shlex

import pytest
import typer
from docs_support import PAGES, ROOT, blocks, name, pages_with, prose, shell_lines
from typer.testing import CliRunner

from se_viz.cli.app import app

pytestmark = pytest.mark.slow

COMMANDS = typer.main.get_group(app).commands
_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", pages_with("python"), ids=name)
def test_python_blocks_of_a_page_run(page, at_examples, without_downloads):
    namespace = {}
    for block in blocks(page, "python"):
        # Errors name the line of the page.
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        exec(code, namespace)  # noqa: S102 - the documentation's own


@pytest.mark.parametrize("page", pages_with("bash"), ids=name)
def test_shell_blocks_of_a_page_run(page, at_examples):
    for line in shell_lines(page, "bash"):
        program, *arguments = shlex.split(line)
        if program == "make":
            assert arguments[0] in _TARGETS, line
            continue
        assert program == "se-viz", line
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"


@pytest.mark.parametrize("page", pages_with("sh"), ids=name)
def test_shell_blocks_that_are_not_run_are_understood(page, at_examples):
    for line in shell_lines(page, "sh"):
        program, *arguments = shlex.split(line)
        if program == "make":
            assert arguments[0] in _TARGETS, line
        elif program == "pip":
            assert arguments[:2] == ["install", "-r"], line
            assert (ROOT / arguments[2]).is_file(), line
        elif program == "pytest":
            assert (ROOT / arguments[-1]).exists(), line
        elif program != "ray":
            assert program == "se-viz", line
            COMMANDS[arguments[0]].make_context(arguments[0], arguments[1:])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_text_exist(page):
    for command, rest in re.findall(r"`se-viz ([a-z]+)([^`]*)`", prose(page)):
        known = {option for one in COMMANDS[command].params for option in one.opts}
        assert set(re.findall(r"--[a-z0-9]+", rest)) <= known, f"se-viz {command}{rest}"
