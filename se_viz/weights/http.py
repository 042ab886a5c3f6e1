"""Asking a server for weights, and saying in one sentence why it does not give them."""

import http
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions
from requests import exceptions

from se_viz.weights.errors import DownloadFailed

HUB = "https://huggingface.co"

# Seconds to connect, and between two pieces of an answer.
TIMEOUT = (10.0, 30.0)

_REDIRECTS = 5
# Compressed, an answer would have another length than its file, and could not be resumed.
_HEADERS = {"User-Agent": "se-viz", "Accept-Encoding": "identity"}
_OWN_FILE = "or load a file that you have with se_viz.load_checkpoint"


class Interrupted(Exception):
    """The connection ended before the answer did."""


def hub() -> str:
    """The address of the Hugging Face hub, or of the mirror that ``HF_ENDPOINT`` names."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def origin(url: str) -> tuple[str, str]:
    """Scheme and host of an address; a token for one origin is for no other."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def number(text: str | None) -> int | None:
    """The number of bytes that a header states; None where it states none that could be."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


@contextmanager
def open_response(
    method: str,
    url: str,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    final: Callable[[requests.Response, str], bool] | None = None,
) -> Iterator[requests.Response]:
    """Yield the answer to a request with its body unread; errors inside the block as in ``friendly_errors``.

    Redirects are followed here and not by ``requests``, which would read their bodies, however long, and drops a token
    by rules of its own.

    Args:
        method: "GET" or "HEAD".
        url: what to ask for.
        token: sent to the origin of ``url``, and to no other.
        headers: more of them.
        final: an answer and the address it redirects to → whether that answer is the one that is wanted.

    Raises:
        DownloadFailed: there is none, or it leads where we do not follow.
        Interrupted: while its body was read.
    """
    place = url
    with _Session() as session, friendly_errors(url):
        for _ in range(_REDIRECTS + 1):
            response = session.request(
                method,
                place,
                headers={**_HEADERS, **(headers or {})},
                auth=_Bearer(token) if token and origin(place) == origin(url) else None,
                allow_redirects=False,
                stream=True,
                timeout=TIMEOUT,
            )
            with response:
                onward = urljoin(place, response.headers.get("Location", ""))
                if not response.is_redirect or (final and final(response, onward)):
                    yield response
                    return
            if place.startswith("https:") and onward.startswith("http:"):
                raise DownloadFailed(
                    f"{_host(place)} sends us on to {_host(onward)} without encryption, where we do not follow."
                )
            if not onward.startswith(("https:", "http:")):
                raise DownloadFailed(f"{_host(place)} sends us on to {onward[:80]!r}, which is no web address.")
            place = onward
    raise DownloadFailed(f"{_host(url)} sends from address to address without end{_mirror(url)}.")


class _Session(requests.Session):
    """One that leaves redirects alone: told not to follow them, the usual one still reads their bodies."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the base class's
        return None


class _Bearer(requests.auth.AuthBase):
    """``requests`` would let a password in ~/.netrc take the place of a plain header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def check_answer(response: requests.Response, asked: str) -> None:
    """Raise DownloadFailed for an answer that is an error, whoever gives it to the one that was asked for."""
    code, url = response.status_code, response.url
    host = _host(url)
    if code < 400:
        return
    if code == http.HTTPStatus.NOT_FOUND:
        raise DownloadFailed(f"{url} does not exist (404){_mirror(asked)}.")
    if code in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        way = "set HF_TOKEN to a token that may read it" if _of_hub(asked) else _OWN_FILE.removeprefix("or ")
        raise DownloadFailed(f"{host} does not give {url} to everybody ({code}): {way}.")
    if code == http.HTTPStatus.TOO_MANY_REQUESTS:
        wait = number(response.headers.get("Retry-After"))
        when = f"in {wait} seconds" if wait else "in some minutes"
        token = ", or set HF_TOKEN" if _of_hub(asked) else ""
        raise DownloadFailed(f"{host} has had too many requests from here (429): try again {when}{token}.")
    if code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise DownloadFailed(f"{host} has a fault of its own ({code}): try again later.")
    raise DownloadFailed(f"{host} refuses {url} ({code} {response.reason}): try again later, {_OWN_FILE}.")


@contextmanager
def friendly_errors(url: str) -> Iterator[None]:
    """Raise DownloadFailed for errors of ``requests`` and urllib3 in the block, or Interrupted where resuming may help.

    While a body is read, urllib3's own errors come through.
    """
    host = _host(url)
    try:
        yield
    except (exceptions.InvalidURL, exceptions.MissingSchema, exceptions.InvalidSchema,
            urllib3.exceptions.LocationParseError) as error:  # fmt: skip
        raise DownloadFailed(f"{url} is no web address{_mirror(url)}.") from error
    except (exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        raise DownloadFailed(
            f"The certificate of {host} is not trusted: behind a proxy that reads traffic, set REQUESTS_CA_BUNDLE to "
            f"the proxy's."
        ) from error
    except exceptions.ProxyError as error:
        raise DownloadFailed(f"The proxy does not let us reach {host}: check HTTPS_PROXY.") from error
    except (exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise DownloadFailed(
            f"{host} has sent nothing for {max(TIMEOUT):g} seconds: load again to go on from what has arrived, "
            f"{_OWN_FILE}."
        ) from error
    except urllib3.exceptions.HTTPError as error:
        raise Interrupted from error
    except exceptions.ConnectionError as error:
        mirror = " set HF_ENDPOINT to a mirror of the hub," if _of_hub(url) else ""
        raise DownloadFailed(f"{host} cannot be reached: check the connection,{mirror} {_OWN_FILE}.") from error
    except exceptions.RequestException as error:
        raise DownloadFailed(f"{host} gave no answer that can be used: {error}.") from error


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def _of_hub(url: str) -> bool:
    return url.startswith(f"{hub()}/")


def _mirror(url: str) -> str:
    """Where the hub is asked for, and that is another than the usual one, it may be the fault."""
    return f"; HF_ENDPOINT is {hub()}" if _of_hub(url) and hub() != HUB else ""
