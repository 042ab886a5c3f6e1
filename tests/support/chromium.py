"""Pages of the app in Chromium."""

from contextlib import contextmanager


@contextmanager
def chromium_page(browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(90_000)
    yield page
    context.close()


def settle(page):
    """Wait until the script has run to its end and its last heading is there."""
    page.get_by_role("heading", name="Export and reproduce").wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
