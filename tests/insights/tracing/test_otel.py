"""What passes is traced on the way: the events' outcomes, and the context that is stored with each delivery."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app import assemble
from app.core.deliveries import NewDelivery
from app.core.receipts import Receipt
from app.errors import OutboxUnavailable
from app.insights.tracing.otel import OpenTelemetry
from app.outbox import open_outbox
from app.source import Intake
from tests import assembled
from tests.outbox.build import ACCOUNT, NOW, At, rules
from tests.outbox.new_store import new_store

LIVE: dict[str, Any] = {"pinterest_ad_account_id": ACCOUNT, "pinterest_conversion_token": "token"}
PAGE = {
    "type": "page",
    "messageId": "p-1",
    "timestamp": NOW,
    "context": {"ip": "203.0.113.9", "userAgent": "x"},
}


class Refusing:
    """An outbox that cannot commit, and quotes what it was given."""

    async def consent_keys(self, _: str) -> tuple[list[tuple[str, int]], str]:
        return [], "0"

    async def enqueue(self, deliveries: Sequence[NewDelivery], *_: Any, now: float, **__: Any) -> Any:
        raise OutboxUnavailable(deliveries[0].payload.decode())


class Erasing:
    """What erases people, as far as it is asked here."""

    async def secret(self) -> bytes:
        return b"a secret of the store"

    async def erase_named(self, people: Any, **_: Any) -> list[int]:
        raise AssertionError(people)

    async def note_lifted(self, lifted: Any, **_: Any) -> None:
        raise AssertionError(lifted)


async def accept(tracing: OpenTelemetry, outbox: Any, **more: Any) -> Receipt:
    settings, catalog = assembled.settings(**LIVE, **more), assembled.shipped_catalog()
    pipeline = assemble.pipeline(settings, catalog, outbox=outbox, erasing=Erasing(), spans=tracing)
    return await pipeline.accept(Intake([PAGE, {**PAGE, "type": "screen"}], now=NOW))


def finished(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


async def test_the_commit_is_the_span_that_its_deliveries_follow(
    tracing: OpenTelemetry, spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    outbox = open_outbox(new_store(tmp_path, "outbox.db"), rules(), clock=lambda: NOW)
    await accept(tracing, outbox)
    (claimed,) = await At(outbox).claim()
    await outbox.close()

    enqueue, accepted = finished(spans)["enqueue"], finished(spans)["accept"]
    assert enqueue.context
    assert (claimed.traceparent or "").startswith(f"00-{enqueue.context.trace_id:032x}-{enqueue.context.span_id:016x}-")
    assert enqueue.parent == accepted.context
    assert dict(enqueue.attributes or {}) == {"messaging.batch.message_count": 1}
    assert dict(accepted.attributes or {}) == {
        "pinrelay.accepted": 2,
        "pinrelay.enqueued": 1,
        "pinrelay.unmatched": 1,
    }


async def test_each_read_of_identity_memory_has_a_span(
    tracing: OpenTelemetry, spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    outbox = open_outbox(new_store(tmp_path, "outbox.db"), rules(), clock=lambda: NOW)
    await accept(tracing, outbox, remember_days=1, remember_secret="of-these-tests-0123456789-abcdefgh")
    await outbox.close()
    found = finished(spans)
    assert found["people"].parent == found["enqueue"].parent == found["accept"].context


async def test_what_is_not_sampled_is_stored_without_a_trace(
    spans: InMemorySpanExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    outbox = open_outbox(new_store(tmp_path, "outbox.db"), rules(), clock=lambda: NOW)
    await accept(OpenTelemetry(SimpleSpanProcessor(spans)), outbox)
    (claimed,) = await At(outbox).claim()
    await outbox.close()
    assert claimed.traceparent is None
    assert spans.get_finished_spans() == ()


async def test_a_commit_that_fails_is_told_by_its_kind_only(
    tracing: OpenTelemetry, spans: InMemorySpanExporter
) -> None:
    with pytest.raises(OutboxUnavailable):
        await accept(tracing, Refusing())
    for span in finished(spans).values():
        assert (span.attributes or {})["error.type"] == "OutboxUnavailable"
        assert "203.0.113.9" not in span.to_json()
