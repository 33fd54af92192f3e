"""Whole servers receive and send both sides of orders, and are killed at random moments."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

import httpx
import orjson
import pytest

from tests.process import PLAIN, Server
from tests.rounds import Kind
from tests.waiting import until
from tests.whole.conftest import Pinterest, until_settled

KEYS = {"page": "0123456789abcdef", "shop": "0123456789abcdea"}
SETTINGS = {
    "write_keys": ",".join(f"{name}:{key}" for name, key in KEYS.items()),
    "trusted_senders": "shop",
    "send_timeout_s": 1,  # a lease of what was killed holds for three times as long
}


def side(source: str, number: int) -> dict[str, Any]:
    """What the page, or the shop, tells of an order."""
    told: dict[str, Any] = {"order_id": f"SO-{number}", "currency": "EUR"}
    context: dict[str, Any] = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
    if source == "page":
        told |= {"total": number, "event_id": f"tag-{number}"}
        context["page"] = {"url": f"https://shop.example/thanks?epik=dj0yJnU9{number}"}
    else:
        told |= {"total": number + 19, "tax": 19}
        context["traits"] = {"email": f"buyer-{number}@shop.example"}
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"{source}-{number}",
        "timestamp": time.time(),
        "context": context,
        "properties": told,
    }


def send(servers: list[Server], asked: list[tuple[str, int]], chance: Random) -> None:
    """Send sides of orders, each until a server says that it has it."""
    for source, number in asked:
        event = side(source, number)
        while True:
            server = chance.choice(servers)
            try:
                answer = httpx.post(f"{server.url}/v1/track", json=event, auth=(KEYS[source], ""), timeout=5, **PLAIN)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == 200:
                break
            assert answer.status_code == 503, answer.text


@pytest.mark.prove
def test_each_pair_is_one_event_whatever_server_is_killed(
    outbox_url: str,
    pinterest: Pinterest,
    start_server: Callable[..., Server],
    rounds: Callable[[Kind], int],
    record_figure: Callable[[str, object], None],
) -> None:
    kills, orders = rounds("kills"), 12 if rounds("kills") == 1 else 1_500
    settings = pinterest.settings | SETTINGS
    servers = [start_server(outbox_url=outbox_url, **settings) for _ in range(1 if kills == 1 else 2)]
    chance = Random(orders)
    asked = [(source, number) for source in KEYS for number in range(1, orders + 1)]
    chance.shuffle(asked)
    lanes = [threading.Thread(target=send, args=(servers, asked[lane::3], Random(lane))) for lane in range(3)]
    for lane in lanes:
        lane.start()
    for _ in range(kills):
        time.sleep(chance.uniform(0.1, 0.4 if kills == 1 else 3))
        killed = chance.choice(servers)
        killed.kill()
        killed.start()
    for lane in lanes:
        lane.join(600)
        assert not lane.is_alive(), "events are not answered"
    until_settled(servers[0], 60)
    until(lambda: len(set(pinterest.event_ids())) == orders, 10, "every order was sent")
    taken = defaultdict(set)
    for line in pinterest.file.read_text(encoding="utf-8").splitlines():
        event = orjson.loads(line)
        taken[event["custom_data"]["order_id"]].add(event["event_id"])
        number = int(event["custom_data"]["order_id"].removeprefix("SO-"))
        assert event["custom_data"]["value"] == str(number), event
        assert (event["user_data"]["click_id"], len(event["user_data"]["em"])) == (f"dj0yJnU9{number}", 1)
    assert taken == {f"SO-{number}": {f"tag-{number}"} for number in range(1, orders + 1)}
    counts = httpx.get(f"{servers[0].url}/api/v1/events/counts", **PLAIN).json()["counts"]
    told = {name: sum(each["count"] for each in counts if each["name"] == name) for name in ("enqueued", "merged")}
    assert (told["enqueued"], told["merged"] <= orders) == (orders, True)
    engine = outbox_url.partition(":")[0]
    record_figure(f"pairs at whole servers, {engine}", f"{orders} orders, {told['merged']} merged, {kills} kills")
