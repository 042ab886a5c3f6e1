"""A budget for uploads: bytes held and bytes being received, of each session and of all sessions."""

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
_STALLED = 60.0  # seconds without a byte after which an upload is aborted
_STEP = 1_000_000  # bytes between two checks of the budget
_UNREAD = 300_000_000  # bytes that are read and discarded, so that a browser that is still sending gets the answer


class Held:
    """The uploads that sessions hold; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: WeakKeyDictionary[UploadedFile, str] = WeakKeyDictionary()
        self._refused: dict[str, str] = {}

    def keep(self, session: str, file: UploadedFile) -> None:
        """Count a file that a session holds after its uploader was removed, as long as the object lives."""
        with self._lock:
            # Files compare equal by their id: deleting one object would remove the entry of another with the same id.
            self._kept.pop(file, None)
            self._kept[file] = session

    def bytes(self) -> dict[str, int]:
        """Return the bytes that each session holds; a file that a session holds twice counts once."""
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
        """Store the reason why an upload was refused, for the page to show."""
        with self._lock:
            self._refused[session] = sentence

    def refused(self, session: str) -> str | None:
        """Return the reason why the last upload was refused, and clear it."""
        with self._lock:
            return self._refused.pop(session, None)

    def forget(self, session: str) -> None:
        """Forget a session that has ended."""
        with self._lock:
            self._refused.pop(session, None)


HELD = Held()


class UploadBudget:
    """Middleware that refuses an upload with 413 if its session, or all sessions together, would hold too much."""

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
                raise HTTPException(408, f"No data for {_STALLED:.0f} seconds. Upload the file again.") from None
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
            self._coming[session] -= received  # from here on the bytes are held, or were refused
            received = 0
            await send(message)

        try:
            await self._app(scope, counted, answered)
        finally:
            self._coming[session] -= received
            if not self._coming[session]:
                del self._coming[session]

    def _over(self, session: str, more: int = 0) -> str | None:
        """Return the sentence about the limit that ``more`` bytes would exceed; None if they fit."""
        held = self._held.bytes()
        if held.get(session, 0) + self._coming.get(session, 0) + more > self._session:
            return (
                f"This server keeps at most {_mb(self._session)} of uploads for each visitor. "
                "Remove files that are no longer needed, or upload fewer or smaller ones."
            )
        if sum(held.values()) + sum(self._coming.values()) + more > self._process:
            return (
                f"This server keeps at most {_mb(self._process)} of uploads for all its visitors, and this limit is "
                "reached. Try again later, or upload fewer or smaller files."
            )
        return None


async def _discard(receive: Receive) -> None:
    """Read and discard the rest of a request, up to a limit of bytes and time."""
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
