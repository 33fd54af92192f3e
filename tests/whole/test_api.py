"""What the HTTP interface for operators does to a real server's outbox; who may use it: tests/server."""

import time
from collections.abc import Callable

import httpx

from app.core.deliveries import HELD
from tests.process import PLAIN, Server
from tests.waiting import until
from tests.whole.conftest import Pinterest, delivery, post, until_settled

PASSWORD = "console-password-9b1c"
EVENT = {"type": "page", "messageId": "api-1", "context": {"ip": "203.0.113.9", "userAgent": "x"}}


def test_a_dead_letter_is_listed_shown_and_redriven_once(
    pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    pinterest.misbehave({"reject": "api-1", "times": 1})
    server = start_server(**pinterest.settings, console_password=PASSWORD)
    post(server, [EVENT])
    until(lambda: delivery(server)["dead"] == 1)

    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {PASSWORD}"}, **PLAIN) as operator:
        (dead,) = operator.get("/api/v1/deliveries?state=dead").json()["deliveries"]
        shown = operator.get(f"/api/v1/deliveries/{dead['delivery_id']}").json()
        first = operator.post("/api/v1/deliveries/redrive", json={"delivery_id": dead["delivery_id"]}).json()
        until_settled(server)
        second = operator.post("/api/v1/deliveries/redrive", json={"delivery_id": dead["delivery_id"]}).json()
        message = operator.get("/api/v1/messages/api-1").json()

    assert shown["reason"]
    nothing = {"redriven": 0, "overtaken": 0, "waiting": 0, "too_old": 0, "is_complete": True}
    assert (first, second) == (nothing | {"redriven": 1}, nothing)
    assert [attempt["result"] for attempt in message["deliveries"][0]["history"]] == ["rejected", "delivered"]
    assert pinterest.counts()["received"] == 1


def test_dead_letters_are_counted_by_cause_and_dismissed(
    pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    pinterest.misbehave({"reject": "api-1", "times": 1})
    server = start_server(**pinterest.settings)
    post(server, [EVENT])
    until(lambda: delivery(server)["dead"] == 1)

    with httpx.Client(base_url=server.url, **PLAIN) as operator:
        (cause,) = operator.get("/api/v1/deliveries/causes").json()["causes"]
        wanted = {"reason": cause["reason"], "preset": cause["preset"], "because": "a test"}
        told = [operator.post("/api/v1/deliveries/dismiss", json=wanted).json() for _ in range(2)]
        (dismissed,) = operator.get("/api/v1/deliveries?state=dismissed").json()["deliveries"]

    assert cause["count"] == 1
    assert told == [{"dismissed": count, "is_complete": True} for count in (1, 0)]
    assert dismissed["reason"].endswith(": a test")
    assert delivery(server)["dead"] == 0


def test_a_switch_holds_what_is_received_until_it_is_on_again(
    pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    server = start_server(**pinterest.settings)
    with httpx.Client(base_url=server.url, **PLAIN) as operator:
        operator.post("/api/v1/switch", json={"on": False}).raise_for_status()
        until(lambda: delivery(server)["state"] == "switched off")
        post(server, [EVENT])
        assert delivery(server)["pending"] == 1
        operator.post("/api/v1/switch", json={"on": True}).raise_for_status()

    until_settled(server)
    assert pinterest.counts()["received"] == 1


def test_a_preset_that_is_switched_off_hides_no_other_and_goes_out_within_two_seconds_when_it_is_on(
    outbox_url: str, pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    settings = {**pinterest.settings, "outbox_url": outbox_url, "batch_max_events": 50}
    server = start_server(**settings)
    held = [f"held-{number}" for number in range(300)]
    sent = {**EVENT, "type": "track", "event": "Generate Lead", "messageId": "sent"}
    with httpx.Client(base_url=server.url, **PLAIN) as operator:
        operator.post("/api/v1/switch", json={"preset": "Page Visit", "on": False}).raise_for_status()
        start_server(arguments=("serve", "--role", "send"), **settings)  # another sender, which knows of the switch
        post(server, [{**EVENT, "messageId": message_id} for message_id in held])
        post(server, [sent])
        until(lambda: pinterest.counts()["received"] == 1, 10, "the other event is sent")
        until(lambda: _reason(server, "held-0") == HELD, 10, "it says why it waits")
        assert delivery(server)["pending"] == len(held)
        operator.post("/api/v1/switch", json={"preset": "Page Visit", "on": True}).raise_for_status()
        switched_on_at = time.monotonic()

    until(lambda: pinterest.counts()["received"] > 1, 10)
    assert time.monotonic() - switched_on_at < 2
    until(lambda: pinterest.counts()["received"] > len(held), 30)
    until_settled(server)
    assert sorted(pinterest.event_ids()) == sorted(["sent", *held])


def _reason(server: Server, message_id: str) -> str:
    (found,) = httpx.get(f"{server.url}/api/v1/messages/{message_id}", **PLAIN).json()["deliveries"]
    return str(found["reason"])
