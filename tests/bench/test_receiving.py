"""What bench/receive.py sends is what a sender would send, and nothing of it is a duplicate."""

import itertools

import orjson
import pytest

from bench.receiving.load import requests


@pytest.mark.parametrize("events_of", ["clean", "sources"])
@pytest.mark.parametrize("array", [0, 100])
def test_each_request_is_whole_and_has_its_own_messages_orders_and_checkouts(array: int, events_of: str) -> None:
    messages: list[str] = []
    orders: list[str] = []
    checkouts: list[str] = []
    count = 50 if array else 250  # each event of the sources is among them
    for request in itertools.islice(requests(array, events_of), count):
        head, body = request.split(b"\r\n\r\n", 1)
        events = orjson.loads(body)
        assert f"Content-Length: {len(body)}".encode() in head
        assert isinstance(events, list) == bool(array)
        for event in events if array else [events]:
            messages.append(event["messageId"])
            properties = event.get("properties", {})
            orders.extend(filter(None, [properties.get("order_id")]))
            checkouts.extend(filter(None, [properties.get("checkout_id")]))

    assert len(set(messages)) == len(messages) == count * (array or 1)
    assert len(set(orders)) == len(orders) > 0
    assert len(set(checkouts)) == len(checkouts) > 0
