"""What is kept in quarantine, and what never is."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app import assemble
from app.core.pages import Quarantined, QuarantineFilter
from app.core.people import NamedPerson
from app.errors import SettingsError
from app.outbox import Outbox, open_outbox
from app.source import Intake
from tests import assembled
from tests.outbox.new_store import new_store

NOW = 1_800_000_000.0
KEY = {"quarantine_hours": 72, "quarantine_key": "a key of the quarantine, long enough"}
MEMORY = {"remember_days": 90, "remember_secret": "a secret of the installation, long"}
PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
#: No member of it names its person, so it is invalid.
ORDER = {"type": "track", "event": "Order Completed", "userId": None, "properties": {"order_id": "SO-1", "total": 5}}
UNKNOWN = {"type": "track", "event": "Purchase", "context": PERSON, "properties": {}}
_numbers = count()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return new_store(tmp_path, "o.db")


async def kept(url: str, *events: dict[str, Any], is_trusted: bool = True, **changes: Any) -> list[Quarantined]:
    """What is kept once these events were received in one request."""
    settings = assembled.settings(outbox_url=url, **(KEY | changes))
    outbox = open_outbox(url, settings, clock=lambda: NOW)
    try:
        await accept(settings, outbox, *events, is_trusted=is_trusted)
        return await outbox.sealed_events.find(QuarantineFilter(), now=NOW, after=0, limit=100)
    finally:
        await outbox.close()


async def accept(settings: Any, outbox: Outbox, *events: dict[str, Any], is_trusted: bool = True) -> Any:
    pipeline = assemble.pipeline(
        settings, assembled.shipped_catalog(), outbox=outbox, quarantine=assemble.quarantine(settings, outbox)
    )
    complete = [{"messageId": f"m-{next(_numbers)}", "timestamp": NOW, "context": {}, **event} for event in events]
    return await pipeline.accept(Intake(complete, now=NOW, is_trusted=is_trusted))


async def test_an_invalid_event_is_kept_with_why(url: str) -> None:
    (one,) = await kept(url, ORDER | {"userId": None}, is_trusted=False)
    assert (one.name, one.outcome.value, one.source, one.is_trusted) == ("Order Completed", "invalid", "default", False)
    assert "user_data" in one.reason
    assert one.ends_at == NOW + 72 * 3_600


DEAR: dict[str, Any] = ORDER | {"context": PERSON}


@pytest.mark.parametrize(
    ("money", "is_trusted", "is_kept"),
    [
        ({"total": 1000.01, "currency": "USD"}, False, True),
        ({"total": 1000.01, "currency": "USD"}, True, False),
        ({"total": 1000, "currency": "usd"}, False, False),
        ({"total": 900.5, "currency": "EUR"}, False, False),
        ({"total": "900.51", "currency": "EUR"}, False, True),
        ({"total": 10**9, "currency": "JPY"}, False, False),  # no amount is set for it
        ({"total": 10**9}, False, False),
        ({"currency": "USD"}, False, False),
    ],
)
async def test_a_public_order_that_is_too_dear_is_withheld_and_kept(
    url: str, money: dict[str, Any], *, is_trusted: bool, is_kept: bool
) -> None:
    event = DEAR | {"properties": {"order_id": "SO-1"} | money}
    found = await kept(url, event, is_trusted=is_trusted, max_public_order_value=("USD:1000", "EUR:900.5"))
    assert [(each.outcome.value, each.is_trusted) for each in found] == ([("withheld", False)] if is_kept else [])
    if is_kept:
        assert found[0].reason.startswith("MAX_PUBLIC_ORDER_VALUE: a public order of more than ")


async def test_only_orders_are_too_dear(url: str) -> None:
    added = DEAR | {"event": "Product Added", "properties": {"price": 5_000, "currency": "USD", "quantity": 1}}
    assert await kept(url, added, is_trusted=False, max_public_order_value=("USD:1000",)) == []


async def test_an_unmatched_event_is_kept_where_its_name_was_chosen(url: str) -> None:
    other = UNKNOWN | {"event": "Sign Up For Nothing"}
    found = await kept(url, UNKNOWN, other, quarantine_names=("Purchase",))
    assert [(each.name, each.outcome.value) for each in found] == [("Purchase", "unmatched")]


async def test_a_name_is_kept_without_personal_data(url: str) -> None:
    name = "Mail to ann@shop.example"
    (one,) = await kept(url, UNKNOWN | {"event": name}, quarantine_names=(name,))
    assert one.name == "Mail to [redacted]"


@pytest.mark.parametrize(
    "no",
    [
        {"integrations": {"All": False}},
        {"context": {"consent": {"categoryPreferences": {"ads": False}}}},
        {"context": {"consent": {"categoryPreferences": {}}}},
        {"context": {"device": {"adTrackingEnabled": False}}},
        {"properties": {"order_id": "SO-1", "opt_out": True}},
        {"context": {"gpc": True}},
        {"properties": {"order_id": "SO-1", "opt_out": "what is this"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("event", [ORDER, UNKNOWN], ids=["invalid", "unmatched"])
async def test_of_whom_says_no_nothing_is_kept(url: str, event: dict[str, Any], no: dict[str, Any]) -> None:
    found = await kept(url, event | no, quarantine_names=("Purchase",), consent_categories=("ads",))
    assert found == []


async def test_a_no_that_only_a_preset_finds_is_a_no(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    text = "name: Own\nsubscribe: event = 'Purchase'\naction: report_conversion_event\n"
    mapping = 'mapping: {event_name: lead, opt_out: {"@path": $.properties.no_ads}}\n'
    (folder / "own.yaml").write_text(text.replace("'", '"') + mapping, encoding="utf-8")
    settings = assembled.settings(outbox_url=url, **KEY | {"presets_dir": (folder,)})
    outbox = open_outbox(url, settings, clock=lambda: NOW)
    catalog = assemble.running_catalog(settings).catalog
    pipeline = assemble.pipeline(settings, catalog, outbox=outbox, quarantine=assemble.quarantine(settings, outbox))
    events = [
        UNKNOWN | {"messageId": str(said), "timestamp": NOW, "context": {}, "properties": {"no_ads": said}}
        for said in (True, False)
    ]
    receipt = await pipeline.accept(Intake(events, now=NOW))
    found = await outbox.sealed_events.find(QuarantineFilter(), now=NOW, after=0, limit=9)
    await outbox.close()
    assert [each.deliveries[0].outcome.value for each in receipt.events] == ["invalid", "invalid"]
    assert [each.message_id for each in found] == ["False"]


async def test_what_is_delivered_is_not_kept(url: str) -> None:
    assert await kept(url, ORDER | {"context": PERSON | {"traits": {"email": "ann@shop.example"}}}) == []


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, MEMORY], ids=["without memory", "with memory"])
async def test_a_delete_event_of_a_known_sender_erases_what_is_kept_also_of_the_same_request(
    url: str, more: dict[str, Any]
) -> None:
    chosen: dict[str, Any] = {"quarantine_names": ("Purchase",), **more}
    mine, other = UNKNOWN | {"userId": "ann"}, UNKNOWN | {"userId": "bob"}
    delete = {"type": "delete", "userId": "ann"}
    assert len(await kept(url, mine, other, **chosen)) == 2
    assert len(await kept(url, delete, is_trusted=False, **chosen)) == 2
    left = await kept(url, mine, delete, **chosen)
    assert len(left) == 1


@pytest.mark.slow
async def test_with_memory_the_linked_browsers_of_the_person_are_erased_too(url: str) -> None:
    chosen: dict[str, Any] = {"quarantine_names": ("Purchase",), **MEMORY}
    identify = {"type": "identify", "userId": "ann", "anonymousId": "x", "context": PERSON}
    await kept(url, identify, UNKNOWN | {"anonymousId": "x"}, **chosen)
    assert await kept(url, {"type": "delete", "userId": "ann"}, **chosen) == []


@pytest.mark.slow
async def test_whoever_erases_a_person_reaches_the_quarantine_without_memory_too(url: str) -> None:
    await kept(url, UNKNOWN | {"anonymousId": "x"}, quarantine_names=("Purchase",))
    settings = assembled.settings(outbox_url=url, **KEY)
    outbox = open_outbox(url, settings, clock=lambda: NOW)
    forgotten = await assemble.forgetting(settings, outbox).forget(NamedPerson(anonymous_id="x"), now=NOW)
    left = await outbox.sealed_events.find(QuarantineFilter(), now=NOW, after=0, limit=1)
    await outbox.close()
    assert (forgotten.messages, left) == (1, [])


@pytest.mark.slow
async def test_it_is_bounded_and_the_oldest_go_first(url: str) -> None:
    found: list[Quarantined] = []
    for number in range(40):
        event = UNKNOWN | {"messageId": f"n-{number}", "properties": {"text": "x" * 500}}
        found = await kept(url, event, quarantine_names=("Purchase",), quarantine_max_bytes=5_000)
    assert 1 <= len(found) <= 6
    assert found[-1].message_id == "n-39"


def all_files(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.iterdir())


async def test_nothing_of_a_person_stands_in_the_file_unsealed(url: str) -> None:
    person = {"email": "planted-ann@shop.example", "phone": "+4915112345678", "firstName": "Plantedann"}
    event = UNKNOWN | {"userId": "planted-user", "anonymousId": "planted-browser", "properties": person}
    assert len(await kept(url, event, quarantine_names=("Purchase",))) == 1
    written = all_files(Path(url.removeprefix("sqlite:///")).parent)
    for planted in (b"planted", b"Planted", b"4915112345678", b"cGxhbnRlZ"):
        assert planted not in written


async def test_an_event_that_cannot_be_sealed_is_not_kept_and_nothing_fails(url: str) -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    assert await kept(url, UNKNOWN | {"properties": {"deep": deep}}, quarantine_names=("Purchase",)) == []


async def test_off_it_keeps_nothing_and_without_a_key_it_cannot_be_on(url: str) -> None:
    assert await kept(url, ORDER, quarantine_hours=0) == []
    settings = assembled.settings(outbox_url=url, quarantine_hours=1)
    outbox = open_outbox(url, settings, clock=lambda: NOW)
    with pytest.raises(SettingsError, match=r"QUARANTINE_KEY: .* `openssl rand -hex 32`"):
        assemble.quarantine(settings, outbox)
    await outbox.close()


@pytest.mark.slow
async def test_an_order_that_waits_for_the_shop_is_kept_where_it_would_be_withheld_and_is_replayed_at_once(
    url: str,
) -> None:
    keys = {"write_keys": ("web:a-public-key-of-a-page", "srv:a-secret-key-of-a-shop"), "trusted_senders": ("srv",)}
    settings = assembled.settings(outbox_url=url, unconfirmed_orders="withhold", **keys, **KEY)
    outbox = open_outbox(url, settings, clock=lambda: NOW)
    kept = assemble.quarantine(settings, outbox)
    pipeline = assemble.pipeline(settings, outbox=outbox, quarantine=kept, shared=outbox)
    properties = {"order_id": "SO-1", "total": 5}
    event = {
        **ORDER,
        "messageId": "m-1",
        "timestamp": NOW,
        "context": PERSON,
        "userId": "u-1",
        "properties": properties,
    }
    try:
        await pipeline.accept(Intake([event], now=NOW, source="web"))
        (one,) = await outbox.sealed_events.find(QuarantineFilter(), now=NOW, after=0, limit=9)
        (waiting,) = (await outbox.message("m-1")).deliveries
        again = {**event, "messageId": "m-2", "properties": {**properties, "order_id": "SO-2"}}
        await pipeline.accept(Intake([again], now=NOW, source="web", is_replayed=True))
        (replayed,) = (await outbox.message("m-2")).deliveries
    finally:
        await outbox.close()

    assert (one.message_id, one.reason, one.outcome.value) == ("m-1", "not confirmed by the shop", "withheld")
    assert (waiting.is_held, replayed.is_held) == (True, False)
