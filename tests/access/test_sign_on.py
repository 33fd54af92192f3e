"""Single sign-on by the settings of docs/operating.md, behind a proxy that treats headers as oauth2-proxy does.

It removes a visitor's headers of these names, sets those of the session, and joins several values by commas.
Source: pkg/middleware/headers.go and the legacy headers of oauth2-proxy 7.
"""

import shlex
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.examples.blocks import BLOCKS
from tests.process import PLAIN, running

pytestmark = pytest.mark.whole

(SHOWN,) = (block.text for block in BLOCKS if block.page == "operating" and "X-Forwarded-Groups" in block.text)
SETTINGS = {name.lower(): value for name, _, value in (line.partition("=") for line in shlex.split(SHOWN))}
OF_SESSION = ("X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username")


class Proxy(BaseHTTPRequestHandler):
    """Says who has logged in: whose session a cookie names, and of which groups."""

    target = ""

    def do_GET(self) -> None:
        user, _, groups = self.headers.get("Cookie", "").partition("=")
        headers = [(name, value) for name, value in self.headers.items() if name.title() not in OF_SESSION]
        headers += [("X-Forwarded-User", "0a1b"), ("X-Forwarded-Email", f"{user}@shop.example")]
        headers += [("X-Forwarded-Groups", groups)] if groups else []
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = httpx.request(self.command, f"{self.target}{self.path}", headers=headers, content=body, **PLAIN)
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_POST = do_GET  # noqa: N815 - as http.server asks for them

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def console(tmp_path: Path) -> Iterator[str]:
    """The address of the console behind the proxy."""
    local: dict[str, Any] = SETTINGS | {
        "trusted_proxies": "127.0.0.1",
        "host": "0.0.0.0",
        "write_keys": "shop:4f1c0e6f2a9d4e37",
    }
    with running(tmp_path, **local) as server, ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        Proxy.target = server.url
        Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}"
        proxy.shutdown()


def asked(console: str, cookie: str, **more: str) -> tuple[str, int]:
    """Return the page of a person, and the status of a switch that they turn off."""
    headers = {"Cookie": cookie, **more}
    page = httpx.get(f"{console}/console", headers=headers, **PLAIN)
    assert page.status_code == 200
    switched = httpx.post(
        f"{console}/console/mappings/switch", headers=headers | {"Origin": console}, data={"on": "no"}, **PLAIN
    )
    return page.text, switched.status_code


def test_members_of_the_group_operate_and_others_look(console: str) -> None:
    page, status = asked(console, "ada=staff,pinrelay-operators")
    assert ("ada@shop.example" in page, status) == (True, 303)
    page, status = asked(console, "bob=staff")
    assert ("bob@shop.example" in page, status) == (True, 403)
    page, status = asked(console, "eve=", **{"X-Forwarded-Groups": "pinrelay-operators", "X-Forwarded-Email": "ada"})
    assert ("eve@shop.example" in page, status) == (True, 403)
