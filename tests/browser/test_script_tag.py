"""The page of docs/browser-helper.md in a real browser: its event arrives at the sandbox."""

import re
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from playwright.sync_api import Browser

from tests.examples.blocks import BLOCKS
from tests.process import PLAIN, running
from tests.waiting import until

KEY = "4f1c0e6f2a9d4e37"


@pytest.mark.whole
def test_the_script_of_the_page_sends_its_order_with_click_and_request(chromium: Browser, tmp_path: Path) -> None:
    (shown,) = (block.text for block in BLOCKS if (block.page, block.title) == ("browser-helper", "page"))
    shop = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    Thread(target=shop.serve_forever, daemon=True).start()
    with running(tmp_path, write_keys=f"shop:{KEY}", batch_max_wait_s=0.1) as server, closing(shop.socket):
        html = shown.replace("https://events.example.com", server.url).replace("4f1c...", KEY)
        (tmp_path / "thanks.html").write_text(html, encoding="utf-8")
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{shop.server_port}/thanks.html?epik=dj0yJnU9abc")
        (event,) = until(lambda: httpx.get(f"{server.url}/sandbox/events", **PLAIN).json(), what="it is delivered")
        page.close()
        shop.shutdown()
    assert (event["event_name"], event["custom_data"]["order_id"]) == ("checkout", "SO-1")
    assert event["user_data"]["click_id"] == "dj0yJnU9abc"
    assert "Mozilla" in event["user_data"]["client_user_agent"]
    assert re.fullmatch(r"[0-9a-f]{32}", event["event_id"])
