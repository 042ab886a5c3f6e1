"""The command on the folder of downloaded weights."""

from typing import Annotated

import typer

from se_viz.cli.common import fail


def cache(
    free: Annotated[
        str, typer.Option(help="Remove the files whose name holds this text; 'all' removes every one.")
    ] = "",
) -> None:
    """List the downloaded weights, the last used first, and remove them if asked."""
    from datetime import datetime

    from se_viz.weights import cache as kept

    try:
        entries = kept.entries()
        if not free:
            for entry in entries:
                used = datetime.fromtimestamp(entry.used).astimezone()
                typer.echo(f"{entry.size / 1e6:9,.1f} MB  {used:%Y-%m-%d %H:%M}  {entry.name}")
            held = sum(entry.size for entry in entries)
            typer.echo(f"{held / 1e6:9,.1f} MB of {kept.limit() / 1e9:g} GB are used in {kept.folder()}")
            return
        chosen = [entry for entry in entries if free in ("all", entry.name) or free in entry.name]
        if not chosen:
            raise ValueError(f"No file of {kept.folder()} has {free!r} in its name; without --free they are listed.")
        for entry in chosen:
            said = "removed" if kept.remove(entry) else "is being fetched, and stays"
            typer.echo(f"{entry.size / 1e6:9,.1f} MB  {entry.name} {said}")
    except (ValueError, OSError) as error:
        raise fail(error) from error
