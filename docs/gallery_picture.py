"""The gallery as a browser shows it: Debian's chromium, driven by playwright (both are needed for the tests too)."""

import io
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

WINDOW = {"width": 1280, "height": 900}
SECONDS = 60
SETTLED_MS = 1500


@dataclass(frozen=True)
class Shot:
    """A page to be shown. path: after the address, with {sweep} and {ids}, the best two runs; ready: what must be there."""

    path: str
    ready: str
    keys: tuple[str, ...] = ()


SHOTS = {
    "gallery": Shot("gallery?sweep={sweep}", "a.tile img"),
    "gallery-axes": Shot("gallery?sweep={sweep}&view=axes&x=beta&y=layers&z=content", "table img"),
    "gallery-cull": Shot("cull?sweep={sweep}", "img", ("p", "4", "x", "3")),
    "gallery-compare": Shot("compare?sweep={sweep}&ids={ids}&mode=slider", "img"),
    "gallery-explore": Shot("explore?sweep={sweep}", "svg.marks, .root svg"),
}


def gallery_pictures(workspace: Path, sweep: str) -> dict[str, Image.Image]:
    """Windows of the gallery of that sweep, by name; its server is started for them and ended.

    Raises:
        SystemExit: there is no chromium.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("make_pictures: the pictures of the gallery need Debian's chromium: apt-get install chromium")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "sweep.cli.main", "gallery", "--workspace", str(workspace), "--port", str(port)]
    with subprocess.Popen(command) as server, sync_playwright() as playwright:
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport=WINDOW)
            shots = _shots(page, f"http://127.0.0.1:{port}", sweep)
            browser.close()
        finally:
            server.send_signal(signal.SIGINT)
    return shots


def _shots(page: "Page", address: str, sweep: str) -> dict[str, Image.Image]:
    shots, ids = {}, ""
    for name, shot in SHOTS.items():
        page.goto(f"{address}/{shot.path.format(sweep=sweep, ids=ids)}")
        page.locator(shot.ready).first.wait_for()
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(SETTLED_MS)  # pictures fade in
        for key in shot.keys:
            page.keyboard.press(key)
            page.wait_for_timeout(300)
        page.wait_for_timeout(SETTLED_MS)
        shots[name] = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        if name == "gallery":
            keys = page.locator(".grid li.run").evaluate_all("all => all.map((one) => one.dataset.id)")
            ids = ",".join(keys[:2])
    return shots


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
