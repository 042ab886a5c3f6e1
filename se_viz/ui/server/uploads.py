"""A budget for uploads: bytes held and bytes on their way, of each session and of all."""

import re
from asyncio import timeout
from collections import defaultdict
from threading import Lock
from weakref import WeakKeyDictionary

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile

from se_viz.ui.server.sessions import SESSIONS

_ADDRESS = re.compile(r".*/_stcore/upload_file/([^/]+)/([^/]+)/?")
_STALLED = 60.0  # seconds without a byte after which an upload is given up
_STEP = 1_000_000  # bytes between two looks at the budget
_UNREAD = 300_000_000  # bytes that are read and thrown away, so that a browser that is sending sees the answer


class Held:
    """What sessions hold of their uploads; safe between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: WeakKeyDictionary[UploadedFile, str] = WeakKeyDictionary()
        self._refused: dict[str, str] = {}

    def keep(self, session: str, file: UploadedFile) -> None:
        """Count a file that a session holds after its uploader is gone, as long as the object lives."""
        with self._lock:
            # Files are equal by their number: the object that dies first would take the entry of the other along.
            self._kept.pop(file, None)
            self._kept[file] = session

    def bytes(self) -> dict[str, int]:
        """Return the bytes that each session holds; a file that is held twice counts once."""
        # (session, file) → bytes
        files: dict[tuple[str, str], int] = {}
        with self._lock:
            for file, session in list(self._kept.items()):
                files[session, file.file_id] = file.size
        manager = Runtime.instance().uploaded_file_mgr if Runtime.exists() else None
        if isinstance(manager, MemoryUploadedFileManager):
            for session, records in list(manager.file_storage.items()):
                for name, record in list(records.items()):
                    files[session, name] = len(record.data)
        total: dict[str, int] = defaultdict(int)
        for (session, _), size in files.items():
            total[session] += size
        return total

    def refuse(self, session: str, sentence: str) -> None:
        """Remember why an upload was refused, for the page to say."""
        with self._lock:
            self._refused[session] = sentence

    def refused(self, session: str) -> str | None:
        """Return why the last upload was refused, once."""
        with self._lock:
            return self._refused.pop(session, None)

    def forget(self, session: str) -> None:
        """Forget a session that is gone."""
        with self._lock:
            self._refused.pop(session, None)


HELD = Held()


class UploadBudget:
    """Middleware that refuses an upload with 413 where its session, or all together, would hold too much."""

    def __init__(self, app: ASGIApp, session: int, process: int, held: Held = HELD) -> None:
        self._app = app
        self._session = session
        self._process = process
        self._held = held
        self._coming: dict[str, int] = defaultdict(int)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        address = _ADDRESS.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if address is None:
            await self._app(scope, receive, send)
            return
        session = address[1]
        SESSIONS.know(session)
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        sentence = self._over(session, int(declared) if declared.isdigit() else 0)
        if sentence:
            self._held.refuse(session, sentence)
            await _discard(receive)
            await PlainTextResponse(sentence, 413)(scope, receive, send)
            return
        received = looked = 0

        async def counted() -> Message:
            nonlocal received, looked
            try:
                async with timeout(_STALLED):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"Nothing came for {_STALLED:.0f} seconds: upload the file again.") from None
            size = len(message.get("body", b""))
            received += size
            self._coming[session] += size
            if received - looked < _STEP and message.get("more_body"):
                return message
            looked = received
            sentence = self._over(session) if size else None
            if sentence:
                self._held.refuse(session, sentence)
                if message.get("more_body"):
                    await _discard(receive)
                raise HTTPException(413, sentence)
            return message

        async def answered(message: Message) -> None:
            nonlocal received
            self._coming[session] -= received  # from here on it is held, or was refused
            received = 0
            await send(message)

        try:
            await self._app(scope, counted, answered)
        finally:
            self._coming[session] -= received
            if not self._coming[session]:
                del self._coming[session]

    def _over(self, session: str, more: int = 0) -> str | None:
        """Return the sentence for what is too much with so many bytes more; None where there is room."""
        held = self._held.bytes()
        if held.get(session, 0) + self._coming.get(session, 0) + more > self._session:
            return (
                f"This server keeps at most {_mb(self._session)} of uploads for each visitor: "
                "remove files that are no longer needed, or upload fewer or smaller ones."
            )
        if sum(held.values()) + sum(self._coming.values()) + more > self._process:
            return (
                f"This server keeps at most {_mb(self._process)} of uploads for all its visitors, and has no room for "
                "more at the moment: try again later, or upload fewer or smaller files."
            )
        return None


async def _discard(receive: Receive) -> None:
    """Read what is still coming, a bounded amount and time."""
    left = _UNREAD
    try:
        async with timeout(_STALLED):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b"")) or 1
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        return


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
