"""A server with missing or damaged rows sets them aside or is not ready, with the reason, and loses no other event."""

import json
import resource
import time
from collections.abc import Callable
from itertools import count, islice
from typing import Any

import httpx
import pytest

from tests.outbox.other_connection import execute
from tests.process import PLAIN, Server
from tests.waiting import until
from tests.whole.conftest import Pinterest, delivery, post, until_settled
from tests.whole.test_pairs import KEYS, SETTINGS, side

WHO = {"ip": "203.0.113.9", "userAgent": "x"}


def damage_payload(url: str, message_id: str, damage: str) -> int:
    """Delete the payload of a delivery, or make it unreadable; return the id of the delivery."""
    ((id_,),) = execute(url, "SELECT id FROM delivery WHERE message_id = ?", message_id)
    is_file = url.startswith("sqlite")
    table, column = ("payload", "delivery_id") if is_file else ("delivery", "id")
    if damage == "missing":
        execute(url, f"DELETE FROM {table} WHERE {column} = ?", id_)
    else:
        execute(url, f"UPDATE {table} SET {'body' if is_file else 'payload'} = ? WHERE {column} = ?", b'{"event', id_)
    return int(id_)


def page(message_id: str) -> dict[str, Any]:
    return {"type": "page", "messageId": message_id, "context": WHO}


def test_a_delivery_without_payload_is_set_aside_with_the_reason_and_all_others_are_sent(
    outbox_url: str, pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    server = start_server(**(pinterest.settings | {"outbox_url": outbox_url, "batch_max_wait_s": 2}))
    post(server, [page(f"page-{number}") for number in range(5)])
    id_ = damage_payload(outbox_url, "page-2", "missing")

    why = f"the payload of delivery {id_} is missing"
    until(lambda: delivery(server)["state"] == "set aside", 20)
    until(lambda: len(pinterest.event_ids()) == 4, 20)
    assert why in delivery(server)["problems"][0]["sentence"]
    assert why in httpx.get(f"{server.url}/console", **PLAIN).text
    assert why in server.run("status")
    post(server, [page("later")])
    until(lambda: len(pinterest.event_ids()) == 5, 20)
    assert sorted(pinterest.event_ids()) == ["later", "page-0", "page-1", "page-3", "page-4"]
    assert server.log.count("row refused") == 1
    assert {delivery(server)[state] for state in ("claimed", "dead")} == {0}
    assert delivery(server)["pending"] == 1


@pytest.mark.parametrize("damage", ["missing", "unreadable"])
def test_an_order_of_the_shop_is_sent_if_the_payload_of_the_page_is_damaged(
    outbox_url: str, pinterest: Pinterest, start_server: Callable[..., Server], damage: str
) -> None:
    changed = SETTINGS | {"outbox_url": outbox_url}
    server = start_server(**(pinterest.settings | changed))
    for source in ("page", "shop"):
        event, key = side(source, 2), KEYS[source]
        if source == "shop":
            event["timestamp"] = time.time() - 56 * 60  # too old to wait
        answer = httpx.post(f"{server.url}/v1/track", json=event, auth=(key, ""), timeout=30, **PLAIN)
        assert answer.status_code == 200, answer.text
        if source == "page":
            damage_payload(outbox_url, "page-2", damage)
    until(pinterest.event_ids, 20)
    (sent,) = [json.loads(line)["custom_data"] for line in pinterest.file.read_text(encoding="utf-8").splitlines()]
    assert (sent["order_id"], sent["value"]) == ("SO-2", "2")


def limit_files(server: Server, limit_bytes: int) -> None:
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))


@pytest.mark.measured
@pytest.mark.parametrize("limit_bytes", [4_096, 300_000, 1_000_000])
def test_a_server_is_not_ready_if_its_limit_on_file_sizes_leaves_no_room(
    pinterest: Pinterest, start_server: Callable[..., Server], limit_bytes: int
) -> None:
    server = start_server(**pinterest.settings)
    names = (f"{number:04}" for number in count())
    accepted: list[str] = []

    def status_of_post(events: int) -> int:
        ids = list(islice(names, events))
        answer = httpx.post(f"{server.url}/webhook", json=[page(id_) for id_ in ids], timeout=30, **PLAIN)
        accepted.extend(ids if answer.status_code == 200 else ())
        return answer.status_code

    assert status_of_post(1) == 200
    limit_files(server, limit_bytes)
    until(lambda: status_of_post(1_000) == 503, 30)
    for events in (1, 1_000, 1):
        ready = httpx.get(f"{server.url}/readyz", **PLAIN)
        assert (ready.status_code, ready.json()["why"]) == (503, "not writable"), ready.text
        assert f"files of at most {limit_bytes:,} bytes" in ready.json()["reason"]
        assert status_of_post(events) == 503
    assert f'"message":"This process may write files of at most {limit_bytes:,} bytes' in server.log
    limit_files(server, resource.RLIM_INFINITY)
    assert httpx.get(f"{server.url}/readyz", **PLAIN).status_code == 200
    assert status_of_post(1_000) == 200
    until_settled(server)
    assert set(accepted) <= set(pinterest.event_ids())


@pytest.mark.parametrize("key", ["clock/holds", "switch/destination"])
def test_a_server_is_not_ready_while_a_shared_value_is_damaged(
    outbox_url: str, pinterest: Pinterest, start_server: Callable[..., Server], key: str
) -> None:
    server = start_server(**(pinterest.settings | SETTINGS | {"outbox_url": outbox_url}))
    numbers = count(1)
    accepted: list[str] = []

    def status_of_order() -> int:
        event = side("page", next(numbers))
        answer = httpx.post(f"{server.url}/v1/track", json=event, auth=(KEYS["page"], ""), timeout=30, **PLAIN)
        accepted.extend([event["messageId"]] if answer.status_code == 200 else [])
        return answer.status_code

    assert status_of_order() == 200
    execute(outbox_url, "DELETE FROM shared WHERE key = ?", key)
    execute(outbox_url, "INSERT INTO shared VALUES (?, ?, 1)", key, '{"at": 17')
    ready = httpx.get(f"{server.url}/readyz", **PLAIN)
    assert (ready.status_code, ready.json()["why"]) == (503, "damaged"), ready.text
    assert key in ready.json()["reason"]
    assert key in httpx.get(f"{server.url}/console", **PLAIN).text
    if key == "clock/holds":
        until(lambda: status_of_order() == 503, 30)
        until(lambda: f"The shared value {key} in the outbox is damaged" in server.log, 30)
    else:  # the process acts on the switch that it read last
        assert status_of_order() == 200
    execute(outbox_url, "DELETE FROM shared WHERE key = ?", key)
    until(lambda: httpx.get(f"{server.url}/readyz", **PLAIN).status_code == 200, 10)
    until(lambda: status_of_order() == 200, 30)
    found = execute(outbox_url, "SELECT message_id FROM delivery")
    assert set(accepted) == {message_id for (message_id,) in found}
    assert '"status":500' not in server.log
