from contextlib import ExitStack, contextmanager
from threading import Barrier, Thread

import pytest

from se_viz.gates.shared_context import SharedContext


class Door:
    """A context that counts its entries and exits, and fails on request."""

    def __init__(self, fail_to=""):
        self.log = []
        self.fail_to = fail_to

    @contextmanager
    def __call__(self):
        self._step("enter")
        try:
            yield
        finally:
            self._step("leave")

    def _step(self, name):
        self.log.append(name)
        if name == self.fail_to:
            raise OSError(name)


def test_first_in_enters_and_last_out_leaves():
    shared, door = SharedContext(), Door()
    with shared.hold(door):
        with shared.hold(door), shared.hold(door):
            assert door.log == ["enter"]
        assert door.log == ["enter"]
    assert door.log == ["enter", "leave"]
    with shared.hold(door):
        pass
    assert door.log == ["enter", "leave"] * 2


def test_who_came_first_may_go_first():
    shared, door = SharedContext(), Door()
    first, second = ExitStack(), ExitStack()
    first.enter_context(shared.hold(door))
    second.enter_context(shared.hold(door))
    first.close()
    assert door.log == ["enter"]
    second.close()
    assert door.log == ["enter", "leave"]


def test_an_error_inside_passes_through_and_leaves():
    shared, door = SharedContext(), Door()
    with pytest.raises(KeyError), shared.hold(door):
        raise KeyError
    assert door.log == ["enter", "leave"]


def test_failing_to_enter_leaves_nothing_held():
    shared, good = SharedContext(), Door()
    with pytest.raises(OSError, match="enter"), shared.hold(Door("enter")):
        pytest.fail("not held")
    with shared.hold(good):
        assert good.log == ["enter"]
    assert good.log == ["enter", "leave"]


def test_failing_to_make_leaves_nothing_held():
    shared, good = SharedContext(), Door()

    def make():
        raise OSError("make")

    with pytest.raises(OSError, match="make"), shared.hold(make):
        pytest.fail("not held")
    with shared.hold(good):
        pass
    assert good.log == ["enter", "leave"]


def test_failing_to_leave_is_told_and_can_be_entered_again():
    shared, good = SharedContext(), Door()
    with pytest.raises(OSError, match="leave"), shared.hold(Door("leave")):
        pass
    with shared.hold(good):
        assert good.log == ["enter"]
    assert good.log == ["enter", "leave"]


def test_a_forgotten_holder_lets_go():
    shared, door = SharedContext(), Door()
    stack = ExitStack()
    stack.enter_context(shared.hold(door))
    del stack
    assert door.log == ["enter", "leave"]


def test_threads_never_find_it_left():
    shared, inside, wrong = SharedContext(), [], []

    @contextmanager
    def door():
        inside.append(1)
        yield
        inside.pop()

    start = Barrier(8)

    def visit():
        start.wait()
        for _ in range(500):
            with shared.hold(door):
                if inside != [1]:
                    wrong.append(list(inside))

    threads = [Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not inside
