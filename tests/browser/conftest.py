"""The real server, over a day of traffic, and the distribution's Chromium before it."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import tools
from tests.browser.history import write_history
from tests.process import ROOT, Server, running

#: No sandbox where tests run as root; nothing that calls home.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PASSWORD = "correct horse"
VIEWER = "token-of-bob"

expect.set_options(timeout=30_000)  # a busy machine is no fault of the page


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where screenshots go: a folder of the repository that SCREENSHOTS_DIR names. None are taken without it."""
    return Path(ROOT, os.environ["SCREENSHOTS_DIR"]) if "SCREENSHOTS_DIR" in os.environ else None


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outbox with a day of traffic, of which each module gets a copy: made in a second."""
    folder = tmp_path_factory.mktemp("history")
    written = write_history(f"sqlite:///{folder}/pinrelay.db", now=time.time())
    with ThreadPoolExecutor(1) as apart:  # while Chromium is open, Playwright's event loop runs in this thread
        apart.submit(asyncio.run, written).result()
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
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.chromium(playwright), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """`open_page(url, **context)` opens a page in a context of its own.

    When the test ends it must not have complained on its console, nor asked any other host for anything.
    """
    complaints: list[str] = []
    with ExitStack() as cleanup:

        def open_one(url: str, **context: Any) -> Page:
            standard = {"timezone_id": "UTC", "locale": "en-GB", "viewport": {"width": 1_280, "height": 800}}
            page = chromium.new_context(**(standard | context)).new_page()
            cleanup.callback(page.context.close)
            host = "/".join(url.split("/")[:3])
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda asked: None if asked.url.startswith(host) else complaints.append(asked.url))
            page.goto(url)
            return page

        yield open_one
    assert complaints == []
