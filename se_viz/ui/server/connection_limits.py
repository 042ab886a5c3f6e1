"""The outermost limits: the number of connections, and the addresses that answer."""

from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from se_viz.ui.server.sessions import page_full

_RETRY = 30  # seconds
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="{retry}">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>SE Viz is full</title>
<body style="font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 20vh auto; padding: 0 1rem">
<h1>SE Viz is full</h1><p>{sentence} As many more are waiting.
This page tries again every {retry} seconds; <a href="">try again now</a>.</p></body></html>
"""
_NOT_PAGES = ("/_stcore/", "/media/", "/static/", "/component/")


class Door:
    """Middleware that answers 503 beyond ``2 * sessions`` websockets, and 404 for metrics unless they are enabled.

    Of the accepted websockets, the first ``sessions`` see the page and the others see a waiting page
    (``se_viz.ui.widgets.server_messages``). A waiting session holds almost no memory; this limits how many there are.
    """

    def __init__(self, app: ASGIApp, sessions: int, *, metrics: bool = False) -> None:
        self._app = app
        self._sessions = sessions
        self._metrics = metrics
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http" and not self._metrics and "/_stcore/metrics" in scope["path"]:
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
        elif scope["type"] == "http" and self._open >= 2 * self._sessions and _is_page(scope):
            page = _PAGE.format(sentence=page_full(self._sessions), retry=_RETRY)
            headers = {"Retry-After": str(_RETRY), "Cache-Control": "no-store"}
            await HTMLResponse(page, 503, headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._open >= 2 * self._sessions:
            await receive()  # the request to connect
            if "websocket.http.response" in scope.get("extensions", {}):
                refusal = PlainTextResponse(page_full(self._sessions), 503, {"Retry-After": str(_RETRY)})
                await refusal(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1013})
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1


def _is_page(scope: Scope) -> bool:
    return scope["method"] in ("GET", "HEAD") and not any(part in scope["path"] for part in _NOT_PAGES)
