"""A served gallery and a chromium for benchmarks/gallery.py, and what is asked of a page: to do something, and say when it was painted."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
GALLERY = "import sys; from pathlib import Path; from gallery.server import serve; serve(Path(sys.argv[1]), int(sys.argv[2]))"
BLANK = (
    "import sys, streamlit as st; from pathlib import Path; from gallery.server import settings; "
    "st.App(Path(sys.argv[1])).run(config=settings() | {'server.port': int(sys.argv[2])})"
)
"""A page of Streamlit's own with a button and a line of text, under the gallery's settings: what no page can be quicker than."""
BLANK_PAGE = """import streamlit as st
turn = st.session_state.setdefault("turn", 0)
if st.button("again"):
    turn = st.session_state["turn"] = turn + 1
st.text(f"turn {turn}")
"""
# Streamlit keeps components of ours behind shadow roots; where the grid's is does not change while it stays on screen.
IN_PAGE = """
window.deep = (selector) => {
  const found = []
  const walk = (root) => {
    found.push(...root.querySelectorAll(selector))
    root.querySelectorAll("*").forEach((one) => one.shadowRoot && walk(one.shadowRoot))
  }
  walk(document)
  return found
}
window.tiles = () => {
  if (!window.gridRoot || !window.gridRoot.host.isConnected) {
    const one = deep("li.run")[0]
    window.gridRoot = one ? one.getRootNode() : null
  }
  return window.gridRoot ? [...window.gridRoot.querySelectorAll("li.run")] : []
}
window.named = () => tiles().map((one) => one.dataset.id).join()
window.painted = (amount) => {
  const pictures = tiles().slice(0, amount).map((one) => one.querySelector("img"))
  return pictures.length > 0 && pictures.every((one) => !one || (one.complete && one.naturalWidth > 0))
}
window.frame = () => new Promise((done) => requestAnimationFrame(done))
window.until = async (act, ready, limit = 60000) => {
  const began = performance.now()
  act()
  while (!ready()) {
    if (performance.now() - began > limit) throw new Error("nothing came of it within a minute")
    await frame()
  }
  await frame()
  return performance.now() - began
}
"""


IDLE = "() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"


@dataclass(frozen=True)
class Served:
    """A server that runs. what: the workspace or the page that it serves; output: what it has printed so far."""

    what: Path
    url: str
    pid: int
    output: Path

    def memory(self) -> float:
        """Resident, in MB."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1e3

    def processor_seconds(self) -> float:
        """User and system, since it started."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def media_bytes(self) -> float:
        """What Streamlit holds of pictures in memory."""
        with urllib.request.urlopen(f"{self.url}/_stcore/metrics?families=cache_memory_bytes", timeout=20) as answer:
            told = answer.read().decode()
        rows = [line for line in told.splitlines() if line.startswith("cache_memory_bytes") and "media_file" in line]
        return sum(float(line.rpartition(" ")[2]) for line in rows)


@contextlib.contextmanager
def served(script: str, what: Path, folder: Path) -> Iterator[Served]:
    """Serve the gallery of a workspace, or a page of Streamlit's own, from a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    output = folder / f"served-{port}.txt"
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    with output.open("w") as said:
        command = [sys.executable, "-c", script, str(what), str(port)]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            _wait(f"http://127.0.0.1:{port}/_stcore/health", process, output)
            yield Served(what=what, url=f"http://127.0.0.1:{port}", pid=process.pid, output=output)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise SystemExit(f"the server did not start: {output.read_text()[-2000:]}")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's, without a window."""
    found = shutil.which("chromium")
    if found is None:
        raise SystemExit("this needs Debian's chromium: apt-get install --no-install-recommends chromium fonts-dejavu-core")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield launched
        finally:
            launched.close()


@contextlib.contextmanager
def visitor(browser: Browser) -> Iterator[Page]:
    """One who has never been here: nothing is in the browser's cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(IN_PAGE)
    try:
        yield context.new_page()
    finally:
        context.close()


def ask(page: Page, act: str, ready: str) -> float:
    """Milliseconds from an act until something is so, and painted. Both are expressions; in `ready`, `before` is what named the tiles.

    Before it, what went before is waited for: the pager stands below the grid, and comes to know of a flip after it.
    """
    page.wait_for_function(IDLE, timeout=60_000)
    script = f"() => {{ const before = named(); return until(() => {{ {act} }}, () => {ready}) }}"
    return float(page.evaluate(script))


def loaded(page: Page, url: str, ready: str) -> float:
    """Milliseconds from a new page's first request until something is so."""
    page.goto(url, wait_until="commit")
    page.wait_for_function("() => window.until !== undefined")
    page.evaluate(f"() => until(() => 0, () => {ready}, 120000)")
    return float(page.evaluate("() => performance.now()"))


class Sockets:
    """What came over a page's WebSocket: elements and bytes of each rerun."""

    def __init__(self, page: Page) -> None:
        self.reruns: list[dict[str, int]] = []
        page.on("websocket", lambda socket: socket.on("framereceived", self._came))

    def _came(self, payload: Any) -> None:
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        if not isinstance(payload, bytes):
            return
        message = ForwardMsg()
        message.ParseFromString(payload)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.reruns.append({"elements": 0, "blocks": 0, "bytes": 0, "data": 0, "ended": 0})
        elif self.reruns:
            one = self.reruns[-1]
            one["bytes"] += len(payload)
            is_block = kind == "delta" and message.delta.WhichOneof("type") == "add_block"
            one["blocks"] += int(is_block)
            if kind == "delta" and message.delta.new_element.WhichOneof("type") == "bidi_component":
                one["data"] += len(message.delta.new_element.bidi_component.json.encode())
            one["elements"] += int(kind in ("delta", "ref_hash") and not is_block)
            one["ended"] += int(kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY)

    def whole(self) -> list[dict[str, int]]:
        """Of reruns of a whole page that have ended; not of a part that looks for news."""
        return [one for one in self.reruns if one["ended"]]


def shown_error(page: Page) -> str:
    """What a page says of an error, or ''."""
    found = page.evaluate("() => deep('[data-testid=stException], [data-testid=stAlertContentError]').map((one) => one.textContent)")
    return json.dumps(found) if found else ""
