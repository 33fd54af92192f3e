"""A sender that is killed in the middle of a call: what may have arrived follows RETRY_OFFLINE_AMBIGUOUS."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.deliveries import LEASE_LOST
from tests.process import PLAIN, Server
from tests.whole.conftest import Pinterest, post, until_settled

WHO = {"ip": "203.0.113.9", "userAgent": "x"}
#: What happens in the shop is `offline`, what happens on a page is `web`.
EVENTS: list[dict[str, Any]] = [
    {"type": "screen", "messageId": "in-the-shop", "context": WHO},
    {"type": "page", "messageId": "on-a-page", "context": WHO},
]
PRESET = """
name: {source}
subscribe: type = "{kind}"
action: report_conversion_event
mapping: {{event_name: custom, action_source: {source}}}
"""


@pytest.fixture
def presets_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "presets"
    folder.mkdir()
    for source, kind in (("offline", "screen"), ("web", "page")):
        (folder / f"{source}.yaml").write_text(PRESET.format(source=source, kind=kind), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("resend", "arrive"), [(False, ["on-a-page"]), (True, ["in-the-shop", "on-a-page"])])
def test_a_sender_killed_in_a_call_leaves_offline_events_to_the_setting(
    outbox_url: str,
    pinterest: Pinterest,
    start_server: Callable[..., Server],
    presets_dir: Path,
    *,
    resend: bool,
    arrive: Sequence[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = pinterest.settings | {"pinterest_api_url": f"http://127.0.0.1:{port}", "send_timeout_s": 1}
        server = start_server(
            **settings, outbox_url=outbox_url, presets_dir=presets_dir, retry_offline_ambiguous=resend
        )
        post(server, EVENTS)
        _kill_in_the_call(server, silent)

    server.environment["PINTEREST_API_URL"] = str(pinterest.settings["pinterest_api_url"])
    server.start()
    until_settled(server)

    assert sorted(pinterest.event_ids()) == arrive
    history = [(each["number"], each["result"], each["message"]) for each in _shown(server, "on-a-page")["history"]]
    assert history == [(1, "retry", LEASE_LOST), (2, "delivered", "")]
    in_the_shop = _shown(server, "in-the-shop")
    assert in_the_shop["state"] == ("delivered" if resend else "dead")
    if not resend:
        assert in_the_shop["reason"].endswith(LEASE_LOST)
        redriven = httpx.post(f"{server.url}/api/v1/deliveries/redrive", json={"message_id": "in-the-shop"}, **PLAIN)
        assert redriven.json() == {"redriven": 1, "overtaken": 0, "waiting": 0, "too_old": 0, "is_complete": True}
        until_settled(server)
        assert sorted(pinterest.event_ids()) == ["in-the-shop", "on-a-page"]


def _kill_in_the_call(server: Server, silent: socket.socket) -> None:
    """Wait for a call with all events, answer nothing, and end the server as a crash would."""
    silent.settimeout(30)
    connection, _ = silent.accept()
    with connection:
        connection.settimeout(30)
        received = b""
        while not all(event["messageId"].encode() in received for event in EVENTS):
            received += connection.recv(65_536)
        server.kill()


def _shown(server: Server, message_id: str) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/api/v1/messages/{message_id}", **PLAIN).json()
    (delivery,) = answer["deliveries"]
    return dict(delivery)
