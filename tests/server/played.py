"""A Chromium for tests that need nothing of tests/browser."""

from contextlib import contextmanager

from playwright.sync_api import sync_playwright


@contextmanager
def chromium_page(path):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(90_000)
        yield page
        browser.close()
