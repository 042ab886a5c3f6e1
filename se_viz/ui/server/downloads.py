"""Files that visitors download: each is kept until a browser has fetched it, and has a separate address."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import PurePath
from threading import Lock
from time import monotonic

from streamlit.runtime import Runtime
from streamlit.runtime.media_file_storage import MediaFileKind
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

SECONDS = 60.0
BYTES = 200_000_000


class Downloads:
    """Streamlit's store of files, in which downloads stay for some time after Streamlit deletes them.

    Streamlit makes such a file when its button is pressed, tells the browser its address, and deletes it at the end of
    the second run of the page from then, of any session. With many visitors both runs may end before the browser has
    asked for the file, and the download fails.

    Streamlit also takes two files of more than 1 MiB for the same file if they have the same name and length and are
    equal at the start, in the middle and at the end, so that one visitor would get the numbers of another.

    Args:
        storage: the store; its methods are replaced, because the runtime and the routes that serve files refer to it.
        seconds: seconds for which a file stays.
        most: total bytes that stay; beyond them the oldest files are deleted at once.
        now: a clock in seconds.
    """

    def __init__(
        self,
        storage: MemoryMediaFileStorage,
        seconds: float = SECONDS,
        most: int = BYTES,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._storage, self._seconds, self._most, self._now = storage, seconds, most, now
        self._lock = Lock()
        self._leaving: OrderedDict[str, float] = OrderedDict()  # file → time of its deletion
        self._load, self._delete = storage.load_and_get_id, storage.delete_file
        storage.load_and_get_id = self._add  # type: ignore[method-assign]
        storage.delete_file = self._delete_later  # type: ignore[method-assign]

    def sweep(self) -> None:
        """Delete the files whose time has passed."""
        with self._lock:
            while self._leaving and next(iter(self._leaving.values())) <= self._now():
                self._delete(self._leaving.popitem(last=False)[0])

    def _add(self, path_or_data: str | bytes, mimetype: str, kind: MediaFileKind, filename: str | None = None) -> str:
        with self._lock:
            number, name = 1, filename
            while True:
                file = self._load(path_or_data, mimetype, kind, name)
                if isinstance(path_or_data, str) or self._storage.get_file(file).content == path_or_data:
                    self._leaving.pop(file, None)
                    return file
                number += 1
                path = PurePath(filename or "file")
                name = f"{path.stem} ({number}){path.suffix}"

    def _delete_later(self, file_id: str) -> None:
        with self._lock:
            if self._storage.get_file(file_id).kind != MediaFileKind.DOWNLOADABLE:
                self._delete(file_id)
                return
            self._leaving[file_id] = self._now() + self._seconds
            self._leaving.move_to_end(file_id)
            held = sum(self._storage.get_file(file).content_size for file in self._leaving)
            while held > self._most:
                oldest, _ = self._leaving.popitem(last=False)
                held -= self._storage.get_file(oldest).content_size
                self._delete(oldest)


def keep_downloads(runtime: Runtime) -> Downloads | None:
    """Keep a server's downloads until they are fetched; return None if its files are stored in another way."""
    # There is no public access to the store.
    storage = runtime.media_file_mgr._storage
    return Downloads(storage) if isinstance(storage, MemoryMediaFileStorage) else None
