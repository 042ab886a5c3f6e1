"""Who is in: which sessions see the page, which wait, and which are gone."""

from collections.abc import Callable
from threading import Lock
from time import monotonic


class Sessions:
    """Sessions by id, in the order they came; safe between threads.

    A session without a connection keeps its place for ``patience`` seconds, as its browser may come back.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside: set[str] = set()
        self._known: dict[str, float | None] = {}  # since when it has no connection

    def enter(self, session: str, most: int) -> bool:
        """Return whether a session sees the page, as one of the ``most`` that do."""
        with self._lock:
            self._known.setdefault(session, None)
            if session not in self._inside and len(self._inside) < most:
                self._inside.add(session)
            return session in self._inside

    def know(self, session: str) -> None:
        """Take notice of a session that may hold something, so that its end is seen."""
        with self._lock:
            self._known.setdefault(session, None)

    def gone(self, connected: Callable[[str], bool], patience: float, now: float | None = None) -> list[str]:
        """Forget the sessions that have had no connection for more than ``patience`` seconds, and return them.

        Args:
            connected: whether a session has a connection.
            patience: seconds.
            now: of a clock in seconds; the process's own if not given.
        """
        now = monotonic() if now is None else now
        with self._lock:
            for session, since in self._known.items():
                self._known[session] = None if connected(session) else (now if since is None else since)
            left = [session for session, since in self._known.items() if since is not None and now - since > patience]
            for session in left:
                del self._known[session]
                self._inside.discard(session)
        return left


SESSIONS = Sessions()


def page_full(most: int) -> str:
    """Return the sentence for a visitor who has to wait."""
    visitors = f"{most:,} visitors" if most > 1 else "one visitor"
    return f"This server shows SE Viz to at most {visitors} at once; that many are here now."
