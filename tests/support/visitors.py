"""Visitors without a browser."""

import re
from contextlib import contextmanager

import requests
from client import Session
from websockets.sync.client import connect

__all__ = ["Session", "Visitor"]


class Visitor(Session):
    """A session whose script has run once, and what it may do besides."""

    def __init__(self, server, *, wait=True):
        super().__init__(server.address.removeprefix("http://"))
        self._server = server
        self._wait = wait
        self.texts: list[str] = []
        self.files: set[str] = set()

    def __enter__(self):
        super().__enter__()
        if self._wait:
            self.load()
        return self

    def _receive(self):
        message, size = super()._receive()
        self.files.update(re.findall(r"/media/[\w.]+", str(message)))
        return message, size

    def _element(self, delta):
        super()._element(delta)
        if delta.WhichOneof("type") == "new_element":
            element = delta.new_element
            if element.HasField("markdown"):
                self.texts.append(element.markdown.body)

    @contextmanager
    def again(self):
        """Connect once more, as a browser does that lost its connection: it names the session it had."""
        protocols = ["streamlit", self._http.cookies["_streamlit_xsrf"], self.id]
        with connect(f"ws://{self._address}/_stcore/stream", subprotocols=protocols, max_size=None) as self._socket:
            yield self

    @property
    def id(self) -> str:
        """The number of the session."""
        return self._session

    def put(self, name, content, session=None) -> requests.Response:
        """Put a file, or whatever a generator yields, to the session's upload address, which no widget asked for."""
        headers = self._token()
        start = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        end = b"\r\n--x--\r\n"
        headers["Content-Type"] = "multipart/form-data; boundary=x"
        if isinstance(content, bytes):
            body = start + content + end
        else:
            body = (part for parts in ([start], content, [end]) for part in parts)
        return self._http.put(self._upload_address(name, session), data=body, headers=headers, timeout=120)

    def remove(self, name) -> requests.Response:
        """Remove a file that was put."""
        return self._http.delete(self._upload_address(name), headers=self._token(), timeout=120)

    def _upload_address(self, name, session=None):
        return f"{self._server.address}/_stcore/upload_file/{session or self.id}/{name}"
