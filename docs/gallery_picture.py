"""The gallery as a browser shows it: Debian's chromium, driven by playwright (both are needed for the tests too)."""

import io
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image

WINDOW = {"width": 1280, "height": 900}
SECONDS = 60


def gallery_picture(workspace: Path, sweep: str) -> Image.Image:
    """A window of the gallery of that sweep, its server started for it and ended.

    Raises:
        SystemExit: there is no chromium.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("make_pictures: the picture of the gallery needs Debian's chromium: apt-get install chromium")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "sweep.cli.main", "gallery", "--workspace", str(workspace), "--port", str(port)]
    with subprocess.Popen(command) as server, sync_playwright() as playwright:
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport=WINDOW)
            page.goto(f"http://127.0.0.1:{port}/gallery?sweep={sweep}")
            page.wait_for_selector("a.tile img")
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(1000)  # pictures fade in
            shot = page.screenshot()
            browser.close()
        finally:
            server.send_signal(signal.SIGINT)
    return Image.open(io.BytesIO(shot)).convert("RGB")


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"make_pictures: the gallery did not start within {SECONDS} s.")
