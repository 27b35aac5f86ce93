"""The gallery behind a token, as visitors meet it: the printed address, a colleague's link, a stranger."""

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import free_port, images_are_whole, opened
from playwright.sync_api import Browser, expect

from db.workspace import Workspace

pytestmark = pytest.mark.browser
TOKEN = "a-token-for-tests-0123456789"
COMMAND = "from sweep.cli.main import main; main()"


@pytest.fixture(scope="module")
def locked(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gallery that wants the token in its environment, started from the command line."""
    port = free_port()
    home = tmp_path_factory.mktemp("locked")
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.defpath, "HOME": str(home), "STYLESWEEP_TOKEN": TOKEN}
    words = [sys.executable, "-c", COMMAND, "gallery", "--port", str(port), "--workspace", str(workspace.folder)]
    with subprocess.Popen(words, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        announced = process.stdout.readline()
        assert announced == f"The gallery is at http://127.0.0.1:{port}/?token={TOKEN} (Ctrl-C ends it).\n"
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
        assert (process.returncode, rest.strip()) == (0, "")


@pytest.fixture
def other_site(locked: str) -> Iterator[str]:
    """A page of another site (for a browser localhost is another than 127.0.0.1) with links to the gallery, which it also frames."""
    page = (
        f'<a href="{locked}/gallery?sweep=demo&token={TOKEN}">with</a> <a href="{locked}/gallery?sweep=wide">without</a>'
        f'<iframe src="{locked}/?token={TOKEN}"></iframe>'
    )

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_printed_address_opens_everything_and_the_token_leaves_it(browser: Browser, locked: str) -> None:
    with opened(browser, f"{locked}/gallery?sweep=demo&token={TOKEN}") as page:
        page.wait_for_url(f"{locked}/gallery?sweep=demo")
        assert images_are_whole(page) >= 12
        (cookie,) = [one for one in page.context.cookies() if one["name"].startswith("stylesweep-")]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert page.evaluate("() => document.cookie.includes('stylesweep-')") is False
        page.reload()
        assert images_are_whole(page) >= 12


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/gallery", "/_stcore/health", "/_stcore/host-config", "/_stcore/stream", "/_stcore/metrics", "/_stcore/upload_file/a/b"),
        *(
            "/app/static/icon.svg",
            f"/app/static/t/{'0' * 64}.webp",
            "/app/static/review",
            "/static/index.js",
            "/media/x.png",
            "/favicon.png",
        ),
    ],
)
def test_a_stranger_gets_nothing_of_the_server(locked: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(locked + path, timeout=10)
    with refused.value as answer:
        assert (answer.code, answer.read()) == (401, b"a token is needed")


def test_who_has_a_link_without_the_token_is_asked_for_it_and_then_sees_what_was_linked(browser: Browser, locked: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{locked}/gallery?sweep=wide&content=cat.png")
    expect(page.get_by_role("heading")).to_have_text("This gallery wants its token.")
    page.get_by_label("Token").fill("not the token at all")
    page.get_by_role("button").click()
    expect(page.get_by_role("heading")).to_have_text("That is not its token.")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/gallery\?sweep=wide&content=cat\.png$"))
    page.locator(".tile img[alt^='cat.png']").first.wait_for()
    context.close()


def test_links_on_another_site_lead_in_but_it_may_not_frame_the_gallery(browser: Browser, locked: str, other_site: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(other_site)
    assert "stylesweep" not in page.frames[-1].content()
    page.get_by_text("with", exact=True).click()
    page.wait_for_url(f"{locked}/gallery?sweep=demo")
    page.locator("a.tile").first.wait_for()
    page.goto(other_site)
    page.get_by_text("without").click()  # the cookie is not sent from there, but the page asks once more by itself
    page.locator("a.tile").first.wait_for()
    page.wait_for_url(re.compile(r"/gallery\?sweep=wide"))
    context.close()


def test_a_websocket_from_elsewhere_is_not_opened(browser: Browser, locked: str, other_site: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(other_site)
    script = """(url) => new Promise((done) => {
        const socket = new WebSocket(url, ["streamlit"])
        socket.onopen = () => done("open")
        socket.onclose = () => done("closed")
    })"""
    assert page.evaluate(script, locked.replace("http", "ws") + "/_stcore/stream") == "closed"
    context.close()
