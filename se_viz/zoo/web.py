"""Asking a server for weights, and saying in one sentence why it does not give them."""

import http
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from requests import exceptions
from urllib3.exceptions import LocationParseError, ReadTimeoutError

from se_viz.zoo.errors import DownloadFailed

# Seconds to connect, and between two pieces of an answer.
TIMEOUT = (10.0, 30.0)

_REDIRECTS = 5
_OWN_FILE = "or load a file that you have with se_viz.load_checkpoint"


class CutOff(Exception):
    """The connection ended before the answer did."""


def session(token: str | None = None) -> requests.Session:
    """A session; ``requests`` sends the token to the first host only, and drops it where a redirect leads elsewhere."""
    made = requests.Session()
    made.max_redirects = _REDIRECTS
    # Compressed, an answer would have another length than its file, and could not be resumed.
    made.headers.update({"User-Agent": "se-viz", "Accept-Encoding": "identity"})
    if token:
        made.headers["Authorization"] = f"Bearer {token}"
    return made


def check_answer(response: requests.Response, asked: str) -> None:
    """Raise DownloadFailed for an answer that is an error, or to a safe question came on an unsafe way."""
    code, host = response.status_code, _host(response.url)
    if asked.startswith("https:") and not response.url.startswith("https:"):
        raise DownloadFailed(f"{_host(asked)} sends us on to {host} without encryption, where we do not follow.")
    if code < 400:
        return
    if code == http.HTTPStatus.NOT_FOUND:
        raise DownloadFailed(
            f"{response.url} does not exist (404): if {host} is a mirror, it has no such file{_mirror()}."
        )
    if code in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        raise DownloadFailed(f"{host} wants to know who asks ({code}): set HF_TOKEN to a token that may read it.")
    if code == http.HTTPStatus.TOO_MANY_REQUESTS:
        wait = response.headers.get("Retry-After", "")
        when = f"in {wait} seconds" if wait.isdigit() else "in some minutes"
        raise DownloadFailed(f"{host} has had too many requests from here (429): try again {when}, or set HF_TOKEN.")
    if code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise DownloadFailed(f"{host} has a fault of its own ({code}): try again later.")
    raise DownloadFailed(f"{host} refuses {response.url} ({code} {response.reason}).")


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what ``requests`` raises inside the block into DownloadFailed, or CutOff where going on may help."""
    host = _host(url)
    try:
        yield
    except (exceptions.InvalidURL, exceptions.MissingSchema, exceptions.InvalidSchema, LocationParseError) as error:
        raise DownloadFailed(f"{url} is no web address{_mirror()}.") from error
    except exceptions.TooManyRedirects as error:
        raise DownloadFailed(f"{host} sends from address to address without end{_mirror()}.") from error
    except exceptions.SSLError as error:
        raise DownloadFailed(
            f"The certificate of {host} is not trusted: behind a proxy that reads traffic, set REQUESTS_CA_BUNDLE to "
            f"the proxy's."
        ) from error
    except exceptions.ProxyError as error:
        raise DownloadFailed(f"The proxy does not let us reach {host}: check HTTPS_PROXY.") from error
    except exceptions.Timeout as error:
        raise _stalled(host) from error
    except (exceptions.ChunkedEncodingError, exceptions.ContentDecodingError) as error:
        raise CutOff from error
    except exceptions.ConnectionError as error:
        # While a body is read, requests wraps a timeout of urllib3 in its own ConnectionError.
        if error.args and isinstance(error.args[0], ReadTimeoutError):
            raise _stalled(host) from error
        raise DownloadFailed(
            f"{host} cannot be reached: check the connection, set HF_ENDPOINT to a mirror of the hub, {_OWN_FILE}."
        ) from error
    except exceptions.RequestException as error:
        raise DownloadFailed(f"{host} gave no answer that can be used: {error}.") from error


def _stalled(host: str) -> DownloadFailed:
    return DownloadFailed(
        f"{host} has sent nothing for {max(TIMEOUT):g} seconds: load again to go on from what has arrived, {_OWN_FILE}."
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def _mirror() -> str:
    endpoint = os.environ.get("HF_ENDPOINT")
    return f"; HF_ENDPOINT is {endpoint}" if endpoint else ""
