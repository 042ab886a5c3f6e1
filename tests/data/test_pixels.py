"""One budget of pixels in decoding for the process."""

import threading
from queue import Queue

import pytest

from se_viz.data import pixels
from se_viz.data.pixels import Budget, Gone, SettingWrong

LONG = 30


def begin(budget, amount, came, *, cancelled=None):
    """A thread that holds pixels until it is told to end; it says that it came, or that it has gone."""
    end = threading.Event()

    def work():
        try:
            with budget.hold(amount, cancelled):
                came.put(amount)
                end.wait(LONG)
        except Gone:
            came.put("gone")

    thread = threading.Thread(target=work)
    thread.start()
    return end, thread


def test_what_fits_is_decoded_at_once_and_the_rest_waits_in_its_order():
    budget, came = Budget(100), Queue()
    first = begin(budget, 60, came)
    assert came.get(timeout=LONG) == 60
    second = begin(budget, 40, came)
    assert came.get(timeout=LONG) == 40
    assert budget.left == 0
    large = begin(budget, 90, came)
    while len(budget._waiting) < 1:
        pass
    small = begin(budget, 10, came)
    while len(budget._waiting) < 2:
        pass
    second[0].set()
    second[1].join(LONG)
    # 40 are left: enough for the small one, which came later and waits behind the large one.
    assert came.empty()
    first[0].set()
    assert [came.get(timeout=LONG), came.get(timeout=LONG)] == [90, 10]
    for end, thread in (large, small):
        end.set()
        thread.join(LONG)
    assert budget.left == 100


def test_more_than_the_budget_is_decoded_alone():
    budget, came = Budget(100), Queue()
    end, thread = begin(budget, 1000, came)
    assert came.get(timeout=LONG) == 1000
    assert budget.left == 0
    end.set()
    thread.join(LONG)
    assert budget.left == 100


def test_one_who_has_gone_leaves_the_line_to_those_behind():
    budget, came, left = Budget(100), Queue(), threading.Event()
    first = begin(budget, 60, came)
    assert came.get(timeout=LONG) == 60
    large = begin(budget, 90, came, cancelled=left.is_set)
    while len(budget._waiting) < 1:
        pass
    small = begin(budget, 10, came)
    while len(budget._waiting) < 2:
        pass
    left.set()
    assert {came.get(timeout=LONG), came.get(timeout=LONG)} == {"gone", 10}
    for end, thread in (first, large, small):
        end.set()
        thread.join(LONG)
    assert budget.left == 100


def test_pixels_are_given_back_after_an_error():
    budget = Budget(100)
    with pytest.raises(KeyError), budget.hold(60):
        raise KeyError
    assert budget.left == 100


@pytest.fixture
def setting(monkeypatch):
    pixels.budget.cache_clear()
    yield lambda stated: monkeypatch.setenv("SE_VIZ_PIXELS_AT_ONCE", stated)
    pixels.budget.cache_clear()


def test_the_budget_is_a_setting(setting):
    setting("250e6")
    assert pixels.budget().left == 250_000_000
    assert pixels.budget() is pixels.budget()


@pytest.mark.parametrize("stated", ["much", "-1", "0", "nan", "inf"])
def test_a_setting_that_is_no_number_is_said(stated, setting):
    setting(stated)
    with pytest.raises(SettingWrong, match=f"SE_VIZ_PIXELS_AT_ONCE is '{stated}': give a number of pixels"):
        pixels.budget()


def test_the_default_holds_on_a_machine_of_8_gigabytes():
    assert pixels.AT_ONCE * pixels.BYTES_A_PIXEL <= 2e9
