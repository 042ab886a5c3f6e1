"""A hook of MkDocs that inserts the help of every command into the page with the mark."""

import typer
from typer.cli import get_docs_for_click

MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return the page with the mark replaced, if it has one."""
    return markdown.replace(MARK, commands()) if MARK in markdown else markdown


def commands() -> str:
    """Return the help of every command in Markdown: description, usage and options."""
    from se_viz.cli.app import app  # noqa: PLC0415 - not for the pages that do not need it

    group = typer.main.get_group(app)
    context = typer.Context(group)
    return "\n".join(
        get_docs_for_click(obj=group.commands[name], ctx=context, indent=1, name=name, call_prefix="se-viz")
        for name in sorted(group.commands)
    )
