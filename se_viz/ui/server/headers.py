"""Headers of every response of the application: what the page may load, and which pages may show it in a frame.

Uvicorn answers malformed requests itself, without these headers.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]

# For the page with Streamlit 1.67 and plotly 7; no other host is allowed.
_PAGE = {
    "default-src": "'none'",
    # blob: is how Streamlit imports the JavaScript of a component that is made in Python (st.components.v2).
    "script-src": "'self' blob: {inline}",
    "style-src": "'self' 'unsafe-inline'",  # plotly and emotion write style elements as they draw
    "img-src": "'self' data: blob:",  # heatmaps are data:, a chart on its way to a PNG file is blob:
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "media-src": "'self'",
    "worker-src": "'self' blob:",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
# Files that visitors can make, health and other answers of the server: these are not pages.
_FILE = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "sandbox": ""}
_FILES = ("/media/", "/_stcore/")
_OFF = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
)


def security_headers(embedding: Sequence[str] = (), inline: Sequence[str] = ()) -> tuple[Headers, Headers]:
    """Return the headers of the page and its resources, and the headers of files.

    Args:
        embedding: origins of pages that may show this one in a frame.
        inline: hashes ('sha256-…') of the inline scripts of the page.
    """
    framed = " ".join(embedding) or "'none'"
    common = [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Permissions-Policy", ", ".join(f"{feature}=()" for feature in _OFF)),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("X-Permitted-Cross-Domain-Policies", "none"),
    ]
    if not embedding:
        # Neither header takes a list of origins: if there is one, frame-ancestors alone decides.
        common += [("X-Frame-Options", "DENY"), ("Cross-Origin-Opener-Policy", "same-origin")]
    page = {**_PAGE, "script-src": _PAGE["script-src"].format(inline=" ".join(inline)).strip()}
    return _encoded(page, framed, common), _encoded(_FILE, framed, common)


def _encoded(policy: dict[str, str], framed: str, common: list[tuple[str, str]]) -> Headers:
    directives = {**policy, "frame-ancestors": framed}
    value = "; ".join(f"{name} {sources}".strip() for name, sources in directives.items())
    return [(name.lower().encode(), text.encode()) for name, text in [("Content-Security-Policy", value), *common]]


class SecurityHeaders:
    """Middleware that adds the headers to every response, including refusals of a websocket."""

    def __init__(self, app: ASGIApp, embedding: Sequence[str] = (), inline: Sequence[str] = ()) -> None:
        self._app = app
        self._page, self._file = security_headers(embedding, inline)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = self._file if any(part in scope["path"] for part in _FILES) else self._page

        async def answered(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await self._app(scope, receive, answered)


def failed(_request: Request, _error: Exception) -> Response:
    """Return the response to an error of the server; Starlette sends it without passing the middleware."""
    headers = {name.decode(): value.decode() for name, value in security_headers()[1]}
    return PlainTextResponse("The server failed to answer this request. Its log has the reason.", 500, headers)
