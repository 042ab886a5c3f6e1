"""Pages of the app in Chromium."""

from contextlib import contextmanager

import pytest
from playwright.sync_api import TimeoutError as LateError
from playwright.sync_api import expect

POPOVER = '[data-testid="stPopoverBody"]'

# Width, height and colour scheme. The schemes differ in colours alone, so each size need not be seen in both.
SCREENS = [
    (1440, 900, "light"),
    (390, 844, "dark"),
    pytest.param(1440, 900, "dark", marks=pytest.mark.exhaustive),
    pytest.param(390, 844, "light", marks=pytest.mark.exhaustive),
]


@contextmanager
def chromium_page(browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(90_000)
    yield page
    context.close()


def settle(page):
    """Wait until the script has run to its end: what it draws last is the export, or the tabs that it is one of."""
    ends = page.get_by_role("heading", name="Export and reproduce").or_(page.get_by_role("tab", name="Export"))
    ends.first.wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def close_popover(page):
    """Close what is open; where nothing is, nothing happens."""
    page.keyboard.press("Escape")
    expect(page.locator(POPOVER)).to_have_count(0)


def open_popover(page, button):
    """Click a button until its popover is there.

    A click while the page still moves, or draws the button again, opens a popover that closes at once.
    """
    close_popover(page)
    button.scroll_into_view_if_needed()
    for _ in range(5):
        button.click()
        try:
            page.locator(POPOVER).get_by_role("button").first.wait_for(timeout=15_000)
        except LateError:
            close_popover(page)
        else:
            return
    raise AssertionError("The popover did not open at five clicks.")
