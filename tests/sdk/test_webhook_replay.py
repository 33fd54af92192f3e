"""Segment's webhook destination, replayed by the calls that its code makes, against the real server."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sdk.conftest import SHARED_SECRET, Door

pytestmark = pytest.mark.whole

Replay = Callable[..., dict[str, Any]]


@pytest.fixture
def replay(door: Door, run_node: Callable[..., str]) -> Replay:
    def send(kind: str, events: list[dict[str, Any]], secret: str = SHARED_SECRET) -> dict[str, Any]:
        printed = run_node("webhook.mjs", f"{door.url}/webhook", secret, kind, given=json.dumps(events))
        answer: dict[str, Any] = json.loads(printed)
        return answer

    return send


def added(message_id: str) -> dict[str, Any]:
    """An event whose JSON no other writer would write as JavaScript does: 1.0 becomes 1, é stays é."""
    return {
        "type": "track",
        "event": "Product Added",
        "messageId": message_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "context": {"traits": {"email": "ada.miller@example.com"}},
        "properties": {"product_id": "OA-1971", "name": "Café", "price": 1.0, "rate": 1e-7, "currency": "EUR"},
    }


def test_a_single_event_is_signed_whole(door: Door, replay: Replay, new_id: Callable[[], str]) -> None:
    message_id = new_id()

    answer = replay("single", [added(message_id)])

    assert (answer["status"], answer["answer"]["counts"]["enqueued"]) == (200, 1)
    door.arrives(message_id, "add_to_cart")


@pytest.mark.parametrize("kind", ["batch", "extensible"])
def test_a_batch_is_signed_over_its_first_event(
    kind: str, door: Door, replay: Replay, new_id: Callable[[], str]
) -> None:
    message_ids = [new_id() for _ in range(3)]

    answer = replay(kind, [added(message_id) for message_id in message_ids])

    assert (answer["status"], answer["answer"]["counts"]["enqueued"]) == (200, 3)
    for message_id in message_ids:
        door.arrives(message_id, "add_to_cart")


def test_a_batch_sent_again_is_delivered_once(door: Door, replay: Replay, new_id: Callable[[], str]) -> None:
    event = added(new_id())

    first, second = (replay("batch", [event]) for _ in range(2))

    assert first["answer"]["counts"].get("enqueued") == 1
    assert second["answer"]["counts"].get("duplicate") == 1
    door.arrives(event["messageId"], "add_to_cart")


@pytest.mark.parametrize("kind", ["single", "batch", "extensible"])
def test_another_secret_is_refused(kind: str, replay: Replay, new_id: Callable[[], str]) -> None:
    assert replay(kind, [added(new_id())], secret="guessed")["status"] == 401
