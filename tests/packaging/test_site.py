"""`make docs`: every page and link is sound, a reader finds things by search, and nothing is asked of another host."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import sync_playwright

from tests.process import PATH, ROOT
from tests.tools import chromium

pytestmark = [pytest.mark.prove, pytest.mark.whole]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors: a page that is left out, a link or an anchor that is not there."""
    folder = tmp_path_factory.mktemp("site")
    environment = {"PATH": PATH, "HOME": os.environ["HOME"], "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    mkdocs = Path(sys.executable).parent / "mkdocs"
    arguments = ("build", "--quiet", "-f", ".ci/mkdocs.yml", "-d", folder)
    done = subprocess.run([mkdocs, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_reader_finds_a_setting_by_search_and_no_other_host_is_asked(served: str) -> None:
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("requestfinished", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: asked.append(request.url))
        page.goto(f"{served}/index.html")
        page.get_by_placeholder("Search").press_sequentially("quarantine_hours")  # `fill` lets go of no key
        page.locator(".md-search-result__link").first.click()
        page.wait_for_url("**/*.html?h=*")
        assert page.get_by_text("QUARANTINE_HOURS").count()
        browser.close()
    assert [url for url in asked if not url.startswith((served, "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("page", "held"),
    [
        ("fields", "custom_data.order_id"),
        ("directives", "an object with <code>url</code>, <code>name</code>"),
        ("commands", "pinrelay quarantine replay"),
        ("api", "POST /api/v1/deliveries/redrive"),
        ("metrics", "pinrelay_request_seconds"),
        ("outcomes", "Its order was cancelled before it left."),
    ],
)
def test_the_reference_is_made_of_the_code(site: Path, page: str, held: str) -> None:
    assert held in (site / f"reference/{page}.html").read_text(encoding="utf-8")
