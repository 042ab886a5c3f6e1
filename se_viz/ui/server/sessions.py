"""The sessions of the server: those that see the page, those that wait, and those that have ended."""

from collections.abc import Callable
from threading import Lock
from time import monotonic


class Sessions:
    """Sessions by id, in the order of their arrival; thread-safe.

    A session without a connection keeps its place for ``patience`` seconds, as its browser may reconnect.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside: set[str] = set()
        self._known: dict[str, float | None] = {}  # time at which the connection was lost, None while connected

    def enter(self, session: str, most: int) -> bool:
        """Return whether a session sees the page; at most ``most`` sessions do."""
        with self._lock:
            self._known.setdefault(session, None)
            if session not in self._inside and len(self._inside) < most:
                self._inside.add(session)
            return session in self._inside

    def know(self, session: str) -> None:
        """Register a session that may hold memory, so that its end is noticed."""
        with self._lock:
            self._known.setdefault(session, None)

    def gone(self, connected: Callable[[str], bool], patience: float, now: float | None = None) -> list[str]:
        """Forget the sessions that have had no connection for more than ``patience`` seconds, and return their ids.

        Args:
            connected: function that returns whether a session has a connection.
            patience: seconds.
            now: time in seconds; by default that of ``time.monotonic``.
        """
        now = monotonic() if now is None else now
        with self._lock:
            for session, since in self._known.items():
                self._known[session] = None if connected(session) else (now if since is None else since)
            gone = [session for session, since in self._known.items() if since is not None and now - since > patience]
            for session in gone:
                del self._known[session]
                self._inside.discard(session)
        return gone


SESSIONS = Sessions()


def page_full(most: int) -> str:
    """Return the sentence that a waiting visitor sees."""
    visitors = f"{most:,} visitors" if most > 1 else "one visitor"
    return f"This server shows SE Viz to at most {visitors} at a time, and this number is reached."
