"""Nothing is lost by what breaks: a misbehaving Pinterest, crashes, a full disk. Real processes, counted."""

import random
import resource
import threading
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

import httpx
import pytest

from tests.process import PLAIN, Server
from tests.rounds import Kind
from tests.waiting import until
from tests.whole.conftest import Pinterest, delivery, post, until_settled

WHO = {"ip": "203.0.113.9", "userAgent": "x"}
QUICK = {"retry_base_s": 0.05, "retry_max_pause_s": 0.3, "retry_max_attempts": 60, "send_timeout_s": 1}


def page(message_id: str) -> dict[str, Any]:
    return {"type": "page", "messageId": message_id, "context": WHO}


def test_a_fault_storm_loses_no_good_event_and_names_every_bad_one(
    pinterest: Pinterest, start_server: Callable[..., Server], record_figure: Callable[[str, object], None]
) -> None:
    """Many rounds of it, without processes: tests/sender/test_worker_storm.py."""
    good = [f"good-{number}" for number in range(3_000)]
    bad = [f"poison-{number}" for number in range(3)]
    pinterest.misbehave(
        {"poison": "poison-", "times": None},
        {"status": 429, "retry_after": 0, "probability": 0.15, "times": 10},
        {"status": 503, "probability": 0.15, "times": 10},
        {"reset": True, "probability": 0.1, "times": 5},
        {"delay_s": 3, "reset": True, "probability": 0.1, "times": 2},
    )
    server = start_server(**(pinterest.settings | QUICK))
    ids = good + bad
    random.Random(7).shuffle(ids)
    for start in range(0, len(ids), 200):
        post(server, [page(message_id) for message_id in ids[start : start + 200]])
    until_settled(server, 90)

    assert sorted(pinterest.event_ids()) == sorted(good)
    assert delivery(server)["dead"] == len(bad)
    dead = httpx.get(f"{server.url}/api/v1/deliveries?state=dead", **PLAIN).json()["deliveries"]
    assert {each["event_id"] for each in dead} == set(bad)
    assert all(each["reason"] for each in dead)
    record_figure("fault storm", f"{len(good)} good once each, {len(bad)} dead, {pinterest.counts()['calls']} calls")


@pytest.mark.prove
def test_sigkill_at_random_moments_loses_nothing(
    outbox_url: str,
    pinterest: Pinterest,
    start_server: Callable[..., Server],
    rounds: Callable[[Kind], int],
    record_figure: Callable[[str, object], None],
) -> None:
    chance = random.Random(11)
    server = start_server(**(pinterest.settings | QUICK | {"batch_max_wait_s": 0.05, "outbox_url": outbox_url}))
    posted: set[str] = set()
    answered: set[str] = set()
    kills = rounds("kills")
    for number in range(kills):
        stop = threading.Event()
        sender = threading.Thread(target=_send_until, args=(server, f"round-{number}", posted, answered, stop))
        before = len(answered)
        sender.start()
        until(lambda: len(answered) > before, 30)  # noqa: B023 - used within the round
        time.sleep(chance.uniform(0.1, 0.6))  # the random moment
        server.kill()
        stop.set()
        sender.join(30)
        server.start()
    until_settled(server)

    received = pinterest.event_ids()
    assert answered <= set(received) <= posted
    duplicates = len(received) - len(set(received))
    assert duplicates <= kills * 4 * 1_000  # calls in flight, of a thousand at most
    counts = f"{kills} rounds, {len(answered)} answered, 0 lost, {duplicates} sent twice"
    record_figure(f"sigkill, {outbox_url.partition(':')[0]}", counts)


def _send_until(server: Server, prefix: str, posted: set[str], answered: set[str], stop: threading.Event) -> None:
    """Post calls that wait for others, and calls that fill a batch, which are claimed while they are stored."""
    number = 0
    for count in cycle((20, 20, 600)):
        if stop.is_set():
            return
        batch = [page(f"{prefix}-{number + offset}") for offset in range(count)]
        number += len(batch)
        posted.update(event["messageId"] for event in batch)
        try:
            receipt = post(server, batch)
        except (httpx.TransportError, AssertionError):
            return
        answered.update(event["message_id"] for event in receipt["events"])


def test_a_full_disk_answers_503_and_service_resumes_by_itself(
    pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    server = start_server(**pinterest.settings, log_level="error")
    post(server, [page("before")])
    until_settled(server)
    wal = server.log_path.parent / "pinrelay.db-wal"
    pid = server.process.pid

    resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, resource.RLIM_INFINITY))
    many = [page(f"full-{number}") for number in range(1_000)]
    answers = [httpx.post(f"{server.url}/webhook", json=many, timeout=30, **PLAIN) for _ in range(3)]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert httpx.get(f"{server.url}/healthz", **PLAIN).status_code == 200

    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    until(lambda: httpx.post(f"{server.url}/webhook", json=many, timeout=30, **PLAIN).status_code == 200, 30)
    until_settled(server)
    assert set(pinterest.event_ids()) == {"before"} | {event["messageId"] for event in many}


def test_a_refused_token_holds_events_and_a_changed_one_resumes_without_a_restart(
    pinterest: Pinterest, start_server: Callable[..., Server], tmp_path: Any
) -> None:
    file = tmp_path / "token"
    file.write_text("wrong", encoding="utf-8")
    settings = pinterest.settings
    good = str(settings.pop("pinterest_conversion_token"))
    server = start_server(**settings, pinterest_conversion_token_file=file)
    post(server, [page("held")])
    until(lambda: delivery(server)["state"] == "blocked", 20)

    assert httpx.get(f"{server.url}/readyz", **PLAIN).status_code == 200
    post(server, [page("still taken")])
    file.write_text(good, encoding="utf-8")
    until_settled(server)

    assert sorted(pinterest.event_ids()) == ["held", "still taken"]
    (message,) = httpx.get(f"{server.url}/api/v1/messages/held", **PLAIN).json()["deliveries"]
    assert message["attempts"] <= 1
