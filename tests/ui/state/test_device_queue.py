"""The line before a device, in which sessions wait for their turn."""

from threading import Event

import pytest

from se_viz.ui.state import device_queue


@pytest.fixture
def held():
    """A line whose first work waits until the event is set."""
    device_queue.line.clear()
    gate, line = Event(), device_queue.line("cpu")
    line.submit(gate.wait)
    yield line, gate
    gate.set()
    device_queue.line.clear()


def test_work_runs_one_at_a_time_in_the_order_it_came(held):
    line, gate = held
    ran = []
    futures = [line.submit(lambda number=number: ran.append(number)) for number in range(5)]
    assert [line.ahead(future) for future in futures] == [1, 2, 3, 4, 5]
    assert ran == []
    gate.set()
    for future in futures:
        future.result(timeout=60)
    assert ran == [0, 1, 2, 3, 4]


def test_who_waits_is_told_how_many_come_first_and_gets_the_result(held):
    line, gate = held
    line.submit(lambda: None)
    mine = line.submit(lambda: "mine")
    told = []

    def show(ahead):
        told.append(ahead)
        gate.set()

    assert device_queue.wait(mine, "cpu", show) == "mine"
    assert told[0] == 2


def test_what_fails_raises_where_it_is_waited_for_and_delays_no_other(held):
    line, gate = held
    broken = line.submit(lambda: 1 // 0)
    after = line.submit(lambda: "after")
    gate.set()
    with pytest.raises(ZeroDivisionError):
        device_queue.wait(broken, "cpu", lambda _: None)
    assert device_queue.wait(after, "cpu", lambda _: None) == "after"
    assert line.ahead(broken) == line.ahead(after) == 0


def test_work_that_times_out_itself_is_not_waited_for_again(held):
    line, gate = held

    def slow():
        raise TimeoutError("its own")

    gate.set()
    with pytest.raises(TimeoutError, match="its own"):
        device_queue.wait(line.submit(slow), "cpu", lambda _: None)


def test_a_click_ends_the_waiting_and_the_work_goes_on(held):
    line, gate = held
    mine = line.submit(lambda: "kept")

    class Clicked(BaseException):
        pass

    def show(ahead):
        raise Clicked

    with pytest.raises(Clicked):
        device_queue.wait(mine, "cpu", show)
    gate.set()
    assert mine.result(timeout=60) == "kept"


def test_devices_have_a_line_each():
    assert device_queue.line("cpu") is device_queue.line("cpu")
    assert device_queue.line("cpu") is not device_queue.line("cuda:0")
