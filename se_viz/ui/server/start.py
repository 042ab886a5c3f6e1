"""Start of the page from a command, in a checkout and from an installed wheel."""

import os
import socket
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamlit import config
from streamlit.starlette import App

from se_viz.ui.server.options import PAGE, exception_handlers, lifespan, middleware


def start(host: str, port: int) -> None:
    """Serve the page until a signal comes.

    Raises:
        BadSetting: an environment variable has an invalid value.
        OSError: the server cannot listen there, for instance because another program does.
    """
    if port:  # Streamlit would end the process with a line of its log
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server((host, port), family=family).close()
    # Streamlit takes this for the script that starts the server, and puts its folder in front of sys.path.
    sys.argv = [str(PAGE)]
    app = App(PAGE, middleware=middleware(), exception_handlers=exception_handlers(), lifespan=lifespan)
    app.run(config={**settings(), "server.address": host, "server.port": port, "server.headless": True})


def settings() -> dict[str, Any]:
    """Return the project's settings of Streamlit, except those that an environment variable sets.

    The file is inside the package in an installed wheel, and beside the package in a checkout.
    """
    package = Path(__file__).parents[2]
    inside = package / "ui" / "settings" / "config.toml"
    path = inside if inside.is_file() else package.parent / ".streamlit" / "config.toml"
    flat = _flat(tomllib.loads(path.read_text(encoding="utf-8")))
    return {name: value for name, value in flat if config._config_options_template[name].env_var not in os.environ}


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
