"""What bench/receive.py sends is what a sender would send, and nothing of it is a duplicate."""

import itertools

import orjson
import pytest

from bench.receiving.load import requests


@pytest.mark.parametrize("array", [0, 100])
def test_each_request_is_whole_and_has_its_own_messages_orders_and_checkouts(array: int) -> None:
    messages: list[str] = []
    orders: list[str] = []
    checkouts: list[str] = []
    for request in itertools.islice(requests(array), 50):
        head, body = request.split(b"\r\n\r\n", 1)
        events = orjson.loads(body)
        assert f"Content-Length: {len(body)}".encode() in head
        assert isinstance(events, list) == bool(array)
        for event in events if array else [events]:
            messages.append(event["messageId"])
            properties = event.get("properties", {})
            orders.extend(filter(None, [properties.get("order_id")]))
            checkouts.extend(filter(None, [properties.get("checkout_id")]))

    assert len(set(messages)) == len(messages) == 50 * (array or 1)
    assert len(set(orders)) == len(orders) > 0
    assert len(set(checkouts)) == len(checkouts) > 0
