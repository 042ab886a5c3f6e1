"""Folders for the files of a session, which are removed when the session ends."""

import secrets
import shutil
import tempfile
from pathlib import Path
from threading import Lock
from weakref import WeakSet, finalize

from se_viz.disk.errors import friendly_errors


class SessionFolder:
    """A folder that only one session knows; it is removed with this object, with ``remove``, or with the process.

    Attributes:
        session: id of the session.
        path: the folder, which ``make`` makes.
    """

    def __init__(self, session: str) -> None:
        self.session = session
        self.path = Path(tempfile.gettempdir()) / f"se-viz-session-{secrets.token_hex(16)}"
        self._finalize = finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def make(self) -> None:
        """Make the folder if it does not exist, readable only for the user of the server.

        Raises:
            WriteFailed: it cannot be made; the message says why.
        """
        with friendly_errors(self.path):
            self.path.mkdir(mode=0o700, exist_ok=True)

    def remove(self) -> None:
        """Remove the folder with all its files."""
        self._finalize()

    def bytes(self) -> int:
        """Return the bytes of its files."""
        return bytes_below(self.path)


class SessionFolders:
    """The folders of all sessions; thread-safe. A session keeps its folder in its state."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._folders: WeakSet[SessionFolder] = WeakSet()

    def create(self, session: str) -> SessionFolder:
        """Return a folder for a session, which is not made yet."""
        folder = SessionFolder(session)
        with self._lock:
            self._folders.add(folder)
        return folder

    def bytes(self) -> int:
        """Return the bytes of the files of all sessions."""
        with self._lock:
            folders = list(self._folders)
        return sum(folder.bytes() for folder in folders)

    def forget(self, session: str) -> None:
        """Remove the folders of a session that has ended."""
        self._remove([session])

    def clear(self) -> None:
        """Remove the folders of all sessions, because the server ends."""
        self._remove(None)

    def _remove(self, sessions: list[str] | None) -> None:
        with self._lock:
            leaving = [folder for folder in self._folders if sessions is None or folder.session in sessions]
            for folder in leaving:
                self._folders.discard(folder)
        for folder in leaving:
            folder.remove()


def bytes_below(folder: Path) -> int:
    """Return the bytes of the files below a folder; 0 if it does not exist."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


FOLDERS = SessionFolders()
