"""A download is there when the browser asks for it, and it is the visitor's own."""

import random

import pytest
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.media_file_storage import MediaFileKind, MediaFileStorageError
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from support.visitors import Session, Visitor

from se_viz.ui.server.downloads import Downloads

MB = 1_000_000


class Store:
    """A store with downloads that stay for a minute, 10 MB of them at most, and a clock that is set."""

    def __init__(self):
        self.storage = MemoryMediaFileStorage("/media")
        self.manager = MediaFileManager(self.storage)
        self.time = 0.0
        self.downloads = Downloads(self.storage, seconds=60, most=10 * MB, now=lambda: self.time)

    def press(self, content, name="capture.csv"):
        file = self.manager.add_deferred(lambda: content, "text/csv", "1.2", name)
        return self.manager.execute_deferred(file).rpartition("/")[2]

    def end_runs(self, number=3):
        for _ in range(number):
            self.manager.clear_session_refs()
            self.manager.remove_orphaned_files()


@pytest.fixture
def store():
    return Store()


def test_a_file_outlives_the_runs_of_other_visitors_for_a_minute(store):
    name = store.press(b"numbers")
    store.end_runs()
    store.time = 59.0
    store.downloads.sweep()
    assert store.storage.get_file(name).content == b"numbers"
    store.time = 61.0
    store.downloads.sweep()
    with pytest.raises(MediaFileStorageError):
        store.storage.get_file(name)


def test_a_file_that_is_wanted_once_more_stays_for_another_minute(store):
    store.press(b"numbers")
    store.end_runs()
    store.time = 50.0
    name = store.press(b"numbers")
    store.time = 100.0
    store.downloads.sweep()
    assert store.storage.get_file(name).content == b"numbers"
    store.end_runs()
    store.time = 161.0
    store.downloads.sweep()
    with pytest.raises(MediaFileStorageError):
        store.storage.get_file(name)


def test_what_stays_is_bounded_and_the_oldest_go_first(store):
    names = []
    for number in range(4):
        names.append(store.press(bytes([number]) * (4 * MB)))
        store.end_runs()
    there = [name for name in names if name.partition(".")[0] in store.storage._files_by_id]
    assert there == names[2:]


def test_images_of_the_page_go_at_once_as_before(store):
    file = store.storage.load_and_get_id(b"image", "image/png", MediaFileKind.MEDIA)
    store.storage.delete_file(file)
    with pytest.raises(MediaFileStorageError):
        store.storage.get_file(f"{file}.png")


def test_large_files_that_differ_in_few_bytes_are_not_taken_for_one(store):
    one = random.Random(0).randbytes(4 * MB)
    files = [one, one[:MB] + b"other" + one[MB + 5 :], one[: 3 * MB] + b"other" + one[3 * MB + 5 :]]
    names = [store.press(content) for content in files]
    assert [store.storage.get_file(name).content for name in names] == files
    assert [store.press(content) for content in files] == names
    assert [store.storage.get_file(name).filename for name in names] == [
        "capture.csv",
        "capture (2).csv",
        "capture (3).csv",
    ]


@pytest.mark.slow
def test_others_who_use_the_page_do_not_break_a_download(server):
    at_export = Session(server.address.removeprefix("http://"), "view=Export")
    with at_export as visitor, Visitor(server) as other:
        visitor.load()
        address = visitor.press_download("save_csv")
        for _ in range(3):
            other.load()
        assert visitor.fetch(address).startswith(b"image,gate,stage,")
