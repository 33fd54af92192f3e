"""One trace from the request to each attempt at delivery, with the real command and a real collector."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.collector import Collector, collecting
from tests.process import ITSELF, PLAIN, Server
from tests.waiting import until
from tests.whole.conftest import TOKEN, Pinterest, until_settled

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER_ID = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE_ID}-{CALLER_ID}-01"
UNSAMPLED = f"00-{TRACE_ID}-{CALLER_ID}-00"

EMAIL = "planted.person@example.com"
PAGE = {
    "type": "page",
    "messageId": "m-1",
    "properties": {"url": f"https://shop.example/?email={EMAIL}"},
    "context": {"ip": "203.0.113.9", "userAgent": "planted-agent", "traits": {"email": EMAIL}},
}
CALL = "POST /v5/ad_accounts/{ad_account_id}/events"
DELIVERY = "deliver Page Visit"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def traced(collector: Collector, pinterest: Pinterest, **settings: object) -> dict[str, object]:
    """Settings that export to the collector at once."""
    return {
        **pinterest.settings,
        "otel_exporter_otlp_endpoint": collector.url,
        "otel_bsp_schedule_delay": 100,
        **settings,
    }


def post(server: Server, traceparent: str, **changes: Any) -> None:
    headers = {"traceparent": traceparent, "tracestate": f"vendor={EMAIL}", "baggage": f"who={EMAIL}"}
    url = f"{server.url}/webhook?email={EMAIL}"
    httpx.post(url, json=PAGE | changes, headers=headers, **PLAIN).raise_for_status()


def arrived(collector: Collector, name: str) -> Any:
    return until(lambda: collector.one(name), 20, f"the span {name}")


def test_one_trace_leads_from_the_request_to_the_delivery(
    collector: Collector, pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    server = start_server(**traced(collector, pinterest), fastapi_otel_auto_configure="true")
    post(server, SAMPLED)

    delivery, call = arrived(collector, DELIVERY), arrived(collector, CALL)
    request, accept, enqueue = (arrived(collector, name) for name in ("POST /webhook", "accept", "enqueue"))

    chain = (request, accept, enqueue, delivery)
    assert {each.trace_id for each in chain} == {TRACE_ID}
    assert [each.parent_id for each in chain] == [CALLER_ID, *(each.span_id for each in chain[:-1])]
    assert request.resource["service.name"] == "pinrelay"
    assert (request.attributes["http.route"], request.attributes["http.response.status_code"]) == ("/webhook", 200)
    assert accept.attributes["pinrelay.enqueued"] == 1
    assert delivery.attributes["pinrelay.result"] == "delivered"

    assert call.trace_id != TRACE_ID
    assert (call.links, delivery.links) == ({enqueue.span_id}, {call.span_id})
    assert (call.attributes["messaging.batch.message_count"], call.attributes["http.response.status_code"]) == (1, 200)

    server.stop()
    exported = b"".join(collector.bodies)
    assert collector.paths == {"/v1/traces"}
    assert b"m-1" in exported
    assert all(planted.encode() not in exported for planted in (EMAIL, "planted", "203.0.113.9", TOKEN))


def test_the_trace_goes_on_in_the_process_that_sends(
    collector: Collector, pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    settings = traced(collector, pinterest, otel_bsp_schedule_delay=60_000)
    receiver = start_server(arguments=("serve", "--role", "receive"), **settings, otel_service_name="door")
    post(receiver, SAMPLED)
    receiver.stop()
    enqueue = collector.one("enqueue")
    assert enqueue, "the end of a process exports what is left"

    sender = start_server(arguments=("serve", "--role", "send"), **settings, otel_service_name="sender")
    until_settled(sender)
    sender.stop()

    delivery = collector.one(DELIVERY)
    assert delivery
    assert (delivery.trace_id, delivery.parent_id) == (TRACE_ID, enqueue.span_id)
    assert [each.resource["service.name"] for each in (enqueue, delivery)] == ["door", "sender"]


def test_every_attempt_has_its_span_and_workers_trace_too(
    collector: Collector, pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    pinterest.misbehave({"status": 503, "retry_after": 0, "times": 2})
    settings = traced(collector, pinterest, retry_base_s=0.05, retry_max_pause_s=0.1)
    server = start_server(arguments=("serve", "--workers", "2"), program=ITSELF, **settings)
    post(server, SAMPLED)

    def results() -> list[str]:
        return sorted(each.attributes["pinrelay.result"] for each in collector.spans(DELIVERY))

    until(lambda: results() == ["delivered", "retry", "retry"], 30, "three attempts in the trace")
    numbers = [each.attributes["pinrelay.attempt"] for each in collector.spans(DELIVERY)]
    assert numbers == [1, 1, 1]  # a call that Pinterest did not judge uses up no attempt
    assert {each.trace_id for each in collector.spans(DELIVERY)} == {TRACE_ID}


def test_what_its_sender_does_not_sample_leaves_no_span_and_still_arrives(
    collector: Collector, pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    server = start_server(**traced(collector, pinterest))
    post(server, UNSAMPLED)
    until_settled(server)
    post(server, SAMPLED, messageId="m-2")
    until_settled(server)
    server.stop()

    assert pinterest.counts()["received"] == 2
    assert {name: len(collector.spans(name)) for name in ("POST /webhook", "enqueue", CALL, DELIVERY)} == {
        "POST /webhook": 1,
        "enqueue": 1,
        CALL: 1,
        DELIVERY: 1,
    }


def test_a_collector_that_never_answers_holds_up_neither_events_nor_the_end(
    pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        server = start_server(**pinterest.settings, otel_exporter_otlp_endpoint=endpoint, otel_exporter_otlp_timeout=60)
        post(server, SAMPLED)
        until_settled(server)
        begun_at = time.monotonic()
        server.stop()
    assert time.monotonic() - begun_at < 20, "OpenTelemetry alone would wait for 30 s"
    assert pinterest.counts()["received"] == 1
