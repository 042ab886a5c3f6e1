"""A page of Chromium for tests that need nothing of tests/browser."""

from contextlib import contextmanager


@contextmanager
def chromium_page(browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(90_000)
    yield page
    context.close()
