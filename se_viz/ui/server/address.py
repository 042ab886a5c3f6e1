"""The addresses of the page, printed for the person who started the server."""

import sys

from streamlit import config, net_util
from streamlit.web.server.server_util import get_url

_ALL = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


def announce() -> None:
    """Print the addresses of a server that Streamlit started; another one prints its own."""
    if not str(getattr(config, "_server_mode", "")).startswith("starlette-app"):
        return
    sys.stdout.write("\n".join(("", *sentences(), "", "")))
    sys.stdout.flush()


def sentences() -> list[str]:
    """Return a sentence for each address."""
    host = config.get_option("server.address") or "0.0.0.0"  # noqa: S104 - Streamlit's own default
    if config.is_manually_set("browser.serverAddress"):
        return [f"  SE Viz is at {get_url(config.get_option('browser.serverAddress'))}"]
    if host not in _ALL:
        only = ", for this machine only" if host in ("127.0.0.1", "localhost", "::1") else ""
        return [f"  SE Viz is at {get_url(f'[{host}]' if ':' in host else host)}{only}"]
    # Asked of the system; Streamlit's welcome message asks a server on the internet for the public address.
    network = net_util.get_internal_ip()
    lines = [f"  SE Viz is at {get_url('localhost')}"]
    if network:
        lines.append(f"  and for others at {get_url(network)}: anybody who can reach this machine can use it")
    return lines
