"""The command that lists and removes downloaded weights."""

from typing import Annotated

import typer

from se_viz.cli.common import fail


def cache(
    free: Annotated[
        str, typer.Option(help="Remove the files whose name contains this text; 'all' removes all files.")
    ] = "",
) -> None:
    """List the downloaded weights, most recently used first, or remove them."""
    from datetime import datetime

    from se_viz.cli.table import show_table
    from se_viz.weights import cache as kept

    try:
        entries = kept.entries()
        if not free:
            rows = [
                (
                    f"{entry.size / 1e6:,.1f} MB",
                    f"{datetime.fromtimestamp(entry.used).astimezone():%Y-%m-%d %H:%M}",
                    entry.name,
                )
                for entry in entries
            ]
            if rows:
                show_table(("size", "last used", "file"), rows, left_aligned=("last used", "file"))
            used = sum(entry.size for entry in entries)
            typer.echo(f"{used / 1e6:,.1f} MB of {kept.limit() / 1e9:g} GB are used in {kept.folder()}")
            return
        chosen = [entry for entry in entries if free in ("all", entry.name) or free in entry.name]
        if not chosen:
            raise ValueError(
                f"No file in {kept.folder()} has {free!r} in its name; `cache` without --free lists the files."
            )
        for entry in chosen:
            said = "was removed" if kept.remove(entry) else "is being downloaded, and was kept"
            typer.echo(f"{entry.name} ({entry.size / 1e6:,.1f} MB) {said}")
    except (ValueError, OSError) as error:
        raise fail(error) from error
