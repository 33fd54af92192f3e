"""The whole flow with the real command: what is answered 200 arrives, once, hashed, also across a crash."""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.disks import bytes_of
from tests.process import Server
from tests.waiting import until
from tests.whole.conftest import Pinterest, delivery, is_settled, post, until_settled

ARRAY = 100
EMAIL = re.compile(rb"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")


def arrays(events: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(events), ARRAY):
        yield events[start : start + ARRAY]


def enqueued_ids(receipt: dict[str, Any]) -> list[str]:
    return [
        event["message_id"]
        for event in receipt["events"]
        for line in event["deliveries"]
        if line["outcome"] == "enqueued"
    ]


def emails_in(value: Any) -> Iterator[str]:
    """Yield every e-mail address anywhere in a JSON value."""
    yield from (found.decode() for found in EMAIL.findall(json.dumps(value).encode()))


def test_every_event_has_an_exit_and_every_enqueued_delivery_arrives_once(
    pinterest: Pinterest, start_server: Callable[..., Server], events: list[dict[str, Any]]
) -> None:
    server = start_server(**pinterest.settings)

    receipts = [post(server, array) for array in arrays(events)]
    until_settled(server)

    counts: Counter[str] = sum((Counter(receipt["counts"]) for receipt in receipts), Counter())
    lines = [event["deliveries"] for receipt in receipts for event in receipt["events"]]
    assert len(lines) == len(events)
    assert all(lines)
    assert pinterest.counts()["received"] == counts["enqueued"] > 1_000
    assert pinterest.counts()["duplicates"] == 0
    assert delivery(server)["dead"] == 0


def test_no_email_of_the_input_is_in_the_database_or_the_logs(
    pinterest: Pinterest, start_server: Callable[..., Server], events: list[dict[str, Any]], tmp_path: Path
) -> None:
    server = start_server(**pinterest.settings)
    planted = {email.lower().encode() for email in emails_in(events)}
    assert len(planted) > 50

    for array in arrays(events):
        post(server, array)
    while_pending = b"".join(bytes_of(path) for path in tmp_path.glob("pinrelay.db*")).lower()
    until_settled(server)
    afterwards = b"".join(bytes_of(path) for path in tmp_path.rglob("*") if path.is_file()).lower()

    for email in planted:
        assert email not in while_pending
        assert email not in afterwards


def test_nothing_that_was_answered_200_is_missing_after_a_crash(
    pinterest: Pinterest, start_server: Callable[..., Server], events: list[dict[str, Any]]
) -> None:
    server = start_server(
        **(pinterest.settings | {"send_timeout_s": 1})
    )  # a lease of the killed holds three times that
    answered: set[str] = set()
    begun = threading.Event()

    def send() -> None:
        for array in arrays(events):
            try:
                answered.update(enqueued_ids(post(server, array)))
            except httpx.TransportError:
                return
            if len(answered) > 300:
                begun.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert begun.wait(30)
    server.kill()
    sender.join(30)
    server.start()
    until_settled(server)

    assert len(answered) > 300
    assert answered <= set(pinterest.event_ids())


@pytest.mark.measured
def test_a_second_sigterm_ends_at_once(pinterest: Pinterest, start_server: Callable[..., Server]) -> None:
    server = start_server(**(pinterest.settings | {"send_timeout_s": 30}), shutdown_timeout_s=25)
    pinterest.misbehave({"delay_s": 20, "times": 1})
    event = {"type": "page", "messageId": "slow", "context": {"ip": "203.0.113.9", "userAgent": "x"}}
    post(server, [event])
    until(lambda: delivery(server)["claimed"] == 1)

    server.process.terminate()
    until(lambda: "Shutting down" in server.log)
    server.process.terminate()

    assert server.process.wait(5) != 0
    server.start()
    until(lambda: not is_settled(server))
    server.kill()  # else it would wait for the slow call
