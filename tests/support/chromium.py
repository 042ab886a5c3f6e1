"""Pages of the app in Chromium."""

from contextlib import contextmanager

import pytest

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
