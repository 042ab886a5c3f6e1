"""Requests to a server of weights; every error is a sentence that says what to do."""

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

# Seconds to connect, and between two pieces of a response.
TIMEOUT = (10.0, 30.0)

_REDIRECTS = 5
# A compressed response would differ in length from its file and could not be resumed.
_HEADERS = {"User-Agent": "se-viz", "Accept-Encoding": "identity"}
OWN_FILE = "or load a file that you have with se_viz.load_checkpoint"


class Interrupted(Exception):
    """The connection ended before the response did."""


def hub() -> str:
    """Return the address of the Hugging Face hub, or of the mirror that ``HF_ENDPOINT`` names."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def origin(url: str) -> tuple[str, str]:
    """Return scheme and host of an address; a token is for one origin only."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def number(text: str | None) -> int | None:
    """Return the number of bytes that a header states; None if it is missing or not a plausible number."""
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
    """Yield the response to a request with its body unread; errors in the block are those of ``friendly_errors``.

    Redirects are followed here and not by ``requests``, which would read their bodies, of any length, and has other
    rules on when to drop a token.

    Args:
        method: "GET" or "HEAD".
        url: the address to request.
        token: sent to the origin of ``url``, and to no other.
        headers: additional headers.
        final: a response and the address that it redirects to → whether to stop at this response.

    Raises:
        DownloadFailed: there is no response, or it redirects to an address that is not followed.
        Interrupted: the connection ended while the body was read.
    """
    address = url
    with _Session() as session, friendly_errors(url):
        for _ in range(_REDIRECTS + 1):
            response = session.request(
                method,
                address,
                headers={**_HEADERS, **(headers or {})},
                auth=_Bearer(token) if token and origin(address) == origin(url) else None,
                allow_redirects=False,
                stream=True,
                timeout=TIMEOUT,
            )
            with response:
                target = urljoin(address, response.headers.get("Location", ""))
                if not response.is_redirect or (final and final(response, target)):
                    yield response
                    return
            if address.startswith("https:") and target.startswith("http:"):
                raise DownloadFailed(
                    f"{_host(address)} redirects to {_host(target)} without encryption, which is not followed."
                )
            if not target.startswith(("https:", "http:")):
                raise DownloadFailed(f"{_host(address)} redirects to {target[:80]!r}, which is not a web address.")
            address = target
    raise DownloadFailed(f"{_host(url)} redirects more than {_REDIRECTS} times{_mirror(url)}.")


class _Session(requests.Session):
    """A session that ignores redirects: the usual one reads their bodies even when told not to follow them."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the base class's
        return None


class _Bearer(requests.auth.AuthBase):
    """A token in the header Authorization, which ``requests`` would otherwise replace by a password in ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def check_answer(response: requests.Response, request_url: str) -> None:
    """Raise DownloadFailed for an error response, from the server that was asked or one that it redirects to."""
    code, url = response.status_code, response.url
    host = _host(url)
    if code < 400:
        return
    if code == http.HTTPStatus.NOT_FOUND:
        raise DownloadFailed(f"{url} does not exist (404){_mirror(request_url)}.")
    if code in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        way = "set HF_TOKEN to a token that may read it" if _of_hub(request_url) else OWN_FILE.removeprefix("or ")
        raise DownloadFailed(f"{host} requires permission for {url} ({code}): {way}.")
    if code == http.HTTPStatus.TOO_MANY_REQUESTS:
        wait = number(response.headers.get("Retry-After"))
        when = f"in {wait} seconds" if wait else "in a few minutes"
        token = ", or set HF_TOKEN" if _of_hub(request_url) else ""
        raise DownloadFailed(f"{host} received too many requests from this address (429): try again {when}{token}.")
    if code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise DownloadFailed(f"{host} returned a server error ({code}). Try again later.")
    raise DownloadFailed(f"{host} refuses {url} ({code} {response.reason}): try again later, {OWN_FILE}.")


@contextmanager
def friendly_errors(url: str) -> Iterator[None]:
    """Raise DownloadFailed for errors of ``requests`` and urllib3 in the block, or Interrupted where resuming may help.

    While a body is read, ``requests`` does not replace the errors of urllib3.
    """
    host = _host(url)
    try:
        yield
    except (exceptions.InvalidURL, exceptions.MissingSchema, exceptions.InvalidSchema,
            urllib3.exceptions.LocationParseError) as error:  # fmt: skip
        raise DownloadFailed(f"{url} is not a web address{_mirror(url)}.") from error
    except (exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        raise DownloadFailed(
            f"The certificate of {host} is not trusted. Behind a proxy that decrypts traffic, set "
            f"REQUESTS_CA_BUNDLE to the certificate of the proxy."
        ) from error
    except exceptions.ProxyError as error:
        raise DownloadFailed(f"The proxy does not allow connections to {host}: check HTTPS_PROXY.") from error
    except (exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise DownloadFailed(
            f"{host} has sent nothing for {max(TIMEOUT):g} seconds: load again to continue from what has arrived, "
            f"{OWN_FILE}."
        ) from error
    except urllib3.exceptions.HTTPError as error:
        raise Interrupted from error
    except exceptions.ConnectionError as error:
        mirror = " set HF_ENDPOINT to a mirror of the hub," if _of_hub(url) else ""
        raise DownloadFailed(f"{host} cannot be reached: check the connection,{mirror} {OWN_FILE}.") from error
    except exceptions.RequestException as error:
        raise DownloadFailed(f"{host} gave no usable response: {error}.") from error


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def _of_hub(url: str) -> bool:
    return url.startswith(f"{hub()}/")


def _mirror(url: str) -> str:
    """Return a remark on the address of the hub if it is not the usual one, which may be the cause of an error."""
    return f"; HF_ENDPOINT is {hub()}" if _of_hub(url) and hub() != HUB else ""
