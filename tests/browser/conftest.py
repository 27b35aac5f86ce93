"""One chromium for all, and for each file a workspace of its own with a gallery that serves it."""

import shutil
from collections.abc import Iterator

import pytest
from browsing import served
from gallery_factories import wide_workspace
from playwright.sync_api import Browser, expect, sync_playwright

from db.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return wide_workspace(tmp_path_factory.mktemp("wide"), amount=120)


@pytest.fixture(scope="module")
def gallery(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(workspace.folder, tmp_path_factory.mktemp("elsewhere")) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium is not None, "tests/browser need Debian's chromium: apt-get install --no-install-recommends chromium fonts-dejavu-core"
    expect.set_options(timeout=15_000)  # a page takes seconds on a busy machine
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()
