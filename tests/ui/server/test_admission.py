"""Few runs of the page are in their first moments at a time, and none that waits for long keeps the others waiting."""

from threading import Event, Thread

import pytest

from se_viz.ui.server.admission import Admission


class Run:
    """A run in a thread, which goes on until it is let go; it notes which others have not been let go before it."""

    def __init__(self, admission, others=()):
        self.others, self.beside = others, None
        self.begun, self.goes_on = Event(), Event()
        self.thread = Thread(target=self._run, args=(admission,), daemon=True)
        self.thread.start()

    def _run(self, admission):
        with admission.turn():
            self.beside = [run for run in self.others if not run.goes_on.is_set()]
            self.begun.set()
            self.goes_on.wait(60)

    def end(self):
        self.goes_on.set()
        self.thread.join(60)
        assert not self.thread.is_alive()


def test_a_run_waits_until_one_of_the_others_has_ended():
    admission = Admission(most=2, seconds=1000)
    runs = [Run(admission) for _ in range(2)]
    assert all(run.begun.wait(60) for run in runs)
    third = Run(admission, runs)
    runs[0].end()
    assert third.begun.wait(60)
    assert third.beside == [runs[1]]
    runs[1].end()
    third.end()


def test_a_run_that_goes_on_for_long_loses_its_place_and_nothing_else():
    admission = Admission(most=1, seconds=0.05)
    first, second = Run(admission), Run(admission)
    assert first.begun.wait(60)
    assert second.begun.wait(60)
    assert first.thread.is_alive()
    first.end()
    second.end()
    third = Run(admission)
    assert third.begun.wait(60)
    third.end()


def test_a_run_that_fails_leaves_its_place():
    admission = Admission(most=1, seconds=1000)
    for _ in range(2):
        with pytest.raises(ValueError, match="of the page"), admission.turn():
            raise ValueError("of the page")
    last = Run(admission)
    assert last.begun.wait(60)
    last.end()
