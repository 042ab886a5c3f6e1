"""The command that starts the app."""

import os
from typing import Annotated

import typer

from se_viz.cli.common import fail
from se_viz.extras import missing


def app(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 opens the app to the network, without a password.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8501,
) -> None:
    """Start the app in this process; Ctrl+C stops it."""
    try:
        from se_viz.ui.server.start import start
    except ImportError as error:
        raise fail(ValueError(missing("The page", error, "app"))) from error
    try:
        start(host, port)
    except ValueError as error:
        raise fail(error) from error
    except OSError as error:
        # Python adds the address to the words of the system, which this sentence has already.
        why = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror or error
        said = f"The app cannot listen on {host}, port {port} ({why}): name another --host or --port."
        raise fail(OSError(said)) from error
