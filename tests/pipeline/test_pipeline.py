"""The request's half of the flow over a real catalog and a real outbox."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from app.catalog import Catalog, load_catalog
from app.core.events import CounterRow, Outcome
from app.core.log import configure_logging
from app.core.pages import Query
from app.errors import EventError, EventRefused
from app.outbox import Outbox, open_outbox
from app.pipeline import pipeline as receiving
from app.pipeline.batcher import MAX_BATCH
from app.pipeline.pipeline import EVENTS_A_TURN, Pipeline
from app.pipeline.router import AdAccount, Router
from app.source import Intake
from tests.assembled import shipped_catalog
from tests.outbox.build import rules as outbox_rules
from tests.outbox.new_store import new_store
from tests.process import ROOT
from tests.rows import every_row

if TYPE_CHECKING:
    from app.core.receipts import Receipt

NOW = 1_772_640_800.0
PAGE = {
    "type": "page",
    "messageId": "p-1",
    "timestamp": "2026-03-04T16:12:52.244Z",
    "context": {"ip": "203.0.113.9", "userAgent": "x"},
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return shipped_catalog()


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    rules = outbox_rules()
    store = open_outbox(new_store(tmp_path, "o.db"), rules, clock=lambda: NOW)
    yield store
    await store.close()


def event(**changes: Any) -> dict[str, Any]:
    return {**orjson.loads(orjson.dumps(PAGE)), **changes}


def order(message_id: str, name: str) -> dict[str, Any]:
    return event(type="track", event=name, messageId=message_id, properties={"order_id": "SO-1", "revenue": 20})


def test_a_raw_event_becomes_finished_json_for_each_preset_that_takes_it(catalog: Catalog) -> None:
    (found,) = Pipeline(catalog, Router()).map_event(orjson.dumps(PAGE), NOW)
    assert found[0] == "Page Visit"
    assert orjson.loads(found[1])["event_name"] == "page_visit"


def test_a_wrapped_raw_event_is_unwrapped(catalog: Catalog) -> None:
    pipeline = Pipeline(catalog, Router())
    assert pipeline.map_event(orjson.dumps({"json": PAGE}), NOW) == pipeline.map_event(orjson.dumps(PAGE), NOW)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "null"])
def test_a_conversion_is_not_lost_for_an_amount_that_is_no_number(catalog: Catalog, number: str) -> None:
    raw = orjson.dumps(order("m", "Order Completed")).replace(b'"revenue":20', f'"revenue":{number}'.encode())
    (found,) = Pipeline(catalog, Router()).map_event(raw, NOW)
    assert orjson.loads(found[1])["custom_data"] == {"order_id": "SO-1"}


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_permission_that_is_no_number_is_none(catalog: Catalog, number: str) -> None:
    raw = orjson.dumps(event(context={"ip": "203.0.113.9", "userAgent": "x", "device": {"adTrackingEnabled": 5}}))
    (found,) = Pipeline(catalog, Router()).map_event(raw.replace(b'Enabled":5', f'Enabled":{number}'.encode()), NOW)
    assert orjson.loads(found[1])["opt_out"] is True


@pytest.mark.parametrize(
    ("members", "settings"),
    [
        ({"type": "screen"}, {}),
        ({"context": {}}, {}),
        ({}, {"withheld": lambda _: "consent: not granted"}),
        ({}, {"why_off": lambda name, _: f"{name} is off"}),
    ],
    ids=["unmatched", "invalid", "withheld", "switched off"],
)
def test_a_raw_event_that_is_not_sent_becomes_nothing(
    catalog: Catalog, members: dict[str, Any], settings: dict[str, Any]
) -> None:
    assert Pipeline(catalog, Router(**settings)).map_event(orjson.dumps(event(**members)), NOW) == []


@every_row("raw", [b"", b"{", b"[]", b"3", b"{}"])
def test_what_is_no_event_is_refused(catalog: Catalog, raw: bytes) -> None:
    with pytest.raises(EventError):
        Pipeline(catalog, Router()).map_event(raw, NOW)


def test_an_event_that_no_preset_takes_is_unmatched(catalog: Catalog) -> None:
    (line,) = Pipeline(catalog, Router()).preview(event(type="screen"), now=NOW)
    assert (line.preset, line.outcome) == (None, Outcome.UNMATCHED)


def test_an_event_without_an_identifier_is_invalid_and_says_so(catalog: Catalog) -> None:
    (line,) = Pipeline(catalog, Router()).preview(event(context={}), now=NOW)
    assert line.outcome is Outcome.INVALID
    assert "hashed_maids" in line.reason


def test_an_event_without_consent_is_withheld_before_anything_is_mapped(catalog: Catalog) -> None:
    (line,) = Pipeline(catalog, Router(withheld=lambda _: "consent: not granted")).preview(event(), now=NOW)
    assert (line.preset, line.outcome, line.reason) == (None, Outcome.WITHHELD, "consent: not granted")


def test_a_preset_that_is_switched_off_withholds(catalog: Catalog) -> None:
    (line,) = Pipeline(catalog, Router(why_off=lambda name, _: f"{name} is off")).preview(event(), now=NOW)
    assert (line.preset, line.outcome, line.reason) == ("Page Visit", Outcome.WITHHELD, "Page Visit is off")


async def test_a_receipt_tells_each_event_in_its_place(catalog: Catalog, outbox: Outbox) -> None:
    counted: list[CounterRow] = []
    pipeline = Pipeline(catalog, Router([AdAccount(ad_account_id="1")]), outbox=outbox, on_count=counted.extend)
    events: list[Any] = [
        event(),
        EventRefused("no object"),
        event(messageId="p-2", context={}),
        event(),
        event(type="group"),
    ]

    receipt = await pipeline.accept(Intake(events, now=NOW))

    outcomes = [[line.outcome for line in each.deliveries] for each in receipt.events]
    assert outcomes == [
        [Outcome.ENQUEUED],
        [Outcome.REFUSED],
        [Outcome.INVALID],
        [Outcome.DUPLICATE],
        [Outcome.UNMATCHED],
    ]
    assert receipt.counts == {
        Outcome.ACCEPTED: 4,
        Outcome.ENQUEUED: 1,
        Outcome.REFUSED: 1,
        Outcome.INVALID: 1,
        Outcome.DUPLICATE: 1,
        Outcome.UNMATCHED: 1,
    }
    told = CounterRow(name="quality", preset="Page Visit", label="ip_address", ad_account_id="1", source="default")
    assert told in counted
    assert (await outbox.message("p-2")).dropped_events[0][1].outcome is Outcome.INVALID


async def test_counting_that_fails_does_not_hide_that_events_were_kept(
    catalog: Catalog, outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise OSError("no space is left")

    configure_logging("json", "info")
    receipt = await Pipeline(catalog, Router([AdAccount(ad_account_id="1")]), outbox=outbox, on_count=fail).accept(
        Intake([event()], now=NOW)
    )
    assert receipt.counts[Outcome.ENQUEUED] == 1
    assert "OSError" in capsys.readouterr().err


async def test_one_order_is_one_checkout_from_whatever_preset(catalog: Catalog, outbox: Outbox) -> None:
    pipeline = Pipeline(catalog, Router([AdAccount(ad_account_id="1")]), outbox=outbox)
    receipt = await pipeline.accept(Intake([order("m-1", "Order Completed"), order("m-2", "Checkout")], now=NOW))
    assert [each.deliveries[0].outcome for each in receipt.events] == [Outcome.ENQUEUED, Outcome.DUPLICATE]
    (delivery,) = (await outbox.search(Query(), limit=10)).deliveries
    assert (delivery.event_name, delivery.order_id, delivery.amount) == ("checkout", "SO-1", "20")
    assert (delivery.currency, delivery.source) == (None, "default")


async def test_a_long_array_lets_other_requests_have_their_turn(catalog: Catalog, outbox: Outbox) -> None:
    pipeline = Pipeline(catalog, Router([AdAccount(ad_account_id="1")]), outbox=outbox)
    receipt = await pipeline.accept(Intake([event(messageId=f"p-{number}") for number in range(120)], now=NOW))
    assert receipt.counts[Outcome.ENQUEUED] == 120


async def test_without_an_outbox_it_only_previews(catalog: Catalog) -> None:
    with pytest.raises(RuntimeError, match="no outbox"):
        await Pipeline(catalog, Router()).accept(Intake([event()], now=NOW))


async def test_events_that_take_long_let_others_have_their_turn_after_each(
    catalog: Catalog, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "_TURN_S", -1)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    events = [event(messageId=f"p-{number}") for number in range(5)]
    receipt = await Pipeline(catalog, Router(), outbox=outbox).accept(Intake(events, now=NOW))
    other.cancel()

    assert [each.message_id for each in receipt.events] == [f"p-{number}" for number in range(5)]
    assert turns >= 10  # after each that was read, and after each that was mapped


def test_a_new_catalog_is_used_from_the_next_event_on(catalog: Catalog, tmp_path: Path) -> None:
    pipeline = Pipeline(catalog, Router())
    (tmp_path / "only.yaml").write_text(
        'name: Only\nsubscribe: type = "screen"\naction: report_conversion_event\nmapping: {event_name: custom}\n',
        encoding="utf-8",
    )
    pipeline.use(load_catalog(tmp_path, ROOT / "mappings"))
    assert [line.outcome for line in pipeline.preview(event(), now=NOW)] == [Outcome.UNMATCHED]


@pytest.mark.parametrize("count", [1, EVENTS_A_TURN, MAX_BATCH])
async def test_a_small_request_waits_for_no_array(catalog: Catalog, outbox: Outbox, count: int) -> None:
    pipeline = Pipeline(catalog, Router(), outbox=outbox)
    small: asyncio.Task[Receipt] | None = None

    def array() -> Iterator[dict[str, Any]]:
        """Yield events until the small request is answered; then, or after very many, it ends."""
        for number in range(1_000_000):
            if small is not None and small.done():
                return
            yield event(type="identify", messageId=f"i-{number}")

    large = asyncio.create_task(pipeline.accept(Intake(array(), now=NOW)))
    await asyncio.sleep(0)
    events = [event(messageId=f"p-{number}") for number in range(count)]
    small = asyncio.create_task(pipeline.accept(Intake(events, now=NOW)))
    assert (await small).counts[Outcome.ENQUEUED] == count
    assert not large.done()
    assert len((await large).events) < 1_000_000
