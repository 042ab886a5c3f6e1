"""Take the screenshots of the documentation: start the app, open each page in headless Chromium, write WebP files.

Run it from the root of the repository after a page was changed: ``make screenshots``. The images are the sample
photographs of the package; docs/images/LICENCES.md names their licences.
"""

import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "images"
LIMIT = 200_000  # bytes of a file
PAGES = {  # file: address
    "inspect": "",
    "how": "how-it-works?samples=cat&gate=SE_3_1&step=excite",
    "intervene": "intervene",
    "classes": "classes",
    "reduction": "reduction",
    "network": "network",
}
SIZE = (1440, 900)


@contextmanager
def app() -> Iterator[str]:
    """Serve the app in a child process until the end of the block, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "se_viz", "app", "--port", str(port)], cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while not _healthy(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("The app did not start; its messages are above.")
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def main() -> None:
    """Write one file for each page, and print its name and size."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("Chromium or Chrome is needed: install the package chromium.")
    FOLDER.mkdir(exist_ok=True)
    with app() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
        page.set_default_timeout(120_000)
        for name, path in PAGES.items():
            page.goto(f"{address}/{path}")
            _settle(page)
            _write(FOLDER / f"{name}.webp", page.screenshot())
        browser.close()


def _settle(page: Page) -> None:
    """Wait until the script has finished and a chart is drawn."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.locator(".js-plotly-plot .main-svg, .walk .panel").first.wait_for()
    page.wait_for_load_state("networkidle")


def _write(path: Path, png: bytes) -> None:
    for quality in (90, 80, 70, 60):
        out = io.BytesIO()
        Image.open(io.BytesIO(png)).convert("RGB").save(out, "WEBP", quality=quality, method=6)
        if out.tell() < LIMIT:
            path.write_bytes(out.getvalue())
            print(f"{path.relative_to(ROOT)}: {out.tell():,} bytes, quality {quality}")
            return
    raise SystemExit(f"{path.name} is larger than {LIMIT:,} bytes at every quality.")


if __name__ == "__main__":
    main()
