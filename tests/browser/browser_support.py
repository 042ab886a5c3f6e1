"""What the browser tests share."""


def settle(page):
    """Wait until the script has run to its end and its last heading is there."""
    page.get_by_role("heading", name="Export and reproduce").wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
