"""The real server, over a day of traffic, and the distribution's Chromium before it."""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests import tools
from tests.browser.history import write_history
from tests.process import ROOT, Server, running

#: No sandbox where tests run as root; nothing that calls home; one process for all pages of a server in one context.
ARGUMENTS = (
    "--no-sandbox",
    "--process-per-site",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PASSWORD = "correct horse"
VIEWER = "token-of-bob"
STANDARD: dict[str, Any] = {"timezone_id": "UTC", "locale": "en-GB", "viewport": {"width": 1_280, "height": 800}}

#: The browser of all files of this folder, and what ends it.
_opened: list[Browser] = []
_closing = ExitStack()

expect.set_options(timeout=30_000)  # a busy machine is no fault of the page


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where screenshots go: a folder of the repository that SCREENSHOTS_DIR names. None are taken without it."""
    return Path(ROOT, os.environ["SCREENSHOTS_DIR"]) if "SCREENSHOTS_DIR" in os.environ else None


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outbox with a day of traffic, of which each module gets a copy: the first worker makes it, in two seconds."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "history"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "pinrelay.db").exists():
            written = write_history(f"sqlite:///{folder}/written.db", now=time.time())
            with ThreadPoolExecutor(1) as apart:  # while Chromium is open, Playwright's event loop runs in this thread
                apart.submit(asyncio.run, written).result()
            (folder / "written.db").rename(folder / "pinrelay.db")
    return folder / "pinrelay.db"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, history: Path) -> Iterator[Server]:
    """A server with a day of traffic behind it."""
    folder = tmp_path_factory.mktemp("busy")
    shutil.copy(history, folder)
    with running(folder, pinterest_ads_token="pina-of-the-sandbox") as server:
        yield server


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has not seen an event yet."""
    with running(tmp_path_factory.mktemp("fresh")) as server:
        yield server


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose console has a password, and a viewer."""
    with running(tmp_path_factory.mktemp("locked"), console_password=PASSWORD, console_users=f"bob:{VIEWER}") as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Browser:
    if not _opened:
        playwright = _closing.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=tools.chromium(playwright), args=list(ARGUMENTS))
        _closing.callback(browser.close)
        _opened.append(browser)
    return _opened[0]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Close Chromium after the last test of this folder, not of each file: to open it takes a second of CPU.

    The tests of other folders have event loops of their own in this thread.
    """
    if nextitem is None or item.path.parent != nextitem.path.parent:
        _opened.clear()
        _closing.close()


@pytest.fixture(scope="module")
def usual(chromium: Browser) -> Iterator[BrowserContext]:
    """The context of pages that ask for nothing special: a process of their own would take longer than the pages."""
    context = chromium.new_context(**STANDARD)
    yield context
    context.close()


@pytest.fixture
def open_page(chromium: Browser, usual: BrowserContext) -> Iterator[Callable[..., Page]]:
    """`open_page(url, **context)` opens a page, in a context of its own where that is to be different.

    `open_page(url, tab)` goes on in an open one.

    When the test ends it must not have complained on its console, nor asked any other host for anything.
    """
    complaints: list[str] = []
    with ExitStack() as cleanup:

        def open_one(url: str, tab: Page | None = None, **context: Any) -> Page:
            page = tab or (chromium.new_context(**(STANDARD | context)) if context else usual).new_page()
            if page is not tab:
                cleanup.callback(page.context.close if context else page.close)
            host = "/".join(url.split("/")[:3])
            listeners: dict[Any, Callable[[Any], None]] = {
                "console": lambda said: complaints.append(said.text) if said.type == "error" else None,
                "pageerror": lambda error: complaints.append(str(error)),
                "request": lambda asked: None if asked.url.startswith(host) else complaints.append(asked.url),
            }
            for event, listener in listeners.items():
                page.on(event, listener)
                cleanup.callback(page.remove_listener, event, listener)
            page.goto(url)
            return page

        yield open_one
    usual.clear_cookies()
    usual.clear_permissions()
    assert complaints == []
