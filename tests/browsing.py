"""A real server and a real browser for tests/browser: the launcher as a process, and pages that are watched."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

SERVE = "import sys; from pathlib import Path; from gallery.server import serve; serve(Path(sys.argv[1]), int(sys.argv[2]))"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(folder: Path, cwd: Path, **variables: str) -> Iterator[str]:
    """The launcher as a process of its own, from a directory that knows nothing of the gallery's settings."""
    port = free_port()
    root = Path(__file__).parent.parent
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(cwd), **variables}
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder), str(port)], cwd=cwd, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            wait_until_healthy(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=20)
        lines = [line for line in output.splitlines() if line.strip()]
        assert process.returncode == 0
        assert lines == [f"The gallery is at http://127.0.0.1:{port} (Ctrl-C ends it)."], output


def wait_until_healthy(port: int, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
            return
        time.sleep(0.1)
    raise AssertionError("the gallery did not start within 40 s")


@dataclass
class Watched:
    """A page with everything it asked for and everything it complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> "Watched":
        self.page.on("request", self.asked)
        self.page.on("response", self.answered)
        self.page.on("console", self.said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return self

    def asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def answered(self, response: Response) -> None:
        # Streamlit looks for itself below the page's own path first; those two answers are its way to find out.
        if response.status >= 400 and not re.search(r"/[a-z]+/_stcore/(health|host-config)$", response.url):
            self.complaints.append(f"{response.status} {response.url}")

    def said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:  # `answered` has the address
            self.complaints.append(message.text)


@contextlib.contextmanager
def opened(browser: Browser, url: str, **options: object) -> Iterator[Page]:
    """A fresh visitor; on leaving, nothing went wrong and nothing left the machine."""
    context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900}, **options)  # type: ignore[arg-type]
    watched = Watched(context.new_page()).watch()
    watched.page.goto(url)
    yield watched.page
    origin = re.match(r"http://[^/]+", url)
    assert origin is not None
    strangers = [one for one in watched.requests if not one.startswith((origin[0], "data:", "blob:"))]
    context.close()
    assert strangers == [], strangers
    assert [one for one in watched.requests if one.startswith(f"{origin[0]}/media/")] == []  # Streamlit's store of pictures in memory
    assert watched.complaints == [], watched.complaints


def images_are_whole(page: Page) -> int:
    """Scrolls through the page, then checks that every picture is there and described; returns how many there are."""
    for step in range(12):
        page.mouse.wheel(0, 700)
        page.wait_for_timeout(30 if step else 60)
    page.wait_for_function(
        "() => { const all = []; const walk = (root) => root.querySelectorAll('*').forEach((one) => {"
        " if (one.tagName === 'IMG') all.push(one); if (one.shadowRoot) walk(one.shadowRoot) });"
        " walk(document); window.pictures = all;"
        " return all.length && all.every((one) => one.complete && one.naturalWidth > 0) }"
    )
    facts = page.evaluate("() => window.pictures.map((one) => [one.alt, one.src, one.clientWidth])")
    assert all(alt for alt, _, _ in facts), facts
    assert all("/app/static/" in source for _, source, _ in facts), facts
    assert all(width > 0 for _, _, width in facts), facts
    return len(facts)
