"""Class profiles that are made on the page take turns with captures, and can be stopped."""

from functools import partial
from threading import Event
from uuid import uuid4

import pytest
from PIL import Image

from se_viz import load, profile
from se_viz.profiles.engine import LocalEngine
from se_viz.profiles.unfinished import images_done
from se_viz.ui.state import device_queue


class Images(list):
    """A dataset of black images in two classes."""

    classes = ("even", "odd")

    def __init__(self, count):
        super().__init__((Image.new("RGB", (16, 16)), number % 2) for number in range(count))
        self.targets = [label for _, label in self]


class Stopped(BaseException):
    """As the page's own, it is not one of the exceptions that a program may catch."""


@pytest.fixture
def device():
    """The name of a line that no other test stands in."""
    return f"test {uuid4()}"


def ignore(ahead):
    pass


@pytest.mark.slow
def test_readings_of_others_come_between_the_batches(device, tmp_path):
    line, order, last = device_queue.line(device), [], []

    def turn(work):
        def batch():
            order.append("batch")
            # Somebody comes while a batch runs: he has had his turn before the next one.
            last.append(line.submit(partial(order.append, "reading")))
            return work()

        return device_queue.take(batch, device, ignore)

    model = load("demo/r16", "cpu")
    made = profile(model, Images(6), tmp_path / "turns", batch=2, engine=LocalEngine(turn))
    last[-1].result()
    assert order == ["batch", "reading"] * 3
    alone = profile(model, Images(6), tmp_path / "alone", batch=2)
    assert made.path.read_bytes() == alone.path.read_bytes()


def test_who_stops_while_waiting_is_off_the_line_and_the_others_go_on(device):
    begun, go_on, done = Event(), Event(), []

    def busy():
        begun.set()
        go_on.wait()

    first = device_queue.line(device).submit(busy)
    begun.wait()

    def stop(ahead):
        assert ahead == 1
        raise Stopped

    with pytest.raises(Stopped):
        device_queue.take(partial(done.append, "stopped"), device, stop)
    after = device_queue.line(device).submit(partial(done.append, "after"))
    assert device_queue.line(device).ahead(after) == 1
    go_on.set()
    first.result()
    after.result()
    assert done == ["after"]


@pytest.mark.slow
def test_a_pass_that_is_stopped_says_what_is_kept_and_goes_on(tmp_path):
    model, images, out = load("demo/r16", "cpu"), Images(7), tmp_path / "profiles"
    settings = {"batch": 2, "shard": 2}
    assert images_done(out) == 0

    def stop(done, total):
        if done == 6:
            raise Stopped

    with pytest.raises(Stopped):
        profile(model, images, out, report=stop, **settings)
    # The third shard is written after its last batch is told of.
    assert images_done(out) == 4
    seen = []
    profile(model, images, out, report=lambda done, total: seen.append((done, total)), **settings)
    assert seen == [(6, 7), (7, 7)]
    assert images_done(out) == 0
